"""Logging in and out, a password of one's own, a forgotten one, and the site one works for.

Every refused login is told in the same words after the same time. What is right, `house` and `accounts` say.
"""

import re
from typing import Final

from litestar import get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery

from gate_controller.errors import BadInput
from hardware_sim.portal.company import app_setup
from hardware_sim.portal.records.accounts import LOGIN_LEN_MAX
from hardware_sim.portal.records.inputs import WrongField
from hardware_sim.portal.records.passwords import PASSWORD_LEN_MAX, PASSWORD_LEN_MIN
from hardware_sim.portal.records.sessions import LIVES
from hardware_sim.portal.web.forms import Field, Filled, Form, Kind
from hardware_sim.portal.web.gatekeeper import SESSION_COOKIE, AnyRequest, anybody, public
from hardware_sim.portal.web.page import Page, Part, caller_of, done, drawn, house_of, see, shown, taken
from hardware_sim.portal.web.throttle import Throttle

ON_TO_COOKIE: Final = "slagboom_on_to"
ON_TO_LIVES_S: Final = 1800
"""Logged in within that time, whoever came by the link of a mail goes on to where it leads."""
WRONG_TRIES_MAX: Final = 30
WRONG_TRIES_PER_S: Final = 60.0
REFUSED: Final = "This name and password do not go together, or the code is used up. Nothing more can be said here."
WAIT: Final = "Too many tries from here. Wait a minute and try again."
_SAID: Final = {
    "password": "Your password is set. Log in with it now.",
    "link": "If there is such an account with an e-mail address, a link is on its way to it.",
    "out": "You are logged out.",
    "mailed": "A mail with the next steps is on its way to that address.",
    "registered": "You are pre-registered. A mail tells where to go; log in to see how things stand.",
}

LOGIN: Final = Form(
    [
        Field("name", "Name or e-mail address", mandatory=True, len_max=LOGIN_LEN_MAX, autocomplete="username"),
        Field(
            "password",
            "Password or one-time code",
            Kind.PASSWORD,
            mandatory=True,
            len_max=PASSWORD_LEN_MAX,
            autocomplete="current-password",
        ),
    ],
    "Log in",
)
NEW_PASSWORD: Final = Form(
    [
        Field(
            "password",
            "New password",
            Kind.PASSWORD,
            mandatory=True,
            len_max=PASSWORD_LEN_MAX,
            autocomplete="new-password",
            hint=f"At least {PASSWORD_LEN_MIN} characters.",
        ),
        Field(
            "again",
            "New password again",
            Kind.PASSWORD,
            mandatory=True,
            len_max=PASSWORD_LEN_MAX,
            autocomplete="new-password",
        ),
    ],
    "Set the password",
)
CHANGED_PASSWORD: Final = Form(
    [
        Field(
            "current",
            "Current password",
            Kind.PASSWORD,
            mandatory=True,
            len_max=PASSWORD_LEN_MAX,
            autocomplete="current-password",
        ),
        *NEW_PASSWORD.fields,
    ],
    NEW_PASSWORD.button,
)
FORGOTTEN: Final = Form(
    [Field("name", "Name or e-mail address", mandatory=True, len_max=LOGIN_LEN_MAX, autocomplete="username")],
    "Send the link",
)
SITE: Final = Form([Field("site", "Site", Kind.CHOICE, mandatory=True)], "Choose this site")


@get("/login", seen_by=public)
async def login_page(request: AnyRequest, said: FromQuery[str] = "") -> Page:
    return await shown(request, "login.html", "Log in", filled=LOGIN.with_values(), said=_SAID.get(said, ""))


@post("/login", status_code=200, seen_by=public)
async def login(request: AnyRequest) -> Page:
    house, throttle = house_of(request), _throttle(request)
    address, now_s = request.client.host if request.client else "", house.portal.around.clock().mono_s
    filled, status = LOGIN.read(request.state.form), 422
    if throttle.closed(address, now_s):
        filled.general, status = WAIT, 429
    elif filled.ok:
        name, secret = filled.text("name"), filled.secret("password")
        entered = await app_setup.enter(house, name, secret) or await house.log_in(name, secret)
        if entered is not None:
            path = request.cookies.get(ON_TO_COOKIE, "")
            # A path of this portal alone: "//" would begin the name of another.
            where = path if re.fullmatch(r"(/[A-Za-z0-9_-]+)+", path) else "/"
            return see(where, cookies=[_session(request, entered.token), on_to(request, "", 0)])
        throttle.wrong(address, now_s)
        filled.general, status = REFUSED, 401
    return await shown(request, "login.html", "Log in", filled=filled, said="", status=status)


@post("/logout", status_code=200, seen_by=anybody, on_the_way=True)
async def logout(request: AnyRequest) -> Page:
    house = house_of(request)
    await house.write(house.sessions.end, caller_of(request).session.digest)
    return see("/login?said=out", cookies=[_session(request, "", 0)])


@get("/password", seen_by=anybody, on_the_way=True)
async def password_page(request: AnyRequest) -> Page:
    return await drawn(request, "Set your password", _password_form(request).with_values(), intro=_why(request))


