"""The stories by name."""

from hardware_sim.stories.registry import SYSTEMS


def test_a_story_is_found_by_its_name() -> None:
    assert all(story.name == name for name, story in SYSTEMS.items())
