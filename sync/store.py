"""The one database of an edge: opened, locked, migrated, and every transaction run on its one thread.

A transaction is one function run on the connection's thread, because tasks that interleave statements commit
each other's work. `synchronous=FULL`: what returned is on disk. Rows are `sync.journal`'s and
`sync.cached_list`'s business; readers with their own `mode=ro` connection may look in at any time.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import aiosqlite

from gate_controller.allowlist import Allowlist, Change
from gate_controller.errors import StoreError
from gate_controller.facts import Fact
from gate_controller.occupancy import Occupancy
from sync.cached_list import CachedList, ListCursor
from sync.journal import Journal, JournalRow

APPLICATION_ID: Final = 0x534C4147
"""Marks the file as ours in its header ("SLAG")."""
BUSY_FOR_MS: Final = 2000
"""A reader of ours may hold a checkpoint up for a moment; nobody else writes."""

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """Journal, occupancy and cached allowlist of one edge. Made by `Store.open`.

    Every method raises StoreError, naming the file and the fix, and then has changed nothing.
    """

    def __init__(self, path: Path, lock: int, db: aiosqlite.Connection) -> None:
        self._path, self._lock, self._db = path, lock, db
        self._journal: Journal
        self._list: CachedList
        self.appended = asyncio.Event()
        """Set after every append; whoever uploads clears it."""

    @classmethod
    async def open(cls, path: Path, new_ledger: Callable[[], str]) -> "Store":
        """Open or create the database at `path`, holding it exclusively until `close`.

        `new_ledger` names the ledger of a new database. Raises StoreError for a missing directory, another
        daemon's database, a corrupt or foreign file, a newer schema and a full disk.
        """
        lock = _lock(path)
        try:
            db = await aiosqlite.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            os.close(lock)
            raise explained(path, error) from error
        store = cls(path, lock, db)
        try:
            await store._run(store._prepare, new_ledger)
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Close the database and let go of it; transactions already begun finish first."""
        try:
            await self._db.close()
        finally:
            os.close(self._lock)

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
        loop = asyncio.get_running_loop()

        def append() -> range:
            numbers = self._journal.append(facts)
            loop.call_soon_threadsafe(self.appended.set)
            return numbers

        return await self._write(append)

    async def occupancy(self) -> Occupancy:
        """The fold of every row in the journal."""
        return await self._run(lambda: self._journal.standing.occupancy)

    async def rows(self, after_seq: int, limit: int) -> list[JournalRow]:
        """At most `limit` rows that follow `after_seq`, oldest first."""
        return await self._run(self._journal.rows, after_seq, limit)

    async def acked(self, through: int) -> None:
        """The portal has every row up to `through`; StoreError if that is a row it cannot have."""
        if through >= self.next_seq:
            raise StoreError(f"{self._path}: row {through} cannot be acknowledged, the next is {self.next_seq}")
        await self._write(self._journal.ack, through)

    async def erase_personal(self, before: datetime) -> int:
        """Erase what names persons and vehicles in rows older than `before`; returns how many rows.

        Open sessions and holds keep what pairs their exit. Works in slices, so that a grant can come between.
        """
        erased = 0
        while slice_rows := await self._write(self._journal.erase_slice, before):
            erased += slice_rows
        if erased:
            # Until the log is folded back, it still holds the pages as they were.
            await self._run(lambda: self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
        return erased

    # ---- allowlist ----

    async def allowlist(self, reader_bits: Sequence[int] = ()) -> Allowlist:
        """The cached list as last committed, for readers of these widths; of nobody before the first."""
        return await self._run(self._list.load, reader_bits)

    async def list_cursor(self) -> ListCursor | None:
        """Which list is cached and when the portal last said that it is the newest; None before the first."""
        return await self._run(self._list.cursor)

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

    @property
    def _sql(self) -> sqlite3.Connection:
        return self._db._conn

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the connection's thread. aiosqlite has no public way to do only this."""
        try:
            result: T = await self._db._execute(function, *args, **kwargs)  # type: ignore[no-untyped-call]
            return result
        except sqlite3.Error as error:
            raise explained(self._path, error) from error

    async def _write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def transaction() -> T:
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                result = function(*args, **kwargs)
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                self._journal.rolled_back()
                raise
            self._journal.committed()
            return result

        return await self._run(transaction)

    def _prepare(self, new_ledger: Callable[[], str]) -> None:
        db = self._sql
        db.execute(f"PRAGMA busy_timeout = {BUSY_FOR_MS}")
        refuse_foreign(self._path, db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # Erased personal fields are overwritten, not merely unlinked.
        db.execute("PRAGMA secure_delete = ON")
        _migrate(self._path, db)
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self._path}: {_DAMAGED} ({found})")
        self._journal, self._list = Journal(db, new_ledger()), CachedList(db)


def _lock(path: Path) -> int:
    """Hold `path`.lock for as long as the descriptor lives; the kernel lets go of it when the process ends.

    A file of its own, because closing any descriptor of the database would drop SQLite's own locks on it.
    """
    if not path.parent.is_dir():
        raise StoreError(f"{path}: the directory {path.parent} does not exist; create it or choose another path")
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot write to its directory ({error.strerror}); let the service's user write there"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreError(
            f"{path}: another slagboom runs on this database; stop it first, or give this one its own file"
        ) from error
    return lock


def refuse_foreign(path: Path, db: sqlite3.Connection) -> None:
    """Raises StoreError for a database that another program made."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (application or tables):
        raise StoreError(f"{path}: this is another program's database; choose another path")


def pending_scripts(path: Path, db: sqlite3.Connection) -> list[str]:
    """The migrations that the database still needs. Raises StoreError when it is newer than this program."""
    scripts = sorted(f.name for f in resources.files("sync.schema").iterdir() if f.name.endswith(".sql"))
    version = db.execute("PRAGMA user_version").fetchone()[0]
    newest = int(scripts[-1][:4])
    if version > newest:
        raise StoreError(
            f"{path}: written by a newer slagboom (schema {version}, this one knows {newest}); update this one"
        )
    return [name for name in scripts if int(name[:4]) > version]


def _migrate(path: Path, db: sqlite3.Connection) -> None:
    for name in pending_scripts(path, db):
        number = int(name[:4])
        script = resources.files("sync.schema").joinpath(name).read_text(encoding="utf-8")
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


_DAMAGED: Final = "the database is damaged; keep a copy for support, then move it away to begin a new journal"

_FIXES: Final = {
    "SQLITE_NOTADB": "this is not a database; choose another path or move the file away",
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_FULL": "no space left on the disk; free some, everything written before is kept",
    "SQLITE_IOERR": "the disk refused to read or write; check free space, quota and the disk's health",
    "SQLITE_READONLY": "the file cannot be written; let the service's user write it",
    "SQLITE_CANTOPEN": "the file cannot be opened; it must be a plain file that the service's user may write",
    "SQLITE_BUSY": "another program holds the database locked; close it",
    "SQLITE_LOCKED": "another program holds the database locked; close it",
}


def explained(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite said, with the file and the fix."""
    code = getattr(error, "sqlite_errorname", "") or ""
    fix = next((text for name, text in _FIXES.items() if code.startswith(name)), "the database refused")
    return StoreError(f"{path}: {fix} ({error})")
