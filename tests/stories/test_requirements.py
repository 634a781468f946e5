"""Every one of the 69 requirements has a story that proves it."""

import runpy
import subprocess
import sys
from pathlib import Path

from hardware_sim.scenarios import PROVES, STORIES
from hardware_sim.stories.registry import SYSTEMS

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = runpy.run_path(str(ROOT / "docs" / "requirements_page.py"))
ALL = set(range(1, 70))


def test_each_number_stands_once() -> None:
    numbers = [number for meanings in PAGE["MEANING"].values() for number in meanings]
    assert sorted(numbers) == sorted(ALL)


def test_each_is_proven() -> None:
    proven = frozenset().union(*(story.proves for story in SYSTEMS.values()), *PROVES.values())
    assert proven == ALL, f"without a story: {sorted(ALL - proven)}; no requirement: {sorted(proven - ALL)}"


def test_stories_are_named_once_and_each_step_says_what_it_does() -> None:
    assert not {*STORIES} & {*SYSTEMS}
    assert {*PROVES} <= {*STORIES}
    for name, story in SYSTEMS.items():
        assert story.name == name
        assert story.steps
        assert all(step.says and step.act for step in story.steps)


SKIPPED = """
import pytest

@pytest.mark.proves(3)
def test_it():
    pytest.skip("not today")
"""


def test_a_skipped_proof_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport\n")
    (tmp_path / "test_skipped.py").write_text(SKIPPED)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, "--rootdir", str(ROOT), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout
    assert "was skipped" in done.stdout
