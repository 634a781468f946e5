"""Company parking's pages: users with plates, badges and groups, permits of groups, and activations."""

from dataclasses import replace
from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.allowlist import PermitPut, User
from gate_controller.plates import Plate, unusual
from hardware_sim.portal.company import company
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, public, roles
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

MANAGERS: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER)
EDITORS: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER)
"""Both managers see users and send activations; plates are the fleet manager's."""
_FIELDS: Final = (
    Field("external_id", "External id", mandatory=True, hint="Unique; it is printed on the invoice."),
    Field("name", "Name"),
    Field("email", "E-mail address", Kind.EMAIL),
    Field("plates", "Number plates", Kind.LONG, hint="One a line. At least one plate or badge is needed."),
    Field("badges", "Badges", Kind.LONG, hint="The whole number in hexadecimal, one a line."),
    Field("groups", "Groups", hint="With commas between; a group's permits count then."),
    Field("private", "Parks privately: the user pays", Kind.TICK),
    Field("payable", "The private payment profile is complete", Kind.TICK),
    Field("linked_account_no", "Customer number of an account elsewhere"),
)
NEW: Final = Form(_FIELDS, "Add the user")
EDIT: Final = Form(_FIELDS, "Save", versioned=True)
BUTTONS: Final = {
    "disable": Form([], "Disable"),
    "enable": Form([], "Enable"),
    "remove": Form([], "Delete"),
    "activate": Form([], "Send the activation"),
}
PERMIT: Final = Form(
    [
        Field("group", "Group", mandatory=True),
        Field("device", "Lane", hint="Left empty, the permit counts at every lane."),
        Field("schedule", "Schedule", hint="Such as Mo-Fr 06:00-20:00; left empty, always."),
        Field("quota", "Places", Kind.NUMBER, hint="So many of the group at once; left empty, all of them."),
    ],
    "Give the permit",
)
CONFIRM: Final = Form([], "Activate the app")


# ---- users ----


def _entry(filled: Filled) -> company.Entry:
    return company.Entry(
        filled.text("external_id"),
        filled.text("name"),
        filled.text("email"),
        _lines(filled.text("plates")),
        _lines(filled.text("badges")),
        [part for part in (one.strip() for one in filled.text("groups").split(",")) if part],
        filled.ticked("private"),
        filled.text("linked_account_no"),
        filled.ticked("payable"),
    )


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]


def _noticed(user: User, said: str) -> str:
    odd = company.odd_plates(user)
    return said + (f" Please look again at {', '.join(odd)}: it fits no known kind of plate." if odd else "")


@get("/users/new", seen_by=EDITORS)
async def new_page(request: AnyRequest) -> Page:
    return await drawn(request, "Add a user", NEW.with_values())


