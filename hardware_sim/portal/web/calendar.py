"""The calendar of pool vehicles, a week on a page: what is taken, what is one's own, and the way to the form."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from litestar import get
from litestar.params import FromQuery

from gate_controller.allowlist import User
from gate_controller.desk import Reservation, drives
from hardware_sim.portal.fleet.pool import Vehicle, pool_of
from hardware_sim.portal.fleet.reservations import by_vehicle
from hardware_sim.portal.web.gatekeeper import AnyRequest
from hardware_sim.portal.web.page import Page, Part, house_of, shown
from hardware_sim.portal.web.reservations import day_of, me_of, subscribers, tz_of

DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Span:
    """A time at which a vehicle is taken; the own ones lead to their pages."""

    text: str
    path: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A vehicle's day; `reserve` leads to the form."""

    spans: list[Span]
    reserve: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A vehicle's days."""

    vehicle: Vehicle
    cells: list[Cell]


@get("/reservations/calendar", seen_by=subscribers)
async def calendar(request: AnyRequest, day: FromQuery[str] = "") -> Page:
    house, tz, user = house_of(request), tz_of(request), me_of(request)
    today = house.now().astimezone(tz).date()
    first = day_of(day) or today
    trips = by_vehicle(one for one in house.portal.allowlist.reservations() if drives(one))
    days = [first + timedelta(days=n) for n in range(DAYS)]
    rows = [
        Row(
            vehicle,
            [_cell(trips.get(vehicle.name, []), vehicle, at, today, user, tz) for at in days],
        )
        for vehicle in await house.run(pool_of(house).all)
    ]
    step = timedelta(days=DAYS)
    return await shown(
        request,
        "calendar.html",
        "Calendar of the pool vehicles",
        days=[f"{at:%a %d.%m.}" for at in days],
        rows=rows,
        earlier=f"/reservations/calendar?day={first - step}",
        later=f"/reservations/calendar?day={first + step}",
    )


def _cell(trips: list[Reservation], vehicle: Vehicle, day: date, today: date, user: User, tz: ZoneInfo) -> Cell:
    begin = datetime.combine(day, time(), tz)
    end = datetime.combine(day + timedelta(days=1), time(), tz)
    spans = []
    for one in sorted(trips, key=lambda one: one.start):
        if one.start < end and begin < one.end:
            since, until = max(one.start, begin).astimezone(tz), min(one.end, end).astimezone(tz)
            until_text = "24:00" if until == end else f"{until:%H:%M}"
            own = one.user_id == user.id
            text = f"{since:%H:%M}–{until_text} {'yours' if own else 'taken'}"
            spans.append(Span(text, f"/reservations/{one.id}" if own else None))
    return Cell(spans, f"/reservations/new?vehicle={vehicle.user_id}&day={day}" if day >= today else None)


PART: Final = Part([calendar])
