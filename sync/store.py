"""What an edge keeps: its journal, the occupancy that follows from it, and the cached allowlist.

One database of one process (`sync.database`); its rows are `sync.journal`'s and `sync.cached_list`'s business.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from gate_controller.allowlist import Allowlist, Change
from gate_controller.errors import StoreError
from gate_controller.facts import Fact
from gate_controller.occupancy import Occupancy
from sync.cached_list import CachedList, ListCursor
from sync.database import Blueprint, Database
from sync.journal import Journal, JournalRow
from sync.strangers import Strangers

EDGE: Final = Blueprint(0x534C4147, "sync.schema")
"""An edge's database; its id spells SLAG."""

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """Journal, occupancy and cached allowlist of one edge. Made by `Store.open`.

    Every method raises StoreError, naming the file and the fix, and then has changed nothing.
    """

    def __init__(self, database: Database, journal: Journal, cached: CachedList, strangers: Strangers) -> None:
        self._database, self._journal, self._list, self._strangers = database, journal, cached, strangers
        self.appended = asyncio.Event()
        """Set after every append; whoever uploads clears it."""

    @classmethod
    async def open(cls, path: Path, new_ledger: Callable[[], str]) -> "Store":
        """Open or create the database at `path`, holding it exclusively until `close`.

        `new_ledger` names the ledger of a new database. Raises StoreError for a missing directory, another
        daemon's database, a corrupt or foreign file, a newer schema and a full disk.
        """
        database = await Database.open(path, EDGE)
        try:
            journal = await database.run(lambda: Journal(database.sql, new_ledger()))
        except BaseException:
            await database.close()
            raise
        return cls(database, journal, CachedList(database.sql), Strangers(database.sql))

    async def close(self) -> None:
        """Close the database and let go of it; transactions already begun finish first."""
        await self._database.close()

    # ---- journal ----

    @property
    def ledger(self) -> str:
        """Random name of this database's journal: (edge, ledger, seq) names an event for ever."""
        return self._journal.ledger

    @property
    def next_seq(self) -> int:
        """The number that the next row gets; the first is 1."""
        return self._journal.standing.next_seq

    @property
    def acked_through(self) -> int:
        """The last row that the portal has durably stored."""
        return self._journal.standing.acked

    async def append(self, facts: Sequence[tuple[datetime, Fact]]) -> range:
        """Write facts durably, in one transaction; returns their sequence numbers.

        A caller that stops waiting does not undo it: the rows land late.
        """
        return await self._write(self._journal.append, facts)

    async def occupancy(self) -> Occupancy:
        """The fold of every row in the journal."""
        return await self._database.run(lambda: self._journal.standing.occupancy)

    async def rows(self, after_seq: int, limit: int) -> list[JournalRow]:
        """At most `limit` rows that follow `after_seq`, oldest first."""
        return await self._database.run(self._journal.rows, after_seq, limit)

    async def acked(self, through: int) -> None:
        """The portal has every row up to `through`; StoreError if that is a row it cannot have."""
        if through >= self.next_seq:
            raise StoreError(
                f"{self._database.path}: row {through} cannot be acknowledged, the next is {self.next_seq}"
            )
        await self._write(self._journal.ack, through)

    async def hash_strangers(self, before: datetime, now: datetime, fresh_key: bytes) -> list[str]:
        """Leave only keyed hashes of strangers seen before `before`; names of their pictures, to be deleted too.

        `fresh_key` is a random key, used where the present one has served its time.
        """

        def hash_slice() -> tuple[int, list[str]]:
            rows, pictures = self._strangers.hash_slice(before, now, fresh_key)
            if rows:
                self._journal.renew_checkpoint()
            return rows, pictures

        while await self._database.run(self._strangers.look_slice):
            pass
        found: list[str] = []
        hashed = 0
        while (slice_ := await self._write(hash_slice))[0]:
            hashed += slice_[0]
            found += slice_[1]
        if hashed:
            await self._fold_log()
        return found

    async def erase_personal(self, before: datetime) -> int:
        """Erase what names persons and vehicles in rows older than `before`; returns how many rows.

        Open sessions and holds keep what pairs their exit. Works in slices, so that a grant can come between.
        """
        erased = await self._write(self._strangers.erase, before)
        while slice_rows := await self._write(self._journal.erase_slice, before):
            erased += slice_rows
        if erased:
            await self._fold_log()
        return erased

    async def _fold_log(self) -> None:
        """Until the write-ahead log is folded back, it still holds the pages as they were."""
        await self._database.run(lambda: self._database.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    # ---- allowlist ----

    async def allowlist(self, reader_bits: Sequence[int] = ()) -> Allowlist:
        """The cached list as last committed, for readers of these widths; of nobody before the first."""
        return await self._database.run(self._list.load, reader_bits)

    async def list_cursor(self) -> ListCursor | None:
        """Which list is cached and when the portal last said that it is the newest; None before the first."""
        return await self._database.run(self._list.cursor)

    async def put_changes(
        self,
        epoch: str,
        from_rev: int,
        to_rev: int,
        changes: Sequence[Change],
        confirmed_at: datetime | None = None,
    ) -> None:
        """Write changes and cursor together; StoreError if the cached list is not at `from_rev` of `epoch`.

        `confirmed_at` is when the portal said that this is the newest; None keeps what was known.
        """
        await self._write(self._list.put, epoch, from_rev, to_rev, changes, confirmed_at)

    async def replace_list(
        self, epoch: str, rev: int, changes: Sequence[Change], confirmed_at: datetime | None = None
    ) -> None:
        """Replace the whole cached list by what `changes` build from nothing."""
        await self._write(self._list.replace, epoch, rev, changes, confirmed_at)

    # ---- inside ----

    async def _write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop, next_seq = asyncio.get_running_loop(), self.next_seq

        def write() -> T:
            try:
                with self._database.transaction():
                    result = function(*args, **kwargs)
            except BaseException:
                self._journal.rolled_back()
                raise
            self._journal.committed()
            if self.next_seq > next_seq:
                # From here, because whoever asked may no longer be waiting.
                loop.call_soon_threadsafe(self.appended.set)
            return result

        return await self._database.run(write)
