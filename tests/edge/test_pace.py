"""A daemon lets in soon whoever waits; asked in a process of its own, because it holds for all of it."""

import subprocess
import sys

import pytest

from edge.pace import SWITCH_AFTER_S

STARTS = """
import gc, sys
from pathlib import Path
from edge.commands import run

run.load_config = lambda path: None
run.asyncio.run = lambda work: work.close()
print(sys.getswitchinterval(), gc.get_freeze_count())
run.run_site(Path("site.toml"))
print(sys.getswitchinterval(), gc.get_freeze_count())
"""


def test_a_daemon_keeps_pace_from_its_start() -> None:
    said = subprocess.run([sys.executable, "-c", STARTS], capture_output=True, text=True, check=True).stdout
    before, after = ([*map(float, line.split())] for line in said.splitlines())
    assert before == [0.005, 0]
    assert after[0] == pytest.approx(SWITCH_AFTER_S)
    assert after[1] > 1000
