"""The own account: written at once, never over somebody else's change, and looked at again before a badge."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import UserPut
from gate_controller.desk import LicenceStatus, Registration
from gate_controller.errors import BadInput, ListRejected, PlateError
from hardware_sim.portal.company.company import by_id
from hardware_sim.portal.fleet import my_account
from hardware_sim.portal.fleet.my_account import Mine, known_of, mark_of
from hardware_sim.portal.fleet.subscriber_books import Subscriber
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.house_rig import BEGIN, a_house
from tests.hardware_sim.portal.pool_rig import a_pool, subscriber

MINE = Mine("Sofie Bakker", "+31 6 1234 5678", "Kade 1", "north", ("98 thd 4",), "u-sofie-p")


async def a_sofie(house: House) -> None:
    await a_pool(house, "sofie", "lena")
    await house.write(known, house)


def known(house: House) -> None:
    my_account.books_of(house).put(
        Subscriber("u-sofie", "Sofie", "+31612345678", "Kade 1", 1, "mia", BEGIN),
    )


async def mark(house: House) -> str:
    return mark_of(by_id(house, "u-sofie"), await known_of(house, "u-sofie"))


async def test_what_is_written_is_in_force_at_once(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_sofie(house)
        seen = await mark(house)
        user = await my_account.edit(house, "u-sofie", seen, MINE)
        assert by_id(house, "u-sofie") == user
        assert (user.name, user.home_site, user.default_contract) == ("Sofie Bakker", "north", "u-sofie-p")
        assert [one.text for one in user.plates] == ["98THD4"]
        assert user.licence == subscriber("sofie").licence
        assert (await known_of(house, "u-sofie")).phone == "+31612345678"
        assert (await known_of(house, "u-sofie")).checked_by == "mia", "the badge was handed out long ago"
        with pytest.raises(Overtaken):
            await my_account.edit(house, "u-sofie", seen, replace(MINE, plates=()))
        assert by_id(house, "u-sofie") == user


async def test_a_manager_s_change_meanwhile_is_not_undone(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_sofie(house)
        seen = await mark(house)
        await house.portal.change([UserPut(replace(by_id(house, "u-sofie"), groups=("staff",)))])
        with pytest.raises(Overtaken):
            await my_account.edit(house, "u-sofie", seen, MINE)


@pytest.mark.parametrize("fields", [("name",), ("address",), ("phone",), ("plates",)])
async def test_before_the_badge_a_new_name_or_address_is_looked_at_again(
    tmp_path: Path, fields: Sequence[str]
) -> None:
    async with a_house(tmp_path) as house:
        await a_sofie(house)
        waits = replace(by_id(house, "u-sofie"), registration=Registration.PRE_REGISTERED)
        await house.portal.change([UserPut(waits)])
        same = Mine("Sofie", "+31612345678", "Kade 1", "north")
        changes = {"name": "Sofia", "address": "Kade 2", "phone": "+31612345679", "plates": ("98 thd 4",)}
        wanted = replace(same, **{field: changes[field] for field in fields})  # type: ignore[arg-type]
        user = await my_account.edit(house, "u-sofie", await mark(house), wanted)
        again = fields[0] in ("name", "address")
        assert ((await known_of(house, "u-sofie")).checked_by == "") is again
        assert user.licence is not None
        assert (user.licence.status is LicenceStatus.PENDING) is again


@pytest.mark.parametrize(
    ("mine", "error"),
    [
        (replace(MINE, name=" "), WrongField),
        (replace(MINE, name="a\u202eb"), WrongField),
        (replace(MINE, phone="nonsense"), WrongField),
        (replace(MINE, address="x" * 201), WrongField),
        (replace(MINE, home_site="nowhere"), WrongField),
        (replace(MINE, contract="u-lena-p"), WrongField),
        (replace(MINE, plates=("'; DROP TABLE subscriber; --",)), PlateError),
        (replace(MINE, plates=("GR-418-N",)), ListRejected),
        (replace(MINE, plates=tuple(f"M-AX {n}" for n in range(1, 22))), WrongField),
    ],
)
async def test_what_is_wrong_is_refused_whole(tmp_path: Path, mine: Mine, error: type[Exception]) -> None:
    async with a_house(tmp_path) as house:
        await a_sofie(house)
        before, seen = by_id(house, "u-sofie"), await mark(house)
        with pytest.raises(error):
            await my_account.edit(house, "u-sofie", seen, mine)
        assert (by_id(house, "u-sofie"), await mark(house)) == (before, seen)


async def test_who_is_no_subscriber_has_none(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_sofie(house)
        with pytest.raises(BadInput, match="deleted"):
            await my_account.edit(house, "u-lena", "", MINE)
