"""What a user can show at a gate, in which state, and how badges, QR passes and guest codes are compared.

Here: the four kinds as list entries, and what a badge reader, a scanner or a keypad reported. A pass or code is a
password: its text ends where it is read or typed, and lists, reads and facts hold its digest only.
Not here: the viewing `AccessCode`, which never opens anything, and how a signed pass is read (`sync.passes`).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from gate_controller.errors import BadgeError, CodeError
from gate_controller.plates import Plate

BADGE_BITS_MIN = 16
BADGE_BITS_MAX = 80  # ISO/IEC 14443-3: a UID has 4, 7 or 10 bytes
_HEX = frozenset("0123456789ABCDEF")

PASS_LEN_MIN: Final = 16
"""Characters: a shorter pass could be guessed, or taken for a guest code."""
PASS_LEN_MAX: Final = 512
CODE_LEN_MIN: Final = 6
CODE_LEN_MAX: Final = 10
CODE_ALPHABET: Final = "23456789ACDEFHJKMNPRTVWXY"
"""What a guest code is made of: of characters that are taken for one another, one at most."""
ACTIVATE: Final = "activate"
"""The part of a web address that tells an activation from everything else."""
_ACTIVATION: Final = re.compile(rf"https?://[^?#]*/{ACTIVATE}/[^/]", re.IGNORECASE)
_FOLDED: Final = str.maketrans("0OQZSBGU", "DDD2586V", " -._")
_DIGEST_LEN: Final = 64
_DIGEST: Final = frozenset("0123456789abcdef")
DIGEST_MARK: Final = "sha256:"
"""What the digest of a pass or code begins with wherever it stands beside plates and badge numbers."""


class CredentialKind(StrEnum):
    """What kinds of credential there are."""

    PLATE = "plate"
    BADGE = "badge"
    QR_PASS = "qr_pass"
    GUEST_CODE = "guest_code"
    SIGNED_PASS = "signed_pass"


class CredentialState(StrEnum):
    """Whether a credential may be used; only `ACTIVE` opens."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PlateCredential:
    """A plate on a user's list entry; `valid_to` is the first moment outside."""

    plate: Plate
    state: CredentialState = CredentialState.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.PLATE

    @property
    def text(self) -> str:
        return self.plate.key


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge on a user's list entry: its whole number, `uid` in upper-case hexadecimal, `bits` wide."""

    uid: str
    bits: int
    state: CredentialState = CredentialState.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def __post_init__(self) -> None:
        if not self.uid or not _HEX.issuperset(self.uid) or not len(self.uid) <= BADGE_BITS_MAX // 4:
            # Comes over the wire and into logs: where it is wrong is told, and not what stands there.
            raise BadgeError(f"badge of {len(self.uid)} characters: it is kept in upper-case hexadecimal digits")

    @classmethod
    def parse(cls, text: str) -> "Badge":
        """A badge as typed or imported (`04:A2:2F:1B`); every digit counts four bits. Raises `BadgeError`."""
        digits = text.upper().translate({ord(char): None for char in " :-.\t"}).removeprefix("0X")
        if not _HEX.issuperset(digits) or not BADGE_BITS_MIN <= 4 * len(digits) <= BADGE_BITS_MAX:
            shown = text if len(text) <= 40 else text[:39] + "…"
            raise BadgeError(
                f"badge {shown!r}: write the whole number in hexadecimal, "
                f"{BADGE_BITS_MIN // 4} to {BADGE_BITS_MAX // 4} digits 0-9 A-F"
            )
        return cls(digits, 4 * len(digits))

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.BADGE

    @property
    def text(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class BadgeRead:
    """What a reader reported: the number in upper-case hexadecimal and how many bits of it the reader gives."""

    uid: str
    bits: int

    @classmethod
    def of(cls, value: int, bits: int) -> "BadgeRead":
        """A read from the number itself."""
        return cls(f"{value:0{-(-bits // 4)}X}", bits)

    @property
    def text(self) -> str:
        return self.uid


def whole_number(uid: str, bits: int) -> str:
    """Index key of a badge: the same digits in another width are another badge."""
    return f"{bits}:{uid}"


def low_bits(uid: str, bits: int) -> str:
    """Index key of what a reader that gives only `bits` of a longer number reports of it."""
    return f"{bits}:{int(uid, 16) & ((1 << bits) - 1):X}"


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def checked_digest(digest: str, what: str) -> None:
    """Raises CodeError for what is no SHA-256 in hexadecimal."""
    if len(digest) != _DIGEST_LEN or not _DIGEST.issuperset(digest):
        # Comes over the wire; what stands there may be somebody's code in clear.
        raise CodeError(f"{what} of {len(digest)} characters: it is kept as its SHA-256, {_DIGEST_LEN} of 0-9 a-f")


def folded(text: str) -> str:
    """A guest code as meant, however it was typed: upper case, no spaces or dashes, look-alikes settled."""
    return text.upper().translate(_FOLDED)


def is_activation(text: str) -> bool:
    """Whether a scanned text is an activation's: it sets something up once, and is no pass for a gate."""
    return _ACTIVATION.match(text) is not None


@dataclass(frozen=True, slots=True)
class QrPass:
    """A QR pass on a user's list entry: the SHA-256 of exactly the text that a scanner reads.

    The text must be hard to guess, since anybody can try texts against a digest: it is random, not a name.
    """

    digest: str
    state: CredentialState = CredentialState.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def __post_init__(self) -> None:
        checked_digest(self.digest, "QR pass")

    @classmethod
    def of(cls, text: str) -> "QrPass":
        """The pass with this text: 16 to 512 printable ASCII characters. Raises `CodeError`."""
        if not PASS_LEN_MIN <= len(text) <= PASS_LEN_MAX or not (text.isascii() and text.isprintable()):
            raise CodeError(
                f"QR pass of {len(text)} characters: write {PASS_LEN_MIN} to {PASS_LEN_MAX} printable ASCII ones"
            )
        return cls(_digest(text))

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.QR_PASS

    @property
    def text(self) -> str:
        return DIGEST_MARK + self.digest


@dataclass(frozen=True, slots=True)
class GuestCode:
    """A guest's short code on a user's list entry: the SHA-256 of its canonical form.

    So short a code can be found by trying all of them against the digest: a list is no place to publish.
    """

    digest: str
    state: CredentialState = CredentialState.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def __post_init__(self) -> None:
        checked_digest(self.digest, "guest code")

    @classmethod
    def parse(cls, text: str) -> "GuestCode":
        """A code as typed or imported (`k7m2-px94`); raises `CodeError` for one that cannot be a guest code."""
        code = folded(text)
        if not CODE_LEN_MIN <= len(code) <= CODE_LEN_MAX or not set(CODE_ALPHABET).issuperset(code):
            raise CodeError(
                f"guest code of {len(code)} characters: write {CODE_LEN_MIN} to {CODE_LEN_MAX} "
                f"of {CODE_ALPHABET}, spaces and dashes as you like"
            )
        return cls(_digest(code))

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.GUEST_CODE

    @property
    def text(self) -> str:
        return DIGEST_MARK + self.digest


@dataclass(frozen=True, slots=True)
class CodeRead:
    """What a scanner or a keypad reported, as digests: of the very text, and of the guest code it may be.

    `code` is None for a text that has not the length of a guest code; such a read is no try at guessing one.
    `activation` says that it was the QR code of an activation letter, which is meant for a phone.
    """

    exact: str
    code: str | None
    activation: bool = False

    @classmethod
    def of(cls, text: str) -> "CodeRead":
        """A read of this text, whatever it is."""
        code = folded(text)
        short = CODE_LEN_MIN <= len(code) <= CODE_LEN_MAX
        return cls(_digest(text), _digest(code) if short else None, is_activation(text))

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of list entries that this read fits: a pass, or a guest code."""
        digests = dict.fromkeys(one for one in (self.exact, self.code) if one is not None)
        return tuple(f"{DIGEST_MARK}{digest}" for digest in digests)

    @property
    def text(self) -> str:
        """A guest code's digest where it may be one, so that however it is typed it is one text."""
        return DIGEST_MARK + (self.code or self.exact)


@dataclass(frozen=True, slots=True)
class PassRead:
    """A signed pass that a scanner reported and whose signature holds (`sync.passes`).

    `number` names this very pass, in lower-case hexadecimal; one that is good `once` lets in once. `guest` is what
    somebody is called who may not be on the list yet: the signature speaks for them. `elsewhere`: for another site.
    """

    user_id: str
    number: str
    valid_from: datetime
    valid_to: datetime
    once: bool = False
    guest: str = ""
    elsewhere: bool = False

    @property
    def text(self) -> str:
        return f"pass:{self.number}"


@dataclass(frozen=True, slots=True)
class SignedPass:
    """What a signed pass stands for once its user is known: the state of the user's app, and its own validity."""

    text: str
    state: CredentialState
    valid_from: datetime
    valid_to: datetime

    @property
    def kind(self) -> CredentialKind:
        return CredentialKind.SIGNED_PASS


Secret = QrPass | GuestCode
"""What a list keeps as a digest only."""

Shown = BadgeRead | CodeRead | PassRead
"""What a person holds out or types, and no camera sees."""
