"""Viewing codes in a customer's details, for staff; and the page on which whoever has a code sees devices.

A view is looked at and nothing else: its session is no login, and no form is sent with it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from litestar import get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.codes import ViewCode
from gate_controller.errors import BadInput
from gate_controller.reasons import Reason
from hardware_sim.portal.devices.viewing import Viewing, code_id, mark_of
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, public, roles
from hardware_sim.portal.web.login import WAIT
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
    see,
    shown,
    taken,
)

STAFF: Final = roles(Role.OPERATOR, Role.SUPPORT)
VIEW_COOKIE: Final = "slagboom_view"
ANSWERS_AFTER_S: Final = 0.4
"""Every answer to a code takes so long at least: far longer than any of the ways to it."""
REFUSED: Final = "Nothing can be shown for this. Check what you typed, or ask whoever gave it to you."
EVERYTHING: Final = "~"
"""Stands where a site's id would, for the code of the whole customer."""
_TEXT_LEN_MAX: Final = 40

ON: Final = Form([], "Switch on", versioned=True)
SITE_ON: Final = Form(
    [Field("token_required", "Wants the token of a device too, and shows that device alone", Kind.TICK)],
    "Switch on",
    versioned=True,
)
NEW: Final = Form([], "Make a new code", versioned=True)
OFF: Final = Form([], "Switch off", versioned=True)
READ: Final = Form([], "Read the code out")
TOKEN: Final = Form([], "Make its token")
ENTER: Final = Form(
    [
        Field("code", "Code", mandatory=True, len_max=_TEXT_LEN_MAX, hint="Dashes and spaces are as you like."),
        Field(
            "token", "Token", len_max=_TEXT_LEN_MAX, hint="From the label inside the device, if you were told so."
        ),
    ],
    "Show",
)


# ---- staff ----


@get("/viewing", seen_by=STAFF)
async def customers(request: AnyRequest) -> Page:
    house = house_of(request)
    live: dict[str, int] = {}
    for code in house.portal.allowlist.view_codes():
        live[code.customer] = live.get(code.customer, 0) + code.enabled
    rows = [
        (Link(one.name, f"/viewing/{one.id}"), live.get(one.id, 0))
        for one in await house.run(house.organisations.all)
        if one.customer
    ]
    return await listed(request, "Viewing codes", ("Customer", "Codes switched on"), rows)


@get("/viewing/{customer:str}", seen_by=STAFF)
async def customer_page(request: AnyRequest, customer: FromPath[str]) -> Page:
    house, known = house_of(request), await _customer(request, customer)
    allowlist = house.portal.allowlist
    extents: list[tuple[str, str | None, str]] = [(EVERYTHING, None, "All sites and devices")]
    extents += [(one.id, one.id, one.name) for one in await house.run(house.organisations.sites)]
    codes = [
        (Link(name, f"/viewing/{customer}/code/{extent}"), *_state(allowlist.view_code(code_id(customer, site))))
        for extent, site, name in extents
    ]
    devices = [
        (
            Link(one.id, f"/viewing/{customer}/device/{one.id}"),
            one.kind.value.replace("_", " "),
            one.site or house.site,
            one.state.value,
            "made" if one.token else "not made",
        )
        for one in sorted(allowlist.devices(), key=lambda one: one.id)
        if one.owner == customer
    ]
    return await shown(
        request, "viewing_customer.html", known.name, codes=codes, devices=devices, link=f"{house.url}/view"
    )


def _state(code: ViewCode | None) -> tuple[str, object, str]:
    if code is None:
        return "off", "", ""
    return "on" if code.enabled else "off", code.generation, "wanted" if code.token_required else ""


@get("/viewing/{customer:str}/code/{extent:str}", seen_by=STAFF)
async def code_page(request: AnyRequest, customer: FromPath[str], extent: FromPath[str]) -> Page:
    return await _code_shown(request, customer, extent, "")


async def _code_shown(request: AnyRequest, customer: str, extent: str, text: str) -> Page:
    house, known = house_of(request), await _customer(request, customer)
    site, where = await _scope(request, extent)
    code = house.portal.allowlist.view_code(code_id(customer, site))
    mark = mark_of(code)
    state, generation, token = _state(code)
    return await shown(
        request,
        "viewing_code.html",
        f"{known.name}: {where}",
        state=state,
        generation=generation,
        token=token,
        text=text,
        link=f"{house.url}/view",
        back=f"/viewing/{customer}",
        at=f"/viewing/{customer}/code/{extent}",
        on=(ON if site is None else SITE_ON).with_values(version=mark),
        new=NEW.with_values(version=mark),
        off=OFF.with_values(version=mark),
        read=READ.with_values(),
    )


@post("/viewing/{customer:str}/code/{extent:str}/on", status_code=200, seen_by=STAFF)
async def switch_on(request: AnyRequest, customer: FromPath[str], extent: FromPath[str]) -> Page:
    site, _ = await _scope(request, extent)
    form = ON if site is None else SITE_ON

    async def deed(viewing: Viewing, actor: str, filled: Filled) -> None:
        token_required = site is not None and filled.ticked("token_required")
        await viewing.switch_on(actor, customer, site, token_required, filled.mark)

    return await _changed(request, customer, extent, form, deed, "The code is switched on.")


@post("/viewing/{customer:str}/code/{extent:str}/new", status_code=200, seen_by=STAFF)
async def regenerate(request: AnyRequest, customer: FromPath[str], extent: FromPath[str]) -> Page:
    site, _ = await _scope(request, extent)

    async def deed(viewing: Viewing, actor: str, filled: Filled) -> None:
        await viewing.regenerate(actor, code_id(customer, site), filled.mark)

    return await _changed(request, customer, extent, NEW, deed, "There is a new code; the old one counts no more.")


