"""The portal's task that sends webhooks: what is due, several receivers at a time and one message each.

A receiver that does not answer takes one of the places for seconds and no more, and waits ever longer for its next
turn; the others do not notice. Nothing of this is in the way of an edge.
"""

import asyncio
import logging
from typing import Final

import httpx

from gate_controller.errors import PortalError, StoreError
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import WrongField
from hardware_sim.portal.webhooks import webhooks
from hardware_sim.portal.webhooks.subscriptions import Due, Subscriptions

AT_ONCE: Final = 8
LOOK_EVERY_S: Final = 0.25

log = logging.getLogger(__name__)


class HookSender:
    """Sends what one house has to tell."""

    def __init__(self, house: House) -> None:
        self._house, self._books = house, Subscriptions(house)
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Send until cancelled; a store that fails is tried again."""
        # What the environment says of proxies and passwords is not for messages to strangers.
        async with (
            httpx.AsyncClient(trust_env=False, timeout=webhooks.TIMES_OUT_S) as client,
            asyncio.TaskGroup() as group,
        ):
            while True:
                try:
                    for due in await self._house.run(self._books.due, self._busy, AT_ONCE - len(self._busy)):
                        self._busy.add(due.delivery.subscription)
                        group.create_task(self._send(client, due))
                except StoreError as error:
                    log.warning("webhooks have to wait: %s", error)
                await asyncio.sleep(LOOK_EVERY_S)

    async def _send(self, client: httpx.AsyncClient, due: Due) -> None:
        try:
            answer = await self._tried(client, due)
            await self._house.write(self._books.tried, due.delivery, answer, self._house.portal.around.chance())
        except StoreError as error:
            log.warning("what became of a webhook is not written down, and it comes again: %s", error)
        finally:
            self._busy.discard(due.delivery.subscription)

    async def _tried(self, client: httpx.AsyncClient, due: Due) -> webhooks.Answer:
        """Also a host may be allowed no more by now."""
        try:
            url = webhooks.address(due.target, await self._house.run(self._books.hosts))
            secret = await self._house.run(self._books.secret, due)
        except WrongField as error:
            return webhooks.Answer(False, f"not sent: the address {error.problem}"[: webhooks.SAID_LEN_MAX])
        except PortalError as error:
            return webhooks.Answer(False, f"not sent: {error}"[: webhooks.SAID_LEN_MAX])
        body = due.delivery.body.encode()
        headers = webhooks.signed(secret, due.delivery.message, int(self._house.now().timestamp()), body)
        return await webhooks.post(client, url, headers, body)
