"""The orders that stay in force at this edge: on disk before they count, and there again after a restart.

What such an order means and when it is over is `gate_controller.standing_orders`'.
"""

from dataclasses import replace
from typing import Final

from edge.config import Config
from gate_controller.facts import LaneId, LaneSwitched, Revoked
from gate_controller.site import Site
from gate_controller.standing_orders import Switched, Void
from sync.orders import Revoke, SwitchLane
from sync.store import Store

VOIDS_LEN_MAX: Final = 1000
"""Users and credentials that may be void beside a list that does not come; every decision looks at all of them."""


class StandingOrders:
    """The standing orders of one edge. Everything but `refusal` and `in_force` may raise StoreError."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config, self._store = config, store
        self._switched: dict[LaneId, Switched] = {}
        self._voids: dict[tuple[str, str], Void] = {}

    async def load(self) -> None:
        """What earlier runs were ordered, without what the settings have overruled since."""
        for order in await self._store.switched():
            if (table := self._config.lanes.get(order.lane)) is not None and table.active is order.setting:
                self._switched[order.lane] = order
            else:
                await self._store.forget_switch(order)
        self._voids = {(void.user_id, void.credential): void for void in await self._store.voids()}

    def in_force(self, site: Site) -> Site:
        """The site as it is with these orders."""
        return replace(
            site,
            inactive=self._config.inactive(self._switched.values()),
            voids=frozenset(self._voids.values()),
        )

    def refusal(self, order: SwitchLane | Revoke) -> str:
        """Why this order is not carried out; "" when it is."""
        if isinstance(order, Revoke):
            full = len(self._voids) >= VOIDS_LEN_MAX and (order.user_id, order.credential) not in self._voids
            return f"{VOIDS_LEN_MAX} users are void by order already; let the list come first" if full else ""
        table = self._config.lanes.get(order.lane)
        if table is None:
            return f"no lane {order.lane}; there are {', '.join(self._config.lanes)}"
        if not order.active and table.direction != "in":
            return f"{order.lane} lets vehicles out, and no order locks anybody in; its settings can switch it off"
        return ""

    async def keep(self, order: SwitchLane | Revoke, instead_of: str) -> LaneSwitched | Revoked:
        """Write an accepted order down, while a list of epoch `instead_of` is in force; the fact of it."""
        if isinstance(order, Revoke):
            void = Void(order.user_id, order.credential, order.epoch, order.rev, instead_of)
            await self._store.make_void(void)
            self._voids[void.user_id, void.credential] = void
            return Revoked(order.user_id, order.external_id, order.credential, order.by, order.reason)
        lane = LaneId(order.lane)
        switched = Switched(lane, order.active, self._config.lanes[order.lane].active)
        await self._store.switch_lane(switched)
        self._switched[lane] = switched
        return LaneSwitched(lane, order.active, order.by, order.reason)

    async def forget(self, site: Site) -> None:
        """Drop what the list says by now; until then it does no harm."""
        listed = site.allowlist.epoch, site.allowlist.revision
        over = {key: void for key, void in self._voids.items() if void.over(*listed)}
        if over:
            await self._store.drop_voids([*over.values()])
            self._voids = {key: void for key, void in self._voids.items() if over.get(key) != void}
