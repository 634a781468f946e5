"""Company parking: users as a fleet manager enters them, contracts, and the activation of a phone app by mail.

The list's own rules refuse what is wrong; here is only what the list does not hold: mail addresses, activations,
and that two managers who edit one user do not undo each other. Plates and badges count from the first moment.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from gate_controller.allowlist import Change, PermitPut, User, UserPut, UserRemoved, UserStatus
from gate_controller.codes import SECRETS, activation_link, secret, secret_digest
from gate_controller.contracts import Contract, both
from gate_controller.credentials import Badge, CredentialState, PlateCredential
from gate_controller.errors import BadInput
from gate_controller.plates import Plate, unusual
from hardware_sim.portal.company import readiness
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.house import House
from hardware_sim.portal.records import inputs
from hardware_sim.portal.records.inputs import Overtaken, WrongField

ACTIVATION_LIVES: Final = timedelta(days=7)
T = TypeVar("T", PlateCredential, Badge)
PLATES_MAX: Final = 20
LINKED_LEN_MAX: Final = 40
CONTACT_NOT_UNIQUE: Final = "contact_not_unique"
"""Why an address or a number is refused that is somebody else's already; gates never hear of either."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a manager writes about a user; `plates` and `badges` as people write them, one each."""

    external_id: str
    name: str = ""
    email: str = ""
    plates: Sequence[str] = ()
    badges: Sequence[str] = ()
    groups: Sequence[str] = ()
    private: bool = False
    linked_account_no: str = ""
    payable: bool = False


class Contacts:
    """How users are reached, and activations, of one open portal database; every method runs on its thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def email(self, user_id: str) -> str:
        """The user's address, "" if there is none."""
        found = self._db.execute("SELECT email FROM contact WHERE user_id = ?", (user_id,)).fetchone()
        return (found[0] or "") if found else ""

    def user_of(self, email: str) -> str | None:
        """The user whose address this is."""
        found = self._db.execute("SELECT user_id FROM contact WHERE email = ?", (email,)).fetchone()
        return found[0] if found else None

    def put(self, user_id: str, email: str) -> None:
        """Set or clear the address. Raises WrongField for one that is another user's."""
        self._set(user_id, "email", email)

    def phone(self, user_id: str) -> str:
        """The user's telephone number, "" if there is none."""
        found = self._db.execute("SELECT phone FROM contact WHERE user_id = ?", (user_id,)).fetchone()
        return (found[0] or "") if found else ""

    def put_phone(self, user_id: str, phone: str) -> None:
        """Set or clear the number. Raises WrongField for one that is another user's."""
        self._set(user_id, "phone", phone)

    def _set(self, user_id: str, field: str, value: str) -> None:
        taken = self._db.execute(f"SELECT user_id FROM contact WHERE {field} = ?", (value,)).fetchone()
        if value and taken is not None and taken[0] != user_id:
            raise WrongField(field, f"belongs to another user ({CONTACT_NOT_UNIQUE})")
        self._db.execute(
            f"INSERT INTO contact (user_id, {field}) VALUES (?1, ?2)"
            f" ON CONFLICT (user_id) DO UPDATE SET {field} = ?2",
            (user_id, value or None),
        )

    def begin(self, user_id: str, code: str, until: datetime) -> None:
        """An activation was sent; one that was sent before counts no more."""
        row = (user_id, secret_digest(code), until.astimezone(UTC).isoformat())
        self._db.execute("INSERT OR REPLACE INTO activation VALUES (?, ?, ?)", row)

    def activating(self, code: str, now: datetime) -> str | None:
        """The user whose activation this is, while it counts."""
        found = self._db.execute(
            "SELECT user_id, until FROM activation WHERE digest = ?", (secret_digest(code),)
        ).fetchone()
        return found[0] if found and now < datetime.fromisoformat(found[1]) else None

    def is_sent(self, user_id: str) -> bool:
        """Whether an activation was sent and neither used nor withdrawn; it may be over."""
        return self._db.execute("SELECT 1 FROM activation WHERE user_id = ?", (user_id,)).fetchone() is not None

    def used(self, user_id: str) -> None:
        """The activation has done what it is for, or was withdrawn."""
        self._db.execute("DELETE FROM activation WHERE user_id = ?", (user_id,))


