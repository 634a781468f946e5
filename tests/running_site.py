"""A portal and gates without boards as processes of their own, as people start them; for tests of what they say."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 60.0

GATE = """\
[site]
name = "North"
time_zone = "Europe/Amsterdam"
[boards.gate]
kind = "modbus_relay8"
port = "none"
[readers.in]
kind = "rdm6300"
port = "none either"
lane = "entry"
[lanes.entry]
direction = "in"
board = "gate"
inputs = { approach = 1, safety = 2, closed_limit = 4 }
outputs = { open = 3 }
"""
PORTAL = """\
[portal]
host = "127.0.0.1"
port = {port}
root_key = "{root_key}"
tenant = "acme"
site = "north"
edge = "{edge}"
"""


@contextmanager
def running(log: Path, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """`slagboom ARGS` with what it says in a file; ended in good order."""
    with log.open("w") as said:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "edge.cli", *args]
        child = subprocess.Popen(command, cwd=log.parent, stdout=said, stderr=said, env=environment)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def until(met: Callable[[], object], log: Path, within_s: float = READY_WITHIN_S) -> None:
    """Wait for something that a program does; its log is told when it does not."""
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def until_said(log: Path, wanted: str) -> None:
    until(lambda: wanted in log.read_text(), log)
