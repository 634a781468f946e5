import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.changes import UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.errors import StoreError
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched, Passed
from gate_controller.plates import Plate
from gate_controller.users import User
from sync.database import Database
from sync.onlooker import look_in
from sync.store import EDGE, Store

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
ENTRY = LaneId("entry")


def granted(number: int) -> Granted:
    basis = Basis("e", 1, Matched.EXACT, as_matched=f"AB{number}")
    return Granted(ENTRY, Direction.IN, HoldId(f"h{number}"), f"u{number}", f"{number}", f"AB{number}", basis)


async def used(path: Path, then: Callable[[Store], Awaitable[None]]) -> None:
    """A database as a daemon leaves it: a list, one vehicle inside, one on its way in; `then` while it is open."""
    store = await Store.open(path, lambda: "ledger")
    try:
        user = User("u1", "4711", plates=(PlateCredential(Plate("AB1")),))
        await store.replace_list("e", 7, [UserPut(user)], AT)
        await store.append([(AT, granted(1)), (AT, Passed(ENTRY, Direction.IN, HoldId("h1"))), (AT, granted(2))])
        await then(store)
    finally:
        await store.close()


async def nothing(_: Store) -> None:
    pass


def seen(path: Path) -> None:
    sight = look_in(path)
    assert sight.allowlist.find_plate(Plate("AB1")).user is not None
    assert sight.cursor is not None
    assert (sight.cursor.epoch, sight.cursor.rev, sight.cursor.confirmed_at) == ("e", 7, AT)
    assert [session.plate for session in sight.occupancy.inside()] == ["AB1"]
    assert [hold.plate for hold in sight.occupancy.holds.values()] == ["AB2"]


async def test_list_and_occupancy_are_seen_after_the_daemon_stopped(tmp_path: Path) -> None:
    await used(tmp_path / "a.db", nothing)
    seen(tmp_path / "a.db")


async def test_a_running_daemon_is_seen_and_not_disturbed(tmp_path: Path) -> None:
    async def look(store: Store) -> None:
        await asyncio.to_thread(seen, tmp_path / "a.db")
        assert await store.append([(AT, Passed(ENTRY, Direction.IN, HoldId("h2")))]) == range(4, 5)

    await used(tmp_path / "a.db", look)
    assert len(list(look_in(tmp_path / "a.db").occupancy.inside())) == 2


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    await used(tmp_path / "a.db", nothing)
    before = (tmp_path / "a.db").read_bytes()
    look_in(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes() == before


def test_looking_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a\.db: no such database; `slagboom run` makes it"):
        look_in(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_newer_a_foreign_and_a_damaged_database_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await used(path, nothing)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match=r"a\.db: written by a newer slagboom \(schema 99"):
        look_in(path)

    foreign = tmp_path / "b.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(StoreError, match=r"b\.db: this is another program's database"):
        look_in(foreign)

    (tmp_path / "c.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"c\.db: this is not a database"):
        look_in(tmp_path / "c.db")

    (tmp_path / "d.db").write_bytes(b"")
    with pytest.raises(StoreError, match=r"d\.db: not set up by this slagboom"):
        look_in(tmp_path / "d.db")


async def test_a_database_whose_journal_was_not_begun_yet_is_told_as_such(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.db", EDGE)
    await database.close()
    with pytest.raises(StoreError, match="start `slagboom run` once"):
        look_in(tmp_path / "a.db")
