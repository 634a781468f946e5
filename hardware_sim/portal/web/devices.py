"""Devices at the pages: of their owner, of a partner who has charge of them or had, of the operator who adds them.

What happened at one is there for each as far as it may see it. Claiming, copying and switching are the owner's.
"""

from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from gate_controller.delegation import Device, DeviceKind, DeviceState, sees
from hardware_sim.portal.devices.devices import SERIAL_LEN_MAX, Devices
from hardware_sim.portal.devices.oversight import Happened, overview
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.agreements import is_customer, is_either, names
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, Caller, roles
from hardware_sim.portal.web.page import (
    Entry,
    Link,
    Page,
    Part,
    at_site,
    caller_of,
    done,
    drawn,
    house_of,
    listed,
    shown,
    taken,
)

OPERATOR: Final = roles(Role.OPERATOR)
STAFF: Final = roles(Role.OPERATOR, Role.SUPPORT)
_KINDS: Final = [(kind.value, kind.value.replace("_", " ")) for kind in DeviceKind]
_NAME: Final = Field("name", "Name", mandatory=True, len_max=32, hint="That of its lane or desk.")
_SERIAL: Final = Field(
    "serial", "Serial", mandatory=True, len_max=SERIAL_LEN_MAX, hint="From the label on the device."
)

NEW: Final = Form(
    [_NAME, Field("kind", "Kind", Kind.CHOICE, mandatory=True, choices=_KINDS), _SERIAL], "Add the device"
)
CLAIM: Final = Form(
    [_SERIAL, Field("code", "One-time code", mandatory=True, len_max=40, hint="It came with the device.")],
    "Add it to our account",
)
COPY: Final = Form([_NAME], "Copy it")
ON: Final = Form([], "Activate", versioned=True)
OFF: Final = Form([], "Switch off", versioned=True)
_SWITCHES: Final = {"on": (ON, "It decides from now on."), "off": (OFF, "It decides nothing any more.")}


def sees_devices(caller: Caller) -> bool:
    """Owners, partners, staff."""
    return is_either(caller) or STAFF(caller)


@get("/devices", seen_by=sees_devices)
async def devices(request: AnyRequest) -> Page:
    house, caller = house_of(request), caller_of(request)
    called = await names(house)
    rows = [
        (
            Link(one.id, f"/devices/{one.id}"),
            one.kind.value.replace("_", " "),
            called.get(one.owner, one.owner),
            *_as_it_is(request, one, called),
        )
        for one in Devices(house).all()
        if _may_see(caller, one)
    ]
    actions = [Link("Add a device", "/devices/~new")] if OPERATOR(caller) else []
    actions += [Link("Claim a device", "/devices/~claim")] if is_customer(caller) else []
    heads = ("Name", "Kind", "Owner", "State", "In charge", "Copy of")
    return await listed(request, "Devices", heads, rows, actions=actions)


def _as_it_is(request: AnyRequest, device: Device, called: dict[str, str]) -> tuple[str, str, str]:
    """State, who has charge of it and what it is a copy of; not for a partner who had charge of it once."""
    caller, now = caller_of(request), house_of(request).now()
    if not STAFF(caller) and not sees(caller.organisation.id, device, now):
        return "not in your charge", "", ""
    in_charge = next((one.partner for one in device.delegations if one.at(now)), "")
    return device.state.value, called.get(in_charge, "its owner"), device.copied_from or ""


def _may_see(caller: Caller, device: Device) -> bool:
    mine = caller.organisation.id
    if STAFF(caller) or (is_customer(caller) and device.owner == mine):
        return True
    return is_either(caller) and any(one.partner == mine for one in device.delegations)


# ---- one device ----


@get("/devices/{device:str}", seen_by=sees_devices)
async def device_page(request: AnyRequest, device: FromPath[str], before: FromQuery[int | None] = None) -> Page:
    house, caller, found = house_of(request), caller_of(request), _device(request, device)
    called, tz = await names(house), request.app.state.tz
    seen = await overview(house, None if STAFF(caller) else caller.organisation.id, found, before)
    now = zip(("State", "In charge", "Copy of"), _as_it_is(request, found, called), strict=True)
    facts = [("Owner", called.get(found.owner, "nobody yet")), *((name, value) for name, value in now if value)]
    actions = [Link("Older", f"/devices/{found.id}?before={seen.older}")] if seen.older else []
    forms = []
    if is_customer(caller) and found.owner == caller.organisation.id:
        applied, edges = await house.portal.applied()
        facts.append(("The newest list", f"is in force at {applied} of {edges} edges"))
        actions.insert(0, Link("Copy it", f"/devices/{found.id}/copy"))
        forms = _switches(found)
    rows = [(at_site(one.at, tz), one.what, *_payers(one, called)) for one in seen.lines]
    return await shown(
        request,
        "sheet.html",
        f"Device {found.id}",
        intro=[],
        facts=facts,
        actions=actions,
        forms=forms,
        tables=[("What happened", ("When", "What", "Pays", "Remark"), rows)],
    )


