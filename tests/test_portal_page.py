"""`docs/portal.md` does what it says: its commands are run as they stand, with a portal and a gate at work."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from hardware_sim.broker import free_port
from tests.running_site import GATE, READY_WITHIN_S, ROOT, running, until, until_said

PAGE = (ROOT / "docs" / "portal.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind == language]


def called(line: str, folder: Path) -> str:
    """A command of the page that ends by itself; it must say nothing wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", *shlex.split(line)[1:]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN_S,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_walk_through_leads_where_it_says(tmp_path: Path) -> None:
    begin, key_lines, people, revoked, pages, gates, keys = (text.splitlines() for text in blocks(""))
    (settings,) = blocks("toml")
    init_line, serve_line = begin
    port = free_port()
    told = dict(line.split(maxsplit=1) for line in called(init_line, tmp_path).splitlines())
    gate = tmp_path / "gate"
    gate.mkdir()
    settings = settings.replace("ROOT-KEY", told["root_key"]) + f"port = {port}\n"
    (gate / "site.toml").write_text(GATE + settings)
    (tmp_path / "users.csv").write_text("external_id,plate\ndora,GR-418-N\n")
    account_line, web_line = pages
    assert "logs in with the code" in called(account_line, tmp_path)
    web = f"127.0.0.1:{free_port()}"
    serve = [*shlex.split(web_line.replace("127.0.0.1:8080", web))[1:], "--broker", f"embedded:{port}"]
    assert web_line.startswith(serve_line)
    with running(tmp_path / "portal.log", *serve):
        until_said(tmp_path / "portal.log", "connected to broker")
        until_said(tmp_path / "portal.log", f"pages at http://{web}")
        with running(gate / "gate.log", "run", "--config", "site.toml"):
            until((gate / "device.pub").exists, gate / "gate.log")
            key = (gate / "device.pub").read_text().strip()
            for line in key_lines:
                called(line.replace("$(cat device.pub)", key), tmp_path)
            until_said(gate / "gate.log", "the portal's keys 1 are in force")
            until(lambda: "newest" in called(gates[0], tmp_path), gate / "gate.log")
            *changes, users_line = people
            for line in changes:
                assert "in force on 1 of 1 edges" in called(line, tmp_path)
            listed = called(users_line, tmp_path)
            assert all(name in listed for name in ("anna", "bert", "gina", "dora"))
            for line in revoked:
                assert "void by order on gatehouse" in called(line, tmp_path)
            for line in gates:
                called(line, tmp_path)
            for line in keys:
                called(line, tmp_path)
            until_said(gate / "gate.log", "the portal's keys 2 are in force")
    for line in re.findall(r"`(slagboom portal (?:about|user disable)[^`]+)`", PAGE):
        assert called(line, tmp_path)
