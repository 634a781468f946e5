"""Registering for the fleet: address, link, form; a subscriber's own registration; and the terms of use."""

from collections.abc import Sequence
from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from gate_controller.allowlist import User
from gate_controller.desk import LicenceStatus, Registration
from gate_controller.errors import BadInput
from hardware_sim.portal.fleet import registering
from hardware_sim.portal.fleet.registering import Application, books_of
from hardware_sim.portal.fleet.subscriber_books import ADDRESS_LEN_MAX, Terms
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import EMAIL_LEN_MAX, WrongField
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.portal.web.forms import UPLOAD_BYTES_MAX, Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, public, roles
from hardware_sim.portal.web.login import NEW_PASSWORD, WAIT
from hardware_sim.portal.web.page import (
    Entry,
    Page,
    Part,
    caller_of,
    done,
    drawn,
    house_of,
    see,
    shown,
    taken,
)

TERMS_LEN_MAX: Final = 20_000
SUBSCRIBER: Final = roles(Role.SUBSCRIBER)
WRITERS: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER)

ADDRESS: Final = Form(
    [
        Field(
            "email",
            "E-mail address",
            Kind.EMAIL,
            mandatory=True,
            len_max=EMAIL_LEN_MAX,
            autocomplete="email",
            hint="A link to the form goes there.",
        )
    ],
    "Send me the link",
)
APPLICATION: Final = Form(
    [
        Field("name", "Name", mandatory=True, autocomplete="name"),
        Field("phone", "Telephone", Kind.PHONE, mandatory=True, hint="With the country, such as +32 470 12 34 56."),
        Field("address", "Address", mandatory=True, len_max=ADDRESS_LEN_MAX),
        Field("home_site", "Your car park", Kind.CHOICE, mandatory=True, hint="You may use the others too."),
        *NEW_PASSWORD.fields,
        Field(
            "picture",
            "Driving licence or certificate",
            Kind.FILE,
            hint="JPEG, PNG or PDF, 4 MiB at most. Without it you may ride along, and not drive.",
        ),
        Field("terms", "I accept the terms of use", Kind.TICK, mandatory=True),
    ],
    "Register",
    versioned=True,
)
TERMS: Final = Form(
    [Field("text", "Terms of use", Kind.LONG, mandatory=True, len_max=TERMS_LEN_MAX)], "Put them in force"
)
ACCEPT: Final = Form([], "Accept the terms of use", versioned=True)


# ---- by mail address ----


@get("/register", seen_by=public)
async def register_page(request: AnyRequest) -> Page:
    return await drawn(request, "Register for shared vehicles", ADDRESS.with_values())


@post("/register", status_code=200, seen_by=public)
async def register(request: AnyRequest) -> Page:
    house, throttle = house_of(request), request.app.state.throttle
    address, now_s = request.client.host if request.client else "", house.portal.around.clock().mono_s

    async def deed(filled: Filled) -> Page:
        if throttle.closed(address, now_s):
            raise BadInput(WAIT)
        throttle.wrong(address, now_s)
        await registering.register(house, filled.text("email"))
        return see("/login?said=mailed")

    return await taken(request, ADDRESS, deed, "Register for shared vehicles")


# ---- by the form ----


@get("/register/{token:str}", seen_by=public)
async def application_page(request: AnyRequest, token: FromPath[str]) -> Page:
    form, terms, intro = await _application(request, token)
    return await drawn(request, "Register", form.with_values(version=terms.number), intro=intro)


@post("/register/{token:str}", status_code=200, seen_by=public, request_max_body_size=UPLOAD_BYTES_MAX)
async def apply(request: AnyRequest, token: FromPath[str]) -> Page:
    async def deed(filled: Filled) -> Page:
        if filled.secret("password") != filled.secret("again"):
            raise WrongField("again", "is not the same; type both alike")
        picture = filled.file("picture")
        application = Application(
            filled.text("name"),
            filled.text("phone"),
            filled.text("address"),
            filled.text("home_site"),
            filled.secret("password"),
            filled.version,
            picture.data if picture is not None else None,
        )
        await registering.pre_register(house_of(request), token, application)
        return see("/login?said=registered")

    form, _, intro = await _application(request, token)
    return await taken(request, form, deed, "Register", intro=intro)


