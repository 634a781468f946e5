"""`docs/enrolment.md` does what it says: its blocks are run as they stand, with this machine's addresses put in."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hardware_sim.broker import free_port
from tests.running_site import GATE, READY_WITHIN_S, running, until_said

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "enrolment.md").read_text()


def blocks() -> list[str]:
    return re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


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

    portal_lines, (broker_line,), (enrol_line,), (check_line, run_line) = (text.splitlines() for text in blocks())
    portal, gate = tmp_path / "portal", tmp_path / "gate"
    portal.mkdir()
    gate.mkdir()
    (gate / "site.toml").write_text(GATE)
    *begun, serve_line = map(local, portal_lines)
    told = dict(line.split(maxsplit=1) for line in "".join(called(line, portal) for line in begun).splitlines())
    config = portal / "broker" / "mosquitto.conf"
    # As root, Mosquitto would become another user, who may not look into a test's folder.
    user = "user root\n" if os.geteuid() == 0 else ""
    config.write_text(user + local(config.read_text()))
    with (
        running(portal / "portal.log", *shlex.split(serve_line)[1:]),
        program(portal / "broker.log", shlex.split(broker_line)),
    ):
        until_said(portal / "portal.log", "connected to broker")
        enrol = local(enrol_line).replace("FINGERPRINT", told["fingerprint"])
        assert f"--serial {told['serial']} " in enrol
        # The code goes where the command asks for it.
        assert "enrolled as acme.north.gatehouse" in called(enrol, gate, told["code"])
        assert "input approach" in called(check_line, gate)
        with running(gate / "gate.log", *shlex.split(run_line)[1:]):
            until_said(gate / "gate.log", "connected to broker")
            until_said(gate / "gate.log", "the portal's keys 1 are in force")


@contextmanager
def program(log: Path, words: list[str]) -> Iterator[None]:
    """A program that is not ours, with what it says in a file."""
    found = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/usr/local/sbin")
    assert found is not None, f"{words[0]} is missing"
    with log.open("w") as said:
        child = subprocess.Popen([found, *words[1:]], cwd=log.parent, stdout=said, stderr=said)
    try:
        yield
    finally:
        child.kill()
        child.wait()


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
    from hardware_sim.portal.trust.authority import CLIENT_LIVES, SERVER_LIVES
    from hardware_sim.portal.trust.registry import CODE_LIVES
    from sync.mqtt import Backoff

    assert CODE_LIVES.days == 7
    assert CLIENT_LIVES.days == 270
    assert 13 * 30 <= SERVER_LIVES.days <= 13 * 31
    assert Backoff().most_s == 300
