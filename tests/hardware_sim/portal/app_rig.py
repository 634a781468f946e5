"""A house whose one gate speaks when it is told to, and users whose apps may be activated."""

from datetime import timedelta
from itertools import count
from typing import Final

from gate_controller.allowlist import User
from hardware_sim.portal.company import activation
from hardware_sim.portal.house import House
from hardware_sim.portal.records.organisations import SiteRecord
from sync.messages import Revision, State

_CONNS: Final = count(1)
MAIL, PHONE = "mara@example.com", "+31612345678"


class Wire:
    """A way to the gates on which nothing is lost, and nobody listens."""

    def publish(self, *_: object, **__: object) -> None:
        """Nobody listens."""


async def says(house: House, off: timedelta = timedelta(), edge: str = "gate", **other: object) -> None:
    """The gate says how it stands: that the newest list is in force, unless told otherwise."""
    newest = house.portal.allowlist
    fields = {
        "status": "online", "conn": next(_CONNS), "ledger": "L", "next_seq": 1, "acked": 0,
        "list": Revision(newest.epoch, newest.revision), "said_at": house.now() + off,
    } | other  # fmt: skip
    state = State(aud=f"acme/north/{edge}", **fields)
    await house.write(house.portal._ledgers.see, edge, state, house.now())


async def make_ready(house: House) -> None:
    """Everything that activation waits for is well."""
    house.portal.connection = Wire()  # type: ignore[assignment]
    north = await house.run(house.organisations.site, "north")
    await house.write(
        house.organisations.put_site, SiteRecord("north", "North", "n@example.com", north.time_zone, "")
    )
    await says(house)


async def a_user(house: House, external_id: str = "M-1", plate: str = "GR-418-N") -> User:
    """A user whom the gate knows of."""
    user = await house.portal.add_user(external_id, [plate])
    await says(house)
    return user


async def asked_for(house: House, user: User, email: str = MAIL, phone: str = PHONE, site: str = "north") -> str:
    """An app that was asked for; the code of its SMS."""
    seen = await activation.look(house, user.id)
    await activation.ask_for(house, "cleo", user.id, seen.mark, email, phone, [site])
    await says(house)
    return await newest_code(house, phone)


async def newest_code(house: House, phone: str = PHONE) -> str:
    """The code of the newest SMS."""
    letter, *_ = await house.run(house.mailbox.letters, phone)
    return next(word for word in letter.body.replace(".", " ").split() if len(word) == 9 and word[4] == "-")
