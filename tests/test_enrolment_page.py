"""`docs/enrolment.md` does what it says: its blocks are run as they stand, with this machine's addresses put in."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hardware_sim.broker import free_port

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "enrolment.md").read_text()
SITE = """\
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
READY_WITHIN_S = 60.0


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind == language]


@contextmanager
def running(command: list[str], folder: Path, log: str) -> Iterator[Path]:
    """A program of the page, with what it says in a file; ended when the test is done."""
    with (folder / log).open("w") as said:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        child = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, env=environment)
    try:
        yield folder / log
    finally:
        child.kill()
        child.wait()


def until_said(log: Path, wanted: str) -> str:
    deadline = time.monotonic() + READY_WITHIN_S
    while not (found := re.search(wanted, log.read_text(), re.MULTILINE)):
        assert time.monotonic() < deadline, f"{wanted!r} was not said, but:\n{log.read_text()}"
        time.sleep(0.05)
    return found.group()


def test_the_walk_through_leads_where_it_says(tmp_path: Path) -> None:
    broker_port, desk_port = free_port(), free_port()
    here = {
        "broker.example.net": "127.0.0.1",
        "portal.example.net": "127.0.0.1",
        "0.0.0.0": "127.0.0.1",
        "8883": str(broker_port),
        "8884": str(desk_port),
    }

    def local(text: str) -> str:
        for there, instead in here.items():
            text = text.replace(there, instead)
        return text

    (portal_code,) = blocks("python")
    (broker_line,), (enrol_line,), (check_line, run_line) = (block.splitlines() for block in blocks(""))
    portal, gate = tmp_path / "portal", tmp_path / "gate"
    portal.mkdir()
    gate.mkdir()
    (portal / "page.py").write_text(local(portal_code))
    (gate / "site.toml").write_text(SITE)
    with running([sys.executable, "page.py"], portal, "portal.log") as portal_log:
        serial, code, fingerprint = until_said(portal_log, r"^SB-2041 \S+ [0-9a-f]{64}$").split()
        config = portal / "broker" / "mosquitto.conf"
        deadline = time.monotonic() + READY_WITHIN_S
        while not config.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # As root, Mosquitto would become another user, who may not look into a test's folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(user + local(config.read_text()))
        program, *rest = shlex.split(broker_line)
        found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
        assert found is not None, "mosquitto is missing"
        with running([found, *rest], portal, "broker.log"):
            enrol = local(enrol_line).replace("FINGERPRINT", fingerprint)
            assert f"--serial {serial} " in enrol
            # The code goes where the command asks for it.
            assert "enrolled as acme.north.gatehouse" in called(enrol, gate, code)
            assert "input approach" in called(check_line, gate)
            command = [sys.executable, "-m", "edge.cli", *shlex.split(run_line)[1:]]
            with running(command, gate, "gate.log") as gate_log:
                until_said(gate_log, r"connected to broker")
                until_said(gate_log, r"the portal's keys 1 are in force")


def called(line: str, folder: Path, typed: str = "") -> str:
    """A command of the page that ends by itself; it must say nothing wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", *shlex.split(line)[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        input=f"{typed}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN_S,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_names_the_times_of_the_code() -> None:
    from hardware_sim.portal.authority import CLIENT_LIVES, SERVER_LIVES
    from hardware_sim.portal.registry import CODE_LIVES
    from sync.mqtt import Backoff

    assert CODE_LIVES.days == 7
    assert CLIENT_LIVES.days == 270
    assert 13 * 30 <= SERVER_LIVES.days <= 13 * 31
    assert Backoff().most_s == 300
