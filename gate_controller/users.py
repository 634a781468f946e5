"""Users and permits, and the compact rows in which a list of a million of them is kept.

A row holds plain strings, numbers and tuples of them only, so that the garbage collector need not visit it; the
objects are built when a lookup hits. Not here: finding anybody (`allowlist`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gate_controller.contracts import Contract, ContractKind
from gate_controller.credentials import Badge, CredentialState, GuestCode, PlateCredential, QrPass, Secret
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule

Row = tuple[Any, ...]
ListedCredential = PlateCredential | Badge | Secret


class UserStatus(StrEnum):
    """Whether a user may use anything at all."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class Action(StrEnum):
    """What a permit permits."""

    PARK = "park"
    DRIVE = "drive"
    CARPOOL = "carpool"
    OPERATE = "operate"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class User:
    """One user, or one pool of vehicles when `pool_size` is more than 1.

    `id` is written once and never changes; `external_id` is unique within `customer` and printed on invoices.
    What a fleet desk and contracts ask for comes last: `number` is what the portal gave with a badge, `home_site`
    the user's own place, `contracts` who may pay, the first of them unless `default_contract` says otherwise.
    `app` is the state of the user's phone, which shows signed passes; None for who has none.
    """

    id: str
    external_id: str
    customer: str = ""
    status: UserStatus = UserStatus.ACTIVE
    groups: tuple[str, ...] = ()
    name: str | None = None
    pool_size: int = 1
    plates: tuple[PlateCredential, ...] = ()
    badges: tuple[Badge, ...] = ()
    passes: tuple[QrPass, ...] = ()
    codes: tuple[GuestCode, ...] = ()
    number: str | None = None
    home_site: str | None = None
    registration: Registration | None = None
    terms_accepted_at: datetime | None = None
    licence: Licence | None = None
    contracts: tuple[Contract, ...] = ()
    default_contract: str | None = None
    app: CredentialState | None = None

    @property
    def active(self) -> bool:
        return self.status is UserStatus.ACTIVE

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Passes and codes together."""
        return (*self.passes, *self.codes)

    @property
    def pool(self) -> bool:
        return self.pool_size > 1


@dataclass(frozen=True, slots=True)
class Permit:
    """A user or a group may do `action`, at one device or (None) at every one, at these times.

    Exactly one of `user_id` and `group_id` is set. `valid_to` is the first moment outside. With a `quota`, so many
    vehicles at most are inside under permits of its group.
    """

    id: str
    action: Action
    user_id: str | None = None
    group_id: str | None = None
    device: str | None = None
    schedule: Schedule | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    quota: int | None = None

    def covers(self, device: str) -> bool:
        """Whether the permit holds at this device."""
        return self.device is None or self.device == device


def external_key(customer: str, external_id: str) -> str:
    """Index key of an external id within its customer."""
    return f"{customer}\x1f{external_id}" if customer else external_id


def user_row(user: User) -> Row:
    """The compact form of a user; `row[0]` is its id, `row[1]` its external id, `row[2]` its customer."""
    return (
        user.id,
        user.external_id,
        user.customer,
        user.status.value,
        user.groups,
        user.name,
        user.pool_size,
        tuple([_plate_row(one) for one in user.plates]),
        user.badges and tuple(map(_badge_row, user.badges)),
        user.passes and tuple(map(_code_row, user.passes)),
        user.codes and tuple(map(_code_row, user.codes)),
        _account_row(user),
    )


def plain_user_row(user: User) -> Row:
    """The same row of a user with nothing but groups, a name, a pool's size and plates that are simply active."""
    plates = tuple([_spelt(credential.plate) for credential in user.plates])
    called = user.id, user.external_id, user.customer
    return (*called, _ACTIVE, user.groups, user.name, user.pool_size, plates, (), (), (), None)


def user_of(row: Row) -> User:
    """The user of a row."""
    key, external_id, customer, status, groups, name, pool_size, plates, badges, passes, codes, account = row
    return User(
        key,
        external_id,
        customer,
        UserStatus(status),
        groups,
        name,
        pool_size,
        tuple(map(_plate_of, plates)),
        tuple(map(_badge_of, badges)),
        tuple(QrPass(*_code_of(one)) for one in passes),
        tuple(GuestCode(*_code_of(one)) for one in codes),
        *(() if account is None else _account_of(account)),
    )


