"""The portal's process, and the people at its desk who keep it busy."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from gate_controller.allowlist import UserStatus
from gate_controller.errors import BadInput, ListRejected, PortalError, StoreError
from gate_controller.lane import Order
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.trust.keys import PortalKeys
from sync.device_key import device_key
from sync.orders import ClearUser, LaneOrder, Request, SyncNow
from tests.simulation.cars import FAMILY, LANES
from tests.simulation.watch import PortalWatch
from tests.simulation.world import SITE, TENANT, Incarnation, Node

if TYPE_CHECKING:
    from tests.simulation.cars import Car

Deed = Callable[[], Awaitable[None]]

CHANGE_EVERY_S: Final = 7200.0
ORDER_EVERY_S: Final = 3600.0
ROTATE_EVERY_S: Final = 2 * 86400.0
ROTATE_WITHIN_S: Final = 60.0
BEGINNING: Final = 10
"""Times that the list is changed before the first car comes."""
KNOWN_SHARE: Final = 0.75
"""Share of the cars that may be on the list; the others are strangers."""


class Clerk:
    """Adds, changes and removes users, gives orders, changes keys, and does not always wait for the answer."""

    def __init__(self, portal: Portal, node: Node) -> None:
        self._portal, self._world, self._random = portal, node.world, node.world.random

    async def work(self) -> None:
        """Until the week is over."""
        if not self._portal.allowlist.revision:
            for _ in range(BEGINNING):
                await self._changes()
        async with asyncio.TaskGroup() as group:
            for deed, every_s in (
                (self._changes, CHANGE_EVERY_S),
                (self._order, ORDER_EVERY_S),
                (self._rotate, ROTATE_EVERY_S),
            ):
                group.create_task(self._now_and_then(deed, every_s))

    async def _now_and_then(self, deed: Deed, every_s: float) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(self._world.pace / every_s))
            if self._world.quiet:
                return
            await deed()

    # ---- the list ----

    async def _changes(self) -> None:
        for _ in range(self._random.choice((1, 1, 1, 3, 10))):
            patience_s = self._random.uniform(0, 0.01) if self._random.random() < 0.1 else 60.0
            with contextlib.suppress(BadInput, ListRejected, StoreError, TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._change()
            await asyncio.sleep(self._random.uniform(0, 1))

    async def _change(self) -> None:
        draw, portal = self._random, self._portal
        deed = draw.choice(("add", "add", "add", "plate", "status", "remove", "permit", "unpermit"))
        named = deed in ("plate", "status", "remove")
        known = sorted(user.external_id for user in portal.allowlist.users()) if named else []
        match deed:
            case "add":
                family = draw.randrange(int(KNOWN_SHARE * len(self._world.cars) / FAMILY))
                plates = self._free(family)[: draw.choice((1, 2, 3))]
                groups: Sequence[str] = draw.choice(((), (), ("staff",)))
                pool_size = draw.choice((1, 1, 1, 2))
                name = f"x{family}-{draw.getrandbits(32):x}"
                if plates:
                    await portal.add_user(name, plates, groups=groups, pool_size=pool_size)
            case "plate" if known:
                user = draw.choice(known)
                if free := self._free(int(user[1:].partition("-")[0])):
                    await portal.add_plate(user, draw.choice(free))
            case "status" if known:
                await portal.set_status(draw.choice(known), draw.choice((UserStatus.ACTIVE, UserStatus.INACTIVE)))
            case "remove" if known:
                await portal.remove_user(draw.choice(known))
            case "permit":
                await portal.permit_group("staff")
            case "unpermit":
                await portal.remove_permit("park-staff")

    def _free(self, family: int) -> list[str]:
        cars: Sequence[Car] = self._world.cars[family * FAMILY :][:FAMILY]
        plates = [car.read.plate.key for car in cars]
        return [plate for plate in plates if self._portal.allowlist.exact(plate) is None]

    # ---- orders and keys ----

    async def _order(self) -> None:
        draw = self._random
        by = self._world.new_order()
        known = sorted(user.external_id for user in self._portal.allowlist.users()) or ["nobody"]
        lane = LaneOrder(
            draw.choice(LANES), draw.choice((Order.OPEN, Order.OPEN, Order.ACKNOWLEDGE)), by, "asked to"
        )
        ask: Request | SyncNow = draw.choice(
            (lane, lane, lane, ClearUser(draw.choice(known), by, "gone"), SyncNow())
        )
        with contextlib.suppress(PortalError, StoreError):
            edge = draw.choice(self._world.nodes[1:]).name
            await self._portal.command(edge, ask)
            self._world.count("orders answered")

    async def _rotate(self) -> None:
        with contextlib.suppress(PortalError, StoreError, TimeoutError):
            async with asyncio.timeout(ROTATE_WITHIN_S):
                await self._portal.rotate_keys()
                self._world.count("key rotations")


def first_keys(node: Node) -> str:
    """The portal's keys, made before anybody starts; the root key as it is copied to every edge."""
    keys = PortalKeys.open(node.folder / "keys", f"{TENANT}/{SITE}", node.now().wall)
    return keys.root_key.hex()


async def portal_main(life: Incarnation) -> None:
    """The portal's process."""
    node = life.node
    portal = await Portal.open(node.path, TENANT, SITE, node.surroundings())
    try:
        cast(PortalWatch, node.watch).opened(portal.database.sql)
        for gate in node.world.nodes[1:]:
            await portal.register(gate.name, device_key(gate.folder).public)
        life.process = portal
        async with asyncio.TaskGroup() as group:
            group.create_task(portal.serve("broker", 1883))
            group.create_task(Clerk(portal, node).work())
    finally:
        await portal.close()
