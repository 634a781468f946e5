"""An event loop whose time is set by hand, and SQLite that answers at once: nothing here depends on the machine.

The loop is the simulation's, but where that goes on to the next deadline when nothing is left to do, this one
stops. Real files and real statements stand behind the databases.
"""

import asyncio
import heapq
import sqlite3
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from tests.simulation.loop import VirtualLoop

T = TypeVar("T")


class HandLoop(VirtualLoop):
    """Works until nothing is left to do at this moment."""

    def __init__(self) -> None:
        self.broken: list[Exception] = []
        super().__init__(lambda: 0.0, self._spins, self.broken.append)

    def _spins(self) -> None:
        self.broken.append(RuntimeError("something works without end, and no time passes"))
        self._stopping = True

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something to its end, and whatever follows from it; nobody may wait for time to pass."""
        task = self.create_task(coroutine)
        self.quiet()
        if not task.done():
            task.cancel()
            self.quiet()
            raise AssertionError(f"{coroutine!r} waits for something that does not come")
        return task.result()

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function from within the loop, as a device's signal would be, and let follow what does."""

        async def called() -> T:
            return function(*args, **kwargs)

        return self.do(called())

    def quiet(self) -> None:
        """Run until nothing is left to do now. Raises what broke."""
        self._rounds = 0
        self.run_forever()
        if self.broken:
            raise self.broken[0]

    def pass_(self, seconds: float) -> None:
        """The time is so much later; whatever was due by then is done now."""
        self._now += seconds
        self.quiet()

    def _round(self) -> None:
        while self._timers and self._timers[0][2].off:
            heapq.heappop(self._timers)
        if not self._at_once and (not self._timers or self._timers[0][0] > self._now):
            self._stopping = True
            return
        super()._round()


class Disk:
    """In place of `aiosqlite.Connection`: every function is run when it is asked for."""

    def __init__(self, path: Path, **options: Any) -> None:
        self._conn = sqlite3.connect(path, **options)
        self._conn.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._thread = SimpleNamespace(join=lambda: None)
        self._tx = SimpleNamespace(empty=lambda: True)

    def __await__(self) -> Generator[Any, None, "Disk"]:
        return self._opened().__await__()

    async def _opened(self) -> "Disk":
        return self

    async def _execute(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
            # Nothing here survives the test, so waiting for the platter would only cost time.
            self._conn.execute("PRAGMA synchronous = OFF")
        finally:
            await asyncio.sleep(0)
        return result

    async def close(self) -> None:
        """For good."""
        self._conn.close()


connect = Disk
