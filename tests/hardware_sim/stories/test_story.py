"""A story's frame: steps in order, what they prove together, and a failure in words."""

from pathlib import Path
from typing import cast

import pytest

from hardware_sim.simulated_site import SimulatedSite, StoryFailed
from hardware_sim.stories.story import Stage, Story, must


class Told:
    """As much of a site as a story without gates needs."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, who: str, what: str) -> None:
        self.lines.append(f"{who}: {what}")


async def test_steps_are_played_in_order_and_share_their_notes(tmp_path: Path) -> None:
    story, told = Story("tale", "A tale"), Told()

    @story.step("First.", proves=[3, 5])
    async def first(stage: Stage) -> None:
        stage.notes["seen"] = 1

    @story.step("Second.")
    async def second(stage: Stage) -> None:
        stage.say("anna", f"saw {stage.notes['seen']}")

    await story.play(cast(SimulatedSite, told))
    assert told.lines == ["story: 1. First.  [3, 5]", "story: 2. Second.", "anna: saw 1"]
    assert story.proves == {3, 5}


async def test_a_step_that_fails_ends_the_story() -> None:
    story, told = Story("tale", "A tale"), Told()

    @story.step("First.")
    async def first(stage: Stage) -> None:
        must(False, "the sky was expected green")

    @story.step("Second.")
    async def second(stage: Stage) -> None: ...

    with pytest.raises(StoryFailed, match="green"):
        await story.play(cast(SimulatedSite, told))
    assert told.lines == ["story: 1. First."]
