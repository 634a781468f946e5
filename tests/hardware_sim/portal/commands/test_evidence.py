"""`slagboom portal picture` and `quarantine`, as typed."""

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched
from hardware_sim.portal.commands import evidence
from sync.codec import encode_fact

Slagboom = Callable[..., Any]
BASIS = Basis("e", 1, Matched.EXACT, evidence="crop-1")
GRANT = Granted(LaneId("entry"), Direction.IN, HoldId("h"), "u1", "anna", "98THD4", BASIS)
assert evidence


@pytest.fixture
def portal(tmp_path: Path, slagboom: Slagboom) -> Slagboom:
    folder = tmp_path / "north"
    assert slagboom("portal", "init", folder).code == 0
    with sqlite3.connect(folder / "portal.db") as db:
        body = encode_fact(GRANT).body.decode()
        personal = '{"basis.evidence": "crop-1"}'
        event = ("g", "L", 1, "2026-03-01T07:00:00+00:00", "granted", body, personal)
        names = "edge, ledger, seq, at, kind, body, personal"
        db.execute(f"INSERT INTO event ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", event)
        db.execute("INSERT INTO picture VALUES ('g', 'L', 1, '2999-01-01T00:00:00.000000+00:00', X'FFD8')")
        apart = ("g", "L", 2, "2026-03-01T07:00:00+00:00", "unreadable", "what came")
        db.execute(
            "INSERT INTO quarantine (edge, ledger, seq, received_at, reason, text) VALUES (?, ?, ?, ?, ?, ?)", apart
        )
    db.close()

    def call(words: str, *args: object) -> Any:
        return slagboom("portal", *words.split(), folder, *args)

    return call


def test_a_picture_becomes_a_file_for_its_owner_alone(portal: Slagboom, tmp_path: Path) -> None:
    file = tmp_path / "vehicle.jpg"
    assert "1" in portal("events").out
    said = portal("picture", 1, file)
    assert (said.code, said.out) == (0, f"{file}: 2 bytes, row 1 of g\n")
    assert file.read_bytes() == b"\xff\xd8"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert portal("picture", 1, file).err.startswith(f"error: {file}: exists")
    assert portal("picture", 7, tmp_path / "x.jpg").err.startswith("error: no event has the number 7")
    assert portal("picture", 1, tmp_path / "no" / "x.jpg").err.startswith("error: ")
    (row,) = portal("picture", 1, tmp_path / "again.jpg", "--json").objects()
    assert (row["event"], row["bytes"], row["file"]) == (1, 2, str(tmp_path / "again.jpg"))


def test_quarantine_is_listed_shown_and_dropped(portal: Slagboom) -> None:
    (row,) = portal("quarantine list", "--json").objects()
    assert "unreadable" in portal("quarantine list").out
    assert portal("quarantine show", row["number"]).out == "g, row 2 of ledger L: unreadable\nwhat came\n"
    assert portal("quarantine drop", row["number"]).out.startswith("1 dropped")
    assert portal("quarantine list", "--json").objects() == []
    assert portal("quarantine show", row["number"]).err.startswith("error: nothing in quarantine has the number")
