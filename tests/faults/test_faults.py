"""A few faults of every kind against real processes, and each check shown to bite."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import PortalError
from sync.mqtt import Connection, Endpoint, connect
from tests.faults import checks, entries
from tests.faults.__main__ import read, table
from tests.faults.block import Round, play
from tests.faults.checks import Done, Row
from tests.faults.kinds import KINDS
from tests.faults.processes import ROOT, Broken
from tests.faults.proxy import Cut, Proxy, Weather

EACH = 2
ROW = Row("L", 1, "2026-01-05T07:30:00.000000+00:00", "granted", '{"lane": "entry"}', {"plate": "BNO1234"})


async def test_whatever_fails_comes_right_again(tmp_path: Path) -> None:
    played: list[Round] = []
    broken = await play(tmp_path / "site", "1 all", [(kind, EACH) for kind in KINDS], played.append)
    assert not broken, f"{broken}\n    again: python -m tests.faults --each {EACH} --seed 1"
    assert {one.kind: one.faults for one in played} == dict.fromkeys(KINDS, EACH)
    counts: Counter[str] = Counter()
    for one in played:
        counts.update(one.counts)
    # Otherwise nothing was at stake.
    assert counts["rows"] > 50
    assert counts["revisions"] > 5
    assert counts["orders_given"] > 5
    assert counts["pulses"] > 0
    assert min(counts[what] for what in ("repeated", "overtaken", "delayed", "refusals")) > 0
    assert not (tmp_path / "site").exists()


def test_results_add_up_and_what_broke_is_told_with_its_command(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    lines = [
        {
            "seed": 1,
            "kind": "clock",
            "block": 0,
            "faults": 3,
            "healed_s": 0.5,
            "took_s": 4.0,
            "counts": {"rows": 7},
        },
        {"seed": 1, "kind": "clock", "block": 1, "broken": "J3: a: rows never reached the portal"},
    ]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"seed": 1, "ki')
    assert read(results) == lines
    assert "clock             3      1                 0.50   0.50  7 rows" in table(lines)
    command = [sys.executable, "-m", "tests.faults", "--each", "3", "--kinds", "clock", "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "again: python -m tests.faults --seed 1 --kinds clock --block 1 --each 3" in done.stdout


# ---- the checks bite ----


def broken(check: Callable[[], None]) -> str:
    with pytest.raises(Broken) as caught:
        check()
    return str(caught.value)[:2]


def test_equal_journals_pass() -> None:
    two = [ROW, replace(ROW, seq=2)]
    checks.compare_journals("a", two, two, 2)
    checks.compare_journals("a", two, two[:1], 1)
    erased = [replace(ROW, personal=None)]
    checks.compare_journals("a", erased, [ROW], 1)


@pytest.mark.parametrize(
    ("at_portal", "rule"),
    [
        ([ROW, ROW], "J1"),
        ([ROW, replace(ROW, seq=2)], "J2"),
        ([replace(ROW, ledger="M")], "J2"),
        ([], "J3"),
        ([replace(ROW, at="2026-01-06")], "J4"),
        ([replace(ROW, kind="refused")], "J4"),
        ([replace(ROW, body="{}")], "J4"),
        ([replace(ROW, personal=None)], "J5"),
        ([replace(ROW, personal={"plate": "MAX77"})], "J5"),
    ],
)
def test_unequal_journals_are_told(at_portal: list[Row], rule: str) -> None:
    assert broken(lambda: checks.compare_journals("a", [ROW], at_portal, 1)) == rule


def test_a_pulse_too_many_is_told() -> None:
    rows = [ROW, replace(ROW, kind="boom_opened_manually"), replace(ROW, kind="refused")]
    checks.check_pulses("a", rows, Counter(entry=2), 0)
    checks.check_pulses("a", rows, Counter(entry=3), 1)
    assert broken(lambda: checks.check_pulses("a", rows, Counter(entry=3), 0)) == "P1"


def test_an_answer_that_the_journal_lacks_is_told() -> None:
    rows = [replace(ROW, kind="command_refused", body=json.dumps({"by": by})) for by in ("guard", "portal")]
    checks.check_answers("a", rows, 1, 0)
    checks.check_answers("a", rows, 2, 1)
    assert broken(lambda: checks.check_answers("a", rows, 2, 0)) == "J6"


DAY_S = checks.DAY_S
DONE = Done("a entry", 7, 9.9)


@pytest.mark.parametrize(
    ("done", "rule"),
    [
        ([replace(DONE, number=8)], "C1"),
        ([DONE, replace(DONE, lane="b exit")], "C2"),
        ([replace(DONE, at_s=10.3)], "C3"),
        ([replace(DONE, at_s=10.3 + DAY_S)], "C3"),
        ([replace(DONE, at_s=10.3 - DAY_S)], "C3"),
    ],
)
def test_an_order_out_of_order_is_told(done: list[Done], rule: str) -> None:
    for off_s in (0.0, DAY_S, -DAY_S):
        checks.check_orders({7: 10.0}, [replace(DONE, at_s=9.9 + off_s)])
    assert broken(lambda: checks.check_orders({7: 10.0}, done)) == rule


def test_orders_are_read_from_the_journal() -> None:
    body = {"lane": "entry", "pulse": "p", "by": "portal", "reason": "order 7"}
    rows = [
        replace(ROW, kind="boom_opened_manually", body=json.dumps(said), at="1970-01-01T00:00:09.900000+00:00")
        for said in (body, {**body, "by": "guard", "reason": "open 7"})
    ]
    assert checks.orders_done([ROW, *rows], "a") == [DONE]


def entry(edge: str, at_s: float, hold: str = "h", user: str = "u") -> list[Row]:
    def at(later_s: float) -> str:
        return datetime.fromtimestamp(at_s + later_s, UTC).isoformat()

    granted = {"lane": "entry", "direction": "in", "hold": hold, "user_id": user}
    passed = {"lane": "entry", "direction": "in", "hold": hold}
    return [
        Row("L", int(at_s), at(0.0), "granted", json.dumps(granted), None),
        Row("L", int(at_s) + 1, at(2.0), "passed", json.dumps(passed), None),
    ]


def record(*ids: tuple[str, int], own: str) -> dict[str, Any]:
    return {"id": own, "claims": [{"id": {"edge": edge, "ledger": "L", "seq": seq}} for edge, seq in ids]}


def test_a_double_entry_has_exactly_one_record() -> None:
    journals = {"a": entry("a", 100.0), "b": entry("b", 200.0, "g")}
    right = record(("a", 100), ("b", 200), own="b/L/200")
    other = record(("a", 100), ("c", 5), own="c/L/5")
    assert entries.check_conflicts(journals, [right, other], 500.0) == 1
    # Of somebody who moved while a clock was a day off, nothing is asked.
    assert entries.check_conflicts({"a": entry("a", 100.0 + DAY_S), "b": journals["b"]}, [], 500.0) == 0
    for records in ([], [other], [right, right | {"id": "a/L/100"}]):
        assert broken(lambda records=records: entries.check_conflicts(journals, records, 500.0)) == "E1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("granted", {"lane": "exit", "direction": "out", "hold": "x", "user_id": "u"}),
        ("session_closed", {"session": "h", "user_id": "u"}),
        ("log_gap", {"lane": "entry", "hold": "h", "user_id": "u"}),
        ("ungranted_passage", {"lane": "exit", "direction": "out", "kind": "manual"}),
        ("hold_released", {"lane": "entry", "hold": "h", "why": "outcome_unknown"}),
    ],
)
def test_what_may_have_come_between_leaves_no_double_entry(kind: str, body: dict[str, Any]) -> None:
    between = Row("L", 150, datetime.fromtimestamp(150.0, UTC).isoformat(), kind, json.dumps(body), None)
    journals = {"a": [*entry("a", 100.0), between], "b": entry("b", 200.0, "g")}
    assert entries.check_conflicts(journals, [], 500.0) == 0
    assert entries.check_conflicts({"a": entry("a", 100.0), "b": entry("b", 200.0, "g", "v")}, [], 500.0) == 0
    assert entries.check_conflicts({"a": [*entry("a", 100.0), *entry("a", 200.0, "g")]}, [], 500.0) == 0


def test_the_ends_of_orders_are_read_from_their_envelopes() -> None:
    body = {"exp": "1970-01-01T00:01:00+00:00", "ask": {"type": "lane", "reason": "order 12"}}
    payloads = [
        json.dumps({"body": body}).encode(),
        json.dumps({"body": {**body, "ask": {"type": "sync"}}}).encode(),
    ]
    assert checks.ends(payloads) == {12: 60.0}


def test_a_database_is_read_beside_its_writer(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "edge.db", isolation_level=None)) as db:
        db.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE ledger (id); INSERT INTO ledger VALUES ('L');"
            "CREATE TABLE journal (seq, at, kind, body); CREATE TABLE personal (seq, fields);"
            "INSERT INTO journal VALUES (1, 't', 'k', 'b'), (2, 't', 'k', 'b');"
            """INSERT INTO personal VALUES (2, '{"plate": "X"}'); BEGIN IMMEDIATE; DELETE FROM journal"""
        )
        rows = checks.edge_rows(tmp_path / "edge.db")
        assert checks.last_seq(tmp_path / "edge.db") == 2
    assert rows == [Row("L", 1, "t", "k", "b", None), Row("L", 2, "t", "k", "b", {"plate": "X"})]


@pytest.mark.parametrize("table", ["alarm", "quarantine"])
def test_an_alarm_for_nothing_is_told(tmp_path: Path, table: str) -> None:
    with closing(sqlite3.connect(tmp_path / "portal.db", isolation_level=None)) as db:
        db.executescript("CREATE TABLE alarm (edge, kind, detail); CREATE TABLE quarantine (edge, reason, text)")
        checks.check_peace(tmp_path / "portal.db")
        db.execute("INSERT INTO alarm VALUES ('a', 'list_refused', 'the clock is ahead')")
        checks.check_peace(tmp_path / "portal.db")
        db.execute(f"INSERT INTO {table} VALUES ('a', 'ledger_regression', 'row 5')")
        assert broken(lambda: checks.check_peace(tmp_path / "portal.db")) == "A1"


# ---- the network is as bad as it says ----


class Talker:
    """A client that publishes to itself, through a proxy."""

    def __init__(self, proxy: Proxy, connection: Connection) -> None:
        self.proxy, self.connection = proxy, connection
        self.arrived: list[str] = []

    async def listen(self) -> None:
        async for message in self.connection.incoming():
            message.ack()
            self.arrived.append(message.payload.decode())

    async def says(self, *words: str) -> None:
        for word in words:
            self.connection.publish("x/cmd" if word == "order" else "x", word.encode())
            await asyncio.sleep(0.01)

    async def hears(self, count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.arrived) < count:
                await asyncio.sleep(0.01)
        # What comes too much would come now.
        await asyncio.sleep(0.1)
        return self.arrived


@pytest.fixture
async def talker(mosquitto: Any) -> AsyncIterator[Talker]:
    proxy = Proxy(mosquitto.port, random.Random(3))
    await proxy.start()
    async with connect(Endpoint("127.0.0.1", proxy.port, "c"), None, ["x", "x/cmd"]) as connection:
        talker = Talker(proxy, connection)
        listening = asyncio.ensure_future(talker.listen())
        yield talker
        listening.cancel()
        with suppress(asyncio.CancelledError, PortalError):
            await listening
    await proxy.close()


WORDS = [*"abcdefghij"]


async def test_a_good_network_changes_nothing(talker: Talker) -> None:
    await talker.says(*WORDS)
    assert await talker.hears(10) == WORDS
    assert not talker.proxy.touched.total()


async def test_packets_come_twice_and_what_acknowledges_them_too_often_is_taken_away(talker: Talker) -> None:
    talker.proxy.weather = Weather(repeat=0.5)
    await talker.says(*WORDS)
    heard = Counter(await talker.hears(11))
    assert heard.keys() == {*WORDS}
    assert heard.total() > len(WORDS)
    talker.proxy.heal()
    await talker.says("z")
    assert (await talker.hears(heard.total() + 1))[-1] == "z"


async def test_packets_are_overtaken_and_none_is_lost(talker: Talker) -> None:
    talker.proxy.weather = Weather(overtake=0.6)
    await talker.says(*WORDS)
    heard = await talker.hears(10)
    assert sorted(heard) == WORDS
    assert heard != WORDS


async def test_packets_take_their_time(talker: Talker) -> None:
    talker.proxy.weather = Weather(delay_s=0.3)
    await talker.says(*WORDS)
    assert len(talker.arrived) < 10
    assert await talker.hears(10) == WORDS


async def test_an_order_is_delayed_alone_and_repeated_later(talker: Talker) -> None:
    talker.proxy.weather = Weather(orders_wait_s=0.3)
    await talker.says("order", "a")
    talker.proxy.heal()
    assert await talker.hears(2) == ["a", "order"]
    assert talker.proxy.repeat_order()
    assert await talker.hears(3) == ["a", "order", "order"]


async def test_what_was_held_comes_afterwards(talker: Talker) -> None:
    talker.proxy.part(Cut.HELD)
    await talker.says("a", "b")
    await asyncio.sleep(0.1)
    assert talker.arrived == []
    talker.proxy.heal()
    assert await talker.hears(2) == ["a", "b"]


@pytest.mark.parametrize("cut", [Cut.SWALLOWED, Cut.REFUSED])
async def test_a_cut_network_ends_the_connection_and_takes_new_ones_once_healed(talker: Talker, cut: Cut) -> None:
    talker.proxy.part(cut)
    with suppress(PortalError):
        await talker.says("a")
    talker.proxy.heal()
    async with asyncio.timeout(60):
        with pytest.raises(PortalError):
            await talker.says(*"b" * 500)
    assert talker.arrived == []
    async with connect(Endpoint("127.0.0.1", talker.proxy.port, "d"), None, ["y"]):
        pass
