"""Events into a portal's books as they come from an edge: encoded, batched and ingested, maybe more than once."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, Matched
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import Ledgers
from sync.codec import encode_fact
from sync.messages import Event, EventBatch

ENTRY = LaneId("entry")


def granted(hold: str = "h-1", direction: Direction = Direction.IN, **more: str) -> Granted:
    """A grant of Anna, whose plate is nobody else's business."""
    told = {"user_id": "u-1", "external_id": "A-17", "plate": "98THD4"} | more
    basis = Basis("e", 1, Matched.EXACT, as_read="98-THD-4", as_matched="98THD4")
    return Granted(ENTRY, direction, HoldId(hold), basis=basis, **told)  # type: ignore[arg-type]


async def arrives(
    house: House,
    *facts: Fact,
    at: datetime | None = None,
    first: int = 1,
    edge: str = "gatehouse",
    ledger: str = "L",
) -> None:
    """These facts come as rows from `first` on of an edge's ledger, all at one time."""
    events = [_event(first + index, at or house.now(), fact) for index, fact in enumerate(facts)]
    await ingested(house, events, edge, ledger)


async def ingested(house: House, events: Sequence[Event], edge: str = "gatehouse", ledger: str = "L") -> None:
    """A batch of rows comes."""
    batch = EventBatch(
        aud=f"acme/north/{edge}",
        conn=1,
        ledger=ledger,
        first=events[0].seq,
        last=events[-1].seq,
        events=[*events],
    )
    ledgers = Ledgers(house.portal.database.sql)
    await house.write(ledgers.ingest, edge, batch, [*events], house.now())


def _event(seq: int, at: datetime, fact: Fact) -> Event:
    told = encode_fact(fact)
    return Event(seq=seq, at=at, kind=told.kind, body=msgspec.Raw(told.body), personal=told.personal)
