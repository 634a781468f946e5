import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.commands.why import explain
from gate_controller.changes import PermitPut, UserPut
from gate_controller.credentials import GuestCode, PlateCredential, QrPass
from gate_controller.errors import BadInput
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched, Passed
from gate_controller.plates import Plate
from gate_controller.users import Action, Permit, User
from sync.store import Store

Slagboom = Callable[..., Any]

LIST = """external_id,plate,schedule,badge
4711,B-NO 1234,Mo-Fr 06:00-20:00,04A22F1B33
4712,B-O 123,,
4713,B-Q 123,,
4714,ABCDEF,,
"""
MONDAY = "2026-01-05T07:30"

SITE = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
[portal]
host = "x"
root_key = "00000000000000000000000000000000000000000000000000000000000000aa"
[boards.main]
kind = "modbus_relay8"
port = "x"
[lanes.entry]
direction = "in"
board = "main"
camera = "x.mp4"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }
[lanes.exit]
direction = "out"
board = "main"
camera = "y.mp4"
exit_policy = "known_only"
inputs = { approach = 3, safety = 4 }
outputs = { open = 2 }
"""


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.write_text(LIST)
    return path


def asked(slagboom: Slagboom, users: Path, credential: str, *more: str, at: str = MONDAY) -> dict[str, Any]:
    said = slagboom("why", credential, "--list", users, "--lane", "entry", "--at", at, "--json", *more)
    assert (said.code, said.err) == (0, "")
    (answer,) = said.objects()
    return dict(answer)


def test_a_grant_says_how_it_matched_and_by_which_permit(slagboom: Slagboom, users: Path) -> None:
    answer = asked(slagboom, users, "b no1234")
    assert (answer["decision"], answer["reason"], answer["change"]) == ("granted", None, [])
    assert (answer["kind"], answer["matched"], answer["as_matched"]) == ("plate", "exact", "BNO1234")
    assert (answer["external_id"], answer["lane"], answer["direction"]) == ("4711", "entry", "in")
    assert answer["at"] == "2026-01-05T07:30+01:00"
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    assert [field for field in answer if f"`{field}`" not in page] == []
    (permit,) = answer["permits"]
    assert permit["id"] in answer["operator"]
    assert (permit["schedule"], permit["place"], permit["now"]) == ("Mo-Fr 06:00-20:00", "everywhere", "allows")


def test_a_refusal_speaks_to_driver_and_operator_and_says_what_to_do(slagboom: Slagboom, users: Path) -> None:
    answer = asked(slagboom, users, "B-NO 1234", at="2026-01-04T07:30")
    assert (answer["decision"], answer["reason"]) == ("denied", "outside_schedule")
    assert answer["driver"] == "Your permit is not valid at this time."
    assert answer["operator"] == "The permit's weekly schedule does not cover this time."
    assert answer["permits"][0]["now"] == "outside_schedule"
    assert answer["change"] == ["Come from Mon 2026-01-05 06:00, or widen the schedule."]


def test_look_alikes_are_answered_as_the_gate_would(slagboom: Slagboom, users: Path) -> None:
    alike = asked(slagboom, users, "8-NO 1Z34")
    assert (alike["decision"], alike["matched"], alike["notes"]) == ("granted", "look_alike", ["look_alike"])
    assert "BNO1234" in alike["operator"]
    both = asked(slagboom, users, "B0123")
    assert both["reason"] == "ambiguous_plate"
    assert "4712 and 4713" in both["change"][0]


def test_a_badge_is_known_by_its_number(slagboom: Slagboom, users: Path) -> None:
    answer = asked(slagboom, users, "04:a2:2f:1b:33")
    assert (answer["kind"], answer["matched"], answer["decision"]) == ("badge", "badge", "granted")
    assert answer["operator"].startswith("The badge is on the list.")


def test_what_could_be_either_is_what_the_list_knows_it_as(slagboom: Slagboom, users: Path) -> None:
    assert asked(slagboom, users, "ABCDEF")["kind"] == "plate"
    assert asked(slagboom, users, "ABCDEE")["kind"] == "plate"
    # Too long for a plate: it can only be a badge.
    unknown = asked(slagboom, users, "0102030405060708090A")
    assert (unknown["kind"], unknown["reason"]) == ("badge", "unknown_credential")
    assert unknown["change"] == ["Add it to a user of the list."]


def test_an_exit_needs_no_permit(slagboom: Slagboom, users: Path) -> None:
    answer = asked(slagboom, users, "B-NO 1234", "--direction", "out", at="2026-01-04T07:30")
    assert (answer["decision"], answer["permits"]) == ("granted", [])
    assert answer["operator"].startswith("An exit lets a vehicle out")


def test_people_read_it_line_by_line(slagboom: Slagboom, users: Path) -> None:
    said = slagboom("why", "B-NO 1234", "--list", users, "--lane", "entry", "--at", "2026-01-04T07:30")
    lines = said.out.splitlines()
    assert lines[:2] == ["B-NO 1234 at entry (in), 2026-01-04T07:30+01:00", "denied: outside_schedule"]
    assert "  To change: Come from Mon 2026-01-05 06:00, or widen the schedule." in lines
    assert any("Mo-Fr 06:00-20:00" in line for line in lines[6:])


# ---- a site ----


async def depot(tmp_path: Path) -> Path:
    """A site whose user 4711 is inside with B-NO 1234."""
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    store = await Store.open(tmp_path / "slagboom.db", lambda: "ledger")
    plates = tuple(PlateCredential(Plate.parse(text)) for text in ("B-NO 1234", "B-NO 1235"))
    changes = [UserPut(User("u1", "4711", plates=plates)), PermitPut(Permit("p", Action.PARK, user_id="u1"))]
    at = datetime(2026, 1, 5, 6, 30, tzinfo=UTC)
    await store.replace_list("e", 7, changes, at)
    basis = Basis("e", 7, Matched.EXACT, as_matched="BNO1234")
    grant = Granted(LaneId("entry"), Direction.IN, HoldId("h"), "u1", "4711", "BNO1234", basis)
    await store.append([(at, grant), (at, Passed(LaneId("entry"), Direction.IN, HoldId("h")))])
    await store.close()
    return path


async def test_it_shows_how_old_the_list_is_and_for_whom_that_is_too_old(
    slagboom: Slagboom, tmp_path: Path
) -> None:
    config = await depot(tmp_path)
    store = await Store.open(tmp_path / "slagboom.db", lambda: "ledger")
    guest = User("u2", "gina", plates=(PlateCredential(Plate.parse("M-AX 77")),))
    until = datetime(2026, 9, 1, tzinfo=UTC)
    await store.put_changes(
        "e", 7, 8, [UserPut(guest), PermitPut(Permit("g", Action.PARK, user_id="u2", valid_to=until))]
    )
    await store.close()
    call = ("why", "M-AX 77", "--config", config, "--lane", "entry", "--at")
    (fresh,) = slagboom(*call, "2026-01-05T09:30", "--json").objects()
    assert (fresh["decision"], fresh["list"]) == (
        "granted",
        {"confirmed_at": "2026-01-05T07:30+01:00", "age_h": 2.0, "permit": "temporary", "max_age_h": 72.0},
    )
    (old,) = slagboom(*call, "2026-01-09T07:30", "--json").objects()
    assert (old["reason"], old["list"]["age_h"]) == ("list_too_old", 96.0)
    assert old["change"][0].startswith("Let the portal be reached; it last confirmed the list at")
    (permanent,) = slagboom("why", "B-NO 1234", *call[2:], "2026-01-09T07:30", "--json").objects()
    assert (permanent["decision"], permanent["list"]["max_age_h"]) == ("granted", None)
    lines = slagboom(*call, "2026-01-09T07:30").out.splitlines()
    assert any(line.startswith("  List:") and "96 hours ago; counts up to 72 hours" in line for line in lines)
    (out,) = slagboom("why", "M-AX 77", "--config", config, "--lane", "exit", "--at", MONDAY, "--json").objects()
    assert out["list"] is None


async def test_a_site_knows_who_is_inside(slagboom: Slagboom, tmp_path: Path) -> None:
    config = await depot(tmp_path)
    call = ("--config", config, "--lane", "entry", "--at", MONDAY)
    (answer,) = slagboom("why", "B-NO 1235", *call, "--json").objects()
    assert answer["reason"] == "another_vehicle_parked"
    assert answer["inside"] == [{"plate": "BNO1234", "since": "2026-01-05T07:30+01:00"}]
    assert answer["change"][0].startswith("BNO1234 must leave; it is inside since 2026-01-05 07:30.")
    (same,) = slagboom("why", "B-NO 1234", *call, "--json").objects()
    assert (same["decision"], same["notes"]) == ("granted", ["exit_missed"])
    assert "Inside:    BNO1234 since 2026-01-05T07:30" in slagboom("why", "B-NO 1235", *call).out


async def test_a_lane_brings_its_direction_and_policy(slagboom: Slagboom, tmp_path: Path) -> None:
    config = await depot(tmp_path)
    call = ("--config", config, "--lane", "exit", "--json")
    (out,) = slagboom("why", "B-NO 1234", *call).objects()
    assert (out["direction"], out["decision"]) == ("out", "granted")
    (other,) = slagboom("why", "HH-AB 77", *call).objects()
    assert (other["direction"], other["reason"]) == ("out", "not_inside")
    assert "exit_policy" in other["change"][0]


async def test_a_lane_that_is_not_there(slagboom: Slagboom, tmp_path: Path) -> None:
    config = await depot(tmp_path)
    said = slagboom("why", "B-NO 1234", "--config", config, "--lane", "entri")
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: --lane: no lane entri at this site; did you mean entry?\n"


async def test_a_database_that_cannot_be_used_is_named(slagboom: Slagboom, tmp_path: Path) -> None:
    config = await depot(tmp_path)
    with sqlite3.connect(tmp_path / "slagboom.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    said = slagboom("why", "B-NO 1234", "--config", config, "--lane", "entry")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {tmp_path / 'slagboom.db'}: written by a newer slagboom (schema 99")
    (tmp_path / "slagboom.db").write_bytes(b"rubbish" * 1000)
    said = slagboom("why", "B-NO 1234", "--config", config, "--lane", "entry")
    assert said.err.startswith(f"error: {tmp_path / 'slagboom.db'}: this is not a database")


# ---- bad input ----


def test_a_text_that_is_no_credential(slagboom: Slagboom, users: Path) -> None:
    said = slagboom("why", "#", "--list", users, "--lane", "entry")
    assert (said.code, said.out) == (2, "")
    assert said.err == 'error: "#": no number plate, badge number or code; write it as it is on the list\n'


def test_a_list_or_a_site_not_both_and_not_neither(slagboom: Slagboom, users: Path) -> None:
    for more in ((), ("--list", users, "--config", "site.toml")):
        said = slagboom("why", "B-NO 1234", "--lane", "entry", *more)
        assert (said.code, said.err) == (2, "error: --list, --config: give one of them\n")


def test_called_without_the_command_it_raises(users: Path) -> None:
    with pytest.raises(BadInput, match="noon"):
        explain("X-1", "entry", list_file=users, config=None, direction=None, at="noon", as_json=True)


async def test_a_code_is_known_as_the_list_knows_it_and_its_digest_is_not_shown(
    slagboom: Slagboom, tmp_path: Path
) -> None:
    config = tmp_path / "site.toml"
    config.write_text(SITE)
    store = await Store.open(tmp_path / "slagboom.db", lambda: "ledger")
    gina = User("u1", "gina", passes=(QrPass.of("Q1.visitor.7f3a9c01d2"),), codes=(GuestCode.parse("K7M2-PX94"),))
    await store.replace_list("e", 7, [UserPut(gina), PermitPut(Permit("p", Action.PARK, user_id="u1"))])
    await store.close()
    call = ("--config", config, "--lane", "entry", "--at", MONDAY, "--json")
    for text, matched in (("Q1.visitor.7f3a9c01d2", "qr_pass"), ("k7m2 px94", "guest_code")):
        (answer,) = slagboom("why", text, *call).objects()
        assert (answer["kind"], answer["matched"], answer["as_matched"]) == ("code", matched, None)
        assert (answer["decision"], answer["external_id"]) == ("granted", "gina")
    (unknown,) = slagboom("why", "q1.visitor.7f3a9c01d2", *call).objects()
    assert (unknown["kind"], unknown["reason"]) == ("code", "unknown_credential")
