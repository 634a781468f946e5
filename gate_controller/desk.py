"""What a fleet desk asks before it hands out a badge or a key: registration, licence, reservation.

Parking asks for none of it. Driving asks for a validated licence and a reservation that is on now, at this site;
joining somebody else's trip (`carpool`) for neither. Not here: the desk itself with its reader and cabinet
(`desk_machine`), and the pages where people register and clerks check them, which are the portal's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gate_controller.reasons import Reason

if TYPE_CHECKING:
    from gate_controller.contracts import Contract
    from gate_controller.credentials import Badge
    from gate_controller.users import User

EARLY: Final = timedelta(minutes=15)
"""How long before its reservation begins a key is handed out."""
ENROL_WITHIN_S: Final = 30.0
"""After a clerk chose a user, for how long the next badge is taken as that user's."""


class LicenceStatus(StrEnum):
    """What came of looking at a driving licence."""

    PENDING = "pending"
    VALIDATED = "validated"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Licence:
    """A driving licence as the desk found it; its picture stays at the portal. `valid_until` is outside."""

    status: LicenceStatus
    checked_at: datetime | None = None
    valid_until: datetime | None = None


class Registration(StrEnum):
    """How far a subscriber has come; a user without one was not made at a desk."""

    INVITED = "invited"
    PRE_REGISTERED = "pre_registered"
    REGISTERED = "registered"


class Role(StrEnum):
    """What a reservation lets its user do."""

    DRIVER = "driver"
    PASSENGER = "passenger"


class ReservationState(StrEnum):
    """Where a reservation stands; only one that is booked or out gives a key."""

    BOOKED = "booked"
    OUT = "out"
    RETURNED = "returned"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A pool vehicle is a user's from `start` until `end`, which is outside.

    `slot` is where its key hangs in the cabinet, counted from 1. `contract_id` says who pays.
    """

    id: str
    user_id: str
    vehicle: str
    site: str
    start: datetime
    end: datetime
    contract_id: str | None = None
    slot: int | None = None
    state: ReservationState = ReservationState.BOOKED
    role: Role = Role.DRIVER


def licence_reason(licence: Licence | None, at: datetime) -> Reason | None:
    """Why this licence lets nobody drive now, None if it does."""
    if licence is None or licence.status is not LicenceStatus.VALIDATED:
        return Reason.LICENCE_NOT_VALIDATED
    if licence.valid_until is not None and at >= licence.valid_until:
        return Reason.LICENCE_EXPIRED
    return None


def reservation_now(reservations: Sequence[Reservation], site: str, at: datetime) -> Reservation | Reason:
    """The reservation that gives a key at this site now, or why there is none.

    One that is on at another site is told before one that is on at another time; of two of those, the nearer.
    """
    mine = [one for one in reservations if drives(one)]
    on = sorted((one for one in mine if one.start - EARLY <= at < one.end), key=lambda one: (one.start, one.id))
    here = [one for one in on if one.site == site]
    if here:
        return here[0]
    if on:
        return Reason.WRONG_SITE
    off = [(one.start - at, Reason.TOO_EARLY) for one in mine if at < one.start]
    off += [(at - one.end, Reason.RESERVATION_ENDED) for one in mine if one.end <= at]
    return min(off, key=lambda pair: pair[0], default=(timedelta(), Reason.NO_RESERVATION))[1]


def riding_now(reservations: Sequence[Reservation], site: str, at: datetime) -> Reservation | None:
    """The trip on which the user rides along from this site now, if the user does not drive now."""
    on = [one for one in reservations if one.start - EARLY <= at < one.end and one.site == site]
    on = [one for one in on if one.state in (ReservationState.BOOKED, ReservationState.OUT)]
    if any(one.role is Role.DRIVER for one in on):
        return None
    return min(on, key=lambda one: (one.start, one.id), default=None)


def clash(new: Reservation, others: Iterable[Reservation]) -> Reservation | None:
    """What stands in a driver's way: the vehicle is another's in that time, or the user drives another then."""
    for one in others:
        same = one.vehicle == new.vehicle or one.user_id == new.user_id
        if same and one.id != new.id and drives(one) and one.start < new.end and new.start < one.end:
            return one
    return None


def drives(reservation: Reservation) -> bool:
    """Whether it gives somebody the vehicle: a driver's that is not over."""
    return reservation.role is Role.DRIVER and reservation.state in (ReservationState.BOOKED, ReservationState.OUT)


def late_by(reservation: Reservation, returned_at: datetime) -> timedelta:
    """How much too late its key came back; nothing when it was in time."""
    return max(timedelta(), returned_at - reservation.end)


def reservation_problem(new: Reservation) -> tuple[str, str] | None:
    """The reason and the words for a reservation that cannot be one, None if it can."""
    if new.start.tzinfo is None or new.end.tzinfo is None:
        return "bad_reservation", f"reservation {new.id}: its times need a time zone"
    if new.end <= new.start or (new.slot is not None and new.slot < 1):
        return "bad_reservation", f"reservation {new.id}: it ends after it begins, and slots count from 1"
    return None


# ---- enrolment ----


def waiting(users: "Iterable[User]", site: str) -> "list[User]":
    """Those who wait for a badge, as a desk at `site` lists them: the site's own first, nobody left out."""
    found = [user for user in users if user.registration is Registration.PRE_REGISTERED and user.active]
    return sorted(found, key=lambda user: (user.home_site != site, user.name or "", user.external_id))


def may_enrol(user: "User | None", owner: "User | None") -> Reason | None:
    """Why this badge may not become this user's, None if it may; `owner` is who has the badge now."""
    if user is None or user.registration is not Registration.PRE_REGISTERED:
        return Reason.NOT_PRE_REGISTERED
    if not user.active:
        return Reason.USER_INACTIVE
    if user.terms_accepted_at is None:
        return Reason.TERMS_NOT_ACCEPTED
    if user.licence is None or user.licence.checked_at is None:
        # What came of the check does not matter here: it is asked before a key, not before a badge.
        return Reason.NOT_CHECKED
    if owner is not None and owner.id != user.id:
        return Reason.BADGE_ALREADY_ASSIGNED
    return None


def enrolled(user: "User", badge: "Badge", number: str, contracts: "tuple[Contract, Contract]") -> "User":
    """The user with badge, number and both contracts, all in one step; the first is the default if none was."""
    badges = tuple(one for one in user.badges if one.uid != badge.uid)
    return replace(
        user,
        registration=Registration.REGISTERED,
        badges=(*badges, badge),
        number=number,
        contracts=contracts,
        default_contract=user.default_contract or contracts[0].id,
    )
