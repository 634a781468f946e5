"""Viewing codes at the pages: for staff, for whoever has one, and for whoever guesses."""

import re
import time

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web import viewing
from hardware_sim.portal.web.login import WAIT, WRONG_TRIES_MAX
from hardware_sim.portal.web.viewing import ANSWERS_AFTER_S, REFUSED, VIEW_COOKIE
from hardware_sim.stories.browser import Browser, Shown
from tests.hardware_sim.portal.web.web_rig import Served

CODE = re.compile(r"\b(?:[2-9A-Z]{4}-){3}[2-9A-Z]{4}\b")
GATES = [Device(name, DeviceKind.GATE, owner="acme") for name in ("entry", "<b>exit")]


async def staff(web: Served, name: str = "olga") -> Browser:
    await web.house.portal.change([DevicePut(one) for one in GATES])
    return await web.staff(name, Role.SUPPORT)


async def handed_over(browser: Browser, scope: str = "All sites and devices", **fill: bool) -> str:
    await browser.open("/viewing")
    await browser.follow("acme")
    await browser.follow(scope)
    page = await browser.submit("Switch on", fill)
    assert "is switched on" in page
    return code_on(await browser.submit("Read the code out"))


def code_on(page: Shown) -> str:
    (code,) = CODE.findall(page.text)
    return str(code)


async def enter(browser: Browser, code: str, token: str = "") -> Shown:
    await browser.open("/view")
    if not browser.page.forms:
        return browser.page
    return await browser.submit("Show", {"Code": code, "Token": token})


async def test_a_code_is_read_out_by_staff_and_shows_devices_without_any_form(web: Served) -> None:
    olga = await staff(web)
    code = await handed_over(olga)
    assert CODE.findall((await olga.open("/viewing/acme/code/~")).text) == [], "it is read on purpose only"
    viewer = web.browser()
    page = await enter(viewer, code)
    assert "entry" in page
    assert "<b>exit" in page
    assert "<b>" not in page.html
    assert not page.forms
    cookie = viewer.client.cookies.jar
    assert {one.path for one in cookie if one.name == VIEW_COOKIE} == {"/view"}
    for path in ("/", "/users", "/viewing", "/journal"):
        assert (await viewer.open(path)).path == "/login"
    for path in ("/viewing/acme/code/~/off", "/users", "/logout"):
        assert (await viewer.post(path, {})).path in ("/login", path)
        assert viewer.page.status != 200 or viewer.page.path == "/login"
    assert "entry" in await viewer.open("/view")


async def test_every_failure_is_told_in_the_same_words_and_no_sooner_than_any_other(web: Served) -> None:
    olga = await staff(web)
    north = await handed_over(
        olga, "north", **{"Wants the token of a device too, and shows that device alone": True}
    )
    old = await handed_over(olga)
    await olga.submit("Make a new code")
    off = code_on(await olga.submit("Read the code out"))
    await olga.submit("Switch off")
    told = set()
    for code, token in (("ABCD", ""), (old, ""), (off, ""), (north, ""), (north, "ABCD-EFGH"), ("§" * 40, "§")):
        begin = time.perf_counter()
        page = await enter(web.browser(), code, token)
        assert time.perf_counter() - begin >= ANSWERS_AFTER_S
        told.add((page.status, page.line_with(REFUSED)))
    assert len(told) == 1
    reasons = [one.detail for one in await web.house.run(web.house.audit.deeds) if one.deed == "view.refused"]
    wanted = ["code_wrong", "code_superseded", "code_revoked", "token_required", "token_mismatch", "code_wrong"]
    assert reasons[::-1] == wanted


async def test_an_open_page_ends_with_its_code(web: Served) -> None:
    olga, viewer = await staff(web), web.browser()
    assert "entry" in await enter(viewer, await handed_over(olga))
    await olga.submit("Make a new code")
    assert "entry" not in await viewer.open("/view")
    again = code_on(await olga.submit("Read the code out"))
    assert "entry" in await enter(viewer, again)
    await olga.submit("Switch off")
    assert "entry" not in await viewer.open("/view")


async def test_guesses_from_one_address_are_few(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    olga = await staff(web)
    code = await handed_over(olga)
    monkeypatch.setattr(viewing, "ANSWERS_AFTER_S", 0.0)
    thief = web.browser()
    for _ in range(WRONG_TRIES_MAX):
        assert REFUSED in await enter(thief, "ABCD")
    assert WAIT in await enter(thief, code)
    web.clock.pass_(seconds=61)
    assert "entry" in await enter(thief, code)


async def test_a_token_is_shown_once(web: Served) -> None:
    olga = await staff(web)
    await olga.open("/viewing/acme")
    await olga.follow("entry")
    page = await olga.submit("Make its token")
    token = code_on(page)
    await olga.open("/viewing/acme/device/entry")
    page = await olga.submit("Make its token")
    assert "has its token already" in page
    assert token not in page
    code = await handed_over(
        olga, "north", **{"Wants the token of a device too, and shows that device alone": True}
    )
    page = await enter(web.browser(), code, token)
    assert "entry" in page
    assert "exit" not in page


async def test_the_second_of_two_is_told_and_nothing_is_lost(web: Served) -> None:
    olga, rudi = await staff(web), await web.staff("rudi", Role.OPERATOR)
    code = await handed_over(olga)
    await rudi.open("/viewing/acme/code/~")
    await olga.submit("Make a new code")
    page = await rudi.submit("Switch off")
    assert page.status == 409
    assert "somebody else changed this code meanwhile" in page
    assert code_on(await olga.submit("Read the code out")) != code


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Code is missing"),
        ({"code": "x" * 41}, "40 are the most"),
        ({"code": ["AB", "CD"]}, "came twice"),
        ({"code": "A\x00B"}, "cannot be seen"),
        ({"code": "AB", "open": "yes"}, "does not have"),
    ],
)
async def test_a_form_filled_in_wrongly_is_told(web: Served, fields: dict[str, str | list[str]], told: str) -> None:
    browser = web.browser()
    await browser.open("/view")
    page = await browser.post("/view", {**browser.hidden("Show"), **fields})
    assert page.status == 422
    assert told in page


async def test_viewing_codes_are_for_staff_and_strange_paths_are_nowhere(web: Served) -> None:
    olga = await staff(web)
    for path in ("/viewing/nobody", "/viewing/acme/code/nowhere", "/viewing/acme/device/nothing"):
        assert (await olga.open(path)).status == 404, path
    frida = await web.staff("frida", Role.FLEET_MANAGER, Role.CLERK, Role.PARTNER)
    await olga.open("/viewing/acme/code/~")
    for path in ("/viewing", "/viewing/acme", "/viewing/acme/code/~", "/viewing/acme/device/entry"):
        assert (await frida.open(path)).status == 404, path
    await frida.open("/password")
    hidden = frida.hidden("Set the password")
    for deed in ("on", "new", "off", "read"):
        page = await frida.post(f"/viewing/acme/code/~/{deed}", hidden)
        assert page.status == 404, deed
    assert not [*web.house.portal.allowlist.view_codes()]
    (entry,) = viewing.PART.entries
    assert entry.seen_by is viewing.STAFF
