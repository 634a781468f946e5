"""The portal's pages as one Litestar application: parts, guard, errors as pages, headers.

One line in `PARTS` adds a subject's pages. A handler that does not say for whom it is stops the start.
No page needs a script, and nothing is loaded from elsewhere.
"""

import logging
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Litestar, get
from litestar.datastructures import MutableScopeHeaders, State
from litestar.exceptions import HTTPException
from litestar.response import Response
from litestar.types import Message, Scope

from gate_controller.errors import BadInput, SlagboomError
from hardware_sim.portal.house import House
from hardware_sim.portal.web import (
    activation,
    calendar,
    company,
    credits,
    customers,
    desk,
    devices,
    login,
    my_account,
    notices,
    office,
    partners,
    pool,
    registering,
    reservations,
    shown_codes,
    start,
    stays,
    viewing,
    visitors,
)
from hardware_sim.portal.web.forms import FILE_BYTES_MAX, FORM_BYTES_MAX
from hardware_sim.portal.web.gatekeeper import AnyRequest, LogInFirst, OnTheWay, admit, public
from hardware_sim.portal.web.page import Page, Part, page, see
from hardware_sim.portal.web.throttle import Throttle

PARTS: Final[Sequence[Part]] = (
    start.PART,
    company.PART,
    stays.PART,
    activation.PART,
    calendar.PART,
    my_account.PART,
    reservations.PART,
    pool.PART,
    visitors.PART,
    shown_codes.PART,
    viewing.PART,
    registering.PART,
    desk.PART,
    credits.PART,
    partners.PART,
    customers.PART,
    notices.PART,
    devices.PART,
    office.PART,
    login.PART,
)
PARTS_LEN_MAX: Final = 200

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

log = logging.getLogger(__name__)


def make_app(house: House, tz: ZoneInfo, hosts: Sequence[str], parts: Sequence[Part] = PARTS) -> Litestar:
    """The application of one house; `hosts` are the names that browsers may call it by."""
    handlers = [style, *(handler for part in parts for handler in part.handlers)]
    for handler in handlers:
        if "seen_by" not in handler.opt:
            raise TypeError(f"{handler}: say for whom it is, with seen_by=")
    state = {
        "house": house,
        "tz": tz,
        "entries": [entry for part in parts for entry in part.entries],
        "hosts": frozenset(hosts),
        "throttle": Throttle(login.WRONG_TRIES_MAX, login.WRONG_TRIES_PER_S),
    }
    return Litestar(
        handlers,
        guards=[admit],
        before_send=[_guard_headers],
        exception_handlers={
            HTTPException: _as_page,
            SlagboomError: _as_problem,
            OverflowError: _as_absent,
            Exception: _as_bug,
        },
        request_max_body_size=FORM_BYTES_MAX,
        multipart_form_part_limit=PARTS_LEN_MAX,
        state=State(state),
        openapi_config=None,
        debug=False,
        logging_config=None,
    )


@get("/style.css", seen_by=public, media_type="text/css", sync_to_thread=False)
def style() -> Response[str]:
    text = resources.files("hardware_sim.portal.web").joinpath("style.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css", headers={"cache-control": "max-age=300"})


async def _guard_headers(message: Message, _: Scope) -> None:
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("cache-control", "no-store")


_TOLD: Final = {
    400: "This request cannot be understood.",
    403: "This is not allowed.",
    404: "There is no such page for you.",
    405: "This page takes no such request.",
    413: f"This is too much: a form holds {FORM_BYTES_MAX // 1024} KiB, a file {FILE_BYTES_MAX // 1048576} MiB.",
}


def _as_page(request: AnyRequest, error: HTTPException) -> Page:
    if isinstance(error, LogInFirst):
        return see("/login", cookies=[login.on_to(request, error.path)] if error.path else None)
    if isinstance(error, OnTheWay):
        return see(error.path)
    text = error.detail if error.status_code in (400, 403) and error.detail else _TOLD.get(error.status_code, "")
    return _problem(request, error.status_code, text or "This does not work.")


def _as_absent(request: AnyRequest, _: OverflowError) -> Page:
    """Somebody typed a number into an address that no row and no day can have."""
    return _problem(request, 404, _TOLD[404])


def _as_problem(request: AnyRequest, error: SlagboomError) -> Page:
    if isinstance(error, BadInput):
        return _problem(request, 422, str(error))
    log.warning("page %s: %s", request.url.path, error)
    return _problem(request, 503, "The portal cannot do this now. Try again in a while.")


def _as_bug(request: AnyRequest, error: Exception) -> Page:
    log.error("page %s failed", request.url.path, exc_info=error)
    return _problem(request, 500, "Something went wrong here, and it is not your fault. It has been written down.")


def _problem(request: AnyRequest, status: int, text: str) -> Page:
    titles: dict[int, Any] = {404: "Not here", 413: "Too much", 500: "Our mistake"}
    return page(request, "error.html", titles.get(status, "That did not work"), status=status, text=text)
