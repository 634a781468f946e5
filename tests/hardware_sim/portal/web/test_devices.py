"""Devices at the pages: who sees which, and every form with what cannot be."""

import re
from pathlib import Path

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind, DeviceState
from hardware_sim.portal.partners.partners import Word
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.devices import CLAIM, COPY, NEW
from hardware_sim.stories.browser import Browser, Shown
from tests.hardware_sim.portal.partner_rig import in_charge_of, linked
from tests.hardware_sim.portal.web.partner_pages import Cast, a_cast

CODE = re.compile(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b")
Fields = dict[str, str | list[str]]
WRONG_NEW: list[tuple[Fields, str]] = [
    ({}, "Name is missing"),
    ({"name": "yard", "serial": "SB-1"}, "Kind is missing"),
    ({"name": "yard", "kind": "tank", "serial": "SB-1"}, "is none of the choices"),
    ({"name": ["yard", "yard"], "kind": "gate", "serial": "SB-1"}, "fill it in once"),
    ({"name": "y" * 5000, "kind": "gate", "serial": "SB-1"}, "Name"),
    ({"name": "<b>yard", "kind": "gate", "serial": "SB-1"}, "is none for a lane or desk"),
    ({"name": "entry", "kind": "gate", "serial": "SB-1"}, "is that of another device"),
    ({"name": "yard", "kind": "gate", "serial": "S\x001"}, "cannot be seen"),
    ({"name": "yard", "kind": "gate", "serial": "SB-1", "owner": "acme"}, "does not have"),
]
WRONG_CLAIMS: list[tuple[Fields, str]] = [
    ({}, "Serial is missing"),
    ({"serial": "SB-1"}, "One-time code is missing"),
    ({"serial": ["SB-1", "SB-1"], "code": "x"}, "fill it in once"),
    ({"serial": "SB-1", "code": "x" * 5000}, "One-time code"),
    ({"serial": "' OR 1=1 --", "code": "' OR 1=1 --"}, "do not go together"),
    ({"serial": "SB-1", "code": "ABCD-EFGH"}, "do not go together"),
]
WRONG_COPIES: list[tuple[Fields, str]] = [
    ({}, "Name is missing"),
    ({"name": ["a", "b"]}, "fill it in once"),
    ({"name": "n" * 5000}, "Name"),
    ({"name": "exit"}, "is that of another device"),
    ({"name": "entry"}, "cannot be a copy of itself"),
    ({"name": "../../etc"}, "is none for a lane or desk"),
    ({"name": "yard", "token": "ABCD"}, "does not have"),
]


async def sent(browser: Browser, path: str, button: str, fields: Fields) -> Shown:
    await browser.open(path)
    return await browser.post(path, {**browser.hidden(button), **fields})


async def refused(cast: Cast, browser: Browser, path: str, button: str, wrong: list[tuple[Fields, str]]) -> None:
    """None of it changes the list."""
    before = cast.web.house.portal.allowlist.revision
    for fields, told in wrong:
        page = await sent(browser, path, button, fields)
        assert (page.status, told in page) == (422, True), f"{fields}:\n{page.text}"
    assert cast.web.house.portal.allowlist.revision == before


async def test_a_device_is_added_claimed_copied_and_switched(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        olga = await cast.web.staff("olga", Role.OPERATOR)
        await olga.open("/devices")
        await olga.follow("Add a device")
        page = await olga.submit("Add the device", {"Name": "yard", "Kind": "key cabinet", "Serial": "SB-1"})
        (code,) = CODE.findall(page.text)
        assert "unclaimed" in (await olga.open("/devices")).line_with("yard")
        assert "yard" not in await cast.cora.open("/devices")
        assert (await cast.cora.open("/devices/yard")).status == 404
        await cast.cora.open("/devices")
        await cast.cora.follow("Claim a device")
        page = await cast.cora.submit("Add it to our account", {"Serial": "SB-1", "One-time code": code})
        assert "State active" in page
        assert "Café Ünal" in page
        await cast.cora.follow("Copy it")
        page = await cast.cora.submit("Copy it", {"Name": "cellar"})
        assert "State inactive" in page
        assert "Copy of yard" in page
        page = await cast.cora.submit("Activate")
        assert "State active" in page
        assert "in force at 0 of 0 edges" in page
        assert "State inactive" in await cast.cora.submit("Switch off")


async def test_what_cannot_be_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        olga = await cast.web.staff("olga", Role.OPERATOR)
        await refused(cast, olga, "/devices/~new", NEW.button, WRONG_NEW)
        await refused(cast, cast.cora, "/devices/~claim", CLAIM.button, WRONG_CLAIMS)
        await refused(cast, cast.cora, "/devices/entry/copy", COPY.button, WRONG_COPIES)


async def test_each_sees_its_own_devices_and_acts_on_them_alone(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        taken = await in_charge_of(cast.partners, await linked(cast.partners))
        page = await cast.cora.open("/devices")
        assert "Clean & Co" in page.line_with("entry")
        assert "strange" not in page
        page = await cast.paul.open("/devices")
        assert "Café Ünal" in page.line_with("entry")
        assert "exit" not in page
        assert [one.button.strip() for one in (await cast.paul.open("/devices/entry")).forms] == ["Log out"]
        for path in (
            "/devices/exit",
            "/devices/strange",
            "/devices/~new",
            "/devices/~claim",
            "/devices/entry/copy",
        ):
            assert (await cast.paul.open(path)).status == 404
        for path in ("/devices/strange", "/devices/strange/copy", "/devices/nowhere", "/devices/~new"):
            assert (await cast.cora.open(path)).status == 404
        for path in ("/devices", "/devices/entry"):
            assert (await cast.fritz.open(path)).status == 404
            assert (await cast.sven.open(path)).status == 200
        assert (await cast.cora.open("/devices/entry?before=x")).status == 400
        cast.web.clock.pass_(minutes=1)
        await cast.partners.respond("cora", "cafe", taken.id, Word.END, "accepted")
        page = await cast.paul.open("/devices/entry")
        assert "State not in your charge" in page, "what happened in its charge stays in view, and no more"
        assert "active" not in page
        hidden = {"_csrf": cast.paul.page.forms[0].controls[0].value, "_version": "active"}
        assert (await cast.paul.post("/devices/entry/switch/off", hidden)).status == 404


async def test_the_second_of_two_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        house = cast.web.house
        yard = Device("yard", DeviceKind.GATE, DeviceState.INACTIVE, owner="cafe")
        await house.portal.change([DevicePut(yard)])
        await cast.cora.open("/devices/yard")
        carl = await cast.web.staff("carl", Role.OPERATOR)
        assert (await carl.open("/devices/yard")).status == 200
        await cast.cora.submit("Activate")
        await cast.cora.open("/devices/yard")
        old = cast.cora.hidden("Switch off")
        await cast.cora.submit("Switch off")
        page = await cast.cora.post("/devices/yard/switch/off", old)
        assert page.status == 409
        assert "inactive meanwhile" in page
        assert (await cast.cora.post("/devices/yard/switch/sideways", old)).status == 404
