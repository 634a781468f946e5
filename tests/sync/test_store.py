"""The database keeps what it said it kept: through power cuts, full disks, other versions and erasure."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate_controller.errors import StoreError
from gate_controller.facts import (
    Basis,
    Direction,
    Fact,
    Granted,
    HoldId,
    LaneId,
    Matched,
    Passed,
    VehicleArrived,
    VehicleLeft,
)
from sync.store import Store

LANE = LaneId("in")
T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


def grant(number: int, direction: Direction = Direction.IN, closes: tuple[HoldId, ...] = ()) -> Granted:
    plate = f"BNO{number}"
    basis = Basis("e", 1, Matched.EXACT, as_read=f"B-NO {number}", as_matched=plate, evidence=f"crop-{number}")
    hold = HoldId(f"{direction.value}{number}")
    return Granted(LANE, direction, hold, f"u{number}", f"x{number}", plate, basis, closes=closes)


def passed(number: int, direction: Direction = Direction.IN) -> Passed:
    return Passed(LANE, direction, HoldId(f"{direction.value}{number}"))


def at(*facts: Fact, minute: int = 0) -> list[tuple[datetime, Fact]]:
    return [(T0 + timedelta(minutes=minute), fact) for fact in facts]


def left(number: int, minute: int = 0) -> list[tuple[datetime, Fact]]:
    out = grant(number, Direction.OUT, (HoldId(f"in{number}"),))
    return at(out, passed(number, Direction.OUT), minute=minute)


async def open_store(path: Path, ledger: str = "L1") -> Store:
    return await Store.open(path, lambda: ledger)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = await open_store(path)
    yield opened
    await opened.close()


# ---- appending and reading ----


async def test_facts_get_gapless_numbers_and_come_back(store: Store) -> None:
    assert await store.append(at(VehicleArrived(LANE, Direction.IN))) == range(1, 2)
    assert await store.append(at(grant(1), passed(1))) == range(2, 4)
    rows = await store.rows(after_seq=1, limit=10)
    assert [(row.seq, row.fact()) for row in rows] == [(2, grant(1)), (3, passed(1))]
    assert [row.at for row in rows] == [T0, T0]
    assert store.next_seq == 4
    assert [row.seq for row in await store.rows(after_seq=0, limit=2)] == [1, 2]


async def test_ledger_and_numbers_survive_a_restart(path: Path) -> None:
    first = await open_store(path, "L1")
    await first.append(at(grant(1), passed(1)))
    await first.acked(1)
    await first.close()
    again = await open_store(path, "another")
    assert (again.ledger, again.next_seq, again.acked_through) == ("L1", 3, 1)
    await again.close()


async def test_occupancy_is_restored_from_the_journal(path: Path) -> None:
    first = await open_store(path)
    await first.append(at(grant(1), passed(1), grant(2)))
    before = await first.occupancy()
    await first.close()
    again = await open_store(path)
    after = await again.occupancy()
    assert after == before
    assert after.by_plate("BNO1") is not None
    assert [hold.plate for hold in after.holds.values()] == ["BNO2"]
    await again.close()


async def test_occupancy_is_the_same_with_and_without_checkpoints(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.journal.CHECKPOINT_EVERY_ROWS", 5)
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
    monkeypatch.setattr("sync.journal.CHECKPOINT_EVERY_ROWS", 2)
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


async def test_many_writers_at_once_leave_no_gap(store: Store) -> None:
    ranges = await asyncio.gather(*(store.append(at(VehicleLeft(LANE), VehicleLeft(LANE))) for _ in range(30)))
    assert sorted(number for numbers in ranges for number in numbers) == list(range(1, 61))


async def test_a_writer_that_stops_waiting_still_counts(store: Store) -> None:
    waiting = asyncio.ensure_future(store.append(at(grant(1))))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await store.append(at(passed(1))) == range(2, 3)
    assert store.next_seq == 3
    assert (await store.occupancy()).by_plate("BNO1") is not None
    assert store.appended.is_set()


async def test_acknowledgements_only_rise_and_never_run_ahead(store: Store) -> None:
    await store.append(at(grant(1), passed(1), VehicleLeft(LANE)))
    await store.acked(2)
    await store.acked(1)
    assert store.acked_through == 2
    with pytest.raises(StoreError, match="row 4 cannot be acknowledged"):
        await store.acked(4)
    assert store.acked_through == 2


# ---- power cuts ----


async def test_every_prefix_of_the_log_keeps_what_was_returned(path: Path, tmp_path: Path) -> None:
    store = await open_store(path)
    returned: list[tuple[int, int]] = [(0, 0)]  # (bytes of log, rows returned)
    wal = path.with_name("gate.db-wal")
    for number in range(12):
        await store.append(at(grant(number), passed(number)))
        returned.append((wal.stat().st_size, store.next_seq - 1))
    main, log = path.read_bytes(), wal.read_bytes()
    await store.close()

    # Frames are 4096 bytes and a header of 24: cut at their ends, within their headers, within their pages.
    cuts = [end + more for end in range(32, len(log) + 1, 4120) for more in (0, 10, 24, 2000)]
    started = min(size for size, rows in returned if rows)
    checked = 0
    for cut in cuts:
        if cut < started:
            continue
        kept = max(rows for size, rows in returned if size <= cut)
        for tail in (b"", b"\xa5" * 3000):
            assert await _rows_after_cut(tmp_path, main, log[:cut] + tail) >= kept
            checked += 1
    assert checked > 50


async def _rows_after_cut(tmp_path: Path, main: bytes, log: bytes) -> int:
    cut = tmp_path / "cut.db"
    cut.write_bytes(main)
    cut.with_name("cut.db-wal").write_bytes(log)
    cut.with_name("cut.db-shm").unlink(missing_ok=True)
    store = await open_store(cut)
    rows = await store.rows(0, 1000)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert store.next_seq == len(rows) + 1
    # A grant and its passage were one transaction: never half of it.
    assert len(rows) % 2 == 0
    assert len(list((await store.occupancy()).inside())) == len(rows) // 2
    await store.close()
    return len(rows)


def test_a_killed_process_leaves_its_rows_and_lets_go_of_the_lock(path: Path) -> None:
    script = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from datetime import datetime, UTC\n"
        "from gate_controller.facts import LaneId, VehicleLeft\n"
        "from sync.store import Store\n"
        "async def main():\n"
        "    store = await Store.open(Path(sys.argv[1]), lambda: 'L')\n"
        "    for _ in range(5):\n"
        "        await store.append([(datetime(2026, 3, 1, tzinfo=UTC), VehicleLeft(LaneId('in')))])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], timeout=60, check=False)
    assert killed.returncode == -9

    async def look() -> int:
        store = await open_store(path)
        rows = await store.rows(0, 100)
        await store.close()
        return len(rows)

    assert asyncio.run(look()) == 5


# ---- full disk ----


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more_is_one_clear_error(path: Path, store: Store) -> None:
    await store.append(at(grant(1), passed(1)))
    before = await store.occupancy()
    with no_file_larger_than(path.with_name("gate.db-wal").stat().st_size + 100):
        with pytest.raises(StoreError, match=rf"{path}.*free space"):
            await store.append(at(grant(2)))
        assert await store.occupancy() == before
        assert [row.seq for row in await store.rows(0, 10)] == [1, 2]
    assert await store.append(at(grant(3))) == range(3, 4)
    assert set((await store.occupancy()).holds) == {HoldId("in3")}


async def test_a_full_database_keeps_its_rows_and_works_again(path: Path, store: Store) -> None:
    await store.append(at(grant(1)))
    pages = await store._database.run(lambda: store._database.sql.execute("PRAGMA page_count").fetchone()[0])
    await store._database.run(lambda: store._database.sql.execute(f"PRAGMA max_page_count = {pages + 1}"))
    with pytest.raises(StoreError, match="no space left on the disk"):
        await _append_until_refused(store)
    written = store.next_seq - 1
    assert written > 1
    await store.acked(1)
    assert len((await store.occupancy()).holds) == written
    await store._database.run(lambda: store._database.sql.execute("PRAGMA max_page_count = 1000000"))
    assert await store.append(at(grant(3000))) == range(written + 1, written + 2)
    assert len((await store.occupancy()).holds) == written + 1


async def _append_until_refused(store: Store) -> None:
    for number in range(2, 2000):
        await store.append(at(grant(number)))


async def test_a_full_disk_at_the_first_start_is_one_clear_error(path: Path) -> None:
    with no_file_larger_than(2000), pytest.raises(StoreError, match="free space"):
        await open_store(path)
    store = await open_store(path)
    await store.append(at(grant(1)))
    await store.close()


# ---- files that are not ours ----


async def test_a_second_daemon_is_refused(path: Path, store: Store) -> None:
    with pytest.raises(StoreError, match="another slagboom runs on this database"):
        await open_store(path)
    await store.append(at(grant(1)))


async def test_the_lock_ends_with_close(path: Path) -> None:
    await (await open_store(path)).close()
    await (await open_store(path)).close()


async def test_a_reader_may_look_in_while_the_daemon_writes(path: Path, store: Store) -> None:
    await store.append(at(grant(1)))
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert reader.execute("SELECT count(*) FROM journal").fetchone()[0] == 1
    reader.close()


async def test_text_is_no_database(path: Path) -> None:
    path.write_text("external_id,plate\n" * 500)
    with pytest.raises(StoreError, match=rf"{path}: this is not a database"):
        await open_store(path)
    assert path.read_text().startswith("external_id")


async def test_a_damaged_database_says_so(path: Path) -> None:
    store = await open_store(path)
    await store.append([(T0, grant(number)) for number in range(300)])
    await store.close()
    content = bytearray(path.read_bytes())
    for page in range(4, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = os.urandom(200)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="the database is damaged"):
        await open_store(path)


async def test_a_newer_schema_is_left_alone(path: Path) -> None:
    await (await open_store(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 9999")
    with pytest.raises(StoreError, match=r"newer slagboom.*9999"):
        await open_store(path)


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreError, match="another program"):
        await open_store(path)
    with sqlite3.connect(path) as raw:
        assert [name for (name,) in raw.execute("SELECT name FROM sqlite_master")] == ["recipes"]


async def test_places_where_no_database_can_be(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist; create it"):
        await open_store(tmp_path / "missing" / "gate.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreError, match=r"folder\.db: the file cannot be opened"):
        await open_store(tmp_path / "folder.db")
    with pytest.raises(StoreError, match="cannot write to its directory"):
        await open_store(Path("/proc/gate.db"))


# ---- erasure ----


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
    monkeypatch.setattr("sync.journal.ERASE_SLICE_ROWS", 7)
    store = await open_store(path)
    for number in range(40):
        await store.append(at(grant(number), passed(number)))
    for number in range(30):
        await store.append(left(number))
    before = await store.occupancy()
    assert await store.erase_personal(T0 + timedelta(days=1)) == 70
    await store.close()
    with sqlite3.connect(path) as raw:
        assert b"BNO7" not in "".join(raw.iterdump()).encode()
        raw.execute("DELETE FROM checkpoint")
    again = await open_store(path)
    assert await again.occupancy() == before
    await again.close()
