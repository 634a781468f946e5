"""Reservations of pool vehicles as subscribers make, move and cancel them, and rides on trips that are shared.

The list has them all, so that desks know at once and go on without the portal; what stands in whose way is `desk`'s
rule, asked of the list as it is when the change is made. Not here: the vehicles (`pool`), keys and who is told of
late ones (`key_books`).
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from gate_controller.allowlist import Action, Allowlist, Change, ReservationPut, ReservationRemoved, User
from gate_controller.contracts import chosen
from gate_controller.desk import Reservation, ReservationState, Role, clash, drives, licence_reason
from gate_controller.errors import BadInput
from gate_controller.reasons import Reason
from hardware_sim.portal.company.company import contacts_of
from hardware_sim.portal.fleet.pool import Vehicle, pool_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField

TRIP_MAX: Final = timedelta(days=14)
AHEAD_MAX: Final = timedelta(days=180)
"""How far ahead a reservation may begin."""
BEGUN_MAX: Final = timedelta(minutes=15)
"""How long ago a new reservation may have begun: who fills in a form writes the time at which he began."""
COMING_LEN_MAX: Final = 20
"""Reservations of one user that are not over."""
KEPT: Final = timedelta(days=30)
"""How long a reservation that is over stays on the list."""
FORGOTTEN_LEN_MAX: Final = 100
"""Old reservations that one change takes off the list."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody writes of a trip; `shared` lets others ride along."""

    vehicle: str
    start: datetime
    end: datetime
    contract: str | None = None
    shared: bool = False


class Taken(Overtaken):
    """`by` stands in the way: the vehicle is another's then, or the user drives another one."""

    def __init__(self, by: Reservation, mine: bool) -> None:
        super().__init__(f"{by.vehicle} is reserved then")
        self.by, self.mine = by, mine


class SharedTrips:
    """On which trips others may ride along; every method runs on the database's thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(row[0] for row in self._db.execute("SELECT reservation FROM shared_trip"))

    def forget(self, reservation: str) -> None:
        """The reservation is off the list: nothing of it stays."""
        for table in ("shared_trip", "key_told", "key_out"):
            self._db.execute(f"DELETE FROM {table} WHERE reservation = ?", (reservation,))

    def put(self, reservation: str, shared: bool) -> None:
        """Say it of one trip."""
        self._db.execute("DELETE FROM shared_trip WHERE reservation = ?", (reservation,))
        if shared:
            self._db.execute("INSERT INTO shared_trip VALUES (?)", (reservation,))


def shared_of(house: House) -> SharedTrips:
    """The shared trips of this house."""
    return SharedTrips(house.portal.database.sql)


def mark_of(reservation: Reservation, shared: bool) -> str:
    """What a form was drawn from: another mark means that somebody changed it meanwhile."""
    return sha256(msgspec.json.encode([msgspec.to_builtins(reservation), shared])).hexdigest()[:16]


def by_id(listed: Allowlist, reservation: str) -> Reservation:
    """The reservation with this id. Raises BadInput."""
    found = listed.reservation(reservation)
    if found is None:
        raise BadInput("This reservation is no more")
    return found


def open_trips(listed: Allowlist, user: User, now: datetime) -> list[Reservation]:
    """The user's reservations that are not over, the next first."""
    mine = [one for one in listed.reservations_of(user) if one.state is not ReservationState.CANCELLED]
    running = [one for one in mine if one.state is ReservationState.OUT or (_booked(one) and one.end > now)]
    return sorted(running, key=lambda one: (one.start, one.id))


def by_vehicle(trips: Iterable[Reservation]) -> dict[str, list[Reservation]]:
    """The same by the names of their vehicles, for whoever asks about many."""
    found: dict[str, list[Reservation]] = {}
    for one in trips:
        found.setdefault(one.vehicle, []).append(one)
    return found


def riders_of(among: Iterable[Reservation], trip: Reservation) -> list[Reservation]:
    """Who rides along on a trip: passengers of its vehicle in its time."""
    return [
        one
        for one in among
        if one.vehicle == trip.vehicle
        and one.role is Role.PASSENGER
        and _booked(one)
        and trip.start <= one.start < trip.end
    ]


# ---- what subscribers do ----


