"""Who did what: rows that are only added, found by what they are about."""

from pathlib import Path

from hardware_sim.portal.records.audit import DETAIL_LEN_MAX
from tests.hardware_sim.portal.house_rig import BEGIN, a_house


async def test_deeds_are_kept_the_newest_first(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.write(house.audit.note, BEGIN, "olga", "user.added", "anna")
        await house.write(house.audit.note, BEGIN, "olga", "user.removed", "bert", "x" * 1000)
        second, first = await house.run(house.audit.deeds)
        assert (first.at, first.actor, first.deed, first.about) == (BEGIN, "olga", "user.added", "anna")
        assert len(second.detail) == DETAIL_LEN_MAX
        assert await house.run(house.audit.deeds, "anna") == [first]


async def test_a_deed_that_failed_leaves_no_row(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:

        def fails() -> None:
            house.audit.note(BEGIN, "olga", "user.added", "anna")
            raise ZeroDivisionError

        try:
            await house.write(fails)
        except ZeroDivisionError:
            assert await house.run(house.audit.deeds) == []
