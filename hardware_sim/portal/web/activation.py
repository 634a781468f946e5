"""Phone apps: what staff see and ask for, one user at a time, and what the driver does on the phone."""

from typing import Final

from litestar import get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from gate_controller.codes import TRIES_MAX, OneTimeCode
from gate_controller.credentials import CredentialState
from gate_controller.errors import BadInput
from hardware_sim.portal.company import activation, app_setup, readiness
from hardware_sim.portal.company.activation import Seen, Stage
from hardware_sim.portal.company.app_setup import CONSENTS, NEWS, PRIVACY
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import EMAIL_LEN_MAX
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import AnyRequest, public, roles
from hardware_sim.portal.web.page import (
    Entry,
    Link,
    Page,
    Part,
    caller_of,
    done,
    house_of,
    shown,
    taken,
    users_beginning,
)

STAFF: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER, Role.CLERK)
DRIVERS: Final = roles(Role.DRIVER)
ASK: Final = Form(
    [
        Field("email", "E-mail address", Kind.EMAIL, mandatory=True, len_max=EMAIL_LEN_MAX),
        Field("phone", "Telephone", Kind.PHONE, mandatory=True, hint="The code goes there, as an SMS."),
        Field("sites", "Sites that serve this user", Kind.CHOICES, mandatory=True),
    ],
    "Activate the app of this user",
    versioned=True,
)
BUTTONS: Final = {
    "code": Form([], "Send another code"),
    "guide": Form([], "Mail how to set it up"),
    "withdraw": Form([], "Withdraw the app"),
}
CONSENT: Final = Form(
    [Field(what, text, Kind.TICK, mandatory=what == PRIVACY) for what, text in CONSENTS.items()], "I agree"
)
SITE: Final = Form([Field("site", "Site", Kind.CHOICE, mandatory=True)], "Choose this site")
DISAGREE: Final = {
    PRIVACY: Form([], "I agree to the privacy notice no more, and want no app"),
    NEWS: Form([], "I want no more news"),
}


# ---- staff ----


@get("/apps", seen_by=STAFF)
async def apps(request: AnyRequest, begins: FromQuery[str] = "") -> Page:
    users, intro = await users_beginning(request, begins)
    rows = [
        (Link(one.external_id, f"/apps/{one.id}"), one.app.value if one.app is not None else Stage.NONE.value)
        for one in users
    ]
    checks = await readiness.checks(house_of(request))
    return await shown(request, "apps.html", "Apps", checks=checks, rows=rows, intro=intro, begins=begins)


@get("/apps/{user_id:str}", seen_by=STAFF)
async def dialog(request: AnyRequest, user_id: FromPath[str]) -> Page:
    house, seen = house_of(request), await _seen(request, user_id)
    asks = seen.user.app not in (CredentialState.PENDING, CredentialState.ACTIVE)
    form = await _ask_form(request)
    (only, *more) = form.fields[-1].choices
    filled = form.with_values(
        version=seen.mark, email=seen.kept.email, phone=seen.kept.phone, sites=[] if more else [only[0]]
    )
    return await shown(
        request,
        "app.html",
        f"App of {seen.user.external_id}",
        seen=seen,
        checks=await readiness.checks(house),
        code=_code_told(seen.kept.code, request),
        guide=activation.guide(house),
        link=f"{house.url}/app",
        filled=filled if asks else None,
        actions=[(f"/apps/{user_id}/{name}", BUTTONS[name].with_values()) for name in _actions(seen)],
        agreed=_agreed(seen),
    )


@post("/apps/{user_id:str}", status_code=200, seen_by=STAFF)
async def ask(request: AnyRequest, user_id: FromPath[str]) -> Page:
    await _seen(request, user_id)

    async def deed(filled: Filled) -> Page:
        caller = caller_of(request)
        await activation.ask_for(
            house_of(request),
            caller.account.name,
            user_id,
            filled.mark,
            filled.text("email"),
            filled.text("phone"),
            filled.several("sites"),
            caller.session.site or "",
        )
        return await done(request, f"/apps/{user_id}", "The app is asked for. Plates and badges count meanwhile.")

    return await taken(request, await _ask_form(request), deed, "Activate an app")


@post("/apps/{user_id:str}/{action:str}", status_code=200, seen_by=STAFF)
async def act(request: AnyRequest, user_id: FromPath[str], action: FromPath[str]) -> Page:
    await _seen(request, user_id)
    if action not in BUTTONS:
        raise NotFoundException()
    house, actor = house_of(request), caller_of(request).account.name

    async def deed(_: Filled) -> Page:
        match action:
            case "code":
                await activation.send_code(house, actor, user_id)
                told = "Another code is on its way; the one before counts no more."
            case "guide":
                mailed = await activation.mail_guide(house, actor, user_id)
                told = "It is mailed." if mailed else NOT_MAILED
            case _:
                await activation.withdraw(house, actor, user_id)
                told = "The app is withdrawn. A pass that was shown before is over within 90 seconds."
        return await done(request, f"/apps/{user_id}", told)

    return await taken(request, BUTTONS[action], deed, BUTTONS[action].button)


