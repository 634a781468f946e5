"""What goes wrong in a week: kinds and times are drawn from the seed, a different mixture for each."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from tests.simulation.broker import Weather
from tests.simulation.loop import WORLD
from tests.simulation.world import Node, World

DAY_S: Final = 86400.0
FUSE_MAX: Final = 60
CALM_SHARE: Final = 0.4
"""Of all weathers: an edge that asks for a place needs an answer now and then."""
FULL_FOR_S: Final = 900.0
SEVERE_FOR_S: Final = 3600.0
"""Very late, slow and lost messages for longer are more of the same, at thousands of messages an hour."""
TORN_AFTER_MAX: Final = 400
"""Instructions of SQLite's machine, within the next transaction."""


class Faults:
    """Draws a week of faults and sets their timers; `heal` ends all that is still wrong."""

    def __init__(self, world: World, days: float) -> None:
        self._world, self._random = world, world.random
        self._healed = False
        kinds: dict[Callable[[], None], int] = {
            self._kill: 24,
            self._stop: 12,
            self._broker: 10,
            self._partition: 12,
            self._clock: 8,
            self._disk: 10,
            self._weather: 14,
            self._replay: 20,
        }
        self._weather()
        for fault, most in kinds.items():
            # Each kind is absent from some weeks: faults can hide one another.
            for _ in range(self._random.randint(0, most) if self._random.random() < 0.8 else 0):
                self._at(self._random.uniform(0, days * DAY_S), fault)

    def heal(self) -> None:
        """Everything works from now on; what is down comes back within the minute."""
        self._healed = True
        world = self._world
        world.broker.up, world.broker.weather = True, Weather()
        for node in world.nodes:
            node.cut = False
            node.set_clock(timedelta())
            self._fill(node, "")
            node.start()

    # ---- kinds ----

    def _kill(self) -> None:
        """At any await within the next callbacks, or in the middle of the next transaction."""
        life = self._somebody().running
        if life is not None:
            life.down_s = self._duration(60.0)
            if self._random.random() < 0.2:
                life.torn = self._random.randint(1, TORN_AFTER_MAX)
            else:
                life.fuse = self._random.randint(0, FUSE_MAX)

    def _stop(self) -> None:
        """Told to end, likewise at any await: what was begun is finished, and written once."""
        life = self._somebody().running
        if life is not None:
            life.down_s = self._duration(60.0)
            life.gentle, life.fuse = True, self._random.randint(0, FUSE_MAX)

    def _broker(self) -> None:
        self._world.count("broker crashes")
        self._world.broker.crash()
        self._at(self._duration(120.0), self._broker_back)

    def _broker_back(self) -> None:
        self._world.broker.up = True

    def _partition(self) -> None:
        node = self._somebody()
        if not node.cut:
            self._world.count("partitions")
            node.cut = True
            for link in self._world.broker.links_of(node):
                self._world.broker.lost(link)
            self._at(self._duration(1800.0), self._joined, node)

    def _joined(self, node: Node) -> None:
        node.cut = False

    def _clock(self) -> None:
        """The portal's is the one that all others are measured by."""
        self._world.count("clock steps")
        node = self._random.choice(self._world.nodes[1:])
        node.set_clock(timedelta(days=self._random.choice((-1, 0, 1))))

    def _replay(self) -> None:
        self._world.count("replays")
        for _ in range(self._random.choice((1, 5, 30))):
            self._world.broker.replay()

    def _disk(self) -> None:
        node = self._somebody()
        self._world.count("full disks")
        self._fill(node, self._random.choice(("full", "full", "dead")))
        # Longer is more of the same, several attempts a minute.
        self._at(self._random.uniform(0.3, 1.5) * FULL_FOR_S, self._fill, node, "")

    def _fill(self, node: Node, how: str) -> None:
        node.full = how
        if node.running is not None and node.running.disk is not None:
            node.running.disk.fill(how)

    def _weather(self) -> None:
        draw = self._random
        self._world.count("storms")
        if draw.random() < CALM_SHARE:
            self._world.broker.weather = Weather()
            return
        severe = Weather(
            loss=draw.choice((0.0, 0.0, 0.02, 0.02, 0.2, 0.6)),
            double=draw.choice((0.0, 0.05, 0.5)),
            delay_s=draw.choice((0.02, 0.02, 0.5, 10.0)),
            late=draw.choice((0.0, 0.02, 0.2)),
            forgets=draw.choice((0.0, 0.5)),
            heeds_expiry=draw.random() < 0.5,
        )
        self._world.broker.weather = severe
        mild = replace(
            severe,
            loss=min(severe.loss, 0.02),
            double=min(severe.double, 0.05),
            delay_s=min(severe.delay_s, 0.5),
            late=min(severe.late, 0.02),
        )
        self._at(draw.uniform(0.5, 1.5) * SEVERE_FOR_S, self._abate, severe, mild)

    def _abate(self, severe: Weather, mild: Weather) -> None:
        if self._world.broker.weather is severe:
            self._world.broker.weather = mild

    # ---- inside ----

    def _somebody(self) -> Node:
        return self._random.choice(self._world.nodes)

    def _duration(self, mean_s: float) -> float:
        """Now and then a whole day."""
        return self._random.uniform(0.5, 1.5) * (DAY_S if self._random.random() < 0.05 else mean_s)

    def _at(self, wait_s: float, fault: Callable[..., None], *args: Any) -> None:
        self._world.loop.call_later(wait_s, self._do, fault, args, context=WORLD)

    def _do(self, fault: Callable[..., None], args: Any) -> None:
        if not self._healed:
            self._world.note(fault.__name__, [getattr(arg, "name", arg) for arg in args])
            fault(*args)
