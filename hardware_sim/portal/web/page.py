"""Pages: what every page shares, and the few shapes that most of them have: a list, a form, a table of facts.

Everything is escaped by the templates; nothing that a person typed is ever marked as safe. A subject's pages are a
`Part`: its handlers, and its entries in the menu.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from markupsafe import Markup

from gate_controller.allowlist import User
from gate_controller.errors import BadInput, ListRejected, PortalError
from hardware_sim.portal.house import House
from hardware_sim.portal.operator import people
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.web.forms import CSRF_FIELD, VERSION_FIELD, Filled, Form, told
from hardware_sim.portal.web.gatekeeper import SEAL_COOKIE, AnyRequest, Caller, Rule, csrf_of, seal_of

Page = Response[str]
USERS_MAX: Final = 500
"""Users on one page."""
_SEAL_LIVES_S: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu, for whom the rule lets see it."""

    path: str
    title: str
    seen_by: Rule


@dataclass(frozen=True, slots=True)
class Part:
    """The pages of one subject."""

    handlers: Sequence[HTTPRouteHandler]
    entries: Sequence[Entry] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A cell of a table, or an action, that leads somewhere."""

    text: str
    path: str


def house_of(request: AnyRequest) -> House:
    """The house that these pages are of."""
    house: House = request.app.state.house
    return house


def caller_of(request: AnyRequest) -> Caller:
    """Who asks; for handlers that are not public."""
    caller: Caller = request.state.caller
    return caller


def qr(text: str) -> Markup:
    """A QR code as a picture within the page."""
    drawn: str = segno.make(text, error="m", micro=False).svg_inline(scale=5, border=4)
    return Markup(drawn)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("hardware_sim.portal.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(qr=qr, CSRF_FIELD=CSRF_FIELD, VERSION_FIELD=VERSION_FIELD)
    made.tests["link"] = lambda value: isinstance(value, Link)
    return made


_TEMPLATES: Final = _environment()


def page(request: AnyRequest, template: str, title: str, *, status: int = 200, **context: Any) -> Page:
    """A page from a template, with the menu of whoever asks."""
    caller: Caller | None = request.state.get("caller")
    entries: Sequence[Entry] = request.app.state.entries
    ready = caller is not None and not caller.account.must_change
    text = _TEMPLATES.get_template(template).render(
        title=title,
        caller=caller,
        menu=[entry for entry in entries if caller is not None and ready and entry.seen_by(caller)],
        here=request.url.path,
        csrf=csrf_of(request),
        notice=caller.session.notice if caller is not None else None,
        tz=request.app.state.tz,
        **context,
    )
    secure = house_of(request).url.startswith("https:")
    seal = Cookie(
        SEAL_COOKIE, value=seal_of(request), max_age=_SEAL_LIVES_S, httponly=True, samesite="lax", secure=secure
    )
    return Response(text, media_type="text/html", status_code=status, cookies=[seal])


async def shown(request: AnyRequest, template: str, title: str, *, status: int = 200, **context: Any) -> Page:
    """The same, and the notice of the last deed is told once."""
    answer = page(request, template, title, status=status, **context)
    caller: Caller | None = request.state.get("caller")
    if caller is not None and caller.session.notice is not None:
        house = house_of(request)
        await house.write(house.sessions.notice, caller.session.digest, None)
    return answer


async def listed(
    request: AnyRequest,
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    intro: str = "",
    actions: Sequence[Link] = (),
    begins: str | None = None,
) -> Page:
    """A table; cells are texts, numbers, times (told at the site) or Links. `begins` is what was looked for."""
    return await shown(
        request, "list.html", title, heads=heads, rows=rows, intro=intro, actions=actions, begins=begins
    )


async def users_beginning(request: AnyRequest, begins: str) -> tuple[list[User], str]:
    """The first users whose external id begins so, and words on those that are not among them."""
    house = house_of(request)
    found, all_ = await asyncio.to_thread(people.beginning, house.portal.allowlist, begins, USERS_MAX)
    return found, "" if len(found) == all_ else f"These are the first {len(found)} of {all_}; look for the others."


async def drawn(request: AnyRequest, title: str, filled: Filled, *, intro: str = "", status: int = 200) -> Page:
    """A form, which is sent to the page's own path."""
    return await shown(request, "form.html", title, filled=filled, intro=intro, status=status)


async def taken(
    request: AnyRequest,
    form: Form,
    deed: Callable[[Filled], Awaitable[Page]],
    title: str,
    *,
    intro: str = "",
) -> Page:
    """Read a form and do the deed, or draw the form again with what was typed and what is wrong.

    The deed says that something is wrong by raising BadInput, best a WrongField, before it has changed anything.
    """
    filled, status = form.read(request.state.form), 422
    if filled.ok:
        try:
            return await deed(filled)
        except WrongField as error:
            told({error.field: error.problem}, filled)
        except Overtaken as error:
            told(f"{error}. What you typed is still below, and was not written.", filled)
            status = 409
        except (BadInput, ListRejected, PortalError) as error:
            told(str(error), filled)
    return await drawn(request, title, filled, intro=intro, status=status)


async def done(request: AnyRequest, path: str, notice: str) -> Page:
    """Go on to another page, which tells that it is done."""
    house, caller = house_of(request), caller_of(request)
    await house.write(house.sessions.notice, caller.session.digest, notice)
    return see(path)


def see(path: str, **more: Any) -> Page:
    """Go on to another page."""
    return Response("", media_type="text/html", status_code=303, headers={"Location": path}, **more)


def at_site(at: datetime | str | None, tz: ZoneInfo) -> str:
    """A time as people at the site say it."""
    if not at:
        return ""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{moment.astimezone(tz):%Y-%m-%d %H:%M:%S}"


_TEMPLATES.filters["at_site"] = at_site
_TEMPLATES.tests["time"] = lambda value: isinstance(value, datetime)
