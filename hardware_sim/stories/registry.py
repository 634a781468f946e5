"""Every story of a system by name: what `slagboom sim` plays, what the tests run, what the requirements name."""

from typing import Final

from hardware_sim.stories import company, front_door, guests
from hardware_sim.stories.story import Story

SYSTEMS: Final[dict[str, Story]] = {story.name: story for story in (front_door.STORY, company.STORY, guests.STORY)}
