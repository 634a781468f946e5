"""The app of one user, as staff ask for it and end it: contacts, a code by SMS, the way to it by mail, its stages.

One user at a time, and not before all is ready. The gates learn of the app's state alone: pending, active, revoked.
Not here: what the driver does then (`app_setup`), and activations by a mailed link (`company`).
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gate_controller.allowlist import Allowlist, Change, User, UserPut
from gate_controller.codes import SHORT_LEN, OneTimeCode, one_time, secret
from gate_controller.credentials import CODE_ALPHABET, CredentialState
from gate_controller.errors import BadInput
from hardware_sim.portal.company import readiness
from hardware_sim.portal.company.app_books import AppAsked, AppBooks, Consent
from hardware_sim.portal.company.company import CONTACT_NOT_UNIQUE, by_id, contacts_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records import inputs
from hardware_sim.portal.records.accounts import Account, Role, new_account
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import SiteRecord

PURPOSE: Final = "user app"
"""Of one-time codes."""


class Stage(StrEnum):
    """How far an app has come; the list's state, and whether the gates have heard of it."""

    NONE = "not set up"
    REQUESTED = "requested: the gates are being told"
    PENDING = "pending: waits for the driver"
    ACTIVATING = "active, and the gates are being told"
    ACTIVE = "active"
    WITHDRAWING = "withdrawn, and the gates are being told"
    WITHDRAWN = "withdrawn"


