"""The simulated site itself: it fails in words, survives its daemon, and leaves nothing behind."""

import os
from pathlib import Path

import pytest

from edge.version import software
from gate_controller.facts import Granted
from hardware_sim.garage import ENTRY
from hardware_sim.scenarios import ANNAS_CAR, people
from hardware_sim.simulated_site import StoryFailed, simulated_site


def quiet(who: str, what: str) -> None:
    """Say nothing."""


async def test_what_does_not_happen_is_named(tmp_path: Path) -> None:
    async with simulated_site(tmp_path, quiet, []) as site:
        with pytest.raises(StoryFailed, match=r"Granted \(entry, external_id anna\) was expected within 0 s"):
            await site.expect(Granted, ENTRY, within_s=0.3, external_id="anna")
        with pytest.raises(StoryFailed, match="a miracle"):
            await site.until(lambda: False, "a miracle", within_s=0.1)


async def test_a_second_run_goes_on_with_the_books_and_the_cars_of_the_first(tmp_path: Path) -> None:
    async with simulated_site(tmp_path, quiet, [ANNAS_CAR]) as site:
        await people(site)
        await site.start_daemon()
        await site.until_ready()
        assert [edge.software for edge in await site.portal.edges()] == [software()]
        site.world.arrive(ENTRY, ANNAS_CAR)
        await site.until(lambda: site.plates_inside() == [ANNAS_CAR.plate], "Anna inside")
        await site.kill_daemon()
    async with simulated_site(tmp_path, quiet, [ANNAS_CAR]) as site:
        assert site.world.parked == (ANNAS_CAR,)
        await site.start_daemon()
        await site.until_ready()
        assert site.plates_inside() == [ANNAS_CAR.plate]
        assert not site.board.flashes
        await site.kill_daemon()
        await site.start_daemon()
        await site.until_ready()
        assert not site.board.flashes


async def test_nothing_is_left_running(tmp_path: Path) -> None:
    async with simulated_site(tmp_path, quiet, []) as site:
        await site.start_daemon()
        mine = children()
        assert len(mine) >= 2, "broker and daemon"
    assert not children() & mine


def children() -> set[int]:
    """Process ids of our direct children that live."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(entry.name))
    return found
