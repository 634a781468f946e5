"""A seeded world: one portal, some edges, a bad network, and processes that are killed and started again.

What must hold is watched in `watch`, what the processes do is in `people`, the faults are in `play`.
"""

import asyncio
import random
import zlib
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from datetime import timedelta
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

import msgspec

from gate_controller.errors import StoreError
from gate_controller.moment import Moment
from gate_controller.site import ClaimPolicy
from sync.messages import Cmd
from sync.orders import SyncNow
from sync.portal import Surroundings
from sync.signing import Envelope
from tests.simulation.broker import Broker
from tests.simulation.cars import Board, pool
from tests.simulation.loop import OWNER, WORLD, VirtualLoop
from tests.simulation.watch import T0, EdgeWatch, PortalWatch

if TYPE_CHECKING:
    from tests.simulation.disk import Disk

TENANT, SITE = "t", "s"
CARS = 24
UNWILLING_S = 60.0
"""After what may be mended only from outside, as a full disk, the next try is so much later."""

Main = Callable[["Incarnation"], Coroutine[Any, Any, None]]


class Broken(AssertionError):
    """A rule was broken: its name, and what was seen."""


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, folder: Path, pace: float) -> None:
        self.pace = pace
        """How many times as busy as usual everybody is."""
        self.random = random.Random(seed)
        self.loop = VirtualLoop(lambda: self.random.uniform(1e-4, 5e-3), self._spins, self._unsound)
        self.folder = folder
        self.broker = Broker(self)
        self.nodes: list[Node] = []
        self.broken: str | None = None
        self.counts: dict[str, int] = {}
        self.root_key = ""
        """The portal's root public key, as a technician copied it to every edge."""
        self.cars = pool(CARS)
        self.claims = self.random.choice((*ClaimPolicy, ClaimPolicy.GRANT_AND_REPORT))
        """What an entry does when the portal does not say whether its user's place is free."""
        self.list_max_age_h: float | None = (None, 0.5, None, 6.0)[seed % 4]
        self.orders: dict[str, float] = {}
        """When each order is void, by the name that it was given under."""
        self.obeyed: set[str] = set()
        self.numbered = 0
        self.quiet = False
        """The week is over: nobody does anything new."""

    @property
    def day(self) -> float:
        """Days since the beginning."""
        return (self.loop.time() - 1000.0) / 86400

    def note(self, *what: object) -> None:
        """Part of the run's fingerprint."""
        self.loop.trace = zlib.crc32(repr(what).encode(), self.loop.trace)

    def count(self, what: str, times: int = 1) -> None:
        """For the summary."""
        self.counts[what] = self.counts.get(what, 0) + times

    def new_order(self) -> str:
        """A name for an order that is given now."""
        self.numbered += 1
        return f"order-{self.numbered}"

    def watch_order(self, payload: bytes) -> None:
        """An order leaves the portal, whose clock is right."""
        cmd = msgspec.json.decode(msgspec.json.decode(payload, type=Envelope).body, type=Cmd)
        if not isinstance(cmd.ask, SyncNow):
            self.orders[cmd.ask.by] = (cmd.exp - T0).total_seconds()

    def fail(self, rule: str, what: str) -> None:
        """A rule is broken: the first time ends the run."""
        if self.broken is None:
            self.broken = f"{rule}: {what} (day {self.day:.3f})"
            self.loop.stop()

    def _spins(self) -> None:
        self.fail("C2", "something works without end, and no time passes")

    def _unsound(self, error: Exception) -> None:
        self.fail("C3", f"the simulation itself broke: {error!r}")

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Something that outlives every process."""
        task = self.loop.create_task(coroutine, context=WORLD)
        task.add_done_callback(self._ended, context=WORLD)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail("C3", f"the simulation itself broke: {error!r}")

    def check(self) -> None:
        """Raise what was broken, if anything."""
        if self.broken is not None:
            raise Broken(self.broken)


class Node:
    """A machine: its disk, its clock, its place in the network, and the process that runs on it."""

    def __init__(self, world: World, name: str, main: Main, watch: EdgeWatch | PortalWatch) -> None:
        self.world, self.name, self.watch = world, name, watch
        self.set_clock(timedelta())
        self.cut = False
        self.full = ""
        self.running: Incarnation | None = None
        self.past: list[Incarnation] = []
        self.committed: Callable[[Connection], None] = watch.committed
        self._main, self._starts = main, 0
        self.folder = world.folder / name
        self.folder.mkdir()
        self.path = self.folder / "0.db"
        self.board = Board(self)
        world.nodes.append(self)

    def now(self) -> Moment:
        """What the machine's clocks say."""
        seconds = self.world.loop.time()
        if self._now.mono_s != seconds:
            self._now = Moment(self._began + timedelta(seconds=seconds), seconds)
        return self._now

    def set_clock(self, offset: timedelta) -> None:
        """Somebody or something sets the wall clock; it is so much ahead of the portal's, or behind."""
        self.offset, self._began = offset, T0 + offset
        seconds = self.world.loop.time()
        self._now = Moment(self._began + timedelta(seconds=seconds), seconds)

    def surroundings(self) -> Surroundings:
        """For the code under test."""
        draw = self.world.random
        return Surroundings(self.now, draw.random, lambda: f"{draw.getrandbits(64):016x}")

    def start(self) -> None:
        """Power on, unless it is on."""
        if self.running is None:
            self.running = Incarnation(self)
            self.running.start(self._main)

    def start_in(self, wait_s: float) -> None:
        """Somebody, or systemd, starts it again."""
        self.world.loop.call_later(wait_s, self.start, context=WORLD)

    def survived(self, disk: "Disk") -> None:
        """From here on the files are what they were when power failed."""
        self._starts += 1
        self.path = self.folder / f"{self._starts}.db"
        disk.survive(self.path)


class Incarnation:
    """One life of a process, from start to end or kill."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.alive = True
        self.fuse: int | None = None
        self.gentle = False
        self.torn: int | None = None
        self.disk: Disk | None = None
        self.lock: int | None = None
        """The descriptor that the kernel would close for a dead process."""
        self.on_broken: Any = None
        self.down_s = 1.0
        self.process: Any = None
        """The running edge or portal, for whoever looks in from outside."""

    def start(self, main: Main) -> None:
        """Begin its main function."""
        self.context = copy_context()
        self.context.run(OWNER.set, self)
        self.task = self.node.world.loop.create_task(main(self), context=self.context)
        self.task.add_done_callback(self._ended, context=WORLD)

    def burnt(self) -> None:
        """SIGTERM or SIGKILL, between two callbacks."""
        if self.gentle:
            self.fuse = None
            self.node.world.count("stops")
            self.task.cancel()
        else:
            self.die()

    def die(self) -> bool:
        """`kill -9`, at this very callback or in the middle of a statement."""
        if self.alive:
            self.alive, node = False, self.node
            node.world.note("killed", node.name)
            node.world.count("torn transactions" if self.fuse is None else "kills")
            node.past.append(self)
            if self.disk is not None:
                node.survived(self.disk)
            self._gone()
        return True

    def _gone(self) -> None:
        node = self.node
        node.running = None
        for link in node.world.broker.links_of(node):
            node.world.broker.lost(link)
        node.start_in(self.down_s)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not self.alive:
            return
        error = None if task.cancelled() else task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if error is not None and not isinstance(error, StoreError):
            self.node.world.fail("C1", f"{self.node.name} crashed: {error!r}")
        if error is not None:
            self.down_s = UNWILLING_S
        self.alive = False
        self.node.past.append(self)
        self._gone()
