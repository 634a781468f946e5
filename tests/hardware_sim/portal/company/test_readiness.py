"""What must be well before apps are activated; each check fails alone, and says what to do."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hardware_sim.portal.company.readiness import CLOCK_OFF_MAX, checks, told
from hardware_sim.portal.house import House
from hardware_sim.portal.records.organisations import SiteRecord
from sync.messages import Revision
from tests.hardware_sim.portal.app_rig import make_ready, says
from tests.hardware_sim.portal.house_rig import a_house


async def failing(house: House) -> dict[str, str]:
    return {one.what: f"{one.problem}: {one.todo}" for one in await checks(house) if not one.ready}


async def test_nothing_is_ready_at_first_and_each_says_what_to_do(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        found = await failing(house)
        assert {*found} == {
            "Link to the broker", "List in force at the gates", "Clock of the gates", "E-mail address of north"
        }  # fmt: skip
        assert all(todo.partition(": ")[2] for todo in found.values())
        assert told(await checks(house)).count("; ") == len(found) - 1
        await make_ready(house)
        assert await failing(house) == {}
        assert told(await checks(house)) == ""


async def no_address(house: House) -> None:
    version = (await house.run(house.organisations.site, "north")).version
    await house.write(house.organisations.put_site, SiteRecord("north", "North", None, "UTC", "", version))


async def no_link(house: House) -> None:
    house.portal.connection = None


async def no_key(house: House) -> None:
    house.portal.keys.passes = None


OTHER = Revision("e", 9)
SPOILT: list[tuple[str, str, Callable[[House], object]]] = [
    ("E-mail address of North", "write one", no_address),
    ("Link to the broker", "start the broker", no_link),
    ("Link to the broker", "gate is away", lambda house: says(house, status="offline")),
    ("List in force at the gates", "gate has none", lambda house: says(house, list=None, trouble="x")),
    ("List in force at the gates", "(immutable_id", lambda house: says(house, list=OTHER, trouble="immutable_id")),
    ("List in force at the gates", "caught up", lambda house: says(house, stale=True)),
    ("Clock of the gates", "31 s ahead", lambda house: says(house, CLOCK_OFF_MAX + timedelta(seconds=1))),
    ("Clock of the gates", "86400 s behind", lambda house: says(house, timedelta(days=-1))),
    ("Clock of the gates", "did not tell", lambda house: says(house, said_at=None)),
    ("Clock of the gates", "that of other", lambda house: says(house, timedelta(hours=1), edge="other")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "words", "spoil"), SPOILT)
async def test_one_that_fails_is_named_alone(
    tmp_path: Path, what: str, words: str, spoil: Callable[[House], object]
) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        await spoil(house)  # type: ignore[misc]
        found = await failing(house)
        assert [*found] == [what]
        assert words in found[what]


async def test_a_clock_that_is_off_by_less_than_a_pass_bears_is_well(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        for off in (CLOCK_OFF_MAX, -CLOCK_OFF_MAX):
            await says(house, off)
            assert await failing(house) == {}
