"""Who may see which page: asked before every handler, and closed unless a handler says for whom it is.

A handler carries `seen_by=RULE`. A page that is not for somebody is not there for them (404). Whoever must set a
password or choose a site sees only the pages that carry `on_the_way=True`. Every form is proven to come from a page
of ours, for this session.
"""

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from litestar.connection import ASGIConnection, Request
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import (
    ClientException,
    HTTPException,
    NotFoundException,
    PermissionDeniedException,
)
from litestar.handlers import BaseRouteHandler

from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Account, Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.records.sessions import Session
from hardware_sim.portal.web.forms import CSRF_FIELD, Raw, Upload

SESSION_COOKIE: Final = "slagboom_session"
SEAL_COOKIE: Final = "slagboom_seal"
FIELDS_LEN_MAX: Final = 200
HOUSE_ROLES: Final = frozenset({Role.OPERATOR, Role.SUPPORT, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER, Role.CLERK})
"""They are about everybody on the list, and so count only for accounts of the organisation whose portal this is."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]
AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in which session, and for whom."""

    account: Account
    session: Session
    organisation: Organisation

    def has(self, *roles: Role) -> bool:
        """Whether the account has one of these roles, and it counts for its organisation."""
        counting = self.account.roles if self.organisation.operator else self.account.roles - HOUSE_ROLES
        return not counting.isdisjoint(roles)


Rule = Callable[[Caller], bool]


def roles(*wanted: Role) -> Rule:
    """Seen by whoever has one of these roles."""
    return lambda caller: caller.has(*wanted)


def public(_: Caller) -> bool:
    """Seen by everybody, logged in or not."""
    return True


def anybody(_: Caller) -> bool:
    """Seen by whoever is logged in."""
    return True


class LogInFirst(HTTPException):
    """The page is for somebody who is logged in; `path` is where a mail led to, to go on to from there."""

    status_code = 401

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self.path = path


class OnTheWay(HTTPException):
    """Something is to be done first, at `path`."""

    status_code = 403

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


async def admit(connection: Connection, handler: BaseRouteHandler) -> None:
    """The guard before every handler."""
    house: House = connection.app.state.house
    if _netloc(f"//{connection.headers.get('host', '')}")[0] not in connection.app.state.hosts:
        raise ClientException("This portal is not called by this name.")
    rule: Rule = handler.opt["seen_by"]
    caller = await _caller(house, connection)
    connection.state.caller = caller
    if rule is not public and caller is None:
        raise LogInFirst(connection.url.path if handler.opt.get("mailed") else "")
    if isinstance(connection, Request) and connection.method not in _SAFE:
        connection.state.form = await read_form(connection)
        _refuse_forged(connection, connection.state.form)
    if caller is not None and rule is not public and not handler.opt.get("on_the_way"):
        if caller.account.must_change:
            raise OnTheWay("/password")
        if len(caller.account.sites) > 1 and caller.session.site is None:
            raise OnTheWay("/site")
    if caller is not None and not rule(caller):
        raise NotFoundException


async def _caller(house: House, connection: Connection) -> Caller | None:
    token = connection.cookies.get(SESSION_COOKIE, "")
    known = await house.who(token) if token else None
    if known is None:
        return None
    account, session = known
    try:
        return Caller(account, session, await house.run(house.organisations.get, account.organisation))
    except BadInput:
        return None


# ---- forms are ours ----


def seal_of(connection: Connection) -> str:
    """The browser's seal: what it sent, or a fresh one that the page must give it."""
    sent = connection.cookies.get(SEAL_COOKIE, "")
    if re.fullmatch(r"[A-Za-z0-9_-]{43}", sent):
        return sent
    if "seal" not in connection.state:
        connection.state.seal = secrets.token_urlsafe(32)
    return str(connection.state.seal)


def csrf_of(connection: Connection) -> str:
    """What a form must carry: only who holds seal and session can know it."""
    bound = f"slagboom/1 csrf\0{seal_of(connection)}\0{connection.cookies.get(SESSION_COOKIE, '')}"
    return sha256(bound.encode(errors="replace")).hexdigest()


def _refuse_forged(request: AnyRequest, raw: Raw) -> None:
    origin = request.headers.get("origin")
    if origin is not None and _netloc(origin)[1] != request.headers.get("host"):
        raise PermissionDeniedException("This form was sent from another site.")
    said = [value for name, value in raw if name == CSRF_FIELD]
    right = csrf_of(request)
    if len(said) != 1 or not isinstance(said[0], str) or not hmac.compare_digest(said[0].encode(), right.encode()):
        raise PermissionDeniedException("This page is too old. Load it again and repeat what you did.")


def _netloc(url: str) -> tuple[str | None, str]:
    """Host, and host with port; nothing of what is no address."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.netloc
    except ValueError:
        return None, ""


async def read_form(request: AnyRequest) -> Raw:
    """Names and values as they came. Raises ClientException for what is no form."""
    kind, _ = request.content_type
    try:
        if kind == RequestEncodingType.MULTI_PART:
            return [await _part(name, value) for name, value in (await request.form()).multi_items()]
        body = (await request.body()).decode()
        return list(parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_LEN_MAX, errors="strict"))
    except HTTPException:
        raise
    except Exception as error:  # what a stranger sends may break any parser, and is his mistake
        raise ClientException("This is not a form that can be read.") from error


async def _part(name: str, value: object) -> tuple[str, str | Upload]:
    if isinstance(value, UploadFile):
        return name, Upload(value.filename, await value.read())
    return name, str(value)
