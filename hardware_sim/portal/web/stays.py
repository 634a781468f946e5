"""Stays and invoices of the company: pages, and files for a spreadsheet. What users pay is on none of them."""

import asyncio
from typing import Final

from litestar import get
from litestar.response import Response

from gate_controller.plates import Plate
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.partners.billing import (
    INVOICE_HEADS,
    KINDS,
    Stayed,
    as_csv,
    invoice,
    invoice_csv,
    minutes,
    payable_by,
    stays,
)
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.gatekeeper import AnyRequest, roles
from hardware_sim.portal.web.page import Entry, Link, Page, Part, house_of, listed

MANAGERS: Final = roles(Role.OPERATOR, Role.FLEET_MANAGER, Role.TRAVEL_MANAGER)
EVENTS_AT_ONCE: Final = 5000
ROWS_MAX: Final = 1000
"""Of the page; the file has all."""


@get("/stays", seen_by=MANAGERS)
async def stays_page(request: AnyRequest) -> Page:
    found = await _company_pays(request)
    rows = [
        (one.external_id, Plate(one.plate).display() if one.plate else "", one.entered, one.left, one.remark)
        for one in reversed(found[-ROWS_MAX:])
    ]
    heads = ("External id", "Plate", "Entry", "Exit", "Remark")
    intro = INTRO if len(found) <= ROWS_MAX else f"{INTRO} These are the newest; the file has all {len(found)}."
    return await listed(
        request, "Stays", heads, rows, intro=intro, actions=[Link("As a spreadsheet", "/stays.csv")]
    )


@get("/stays.csv", seen_by=MANAGERS)
async def stays_file(request: AnyRequest) -> Response[str]:
    return _file("stays.csv", as_csv(await _company_pays(request), request.app.state.tz))


@get("/invoices", seen_by=MANAGERS)
async def invoices_page(request: AnyRequest) -> Page:
    rows = [
        (one.month, one.external_id, one.contract, one.stays, minutes(one.took), one.doubtful)
        for one in invoice(await _company_pays(request), request.app.state.tz)
    ]
    return await listed(
        request, "Invoices", INVOICE_HEADS, rows, intro=INTRO, actions=[Link("As a spreadsheet", "/invoices.csv")]
    )


@get("/invoices.csv", seen_by=MANAGERS)
async def invoices_file(request: AnyRequest) -> Response[str]:
    return _file("invoices.csv", invoice_csv(invoice(await _company_pays(request), request.app.state.tz)))


INTRO: Final = "What the company pays; what users pay themselves is not shown here."


def _file(name: str, text: str) -> Response[str]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


async def _company_pays(request: AnyRequest) -> list[Stayed]:
    portal, found = house_of(request).portal, list[PortalEvent]()
    while page := await portal.events(found[-1].number if found else 0, EVENTS_AT_ONCE, KINDS):
        found += page
    # Years of a big site take a while, and the gates do not wait.
    return await asyncio.to_thread(lambda: payable_by(stays(found), ""))


PART: Final = Part(
    [stays_page, stays_file, invoices_page, invoices_file],
    [Entry("/stays", "Stays", MANAGERS), Entry("/invoices", "Invoices", MANAGERS)],
)
