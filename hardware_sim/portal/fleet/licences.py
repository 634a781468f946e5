"""Driving licences that end: who has one is mailed in time, and staff see whose are to be looked at again.

That one has ended needs no message: `valid_until` is on the list, and every desk knows by its own clock. Not here:
looking at one (`desk_checks`).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from gate_controller.allowlist import User
from gate_controller.desk import LicenceStatus
from gate_controller.errors import SlagboomError
from hardware_sim.portal.fleet.reservations import mail_to
from hardware_sim.portal.house import House

AHEAD: Final = timedelta(days=30)
"""How long before its licence ends a subscriber is mailed."""
SWEEP_EVERY_S: Final = 3600.0

log = logging.getLogger(__name__)


class Told:
    """Who was mailed of which end; every method runs on the database's thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def news(self, user_id: str, end: datetime) -> bool:
        """Note that this user is mailed of this end now; false if it was before."""
        until = end.astimezone(UTC).isoformat()
        known = self._db.execute("SELECT valid_until FROM licence_told WHERE user_id = ?", (user_id,)).fetchone()
        self._db.execute("INSERT OR REPLACE INTO licence_told VALUES (?, ?)", (user_id, until))
        return known is None or known[0] != until


async def sweep(house: House) -> None:
    """Tell everybody in time, for ever."""
    while True:
        try:
            await tell_all(house)
        except SlagboomError as error:
            log.warning("nobody is told that a licence ends: %s", error)
        await asyncio.sleep(SWEEP_EVERY_S)


async def tell_all(house: House) -> None:
    """Mail whose licence ends soon and who was not mailed of it. Raises StoreError."""
    # A list of a million users takes a while to look through, and the desks do not wait.
    soon = await asyncio.to_thread(ending, house.portal.allowlist.subscribers(), house.now())
    for _, user in soon:
        await house.write(tell, house, user)


def ending(users: Iterable[User], now: datetime) -> list[tuple[datetime, User]]:
    """Ends of licences that count and end soon, and whose they are, the next first."""
    found = ((_end(user), user) for user in users)
    soon = [(end, user) for end, user in found if end is not None and now < end <= now + AHEAD]
    return sorted(soon, key=lambda one: (one[0], one[1].id))


def tell(house: House, user: User) -> None:
    """Mail a user whose licence ends soon, once for each end; for all others nothing. On the database's thread."""
    for end, _ in ending([user], house.now()):
        if Told(house.portal.database.sql).news(user.id, end):
            body = _MAIL.format(until=end, url=house.url)
            mail_to(house, user.id, "Your driving licence is to be looked at again", body)
            house.audit.note(house.now(), "", "licence.ends", user.external_id, f"{end:%Y-%m-%d}")


def _end(user: User) -> datetime | None:
    licence = user.licence
    if licence is None or licence.status is not LicenceStatus.VALIDATED or not user.active:
        return None
    return licence.valid_until


_MAIL: Final = """\
Your driving licence counts here until {until:%Y-%m-%d %H:%M %Z}. From then on keys stay locked for you; you may
still ride along. Come to your desk with the licence before that, and it is looked at again.

How things stand: {url}/registration
"""
