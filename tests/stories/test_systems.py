"""The story of every system through the real daemon, broker, database, devices and pages."""

from pathlib import Path

import pytest

from hardware_sim.simulated_site import simulated_site
from hardware_sim.stories.registry import SYSTEMS


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.proves(*story.proves)) for name, story in SYSTEMS.items()]
)
async def test_story(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def say(who: str, what: str) -> None:
        print(f"{who}: {what}")

    story = SYSTEMS[name]
    async with simulated_site(tmp_path, say, story.cars, pages=True) as site:
        await site.start_daemon()
        await site.until_ready()
        await story.play(site)
        await site.until_delivered()
    told = capsys.readouterr().out
    assert told.count("story: ") == len(story.steps)