_STAGES: Final = {
    CredentialState.PENDING: (Stage.REQUESTED, Stage.PENDING),
    CredentialState.ACTIVE: (Stage.ACTIVATING, Stage.ACTIVE),
    CredentialState.REVOKED: (Stage.WITHDRAWING, Stage.WITHDRAWN),
    CredentialState.SUSPENDED: (Stage.WITHDRAWING, Stage.WITHDRAWN),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What the portal has of a user's app beside the list."""

    email: str
    phone: str
    app: AppAsked | None
    code: OneTimeCode | None
    consents: list[Consent]
    account: Account | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A user's app as staff and driver see it; `told` of `gates` gates know how it stands."""

    user: User
    kept: Kept
    stage: Stage
    told: int
    gates: int

    @property
    def mark(self) -> str:
        """What a form is drawn from; another mark is somebody else's change."""
        kept = self.kept
        words = [msgspec.to_builtins(self.user), kept.email, kept.phone, msgspec.to_builtins(kept.app)]
        return sha256(msgspec.json.encode(words)).hexdigest()[:16]


def books_of(house: House) -> AppBooks:
    """The apps of this house."""
    return AppBooks(house.portal.database.sql)


async def look(house: House, user_id: str) -> Seen:
    """How a user's app stands. Raises BadInput for one who was deleted."""
    user = by_id(house, user_id)
    kept = await house.run(kept_of, house, user_id)
    edges, epoch = await house.portal.edges(), house.portal.allowlist.epoch
    rev = kept.app.rev if kept.app is not None else house.portal.allowlist.revision
    known = [one for one in edges if one.revision and one.revision.epoch == epoch and one.revision.rev >= rev]
    stages = (Stage.NONE, Stage.NONE) if user.app is None else _STAGES[user.app]
    return Seen(user, kept, stages[bool(edges) and len(known) == len(edges)], len(known), len(edges))


def kept_of(house: House, user_id: str) -> Kept:
    """What is kept of a user's app, inside a transaction."""
    contacts, books = contacts_of(house), books_of(house)
    return Kept(
        contacts.email(user_id),
        contacts.phone(user_id),
        books.app(user_id),
        books.code(PURPOSE, user_id),
        books.consents(user_id),
        house.accounts.of_user(user_id),
    )


# ---- staff ----


async def ask_for(
    house: House, actor: str, user_id: str, mark: str, email: str, phone: str, sites: Sequence[str], at: str = ""
) -> None:
    """Activate the app of this one user: pending at the gates, a code by SMS, the way to it by mail.

    `at` is the site that the actor works for, where users ask; else the portal's own. Raises BadInput, with what is
    not ready, and Overtaken.
    """
    if (await look(house, user_id)).mark != mark:
        raise Overtaken("Somebody else changed this user meanwhile")
    not_ready = readiness.told(await readiness.checks(house))
    if not_ready:
        await house.write(_refused, house, actor, user_id, "not ready")
        raise BadInput(f"Nothing was activated. {not_ready}")
    email, phone = inputs.email(email), inputs.phone(phone)
    code, kept = await _new_code(house, user_id)
    revs: list[int] = []

    def changes(now: Allowlist) -> list[Change]:
        revs[:] = [now.revision + 1]
        user = by_id(house, user_id)
        if user.app in (CredentialState.PENDING, CredentialState.ACTIVE):
            raise Overtaken("This user's app was activated meanwhile")
        return [UserPut(replace(user, app=CredentialState.PENDING))]

    def beside() -> None:
        user, before = by_id(house, user_id), kept_of(house, user_id)
        if Seen(user, before, Stage.NONE, 0, 0).mark != mark:
            raise Overtaken("Somebody else changed this user meanwhile")
        contacts = contacts_of(house)
        contacts.put(user_id, email)
        contacts.put_phone(user_id, phone)
        contacts.used(user_id)
        nearest = at or house.site
        named = [_with_address(house, site) for site in sorted(set(sites), key=lambda one: (one != nearest, one))]
        if not named:
            raise WrongField("sites", "is missing")
        account = _account(house, user, before.account, email, phone)
        books = books_of(house)
        books.put_app(AppAsked(user_id, revs[0], tuple(one.id for one in named), None, actor, house.now()))
        if account.must_change:
            books.put_code(kept)
            _text_code(house, phone, code, kept.expires_at, named[0])
        else:
            books.drop_code(PURPOSE, user_id)
        _mail_guide(house, email, named[0], with_code=account.must_change)
        house.audit.note(house.now(), actor, "app.requested", user.external_id, f"site {at}" if at else "")

    try:
        await house.portal.change(changes, beside)
    except WrongField as error:
        if CONTACT_NOT_UNIQUE in error.problem:
            await house.write(_refused, house, actor, user_id, f"{CONTACT_NOT_UNIQUE}: {error.field}")
        raise


async def send_code(house: House, actor: str, user_id: str) -> None:
    """Another code, because the one before is over, lost or was tried too often; that counts no more."""
    code, kept = await _new_code(house, user_id)

    def deed() -> None:
        user, before = by_id(house, user_id), kept_of(house, user_id)
        if user.app is not CredentialState.PENDING or before.app is None:
            raise BadInput("No app of this user waits for a code")
        if before.account is None or not before.account.must_change:
            raise BadInput("This user has a password already; a forgotten one is set anew by a link")
        books_of(house).put_code(kept)
        _text_code(house, before.phone, code, kept.expires_at, house.organisations.site(before.app.sites[0]))
        house.audit.note(house.now(), actor, "app.code_sent", user.external_id)

    await house.write(deed)


async def mail_guide(house: House, actor: str, user_id: str) -> bool:
    """Mail how to set up the app, if there is an address to mail it to; whether there was one."""

    def deed() -> bool:
        user, kept = by_id(house, user_id), kept_of(house, user_id)
        if not kept.email:
            return False
        site = house.organisations.site(kept.app.sites[0] if kept.app else house.site)
        _mail_guide(house, kept.email, site, with_code=kept.account is None or kept.account.must_change)
        house.audit.note(house.now(), actor, "app.guide_mailed", user.external_id)
        return True

    return await house.write(deed)


async def withdraw(house: House, actor: str, user_id: str) -> None:
    """End the app at once: no pass is made any more, and one that was shown before is over within 90 s."""
    await end(house, actor, user_id, lambda: None)


async def end(house: House, actor: str, user_id: str, also: Callable[[], None]) -> None:
    """End the app and do something else in the same transaction. Raises what that raises, BadInput, Overtaken."""
    revs: list[int] = []

    def changes(now: Allowlist) -> list[Change]:
        revs[:] = [now.revision + 1]
        user = by_id(house, user_id)
        if user.app in (None, CredentialState.REVOKED):
            raise Overtaken("This user has no app any more")
        return [UserPut(replace(user, app=CredentialState.REVOKED))]

    def beside() -> None:
        books, user = books_of(house), by_id(house, user_id)
        also()
        books.drop_code(PURPOSE, user_id)
        contacts_of(house).used(user_id)
        app = books.app(user_id)
        if app is not None:
            books.put_app(replace(app, rev=revs[0]))
        account = house.accounts.of_user(user_id)
        if account is not None:
            house.sessions.end_all(account.holder)
        house.audit.note(house.now(), actor, "app.withdrawn", user.external_id)

    await house.portal.change(changes, beside)


def _refused(house: House, actor: str, user_id: str, why: str) -> None:
    house.audit.note(house.now(), actor, "app.refused", by_id(house, user_id).external_id, why)


def _with_address(house: House, site: str) -> SiteRecord:
    found = house.organisations.site(site)
    if not found.email:
        raise WrongField("sites", f"has {found.name}, which has no e-mail address of its own; write one first")
    return found


def _account(house: House, user: User, known: Account | None, email: str, phone: str) -> Account:
    """The user's account with these contacts; one that has a password keeps its own. Raises WrongField."""
    organisation = user.customer or house.tenant
    if known is None:
        wanted = replace(
            new_account(house.new_id(), email, organisation, [Role.DRIVER], email, phone), user_id=user.id
        )
    elif not known.roles <= {Role.DRIVER, Role.SUBSCRIBER}:
        # Whoever may send codes to telephones could become that person otherwise.
        raise BadInput("This user works at these pages; the operator adds the role of a driver to that account")
    elif known.must_change:
        wanted = replace(known, name=email, email=email, phone=phone, roles=known.roles | {Role.DRIVER})
    elif (known.email, known.phone or phone) != (email, phone):
        raise WrongField("email", "or telephone is not what this user's account has; only the user changes those")
    else:
        wanted = replace(known, phone=phone, roles=known.roles | {Role.DRIVER})
    try:
        return house.accounts.put(wanted)
    except WrongField as error:
        field = "phone" if error.field == "phone" else "email"
        raise WrongField(field, f"is that of another account ({CONTACT_NOT_UNIQUE})") from error


async def _new_code(house: House, user_id: str) -> tuple[str, OneTimeCode]:
    text = secret(secrets.randbelow(len(CODE_ALPHABET) ** SHORT_LEN), SHORT_LEN)
    return text, await house.slowly(one_time, PURPOSE, user_id, text, secrets.token_hex(16), house.now())


def _text_code(house: House, phone: str, code: str, until: datetime, site: SiteRecord) -> None:
    ends = until.astimezone(ZoneInfo(site.time_zone))
    body = f"{site.name}: your code for the app is {code}. It counts once, until {ends:%Y-%m-%d %H:%M}."
    house.mailbox.sms(house.now(), phone, f"{body} {house.url}/app")


def _mail_guide(house: House, email: str, site: SiteRecord, *, with_code: bool) -> None:
    body = "\n".join(
        [
            f"This is how you set up the app of {site.name}:",
            *(f"{number}. {text}" for number, text in enumerate(guide(house, with_code=with_code), 1)),
            "",
            f"Questions: {site.email}",
        ]
    )
    house.mailbox.mail(house.now(), email, "How to set up your app", body, qr=f"{house.url}/app")


def guide(house: House, *, with_code: bool = True) -> list[str]:
    """The steps of a driver, without anything that is secret."""
    first = "your e-mail address and the code from the SMS; it counts once" if with_code else "your own password"
    return [
        f"Scan the QR code with your phone, or open {house.url}/app there.",
        f"Log in with {first}.",
        *(["Choose a password of your own, and log in with it."] if with_code else []),
        'Open "My app", read what you agree to, and choose your site last.',
        'Then hold the code of "My pass" to the scanner at the gate. Until that works, your plate or badge does.',
    ]
