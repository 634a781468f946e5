"""`slagboom demo` and `slagboom sim` as a person calls them."""

import subprocess
import sys
from pathlib import Path

from hardware_sim.cli import app
from hardware_sim.scenarios import STORIES


def slagboom(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edge.cli", *args], capture_output=True, text=True, timeout=120)


def test_both_commands_are_mounted() -> None:
    assert {command.callback.__name__ for command in app.registered_commands if command.callback} == {"demo", "sim"}


def test_without_a_name_the_stories_are_listed() -> None:
    done = slagboom("sim")
    assert done.returncode == 0
    assert all(name in done.stdout for name in STORIES)


def test_an_unknown_story_names_the_known_ones() -> None:
    done = slagboom("sim", "flood")
    assert done.returncode == 2
    assert "no story 'flood'" in done.stderr
    assert "second-car" in done.stderr


def test_a_story_told_in_a_folder_leaves_its_books_there(tmp_path: Path) -> None:
    done = slagboom("sim", "badge", "--folder", str(tmp_path / "site"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Bert drives a rental today" in done.stdout
    assert "granted bert" in done.stdout
    assert (tmp_path / "site" / "slagboom.db").exists()
    assert slagboom("check-config", str(tmp_path / "site" / "site.toml")).returncode == 0


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = slagboom("sim", "badge", "--folder", str(tmp_path / "file" / "site"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "file" in done.stderr
