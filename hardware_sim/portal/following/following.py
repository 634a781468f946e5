"""What a house does by itself while the portal serves: follow events and keys, send webhooks, end what is over."""

import logging
from collections.abc import Coroutine
from typing import Any

from gate_controller.errors import SlagboomError
from hardware_sim.portal.fleet import key_books
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.partners import Partners
from hardware_sim.portal.webhooks.hook_sender import HookSender

log = logging.getLogger(__name__)


def followers(house: House) -> list[Coroutine[Any, Any, None]]:
    """To be run as tasks until the portal ends; none of them is in the way of an edge."""
    return [Feed(house).run(), HookSender(house).run(), key_books.follow(house), _settled(house)]


async def _settled(house: House) -> None:
    try:
        await Partners(house).settle()
    except SlagboomError as error:
        log.warning("somebody who is no partner may still be in charge of devices: %s", error)
