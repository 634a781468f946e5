"""The store keeps what it said it kept: over restarts, cancelled callers and power cuts."""

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import User, UserPut
from gate_controller.errors import StoreError
from gate_controller.facts import (
    Direction,
    VehicleArrived,
    VehicleLeft,
)
from sync.cached_list import Shadow
from sync.codec import encode_change
from sync.entries import Gathered
from sync.store import Store
from tests.sync.samples import LANE, T0, at, grant, open_store, passed


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


async def test_every_prefix_of_the_log_keeps_what_was_returned(path: Path, tmp_path: Path) -> None:
    store = await open_store(path)
    returned: list[tuple[int, int]] = [(0, 0)]  # (bytes of log, rows returned)
    wal = path.with_name("gate.db-wal")
    for number in range(8):
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


def some_entries(numbers: range) -> Gathered:
    gathered = Gathered()
    gathered.read([bytes(encode_change(UserPut(User(f"u{n}", f"x{n}")))) for n in numbers])
    return gathered


async def test_a_grant_goes_before_the_rest_of_a_long_list(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.cached_list.STATEMENT_ROWS", 2)
    entries = some_entries(range(9))
    begun = Shadow("e", 1, entries.sums.root, 1)
    written = replace(begun, next=1)
    asked = threading.Event()
    # Nothing is begun before all of it waits, however slow the machine is.
    holds = asyncio.ensure_future(store._database.run(asked.wait))
    await asyncio.sleep(0)
    adds = asyncio.ensure_future(store.add_parts(begun, written, entries))
    await asyncio.sleep(0)
    appends = asyncio.ensure_future(store.append(at(grant(1))))
    await asyncio.sleep(0)
    looks = asyncio.ensure_future(store.shadow())
    await asyncio.sleep(0)
    asked.set()
    assert await looks == begun
    assert await appends == range(1, 2)
    await asyncio.gather(holds, adds)
    assert await store.shadow() == written
    await store.swap_list(T0)
    assert {user.id for user in (await store.allowlist()).users()} == {f"u{n}" for n in range(9)}


async def test_a_part_that_a_power_cut_left_half_written_is_written_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.cached_list.STATEMENT_ROWS", 2)
    store, parts = await open_store(path), [some_entries(range(4)), some_entries(range(4, 9))]
    begun = Shadow("e", 1, some_entries(range(9)).sums.root, 2)
    middle, whole = replace(begun, next=1), replace(begun, next=2)
    await store.add_parts(begun, middle, parts[0])
    assert await store._write(store._list.add_parts, middle, whole, parts[1], 0, lambda: True) == 2
    await store.close()
    again = await open_store(path)
    assert await again.shadow() == middle
    await again.add_parts(middle, whole, parts[1])
    await again.swap_list(T0)
    assert {user.id for user in (await again.allowlist()).users()} == {f"u{n}" for n in range(9)}
    await again.close()