async def reserve(house: House, actor: str, user_id: str, wanted: Wanted) -> Reservation:
    """A vehicle is the user's for a time. Raises Taken, BadInput, and then has changed nothing."""
    vehicle = await _vehicle(house, wanted)
    new = _written(
        Reservation(f"r-{house.new_id()}", user_id, vehicle.name, vehicle.site, wanted.start, wanted.end), wanted
    )
    new, over = replace(new, slot=vehicle.slot), list[str]()

    def changes(listed: Allowlist) -> list[Change]:
        user = _user(listed, user_id)
        _refuse_too_many(listed, user, house.now())
        _refuse_times(new, house.now(), house.now() - BEGUN_MAX)
        _refuse(listed, user, new)
        over[:] = _over(listed, house.now())
        return [*map(ReservationRemoved, over), ReservationPut(new)]

    def beside() -> None:
        if pool_of(house).get(vehicle.name) != vehicle:
            raise Overtaken(f"{vehicle.name} was changed meanwhile")
        for old in over:
            shared_of(house).forget(old)
        shared_of(house).put(new.id, wanted.shared)
        house.audit.note(house.now(), actor, "reservation.made", new.vehicle, new.id)

    await house.portal.change(changes, beside)
    return new


async def move(house: House, actor: str, reservation: str, mark: str, wanted: Wanted) -> Reservation:
    """Another time, vehicle or contract; once the key is out, another end only. Raises Overtaken, BadInput."""
    vehicle = await _vehicle(house, wanted)
    shared = reservation in await house.run(shared_of(house).all)
    put, riders = list[Reservation](), list[Reservation]()

    def changes(listed: Allowlist) -> list[Change]:
        old = by_id(listed, reservation)
        _refuse_stale(mark, old, shared)
        if old.role is Role.PASSENGER:
            raise BadInput("A ride goes when its driver goes; cancel it and take another one")
        new = replace(_written(old, wanted), vehicle=vehicle.name, site=vehicle.site, slot=vehicle.slot)
        if old.state is ReservationState.OUT and new != replace(old, end=new.end):
            raise WrongField("end", "is all that can be changed once the key is out")
        _refuse_times(new, house.now(), min(old.start, house.now() - BEGUN_MAX))
        _refuse(listed, _user(listed, old.user_id), new)
        riders[:] = [_along(one, new) for one in riders_of(listed.reservations(), old)]
        if len(riders) >= vehicle.seats:
            raise WrongField("vehicle", "has too few seats for those who ride along")
        put[:] = [new]
        return [*map(ReservationPut, put), *map(ReservationPut, riders)]

    def beside() -> None:
        if pool_of(house).get(vehicle.name) != vehicle:
            raise Overtaken(f"{vehicle.name} was changed meanwhile")
        if (reservation in shared_of(house).all()) != shared:
            raise Overtaken("This reservation was changed meanwhile")
        shared_of(house).put(reservation, wanted.shared)
        _tell(house, riders, "Your ride has moved", "The trip that you ride along on has moved; look at it here:")
        house.audit.note(house.now(), actor, "reservation.moved", put[0].vehicle, reservation)

    await house.portal.change(changes, beside)
    return put[0]


async def cancel(house: House, actor: str, reservation: str, mark: str) -> None:
    """Give a reservation up, with the rides on it; the key must hang. Raises Overtaken, BadInput."""
    shared = reservation in await house.run(shared_of(house).all)
    riders = list[Reservation]()

    def changes(listed: Allowlist) -> list[Change]:
        old = by_id(listed, reservation)
        _refuse_stale(mark, old, shared)
        if old.state is ReservationState.OUT:
            raise BadInput("The key is out; hang it back first")
        rides = riders_of(listed.reservations(), old) if old.role is Role.DRIVER else []
        riders[:] = rides
        return [ReservationPut(replace(one, state=ReservationState.CANCELLED)) for one in (old, *rides)]

    def beside() -> None:
        shared_of(house).put(reservation, False)
        _tell(house, riders, "Your ride is cancelled", "The trip that you were to ride along on is cancelled:")
        house.audit.note(house.now(), actor, "reservation.cancelled", reservation)

    await house.portal.change(changes, beside)


async def ride_along(house: House, actor: str, user_id: str, trip: str) -> Reservation:
    """A seat beside somebody else; no licence is asked for. Raises BadInput, and then has changed nothing."""
    vehicles = {one.name: one for one in await house.run(pool_of(house).all)}
    new_id, put = f"r-{house.new_id()}", list[Reservation]()

    def changes(listed: Allowlist) -> list[Change]:
        user, with_ = _user(listed, user_id), by_id(listed, trip)
        if not drives(with_) or with_.end <= house.now():
            raise BadInput("This trip is over or was cancelled")
        _refuse_too_many(listed, user, house.now())
        _refuse_inactive(user)
        if not listed.permits_of(user, Action.CARPOOL):
            raise BadInput("You have no permit to ride along; ask your manager")
        new = replace(with_, id=new_id, user_id=user_id, role=Role.PASSENGER, slot=None, contract_id=None)
        new = replace(new, state=ReservationState.BOOKED)
        mine = [one for one in listed.reservations_of(user) if _booked(one) or drives(one)]
        if any(one.start < new.end and new.start < one.end for one in mine):
            raise BadInput("You are on another trip then")
        vehicle = vehicles.get(with_.vehicle)
        if vehicle is None or len(riders_of(listed.reservations(), with_)) + 1 >= vehicle.seats:
            raise BadInput(f"{with_.vehicle} has no seat left")
        put[:] = [new]
        return [ReservationPut(new)]

    def beside() -> None:
        if trip not in shared_of(house).all():
            raise BadInput("On this trip nobody rides along")
        _tell(house, [by_id(house.portal.allowlist, trip)], "Somebody rides along", "Somebody took a seat:")
        house.audit.note(house.now(), actor, "ride.taken", put[0].vehicle, put[0].id)

    await house.portal.change(changes, beside)
    return put[0]


