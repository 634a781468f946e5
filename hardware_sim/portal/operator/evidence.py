"""What an operator looks at one by one: pictures that decided, and events in quarantine.

Not here: where they are kept (`picture_desk`, `quarantine`).
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gate_controller.errors import BadInput, PortalError
from gate_controller.facts import Granted, Refused
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.journals.quarantine import SetApart
from hardware_sim.portal.operator.asked import DropQuarantined, FetchPicture, Quarantined, Reply, ShowQuarantined

LIMIT_MAX: Final = 1000
"""Events of one reply."""

Row = dict[str, Any]


async def quarantined(portal: Portal, asked: Quarantined) -> Reply:
    found = await portal.database.run(portal.quarantine.newest, min(max(asked.limit, 1), LIMIT_MAX))
    return Reply([_row(one) for one in found])


async def show_quarantined(portal: Portal, asked: ShowQuarantined) -> Reply:
    one = await portal.database.run(portal.quarantine.one, asked.number)
    return Reply([{**_row(one), "text": one.event.text}])


async def drop_quarantined(portal: Portal, asked: DropQuarantined) -> Reply:
    await portal.database.write(portal.quarantine.drop, asked.numbers)
    return Reply([{"dropped": list(asked.numbers)}], f"{len(asked.numbers)} dropped; none comes back")


def _row(one: SetApart) -> Row:
    return {
        "number": one.number,
        "received_at": one.received_at.isoformat(),
        "edge": one.edge,
        "ledger": one.ledger,
        "seq": one.event.seq,
        "reason": one.event.why.value,
        "characters": len(one.event.text),
    }


async def picture(portal: Portal, asked: FetchPicture) -> Reply:
    event = next(iter(await portal.events(asked.event - 1, 1)), None)
    if event is None or event.number != asked.event:
        raise BadInput(f"no event has the number {asked.event}; `slagboom portal events` tells them")
    if not isinstance(event.fact, Granted | Refused) or not event.fact.basis.evidence:
        raise BadInput(f"event {asked.event}: no picture decided it, or its name was erased")
    jpeg = await portal.picture(event.edge, event.ledger, event.seq)
    if jpeg is None:
        raise PortalError(f"event {asked.event}: edge {event.edge} has no picture of it any more")
    row = {"event": event.number, "edge": event.edge, "seq": event.seq, "jpeg": b64encode(jpeg).decode()}
    return Reply([row])


Answer = Callable[[Portal, Any], Awaitable[Reply]]

ANSWERS: Final[dict[type, Answer]] = {
    Quarantined: quarantined,
    ShowQuarantined: show_quarantined,
    FetchPicture: picture,
    DropQuarantined: drop_quarantined,
}
