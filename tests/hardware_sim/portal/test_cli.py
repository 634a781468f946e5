"""`slagboom portal` as a whole: help with examples, a new folder, completion, and a portal that runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from hardware_sim.broker import free_port
from hardware_sim.portal.cli import app
from tests.running_site import GATE, PORTAL, ROOT, running, until, until_said

Slagboom = Callable[..., Any]


def words(command: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command of a tree of commands."""
    if not hasattr(command, "commands"):
        return [before]
    return [found for name, part in command.commands.items() for found in words(part, (*before, name))]


COMMANDS = words(typer.main.get_command(app))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example(slagboom: Slagboom, command: tuple[str, ...]) -> None:
    said = slagboom("portal", *command, "--help")
    assert said.code == 0
    assert f"Example: slagboom portal {' '.join(command)} " in said.out


def test_a_portal_begins_in_a_folder_of_its_own(slagboom: Slagboom, tmp_path: Path) -> None:
    folder = tmp_path / "north"
    begun = slagboom("portal", "init", folder, "--tenant", "acme", "--site", "north", "--json")
    assert begun.code == 0
    (row,) = begun.objects()
    assert (row["tenant"], row["site"], row["revision"], len(row["root_key"])) == ("acme", "north", 0, 64)
    assert slagboom("portal", "about", folder, "--json").objects() == [row]
    again = slagboom("portal", "init", folder)
    assert (again.code, "there is a portal already" in again.err) == (2, True)


def test_names_are_completed(slagboom: Slagboom, tmp_path: Path) -> None:
    folder = tmp_path / "north"
    slagboom("portal", "init", folder)
    for name in ("anna", "andre", "bert"):
        slagboom("portal", "user", "add", folder, name)

    def completed(line: str) -> list[str]:
        words = {
            "_SLAGBOOM_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "edge.cli"], env={**os.environ, **words}, cwd=ROOT,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return sorted(done.stdout.split())

    assert completed(f"slagboom portal user disable {folder} an") == ["andre", "anna"]
    assert completed(f"slagboom portal user disable {tmp_path} an") == []


def test_a_running_portal_is_asked_and_ordered_about(slagboom: Slagboom, tmp_path: Path) -> None:
    folder, port, logs = tmp_path / "north", free_port(), {name: tmp_path / name for name in ("portal", "gate")}
    (about,) = slagboom("portal", "init", folder, "--tenant", "acme", "--site", "north", "--json").objects()
    settings = PORTAL.format(port=port, root_key=about["root_key"], edge="gatehouse")
    (tmp_path / "site.toml").write_text(GATE + settings)

    def portal(what: str, *args: object) -> Any:
        return slagboom("portal", *what.split(), folder, *args)

    with running(logs["portal"], "portal", "serve", str(folder), "--broker", f"embedded:{port}"):
        until_said(logs["portal"], f"serves by the broker at 127.0.0.1:{port}")
        with running(logs["gate"], "run", "--config", str(tmp_path / "site.toml")):
            until((tmp_path / "device.pub").exists, logs["gate"])
            assert portal("edge key", "gatehouse", (tmp_path / "device.pub").read_text()).code == 0
            until(lambda: any(row["applied"] for row in portal("edges", "--json").objects()), logs["gate"])
            assert portal("user add", "anna", "--plate", "98-THD-4").out.endswith(
                "list revision 1: in force on 1 of 1 edges\n"
            )
            refused = portal("open", "gatehouse", "attic", "--reason", "ambulance")
            assert refused.err == "error: gatehouse: refused: no lane attic; there are entry\n"
            assert portal("sync", "gatehouse").code == 0
            ordered = portal("close-lane", "gatehouse", "entry", "--reason", "resurfacing", "--json")
            assert ordered.objects()[0]["status"] == "done"
            until(lambda: "ALARM board_silent" in portal("events").out, logs["gate"])
            assert portal("open", "barn", "entry", "--reason", "x").err.startswith(
                "error: edge barn is not connected"
            )
            (row,) = portal("edges", "--json").objects()
            assert (row["online"], row["revision"], row["waiting"]) == (True, 1, 0)
        until(lambda: not portal("edges", "--json").objects()[0]["online"], logs["portal"])
        assert "portal offline" not in portal("edges").out
    assert portal("edges", "--json").objects()[0]["online"] is None, "nobody knows while none runs"
    assert portal("user disable", "anna").out.endswith("the edges get it when the portal runs\n")
