"""A subscriber's reservations: reserve, move, cancel, ride along. Not here: what is free (`calendar`)."""

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from gate_controller.allowlist import User
from gate_controller.contracts import ContractKind, chosen
from gate_controller.desk import Reservation, ReservationState, drives
from gate_controller.desk import Role as TripRole
from gate_controller.reasons import DRIVER
from hardware_sim.portal.fleet import pool, reservations
from hardware_sim.portal.fleet.pool import pool_of
from hardware_sim.portal.fleet.reservations import Taken, Wanted, shared_of
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, Caller
from hardware_sim.portal.web.page import (
    Entry,
    Link,
    Page,
    Part,
    caller_of,
    done,
    drawn,
    house_of,
    listed,
    shown,
    taken,
)
from hardware_sim.portal.web.pool import MANAGERS

_FIELDS: Final = (
    Field("vehicle", "Vehicle", Kind.CHOICE, mandatory=True),
    Field("start", "From", Kind.MOMENT, mandatory=True, hint="The key is ready 15 minutes before."),
    Field(
        "end",
        "Until",
        Kind.MOMENT,
        mandatory=True,
        hint="At the latest; hanging the key back ends it.",
    ),
    Field("contract", "Who pays", Kind.CHOICE),
    Field("shared", "Others may ride along", Kind.TICK),
)
NEW: Final = Form(_FIELDS, "Reserve")
MOVE: Final = Form(_FIELDS, "Move the reservation", versioned=True)
CANCEL: Final = Form([], "Cancel the reservation", versioned=True)
RIDE: Final = Form([], "Take a seat")
STATES: Final = {
    ReservationState.BOOKED: "reserved",
    ReservationState.OUT: "the key is out",
    ReservationState.RETURNED: "the key is back",
    ReservationState.CANCELLED: "cancelled",
}


def subscribers(caller: Caller) -> bool:
    """Seen by whoever is a subscriber of the list."""
    return caller.has(Role.SUBSCRIBER) and caller.account.user_id is not None


def owners(caller: Caller) -> bool:
    """Seen by subscribers, each their own, and by managers."""
    return subscribers(caller) or MANAGERS(caller)


# ---- looking ----


@get("/reservations", seen_by=subscribers)
async def mine(request: AnyRequest) -> Page:
    user = me_of(request)
    found = sorted(
        house_of(request).portal.allowlist.reservations_of(user), key=lambda one: (one.start, one.id), reverse=True
    )
    rows = [
        (Link(one.vehicle, f"/reservations/{one.id}"), _as(one), one.start, one.end, STATES[one.state])
        for one in found
    ]
    actions = [
        Link("Reserve a vehicle", "/reservations/new"),
        Link("Calendar", "/reservations/calendar"),
        Link("Ride along", "/rides"),
    ]
    return await listed(
        request, "My reservations", ("Vehicle", "As", "From", "Until", "State"), rows, actions=actions
    )


# ---- reserving ----


@get("/reservations/new", seen_by=subscribers)
async def new_page(request: AnyRequest, vehicle: FromQuery[str] = "", day: FromQuery[str] = "") -> Page:
    user, at = me_of(request), day_of(day)
    house = house_of(request)
    name = next((one.name for one in await house.run(pool_of(house).all) if one.user_id == vehicle), "")
    form = await _choosing(request, NEW, user)
    filled = form.with_values(
        vehicle=name,
        start=f"{at}T09:00" if at else "",
        end=f"{at}T17:00" if at else "",
        contract=_default(user),
    )
    return await drawn(request, "Reserve a vehicle", filled, intro=_licence_note(user, None))


@post("/reservations/new", status_code=200, seen_by=subscribers)
async def new(request: AnyRequest) -> Page:
    user = me_of(request)

    async def deed(filled: Filled) -> Page:
        house, actor = house_of(request), caller_of(request).account.name
        try:
            made = await reservations.reserve(house, actor, user.id, _wanted(filled, tz_of(request)))
        except Taken as error:
            raise Overtaken(_taken(error, tz_of(request))) from error
        note = _licence_note(user, made)
        return await done(
            request, f"/reservations/{made.id}", f"{made.vehicle} is reserved for you. {note}".strip()
        )

    return await taken(request, await _choosing(request, NEW, user), deed, "Reserve a vehicle")