async def _application(request: AnyRequest, token: str) -> tuple[Form, Terms, str]:
    house = house_of(request)
    email = await registering.confirmed(house, token)
    if email is None:
        raise NotFoundException

    def look() -> tuple[Sequence[SiteRecord], Terms | None]:
        return registering.open_sites(house), books_of(house).terms()

    sites, terms = await house.run(look)
    if terms is None or not sites:
        raise BadInput(registering.CLOSED)
    form = APPLICATION.choosing(home_site=[(one.id, f"{one.name}, {one.address}") for one in sites])
    return form, terms, f"{email} is confirmed. The terms of use are at {house.url}/terms."


# ---- one's own registration ----

_STATES: Final = {
    Registration.PRE_REGISTERED: "pre-registered; go to your car park and get your badge",
    Registration.REGISTERED: "registered",
}


@get("/registration", seen_by=SUBSCRIBER)
async def registration(request: AnyRequest) -> Page:
    house, user = house_of(request), _self(request)

    def look() -> tuple[SiteRecord | None, Terms | None]:
        sites = {one.id: one for one in house.organisations.sites()}
        return sites.get(user.home_site or ""), books_of(house).terms()

    site, terms = await house.run(look)
    state = _STATES.get(user.registration, "not registered") if user.registration else "not registered"
    return await shown(
        request,
        "registration.html",
        "My registration",
        user=user,
        state=f"{state}, user number {user.number}" if user.number else state,
        licence=_licence(user),
        site=site,
        terms=terms if user.terms_accepted_at is None else None,
        filled=ACCEPT.with_values(version=terms.number if terms is not None else 0),
    )


@post("/registration", status_code=200, seen_by=SUBSCRIBER)
async def accept(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        await registering.accept_terms(house_of(request), _self(request).id, filled.version)
        return await done(request, "/registration", "You have accepted the terms of use.")

    return await taken(request, ACCEPT, deed, "My registration")


def _self(request: AnyRequest) -> User:
    user = house_of(request).portal.allowlist.user(caller_of(request).account.user_id or "")
    if user is None or user.registration is None:
        raise NotFoundException
    return user


def _licence(user: User) -> str:
    if user.licence is None:
        return "No driving licence was shown: you may ride along."
    if user.licence.status is LicenceStatus.VALIDATED and user.licence.valid_until is not None:
        return f"Your driving licence was checked and counts until {user.licence.valid_until:%Y-%m-%d}."
    if user.licence.status is LicenceStatus.REJECTED:
        return "Your driving licence was not accepted: you may ride along."
    return "Your driving licence is looked at when you come for your badge."


# ---- terms of use ----


@get("/terms", seen_by=public)
async def terms_page(request: AnyRequest) -> Page:
    house = house_of(request)
    terms = await house.run(books_of(house).terms)
    if terms is None:
        raise NotFoundException
    return await shown(request, "terms.html", "Terms of use", terms=terms)


@get("/terms/new", seen_by=WRITERS)
async def new_terms_page(request: AnyRequest) -> Page:
    house = house_of(request)
    terms = await house.run(books_of(house).terms)
    intro = "Whoever is pre-registered is mailed, and accepts them before a badge is handed over."
    return await drawn(
        request, "Terms of use", TERMS.with_values(text=terms.text if terms is not None else ""), intro=intro
    )


@post("/terms/new", status_code=200, seen_by=WRITERS)
async def new_terms(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        actor = caller_of(request).account.name
        await registering.publish_terms(house_of(request), actor, filled.text("text"))
        return await done(request, "/terms", "These terms are in force.")

    return await taken(request, TERMS, deed, "Terms of use")


PART: Final = Part(
    [
        register_page,
        register,
        application_page,
        apply,
        registration,
        accept,
        terms_page,
        new_terms_page,
        new_terms,
    ],
    [
        Entry("/registration", "My registration", SUBSCRIBER),
        Entry("/terms/new", "Terms of use", WRITERS),
    ],
)
