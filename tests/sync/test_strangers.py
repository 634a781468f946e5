"""Strangers: a plate for a day, a keyed hash for a while, then nothing."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.facts import Basis, Direction, Fact, LaneId, Matched, Refused
from gate_controller.reasons import Reason
from sync import strangers
from sync.store import Store
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


async def test_hashes_end_with_everything_else_that_is_personal(path: Path, store: Store) -> None:
    await store.append(at(refused("XX999YY")))
    await store.hash_strangers(T0 + DAY, T0 + DAY, KEY)
    assert await store.erase_personal(T0 + 30 * DAY) == 1
    assert hashes(path) == []


async def test_a_database_from_before_strangers_were_hashed_is_brought_up_to_date(path: Path) -> None:
    first = await open_store(path)
    await first.append(at(refused("XX999YY")))
    await first.close()
    with sqlite3.connect(path) as raw:
        raw.executescript("DROP TABLE stranger; DROP TABLE stranger_key; PRAGMA user_version = 1;")
    again = await open_store(path)
    await again.hash_strangers(T0 + DAY, T0 + DAY, KEY)
    await again.close()
    assert len(hashes(path)) == 1