def permit_row(permit: Permit) -> Row:
    """The compact form of a permit; `row[0]` is its id, `row[1]` and `row[2]` its user and group."""
    text = permit.schedule.text if permit.schedule else None
    return (
        permit.id,
        permit.user_id,
        permit.group_id,
        permit.action.value,
        permit.device,
        text,
        permit.valid_from,
        permit.valid_to,
        permit.quota,
    )


def plain_permit_row(permit: Permit) -> Row:
    """The same row of a permit without schedule, validity and quota."""
    return (
        permit.id, permit.user_id, permit.group_id, permit.action.value, permit.device, None, None, None, None,
    )  # fmt: skip


def permit_of(row: Row) -> Permit:
    """The permit of a row."""
    key, user_id, group_id, action, device, text, valid_from, valid_to, quota = row
    schedule = Schedule(text) if text else None
    return Permit(key, Action(action), user_id, group_id, device, schedule, valid_from, valid_to, quota)


_ACTIVE: Final = UserStatus.ACTIVE.value
_NO_ACCOUNT: Final = (None, None, None, None, None, (), None, None)


def _account_row(user: User) -> Row | None:
    """One None for the many users who have nothing to do with desks and contracts."""
    licence = user.licence
    row = (
        user.number,
        user.home_site,
        user.registration.value if user.registration else None,
        user.terms_accepted_at,
        (licence.status.value, licence.checked_at, licence.valid_until) if licence else None,
        tuple([(c.id, c.kind.value, c.payer, c.payable, c.linked_account_no) for c in user.contracts]),
        user.default_contract,
        user.app.value if user.app else None,
    )
    return None if row == _NO_ACCOUNT else row


def _account_of(row: Row) -> Row:
    number, home_site, registration, terms_accepted_at, licence, contracts, default, app = row
    return (
        number,
        home_site,
        Registration(registration) if registration else None,
        terms_accepted_at,
        Licence(LicenceStatus(licence[0]), *licence[1:]) if licence else None,
        tuple(Contract(name, ContractKind(kind), *rest) for name, kind, *rest in contracts),
        default,
        CredentialState(app) if app else None,
    )


def _plate_row(credential: PlateCredential) -> str | Row:
    return _state_row(_spelt(credential.plate), credential)


def _spelt(plate: Plate) -> str:
    text = " ".join(plate.groups) or plate.key
    return f"{text}@{plate.country}" if plate.country else text


def _plate_of(row: str | Row) -> PlateCredential:
    spelt, *rest = (row,) if isinstance(row, str) else row
    text, _, country = spelt.partition("@")
    groups = tuple(text.split(" ")) if " " in text else ()
    return PlateCredential(Plate("".join(groups) or text, groups, country or None), *_state_of(rest))


def _badge_row(badge: Badge) -> str | Row:
    return _state_row(f"{badge.bits}:{badge.uid}", badge)


def _badge_of(row: str | Row) -> Badge:
    spelt, *rest = (row,) if isinstance(row, str) else row
    bits, _, uid = spelt.partition(":")
    return Badge(uid, int(bits), *_state_of(rest))


def _code_row(credential: Secret) -> str | Row:
    return _state_row(credential.digest, credential)


def _code_of(row: str | Row) -> tuple[str, CredentialState, datetime | None, datetime | None]:
    digest, *rest = (row,) if isinstance(row, str) else row
    return digest, *_state_of(rest)


def _state_row(spelt: str, credential: ListedCredential) -> str | Row:
    """Most credentials are simply active: those are a string and nothing else."""
    if credential.state is CredentialState.ACTIVE and credential.valid_from is None and credential.valid_to is None:
        return spelt
    return (spelt, credential.state.value, credential.valid_from, credential.valid_to)


def _state_of(rest: list[Any]) -> tuple[CredentialState, datetime | None, datetime | None]:
    if not rest:
        return CredentialState.ACTIVE, None, None
    return CredentialState(rest[0]), rest[1], rest[2]
