"""An event loop whose time is a number: nothing waits, and the same calls in the same order give the same run.

Every callback belongs to an incarnation of a simulated process, or to the world (None). Killing an incarnation
means that none of its callbacks runs again: no `finally`, no farewell, at whichever await it happened to be.
"""

import asyncio
import heapq
import struct
import zlib
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, Protocol

ROUNDS_MAX = 20_000
"""Rounds of the loop in which no time passes; honest work needs a few hundred."""


class Mortal(Protocol):
    """What the loop needs of an incarnation: whether it lives, and after how many callbacks more it is hit."""

    alive: bool
    fuse: int | None
    on_broken: Any

    def burnt(self) -> None:
        """The fuse has burnt down."""


OWNER: ContextVar[Mortal | None] = ContextVar("OWNER", default=None)
WORLD = Context()
"""Callbacks that outlive every process: messages on their way, faults, restarts."""


class Numbered(asyncio.Task[Any]):
    """A task whose place in a set is its number: a group cancels a set of tasks, and addresses always differ."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._number = number
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """`time()` jumps to the next deadline as soon as nothing is ready; executors work inline, a little later."""

    def __init__(
        self, latency: Callable[[], float], spins: Callable[[], None], broken: Callable[[Exception], None]
    ) -> None:
        """`latency` is drawn for each executor call; `spins` is told of a program that works without end.

        `broken` is told what the world outside the processes could not do, which is a fault of the simulation.
        """
        super().__init__()
        self._now = 1000.0
        self._latency, self._spins, self._broken = latency, spins, broken
        self._rounds = 0
        self._tasks = 0
        self.trace = 0
        """Fingerprint of every callback and its time: two runs of a seed must agree on all of it."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> "asyncio.Task[Any]":
        self._tasks += 1
        return Numbered(self._tasks, coro, loop=self, name=name, context=context)

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        future = self.create_future()
        self.call_later(self._latency(), inline, future, func, *args)
        return future

    def _run_once(self) -> None:
        if not self._ready and not self._stopping:
            while self._scheduled[0]._cancelled:
                heapq.heappop(self._scheduled)._scheduled = False
            if self._scheduled[0]._when > self._now:
                self._now, self._rounds = self._scheduled[0]._when, 0
                self.trace = zlib.crc32(struct.pack("d", self._now), self.trace)
        self._rounds += 1
        if self._rounds == ROUNDS_MAX:
            self._spins()
        while self._scheduled and (self._scheduled[0]._cancelled or self._scheduled[0]._when <= self._now):
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self._ready.append(handle)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if handle._cancelled:
                continue
            owner = handle._context.get(OWNER)
            if owner is not None and owner.alive and owner.fuse is not None:
                owner.fuse -= 1
                if owner.fuse < 0:
                    owner.burnt()
            if owner is None or owner.alive:
                self.trace = zlib.crc32(_name(handle), self.trace)
                handle._run()

    def set_exception_handler(self, handler: Any) -> None:
        """Each process has its own."""
        owner = OWNER.get()
        assert owner is not None
        owner.on_broken = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        handle = context.get("handle")
        if handle is None:
            return  # of a future that nobody awaits any more
        owner = handle._context.get(OWNER)
        if owner is None:
            self._broken(context["exception"])
        elif owner.alive and owner.on_broken is not None:
            owner.on_broken(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Said to nobody: a dead process leaves futures that nobody awaits."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        pass


def _name(handle: asyncio.Handle) -> bytes:
    callback: Any = handle._callback
    task = getattr(callback, "__self__", None)
    if isinstance(task, Numbered):
        return task._number.to_bytes(4)
    name: str = getattr(callback, "__qualname__", "")
    return name.encode()


def inline(future: "asyncio.Future[Any]", function: Callable[..., Any], *args: Any) -> None:
    """Run a function here and give its result to a future; whoever waits for it hears in a later callback."""
    try:
        result = function(*args)
    except BaseException as error:
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)