@get("/reservations/{trip_id:str}", seen_by=owners)
async def trip_page(request: AnyRequest, trip_id: FromPath[str]) -> Page:
    house, trip = house_of(request), _trip(request, trip_id)
    listed_, user = house.portal.allowlist, house.portal.allowlist.user(trip.user_id)
    if user is None:
        raise NotFoundException()
    shared = trip.id in await house.run(shared_of(house).all)
    contract = chosen(user.contracts, trip.contract_id, user.default_contract)
    riders = reservations.riders_of(listed_.reservations(), trip) if trip.role is TripRole.DRIVER else []
    live = trip.state in (ReservationState.BOOKED, ReservationState.OUT)
    mark = reservations.mark_of(trip, shared)
    return await shown(
        request,
        "reservation.html",
        f"{trip.vehicle}: {_as(trip)}",
        trip=trip,
        state=STATES[trip.state],
        pays="you" if contract is not None and contract.kind is ContractKind.PRIVATE else "the company",
        riders=len(riders),
        notes=[note for note in [_licence_note(user, trip) if live and drives(trip) else ""] if note],
        move=(await _move_form(request, user, trip, shared, mark)) if drives(trip) else None,
        cancel=CANCEL.with_values(version=mark) if trip.state is ReservationState.BOOKED else None,
    )


@post("/reservations/{trip_id:str}/move", status_code=200, seen_by=owners)
async def move(request: AnyRequest, trip_id: FromPath[str]) -> Page:
    trip = _trip(request, trip_id)
    user = house_of(request).portal.allowlist.user(trip.user_id)
    if user is None:
        raise NotFoundException()

    async def deed(filled: Filled) -> Page:
        house, actor = house_of(request), caller_of(request).account.name
        try:
            await reservations.move(house, actor, trip.id, filled.mark, _wanted(filled, tz_of(request)))
        except Taken as error:
            raise Overtaken(_taken(error, tz_of(request))) from error
        return await done(request, f"/reservations/{trip.id}", "The reservation is moved; the desk knows at once.")

    return await taken(request, await _choosing(request, MOVE, user), deed, "Move the reservation")


@post("/reservations/{trip_id:str}/cancel", status_code=200, seen_by=owners)
async def cancel(request: AnyRequest, trip_id: FromPath[str]) -> Page:
    trip = _trip(request, trip_id)

    async def deed(filled: Filled) -> Page:
        await reservations.cancel(house_of(request), caller_of(request).account.name, trip.id, filled.mark)
        return await done(request, f"/reservations/{trip.id}", "The reservation is cancelled.")

    return await taken(request, CANCEL, deed, "Cancel the reservation")


# ---- riding along ----


@get("/rides", seen_by=subscribers)
async def rides(request: AnyRequest) -> Page:
    rows = [
        (Link(one.vehicle, f"/rides/{one.id}"), one.site, one.start, one.end, seats)
        for one, seats in await _rides(request)
    ]
    intro = "Trips on which you may ride along; nobody asks for your licence."
    return await listed(
        request, "Ride along", ("Vehicle", "From the site", "From", "Until", "Seats left"), rows, intro=intro
    )


@get("/rides/{trip_id:str}", seen_by=subscribers)
async def ride_page(request: AnyRequest, trip_id: FromPath[str]) -> Page:
    if trip_id not in {one.id for one, _ in await _rides(request)}:
        raise NotFoundException()
    return await drawn(request, "Ride along", RIDE.with_values())


@post("/rides/{trip_id:str}", status_code=200, seen_by=subscribers)
async def ride(request: AnyRequest, trip_id: FromPath[str]) -> Page:
    user = me_of(request)

    async def deed(_: Filled) -> Page:
        made = await reservations.ride_along(house_of(request), caller_of(request).account.name, user.id, trip_id)
        return await done(request, f"/reservations/{made.id}", f"You ride along in {made.vehicle}.")

    return await taken(request, RIDE, deed, "Ride along")


