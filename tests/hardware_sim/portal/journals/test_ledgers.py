"""Events once, acknowledgements without gaps, quarantine, journals that were cut or copied, words out of order."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.journals.ledgers import Held, Ledgers
from hardware_sim.portal.journals.reading import Quarantined, Why
from sync.codec import UnknownFact, digest
from sync.database import Database
from sync.messages import MISSING_LEN_MAX, Event, EventBatch, Revision, Rows, State

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
Branch = Callable[[int], bytes]


def body_of(seq: int) -> bytes:
    return b"{}"


def restored(fork: int) -> Branch:
    """The rows of a journal that is another one from this row on."""
    return lambda seq: b"{}" if seq < fork else b'{"restored":true}'


class Shelf:
    """Ledgers on a real database, each call one transaction."""

    def __init__(self, database: Database, ledgers: Ledgers) -> None:
        self.database, self.ledgers = database, ledgers

    async def ingest(self, first: int, last: int, ledger: str = "L", edge: str = "g", **other: Any) -> int:
        """Deliver rows; up to which one all are here then."""
        batch, events = rows(first, last, ledger, **other)
        await self.database.write(self.ledgers.ingest, edge, batch, events, T0)
        return (await self.held(ledger, edge)).through

    async def held(self, ledger: str = "L", edge: str = "g") -> Held:
        return await self.database.run(self.ledgers.held, edge, ledger)

    async def see(self, edge: str = "g", at: datetime = T0, **fields: Any) -> bool:
        return await self.conn(edge, at, **fields) is None

    async def conn(self, edge: str = "g", at: datetime = T0, **fields: Any) -> int | None:
        state = {"status": "online", "conn": 1, "ledger": "L", "next_seq": 5, "acked": 4, "aud": "t/s/g"} | fields
        return await self.database.write(self.ledgers.see, edge, State(**state), at)

    async def alarms(self) -> list[tuple[str, str]]:
        return [(alarm.kind, alarm.edge) for alarm in await self.database.run(self.ledgers.alarms, 100)]

    async def keys(self) -> list[tuple[str, int]]:
        return sorted(
            (event.ledger, event.seq) for event in await self.database.run(self.ledgers.events, 0, 10_000)
        )


def rows(
    first: int, last: int, ledger: str, body: Branch = body_of, kind: str = "k", conn: int = 1, **other: Any
) -> tuple[EventBatch, list[Event | Quarantined]]:
    events = [
        Event(seq=n, at=T0 + timedelta(seconds=n), kind=kind, body=msgspec.Raw(body(n)))
        for n in range(first, last + 1)
    ]
    batch = EventBatch(aud="t/s/g", conn=conn, ledger=ledger, first=first, last=last, events=events, **other)
    return batch, [*events]


async def a_shelf(path: Path) -> Shelf:
    database = await Database.open(path, PORTAL)
    return Shelf(database, Ledgers(database.sql))


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    opened = await a_shelf(tmp_path / "portal.db")
    yield opened
    await opened.database.close()


# ---- once, and without gaps ----


async def test_events_are_stored_once_and_acknowledged_without_gaps(shelf: Shelf) -> None:
    assert await shelf.ingest(1, 3) == 3
    assert await shelf.ingest(1, 3) == 3
    assert await shelf.ingest(2, 5) == 5
    # One batch overtook another: stored, and not yet acknowledged.
    assert await shelf.ingest(9, 10) == 5
    held = await shelf.held()
    assert (held.through, held.upto, held.missing) == (5, 10, [Rows(6, 8)])
    assert await shelf.ingest(6, 8) == 10
    assert await shelf.keys() == [("L", seq) for seq in range(1, 11)]
    assert await shelf.alarms() == []


async def test_more_gaps_than_can_be_told_are_told_from_the_oldest_on(shelf: Shelf) -> None:
    for seq in range(2, 2 * MISSING_LEN_MAX + 20, 2):
        await shelf.ingest(seq, seq)
    held = await shelf.held()
    assert held.missing == [Rows(seq, seq) for seq in range(1, 2 * MISSING_LEN_MAX, 2)]
    assert held.upto == 2 * MISSING_LEN_MAX


async def test_ledgers_and_edges_are_counted_apart(shelf: Shelf) -> None:
    assert await shelf.ingest(1, 3) == 3
    assert await shelf.ingest(1, 2, "another") == 2
    assert await shelf.ingest(2, 2, edge="other") == 0
    assert len(await shelf.keys()) == 6


async def test_an_event_of_a_newer_gate_is_kept(shelf: Shelf) -> None:
    await shelf.ingest(1, 1, kind="teleported")
    (event,) = await shelf.database.run(shelf.ledgers.events, 0, 10)
    assert event.fact == UnknownFact("teleported", b"{}")
    assert event.at == T0 + timedelta(seconds=1)


async def test_what_was_acknowledged_survives_a_restart(tmp_path: Path) -> None:
    shelf = await a_shelf(tmp_path / "portal.db")
    await shelf.ingest(1, 3)
    await shelf.database.close()
    again = await a_shelf(tmp_path / "portal.db")
    assert await again.ingest(5, 5) == 3
    assert await again.ingest(4, 4) == 5
    await again.database.close()


async def test_what_is_set_apart_holds_nobody_up(shelf: Shelf) -> None:
    batch, events = rows(1, 3, "L")
    events[1] = Quarantined(2, Why.INVALID_BODY, "what came")
    for _ in range(2):
        await shelf.database.write(shelf.ledgers.ingest, "g", batch, events, T0)
    assert (await shelf.held()).through == 3
    assert await shelf.keys() == [("L", 1), ("L", 3)]
    (found,) = await shelf.database.run(shelf.ledgers.quarantine.newest, 10)
    assert (found.edge, found.ledger, found.event) == ("g", "L", events[1])
    await shelf.database.write(shelf.ledgers.quarantine.drop, [found.number])
    await shelf.database.write(shelf.ledgers.ingest, "g", batch, events, T0)
    assert await shelf.database.run(shelf.ledgers.quarantine.newest, 10) == [], "what was dropped stays away"


@settings(max_examples=20)
@given(ranges=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 8)), max_size=25))
async def test_through_is_always_the_end_of_the_first_unbroken_run(
    tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[int, int]]
) -> None:
    shelf, have = await a_shelf(tmp_path_factory.mktemp("books") / "portal.db"), set[int]()
    for first, more in ranges:
        have.update(range(first, first + more + 1))
        through = await shelf.ingest(first, first + more)
        assert set(range(1, through + 1)) <= have
        assert through + 1 not in have
        held = await shelf.held()
        missing = {seq for gap in held.missing for seq in range(gap.first, gap.last + 1)}
        assert set(range(1, held.upto + 1)) - missing == {seq for seq in have if seq <= held.upto}
    assert await shelf.keys() == [("L", seq) for seq in sorted(have)]
    await shelf.database.close()


def test_workers_with_connections_of_their_own_store_each_event_once(tmp_path: Path) -> None:
    path = tmp_path / "portal.db"

    async def prepare() -> None:
        await (await a_shelf(path)).database.close()

    asyncio.run(prepare())

    def work(shift: int) -> None:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
            ledgers = Ledgers(db)
            for first in range(1, 400, 20):
                batch, events = rows(first, first + 19 + shift, "L")
                db.execute("BEGIN IMMEDIATE")
                ledgers.ingest("g", batch, events, T0)
                db.execute("COMMIT")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (0, 7)))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT seq FROM event ORDER BY seq").fetchall() == [(seq,) for seq in range(1, 408)]
        assert db.execute("SELECT first, last FROM held").fetchall() == [(1, 407)]


# ---- journals that are not what they were ----


async def test_the_tail_says_what_the_last_row_says(shelf: Shelf) -> None:
    assert (await shelf.held()).tail is None
    await shelf.ingest(1, 3)
    tail = (await shelf.held()).tail
    assert tail is not None
    assert (tail.seq, tail.sum) == (3, digest("2026-03-01T07:00:03.000000+00:00", "k", b"{}"))


async def test_a_birth_behind_what_is_here_is_an_alarm(shelf: Shelf) -> None:
    await shelf.ingest(1, 10, conn=1)
    await shelf.see(conn=2, next_seq=11)
    assert await shelf.alarms() == []
    # Late, and of the connection on which the newer rows came: nothing is wrong.
    await shelf.ingest(11, 12, conn=2)
    await shelf.see(conn=2, told=1, next_seq=11)
    assert await shelf.alarms() == []
    for _ in range(2):
        await shelf.see(conn=3, next_seq=12)
    assert await shelf.alarms() == [("ledger_regression", "g")]


async def test_a_restored_journal_goes_on_under_a_new_name_and_no_event_counts_twice(shelf: Shelf) -> None:
    """Backed up at row 10, acknowledged up to 6; 20 are here when it comes back with other rows from 11 on."""
    await shelf.ingest(1, 20, conn=1)
    new: dict[str, Any] = {"after": 6, "follows": "L", "conn": 2, "body": restored(11)}
    await shelf.ingest(13, 14, "M", **new)
    assert await shelf.ingest(7, 12, "M", **new) == 14
    assert await shelf.keys() == [*(("L", n) for n in range(1, 21)), *(("M", n) for n in range(11, 15))]
    # And once more: of what it followed then, and of what that followed.
    third: dict[str, Any] = {"after": 8, "follows": "M", "conn": 3}
    assert await shelf.ingest(9, 14, "N", body=lambda n: restored(11)(n) if n < 13 else b"[]", **third) == 14
    assert await shelf.keys() == [
        *(("L", n) for n in range(1, 21)), *(("M", n) for n in range(11, 15)), ("N", 13), ("N", 14),
    ]  # fmt: skip


async def test_a_row_under_a_number_that_is_taken_replaces_nothing(shelf: Shelf) -> None:
    await shelf.ingest(1, 5)
    assert await shelf.ingest(4, 7, body=restored(5)) == 7
    by_seq = {event.seq: event.fact for event in await shelf.database.run(shelf.ledgers.events, 0, 10)}
    assert by_seq[5] == UnknownFact("k", b"{}")
    (found,) = await shelf.database.run(shelf.ledgers.quarantine.newest, 10)
    apart = found.event
    assert (apart.seq, apart.why) == (5, Why.REWRITTEN)
    assert "restored" in apart.text
    assert await shelf.alarms() == [("ledger_rewritten", "g")]


# ---- what edges say of themselves ----


async def test_a_late_word_does_not_replace_a_newer_one(shelf: Shelf) -> None:
    async def newest() -> tuple[bool, Revision | None]:
        (seen,) = await shelf.database.run(shelf.ledgers.edges)
        return seen.online, seen.revision

    assert await shelf.see(conn=1, told=1, list=Revision("e", 7))
    assert await shelf.see(conn=2, told=2, list=Revision("e", 8))
    for late in ({"conn": 1, "told": 9}, {"conn": 1, "status": "offline"}, {"conn": 2, "told": 1}):
        assert not await shelf.see(**late)
        assert await newest() == (True, Revision("e", 8))
    assert await shelf.see(conn=2, told=0, status="offline")
    assert not await shelf.see(conn=2, told=3)
    assert await newest() == (False, None)
    assert await shelf.see(conn=3, told=3, list=Revision("e", 9))
    # The same word again, as the broker keeps it.
    assert await shelf.see(conn=3, told=3, list=Revision("e", 9))
    assert await newest() == (True, Revision("e", 9))


async def test_an_edge_that_lost_count_is_told_from_a_late_word(shelf: Shelf) -> None:
    await shelf.see(conn=7, told=2, nonce="boot")
    assert await shelf.conn(conn=7, told=1, nonce="boot") == 0
    assert await shelf.conn(conn=3, told=9, nonce="boot") == 0
    assert await shelf.conn(conn=3, told=1, nonce="another") == 8
    assert await shelf.conn(conn=7, told=1, nonce="another") == 8
    assert await shelf.conn(conn=8, told=1, nonce="another") is None


async def test_when_an_edge_spoke_last_and_how_far_it_is_behind(shelf: Shelf) -> None:
    hour = timedelta(hours=1)
    await shelf.see(conn=1, next_seq=21, list_at=T0 - hour)
    (seen,) = await shelf.database.run(shelf.ledgers.edges)
    assert (seen.waiting, seen.seen_at, seen.list_at) == (20, T0, T0 - hour)
    batch, events = rows(1, 15, "L")
    for at in (T0 + hour, T0 + 2 * hour):
        # The second time it is only the broker that speaks.
        await shelf.database.write(shelf.ledgers.ingest, "g", batch, events, at)
    (seen,) = await shelf.database.run(shelf.ledgers.edges)
    assert (seen.waiting, seen.seen_at) == (5, T0 + hour)
    await shelf.ingest(26, 30)
    (seen,) = await shelf.database.run(shelf.ledgers.edges)
    assert seen.waiting == 15, "what came since says more than the state"


async def test_books_from_before_keep_their_events_and_what_was_acknowledged(tmp_path: Path) -> None:
    """Rows as the first version of the tables had them, with a gap."""
    path = tmp_path / "portal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for script in sorted(resources.files(PORTAL.schema).iterdir(), key=lambda script: script.name):
            if script.name < "0004" and script.name.endswith(".sql"):
                old.executescript(script.read_text())
        old.execute(f"PRAGMA application_id = {PORTAL.application_id}")
        old.execute("PRAGMA user_version = 3")
        old.execute("INSERT INTO received VALUES ('g', 'L', 3)")
        for seq in (1, 2, 3, 7, 8):
            at = (T0 + timedelta(seconds=seq)).isoformat(timespec="microseconds")
            old.execute(
                "INSERT INTO event (edge, ledger, seq, at, kind, body) VALUES ('g', 'L', ?, ?, 'k', '{}')",
                (seq, at),
            )
    again = await a_shelf(path)
    held = await again.held()
    assert (held.through, held.upto, held.missing) == (3, 8, [Rows(4, 6)])
    assert await again.ingest(1, 8) == 8
    assert len(await again.keys()) == 8
    await again.database.close()


async def test_a_list_that_an_edge_refuses_whole_is_an_alarm_once(shelf: Shelf) -> None:
    trouble = "immutable_id: user ann has id u1, which cannot become u9"
    for told in (1, 2):
        await shelf.see(conn=1, told=told, next_seq=1, trouble=trouble)
    await shelf.see(conn=1, told=3, next_seq=1)
    assert await shelf.alarms() == [("list_refused", "g")]


async def test_how_far_an_edges_clock_is_off_when_it_says_so(shelf: Shelf) -> None:
    await shelf.see(conn=1, said_at=T0 + timedelta(seconds=90))
    batch, events = rows(1, 5, "L")
    await shelf.database.write(shelf.ledgers.ingest, "g", batch, events, T0 + timedelta(hours=1))
    (seen,) = await shelf.database.run(shelf.ledgers.edges)
    assert seen.clock_off == timedelta(seconds=90), "what came since says nothing of it"
    await shelf.see(conn=2, status="offline")
    (seen,) = await shelf.database.run(shelf.ledgers.edges)
    assert seen.clock_off is None


async def test_the_newest_events_in_the_order_of_their_arrival(shelf: Shelf) -> None:
    batch, events = rows(1, 5, "L")
    await shelf.database.write(shelf.ledgers.ingest, "g", batch, events, T0)
    newest = await shelf.database.run(shelf.ledgers.latest, 2)
    assert [one.seq for one in newest] == [4, 5]
    assert newest == await shelf.database.run(shelf.ledgers.events, newest[0].number - 1, 9)
    assert len(await shelf.database.run(shelf.ledgers.events, 0, 9, ["k"])) == 5
    assert await shelf.database.run(shelf.ledgers.events, 0, 9, ["another"]) == []
