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
from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, LaneStarted, Matched
from sync.store import Store

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LANE = LaneId("entry")


def grant(hold: str) -> Granted:
    return Granted(LANE, Direction.IN, HoldId(hold), "anna", "A-1", "NL1", Basis("e", 1, Matched.EXACT))


class FailingDisk:
    """A store whose disk refuses the first `failures` commits."""

    def __init__(self, store: Store, failures: int) -> None:
        self.store, self.failures, self.commits = store, failures, 0

    async def append(self, facts: Sequence[tuple[datetime, Fact]]) -> range:
        if self.failures:
            self.failures -= 1
            raise StoreError("no space left on the disk")
        self.commits += 1
        return await self.store.append(facts)


class Heard:
    def __init__(self) -> None:
        self.committed: list[HoldId] = []
        self.failed: list[tuple[HoldId, str]] = []

    def recorder(self, store: Store | FailingDisk) -> Recorder:
        return Recorder(
            store,
            lambda _, hold: self.committed.append(hold),
            lambda _, hold, why: self.failed.append((hold, why)),
        )


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(recorder.run())
        yield
        task.cancel()


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
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
    async with asyncio.timeout(5):
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
