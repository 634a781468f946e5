"""A technician who puts a second edge in service: its settings, and `slagboom enrol` as it is typed on site."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from hardware_sim.portal.edges.enrolment import Desk

SERIAL: Final = "SB-2042"
ANNEX: Final = """\
[site]
name = "Annex"
time_zone = "Europe/Amsterdam"
[boards.gate]
kind = "modbus_relay8"
port = "{folder}/board"
[lanes.annex]
direction = "in"
board = "gate"
inputs = {{ approach = 1, safety = 2, closed_limit = 4, open_limit = 5 }}
outputs = {{ open = 3 }}
"""


def prepare(folder: Path) -> None:
    """The new edge as it comes out of its box, in a folder of its own."""
    folder.mkdir()
    (folder / "site.toml").write_text(ANNEX.format(folder=folder))


def keys_of(folder: Path) -> list[Path]:
    """Files with the key by which the edge believes a list."""
    files = [one for one in folder.rglob("*") if one.is_file()]
    return [one for one in files if b"root_key" in one.read_bytes()]


async def enrols(folder: Path, desk: Desk, code: str, fingerprint: str) -> tuple[int | None, str]:
    """A technician enrols the annex: how that ended, and what was said."""
    words = ["enrol", "--portal", f"https://{desk.host}:{desk.port}", "--serial", SERIAL, "--code", code]
    words += ["--fingerprint", fingerprint, "--config", str(folder / "site.toml")]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.cli", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await child.communicate()
    return child.returncode, said.decode()
