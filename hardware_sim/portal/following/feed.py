"""What follows from events once they are stored: credits charged, others told. Each is looked at once.

Nothing of it is in the way of an edge: events are stored and acknowledged before, and what follows is caught up
with, also after the portal was stopped. How far it came stands in the same transaction as what followed.
"""

import asyncio
import logging
from typing import Final

from gate_controller.errors import StoreError
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import Ledgers
from hardware_sim.portal.partners.credits import Credits
from hardware_sim.portal.webhooks.subscriptions import Subscriptions

EVENTS_AT_ONCE: Final = 500
LOOK_EVERY_S: Final = 0.25

log = logging.getLogger(__name__)


class Feed:
    """The follower of one house's events."""

    def __init__(self, house: House) -> None:
        self._house, self._db = house, house.portal.database.sql
        self._ledgers, self._credits = Ledgers(self._db), Credits(house)
        self._subscriptions = Subscriptions(house)

    async def run(self) -> None:
        """Follow until cancelled; a store that fails is tried again."""
        while True:
            try:
                await self.catch_up()
            except StoreError as error:
                log.warning("what follows from events has to wait: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def catch_up(self) -> None:
        """Look at every event that is there. Raises StoreError."""
        while await self._house.write(self._some) == EVENTS_AT_ONCE:
            pass

    def _some(self) -> int:
        (through,) = self._db.execute("SELECT through FROM feed").fetchone()
        events = self._ledgers.events(through, EVENTS_AT_ONCE)
        if not events:
            return 0
        for event in events:
            self._credits.charge(event)
        self._subscriptions.tell(events)
        self._db.execute("UPDATE feed SET through = ?", (events[-1].number,))
        return len(events)
