"""The page behind a code that a device shows: whoever stands there and is logged in has it open."""

from typing import Final

from litestar import get, post
from litestar.params import FromPath

from gate_controller.errors import PortalError
from gate_controller.reasons import DRIVER
from hardware_sim.portal.codes.shown_codes import SAID, NotOpened, ShownCodes
from hardware_sim.portal.web.forms import Filled, Form
from hardware_sim.portal.web.gatekeeper import AnyRequest, anybody
from hardware_sim.portal.web.page import Page, Part, caller_of, drawn, house_of, shown, taken

OPEN: Final = Form([], "Open")
CUT_OFF: Final = "The gate cannot be reached now. Use your plate, badge or pass."


@get("/open/{code:str}", seen_by=anybody, mailed=True)
async def code_page(request: AnyRequest, code: FromPath[str]) -> Page:
    try:
        door = await ShownCodes(house_of(request)).door(code, caller_of(request).account.user_id)
    except NotOpened as error:
        return await _told(request, _words(error), status=422)
    return await drawn(request, f"Open {door.code.lane}?", OPEN.with_values(), intro="You stand before it now.")


@post("/open/{code:str}", status_code=200, seen_by=anybody)
async def opened(request: AnyRequest, code: FromPath[str]) -> Page:
    house, account = house_of(request), caller_of(request).account

    async def deed(_: Filled) -> Page:
        try:
            result = await ShownCodes(house).open(account.name, code, account.user_id)
        except NotOpened as error:
            return await _told(request, _words(error), status=422)
        except PortalError:
            return await _told(request, CUT_OFF, status=503)
        if result.status == "refused":
            return await _told(request, f"The gate does not open: {result.detail}.", status=409)
        return await _told(request, "The gate opens.")

    return await taken(request, OPEN, deed, "Open")


def _words(error: NotOpened) -> str:
    return SAID.get(error.reason, DRIVER[error.reason])


async def _told(request: AnyRequest, text: str, status: int = 200) -> Page:
    return await shown(request, "told.html", "At the gate", status=status, text=text)


PART: Final = Part([code_page, opened])
