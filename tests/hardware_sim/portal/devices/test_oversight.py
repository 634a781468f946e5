"""What owner and partner see of a device: by when it happened, whenever it was told, and nobody's plate."""

from pathlib import Path

from gate_controller.facts import Direction, Refused, VehicleLeft
from gate_controller.reasons import Reason
from hardware_sim.portal.devices.devices import Devices
from hardware_sim.portal.devices.oversight import PAGE, Overview, overview
from hardware_sim.portal.partners.partners import Word
from tests.hardware_sim.portal.event_rig import ENTRY, arrives, granted
from tests.hardware_sim.portal.house_rig import Clock
from tests.hardware_sim.portal.partner_rig import a_partner, in_charge_of, linked


def told(seen: Overview) -> list[tuple[str, str, bool]]:
    return [
        (one.what, one.charge.payer if one.charge else "", bool(one.charge and one.charge.degraded))
        for one in seen.lines
    ]


async def test_the_owner_sees_all_and_a_partner_what_was_in_its_charge_also_when_it_is_told_late(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with a_partner(tmp_path, clock) as (house, partners):
        times = [clock.at]
        clock.pass_(minutes=1)
        taken = await in_charge_of(partners, await linked(partners))
        times.append(clock.at)
        clock.pass_(minutes=1)
        await partners.respond("cora", "cafe", taken.id, Word.END, "accepted")
        times.append(clock.at)
        clock.pass_(days=2)
        for number, (at, said) in enumerate(zip(times, ("cafe", "clean", "clean"), strict=True), 1):
            await arrives(house, granted(f"h-{number}", billed_to=said), at=at, first=number)
        entry = Devices(house).get("entry")
        assert entry is not None
        everything = [("granted", "cafe", True), ("granted", "clean", False), ("granted", "cafe", False)]
        assert told(await overview(house, "cafe", entry)) == everything
        assert told(await overview(house, None, entry)) == everything
        assert told(await overview(house, "clean", entry)) == [("granted", "clean", False)]
        assert told(await overview(house, "fresh", entry)) == []
        other = Devices(house).get("exit")
        assert other is not None
        assert told(await overview(house, "cafe", other)) == []


async def test_refusals_and_exits_are_seen_and_cost_nothing_and_no_plate_is_in_view(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, _):
        grant = granted(billed_to="cafe")
        refused = Refused(ENTRY, Direction.IN, Reason.FULL, "u-1", "A-17", "98THD4", grant.basis)
        leaving = granted("h-2", Direction.OUT, billed_to="cafe")
        await arrives(house, grant, refused, VehicleLeft(ENTRY), leaving)
        entry = Devices(house).get("entry")
        assert entry is not None
        seen = await overview(house, "cafe", entry)
        wanted = [("granted", ""), ("vehicle left", ""), ("refused: full", ""), ("granted", "cafe")]
        assert [(what, payer) for what, payer, _ in told(seen)] == wanted
        assert not [one for one in ("98", "THD", "A-17", "u-1") if one in str(seen)]


async def test_what_is_older_is_on_another_page_and_nothing_is_between(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, _):
        entry = Devices(house).get("entry")
        assert entry is not None
        assert await overview(house, "cafe", entry) == Overview([], None)
        many = [VehicleLeft(ENTRY)] * (PAGE + 2)
        await arrives(house, granted(), *many)
        first = await overview(house, "cafe", entry)
        assert first.older is not None
        second = await overview(house, "cafe", entry, first.older)
        assert [len(first.lines), len(second.lines), second.older] == [PAGE, 3, None]
        assert second.lines[-1].what == "granted"
