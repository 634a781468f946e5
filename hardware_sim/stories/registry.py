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

BY_SYSTEM: Final[dict[str, tuple[Story, ...]]] = {
    "Company parking": (front_door.STORY, company.STORY),
    "Fleet desk": (fleet.STORY, reservations.STORY),
    "Partner accounts": (partner.STORY, credits.STORY),
    "App activation": (activation.STORY,),
    "Viewing codes": (viewing.STORY,),
    "Guest passes": (guests.STORY,),
}
"""Each system's transcript, in the order in which it is told; guests come on top of the five."""
SYSTEMS: Final[dict[str, Story]] = {story.name: story for stories in BY_SYSTEM.values() for story in stories}