NOT_MAILED: Final = "Nothing is mailed, for there is no e-mail address: let the driver scan the QR code here."


def _actions(seen: Seen) -> list[str]:
    waits = seen.user.app is CredentialState.PENDING
    code = waits and seen.kept.code is not None and seen.kept.account is not None and seen.kept.account.must_change
    has = seen.user.app in (CredentialState.PENDING, CredentialState.ACTIVE)
    return [*(["code"] if code else []), "guide", *(["withdraw"] if has else [])]


def _code_told(code: OneTimeCode | None, request: AnyRequest) -> str:
    if code is None:
        return ""
    if code.used_at is not None:
        return "The code was used."
    if code.tries >= TRIES_MAX:
        return "The code was tried too often and counts no more: send another."
    if house_of(request).now() >= code.expires_at:
        return "The code is over: send another."
    return f"A code was sent; {code.tries} of {TRIES_MAX} wrong tries."


def _agreed(seen: Seen) -> list[tuple[object, ...]]:
    rows = seen.kept.consents
    return [(CONSENTS.get(one.purpose, one.purpose), one.version, one.at, one.withdrawn_at) for one in rows]


async def _ask_form(request: AnyRequest) -> Form:
    house = house_of(request)
    return ASK.choosing(sites=[(one.id, one.name) for one in await house.run(house.organisations.sites)])


async def _seen(request: AnyRequest, user_id: str) -> Seen:
    try:
        return await activation.look(house_of(request), user_id)
    except BadInput:
        raise NotFoundException from None


# ---- the driver ----


@get("/app", seen_by=public)
async def guide(request: AnyRequest) -> Page:
    steps = activation.guide(house_of(request))[1:]
    return await shown(request, "app_guide.html", "Set up your app", steps=steps)


@get("/phone", seen_by=DRIVERS)
async def phone(request: AnyRequest) -> Page:
    seen = await _mine(request)
    agreed = _agrees(seen)
    kept, waits = seen.kept, seen.user.app is CredentialState.PENDING
    has = waits or seen.user.app is CredentialState.ACTIVE
    site = kept.app.site if kept.app is not None else None
    standing = {one.purpose for one in kept.consents if one.stands}
    return await shown(
        request,
        "phone.html",
        "My app",
        seen=seen,
        active=seen.user.app is CredentialState.ACTIVE,
        consent=CONSENT.with_values() if has and kept.app is not None and not agreed else None,
        choose=(await _site_form(request, seen)).with_values(site=site) if has and agreed else None,
        site=site,
        agreed=_agreed(seen),
        disagree=[
            (f"/phone/consent/{what}", form.with_values()) for what, form in DISAGREE.items() if what in standing
        ],
    )


@post("/phone/consent", status_code=200, seen_by=DRIVERS)
async def consent(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        agreed = [what for what in CONSENTS if filled.ticked(what)]
        await app_setup.agree(house_of(request), caller_of(request).account, agreed)
        return await done(request, "/phone", "Thank you. Last of all, choose your site.")

    return await taken(request, CONSENT, deed, "My app")


@post("/phone/consent/{purpose:str}", status_code=200, seen_by=DRIVERS)
async def disagree(request: AnyRequest, purpose: FromPath[str]) -> Page:
    if purpose not in DISAGREE:
        raise NotFoundException()

    async def deed(_: Filled) -> Page:
        await app_setup.disagree(house_of(request), caller_of(request).account, purpose)
        return await done(request, "/phone", "That is written down.")

    return await taken(request, DISAGREE[purpose], deed, "My app")


@post("/phone/site", status_code=200, seen_by=DRIVERS)
async def choose_site(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        await app_setup.choose_site(house_of(request), caller_of(request).account, filled.text("site"))
        return await done(request, "/phone", "Your app is set up.")

    return await taken(request, await _site_form(request, await _mine(request)), deed, "My app")


def _agrees(seen: Seen) -> bool:
    return any(one.purpose == PRIVACY and one.stands for one in seen.kept.consents)


async def _mine(request: AnyRequest) -> Seen:
    return await _seen(request, caller_of(request).account.user_id or "")


async def _site_form(request: AnyRequest, seen: Seen) -> Form:
    house, mine = house_of(request), seen.kept.app.sites if seen.kept.app is not None else ()
    known = await house.run(house.organisations.sites)
    return SITE.choosing(site=[(one.id, one.name) for one in known if one.id in mine])


PART: Final = Part(
    [apps, dialog, ask, act, guide, phone, consent, disagree, choose_site],
    [Entry("/apps", "Apps", STAFF), Entry("/phone", "My app", DRIVERS)],
)