@post("/viewing/{customer:str}/code/{extent:str}/off", status_code=200, seen_by=STAFF)
async def switch_off(request: AnyRequest, customer: FromPath[str], extent: FromPath[str]) -> Page:
    site, _ = await _scope(request, extent)

    async def deed(viewing: Viewing, actor: str, filled: Filled) -> None:
        await viewing.switch_off(actor, code_id(customer, site), filled.mark)

    return await _changed(request, customer, extent, OFF, deed, "The code is switched off; nobody sees by it.")


async def _changed(
    request: AnyRequest,
    customer: str,
    extent: str,
    form: Form,
    change: Callable[[Viewing, str, Filled], Awaitable[None]],
    notice: str,
) -> Page:
    await _customer(request, customer)

    async def deed(filled: Filled) -> Page:
        await change(Viewing(house_of(request)), caller_of(request).account.name, filled)
        return await done(request, f"/viewing/{customer}/code/{extent}", notice)

    return await taken(request, form, deed, "Viewing code")


@post("/viewing/{customer:str}/code/{extent:str}/read", status_code=200, seen_by=STAFF)
async def read_out(request: AnyRequest, customer: FromPath[str], extent: FromPath[str]) -> Page:
    site, _ = await _scope(request, extent)

    async def deed(_: Filled) -> Page:
        text = await Viewing(house_of(request)).read(caller_of(request).account.name, code_id(customer, site))
        return await _code_shown(request, customer, extent, text)

    return await taken(request, READ, deed, "Viewing code")


@get("/viewing/{customer:str}/device/{device:str}", seen_by=STAFF)
async def device_page(request: AnyRequest, customer: FromPath[str], device: FromPath[str]) -> Page:
    _device(request, customer, device)
    intro = "The token is made once, shown once, and belongs on the label inside the device."
    return await drawn(request, f"Device {device}", TOKEN.with_values(), intro=intro)


@post("/viewing/{customer:str}/device/{device:str}", status_code=200, seen_by=STAFF)
async def make_token(request: AnyRequest, customer: FromPath[str], device: FromPath[str]) -> Page:
    _device(request, customer, device)

    async def deed(_: Filled) -> Page:
        token = await Viewing(house_of(request)).make_token(caller_of(request).account.name, device)
        return await shown(
            request, "viewing_token.html", f"Device {device}", token=token, back=f"/viewing/{customer}"
        )

    return await taken(request, TOKEN, deed, f"Device {device}")


async def _customer(request: AnyRequest, customer: str) -> Organisation:
    house = house_of(request)
    try:
        found = await house.run(house.organisations.get, customer)
    except BadInput:
        raise NotFoundException from None
    if not found.customer:
        raise NotFoundException
    return found


async def _scope(request: AnyRequest, extent: str) -> tuple[str | None, str]:
    house = house_of(request)
    if extent == EVERYTHING:
        return None, "all sites and devices"
    try:
        return extent, (await house.run(house.organisations.site, extent)).name
    except BadInput:
        raise NotFoundException from None


def _device(request: AnyRequest, customer: str, device: str) -> None:
    known = house_of(request).portal.allowlist.device(device)
    if known is None or known.owner != customer:
        raise NotFoundException


# ---- whoever has a code ----


@get("/view", seen_by=public)
async def view_page(request: AnyRequest) -> Page:
    house, viewing = house_of(request), Viewing(house_of(request))
    view = await viewing.view(request.cookies.get(VIEW_COOKIE, ""))
    if view is None:
        return await drawn(request, "Look at devices", ENTER.with_values())
    names = {one.id: one.name for one in await house.run(house.organisations.sites)}
    rows = [
        (
            names.get(one.site or house.site, one.site or house.site),
            one.id,
            one.kind.value.replace("_", " "),
            one.state.value,
        )
        for one in viewing.devices(view)
    ]
    tz = request.app.state.tz
    events = [(at_site(one.at, tz), one.device, one.what) for one in await viewing.events(view)]
    return await shown(request, "view.html", "Devices", rows=rows, events=events)


@post("/view", status_code=200, seen_by=public)
async def enter(request: AnyRequest) -> Page:
    house, throttle = house_of(request), request.app.state.throttle
    address, now_s = request.client.host if request.client else "", house.portal.around.clock().mono_s

    async def deed(filled: Filled) -> Page:
        if throttle.closed(address, now_s):
            raise BadInput(WAIT)
        loop = asyncio.get_running_loop()
        answers_at_s = loop.time() + ANSWERS_AFTER_S
        viewing = Viewing(house)
        view = viewing.opened(filled.text("code"), filled.text("token"))
        if isinstance(view, Reason):
            throttle.wrong(address, now_s)
        token = await viewing.begin(view)
        await asyncio.sleep(max(0.0, answers_at_s - loop.time()))
        if token is None:
            raise BadInput(REFUSED)
        secure = house.url.startswith("https:")
        cookie = Cookie(VIEW_COOKIE, value=token, path="/view", httponly=True, samesite="lax", secure=secure)
        return see("/view", cookies=[cookie])

    return await taken(request, ENTER, deed, "Look at devices")


PART: Final = Part(
    [
        customers,
        customer_page,
        code_page,
        switch_on,
        regenerate,
        switch_off,
        read_out,
        device_page,
        make_token,
        view_page,
        enter,
    ],
    [Entry("/viewing", "Viewing codes", STAFF)],
)
