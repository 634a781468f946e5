"""The list file of a site without a portal: taken over when the daemon starts, and whenever it changes on disk.

All or nothing: a file with an error changes nothing, and the log says which line; whoever was on the list before
stays on it. Not here: what is in such a file (`sync.listfile`), and the list that a portal sends (`sync.portal`).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Final

from gate_controller.allowlist import Allowlist
from gate_controller.errors import ListFileError, StoreError
from sync.listfile import read_list
from sync.store import Store

LOOK_EVERY_S: Final = 2.0
"""A file that looks the same twice, so far apart, is not being written any more."""

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


class ListKeeper:
    """Keeps the cached list what the file says."""

    def __init__(self, path: Path, tz: tzinfo, store: Store) -> None:
        """`tz` is the site's: dates without an offset are meant there."""
        self._path, self._tz, self._store = path, tz, store
        self._seen: Stamp | None = None

    async def begin(self) -> None:
        """Take the file over. A bad one changes nothing; its ListFileError is raised if there was none before."""
        self._seen = self._stamp()
        try:
            await self._take_over()
        except ListFileError as error:
            if await self._store.list_cursor() is None:
                raise ListFileError(error.in_log) from None
            self._say_bad(error)

    async def run(self, on_list: Callable[[Allowlist], None]) -> None:
        """Look again and again, for ever; `on_list` is told of each list that comes into force."""
        last = self._seen
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            before, last = last, self._stamp()
            if last != self._seen and last == before:
                await self._changed(last, on_list)

    async def _changed(self, stamp: Stamp | None, on_list: Callable[[Allowlist], None]) -> None:
        try:
            allowlist = await self._take_over()
            if allowlist is not None:
                on_list(allowlist)
        except ListFileError as error:
            self._say_bad(error)
        except StoreError as error:
            log.error("the changed list is not in force, and is tried again: %s", error)
            return
        self._seen = stamp

    async def _take_over(self) -> Allowlist | None:
        """The file's list, cached, if it is another than the one before. Raises ListFileError and StoreError."""
        found = await asyncio.to_thread(read_list, self._path, self._tz)
        cursor = await self._store.list_cursor()
        if cursor is not None and cursor.epoch == found.allowlist.epoch:
            return None
        allowlist = await asyncio.to_thread(found.after, await self._store.allowlist())
        await self._store.replace_list(found.allowlist.epoch, found.allowlist.revision, found.changes)
        if found.problems:
            log.warning("list %s: %d warnings; `slagboom list check` shows them", self._path, len(found.problems))
        log.info("list %s is in force: %d users", self._path, len(found.lines))
        return allowlist

    def _say_bad(self, error: ListFileError) -> None:
        log.error(
            "the list before it stays in force, because of %d errors, the first: %s",
            len(error.in_log),
            error.in_log[0],
        )

    def _stamp(self) -> Stamp | None:
        """What changes whenever somebody writes the file or puts another in its place; None where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
