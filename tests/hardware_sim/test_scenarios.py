"""Every named story through the real daemon: drawn cars, real ports, a real broker, a real portal."""

from pathlib import Path

import pytest

from hardware_sim.garage import ENTRY, EXIT
from hardware_sim.scenarios import CARS, PROVES, STORIES, people
from hardware_sim.simulated_site import simulated_site


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.proves(*PROVES.get(name, ()))) for name in STORIES]
)
async def test_story(name: str, tmp_path: Path) -> None:
    told: list[str] = []
    async with simulated_site(tmp_path, lambda who, what: told.append(f"{who}: {what}"), CARS) as site:
        await people(site)
        await site.start_daemon()
        await site.until_ready()
        await STORIES[name](site)
        await site.until(lambda: not any(site.world.scene(lane).vehicles for lane in (ENTRY, EXIT)), "empty lanes")
        await site.until_delivered()
        events = await site.portal.events(limit=100_000)
        assert sorted(event.seq for event in events) == list(range(1, site.journal_length() + 1)), told
