"""The recorder's queue over a real store."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import edge.recorder
from edge.recorder import Recorder
from gate_controller.errors import StoreError
from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, LaneStarted, LogGap, Matched
from sync.store import Store

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LANE = LaneId("entry")


def grant(hold: str) -> Granted:
    return Granted(LANE, Direction.IN, HoldId(hold), "anna", "A-1", "NL1", Basis("e", 1, Matched.EXACT))


class FailingDisk:
    """A store whose disk refuses the first `failures` commits."""

    def __init__(self, store: Store, failures: int) -> None:
        self.store, self.failures, self.commits = store, failures, 0

    @property
    def next_seq(self) -> int:
        return self.store.next_seq

    async def append(self, facts: Sequence[tuple[datetime, Fact]]) -> range:
        if self.failures:
            self.failures -= 1
            raise StoreError("no space left on the disk")
        self.commits += 1
        return await self.store.append(facts)


class HangingDisk(FailingDisk):
    """A store whose disk takes nothing until it is let go."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, failures=0)
        self.let_go = asyncio.Event()

    async def append(self, facts: Sequence[tuple[datetime, Fact]]) -> range:
        await self.let_go.wait()
        return await super().append(facts)


def gap(hold: str, seq: int | None = None) -> LogGap:
    return LogGap(LANE, HoldId(hold), "anna", seq)


class Heard:
    def __init__(self) -> None:
        self.committed: list[HoldId] = []
        self.failed: list[tuple[HoldId, str]] = []
        self.written: list[Fact] = []

    def recorder(self, store: Store | FailingDisk) -> Recorder:
        return Recorder(
            store,
            lambda _, hold: self.committed.append(hold),
            lambda _, hold, why: self.failed.append((hold, why)),
            self.written.extend,
        )


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recorder.run())
        yield
        task.cancel()


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not met():
            await asyncio.sleep(0.005)