def _payers(line: Happened, called: dict[str, str]) -> tuple[str, str]:
    if line.charge is None:
        return "", ""
    said = called.get(line.charge.said, "nobody")
    remark = f"degraded: the gate could not know, and named {said}" if line.charge.degraded else ""
    return called.get(line.charge.payer, ""), remark


def _switches(found: Device) -> list[tuple[Filled, str]]:
    at, mark = f"/devices/{found.id}/switch", found.state.value
    if found.state is DeviceState.INACTIVE:
        return [(ON.with_values(version=mark), f"{at}/on")]
    return [(OFF.with_values(version=mark), f"{at}/off")] if found.state is DeviceState.ACTIVE else []


@post("/devices/{device:str}/switch/{way:str}", status_code=200, seen_by=is_customer)
async def switch(request: AnyRequest, device: FromPath[str], way: FromPath[str]) -> Page:
    found = _own(request, device)
    if way not in _SWITCHES:
        raise NotFoundException
    form, notice = _SWITCHES[way]

    async def deed(filled: Filled) -> Page:
        caller = caller_of(request)
        service, mine = Devices(house_of(request)), caller.organisation.id
        await service.switch(caller.account.name, mine, found.id, filled.mark, on=way == "on")
        return await done(request, f"/devices/{found.id}", notice)

    return await taken(request, form, deed, f"Device {found.id}")


_COPY_INTRO: Final = (
    "The copy is inactive, has an identity and no secrets of its own, and nobody is in charge of it."
)


@get("/devices/{device:str}/copy", seen_by=is_customer)
async def copy_page(request: AnyRequest, device: FromPath[str]) -> Page:
    return await drawn(request, f"Copy {_own(request, device).id}", COPY.with_values(), intro=_COPY_INTRO)


@post("/devices/{device:str}/copy", status_code=200, seen_by=is_customer)
async def copy(request: AnyRequest, device: FromPath[str]) -> Page:
    found = _own(request, device)

    async def deed(filled: Filled) -> Page:
        caller = caller_of(request)
        service, mine = Devices(house_of(request)), caller.organisation.id
        made = await service.copy(caller.account.name, mine, found.id, filled.text("name"))
        return await done(
            request, f"/devices/{made.id}", f"This is a copy of {found.id}. Activate it where it stands."
        )

    return await taken(request, COPY, deed, f"Copy {found.id}", intro=_COPY_INTRO)


def _device(request: AnyRequest, device: str) -> Device:
    found = Devices(house_of(request)).get(device)
    if found is None or not _may_see(caller_of(request), found):
        raise NotFoundException
    return found


def _own(request: AnyRequest, device: str) -> Device:
    found = _device(request, device)
    if found.owner != caller_of(request).organisation.id:
        raise NotFoundException
    return found


# ---- added by the operator, claimed by its owner ----


_NEW_INTRO: Final = "Until somebody claims it, its gate says that it is not in service, and opens for nobody."


@get("/devices/~new", seen_by=OPERATOR)
async def new_page(request: AnyRequest) -> Page:
    return await drawn(request, "Add a device", NEW.with_values(), intro=_NEW_INTRO)


@post("/devices/~new", status_code=200, seen_by=OPERATOR)
async def new(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        actor, name = caller_of(request).account.name, filled.text("name")
        kind = DeviceKind(filled.text("kind"))
        code = await Devices(house_of(request)).add(actor, name, kind, filled.text("serial"))
        facts = [("Serial", filled.text("serial")), ("One-time code", code)]
        intro = ["This code is shown once. It goes to whoever gets the device, and counts once, within 30 days."]
        return await shown(
            request, "sheet.html", f"Device {name}", intro=intro, facts=facts, actions=[], forms=[], tables=[]
        )

    return await taken(request, NEW, deed, "Add a device", intro=_NEW_INTRO)


@get("/devices/~claim", seen_by=is_customer)
async def claim_page(request: AnyRequest) -> Page:
    return await drawn(request, "Claim a device", CLAIM.with_values())


@post("/devices/~claim", status_code=200, seen_by=is_customer)
async def claim(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        caller, service = caller_of(request), Devices(house_of(request))
        mine = caller.organisation.id
        made = await service.claim(caller.account.name, mine, filled.text("serial"), filled.text("code"))
        return await done(request, f"/devices/{made.id}", "It is yours, and decides from now on.")

    return await taken(request, CLAIM, deed, "Claim a device")


PART: Final = Part(
    [devices, device_page, switch, copy_page, copy, new_page, new, claim_page, claim],
    [Entry("/devices", "Devices", sees_devices)],
)