# ---- what is refused ----


def licence_problem(user: User, trip: Reservation) -> Reason | None:
    """Why the key will stay locked, as far as is known by now; a reservation may be made all the same."""
    return licence_reason(user.licence, trip.start)


def _refuse_times(new: Reservation, now: datetime, earliest: datetime) -> None:
    if new.start < earliest:
        raise WrongField("start", "is over already")
    if new.start > now + AHEAD_MAX:
        raise WrongField("start", f"is more than {AHEAD_MAX.days} days ahead")
    if new.end <= max(new.start, now):
        raise WrongField("end", "must come after the beginning, and after now")
    if new.end - new.start > TRIP_MAX:
        raise WrongField("end", f"is more than {TRIP_MAX.days} days after the beginning")


def _refuse(listed: Allowlist, user: User, new: Reservation) -> None:
    _refuse_inactive(user)
    if not listed.permits_of(user, Action.DRIVE):
        raise BadInput("You have no permit to drive pool vehicles yet; it comes with your badge")
    contract = chosen(user.contracts, new.contract_id)
    if new.contract_id is not None and (contract is None or contract.id != new.contract_id):
        raise WrongField("contract", "is none of yours")
    if contract is not None and not contract.payable:
        raise WrongField("contract", "has no payment profile yet")
    by = clash(new, listed.reservations())
    if by is not None:
        raise Taken(by, by.user_id == user.id)


def _refuse_inactive(user: User) -> None:
    if not user.active:
        raise BadInput("Your account is switched off; ask your manager")


def _refuse_too_many(listed: Allowlist, user: User, now: datetime) -> None:
    if len(open_trips(listed, user, now)) >= COMING_LEN_MAX:
        raise BadInput(f"You have {COMING_LEN_MAX} reservations; cancel one of them first")


def _refuse_stale(mark: str, old: Reservation, shared: bool) -> None:
    if mark_of(old, shared) != mark:
        raise Overtaken("This reservation was changed meanwhile")
    if old.state not in (ReservationState.BOOKED, ReservationState.OUT):
        raise BadInput(f"This reservation is {old.state}")


# ---- inside ----


def _written(old: Reservation, wanted: Wanted) -> Reservation:
    return replace(old, start=wanted.start, end=wanted.end, contract_id=wanted.contract)


def _along(ride: Reservation, trip: Reservation) -> Reservation:
    return replace(ride, vehicle=trip.vehicle, site=trip.site, start=trip.start, end=trip.end)


def _booked(one: Reservation) -> bool:
    return one.state is ReservationState.BOOKED


def _over(listed: Allowlist, now: datetime) -> list[str]:
    old = (one for one in listed.reservations() if one.end + KEPT < now and one.state is not ReservationState.OUT)
    return [one.id for one, _ in zip(old, range(FORGOTTEN_LEN_MAX), strict=False)]


def _user(listed: Allowlist, user_id: str) -> User:
    user = listed.user(user_id)
    if user is None:
        raise BadInput("This user was deleted")
    return user


async def _vehicle(house: House, wanted: Wanted) -> Vehicle:
    try:
        return await house.run(pool_of(house).get, wanted.vehicle)
    except BadInput as error:
        raise WrongField("vehicle", "is not in the pool any more") from error


def _tell(house: House, trips: Sequence[Reservation], subject: str, text: str) -> None:
    for one in trips:
        mail_to(house, one.user_id, subject, f"{text}\n{house.url}/reservations/{one.id}")


def mail_to(house: House, user_id: str, subject: str, body: str) -> None:
    """Mail a user, at the address of the account if it has one. On the database's thread."""
    account = house.accounts.of_user(user_id)
    address = account.email if account is not None and account.email else contacts_of(house).email(user_id)
    if address:
        house.mailbox.mail(house.now(), address, subject, body)
