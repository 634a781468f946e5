"""Strangers: a plate for a day, a keyed hash for a while, then nothing."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest

from gate_controller.errors import StoreError
from gate_controller.facts import Basis, Direction, Fact, LaneId, Matched, Refused
from gate_controller.reasons import Reason
from sync import strangers
from sync.store import EDGE, Store
from tests.sync.samples import T0, at, grant, open_store

DAY = timedelta(days=1)
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def refused(plate: str, user_id: str | None = None, picture: str | None = None) -> Fact:
    basis = Basis("e", 1, Matched.NONE, as_read=f"{plate[:2]}-{plate[2:]}", evidence=picture)
    return Refused(LaneId("entry"), Direction.IN, Reason.UNKNOWN_CREDENTIAL, user_id, "", plate, basis)


def hashes(path: Path) -> list[str]:
    with sqlite3.connect(path) as raw:
        return [digest for (digest,) in raw.execute("SELECT hash FROM stranger ORDER BY seq")]


def bytes_of(path: Path) -> bytes:
    return path.read_bytes() + path.with_name(path.name + "-wal").read_bytes()


async def test_a_stranger_s_plate_is_gone_after_its_time_from_every_byte(path: Path, store: Store) -> None:
    await store.append(at(refused("XX999YY", picture="one.jpg")))
    await store.append(at(refused("AA111BB", user_id="u-anna"), grant(1)))
    assert b"XX999YY" in bytes_of(path)
    assert await store.hash_strangers(T0 - DAY, T0, KEY) == []
    assert await store.hash_strangers(T0 + DAY, T0 + DAY, KEY) == ["one.jpg"]
    assert b"XX999YY" not in bytes_of(path)
    assert b"XX-999YY" not in bytes_of(path)
    rows = [row.fact() for row in await store.rows(0, 10)]
    assert [fact.plate for fact in rows if isinstance(fact, Refused)] == ["", "AA111BB"]
    assert await store.hash_strangers(T0 + DAY, T0 + DAY, KEY) == []


async def test_the_same_stranger_has_the_same_hash_until_the_key_changes(path: Path, store: Store) -> None:
    for day, key in ((0, KEY), (3, OTHER_KEY), (strangers.KEY_DAYS + 1, OTHER_KEY)):
        now = T0 + day * DAY
        await store.append([(now, refused("XX999YY")), (now, refused("ZZ111ZZ"))])
        await store.hash_strangers(now + timedelta(hours=1), now, key)
    first, other, again, _, later, _ = hashes(path)
    assert first == again != other
    assert later != first
    assert len(first) == 32


async def test_many_strangers_go_in_slices(path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "SLICE_ROWS", 7)
    await store.append([(T0, refused(f"XX{n:03}YY", picture=f"{n}.jpg")) for n in range(30)])
    assert len(await store.hash_strangers(T0 + DAY, T0, KEY)) == 30
    assert len(set(hashes(path))) == 30


async def steps(store: Store, cost_of: Awaitable[object]) -> int:
    """How far SQLite's machine runs, in tens of instructions."""
    taken: list[None] = []
    database = store._database
    await database.run(database.sql.set_progress_handler, lambda: taken.append(None), 10)
    await cost_of
    await database.run(database.sql.set_progress_handler, None, 10)
    return len(taken)


async def test_rows_of_known_users_are_looked_at_once(store: Store) -> None:
    async def tidy() -> int:
        return await steps(store, store.hash_strangers(T0 + DAY, T0 + DAY, KEY))

    await store.append(at(refused("AA111BB", user_id="u")))
    await tidy()
    idle = await tidy()
    await store.append(at(*(refused(f"AA{n:04}BB", user_id="u") for n in range(2000))))
    assert await tidy() > 1000
    assert await tidy() <= idle + 1
    await store.append(at(refused("XX999YY", picture="one.jpg")))
    assert await store.hash_strangers(T0 + DAY, T0 + DAY, KEY) == ["one.jpg"]


async def test_a_grant_comes_between_while_many_rows_are_looked_at(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "LOOK_ROWS", 20)
    await store.append(at(*(refused(f"AA{n:04}BB", user_id="u") for n in range(200))))
    tidying = asyncio.ensure_future(store.hash_strangers(T0 + DAY, T0 + DAY, KEY))
    await asyncio.sleep(0)
    await store.append(at(grant(1)))
    assert not tidying.done()
    await tidying


async def test_a_disk_that_refuses_loses_no_stranger(path: Path, store: Store) -> None:
    database = store._database
    await store.append(at(refused("XX999YY", picture="one.jpg")))
    await database.run(lambda: database.sql.execute("PRAGMA query_only = ON"))
    with pytest.raises(StoreError):
        await store.hash_strangers(T0 + DAY, T0 + DAY, KEY)
    await database.run(lambda: database.sql.execute("PRAGMA query_only = OFF"))
    assert await store.hash_strangers(T0 + DAY, T0 + DAY, KEY) == ["one.jpg"]
    assert len(hashes(path)) == 1


async def test_a_row_from_the_future_holds_up_none(path: Path, store: Store) -> None:
    await store.append([(T0 + 1000 * DAY, refused("XX999YY", picture="late.jpg"))])
    await store.append(at(refused("ZZ111ZZ", picture="due.jpg")))
    assert await store.hash_strangers(T0 + DAY, T0 + DAY, KEY) == ["due.jpg"]
    assert await store.hash_strangers(T0 + 1001 * DAY, T0 + DAY, KEY) == ["late.jpg"]


async def test_hashes_end_with_everything_else_that_is_personal(path: Path, store: Store) -> None:
    await store.append(at(refused("XX999YY")))
    await store.hash_strangers(T0 + DAY, T0 + DAY, KEY)
    assert await store.erase_personal(T0 + 30 * DAY) == 1
    assert hashes(path) == []


async def test_a_database_from_before_strangers_were_hashed_is_brought_up_to_date(path: Path) -> None:
    first = await open_store(path)
    await first.append(at(refused("XX999YY")))
    await first.close()
    script = resources.files(EDGE.schema).joinpath("0001_journal_and_list.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as new:
        columns = {"ledger": "only_row, id, acked", "journal": "*", "personal": "*"}
        rows = {table: new.execute(f"SELECT {kept} FROM {table}").fetchall() for table, kept in columns.items()}
    path.unlink()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(f"{script} PRAGMA application_id = {EDGE.application_id}; PRAGMA user_version = 1;")
        for table, found in rows.items():
            old.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(found[0]))})", found)
        old.commit()
    again = await open_store(path)
    await again.hash_strangers(T0 + DAY, T0 + DAY, KEY)
    await again.close()
    assert len(hashes(path)) == 1
