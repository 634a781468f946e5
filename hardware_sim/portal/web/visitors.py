"""Guests and their passes: who is expected, the page behind a guest's link, and the pass on a user's own phone."""

from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from hardware_sim.portal.codes.passes import PHONE_PASS_EVERY_S, Visits, call_off, invite, phone_pass, text_of
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, public, roles
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

HOSTS: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER, Role.CLERK)
NEW: Final = Form(
    [
        Field("name", "Name", mandatory=True, len_max=60),
        Field("valid_from", "From", Kind.MOMENT, hint="Left empty, the visit may begin now."),
        Field("valid_to", "Until", Kind.MOMENT, mandatory=True),
        Field("plate", "Number plate", hint="Then the camera lets the guest in, too."),
        Field("email", "E-mail address", Kind.EMAIL, hint="The link to the pass is mailed there."),
    ],
    "Expect the guest",
)
CALL_OFF: Final = Form([], "Call the visit off")


@get("/visitors", seen_by=HOSTS)
async def visitors(request: AnyRequest) -> Page:
    house = house_of(request)
    found = await house.run(Visits(house.portal.database.sql).all, house.now())
    rows = [(Link(one.name, f"/visitors/{one.user_id}"), one.valid_from, one.valid_to) for one in found]
    actions = [Link("Expect a guest", "/visitors/new")]
    return await listed(request, "Guests", ("Name", "From", "Until"), rows, actions=actions)


@get("/visitors/new", seen_by=HOSTS)
async def new_page(request: AnyRequest) -> Page:
    return await drawn(request, "Expect a guest", NEW.with_values())


@post("/visitors/new", status_code=200, seen_by=HOSTS)
async def new(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        house, tz = house_of(request), request.app.state.tz
        begins, ends = filled.moment("valid_from"), filled.moment("valid_to")
        assert ends is not None, "the form wants it"
        invited = await invite(
            house,
            caller_of(request).account.name,
            filled.text("name"),
            begins.replace(tzinfo=tz) if begins else house.now(),
            ends.replace(tzinfo=tz),
            plate=filled.text("plate"),
            email=filled.text("email"),
        )
        link = f"{house.url}/visit/{invited.token}"
        return await shown(request, "invited.html", "The guest is expected", invited=invited, link=link)

    return await taken(request, NEW, deed, "Expect a guest")


@get("/visitors/{user_id:str}", seen_by=HOSTS)
async def call_off_page(request: AnyRequest, user_id: FromPath[str]) -> Page:
    return await drawn(request, "Call a visit off", CALL_OFF.with_values(), intro="A guest who is inside gets out.")


@post("/visitors/{user_id:str}", status_code=200, seen_by=HOSTS)
async def called_off(request: AnyRequest, user_id: FromPath[str]) -> Page:
    async def deed(_: Filled) -> Page:
        await call_off(house_of(request), caller_of(request).account.name, user_id)
        return await done(request, "/visitors", "The visit is called off.")

    return await taken(request, CALL_OFF, deed, "Call a visit off")


@get("/visit/{token:str}", seen_by=public)
async def visit(request: AnyRequest, token: FromPath[str]) -> Page:
    house, tz = house_of(request), request.app.state.tz
    found = await house.run(Visits(house.portal.database.sql).by_link, token, house.now())
    if found is None:
        raise NotFoundException("This visit is over, was called off, or never was.")
    until = f"Good from {at_site(found.valid_from, tz)} until {at_site(found.valid_to, tz)}."
    return await shown(
        request, "pass.html", "Your pass", text=text_of(house.portal.keys, found.read), until=until, again_s=0
    )


@get("/pass", seen_by=roles(Role.DRIVER, Role.SUBSCRIBER))
async def phone(request: AnyRequest) -> Page:
    house = house_of(request)
    user = house.portal.allowlist.user(caller_of(request).account.user_id or "")
    if user is None:
        raise NotFoundException("There is no pass for this account.")
    text = phone_pass(house.portal.keys, user, house.now())
    return await shown(
        request, "pass.html", "Your pass", text=text, until="Good for one entry.", again_s=PHONE_PASS_EVERY_S
    )


PART: Final = Part(
    [visitors, new_page, new, call_off_page, called_off, visit, phone],
    [Entry("/visitors", "Guests", HOSTS), Entry("/pass", "My pass", roles(Role.DRIVER, Role.SUBSCRIBER))],
)
