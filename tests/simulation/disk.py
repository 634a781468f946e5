"""SQLite without a thread: real files and real statements, run by the simulated loop one after the other.

It stands in for the module `aiosqlite` in `sync.database` and nothing else. A crash keeps the bytes of database
and write-ahead log as they are at that instant, and the next start recovers from them.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from sync.database import _lock
from tests.simulation.loop import OWNER, inline

if TYPE_CHECKING:
    from tests.simulation.world import Incarnation

STALLS = (0.0, 0.05, 0.05, 0.4)
"""Shares of transactions that a machine's disk keeps waiting for seconds; one is drawn for each life."""
UNLIMITED_PAGES = 1 << 30


class Disk:
    """The one connection of an incarnation, as `aiosqlite.Connection` shows it to `sync.database`."""

    def __init__(self, path: Path, **options: Any) -> None:
        self._owner = cast("Incarnation", OWNER.get())
        self._random = self._owner.node.world.random
        self._path, self._options = path, options
        self._loop = self._owner.node.world.loop
        self._free_at, self._open = 0.0, True
        self._stall = self._random.choice(STALLS)
        self._changes, self._hasty = 0, False
        self._thread = SimpleNamespace(join=lambda: None)
        self._waiting = 0
        self._tx = SimpleNamespace(empty=lambda: self._waiting == 0)

    def __await__(self) -> Generator[Any, None, "Disk"]:
        return self._connect().__await__()

    async def _connect(self) -> "Disk":
        await asyncio.sleep(self._random.uniform(0.001, 0.02))
        self._conn = sqlite3.connect(self._path, **self._options)
        # Nobody looks in from outside, so the index of the log need not be shared.
        self._conn.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._owner.disk = self
        self.fill(self._owner.node.full)
        return self

    def _execute(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        loop, chance = self._loop, self._random.random
        future = loop.create_future()
        self._waiting += 1
        stalls = chance() < self._stall
        # As `uniform` draws it, without its call.
        wait_s = 0.5 + (20 - 0.5) * chance() if stalls else 5e-4 + (8e-3 - 5e-4) * chance()
        self._free_at = max(self._free_at, loop.time()) + wait_s
        loop.call_at(self._free_at, inline, future, self._do, function, args, kwargs)
        return future

    async def close(self) -> None:
        """After everything already begun."""
        await self._execute(self._shut)
        if self._owner.lock is not None:
            os.close(self._owner.lock)
            self._owner.lock = None

    # ---- inside ----

    def _shut(self) -> None:
        self._conn.close()
        self._open = False

    def _do(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self._waiting -= 1
        torn, self._owner.torn = self._owner.torn, None
        if torn is not None:
            # Power fails in the middle of a statement: the transaction has written, and never commits.
            self._conn.set_progress_handler(self._owner.die, torn)
        try:
            return function(*args, **kwargs)
        finally:
            if self._open:
                self._done(torn is not None)

    def _done(self, torn: bool) -> None:
        conn = self._conn
        if not self._hasty:
            # Nothing here survives a power cut of the host, so waiting for the platter would only cost time.
            conn.execute("PRAGMA synchronous = OFF")
            self._hasty = True
        if self._owner.alive:
            if torn:
                conn.set_progress_handler(None, 0)
            if conn.total_changes != self._changes and not conn.in_transaction:
                self._changes = conn.total_changes
                self._owner.node.committed(conn)

    # ---- faults ----

    def fill(self, how: str) -> None:
        """`full`: no page more; `dead`: nothing can be written; `` (empty): all is well."""
        pages = self._conn.execute("PRAGMA page_count").fetchone()[0] if how == "full" else UNLIMITED_PAGES
        self._conn.execute(f"PRAGMA max_page_count = {pages}")
        self._conn.execute(f"PRAGMA query_only = {int(how == 'dead')}")

    def survive(self, to: Path) -> None:
        """Copy what a restart finds."""
        for suffix in ("", "-wal"):
            found = self._path.with_name(self._path.name + suffix)
            if found.exists():
                shutil.copyfile(found, to.with_name(to.name + suffix))

    def bury(self) -> None:
        """After the run: let go of the files."""
        with contextlib.suppress(sqlite3.ProgrammingError):
            self._conn.set_progress_handler(None, 0)
            self._conn.close()
        if self._owner.lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._owner.lock)


connect = Disk


def lock(path: Path) -> int:
    """In place of `sync.database._lock`, to remember what a killed process still holds.

    The program has a descriptor of its own: what is left of a killed one closes it whenever it is collected, and
    must not close somebody else's file that has its number by then.
    """
    owner = cast("Incarnation", OWNER.get())
    owner.lock = _lock(path)
    return os.dup(owner.lock)