async def _rides(request: AnyRequest) -> list[tuple[Reservation, int]]:
    house, user = house_of(request), me_of(request)
    now, all_ = house.portal.allowlist, await house.run(pool_of(house).all)
    seats, shared = {one.name: one.seats for one in all_}, await house.run(shared_of(house).all)
    trips = [one for one in now.reservations() if one.id in shared and drives(one) and one.end > house.now()]
    others = reservations.by_vehicle(now.reservations())
    riders = [len(reservations.riders_of(others[one.vehicle], one)) for one in trips]
    left = [(one, seats.get(one.vehicle, 0) - 1 - so_many) for one, so_many in zip(trips, riders, strict=True)]
    offered = [(one, free) for one, free in left if free > 0 and one.user_id != user.id]
    return sorted(offered, key=lambda pair: (pair[0].start, pair[0].id))


# ---- common ----


def tz_of(request: AnyRequest) -> ZoneInfo:
    tz: ZoneInfo = request.app.state.tz
    return tz


def day_of(text: str) -> date | None:
    """A day of a link; None for what is none, or too near to the end of time."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2999 else None


def me_of(request: AnyRequest) -> User:
    user = house_of(request).portal.allowlist.user(caller_of(request).account.user_id or "")
    if user is None:
        raise NotFoundException()
    return user


def _trip(request: AnyRequest, trip_id: str) -> Reservation:
    """The caller's own, or anybody's for a manager; for everybody else it is not there."""
    trip, caller = house_of(request).portal.allowlist.reservation(trip_id), caller_of(request)
    if trip is None or not (MANAGERS(caller) or trip.user_id == caller.account.user_id):
        raise NotFoundException()
    return trip


def _wanted(filled: Filled, tz: ZoneInfo) -> Wanted:
    start, end = filled.moment("start"), filled.moment("end")
    assert start is not None, "the form wants it"
    assert end is not None, "the form wants it"
    return Wanted(
        filled.text("vehicle"),
        _meant("start", start, tz),
        _meant("end", end, tz),
        filled.maybe("contract"),
        filled.ticked("shared"),
    )


def _meant(field: str, typed: datetime, tz: ZoneInfo) -> datetime:
    try:
        return typed.replace(tzinfo=tz, microsecond=0).astimezone(UTC)
    except OverflowError:
        raise WrongField(field, "is no time that can be meant") from None


async def _choosing(request: AnyRequest, form: Form, user: User) -> Form:
    house = house_of(request)
    vehicles = [
        (one.name, f"{one.name}, {one.model}, {pool.plate_of(house, one)}, at {one.site}")
        for one in await house.run(pool_of(house).all)
    ]
    words = {ContractKind.BUSINESS: "the company, by the business contract", ContractKind.PRIVATE: "you, privately"}
    return form.choosing(vehicle=vehicles, contract=[(one.id, words[one.kind]) for one in user.contracts])


async def _move_form(request: AnyRequest, user: User, trip: Reservation, shared: bool, mark: str) -> Filled:
    tz = tz_of(request)
    return (await _choosing(request, MOVE, user)).with_values(
        version=mark,
        vehicle=trip.vehicle,
        start=_typed(trip.start, tz),
        end=_typed(trip.end, tz),
        contract=trip.contract_id,
        shared=shared,
    )


def _typed(at: datetime, tz: ZoneInfo) -> str:
    return at.astimezone(tz).replace(tzinfo=None).isoformat(timespec="seconds")


def _default(user: User) -> str:
    contract = chosen(user.contracts, user.default_contract)
    return contract.id if contract is not None else ""


def _as(trip: Reservation) -> str:
    return "you drive" if trip.role is TripRole.DRIVER else "you ride along"


def _taken(error: Taken, tz: ZoneInfo) -> str:
    when = f"from {error.by.start.astimezone(tz):%Y-%m-%d %H:%M} until {error.by.end.astimezone(tz):%Y-%m-%d %H:%M}"
    if error.mine:
        return f"You drive {error.by.vehicle} {when}"
    return f"{error.by.vehicle} is taken {when}"


def _licence_note(user: User, trip: Reservation | None) -> str:
    reason = reservations.licence_problem(user, trip) if trip is not None else None
    return f"{DRIVER[reason]} Until then the key stays locked." if reason is not None else ""


PART: Final = Part(
    [mine, new_page, new, trip_page, move, cancel, rides, ride_page, ride],
    [Entry("/reservations", "My reservations", subscribers)],
)