async def test_a_grant_is_told_once_it_is_on_disk(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(store)
    async with running(recorder):
        recorder.record([LaneStarted(LANE), grant("h1")], AT)
        assert heard.committed == []
        await until(lambda: heard.committed == ["h1"])
    rows = await store.rows(0, 10)
    await store.close()
    assert [type(row.fact()) for row in rows] == [LaneStarted, Granted]


async def test_a_commit_begins_without_waiting_for_its_turn(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    disk = FailingDisk(store, failures=0)
    recorder = heard.recorder(disk)
    async with running(recorder):
        await asyncio.sleep(0.02)
        recorder.record([grant("h1")], AT)
        await asyncio.sleep(0)
        assert disk.commits == 1
        await until(lambda: heard.committed == ["h1"])
    await store.close()


async def test_only_what_stands_on_disk_is_told_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.recorder, "RETRY_AFTER_S", 0.1)
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(FailingDisk(store, failures=1))
    async with running(recorder):
        recorder.record([LaneStarted(LANE), grant("h1")], AT)
        await until(lambda: bool(heard.failed))
        assert not heard.written
        await until(lambda: heard.written == [LaneStarted(LANE), grant("h1")])
        assert heard.committed == ["h1"]
    await store.close()


async def test_what_queues_up_goes_into_few_commits_in_order(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    disk = FailingDisk(store, failures=0)
    recorder = heard.recorder(disk)
    async with running(recorder):
        for i in range(200):
            recorder.record([grant(f"h{i}")], AT)
        await until(lambda: len(heard.committed) == 200)
    await store.close()
    assert heard.committed == [f"h{i}" for i in range(200)]
    assert disk.commits <= 3


async def test_a_failing_disk_is_told_once_a_grant_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.recorder, "RETRY_AFTER_S", 0.01)
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(FailingDisk(store, failures=3))
    async with running(recorder):
        recorder.record([grant("h1")], AT)
        await until(lambda: heard.committed == ["h1"])
    rows = await store.rows(0, 10)
    await store.close()
    assert heard.failed == [(HoldId("h1"), "no space left on the disk")]
    assert [row.fact() for row in rows] == [grant("h1")]


async def test_flush_writes_the_rest_at_the_end(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(store)
    recorder.record([LaneStarted(LANE)], AT)
    await recorder.flush()
    rows = await store.rows(0, 10)
    await store.close()
    assert len(rows) == 1


async def test_a_stop_during_a_commit_writes_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(store)
    for round_ in range(20):
        task = asyncio.ensure_future(recorder.run())
        recorder.record([grant(f"h{round_}")], AT)
        for _ in range(round_ % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        recorder.record([LaneStarted(LANE)], AT)
        await recorder.flush()
    rows = await store.rows(0, 100)
    await store.close()
    expected = [fact for n in range(20) for fact in (grant(f"h{n}"), LaneStarted(LANE))]
    assert [row.fact() for row in rows] == expected


async def test_flush_writes_more_than_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.recorder, "BATCH_LEN_MAX", 3)
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(store)
    recorder.record([LaneStarted(LANE)] * 10, AT)
    await recorder.flush()
    assert len(await store.rows(0, 100)) == 10
    await store.close()


async def test_flush_gives_up_on_a_disk_that_refuses(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(FailingDisk(store, failures=100))
    recorder.record([LaneStarted(LANE)], AT)
    async with asyncio.timeout(60):
        await recorder.flush()
    await store.close()


async def test_what_no_longer_fits_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(edge.recorder, "PENDING_LEN_MAX", 2)
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(store)
    for n in range(5):
        recorder.record([grant(f"h{n}")], AT)
    await recorder.flush()
    assert heard.committed == ["h0", "h1"]
    assert sum("being lost" in line for line in caplog.messages) == 1
    await store.close()


async def test_a_gap_names_the_row_that_the_late_grant_then_fills(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    await store.append([(AT, LaneStarted(LANE))] * 6)
    disk = HangingDisk(store)
    recorder = heard.recorder(disk)
    async with running(recorder):
        recorder.record([LaneStarted(LANE), grant("h1")], AT)
        await asyncio.sleep(0.02)
        recorder.record([grant("h2")], AT)
        assert recorder.record([gap("h1"), gap("h2")], AT) == [gap("h1", 8), gap("h2", 9)]
        disk.let_go.set()
        await until(lambda: heard.committed == ["h1", "h2"])
        await recorder.flush()
        assert recorder.record([grant("h3"), gap("h3")], AT)[1] == gap("h3", 12)
        await recorder.flush()
    rows = {row.seq: row.fact() for row in await store.rows(6, 10)}
    await store.close()
    assert rows == {
        7: LaneStarted(LANE),
        8: grant("h1"),
        9: grant("h2"),
        10: gap("h1", 8),
        11: gap("h2", 9),
        12: grant("h3"),
        13: gap("h3", 12),
    }


async def test_a_disk_that_refuses_keeps_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.recorder, "RETRY_AFTER_S", 0.01)
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(FailingDisk(store, failures=2))
    async with running(recorder):
        recorder.record([grant("h1")], AT)
        await until(lambda: len(heard.failed) == 1)
        recorder.record([gap("h1")], AT)
        await until(lambda: heard.committed == ["h1"])
        await recorder.flush()
    rows = [row.fact() for row in await store.rows(0, 10)]
    await store.close()
    assert rows == [grant("h1"), gap("h1", 1)]


async def test_a_row_that_never_lands_leaves_no_hole(tmp_path: Path) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    await store.append([(AT, LaneStarted(LANE))])
    task = asyncio.ensure_future((recorder := heard.recorder(HangingDisk(store))).run())
    recorder.record([grant("h1")], AT)
    await asyncio.sleep(0.02)
    assert recorder.record([gap("h1"), LaneStarted(LANE)], AT)[0] == gap("h1", 2)
    task.cancel()
    await asyncio.wait([task])
    await store.close()
    again = await Store.open(tmp_path / "db", lambda: "another")
    after = heard.recorder(again)
    assert after.record([grant("h2"), gap("h2")], AT)[1] == gap("h2", 2)
    await after.flush()
    rows = await again.rows(0, 10)
    await again.close()
    assert [row.seq for row in rows] == [1, 2, 3]
    assert [row.fact() for row in rows[1:]] == [grant("h2"), gap("h2", 2)]


async def test_a_grant_that_is_lost_has_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.recorder, "PENDING_LEN_MAX", 1)
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(HangingDisk(store))
    assert recorder.record([LaneStarted(LANE), grant("h1"), gap("h1")], AT)[2] == gap("h1", None)
    await store.close()


async def test_another_writer_is_named_and_later_gaps_are_right_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard, store = Heard(), await Store.open(tmp_path / "db", lambda: "ledger")
    recorder = heard.recorder(store)
    await store.append([(AT, LaneStarted(LANE))])
    recorder.record([grant("h1")], AT)
    await recorder.flush()
    assert "from 1 on were reserved, those from 2 on written" in caplog.text
    assert recorder.record([grant("h2"), gap("h2")], AT)[1] == gap("h2", 3)
    await store.close()
