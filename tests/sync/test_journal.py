"""Rows are for ever, personal fields are not, and occupancy is the fold of every row however it is reached."""

import re
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.facts import Granted
from sync import journal
from sync.store import Store
from tests.sync.samples import T0, at, grant, left, open_store, passed


async def test_occupancy_is_the_same_with_and_without_checkpoints(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_EVERY_ROWS", 5)
    first = await open_store(path)
    for number in range(20):
        await first.append(at(grant(number), passed(number)))
        if number % 3 == 0:
            await first.append(left(number))
    await first.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM checkpoint").fetchone()[0] == 2
    again = await open_store(path)
    with_checkpoint = await again.occupancy()
    await again.close()
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM checkpoint")
    plain = await open_store(path)
    assert await plain.occupancy() == with_checkpoint
    assert len(list(with_checkpoint.inside())) == 13
    await plain.close()


async def test_a_checkpoint_of_another_version_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_EVERY_ROWS", 2)
    first = await open_store(path)
    await first.append(at(grant(1), passed(1)))
    await first.append(at(grant(2), passed(2)))
    await first.close()
    with sqlite3.connect(path) as raw:
        raw.execute("""UPDATE checkpoint SET occupancy = '{"holds": 7}'""")
    again = await open_store(path)
    assert len(list((await again.occupancy()).inside())) == 2
    await again.close()


async def test_a_row_of_an_unknown_kind_is_read_around(path: Path) -> None:
    first = await open_store(path)
    await first.append(at(grant(1)))
    await first.close()
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO journal VALUES (2, ?, 'teleported', '{}')", (T0.isoformat(),))
    again = await open_store(path)
    assert await again.append(at(passed(1))) == range(3, 4)
    assert (await again.occupancy()).by_plate("BNO1") is not None
    await again.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET body = '{}' WHERE seq = 1",
        "DELETE FROM journal WHERE seq = 1",
        "INSERT INTO journal VALUES (7, '', '', '{}')",
        "INSERT OR REPLACE INTO journal VALUES (1, '', '', '{}')",
    ],
)
async def test_the_journal_cannot_be_rewritten(path: Path, store: Store, statement: str) -> None:
    await store.append(at(grant(1)))
    raw = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|no gaps"):
        raw.execute(statement)
    raw.close()


async def test_what_is_personal_is_erased_on_schedule(path: Path, store: Store) -> None:
    await store.append(at(grant(1), passed(1)))
    await store.append(left(1, minute=5))
    await store.append(at(grant(2), passed(2), minute=6))
    await store.append(at(grant(3), passed(3), minute=90))
    before = await store.occupancy()

    assert await store.erase_personal(T0 + timedelta(hours=1)) == 3
    facts = {row.seq: row.fact() for row in await store.rows(0, 20)}
    first, inside, young = facts[1], facts[5], facts[7]
    assert isinstance(first, Granted)
    assert (first.plate, first.basis.evidence) == ("", None)
    # Still inside: what pairs the exit stays, the picture and the read go.
    assert isinstance(inside, Granted)
    assert (inside.plate, inside.basis.as_matched) == ("BNO2", "BNO2")
    assert (inside.basis.as_read, inside.basis.evidence) == ("", None)
    assert young == grant(3)
    assert await store.occupancy() == before
    assert await store.erase_personal(T0 + timedelta(hours=1)) == 0

    for file in (path, path.with_name("gate.db-wal")):
        content = file.read_bytes()
        assert b"BNO1" not in content
        assert b"crop-2" not in content
    assert b"BNO2" in path.read_bytes()


async def test_an_erased_journal_restores_the_same_occupancy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ERASE_SLICE_ROWS", 7)
    monkeypatch.setattr(journal, "CHECKPOINT_EVERY_ROWS", 30)
    store = await open_store(path)
    for number in range(40):
        await store.append(at(grant(number), passed(number)))
    for number in range(30):
        await store.append(left(number))
    before = await store.occupancy()
    assert await store.erase_personal(T0 + timedelta(days=1)) == 70
    await store.close()
    with sqlite3.connect(path) as raw:
        named = {int(number) for number in re.findall(r"BNO(\d+)", "".join(raw.iterdump()))}
        assert named == set(range(30, 40))
        raw.execute("DELETE FROM checkpoint")
    again = await open_store(path)
    assert await again.occupancy() == before
    await again.close()


async def test_no_older_checkpoint_names_who_has_left_and_was_erased(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHECKPOINT_EVERY_ROWS", 2)
    store = await open_store(path)
    await store.append(at(grant(1), passed(1)))
    monkeypatch.setattr(journal, "CHECKPOINT_EVERY_ROWS", 1000)
    await store.append(left(1))
    await store.erase_personal(T0 + timedelta(days=1))
    await store.close()
    with sqlite3.connect(path) as raw:
        assert "BNO1" not in "".join(raw.iterdump())
