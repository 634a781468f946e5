"""What is outside the processes: cars, loops, booms and the board that a daemon finds at its port.

A board outlives its daemon: a contact stays as it is, a boom opens for whatever pulse comes, and a car drives
through an open boom whether or not anybody still counts it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from gate_controller.devices.codec import ContactChanged, DeviceOnline, Drive, Pulse, PulseDone, Signal
from gate_controller.facts import LaneId
from gate_controller.lane import Presented
from gate_controller.plates import Plate, PlateRead
from tests.simulation.loop import OWNER, WORLD

if TYPE_CHECKING:
    from tests.simulation.watch import EdgeWatch
    from tests.simulation.world import Incarnation, Node, World

VISIT_EVERY_S: Final = 4 * 3600.0
READ_EVERY_S: Final = 2.0
PATIENCE_S: Final = 6.0
LANES: Final = ("in", "out")
APPROACH, SAFETY, FAR, OPEN = range(4)
"""Channels of the first lane; those of the second follow."""
CHANNELS: Final = 4
FAMILY: Final = 3
"""Cars that stand one behind the other in the pool may belong to one user."""


@dataclass
class Car:
    """One vehicle: where it is, whoever believes what."""

    read: PlateRead
    inside: bool = False
    busy: bool = False


def pool(count: int) -> list[Car]:
    """Cars whose plates no look-alike rule confuses."""
    plates = [Plate.parse(f"B-NO {number}") for number in range(100, 100 + count)]
    return [Car(PlateRead(plate, 0.99, tuple(((char, 0.99),) for char in plate.key))) for plate in plates]


class Board:
    """The loops and booms of one gate, and the port that they are wired to."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._on = [False] * (2 * CHANNELS)
        self._port: Port | None = None
        self._booms = {lane: asyncio.Event() for lane in range(len(LANES))}
        self.turns = {lane: asyncio.Lock() for lane in range(len(LANES))}

    def plugged(self, port: "Port") -> None:
        """A daemon opened the port, and is told of every channel."""
        self._port = port
        port.tell(DeviceOnline())
        for channel, on in enumerate(self._on):
            port.tell(ContactChanged(channel, on))

    def contact(self, lane: int, role: int, on: bool) -> None:
        """A loop is covered or clear."""
        channel = CHANNELS * lane + role
        self._on[channel] = on
        if self._port is not None:
            self._port.tell(ContactChanged(channel, on))

    def read(self, lane: int, read: PlateRead) -> None:
        """A camera gives a plate to its lane, if a daemon runs."""
        life = self._node.running
        if life is not None and life.process is not None and life.process is not self._node:
            task = life.process._lanes[LaneId(LANES[lane])]
            self._node.world.loop.call_soon(task.put, Presented(read), context=life.context)

    def pulsed(self, channel: int) -> None:
        """A relay closed for a moment."""
        self._booms[channel // CHANNELS].set()

    # ---- one car ----

    async def visit(self, lane: int, car: Car) -> None:
        """A car comes to a lane, waits, and drives through if the boom opens."""
        draw = self._node.world.random
        async with self.turns[lane]:
            boom = self._booms[lane]
            boom.clear()
            self.contact(lane, APPROACH, True)
            opened = False
            for _ in range(int(PATIENCE_S / READ_EVERY_S)):
                self.read(lane, car.read)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(READ_EVERY_S):
                        opened = await boom.wait()
                        break
            if opened and draw.random() < 0.9:
                await self._through(lane)
                car.inside = lane == 0
            else:
                # At an exit somebody opens by hand in the end; at an entry the car goes elsewhere.
                await asyncio.sleep(draw.uniform(0.5, 30))
                self.contact(lane, APPROACH, False)
                if lane == 1 and not opened:
                    car.inside = False
            await asyncio.sleep(draw.uniform(4, 12))

    async def _through(self, lane: int) -> None:
        draw = self._node.world.random
        for role, on in ((SAFETY, True), (APPROACH, False), (FAR, True), (SAFETY, False), (FAR, False)):
            await asyncio.sleep(draw.uniform(0.3, 2))
            self.contact(lane, role, on)


class Port:
    """In place of `edge.daemon.Link`: what the board says comes in the daemon's own context, or never."""

    def __init__(self, _port: str, _codec: Any, on_signal: Callable[[Signal], None]) -> None:
        self._life = cast("Incarnation", OWNER.get())
        self._on_signal = on_signal
        self._pulses: set[str] = set()

    def tell(self, signal: Signal) -> None:
        """Up, unless the daemon is dead."""
        if self._life.alive:
            self._life.node.world.loop.call_soon(self._on_signal, signal, context=self._life.context)

    def drive(self, wanted: Sequence[Drive]) -> None:
        """Down: a pulse the first time that it is wanted."""
        node = self._life.node
        for drive in wanted:
            if isinstance(drive, Pulse) and drive.id not in self._pulses:
                self._pulses.add(drive.id)
                cast("EdgeWatch", node.watch).pulse(drive.id)
                loop, wait_s = node.world.loop, node.world.random.uniform(0.01, 0.2)
                loop.call_later(wait_s, node.board.pulsed, drive.channel, context=WORLD)
                loop.call_later(wait_s, partial(self.tell, PulseDone(drive.channel, drive.id)), context=WORLD)

    async def run(self) -> None:
        """Until cancelled."""
        self._life.node.board.plugged(self)
        await asyncio.get_running_loop().create_future()


class Traffic:
    """Who comes when: now and then two cars of one user at two gates at once, rarely everybody."""

    def __init__(self, world: "World", gates: Sequence["Node"], cars: Sequence[Car]) -> None:
        self._world, self._gates, self._cars = world, gates, cars
        self._random = world.random

    async def flow(self) -> None:
        """Until the week is over."""
        draw = self._random
        while not self._world.quiet:
            await asyncio.sleep(draw.expovariate(self._world.pace * len(self._gates) / VISIT_EVERY_S))
            rush = len(self._cars) if draw.random() < 0.01 else draw.choice((1, 1, 2))
            for _ in range(rush):
                self._comes(draw.choice(self._cars))
                await asyncio.sleep(draw.uniform(0.0, 30.0))

    def _comes(self, car: Car) -> None:
        draw = self._random
        gates = list(self._gates)
        draw.shuffle(gates)
        self._sent(car, gates[0])
        if draw.random() < 0.3:
            number = self._cars.index(car)
            family = self._cars[number - number % FAMILY :][:FAMILY]
            self._world.loop.call_later(
                draw.choice((0.0, 0.3, 60.0)), self._sent, draw.choice(family), gates[1], context=WORLD
            )

    def _sent(self, car: Car, gate: "Node") -> None:
        if not car.busy and not self._world.quiet:
            self._world.count("visits")
            self._world.begin(self._visit(car, gate))

    async def _visit(self, car: Car, gate: "Node") -> None:
        car.busy = True
        try:
            await gate.board.visit(int(car.inside), car)
        finally:
            car.busy = False
