"""The people: at the portal they change users all the time, at the gates they ask things of the lanes."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.faults.gate import Gate, some_lane
from tests.faults.processes import PortalProcess

PAUSE_S: Final = (0.05, 0.6)
ORDERS_S: Final = (0.3, 1.5)
CALLERS: Final = 8
"""People who give orders at the portal; one waits for the answer to its own, and a lost one costs it 12 s."""
OPERATES_S: Final = (0.05, 0.4)
USERS_LEN_MIN: Final = 5
USERS_LEN_MAX: Final = 30
REGULARS: Final = 3


class People:
    """They live while `live` runs, and change nothing inside `silent`."""

    def __init__(self, portal: PortalProcess, gates: Sequence[Gate], chance: random.Random) -> None:
        self.badges: list[str] = []
        """Badges that somebody has or had."""
        self.regulars: list[str] = []
        """Badges of users whom nobody changes, and who come to all gates at once."""
        self.orders = 0
        """Orders asked for at the portal; the newest has this number."""
        self._portal, self._gates, self._random = portal, gates, chance
        self._users: list[str] = []
        self._numbers = 0
        self._free = asyncio.Event()
        self._free.set()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Nobody begins anything while inside."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    async def live(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._at_the_portal())
            for _ in range(CALLERS):
                group.create_task(self._ordering())
            for gate in self._gates:
                group.create_task(self._at(gate))

    async def _at(self, gate: Gate) -> None:
        while True:
            await gate.operate()
            await asyncio.sleep(self._random.uniform(*OPERATES_S))

    async def _ordering(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*ORDERS_S))
            gate = self._random.choice(self._gates)
            if self._random.random() < 0.2:
                await self._portal.ask("sync", gate.name)
            else:
                self.orders += 1
                await self._portal.ask("order", gate.name, f"{some_lane(self._random)} {self.orders}")

    async def _at_the_portal(self) -> None:
        while True:
            await self._free.wait()
            await self._change()
            await asyncio.sleep(self._random.uniform(*PAUSE_S))

    async def _change(self) -> None:
        do = self._random.choices(("add", "badge", "on", "off", "remove"), (4, 2, 2, 2, 1))[0]
        if len(self._users) < USERS_LEN_MIN:
            do = "add"
        if len(self._users) > USERS_LEN_MAX:
            do = "remove"
        badge = f"{self._random.randrange(1 << 40):010X}"
        if do == "add":
            self._numbers += 1
            name = f"person-{self._numbers}"
            if len(self.regulars) < REGULARS:
                self.regulars.append(badge)
            else:
                self._users.append(name)
        else:
            name = self._random.choice(self._users)
        if do in ("add", "badge"):
            self.badges = [*self.badges, badge][-2 * USERS_LEN_MAX :]
        if do == "remove":
            self._users.remove(name)
        await self._portal.ask(do, name, badge)
