"""Viewing codes at the portal: sealed, generations, ends at once, and what a view shows."""

from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.codes import View, secret_digest
from gate_controller.delegation import Device, DeviceKind
from gate_controller.errors import BadInput, PortalError
from gate_controller.reasons import Reason
from hardware_sim.portal.devices.viewing import Viewing, code_id, mark_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.portal.records.sealing import KEY_FILE
from tests.hardware_sim.portal.house_rig import a_house

ALL, NORTH, SOUTH = code_id("acme", None), code_id("acme", "north"), code_id("acme", "south")
ENTRY = Device("entry", DeviceKind.GATE, owner="acme")
EXIT = Device("exit", DeviceKind.GATE, owner="acme", site="north")
FAR = Device("far", DeviceKind.GATE, owner="acme", site="south")
STRANGE = Device("strange", DeviceKind.GATE, owner="other")


async def a_viewing(house: House) -> Viewing:
    await house.write(house.organisations.put_site, SiteRecord("south", "South", None, "UTC", ""))
    await house.portal.change([DevicePut(one) for one in (ENTRY, EXIT, FAR, STRANGE)])
    return Viewing(house)


def mark(house: House, code: str) -> str:
    return mark_of(house.portal.allowlist.view_code(code))


async def on(house: House, viewing: Viewing, site: str | None, *, token: bool = False) -> str:
    code = code_id("acme", site)
    await viewing.switch_on("olga", "acme", site, token, mark(house, code))
    return await viewing.read("olga", code)


def shown(viewing: Viewing, code: str, token: str = "") -> list[str]:
    view = viewing.opened(code, token)
    assert isinstance(view, View), view
    return [one.id for one in viewing.devices(view)]


async def begun(viewing: Viewing, code: str, token: str = "") -> str:
    session = await viewing.begin(viewing.opened(code, token))
    assert session is not None
    return session


async def test_codes_of_customer_and_sites_live_side_by_side_and_decide_what_is_seen(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        assert not [*house.portal.allowlist.view_codes()], "off until somebody switches it on"
        everything, north, south = [await on(house, viewing, site) for site in (None, "north", "south")]
        assert shown(viewing, everything) == ["entry", "exit", "far"]
        assert shown(viewing, north.lower().replace("-", " ")) == ["entry", "exit"]
        assert shown(viewing, south) == ["far"]


async def test_a_code_is_sealed_here_and_a_digest_on_the_list_and_each_reading_is_written_down(
    tmp_path: Path,
) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        text = await on(house, viewing, None)
        code = house.portal.allowlist.view_code(ALL)
        assert code is not None
        assert code.digest == secret_digest(text)
        everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        for form in (text, text.replace("-", ""), text.replace("-", "").lower()):
            assert form.encode() not in everything
        deeds = await house.run(house.audit.deeds, ALL)
        assert [one.deed for one in deeds] == ["view_code.read", "view_code.switched_on"]
        assert all(one.actor == "olga" and text not in one.detail for one in deeds)
        assert await house.run(house.mailbox.letters) == []
        (tmp_path / "keys" / KEY_FILE).unlink()
        with pytest.raises(PortalError, match="another key"):
            await viewing.read("olga", ALL)


async def test_a_token_is_made_once_and_narrows_the_view_to_its_device(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        token, far = [await viewing.make_token("olga", one) for one in ("entry", "far")]
        assert token != far
        listed = house.portal.allowlist.device("entry")
        assert listed is not None
        assert listed.token == secret_digest(token)
        with pytest.raises(Overtaken, match="has its token already"):
            await viewing.make_token("olga", "entry")
        with pytest.raises(BadInput, match="no device"):
            await viewing.make_token("olga", "nowhere")
        code = await on(house, viewing, "north", token=True)
        assert shown(viewing, code, token) == ["entry"]
        assert viewing.opened(code, "") is Reason.TOKEN_REQUIRED
        assert viewing.opened(code, far) is Reason.TOKEN_MISMATCH
        with pytest.raises(WrongField, match="for the code of a site"):
            await viewing.switch_on("olga", "acme", None, True, "none")
        assert shown(viewing, await on(house, viewing, None)) == ["entry", "exit", "far"]


async def test_a_new_code_ends_the_old_one_and_its_views_and_no_other(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        north, south = [await on(house, viewing, site) for site in ("north", "south")]
        mine, theirs = await begun(viewing, north), await begun(viewing, south)
        await viewing.regenerate("olga", NORTH, mark(house, NORTH))
        assert await viewing.view(mine) is None
        assert await viewing.view(theirs) is not None
        assert viewing.opened(north, "") is Reason.CODE_SUPERSEDED
        newer = await viewing.read("olga", NORTH)
        assert newer != north
        again = await begun(viewing, newer)
        await viewing.switch_off("olga", NORTH, mark(house, NORTH))
        assert await viewing.view(again) is None
        assert viewing.opened(newer, "") is Reason.CODE_REVOKED
        assert viewing.opened(south, "") == await viewing.view(theirs)
        with pytest.raises(Overtaken, match="switched off"):
            await viewing.read("olga", NORTH)
        third = await on(house, viewing, "north")
        code = house.portal.allowlist.view_code(NORTH)
        assert code is not None
        assert (code.generation, third in (north, newer)) == (3, False)


async def test_whoever_changes_second_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        await on(house, viewing, None)
        old = mark(house, ALL)
        await viewing.regenerate("olga", ALL, old)
        text = await viewing.read("olga", ALL)
        before = house.portal.allowlist.revision
        for late in (
            viewing.regenerate("rudi", ALL, old),
            viewing.switch_off("rudi", ALL, old),
            viewing.switch_on("rudi", "acme", None, False, "none"),
            viewing.switch_on("rudi", "acme", None, False, mark(house, ALL)),
        ):
            with pytest.raises(Overtaken):
                await late
        assert house.portal.allowlist.revision == before
        assert await viewing.read("olga", ALL) == text
        with pytest.raises(BadInput):
            await viewing.switch_on("rudi", "nobody", None, False, "none")
        with pytest.raises(BadInput):
            await viewing.switch_on("rudi", "acme", "nowhere", False, "none")


async def test_a_view_is_no_login_and_a_login_is_no_view(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        token = await begun(viewing, await on(house, viewing, None))
        assert await house.who(token) is None
        account, _ = await house.add_account("test", "olga", "acme", [])
        login = await house.write(house.sessions.begin, account.holder, house.now())
        assert await viewing.view(login) is None
        assert await viewing.view("") is None


async def test_a_view_whose_code_ended_while_it_began_shows_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        viewing = await a_viewing(house)
        view = viewing.opened(await on(house, viewing, None), "")
        await viewing.switch_off("olga", ALL, mark(house, ALL))
        assert await viewing.begin(view) is None
        assert await viewing.begin(Reason.CODE_WRONG) is None
        assert (await house.run(house.audit.deeds))[0].detail == "code_wrong"
