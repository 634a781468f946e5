"""An event loop whose time is a number: nothing waits, and the same calls in the same order give the same run.

Every callback belongs to an incarnation of a simulated process, or to the world (None). Killing an incarnation
means that none of its callbacks runs again: no `finally`, no farewell, at whichever await it happened to be.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from struct import Struct
from typing import Any, Final, Protocol
from zlib import crc32

ROUNDS_MAX = 20_000
"""Rounds of the loop in which no time passes; honest work needs a few hundred."""


class Mortal(Protocol):
    """What the loop needs of an incarnation: whether it lives, and after how many callbacks more it is hit."""

    alive: bool
    fuse: int | None
    on_broken: Any

    def burnt(self) -> None:
        """The fuse has burnt down."""


_PACKED: Final = Struct("d").pack

OWNER: ContextVar[Mortal | None] = ContextVar("OWNER", default=None)
WORLD = Context()
"""Callbacks that outlive every process: messages on their way, faults, restarts."""


class Numbered(asyncio.Task[Any]):
    """A task whose place in a set is its number: a group cancels a set of tasks, and addresses always differ."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, Any], **options: Any) -> None:
        self.number = number
        self.mark = number.to_bytes(4)
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self.number


class Handle:
    """A callback that waits for its turn, for less than an `asyncio.TimerHandle` costs."""

    __slots__ = ("args", "callback", "context", "off", "when_s")

    def __init__(self, when_s: float, callback: Callable[..., Any], args: Any, context: Context) -> None:
        self.when_s, self.callback, self.args, self.context = when_s, callback, args, context
        self.off = False

    def cancel(self) -> None:
        """Its turn never comes."""
        self.off, self.args = True, ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.off

    def when(self) -> float:
        """When its turn comes."""
        return self.when_s


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
        self._timers: list[tuple[float, int, Handle]] = []
        self._set = 0
        self._at_once: list[Handle] = []
        self.trace = 0
        """Fingerprint of every callback and its time: two runs of a seed must agree on all of it."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> "asyncio.Task[Any]":
        self._tasks += 1
        return Numbered(self._tasks, coro, loop=self, name=name, context=context)

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = Handle(self._now, callback, args, copy_context() if context is None else context)
        self._at_once.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = Handle(when, callback, args, copy_context() if context is None else context)
        self._set += 1
        heappush(self._timers, (when, self._set, handle))
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def forget(self) -> None:
        """Nothing that waits will have its turn, and nothing new is taken."""
        self._timers.clear()
        self._at_once.clear()
        self.__class__ = _Over

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        future = self.create_future()
        self.call_later(self._latency(), inline, future, func, *args)
        return future

    def _run_once(self) -> None:
        """As often as it takes until somebody stops the loop."""
        self._round()
        while not self._stopping:  # type: ignore[attr-defined]
            self._round()

    def _round(self) -> None:
        timers = self._timers
        if not self._at_once and not self._stopping:  # type: ignore[attr-defined]
            while timers[0][2].off:
                heappop(timers)
            if timers[0][0] > self._now:
                self._now, self._rounds = timers[0][0], 0
                self.trace = crc32(_PACKED(self._now), self.trace)
        self._rounds += 1
        if self._rounds == ROUNDS_MAX:
            self._spins()
        turns, self._at_once = self._at_once, []
        now = self._now
        while timers and (timers[0][0] <= now or timers[0][2].off):
            turns.append(heappop(timers)[2])
        for handle in turns:
            if not handle.off:
                owner = handle.context.get(OWNER)
                if owner is None or _lives(owner):
                    self._turn(handle)

    def _turn(self, handle: Handle) -> None:
        callback = handle.callback
        task = getattr(callback, "__self__", None)
        mark = task.mark if type(task) is Numbered else _name_of(callback)
        self.trace = crc32(mark, self.trace)
        try:
            handle.context.run(callback, *handle.args)
        except Exception as error:
            self.call_exception_handler({"message": "a callback failed", "exception": error, "handle": handle})

    def set_exception_handler(self, handler: Any) -> None:
        """Each process has its own."""
        owner = OWNER.get()
        assert owner is not None
        owner.on_broken = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        handle = context.get("handle")
        if handle is None:
            return  # of a future that nobody awaits any more
        owner = handle.context.get(OWNER)
        if owner is None:
            self._broken(context["exception"])
        elif owner.alive and owner.on_broken is not None:
            owner.on_broken(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Said to nobody: a dead process leaves futures that nobody awaits."""

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        pass


class _Over(VirtualLoop):
    """A loop after its end: what the dead still ask for as they are dropped would outlive them."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> "asyncio.Task[Any]":
        coro.close()
        raise RuntimeError("the simulation is over")

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now, callback, *args, context=context)

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return Handle(when, callback, args, WORLD)


def _lives(owner: Mortal) -> bool:
    """Whether it does once one callback more has burnt down its fuse."""
    if owner.fuse is not None and owner.alive:
        owner.fuse -= 1
        if owner.fuse < 0:
            owner.burnt()
    return owner.alive


def _name_of(callback: Callable[..., Any]) -> bytes:
    return getattr(callback, "__qualname__", "").encode()


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
