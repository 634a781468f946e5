"""The stories by name, and by the system whose transcript they are."""

import pytest

from docs.requirements_page import MEANING
from hardware_sim import cli
from hardware_sim.stories.registry import BY_SYSTEM, SYSTEMS
from tests.conftest import Slagboom


def test_a_story_is_found_by_its_name() -> None:
    assert all(story.name == name for name, story in SYSTEMS.items())


@pytest.mark.parametrize("system", [*BY_SYSTEM][:5])
def test_a_systems_stories_prove_its_requirements(system: str) -> None:
    for story in BY_SYSTEM[system]:
        assert story.proves & MEANING[system].keys(), story.name


def test_the_transcripts_come_system_by_system(slagboom: Slagboom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_play_system", lambda name, folder: print(f"plays {name}"))
    told = slagboom("sim", "--systems").out
    places = [
        told.index(word) for system, found in BY_SYSTEM.items() for word in (system, f"plays {found[0].name}")
    ]
    assert places == sorted(places)
    assert all(f"plays {name}" in told for name in SYSTEMS)
