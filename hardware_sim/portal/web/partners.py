"""Support links customers with partners; the customer accepts, and hands devices over."""

from typing import Final

from litestar import get, post
from litestar.params import FromPath

from gate_controller.delegation import DeviceState, Partnership, Stage
from hardware_sim.portal.partners.partners import Partners, Word
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.agreements import is_customer, link_answered, link_of, link_shown, names
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
    taken,
)

STAFF: Final = roles(Role.OPERATOR, Role.SUPPORT)
LINK: Final = Form(
    [
        Field("partner", "Partner", Kind.CHOICE, mandatory=True),
        Field("customer", "Customer", Kind.CHOICE, mandatory=True),
    ],
    "Ask the customer",
)
HAND_OVER: Final = Form(
    [
        Field("devices", "Devices", Kind.CHOICES),
        Field(
            "all",
            "All that there are now",
            Kind.TICK,
            hint="Devices that come later are not among them: hand each of those over by itself.",
        ),
    ],
    "Ask the partner",
)
# ---- support ----


@get("/partnerships", seen_by=STAFF)
async def partnerships(request: AnyRequest) -> Page:
    house = house_of(request)
    called = await names(house)
    rows = [
        (
            called[one.partner],
            called[one.customer],
            one.stage.value,
            one.requested_at,
            one.accepted_at,
            one.ended_at,
        )
        for one in await house.run(Partners(house).books.partnerships, "")
    ]
    heads = ("Partner", "Customer", "State", "Asked", "Accepted", "Ended")
    actions = [Link("Link a customer with a partner", "/partnerships/new")]
    return await listed(request, "Partnerships", heads, rows, actions=actions)


_LINK_INTRO: Final = "The customer is asked. The partner is told nothing before the customer has accepted."


@get("/partnerships/new", seen_by=STAFF)
async def link_page(request: AnyRequest) -> Page:
    form = await _link_form(request)
    return await drawn(request, "Link a customer with a partner", form.with_values(), intro=_LINK_INTRO)


@post("/partnerships/new", status_code=200, seen_by=STAFF)
async def link(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        actor, service, customer = (
            caller_of(request).account.name,
            Partners(house_of(request)),
            filled.text("customer"),
        )
        await service.ask_for(actor, filled.text("partner"), customer)
        hint = await service.unreachable(customer, Role.ADMINISTRATOR)
        return await done(request, "/partnerships", f"The customer is asked.{hint}")

    form = await _link_form(request)
    return await taken(request, form, deed, "Link a customer with a partner", intro=_LINK_INTRO)


async def _link_form(request: AnyRequest) -> Form:
    house = house_of(request)
    known = await house.run(house.organisations.all)
    return LINK.choosing(
        partner=[(one.id, one.name) for one in known if one.partner],
        customer=[(one.id, one.name) for one in known if one.customer],
    )


# ---- the customer ----


@get("/partners", seen_by=is_customer)
async def partners(request: AnyRequest) -> Page:
    house, mine = house_of(request), caller_of(request).organisation.id
    called = await names(house)
    rows = [
        (Link(called[one.partner], f"/partners/{one.id}"), one.stage.value, one.accepted_at, one.ended_at)
        for one in await Partners(house).partnerships(mine)
        if one.customer == mine
    ]
    return await listed(request, "Partners", ("Partner", "State", "Accepted", "Ended"), rows)


@get("/partners/{partnership:str}", seen_by=is_customer, mailed=True)
async def partner_page(request: AnyRequest, partnership: FromPath[str]) -> Page:
    found = await link_of(request, partnership, as_partner=False)
    actions = [Link("Hand devices over", f"/partners/{found.id}/devices")] if found.stage is Stage.ACCEPTED else []
    intro = ["Until you accept, the partner knows nothing of it."] if found.stage is Stage.REQUESTED else []
    words = [Word.ACCEPT, Word.REFUSE] if found.stage is Stage.REQUESTED else [Word.END]
    return await link_shown(request, found, found.partner, "/partners", words, intro, actions)


@post("/partners/{partnership:str}/{word:str}", status_code=200, seen_by=is_customer)
async def answer_partner(request: AnyRequest, partnership: FromPath[str], word: FromPath[str]) -> Page:
    return await link_answered(request, await link_of(request, partnership, as_partner=False), word, "/partners")


@get("/partners/{partnership:str}/devices", seen_by=is_customer)
async def hand_over_page(request: AnyRequest, partnership: FromPath[str]) -> Page:
    found = await link_of(request, partnership, as_partner=False)
    form = _hand_over_form(request)
    return await drawn(
        request, "Hand devices over", form.with_values(), intro=await _hand_over_intro(request, found)
    )


@post("/partners/{partnership:str}/devices", status_code=200, seen_by=is_customer)
async def hand_over(request: AnyRequest, partnership: FromPath[str]) -> Page:
    found = await link_of(request, partnership, as_partner=False)

    async def deed(filled: Filled) -> Page:
        caller, service = caller_of(request), Partners(house_of(request))
        asked = await service.delegate(
            caller.account.name,
            caller.organisation.id,
            found.id,
            filled.several("devices"),
            all_of_them=filled.ticked("all"),
        )
        told, hint = ", ".join(one.device for one in asked), await service.unreachable(found.partner, Role.PARTNER)
        return await done(request, f"/partners/{found.id}", f"The partner is asked about {told}.{hint}")

    intro = await _hand_over_intro(request, found)
    return await taken(request, _hand_over_form(request), deed, "Hand devices over", intro=intro)


def _hand_over_form(request: AnyRequest) -> Form:
    house, mine = house_of(request), caller_of(request).organisation.id
    known = [one for one in Partners(house).devices(mine) if one.state is not DeviceState.RETIRED]
    return HAND_OVER.choosing(devices=[(one.id, one.id) for one in known])


async def _hand_over_intro(request: AnyRequest, found: Partnership) -> str:
    name = (await names(house_of(request)))[found.partner]
    return (
        f"From when {name} accepts, it pays for their scans and sees what happens there, until either side ends it."
    )


PART: Final = Part(
    [partnerships, link_page, link, partners, partner_page, answer_partner, hand_over_page, hand_over],
    [Entry("/partnerships", "Partnerships", STAFF), Entry("/partners", "Partners", is_customer)],
)
