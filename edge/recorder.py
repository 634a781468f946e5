"""Between the lanes and the disk: facts are taken at once, written in groups, and grants are told when they stand.

A lane never waits here: `record` only queues. Everything that queued up while one commit ran goes into the next.
When the disk fails, each waiting grant hears of it once and its lane's policy decides; the facts stay queued and
are written when the disk returns.

Each fact has its row from the moment it is queued, so that a `log_gap` can name the one that its grant will fill,
however late. Rows are written in that order only: whatever ends the program, no row is there without those before.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

from gate_controller.errors import StoreError
from gate_controller.facts import DeskGranted, Fact, Granted, HoldId, LaneId, LogGap

log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 1.0
PENDING_LEN_MAX: Final = 100_000
BATCH_LEN_MAX: Final = 500


class Appends(Protocol):
    """What the recorder needs of a store that nobody else appends to."""

    @property
    def next_seq(self) -> int:
        """The number that the next row gets."""

    async def append(self, facts: Sequence[tuple[datetime, Fact]]) -> range:
        """Commit the facts in one transaction and return their sequence numbers; raises `StoreError`."""


class Recorder:
    """Writes facts in the order they happened."""

    def __init__(
        self,
        store: Appends,
        on_committed: Callable[[LaneId, HoldId], None],
        on_failed: Callable[[LaneId, HoldId, str], None],
        on_written: Callable[[Sequence[Fact]], None] = lambda facts: None,
    ) -> None:
        """`on_written` hears of everything that stands on disk, after the grants among it were told."""
        self._store = store
        self._on_written = on_written
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._pending: deque[tuple[datetime, Fact]] = deque()
        self._first_seq = store.next_seq
        self._reserved: dict[HoldId, int] = {}
        self._news = asyncio.Event()
        self._failing = False
        self._told: set[HoldId] = set()
        self._losing = False
        self._idle = False
        self._under_way: tuple[list[tuple[datetime, Fact]], asyncio.Future[range]] | None = None

    def record(self, facts: Sequence[Fact], at: datetime) -> list[Fact]:
        """Queue facts that happened at `at`; returns them as they are written, a `LogGap` with its row.

        Past 100,000 waiting ones a new one is lost; the log tells so once.
        """
        numbered = [self._queue(fact, at) for fact in facts]
        if facts:
            if self._idle and self._under_way is None:
                self._begin()  # now, not when `run` gets its turn: somebody may be waiting at the boom
            self._news.set()
        return numbered

    def _queue(self, fact: Fact, at: datetime) -> Fact:
        if isinstance(fact, LogGap):
            fact = replace(fact, seq=self._reserved.get(fact.hold))
        waiting = len(self._pending)
        full = waiting >= PENDING_LEN_MAX
        if full and not self._losing:
            log.error("journal: the disk has failed for so long that facts are being lost")
        self._losing = full
        if not full:
            if isinstance(fact, Granted):
                self._reserved[fact.hold] = self._first_seq + waiting
            self._pending.append((at, fact))
        return fact

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            self._idle = True
            await self._news.wait()
            self._idle = False
            self._news.clear()
            while self._pending:
                if not await self._write():
                    await asyncio.sleep(RETRY_AFTER_S)

    async def flush(self) -> None:
        """Write what is queued, until it is written or the disk refuses; for the end of the program."""
        while self._pending and await self._write():
            pass

    def _begin(self) -> tuple[list[tuple[datetime, Fact]], asyncio.Future[range]]:
        """Hand a batch to the store; it is under way from now on, whoever awaits it."""
        batch = list(islice(self._pending, BATCH_LEN_MAX))
        self._under_way = batch, asyncio.ensure_future(self._store.append(batch))
        return self._under_way

    async def _write(self) -> bool:
        """One batch; false when the disk refused. After a cancelled call, the next one awaits the same commit."""
        batch, commit = self._under_way or self._begin()
        grants = [fact for _, fact in batch if isinstance(fact, Granted | DeskGranted)]
        try:
            rows = await asyncio.shield(commit)
        except StoreError as error:
            self._under_way = None
            self._say_failing(error)
            self._tell_failed(grants, str(error))
            return False
        self._under_way = None
        if self._failing:
            self._failing = False
            log.warning("journal: writing again")
        reserved, self._first_seq = self._first_seq, rows.stop
        if rows.start != reserved:
            log.error("journal: rows from %d on were reserved, those from %d on written", reserved, rows.start)
        for _ in batch:
            self._pending.popleft()
        self._told.clear()
        for grant in grants:
            self._reserved.pop(grant.hold, None)
            self._on_committed(grant.lane, grant.hold)
        self._on_written([fact for _, fact in batch])
        return True

    def _tell_failed(self, grants: Sequence[Granted | DeskGranted], why: str) -> None:
        for grant in grants:
            if grant.hold not in self._told:
                self._told.add(grant.hold)
                self._on_failed(grant.lane, grant.hold, why)

    def _say_failing(self, error: StoreError) -> None:
        if not self._failing:
            self._failing = True
            log.error("journal: %s", error)