def contacts_of(house: House) -> Contacts:
    """The contacts of this house."""
    return Contacts(house.portal.database.sql)


def put_phone(house: House, user_id: str, phone: str) -> None:
    """The number of a user and of its account; on the database's thread. Raises WrongField."""
    contacts_of(house).put_phone(user_id, phone)
    account = house.accounts.of_user(user_id)
    if account is not None and account.phone != phone:
        house.accounts.put(replace(account, phone=phone))


def mark_of(user: User, email: str) -> str:
    """What a form was drawn from: another mark means that somebody changed the user meanwhile."""
    return sha256(msgspec.json.encode([msgspec.to_builtins(user), email])).hexdigest()[:16]


def odd_plates(user: User) -> list[str]:
    """Plates that fit no layout we know, as they are shown: accepted, and worth a second look."""
    return [one.plate.display() for one in user.plates if unusual(one.plate)]


async def add(house: House, actor: str, entry: Entry) -> User:
    """A new user, in force at once. Raises BadInput and then has changed nothing."""
    user = _written(User(f"u-{house.new_id()}", ""), entry, house.tenant)
    email = inputs.email(entry.email) if entry.email else ""
    changes: list[Change] = [UserPut(user)]
    if not user.groups:
        changes.append(PermitPut(newcomers.parking(user_id=user.id)))

    def beside() -> None:
        contacts_of(house).put(user.id, email)
        house.audit.note(house.now(), actor, "user.added", user.external_id)

    await house.portal.change(changes, beside)
    return user


async def edit(house: House, actor: str, user_id: str, mark: str, entry: Entry) -> User:
    """Write a user anew if nobody else has meanwhile. Raises Overtaken, BadInput."""
    email = inputs.email(entry.email) if entry.email else ""
    before = await house.run(contacts_of(house).email, user_id)
    put: list[User] = []

    def changes(_: object) -> list[Change]:
        user = by_id(house, user_id)
        if mark_of(user, before) != mark:
            raise Overtaken("Somebody else changed this user meanwhile")
        put.append(_written(user, entry, house.tenant))
        needs_own = not put[-1].groups and not house.portal.allowlist.permits_of(replace(put[-1], groups=()))
        return [UserPut(put[-1]), *([PermitPut(newcomers.parking(user_id=user_id))] if needs_own else [])]

    def beside() -> None:
        contacts_of(house).put(user_id, email)
        house.audit.note(house.now(), actor, "user.edited", put[-1].external_id)

    await house.portal.change(changes, beside)
    return put[-1]


async def switch(house: House, actor: str, user_id: str, *, on: bool) -> None:
    """Switch a user on or off, at once; who is inside gets out."""
    user = by_id(house, user_id)
    status = UserStatus.ACTIVE if on else UserStatus.INACTIVE
    deed = "user.enabled" if on else "user.disabled"
    await house.portal.change(
        lambda _: [UserPut(replace(by_id(house, user_id), status=status))],
        lambda: house.audit.note(house.now(), actor, deed, user.external_id),
    )


async def remove(house: House, actor: str, user_id: str) -> None:
    """Delete a user; what stands in journals stays, and who is inside gets out."""
    user = by_id(house, user_id)

    def beside() -> None:
        house.audit.note(house.now(), actor, "user.removed", user.external_id)

    await house.portal.change([UserRemoved(user_id)], beside)


