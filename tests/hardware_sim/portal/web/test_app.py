"""The application as a whole: nothing is open by mistake, errors are pages, headers are on everything."""

from zoneinfo import ZoneInfo

import pytest
from litestar import get

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.errors import StoreError
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.app import FORM_BYTES_MAX, PARTS, make_app
from hardware_sim.portal.web.gatekeeper import public
from hardware_sim.portal.web.page import Part
from tests.hardware_sim.portal.web.web_rig import Served


@get("/open")
async def unguarded() -> str:
    return "everything"


async def test_a_page_that_is_for_nobody_in_particular_stops_the_start(web: Served) -> None:
    with pytest.raises(TypeError, match="seen_by"):
        make_app(web.house, ZoneInfo("UTC"), ["127.0.0.1"], [Part([unguarded])])


PUBLIC = {
    "/login": "who is not logged in yet",
    "/forgotten": "likewise",
    "/password/{token:str}": "the link of a mail is the proof",
    "/visit/{token:str}": "the link that a guest was given is the proof",
    "/activate/{code:str}": "the link or QR code of a mail is the proof",
    "/register": "who wants to become somebody; what it does is a mail to the address that is typed",
    "/register/{token:str}": "the link of that mail is the proof",
    "/terms": "whoever is asked to accept the terms of use may read them before",
    "/app": "how to set up an app, the same for everybody",
    "/view": "a viewing code is the proof, and what it shows is only looked at",
}
"""Pages without a login, and why; whoever adds one says so here."""


def test_few_pages_are_public() -> None:
    handlers = [one for part in PARTS for one in part.handlers]
    assert {path for one in handlers if one.opt["seen_by"] is public for path in sorted(one.paths)} == {*PUBLIC}


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/style.css", "/"])
async def test_headers_are_on_everything(web: Served, path: str) -> None:
    headers = (await web.browser().open(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("max-age=300" if path == "/style.css" else "no-store")


async def test_cookies_are_not_for_scripts_and_not_for_other_sites(web: Served) -> None:
    await web.house.add_account("test", "anna", "acme", [])
    browser = web.browser()
    page = await browser.open("/login")
    (seal,) = page.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=lax"} <= {part.strip() for part in seal.split(";")}
    web.house.url = "https://portal.example.net"
    (seal,) = (await browser.open("/login")).headers.get_list("set-cookie")
    assert "Secure" in seal


async def test_a_form_that_is_too_large_is_told(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/accounts/new")
    page = await olga.post("/accounts/new", {**olga.hidden("Add the account"), "name": "x" * FORM_BYTES_MAX})
    assert page.status == 413
    assert "64 KiB" in page


async def test_what_is_not_there_is_a_page_too(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    for path in ("/nowhere", "/accounts/nobody", "/organisations/none", "/sites/none", "/mailbox/99", "/mailbox/x"):
        page = await olga.open(path)
        assert (page.status, "There is no such page" in page) == (404, True), path
    assert (await olga.post("/users", {})).status == 405


async def test_a_fault_of_ours_says_nothing_of_the_inside(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await web.staff("olga", Role.OPERATOR)

    def sick(*_: object) -> None:
        raise StoreError("portal.db: no space left")

    def bug(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    house: House = web.house
    for broken, status in ((sick, 503), (bug, 500)):
        monkeypatch.setattr(house.mailbox, "letters", broken)
        page = await olga.open("/mailbox")
        assert page.status == status
        assert not [word for word in ("portal.db", "secret", "Traceback", "ZeroDivision") if word in page.html]


async def test_a_number_that_no_row_has_is_no_mistake_of_ours(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await web.house.portal.change([DevicePut(Device("entry", DeviceKind.GATE))])
    for path in (f"/devices/entry?before={10**30}", f"/mailbox/{10**30}"):
        assert (await olga.open(path)).status == 404, path
