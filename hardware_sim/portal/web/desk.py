"""The desk's pages for clerks: who waits for a badge, and the three steps with somebody who has come."""

import asyncio
from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Response

from gate_controller.allowlist import User
from gate_controller.delegation import DeviceKind
from gate_controller.desk import LicenceStatus, may_enrol
from gate_controller.reasons import OPERATOR
from hardware_sim.portal.company.company import contacts_of
from hardware_sim.portal.fleet import desk_checks, licences, registering
from hardware_sim.portal.fleet.registering import books_of
from hardware_sim.portal.fleet.subscriber_books import ADDRESS_LEN_MAX, Picture, Subscriber
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
    house_of,
    listed,
    see,
    shown,
    taken,
)

CLERK: Final = roles(Role.OPERATOR, Role.CLERK)
AGAIN_S: Final = 1
"""So often the page of a badge looks again by itself."""
DEEDS_SHOWN: Final = 20

CONTACT: Final = Form(
    [
        Field("name", "Name", mandatory=True),
        Field("phone", "Telephone", Kind.PHONE, mandatory=True),
        Field("address", "Address", mandatory=True, len_max=ADDRESS_LEN_MAX),
    ],
    "These are right",
    versioned=True,
)
LICENCE: Final = Form(
    [
        Field(
            "status",
            "The licence",
            Kind.CHOICE,
            mandatory=True,
            choices=[
                (LicenceStatus.VALIDATED.value, "is good"),
                (LicenceStatus.REJECTED.value, "is not accepted, or was not shown"),
            ],
        ),
        Field("valid_until", "Counts until", Kind.DAY, hint="The last day, for a licence that is good."),
    ],
    "Write it down",
    versioned=True,
)
BADGE: Final = Form([Field("desk", "Desk", mandatory=True, len_max=64)], "Enrol")


@get("/desk", seen_by=CLERK)
async def waiting(request: AnyRequest) -> Page:
    house, site = house_of(request), caller_of(request).session.site or house_of(request).site
    names = {one.id: one.name for one in await house.run(house.organisations.sites)}
    rows = [
        (
            Link(user.name or user.external_id, f"/desk/{user.id}"),
            user.external_id,
            names.get(user.home_site or "", user.home_site),
            _next(user),
        )
        for user in await desk_checks.listed_at(house, site)
    ]
    heads = ("Name", "External id", "Home site", "Next")
    intro = f"Who is pre-registered and waits for a badge; those of {names.get(site, site)} come first."
    return await listed(request, "Desk", heads, rows, intro=intro)


@get("/licences", seen_by=CLERK)
async def licences_page(request: AnyRequest) -> Page:
    house = house_of(request)
    soon = await asyncio.to_thread(licences.ending, house.portal.allowlist.subscribers(), house.now())
    rows = [(Link(user.name or user.external_id, f"/desk/{user.id}"), user.external_id, end) for end, user in soon]
    intro = f"Driving licences to be looked at again within {licences.AHEAD.days} days; their owners are mailed."
    return await listed(request, "Licences", ("Name", "External id", "Counts until"), rows, intro=intro)


def _next(user: User) -> str:
    reason = may_enrol(user, None)
    return OPERATOR[reason] if reason is not None else "The badge."


@get("/desk/{user_id:str}", seen_by=CLERK)
async def person(request: AnyRequest, user_id: FromPath[str]) -> Page:
    house, (user, known) = house_of(request), await _person(request, user_id)

    def look() -> tuple[str, Picture | None, str]:
        return contacts_of(house).email(user_id), books_of(house).picture(user_id), books_of(house).last_desk()

    email, picture, last_desk = await house.run(look)
    deeds = await house.run(house.audit.deeds, user.external_id, DEEDS_SHOWN)
    reason = may_enrol(user, None)
    licence = user.licence
    return await shown(
        request,
        "desk_person.html",
        user.name or user.external_id,
        user=user,
        known=known,
        email=email,
        state=(user.registration.value.replace("_", "-") if user.registration else "not registered"),
        contact=CONTACT.with_values(
            version=known.version, name=known.name, phone=known.phone, address=known.address
        ),
        licence=_licence(user),
        picture=picture is not None,
        check=LICENCE.with_values(
            version=known.version,
            valid_until=f"{licence.valid_until:%Y-%m-%d}" if licence and licence.valid_until else "",
        ),
        may=OPERATOR[reason] if reason is not None else "",
        badge=BADGE.with_values(desk=_desk(request) or last_desk),
        deeds=[(one.at, one.actor, one.deed, one.detail) for one in deeds],
    )