async def send_activation(house: House, actor: str, user_id: str) -> None:
    """Mail the user, and nobody else, what activates the app; plates and badges do not wait for it.

    Raises BadInput, and then has changed nothing.
    """
    user, code = by_id(house, user_id), secret(secrets.randbelow(SECRETS))
    email = await house.run(contacts_of(house).email, user_id)
    if not email:
        raise BadInput(f"{user.external_id} has no e-mail address; write one and send it again")
    if not_ready := readiness.told(await readiness.checks(house)):
        raise BadInput(f"Nothing was sent. {not_ready}")
    link = activation_link(house.url, code)
    body = (
        "Scan the code with your phone, or open the link, to set up your parking app. It counts once, within "
        f"{ACTIVATION_LIVES.days} days, and opens no gate:\n{link}"
    )

    def beside() -> None:
        waits = by_id(house, user_id).app is CredentialState.PENDING
        if waits and not contacts_of(house).is_sent(user_id):
            raise BadInput(f"{user.external_id} sets the app up with a code already; withdraw that first")
        contacts_of(house).begin(user_id, code, house.now() + ACTIVATION_LIVES)
        house.mailbox.mail(house.now(), email, "Your parking app", body, qr=link)
        house.audit.note(house.now(), actor, "activation.sent", user.external_id)

    def changes(_: object) -> list[Change]:
        now = by_id(house, user_id)
        return [] if now.app is CredentialState.ACTIVE else [UserPut(replace(now, app=CredentialState.PENDING))]

    await house.portal.change(changes, beside)


async def activating(house: House, code: str) -> User | None:
    """Whose app a code activates; nobody's once it was used or is over."""
    user_id = await house.run(contacts_of(house).activating, code, house.now())
    return None if user_id is None else house.portal.allowlist.user(user_id)


async def activate(house: House, code: str) -> User:
    """The user has confirmed: the app's passes count from now on, and the code no more. Raises BadInput."""
    user = await activating(house, code)
    if user is None:
        raise BadInput("This activation was used, is over, or never was")
    user_id = user.id

    def beside() -> None:
        if contacts_of(house).activating(code, house.now()) != user_id:
            raise BadInput("This activation was used meanwhile")
        contacts_of(house).used(user_id)
        house.audit.note(house.now(), user.external_id, "app.activated", user.external_id)

    await house.portal.change(
        lambda _: [UserPut(replace(by_id(house, user_id), app=CredentialState.ACTIVE))], beside
    )
    return user


def by_id(house: House, user_id: str) -> User:
    """The user with this id. Raises BadInput."""
    user = house.portal.allowlist.user(user_id)
    if user is None:
        raise BadInput("This user was deleted")
    return user


def _written(user: User, entry: Entry, customer: str) -> User:
    """The user as the entry says, with what the entry says nothing of as it was. Raises BadInput."""
    if len(entry.plates) > PLATES_MAX:
        raise WrongField("plates", f"are {len(entry.plates)}; {PLATES_MAX} are the most")
    plates = _kept([PlateCredential(Plate.parse(text)) for text in entry.plates], user.plates)
    badges = _kept([*map(Badge.parse, entry.badges)], user.badges)
    if not plates and not badges:
        raise WrongField("plates", "are missing; at least one plate or badge is needed")
    contracts, default = _contracts(user, entry, customer)
    return replace(
        user,
        external_id=inputs.line(entry.external_id, "external_id"),
        name=inputs.line(entry.name, "name") if entry.name else None,
        groups=tuple(dict.fromkeys(inputs.line(group, "groups") for group in entry.groups)),
        plates=plates,
        badges=badges,
        contracts=contracts,
        default_contract=default,
    )


def _kept(written: Sequence[T], before: Sequence[T]) -> tuple[T, ...]:
    """Each once; one that the user had keeps its state and validity."""
    known = {one.text: one for one in before}
    return tuple({one.text: known.get(one.text, one) for one in written}.values())


def _contracts(user: User, entry: Entry, customer: str) -> tuple[tuple[Contract, ...], str | None]:
    """Business always; private beside it once it is wanted, and then it is the one that pays."""
    if not entry.private and not user.contracts:
        return (), None
    work, home = both(user.contracts, user.id, user.customer)
    linked = (
        inputs.line(entry.linked_account_no, "linked_account_no", LINKED_LEN_MAX)
        if entry.linked_account_no
        else None
    )
    home = replace(home, payable=entry.payable, linked_account_no=linked)
    return (work, home), home.id if entry.private else work.id