@post("/password", status_code=200, seen_by=anybody, on_the_way=True)
async def password(request: AnyRequest) -> Page:
    """Whoever sits down at somebody's open page cannot take the account over: the current one is asked for."""

    async def deed(filled: Filled) -> Page:
        house, account = house_of(request), caller_of(request).account
        if not account.must_change and not await house.is_password(account, filled.secret("current")):
            raise WrongField("current", "is not right")
        await house.set_password(account, _chosen(filled))
        return see("/login?said=password", cookies=[_session(request, "", 0)])

    return await taken(request, _password_form(request), deed, "Set your password", intro=_why(request))


def _password_form(request: AnyRequest) -> Form:
    return NEW_PASSWORD if caller_of(request).account.must_change else CHANGED_PASSWORD


def _why(request: AnyRequest) -> str:
    if caller_of(request).account.must_change:
        return "You came in with a one-time code. Choose a password of your own, then log in with it."
    return "All your sessions end with it; log in again with the new one."


def _chosen(filled: Filled) -> str:
    if filled.secret("password") != filled.secret("again"):
        raise WrongField("again", "is not the same; type both alike")
    return filled.secret("password")


@get("/forgotten", seen_by=public)
async def forgotten_page(request: AnyRequest) -> Page:
    intro = "A link to set a new one goes to the e-mail address of your account."
    return await drawn(request, "Forgotten password", FORGOTTEN.with_values(), intro=intro)


@post("/forgotten", status_code=200, seen_by=public)
async def forgotten(request: AnyRequest) -> Page:
    house, throttle = house_of(request), _throttle(request)
    address, now_s = request.client.host if request.client else "", house.portal.around.clock().mono_s

    async def deed(filled: Filled) -> Page:
        if throttle.closed(address, now_s):
            raise BadInput(WAIT)
        throttle.wrong(address, now_s)
        await house.send_link(filled.text("name"))
        return see("/login?said=link")

    return await taken(request, FORGOTTEN, deed, "Forgotten password")


@get("/password/{token:str}", seen_by=public)
async def link_page(request: AnyRequest, token: FromPath[str]) -> Page:
    await _of_link(request, token)
    return await drawn(request, "Set your password", NEW_PASSWORD.with_values())


@post("/password/{token:str}", status_code=200, seen_by=public)
async def link(request: AnyRequest, token: FromPath[str]) -> Page:
    async def deed(filled: Filled) -> Page:
        house = house_of(request)
        account = await house.run(house.accounts.by_link, token, house.now())
        if account is None:
            raise BadInput(_DEAD_LINK)
        await house.set_password(account, _chosen(filled))
        return see("/login?said=password")

    return await taken(request, NEW_PASSWORD, deed, "Set your password")


_DEAD_LINK: Final = "This link counts no more. Ask for another one."


async def _of_link(request: AnyRequest, token: str) -> None:
    house = house_of(request)
    if await house.run(house.accounts.by_link, token, house.now()) is None:
        raise BadInput(_DEAD_LINK)


@get("/site", seen_by=anybody, on_the_way=True)
async def site_page(request: AnyRequest) -> Page:
    form = await _site_form(request)
    now = caller_of(request).session.site
    return await drawn(
        request, "Choose the site", form.with_values(site=now), intro="Everything you do is done there."
    )


@post("/site", status_code=200, seen_by=anybody, on_the_way=True)
async def site(request: AnyRequest) -> Page:
    async def deed(filled: Filled) -> Page:
        house, caller = house_of(request), caller_of(request)
        await house.write(house.sessions.choose_site, caller.session.digest, filled.text("site"))
        return await done(request, "/", "You work for this site now.")

    return await taken(request, await _site_form(request), deed, "Choose the site")


async def _site_form(request: AnyRequest) -> Form:
    house, mine = house_of(request), caller_of(request).account.sites
    known = await house.run(house.organisations.sites)
    return SITE.choosing(site=[(one.id, one.name) for one in known if one.id in mine])


def _session(request: AnyRequest, token: str, lives_s: int = int(LIVES.total_seconds())) -> Cookie:
    secure = house_of(request).url.startswith("https:")
    return Cookie(SESSION_COOKIE, value=token, max_age=lives_s, httponly=True, samesite="lax", secure=secure)


def on_to(request: AnyRequest, path: str, lives_s: int = ON_TO_LIVES_S) -> Cookie:
    """Remembers where a mail led to until somebody has logged in."""
    secure = house_of(request).url.startswith("https:")
    return Cookie(
        ON_TO_COOKIE, value=path, path="/login", max_age=lives_s, httponly=True, samesite="lax", secure=secure
    )


def _throttle(request: AnyRequest) -> Throttle:
    throttle: Throttle = request.app.state.throttle
    return throttle


PART: Final = Part(
    [
        login_page,
        login,
        logout,
        password_page,
        password,
        forgotten_page,
        forgotten,
        link_page,
        link,
        site_page,
        site,
    ]
)
