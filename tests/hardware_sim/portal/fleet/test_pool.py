"""Pool vehicles: names and slots are their own, plates are on the list, and a reserved one stays."""

from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.errors import BadInput, ListRejected, PlateError
from hardware_sim.portal.fleet import pool, reservations
from hardware_sim.portal.fleet.pool import Vehicle, pool_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import SiteRecord
from tests.hardware_sim.portal.house_rig import a_house
from tests.hardware_sim.portal.pool_rig import a_pool, wanted

THIRD = Vehicle("KANGOO-3", "Renault Kangoo", "north", 3, 5)


async def known(house: House) -> list[Vehicle]:
    return await house.run(pool_of(house).all)


async def test_a_vehicle_is_on_the_list_with_its_plate_and_gets_in(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house)
        dacia = await house.run(pool_of(house).get, "DACIA-1")
        user = house.portal.allowlist.user(dacia.user_id)
        assert user is not None
        assert [one.text for one in user.plates] == ["GR418N"]
        assert house.portal.allowlist.permits_of(user)
        assert pool.plate_of(house, dacia) == "GR-418-N"


@pytest.mark.parametrize(
    ("vehicle", "plate", "error"),
    [
        (replace(THIRD, name=""), "HB-TU 512", WrongField),
        (replace(THIRD, name="x" * 41), "HB-TU 512", WrongField),
        (replace(THIRD, name="DACIA-1"), "HB-TU 512", WrongField),
        (replace(THIRD, model="\0"), "HB-TU 512", WrongField),
        (replace(THIRD, slot=1), "HB-TU 512", WrongField),
        (replace(THIRD, slot=0), "HB-TU 512", WrongField),
        (replace(THIRD, slot=65), "HB-TU 512", WrongField),
        (replace(THIRD, seats=0), "HB-TU 512", WrongField),
        (replace(THIRD, seats=10), "HB-TU 512", WrongField),
        (replace(THIRD, site="nowhere"), "HB-TU 512", WrongField),
        (THIRD, "'; DROP TABLE pool_vehicle; --", PlateError),
        (THIRD, "GR-418-N", ListRejected),
    ],
)
async def test_what_is_wrong_is_refused_whole(
    tmp_path: Path, vehicle: Vehicle, plate: str, error: type[Exception]
) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house)
        before, revision = await known(house), house.portal.allowlist.revision
        with pytest.raises(error):
            await pool.add(house, "frida", vehicle, plate)
        assert (await known(house), house.portal.allowlist.revision) == (before, revision)


async def test_an_edit_takes_the_reservations_along_and_the_second_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie", 24, 26))
        await house.write(house.organisations.put_site, SiteRecord("south", "South", None, "UTC", ""))
        dacia = await house.run(pool_of(house).get, "DACIA-1")
        await pool.edit(house, "frida", replace(dacia, site="south", slot=7), "HB-TU 512")
        moved = reservations.by_id(house.portal.allowlist, trip.id)
        assert (moved.site, moved.slot, moved.start) == ("south", 7, trip.start)
        assert pool.plate_of(house, dacia) == "HB-TU 512"
        for late in (
            pool.edit(house, "fred", dacia, "M-AX 1"),
            pool.edit(house, "fred", replace(dacia, slot=2), "M-AX 1"),
        ):
            with pytest.raises(BadInput):
                await late
        assert (await house.run(pool_of(house).get, "DACIA-1")).slot == 7
        assert pool.plate_of(house, dacia) == "HB-TU 512", "nothing of the second is written"


async def test_a_second_plate_survives_an_edit(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house)
        await house.portal.add_plate("DACIA-1", "M-AX 3074")
        dacia = await house.run(pool_of(house).get, "DACIA-1")
        await pool.edit(house, "frida", dacia, "GR-418-N")
        assert [one.text for one in house.portal.user("DACIA-1").plates] == ["GR418N", "MAX3074"]


async def test_a_reserved_vehicle_stays_in_the_pool(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie", 24, 26))
        with pytest.raises(BadInput, match="reserved 1 times"):
            await pool.remove(house, "frida", "DACIA-1", 1)
        await reservations.cancel(house, "sofie", trip.id, reservations.mark_of(trip, False))
        with pytest.raises(Overtaken):
            await pool.remove(house, "frida", "DACIA-1", 2)
        await pool.remove(house, "frida", "DACIA-1", 1)
        assert [one.name for one in await known(house)] == ["ZOE-2"]
        assert house.portal.allowlist.user_by_external("DACIA-1") is None
        with pytest.raises(BadInput, match="no pool vehicle"):
            await pool.remove(house, "frida", "DACIA-1", 1)
