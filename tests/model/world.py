"""The real parts in one process: a portal with its house, two edges, one of them with a desk, and a courier."""

import contextlib
import logging
import random
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import edge.clock
import sync.database
import sync.mqtt
from gate_controller.moment import Moment
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.house import House
from sync.device_key import device_key
from sync.messages import Address
from sync.portal import Surroundings
from tests.model import hand_loop
from tests.model.courier import Courier
from tests.model.gate import Gate
from tests.model.hand_loop import HandLoop

T0: Final = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
"""A Monday."""
EDGES: Final = ("e1", "e2")
IN_MEMORY: Final = Path("/dev/shm")
"""Where real files cost no platter, if the machine has it."""
ROUNDS_MAX: Final = 60
ROUND_S: Final = 120.0
"""Together two hours: longer than the longest wait of a link, and than one confirmation of the list."""

T = TypeVar("T")


class World:
    """Made anew for each example; `close` it. The time is the loop's, and passes by `pass_` alone."""

    tenant, site = "acme", "north"

    def __init__(self) -> None:
        self.loop = HandLoop()
        self._began_s = self.loop.time()
        ids, draw = count(1), random.Random(1)
        self.around = Surroundings(self.now, draw.random, lambda: f"{next(ids):016x}"[::-1])
        self._folder = Path(
            tempfile.mkdtemp(prefix="slagboom-model-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        )
        names = {Address(self.tenant, self.site, name).client_id: name for name in EDGES}
        self.courier = Courier(f"{self.tenant}.{self.site}.portal", names)
        self._stack = ExitStack()
        self._stack.enter_context(_seams(self))
        self._stack.callback(shutil.rmtree, self._folder)
        self.portal = self.do(Portal.open(self._folder / "portal.db", self.tenant, self.site, self.around))
        self.house = self.do(House.open(self.portal, "Europe/Amsterdam", "http://portal.example.net"))
        self.root_key = self.portal.keys.root_key
        self._feed = Feed(self.house)
        self._serving = self.loop.create_task(self.portal.serve("courier", 1883))
        self.loop.quiet()
        self.gates: dict[str, Gate] = {}
        for name in EDGES:
            folder = self._folder / name
            folder.mkdir()
            self.do(self.portal.register(name, device_key(folder).public))
            self.gates[name] = Gate(self, name, folder, desk=name == EDGES[0])
            self.gates[name].start()

    def now(self) -> Moment:
        """What every clock here says."""
        seconds = self.loop.time()
        return Moment(T0 + timedelta(seconds=seconds - self._began_s), seconds)

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Have something done, and whatever follows from it at once."""
        return self.loop.do(coroutine)

    def pass_(self, seconds: float) -> None:
        """Time passes; every program does once what was due by then."""
        self.loop.pass_(seconds)
        self.check()

    def check(self) -> None:
        """Raise what has broken in any program."""
        failed = [gate.failed() for gate in self.gates.values()]
        if self._serving.done():
            failed.append(self._serving.exception())
        for error in failed:
            if error is not None:
                raise AssertionError("a program broke") from error

    def come_right(self) -> None:
        """Everything is joined and delivered, and what follows from it is done. Raises if that takes too long."""
        for name in EDGES:
            self.courier.clear(name)
            self.courier.join(name)
        for _ in range(ROUNDS_MAX):
            self.pass_(ROUND_S)
            self.do(self._feed.catch_up())
            if not (missing := [*self._missing()]):
                return
        raise AssertionError(f"{missing}, {ROUNDS_MAX * ROUND_S / 3600:g} h after all was joined")

    def _missing(self) -> Iterator[str]:
        listed = self.portal.allowlist
        for name, gate in self.gates.items():
            if (gate.site.allowlist.epoch, gate.site.allowlist.revision) != (listed.epoch, listed.revision):
                yield f"{name} has revision {gate.site.allowlist.revision} of {listed.revision}"
            if gate.store.acked_through != gate.store.next_seq - 1:
                yield f"{name} has {gate.store.acked_through} of {gate.store.next_seq - 1} rows acknowledged"
            if self.do(gate.store.enrols()):
                yield f"{name} waits for a badge"

    def told(self) -> bool:
        """Whether the portal knows all that happened, and can be asked."""
        return all(
            self.courier.roads[name].clear
            and gate.link.connected
            and gate.store.acked_through == gate.store.next_seq - 1
            for name, gate in self.gates.items()
        )

    def close(self) -> None:
        """For good."""
        with contextlib.suppress(Exception):
            for gate in self.gates.values():
                gate.stop()
            self._serving.cancel()
            self.loop.quiet()
            self.do(self.portal.close())
        self.loop.close()
        self._stack.close()


@contextmanager
def _seams(world: World) -> Iterator[None]:
    changed: list[tuple[Any, str, Any]] = [
        (sync.mqtt, "connect", world.courier.connect),
        (sync.database, "aiosqlite", hand_loop),
        (edge.clock, "now", world.now),
    ]
    before = [(holder, name, getattr(holder, name)) for holder, name, _ in changed]
    for holder, name, value in changed:
        setattr(holder, name, value)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for holder, name, value in before:
            setattr(holder, name, value)
