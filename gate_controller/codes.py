"""Secrets that open nothing: one-time codes, viewing codes with their generations, and a device's second secret.

A viewing code is long and random, so its SHA-256 can stand on a list that travels; a one-time code is short, so
it is kept at the portal alone, salted and slow to try. Whatever is wrong with a viewing code or token, whoever
typed it is told the same; the journal and the portal know better. Randomness is handed in.

Not here: guest codes and passes, which do open (`credentials`), accounts and how often an address may try.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import scrypt, sha256
from typing import Final

from gate_controller.credentials import ACTIVATE, CODE_ALPHABET, checked_digest, folded
from gate_controller.delegation import Device
from gate_controller.reasons import Reason

SECRET_LEN: Final = 16
"""Characters of a viewing code or token: 25^16 are 74 bits, too many to try against a digest."""
SECRETS: Final = len(CODE_ALPHABET) ** SECRET_LEN
"""How many there are; draw a number below."""
FORMER_LEN_MAX: Final = 8
"""Generations of a code that are still told from a code that never was."""
TRIES_MAX: Final = 5
"""Wrong tries after which a one-time code is no use any more."""
SHORT_LEN: Final = 8
"""Characters of a one-time code, short enough for a text message."""
ONE_TIME_LIVES: Final = timedelta(hours=24)

ALIKE: Final = frozenset(
    {
        Reason.CODE_WRONG,
        Reason.CODE_SUPERSEDED,
        Reason.CODE_REVOKED,
        Reason.OUT_OF_SCOPE,
        Reason.TOKEN_REQUIRED,
        Reason.TOKEN_MISMATCH,
    }
)
"""Reasons that whoever typed a viewing code is told in the same words."""


def secret(number: int, length: int = SECRET_LEN) -> str:
    """A code or token out of a random number, in groups of four that can be read out."""
    chars = []
    for _ in range(length):
        number, at = divmod(number, len(CODE_ALPHABET))
        chars.append(CODE_ALPHABET[at])
    return "-".join("".join(chars[at : at + 4]) for at in range(0, length, 4))


def secret_digest(text: str) -> str:
    """What a viewing code or token is known by, however it was typed."""
    return sha256(folded(text).encode(errors="surrogatepass")).hexdigest()


def activation_link(base: str, code: str) -> str:
    """The web address behind an activation's QR code; `base` is the portal's, `code` made by `secret`."""
    return f"{base.rstrip('/')}/{ACTIVATE}/{code}"


# ---- viewing codes ----


class ViewScope(StrEnum):
    """What a viewing code shows."""

    CUSTOMER = "customer"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class ViewCode:
    """A viewing code on the list; only the newest generation is alive, and only while it is enabled.

    `digest` is `secret_digest` of the code, `former` those of earlier generations, newest last. `site` is set for
    a site's code alone; only that may want the token of one device, which is then all that it shows.
    """

    id: str
    scope: ViewScope
    customer: str
    digest: str
    site: str | None = None
    generation: int = 1
    enabled: bool = True
    token_required: bool = False
    former: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for digest in (self.digest, *self.former):
            checked_digest(digest, "viewing code")


def regenerated(code: ViewCode, digest: str) -> ViewCode:
    """The next generation, enabled: the one before is dead at once. Also how a code is switched on again."""
    former = (*code.former, code.digest)[-FORMER_LEN_MAX:]
    return replace(code, digest=digest, generation=code.generation + 1, enabled=True, former=former)


def code_problem(old: ViewCode | None, new: ViewCode) -> tuple[str, str] | None:
    """The reason and the words for a viewing code that may not become this, None if it may."""
    of_site = new.scope is ViewScope.SITE
    if of_site != bool(new.site) or (new.token_required and not of_site):
        return "bad_view_code", f"code {new.id}: a site's code names its site, and only that may want a token"
    if len(new.former) > FORMER_LEN_MAX or new.digest in new.former:
        return "bad_view_code", f"code {new.id}: {FORMER_LEN_MAX} earlier generations at most, and not its own"
    if old is None:
        return None
    if (old.scope, old.customer, old.site) != (new.scope, new.customer, new.site):
        return "immutable_id", f"code {new.id}: what it shows cannot change"
    if new.generation < old.generation:
        return "old_generation", f"code {new.id}: generation {new.generation} after {old.generation}"
    same = new.generation == old.generation
    if same != (new.digest == old.digest) or (same and new.enabled and not old.enabled):
        return "old_generation", f"code {new.id}: another code, or one switched on again, is a new generation"
    return None


@dataclass(frozen=True, slots=True)
class View:
    """What a code and token opened: everything of a customer, one site of it, or one device."""

    code: str
    generation: int
    customer: str
    site: str | None = None
    device: str | None = None

    def shows(self, device: Device, here: str) -> bool:
        """Whether a device is in view; `here` is the site of one that names none."""
        if device.owner != self.customer or self.site not in (None, device.site or here):
            return False
        return self.device in (None, device.id)

    def stands(self, code: ViewCode | None) -> bool:
        """Whether it still counts, with the code as it is on the list now: an open page asks that each time."""
        return code is not None and code.enabled and code.generation == self.generation


def open_view(
    text: str, token: str, listed: Iterable[ViewCode], devices: Iterable[Device], here: str, *, only_here: bool
) -> View | Reason:
    """The view that a typed code gives, or why not.

    `listed` are the codes with this digest, alive or former; `here` is this site. With `only_here` (an edge) a code
    of another site is out of scope. Every way takes the same steps, whatever is wrong.
    """
    digest, token_digest = secret_digest(text), secret_digest(token)
    code = next((one for one in listed if digest == one.digest or digest in one.former), None)
    owned = [device for device in devices if code is not None and device.owner == code.customer]
    labelled = [d for d in owned if d.token == token_digest]
    if code is None:
        return Reason.CODE_WRONG
    if digest != code.digest:
        return Reason.CODE_SUPERSEDED
    if not code.enabled:
        return Reason.CODE_REVOKED
    if only_here and code.site not in (None, here):
        return Reason.OUT_OF_SCOPE
    view = View(code.id, code.generation, code.customer, code.site)
    if not code.token_required:
        return view
    if not folded(token):
        return Reason.TOKEN_REQUIRED
    shown = next((device for device in labelled if view.shows(device, here)), None)
    return Reason.TOKEN_MISMATCH if shown is None else replace(view, device=shown.id)


# ---- one-time codes ----


class Tried(StrEnum):
    """What came of trying a one-time code."""

    RIGHT = "right"
    WRONG = "wrong"
    USED = "used"
    EXPIRED = "expired"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code that works once, for one purpose and one subject, until `expires_at`; made by `one_time`."""

    purpose: str
    subject: str
    salt: str
    digest: str
    expires_at: datetime
    tries: int = 0
    used_at: datetime | None = None

    def tried(self, text: str, at: datetime) -> tuple["OneTimeCode", Tried]:
        """The code after this try, which the caller keeps, and what came of it."""
        if self.used_at is not None:
            return self, Tried.USED
        if self.tries >= TRIES_MAX:
            return self, Tried.TOO_MANY
        if at >= self.expires_at:
            return self, Tried.EXPIRED
        if _slow(text, self.salt) != self.digest:
            return replace(self, tries=self.tries + 1), Tried.WRONG
        return replace(self, used_at=at), Tried.RIGHT


def one_time(
    purpose: str, subject: str, text: str, salt: str, at: datetime, lives: timedelta = ONE_TIME_LIVES
) -> OneTimeCode:
    """A one-time code whose text goes out by a second channel and is not kept."""
    return OneTimeCode(purpose, subject, salt, _slow(text, salt), at + lives)


def _slow(text: str, salt: str) -> str:
    # 16 MiB and some 40 ms a try; RFC 7914 gives N = 2^14, r = 8 for interactive use.
    given = folded(text).encode(errors="surrogatepass")
    return scrypt(given, salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()
