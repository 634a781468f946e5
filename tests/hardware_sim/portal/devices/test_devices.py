"""Devices at the portal: claimed once with the right code, copied without secrets, switched by the owner."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.codes import TRIES_MAX, secret_digest
from gate_controller.delegation import Device, DeviceKind, DeviceState
from gate_controller.errors import BadInput
from gate_controller.facts import Direction, HoldId, LaneId, Passed
from hardware_sim.portal.devices.devices import CODE_LIVES, REFUSED, Devices
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.event_rig import arrives, granted
from tests.hardware_sim.portal.house_rig import Clock, a_house
from tests.hardware_sim.portal.partner_rig import a_partner, in_charge_of, linked


def state(house: House, name: str) -> tuple[DeviceState, str]:
    device = house.portal.allowlist.device(name)
    assert device is not None
    return device.state, device.owner


async def test_a_device_is_nobodys_until_serial_and_code_come_together_once(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, _):
        devices = Devices(house)
        code = await devices.add("olga", "yard", DeviceKind.GATE, "SB-1")
        assert state(house, "yard") == (DeviceState.UNCLAIMED, "")
        for serial, wrong in (
            ("SB-1", "ABCD-EFGH"),
            ("SB-2", code),
            ("", ""),
            ("SB-1' OR 1=1 --", code),
            ("SB-1", "\ud800"),
        ):
            with pytest.raises(BadInput, match=REFUSED):
                await devices.claim("cora", "cafe", serial, wrong)
        assert state(house, "yard") == (DeviceState.UNCLAIMED, "")
        made = await devices.claim("cora", "cafe", " SB-1 ", code.lower().replace("-", " "))
        assert made == devices.get("yard")
        assert state(house, "yard") == (DeviceState.ACTIVE, "cafe")
        with pytest.raises(BadInput, match=REFUSED):
            await devices.claim("ada", "acme", "SB-1", code)
        assert state(house, "yard") == (DeviceState.ACTIVE, "cafe")
        used = "SELECT used_at IS NOT NULL FROM device_claim"
        assert await house.run(lambda: house.portal.database.sql.execute(used).fetchall()) == [(1,)]
        kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        assert code.encode() not in kept
        assert code.replace("-", "").encode() not in kept


async def test_few_tries_and_not_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    async with a_partner(tmp_path, clock) as (house, _):
        devices = Devices(house)
        code = await devices.add("olga", "yard", DeviceKind.GATE, "SB-1")
        for _ in range(TRIES_MAX):
            with pytest.raises(BadInput, match=REFUSED):
                await devices.claim("cora", "cafe", "SB-1", "ABCD-EFGH")
        with pytest.raises(BadInput, match=REFUSED):
            await devices.claim("cora", "cafe", "SB-1", code)
        newer = await devices.add("olga", "yard", DeviceKind.GATE, "SB-1")
        clock.at += CODE_LIVES
        with pytest.raises(BadInput, match=REFUSED):
            await devices.claim("cora", "cafe", "SB-1", newer)
        refused = [one.deed for one in await house.run(house.audit.deeds, "yard")]
        assert refused.count("device.claim_refused") == TRIES_MAX + 2
        newest = await devices.add("olga", "yard", DeviceKind.GATE, "SB-1")
        for void in (code, newer):
            with pytest.raises(BadInput, match=REFUSED):
                await devices.claim("cora", "cafe", "SB-1", void)
        await devices.claim("cora", "cafe", "SB-1", newest)


async def test_of_two_who_have_the_code_one_gets_the_device(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, _):
        devices = Devices(house)
        code = await devices.add("olga", "yard", DeviceKind.GATE, "SB-1")
        said = await asyncio.gather(
            *(devices.claim(who, who, "SB-1", code) for who in ("cafe", "acme")), return_exceptions=True
        )
        (won,) = [one for one in said if isinstance(one, Device)]
        (lost,) = [one for one in said if isinstance(one, BadInput)]
        assert isinstance(lost, BadInput)
        assert state(house, "yard") == (DeviceState.ACTIVE, won.owner)


@pytest.mark.parametrize("name", ["", "two words", "../entry", "a" * 33, "~new", "<b>", "é", "a\nb", "-a"])
async def test_a_name_is_one_that_a_lane_can_have(tmp_path: Path, name: str) -> None:
    async with a_house(tmp_path) as house:
        devices = Devices(house)
        with pytest.raises(WrongField):
            await devices.add("olga", name, DeviceKind.GATE, "SB-1")
        await house.portal.change([DevicePut(Device("gate", DeviceKind.GATE, owner="cafe"))])
        with pytest.raises(WrongField):
            await devices.copy("cora", "cafe", "gate", name)


async def test_names_and_serials_are_of_one_device(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (_, __):
        devices = Devices(_)
        await devices.add("olga", "yard", DeviceKind.GATE, "SB-1")
        for name, kind, serial in (
            ("entry", DeviceKind.GATE, "SB-9"),
            ("yard", DeviceKind.DESK, "SB-1"),
            ("other", DeviceKind.GATE, "SB-1"),
            ("other", DeviceKind.GATE, ""),
            ("other", DeviceKind.GATE, "S" * 41),
            ("other", DeviceKind.GATE, "SB\u20281"),
        ):
            with pytest.raises(WrongField):
                await devices.add("olga", name, kind, serial)
        assert [one.id for one in devices.all()] == ["entry", "exit", "strange", "yard"]


async def test_a_copy_is_inactive_with_an_identity_and_no_secrets_of_its_own(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        devices = Devices(house)
        await in_charge_of(partners, await linked(partners))
        entry = devices.get("entry")
        assert entry is not None
        await house.portal.change([DevicePut(replace(entry, token=secret_digest("ABCD"), site="south"))])
        copied = await devices.copy("cora", "cafe", "entry", " yard ")
        assert copied == Device("yard", DeviceKind.GATE, DeviceState.INACTIVE, "cafe", "south", copied_from="entry")
        for owner, device, name in (("cafe", "entry", "yard"), ("cafe", "entry", "entry")):
            with pytest.raises(BadInput):
                await devices.copy("cora", owner, device, name)
        for owner in ("acme", "clean", ""):
            with pytest.raises(BadInput, match="none of yours"):
                await devices.copy("x", owner, "entry", "other")
        again = await devices.copy("cora", "cafe", "yard", "yard-2")
        assert again.copied_from == "yard"


async def test_only_its_owner_switches_a_device_and_the_second_is_told(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, _):
        devices = Devices(house)
        await devices.copy("cora", "cafe", "entry", "yard")
        await devices.add("olga", "new", DeviceKind.GATE, "SB-1")
        await devices.switch("cora", "cafe", "yard", "inactive", on=True)
        assert state(house, "yard")[0] is DeviceState.ACTIVE
        for mark in ("inactive", "active", ""):
            with pytest.raises(Overtaken):
                await devices.switch("carl", "cafe", "yard", mark, on=True)
        await devices.switch("cora", "cafe", "yard", "active", on=False)
        assert state(house, "yard")[0] is DeviceState.INACTIVE
        for owner, device in (("acme", "yard"), ("cafe", "strange"), ("", "new"), ("cafe", "nowhere")):
            with pytest.raises(BadInput, match="none of yours"):
                await devices.switch("x", owner, device, "inactive", on=True)
        old = Device("old", DeviceKind.GATE, DeviceState.RETIRED, owner="cafe")
        await house.portal.change([DevicePut(old)])
        with pytest.raises(BadInput, match="is retired"):
            await devices.switch("cora", "cafe", "old", "retired", on=True)


async def test_a_copy_takes_no_gate_that_works_from_anybody(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, _):
        out = replace(granted("a", Direction.OUT), lane=LaneId("barrier"))
        await arrives(house, out, Passed(LaneId("boom"), Direction.OUT, HoldId("a")))
        for name in ("barrier", "boom"):
            with pytest.raises(WrongField, match="works already"):
                await Devices(house).copy("cora", "cafe", "entry", name)
            assert Devices(house).get(name) is None
        await Devices(house).copy("cora", "cafe", "entry", "yard")
