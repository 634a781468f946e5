"""The fleet manager's pages of pool vehicles, and of everybody's reservations."""

from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.desk import ReservationState
from gate_controller.desk import Role as TripRole
from gate_controller.errors import BadInput
from hardware_sim.portal.fleet import pool
from hardware_sim.portal.fleet.pool import Vehicle, pool_of
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, roles
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

MANAGERS: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER)
_FIELDS: Final = (
    Field("model", "Model", mandatory=True),
    Field("plate", "Number plate", mandatory=True, hint="The vehicle gets in and out by it."),
    Field("site", "Site", Kind.CHOICE, mandatory=True),
    Field(
        "slot", "Key slot", Kind.NUMBER, hint="Where its key hangs in the cabinet.", least=1, most=pool.SLOTS_MAX
    ),
    Field("seats", "Seats", Kind.NUMBER, mandatory=True, least=1, most=pool.SEATS_MAX, value="5"),
)
NEW: Final = Form(
    (Field("name", "Name", mandatory=True, hint="Unique, and never changed.", len_max=pool.NAME_LEN_MAX), *_FIELDS),
    "Add the vehicle",
)
EDIT: Final = Form(_FIELDS, "Save", versioned=True)
REMOVE: Final = Form([], "Take it out of the pool", versioned=True)


async def _with_sites(request: AnyRequest, form: Form) -> Form:
    house = house_of(request)
    return form.choosing(site=[(one.id, one.name) for one in await house.run(house.organisations.sites)])


def _wanted(filled: Filled, name: str) -> Vehicle:
    return Vehicle(
        name,
        filled.text("model"),
        filled.text("site"),
        filled.number("slot"),
        filled.number("seats") or 1,
        version=filled.version,
    )


@get("/pool", seen_by=MANAGERS)
async def vehicles(request: AnyRequest) -> Page:
    house = house_of(request)
    rows = [
        (
            Link(one.name, f"/pool/{one.name}"),
            one.model,
            pool.plate_of(house, one),
            one.site,
            one.slot,
            one.seats,
            len(pool.coming(house.portal.allowlist, one.name)),
        )
        for one in await house.run(pool_of(house).all)
    ]
    heads = ("Name", "Model", "Plate", "Site", "Key slot", "Seats", "Reservations")
    actions = [Link("Add a vehicle", "/pool/new"), Link("All reservations", "/pool/reservations")]
    return await listed(request, "Pool vehicles", heads, rows, actions=actions)


@get("/pool/new", seen_by=MANAGERS)
async def new_page(request: AnyRequest) -> Page:
    return await drawn(request, "Add a vehicle", (await _with_sites(request, NEW)).with_values())


@post("/pool/new", status_code=200, seen_by=MANAGERS)
async def new(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        wanted = _wanted(filled, filled.text("name"))
        added = await pool.add(house_of(request), caller_of(request).account.name, wanted, filled.text("plate"))
        return await done(request, "/pool", f"{added.name} is added, and may be reserved at once.")

    return await taken(request, await _with_sites(request, NEW), deed, "Add a vehicle")


@get("/pool/reservations", seen_by=MANAGERS)
async def everybody(request: AnyRequest) -> Page:
    found = sorted(house_of(request).portal.allowlist.reservations(), key=lambda one: (one.start, one.id))
    open_ = [one for one in found if one.state in (ReservationState.BOOKED, ReservationState.OUT)]
    rows = [
        (
            Link(one.vehicle, f"/reservations/{one.id}"),
            _external(request, one.user_id),
            "drives" if one.role is TripRole.DRIVER else "rides along",
            one.start,
            one.end,
            one.state.value,
        )
        for one in open_
    ]
    return await listed(request, "All reservations", ("Vehicle", "User", "As", "From", "Until", "State"), rows)


@get("/pool/{name:str}", seen_by=MANAGERS)
async def vehicle_page(request: AnyRequest, name: FromPath[str]) -> Page:
    house, vehicle = house_of(request), await _vehicle(request, name)
    filled = (await _with_sites(request, EDIT)).with_values(
        version=vehicle.version,
        model=vehicle.model,
        plate=pool.plate_of(house, vehicle),
        site=vehicle.site,
        slot=vehicle.slot,
        seats=vehicle.seats,
    )
    return await shown(
        request, "vehicle.html", vehicle.name, filled=filled, remove=REMOVE.with_values(version=vehicle.version)
    )


@post("/pool/{name:str}", status_code=200, seen_by=MANAGERS)
async def edit(request: AnyRequest, name: FromPath[str]) -> Page:
    await _vehicle(request, name)

    async def deed(filled: Filled) -> Page:
        house, actor = house_of(request), caller_of(request).account.name
        await pool.edit(house, actor, _wanted(filled, name), filled.text("plate"))
        return await done(request, f"/pool/{name}", "Saved, and in force at once.")

    return await taken(request, await _with_sites(request, EDIT), deed, name)


@post("/pool/{name:str}/remove", status_code=200, seen_by=MANAGERS)
async def remove(request: AnyRequest, name: FromPath[str]) -> Page:
    await _vehicle(request, name)

    async def deed(filled: Filled) -> Page:
        await pool.remove(house_of(request), caller_of(request).account.name, name, filled.version)
        return await done(request, "/pool", f"{name} is out of the pool.")

    return await taken(request, REMOVE, deed, name)


def _external(request: AnyRequest, user_id: str) -> str:
    user = house_of(request).portal.allowlist.user(user_id)
    return user.external_id if user is not None else "deleted"


async def _vehicle(request: AnyRequest, name: str) -> Vehicle:
    house = house_of(request)
    try:
        return await house.run(pool_of(house).get, name)
    except BadInput:
        raise NotFoundException() from None


PART: Final = Part(
    [vehicles, new_page, new, everybody, vehicle_page, edit, remove],
    [Entry("/pool", "Pool vehicles", MANAGERS)],
)
