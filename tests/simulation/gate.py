"""An edge's process: the real daemon, with a simulated board at its port, and its deeds watched.

In place of the real ones are the serial port, the socket for orders, the clock and chance, and nothing else.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from edge import daemon
from edge.config import Config, OfflineTable, PortalTable, SiteTable, StoreTable
from edge.lane_table import BoardTable, InputsTable, LaneTable, OutputsTable
from gate_controller.allowlist import Allowlist
from gate_controller.facts import Fact
from gate_controller.moment import Moment
from gate_controller.site import Site
from sync.orders import Answer, LaneOrder, Request
from sync.store import Store
from tests.simulation.cars import APPROACH, CHANNELS, FAR, LANES, OPEN, SAFETY, Board
from tests.simulation.loop import OWNER
from tests.simulation.watch import EdgeWatch
from tests.simulation.world import SITE, TENANT, Incarnation, Node


class Watched(daemon.Daemon):
    """The daemon, and what it does is told to the watch as it is done."""

    def __init__(self, config: Config, run: str, store: Store, site: Site, *rest: Any) -> None:
        life = cast(Incarnation, OWNER.get())
        self.watch, self.store = cast(EdgeWatch, life.node.watch), store
        self.watch.opened(store._database.sql, site.occupancy)
        super().__init__(config, run, store, site, *rest)
        life.process = self

    def record(self, facts: Sequence[Fact], now: Moment) -> None:
        """What the lanes say."""
        self.watch.said(facts, self.site.allowlist)
        super().record(facts, now)

    async def answer(self, request: Request, valid_for_s: float = daemon.ORDER_VALID_FOR_S) -> Answer:
        """What the portal orders."""
        if isinstance(request, LaneOrder):
            self.watch.ordered(request.by)
        return await super().answer(request, valid_for_s)

    def _list_in_force(self, allowlist: Allowlist, confirmed_at: datetime) -> None:
        super()._list_in_force(allowlist, confirmed_at)
        self.watch.in_force(allowlist)


class NoSocket:
    """In place of `edge.control`: nobody stands at the machine."""

    @staticmethod
    def socket_of(database: Path) -> Path:
        """Where it would be."""
        return database

    @staticmethod
    async def serve(_path: Path, _handle: Callable[[Request], Answer]) -> None:
        """Nobody calls."""
        await asyncio.get_running_loop().create_future()


def now() -> Moment:
    """In place of `edge.clock.now`: what this machine's clock says."""
    life: Any = OWNER.get()
    moment: Moment = life.node.now()
    return moment


class Chance:
    """In place of `random` and `secrets`: the seed's chance."""

    def __init__(self, draw: Any) -> None:
        self.random = draw.random
        self._draw = draw

    def token_hex(self, count: int) -> str:
        """As many random bytes in hexadecimal."""
        return self.token_bytes(count).hex()

    def token_bytes(self, count: int) -> bytes:
        """As many random bytes."""
        return cast(bytes, self._draw.randbytes(count))


def settings(node: Node) -> Config:
    """A gate with an entry and an exit."""
    lanes = {}
    for number, name in enumerate(LANES):
        first = CHANNELS * number + 1
        lanes[name] = LaneTable(
            direction="in" if number == 0 else "out",
            board="board",
            inputs=InputsTable(approach=first + APPROACH, safety=first + SAFETY, far=first + FAR),
            outputs=OutputsTable(open=first + OPEN),
        )
    return Config(
        site=SiteTable(
            name="simulated",
            time_zone="Europe/Berlin",
            capacity=40,
            session_expires_after_h=48.0,
            claims=node.world.claims,
        ),
        lanes=lanes,
        boards={"board": BoardTable("modbus_relay8", "board")},
        offline=OfflineTable(permanent_h=node.world.list_max_age_h),
        store=StoreTable(path=node.path.name, keep_personal_days=3),
        portal=PortalTable(
            host="127.0.0.1", root_key=node.world.root_key, tenant=TENANT, site=SITE, edge=node.name
        ),
        folder=node.folder,
    )


async def edge_main(life: Incarnation) -> None:
    """From power on to power off."""
    await daemon.serve(settings(life.node))


__all__ = ["Board", "Chance", "NoSocket", "Watched", "edge_main", "now"]
