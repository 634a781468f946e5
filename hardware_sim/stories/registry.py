"""Every story of a system by name: what `slagboom sim` plays, what the tests run, what the requirements name."""

from typing import Final

from hardware_sim.stories import (
    activation,
    company,
    credits,
    fleet,
    front_door,
    guests,
    partner,
    reservations,
    viewing,
)
from hardware_sim.stories.story import Story

_ALL: Final = (
    front_door.STORY,
    company.STORY,
    guests.STORY,
    viewing.STORY,
    fleet.STORY,
    reservations.STORY,
    credits.STORY,
    partner.STORY,
    activation.STORY,
)
SYSTEMS: Final[dict[str, Story]] = {story.name: story for story in _ALL}
