"""What a house does by itself while the portal serves: follow events, send webhooks, follow keys."""

from collections.abc import Coroutine
from typing import Any

from hardware_sim.portal import key_books
from hardware_sim.portal.feed import Feed
from hardware_sim.portal.hook_sender import HookSender
from hardware_sim.portal.house import House


def followers(house: House) -> list[Coroutine[Any, Any, None]]:
    """To be run as tasks until the portal ends; none of them is in the way of an edge."""
    return [Feed(house).run(), HookSender(house).run(), key_books.follow(house)]