def _desk(request: AnyRequest) -> str:
    """The desk on the list, where there is one alone."""
    house = house_of(request)
    found = [
        one.id
        for one in house.portal.allowlist.devices()
        if one.kind is DeviceKind.DESK and one.site in (None, house.site)
    ]
    return found[0] if len(found) == 1 else ""


def _licence(user: User) -> str:
    licence = user.licence
    if licence is None or licence.checked_at is None:
        return "Not looked at yet."
    until = f", until {licence.valid_until:%Y-%m-%d %H:%M}" if licence.valid_until else ""
    return f"{licence.status.value.capitalize()} on {licence.checked_at:%Y-%m-%d}{until}."


@get("/desk/{user_id:str}/picture", seen_by=CLERK)
async def picture(request: AnyRequest, user_id: FromPath[str]) -> Response[bytes]:
    house, (user, _) = house_of(request), await _person(request, user_id)
    found = await registering.picture_of(house, user_id)
    if found is None:
        raise NotFoundException
    actor = caller_of(request).account.name
    await house.write(lambda: house.audit.note(house.now(), actor, "licence.seen", user.external_id))
    return Response(found.data, media_type=found.media, headers={"content-disposition": "inline"})


# ---- the three steps ----


@post("/desk/{user_id:str}/contact", status_code=200, seen_by=CLERK)
async def contact(request: AnyRequest, user_id: FromPath[str]) -> Page:
    house, (_, known) = house_of(request), await _person(request, user_id)

    async def deed(filled: Filled) -> Page:
        wanted = Subscriber(
            user_id, filled.text("name"), filled.text("phone"), filled.text("address"), 0, version=filled.version
        )
        await desk_checks.check_contact(house, caller_of(request).account.name, wanted)
        return await done(request, f"/desk/{user_id}", "The contact data are checked.")

    return await taken(request, CONTACT, deed, known.name)


@post("/desk/{user_id:str}/licence", status_code=200, seen_by=CLERK)
async def licence(request: AnyRequest, user_id: FromPath[str]) -> Page:
    house, (_, known) = house_of(request), await _person(request, user_id)

    async def deed(filled: Filled) -> Page:
        status, actor = LicenceStatus(filled.text("status")), caller_of(request).account.name
        day, tz = filled.day("valid_until"), request.app.state.tz
        await desk_checks.check_licence(house, actor, user_id, filled.version, status, day, tz)
        return await done(request, f"/desk/{user_id}", "The licence is written down, in force at once.")

    return await taken(request, LICENCE, deed, known.name)


@post("/desk/{user_id:str}/badge", status_code=200, seen_by=CLERK)
async def badge(request: AnyRequest, user_id: FromPath[str]) -> Page:
    house, (_, known) = house_of(request), await _person(request, user_id)

    async def deed(filled: Filled) -> Page:
        await desk_checks.take_badge(house, caller_of(request).account.name, user_id, filled.text("desk"))
        return see(f"/desk/{user_id}/badge")

    return await taken(request, BADGE, deed, known.name)


@get("/desk/{user_id:str}/badge", seen_by=CLERK)
async def badge_page(request: AnyRequest, user_id: FromPath[str]) -> Page:
    user, known = await _person(request, user_id)
    progress = await desk_checks.progress(house_of(request), user_id)
    return await shown(request, "desk_badge.html", known.name, user=user, progress=progress, again_s=AGAIN_S)


async def _person(request: AnyRequest, user_id: str) -> tuple[User, Subscriber]:
    house = house_of(request)
    user, known = house.portal.allowlist.user(user_id), await house.run(books_of(house).get, user_id)
    if user is None or known is None:
        raise NotFoundException
    return user, known


PART: Final = Part(
    [waiting, licences_page, person, picture, contact, licence, badge, badge_page],
    [Entry("/desk", "Desk", CLERK), Entry("/licences", "Licences", CLERK)],
)
