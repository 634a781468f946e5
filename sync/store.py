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
from gate_controller.standing_orders import Switched, Void
from gate_controller.users import User
from sync.cached_list import CachedList, ListCursor, Shadow
from sync.database import Blueprint, Database
from sync.enrols import EnrolBook
from sync.entries import Gathered, Row
from sync.journal import Journal, JournalRow
from sync.list_age import ListAge
from sync.list_rows import ListRows
from sync.marks import Mark, Marks
from sync.messages import Enrol
from sync.roots import Buckets
from sync.standing_orders import StandingOrders
from sync.strangers import Strangers

EDGE: Final = Blueprint(0x534C4147, "sync.schema")
"""An edge's database; its id spells SLAG."""

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """Journal, occupancy and cached allowlist of one edge. Made by `Store.open`.

    Every method raises StoreError, naming the file and the fix, and then has changed nothing.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database, self._journal = database, journal
        self._list, self._list_age, self._marks, self._strangers, self._standing, self._enrols = (
            CachedList(database.sql), ListAge(database.sql), Marks(database.sql), Strangers(database.sql),
            StandingOrders(database.sql), EnrolBook(database.sql),
        )  # fmt: skip
        self._list_rows = ListRows(database.sql)
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
        return cls(database, journal)

    async def close(self) -> None:
        """Close the database and let go of it; transactions already begun finish first."""
        await self._database.close()

    # ---- journal ----

    @property
    def ledger(self) -> str:
        """Random name of this database's journal: (edge, ledger, seq) names an event for ever."""
        return self._journal.standing.ledger

    @property
    def ledger_after(self) -> int:
        """The rows after this one are the ledger's; earlier ones belong to those that it followed."""
        return self._journal.standing.after

    @property
    def ledger_follows(self) -> str | None:
        """The ledger that this one followed, because the portal had other rows of it."""
        return self._journal.standing.follows

    @property
    def last_conn(self) -> int:
        """The number of the last connection to the portal; the next one must have a higher one."""
        return self._journal.standing.conn

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

    async def fork_ledger(self, ledger: str) -> None:
        """Give the rows that the portal has not acknowledged another ledger, which follows the old one."""
        await self._write(self._journal.fork, ledger)

    async def note_conn(self, conn: int) -> None:
        """The connection to the portal has this number."""
        await self._write(self._journal.note_conn, conn)

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

    async def note_list_age(self, confirmed_at: datetime, age_s: float) -> None:
        """The list that the portal confirmed then is so old now, by a clock that nobody can set."""
        await self._write(self._list_age.note, confirmed_at, age_s)

    async def list_age(self, confirmed_at: datetime) -> float:
        """The age in seconds last noted of the list that was confirmed then; 0 where none was."""
        return await self._database.run(self._list_age.known, confirmed_at)

    async def put_changes(
        self,
        epoch: str,
        from_rev: int,
        to_rev: int,
        changes: Sequence[Change],
        confirmed_at: datetime | None = None,
        ops: Sequence[bytes] | None = None,
        root: str | None = None,
        mark: tuple[str, datetime, int, int] | None = None,
    ) -> None:
        """Write changes and cursor together; StoreError if the cached list is not at `from_rev` of `epoch`.

        `confirmed_at` is when the portal said that this is the newest; None keeps what was known. `ops` are the
        changes as the portal encoded them, `root` what the list must then come to; ListRejected if it does not.
        `mark` is what key signed them, when, in which era and for which revision.
        """

        def write() -> None:
            self._list.put(epoch, from_rev, to_rev, changes, confirmed_at, ops, root)
            if mark is not None:
                self._marks.raise_to(*mark)

        await self._write(write)

    async def replace_list(
        self, epoch: str, rev: int, changes: Sequence[Change], confirmed_at: datetime | None = None
    ) -> None:
        """Replace the whole cached list by what `changes` build from nothing."""
        await self._write(self._list.replace, epoch, rev, changes, confirmed_at)

    async def list_root(self) -> str:
        """The root of the cached list (`sync.roots`)."""
        return await self._database.run(self._list.root)

    async def shadow(self) -> Shadow | None:
        """How far a whole list on its way has come."""
        return await self._database.run(self._list.shadow)

    async def add_parts(self, before: Shadow, after: Shadow, entries: Gathered) -> None:
        """Write the parts of a whole list between two stages beside the list in force.

        One transaction, unless somebody waits: then what is written is committed, and it goes on behind them.
        """
        first: int | None = 0
        while first is not None:
            hurry = self._database.others_wait
            first = await self._write(self._list.add_parts, before, after, entries, first, hurry)

    async def shadow_bodies(self, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Key and body of at most `limit` entries of the list on its way that follow this key."""
        return await self._database.run(self._list.shadow_bodies, kind, after, limit)

    async def drop_shadow(self) -> None:
        """Give up the list on its way."""
        await self._write(self._list.drop_shadow)

    async def remember_left_out(self) -> None:
        """Keep the ids of those whom the list on its way leaves out, in slices; to be called before `swap_list`."""
        after: bytes | None = b""
        while after is not None:
            after = await self._write(self._list.remember_slice, after)

    async def swap_list(self, confirmed_at: datetime) -> None:
        """The list on its way, complete, is the cached one from now on; ListRejected if its root is another."""
        await self._write(self._list.swap, confirmed_at)

    async def sweep_lists(self) -> None:
        """Delete what former lists left, in slices, so that a grant can come between."""
        while await self._write(self._list.sweep):
            pass

    # ---- the list's rows, which may have rotted ----

    async def list_rows(self, kind: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Key and body of at most `limit` entries of the list in force that follow this key."""
        return await self._database.run(self._list_rows.some, kind, after, limit)

    async def sum_list_rows(self, sums: Buckets, kind: str, after: bytes) -> bytes | None:
        """Add the next entries of the list in force to the sums; the last one's key, None at the end."""
        return await self._database.run(self._list_rows.sum_some, sums, kind, after)

    async def admit_list_sums(self, sums: Buckets) -> None:
        """These are the sums of the rows of the list in force, whatever they were."""
        await self._write(self._list_rows.admit, sums)

    async def mend_list(
        self,
        rev: int,
        stale: Sequence[tuple[str, bytes]],
        rows: Sequence[Row],
        confirmed_at: datetime,
        sums: Buckets,
    ) -> None:
        """Put rows in place of stale ones; the list in force is at this revision, with these sums, then."""
        await self._write(self._list_rows.mend, rev, stale, rows, confirmed_at, sums)

    async def removed_users(self) -> list[User]:
        """Whose the ids of those were who are not on the list in force."""
        return await self._database.run(self._list.removed)

    # ---- what the portal's keys have signed ----

    async def keyset(self) -> bytes | None:
        """The newest key set in its envelope; None before the first."""
        return await self._database.run(self._marks.keyset)

    async def put_keyset(self, payload: bytes, kids: Sequence[str]) -> None:
        """Keep a key set, and forget the marks of keys that are not in it."""
        await self._write(self._marks.put_keyset, payload, kids)

    async def marks(self) -> dict[str, Mark]:
        """The highest of everything that each key has signed."""
        return await self._database.run(self._marks.all)

    async def put_mark(self, kid: str, mark: Mark) -> None:
        """Raise a key's marks."""
        await self._write(self._marks.put, kid, mark)

    async def execute(self, kid: str, mark: Mark, cmd_id: str) -> bool:
        """Note, before it is done, that an order is done; False if it was noted before."""
        return await self._write(self._marks.execute, kid, mark, cmd_id)

    # ---- orders that stay in force ----

    async def switched(self) -> list[Switched]:
        """Lanes that an order switched on or off, each by the last one."""
        return await self._database.run(self._standing.switched)

    async def switch_lane(self, order: Switched) -> None:
        """Keep that an order has switched a lane."""
        await self._write(self._standing.switch, order)

    async def forget_switch(self, order: Switched) -> None:
        """An order to switch a lane counts no more."""
        await self._write(self._standing.forget_switch, order)

    async def voids(self) -> list[Void]:
        """What orders made void, also what the list has overtaken since."""
        return await self._database.run(self._standing.voids)

    async def make_void(self, void: Void) -> None:
        """Keep what an order made void."""
        await self._write(self._standing.make_void, void)

    async def drop_voids(self, voids: Sequence[Void]) -> None:
        """Forget what the list says by now."""
        await self._write(self._standing.drop, voids)

    # ---- badges that wait for the portal ----

    async def enrols(self) -> list[Enrol]:
        """What desks asked and nobody has answered."""
        return await self._database.run(self._enrols.all)

    async def put_enrol(self, asked: Enrol) -> None:
        """Keep what a desk asks until it is answered; StoreError when too many wait."""
        await self._write(self._enrols.put, asked)

    async def drop_enrol(self, enrol_id: str) -> None:
        """It was answered."""
        await self._write(self._enrols.drop, enrol_id)

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