@post("/users/new", status_code=200, seen_by=EDITORS)
async def new(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        user = await company.add(house_of(request), caller_of(request).account.name, _entry(filled))
        return await done(request, f"/users/{user.id}", _noticed(user, f"{user.external_id} is added."))

    return await taken(request, NEW, deed, "Add a user")


@get("/users/{user_id:str}", seen_by=MANAGERS)
async def user_page(request: AnyRequest, user_id: FromPath[str]) -> Page:
    user, email = await _user(request, user_id)
    actions = ["activate", *(["disable" if user.active else "enable", "remove"] if _edits(request) else [])]
    return await shown(
        request,
        "user.html",
        user.external_id,
        user=user,
        email=email,
        plates=[_plate_row(one.plate) for one in user.plates],
        permits=house_of(request).portal.allowlist.permits_of(user),
        edits=_edits(request),
        actions=[(f"/users/{user.id}/{name}", BUTTONS[name].with_values()) for name in actions],
    )


@get("/users/{user_id:str}/edit", seen_by=EDITORS)
async def edit_page(request: AnyRequest, user_id: FromPath[str]) -> Page:
    user, email = await _user(request, user_id)
    home = next((one for one in user.contracts if one.payer == user.id), None)
    filled = EDIT.with_values(
        version=company.mark_of(user, email),
        external_id=user.external_id,
        name=user.name or "",
        email=email,
        plates="\n".join(one.plate.display() for one in user.plates),
        badges="\n".join(one.uid for one in user.badges),
        groups=", ".join(user.groups),
        private=home is not None and user.default_contract == home.id,
        payable=home is not None and home.payable,
        linked_account_no=(home.linked_account_no or "") if home else "",
    )
    return await drawn(request, f"Edit {user.external_id}", filled)


@post("/users/{user_id:str}/edit", status_code=200, seen_by=EDITORS)
async def edit(request: AnyRequest, user_id: FromPath[str]) -> Page:
    async def deed(filled: Filled) -> Page:
        actor = caller_of(request).account.name
        user = await company.edit(house_of(request), actor, user_id, filled.mark, _entry(filled))
        return await done(request, f"/users/{user.id}", _noticed(user, "Saved, and in force at once."))

    return await taken(request, EDIT, deed, "Edit a user")


@post("/users/{user_id:str}/{action:str}", status_code=200, seen_by=MANAGERS)
async def act(request: AnyRequest, user_id: FromPath[str], action: FromPath[str]) -> Page:
    if action not in BUTTONS or (action != "activate" and not _edits(request)):
        raise NotFoundException()
    house, actor = house_of(request), caller_of(request).account.name

    async def deed(_: Filled) -> Page:
        match action:
            case "activate":
                await company.send_activation(house, actor, user_id)
                return await done(request, f"/users/{user_id}", "The activation is mailed to the user alone.")
            case "remove":
                await company.remove(house, actor, user_id)
                return await done(request, "/users", "The user is deleted; whoever is inside gets out.")
        await company.switch(house, actor, user_id, on=action == "enable")
        return await done(request, f"/users/{user_id}", "Switched, in force at once.")

    return await taken(request, BUTTONS[action], deed, BUTTONS[action].button)


def _plate_row(plate: Plate) -> tuple[str, str, str]:
    return plate.display(), plate.key, "fits no known kind of plate" if unusual(plate) else ""


async def _user(request: AnyRequest, user_id: str) -> tuple[User, str]:
    house = house_of(request)
    user = house.portal.allowlist.user(user_id)
    if user is None:
        raise NotFoundException()
    return user, await house.run(company.contacts_of(house).email, user_id)


def _edits(request: AnyRequest) -> bool:
    return EDITORS(caller_of(request))


# ---- permits of groups ----


@get("/permits", seen_by=EDITORS)
async def permits(request: AnyRequest) -> Page:
    found = [one for one in house_of(request).portal.allowlist.permits() if one.group_id is not None]
    rows = [
        (
            one.group_id,
            one.action.value,
            one.device or "everywhere",
            one.schedule.text if one.schedule else "always",
            "" if one.quota is None else one.quota,
        )
        for one in sorted(found, key=lambda one: one.id)
    ]
    heads = ("Group", "May", "Where", "When", "Places")
    return await listed(request, "Permits of groups", heads, rows, actions=[Link("Give a permit", "/permits/new")])


@get("/permits/new", seen_by=EDITORS)
async def new_permit_page(request: AnyRequest) -> Page:
    return await drawn(request, "Give a permit", PERMIT.with_values())


@post("/permits/new", status_code=200, seen_by=EDITORS)
async def new_permit(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        house = house_of(request)
        permit = newcomers.parking(
            group_id=filled.text("group"), schedule=filled.maybe("schedule"), device=filled.maybe("device")
        )
        given = replace(permit, quota=filled.number("quota"))
        actor = caller_of(request).account.name
        await house.portal.change(
            [PermitPut(given)], lambda: house.audit.note(house.now(), actor, "permit.given", given.id)
        )
        return await done(request, "/permits", "The permit is given, in force at once.")

    return await taken(request, PERMIT, deed, "Give a permit")


# ---- activation ----


@get("/activate/{code:str}", seen_by=public)
async def activation(request: AnyRequest, code: FromPath[str]) -> Page:
    user = await company.activating(house_of(request), code)
    if user is None:
        raise NotFoundException("This activation was used, is over, or never was.")
    plates = ", ".join(one.plate.display() for one in user.plates)
    intro = (
        f"External id {user.external_id}. {'Name ' + user.name + '. ' if user.name else ''}Number plates: {plates}."
    )
    return await drawn(request, "Set up your parking app", CONFIRM.with_values(), intro=intro)


@post("/activate/{code:str}", status_code=200, seen_by=public)
async def activate(request: AnyRequest, code: FromPath[str]) -> Page:
    async def deed(_: Filled) -> Page:
        user = await company.activate(house_of(request), code)
        return await listed(request, "Your parking app is active", ("External id",), [(user.external_id,)])

    return await taken(request, CONFIRM, deed, "Set up your parking app")


PART: Final = Part(
    [
        new_page, new, user_page, edit_page, edit, act, permits, new_permit_page, new_permit,
        activation, activate,
    ],
    [Entry("/permits", "Permits", EDITORS)],
)  # fmt: skip
