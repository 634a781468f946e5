"""What the terminal shows of a story: the list of them, and the books at the end."""

import logging
from pathlib import Path

import pytest

from hardware_sim.scenarios import STORIES
from hardware_sim.show import headline, list_stories, play, told_of_the_portal
from hardware_sim.stories.registry import SYSTEMS


def test_each_story_is_listed_with_what_happens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    list_stories(STORIES, SYSTEMS)
    shown = capsys.readouterr().out
    for name, story in STORIES.items():
        assert story.__doc__
        assert name in shown
    assert "second car waits" in shown
    assert all(system.title in shown for system in SYSTEMS.values())


def test_a_headline_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    headline("Fleet desk")
    assert capsys.readouterr().out.startswith("Fleet desk ─")


async def test_a_story_ends_with_books_that_agree_and_can_be_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await play([], tmp_path)
    capsys.readouterr()
    await play(["stranger"], tmp_path)
    shown = capsys.readouterr().out
    assert "unknown_credential" in shown
    assert "not registered here" in shown
    (rows,) = [line.split() for line in shown.splitlines() if "journal rows" in line]
    assert rows[2] == rows[3] != "0"


async def test_what_the_portal_logs_is_told_like_the_rest() -> None:
    told: list[tuple[str, str]] = []
    async with told_of_the_portal(lambda who, what: told.append((who, what))):
        logging.getLogger("sync.mqtt").warning("broker %s went away", "b")
    logging.getLogger("sync.mqtt").info("nobody hears this")
    assert told == [("portal", "broker b went away")]
