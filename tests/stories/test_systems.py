"""The story of every system through the real daemon, broker, database, devices and pages.

They are played by name as a person plays them, and side by side: most of a story is a car on its way.
"""

import asyncio
import sys
from dataclasses import dataclass
from typing import Final

import pytest

from hardware_sim.stories.registry import SYSTEMS

SIDE_BY_SIDE: Final = 2
WITHIN_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Played:
    """How a story ended, and everything that was told."""

    rc: int | None
    told: str


@pytest.fixture(scope="module")
def played() -> dict[str, Played]:
    async def play_all() -> dict[str, Played]:
        stages = asyncio.Semaphore(SIDE_BY_SIDE)
        return dict(zip(SYSTEMS, await asyncio.gather(*(_play(name, stages) for name in SYSTEMS)), strict=True))

    return asyncio.run(play_all())


async def _play(name: str, stages: asyncio.Semaphore) -> Played:
    async with stages:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge.cli", "sim", name,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(WITHIN_S):
                told, _ = await child.communicate()
        except TimeoutError:
            child.kill()
            told, _ = await child.communicate()
        return Played(child.returncode, told.decode())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.proves(*story.proves)) for name, story in SYSTEMS.items()]
)
def test_story(name: str, played: dict[str, Played]) -> None:
    assert played[name].rc == 0, played[name].told
    for step in SYSTEMS[name].steps:
        assert step.says in " ".join(played[name].told.split()), f"{step.says} was not told"
