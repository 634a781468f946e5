"""A SQLite database that one process owns: opened, locked, migrated, and every transaction run on its one thread.

A transaction is one function run on the connection's thread, because tasks that interleave statements commit
each other's work. `synchronous=FULL`: what returned is on disk. What the tables mean is their owners' business;
readers (`one_instant`) may look in at any time.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import aiosqlite

from gate_controller.errors import StoreError

BUSY_FOR_MS: Final = 2000
"""A reader may hold a checkpoint up for a moment; nobody else writes."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a kind of database is: the id in its header, and the package that holds its numbered migrations."""

    application_id: int
    schema: str


class Database:
    """One open database and its lock. Made by `Database.open`; every method raises StoreError."""

    def __init__(self, path: Path, lock: int, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._lock, self._connection = lock, connection

    @classmethod
    async def open(cls, path: Path, blueprint: Blueprint) -> "Database":
        """Open or create the database at `path`, holding it exclusively until `close`.

        Raises StoreError for a missing directory, another process's database, a corrupt or foreign file, a newer
        schema and a full disk.
        """
        lock = _lock(path)
        connection = aiosqlite.connect(path, isolation_level=None)
        try:
            await connection
        except sqlite3.Error as error:
            os.close(lock)
            # Its thread still ends, and would complain if the event loop were gone before it.
            await asyncio.to_thread(connection._thread.join)
            raise explained(path, error) from error
        database = cls(path, lock, connection)
        try:
            await database.run(database._prepare, blueprint)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close the database and let go of it; transactions already begun finish first."""
        try:
            await self._connection.close()
        finally:
            os.close(self._lock)

    @property
    def sql(self) -> sqlite3.Connection:
        """The connection itself, for functions that `run` or `write` runs."""
        return self._connection._conn

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the connection's thread. aiosqlite has no public way to do only this."""
        try:
            result: T = await self._connection._execute(function, *args, **kwargs)  # type: ignore[no-untyped-call]
            return result
        except sqlite3.Error as error:
            raise explained(self.path, error) from error

    async def write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function as one transaction: durable when this returns, without a trace when it raises."""

        def transaction() -> T:
            with self.transaction():
                return function(*args, **kwargs)

        return await self.run(transaction)

    def others_wait(self) -> bool:
        """Whether there is more to be run; for functions that `run` or `write` runs, and that can stop half-way."""
        return not self._connection._tx.empty()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction around the block; for functions that `run` runs."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.sql.execute("COMMIT")
        except BaseException:
            if self.sql.in_transaction:
                self.sql.execute("ROLLBACK")
            raise

    def _prepare(self, blueprint: Blueprint) -> None:
        self.sql.execute(f"PRAGMA busy_timeout = {BUSY_FOR_MS}")
        refuse_foreign(self.path, self.sql, blueprint)
        self.sql.execute("PRAGMA journal_mode = WAL")
        self.sql.execute("PRAGMA synchronous = FULL")
        # Erased personal fields are overwritten, not merely unlinked.
        self.sql.execute("PRAGMA secure_delete = ON")
        _migrate(self.path, self.sql, blueprint)
        found = self.sql.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self.path}: {_DAMAGED} ({found})")


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


@contextmanager
def one_instant(path: Path) -> Iterator[sqlite3.Connection]:
    """A database as it is now, through a connection that cannot write. Raises StoreError, also for what is read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as db:
            db.execute(f"PRAGMA busy_timeout = {BUSY_FOR_MS}")
            db.execute("BEGIN")
            yield db
    except sqlite3.Error as error:
        raise explained(path, error) from error


def refuse_foreign(path: Path, db: sqlite3.Connection, blueprint: Blueprint) -> None:
    """Raises StoreError for a database that another program made."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != blueprint.application_id and (application or tables):
        raise StoreError(f"{path}: this is another program's database; choose another path")


def pending_scripts(path: Path, db: sqlite3.Connection, blueprint: Blueprint) -> list[str]:
    """The migrations that the database still needs. Raises StoreError when it is newer than this program."""
    scripts = sorted(f.name for f in resources.files(blueprint.schema).iterdir() if f.name.endswith(".sql"))
    version = db.execute("PRAGMA user_version").fetchone()[0]
    newest = int(scripts[-1][:4])
    if version > newest:
        raise StoreError(
            f"{path}: written by a newer slagboom (schema {version}, this one knows {newest}); update this one"
        )
    return [name for name in scripts if int(name[:4]) > version]


def _migrate(path: Path, db: sqlite3.Connection, blueprint: Blueprint) -> None:
    for name in pending_scripts(path, db, blueprint):
        script = resources.files(blueprint.schema).joinpath(name).read_text(encoding="utf-8")
        mark = f"PRAGMA application_id = {blueprint.application_id}; PRAGMA user_version = {int(name[:4])};"
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\n{mark}\nCOMMIT;")
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
