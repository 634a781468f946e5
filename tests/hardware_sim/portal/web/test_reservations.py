"""A subscriber's pages of reservations; what they do is test_reservations' of the portal, and the story's."""

from collections.abc import Mapping

import pytest

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.reservations import PART
from hardware_sim.stories.browser import Browser, Shown
from tests.hardware_sim.portal.pool_rig import a_pool
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

DACIA = "DACIA-1, Dacia Spring, GR-418-N, at north"
TRIP = {"Vehicle": DACIA, "From": "2026-03-02T10:00", "Until": "2026-03-02T12:00"}
"""The house's clock stands at nine, at the site."""


async def subscriber(web: Served, name: str) -> Browser:
    account, _ = await web.house.add_account("test", name, "acme", [Role.SUBSCRIBER], user_id=f"u-{name}")
    await web.house.set_password(account, PASSWORD)
    browser = web.browser()
    await browser.open("/login")
    await browser.submit("Log in", {"Name or e-mail address": name, "Password or one-time code": PASSWORD})
    return browser


async def reserves(browser: Browser, **more: str) -> Shown:
    await browser.open("/reservations/new")
    return await browser.submit("Reserve", {**TRIP, **more})


async def test_from_the_calendar_to_a_reservation_and_back(web: Served) -> None:
    await a_pool(web.house, "sofie", "lena")
    sofie, lena = await subscriber(web, "sofie"), await subscriber(web, "lena")
    await sofie.open("/reservations")
    page = await sofie.follow("Calendar")
    assert "Mon 02.03." in page
    page = await sofie.follow("reserve")
    assert page.path.startswith("/reservations/new?vehicle=v-")
    page = await sofie.submit("Reserve", TRIP)
    assert "DACIA-1 is reserved for you" in page
    path = page.path
    assert "10:00–12:00 yours" in await sofie.open("/reservations/calendar")
    assert "10:00–12:00 taken" in await lena.open("/reservations/calendar")
    page = await reserves(lena, From="2026-03-02T11:00", Until="2026-03-02T13:00")
    assert (page.status, "DACIA-1 is taken from 2026-03-02 10:00 until 2026-03-02 12:00" in page) == (409, True)
    page = await reserves(sofie, Vehicle="ZOE-2, Renault Zoe, TX-904-B, at north")
    assert "You drive DACIA-1 from" in page
    for closed in (path, f"/rides/{path.rsplit('/', 1)[-1]}", "/pool/reservations"):
        assert (await lena.open(closed)).status == 404, closed
    await sofie.open(path)
    assert "is moved" in await sofie.submit("Move the reservation", {"Until": "2026-03-04T01:00"})
    page = await lena.open("/reservations/calendar?day=2026-03-03")
    assert "00:00–24:00 taken" in page
    assert "00:00–01:00 taken" in page
    await sofie.open(path)
    assert "is cancelled" in await sofie.submit("Cancel the reservation")
    assert not [form for form in sofie.page.forms if form.button != "Log out"]


async def test_a_manager_sees_and_cancels_everybody_s(web: Served) -> None:
    await a_pool(web.house, "sofie")
    sofie, frida = await subscriber(web, "sofie"), await web.staff("frida", Role.FLEET_MANAGER)
    await reserves(sofie)
    page = await frida.open("/pool/reservations")
    assert "sofie" in page
    await frida.follow("DACIA-1")
    await sofie.submit("Move the reservation", {"Until": "2026-03-02T13:00"})
    page = await frida.submit("Cancel the reservation")
    assert (page.status, "was changed meanwhile" in page) == (409, True)
    await frida.open(page.path.removesuffix("/cancel"))
    assert "is cancelled" in await frida.submit("Cancel the reservation")


async def test_whoever_is_nobody_on_the_list_has_no_reservations(web: Served) -> None:
    assert [entry.path for entry in PART.entries] == ["/reservations"]
    staff = await web.staff("subs", Role.SUBSCRIBER)
    deleted = await subscriber(web, "ghost")
    for path in ("/reservations", "/reservations/new", "/reservations/calendar", "/rides", "/reservations/r-1"):
        assert (await staff.open(path)).status == 404, path
        assert (await deleted.open(path)).status == 404, path


@pytest.mark.parametrize(
    "bad",
    [
        {"From": ""},
        {"From": "soon"},
        {"From": "0001-01-01T00:00"},
        {"Until": "9999-12-31T23:59"},
        {"From": "2026-03-02T10:00+01:00"},
    ],
)
async def test_a_time_that_is_none_is_told(web: Served, bad: Mapping[str, str]) -> None:
    await a_pool(web.house, "sofie")
    page = await reserves(await subscriber(web, "sofie"), **bad)
    assert page.status == 422
    assert [*web.house.portal.allowlist.reservations()] == []


async def test_a_form_that_is_not_ours_does_nothing(web: Served) -> None:
    await a_pool(web.house, "sofie")
    sofie = await subscriber(web, "sofie")
    await sofie.open("/reservations/new")
    hidden = sofie.hidden("Reserve")
    good = {"vehicle": "DACIA-1", "start": "2026-03-02T10:00", "end": "2026-03-02T12:00"}
    for fields in (
        {"vehicle": ["DACIA-1", "ZOE-2"]},
        {"vehicle": "v" * 5000},
        {"vehicle": "'; DROP TABLE pool_vehicle; --"},
        {"contract": "u-lena-b"},
        {"user_id": "u-lena"},
        {"slot": "2"},
    ):
        page = await sofie.post("/reservations/new", {**hidden, **good, **fields})
        assert page.status == 422, fields
    assert [*web.house.portal.allowlist.reservations()] == []


async def test_somebody_takes_a_seat(web: Served) -> None:
    await a_pool(web.house, "sofie", "omar")
    sofie, omar = await subscriber(web, "sofie"), await subscriber(web, "omar")
    await sofie.open("/reservations/new")
    await sofie.submit("Reserve", {**TRIP, "Others may ride along": True})
    await omar.open("/rides")
    await omar.follow("DACIA-1")
    page = await omar.submit("Take a seat")
    assert "You ride along in DACIA-1" in page
    assert [form.button for form in page.forms if form.button != "Log out"] == ["Cancel the reservation"]
    assert "Riding along 1" in await sofie.open(sofie.page.path)
