"""Pictures that decided, on their way to the portal: one at a time, because it asked, and while they are kept here.

Where they lie and for how long is the daemon's business; it is asked by the name that a row of the journal gives.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gate_controller.facts import Granted, Refused
from sync.messages import PICTURE_PARTS_MAX, Address, PicturePart
from sync.orders import Answer, SendPicture
from sync.store import Store

DATA_LEN_MAX: Final = 44 * 1024
"""Bytes of a picture in one part; as text in its envelope they fit into `PART_LEN_MAX`."""
PICTURE_LEN_MAX: Final = PICTURE_PARTS_MAX * DATA_LEN_MAX


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, and when it must be deleted."""

    jpeg: bytes
    erase_at: datetime


FindPicture = Callable[[str], Awaitable[Picture | None]]
"""Gives the picture of this name; None once it is gone."""


async def no_picture(_: str) -> Picture | None:
    """For an edge that keeps none."""
    return None


async def picture_of(store: Store, ask: SendPicture, find: FindPicture) -> Picture | Answer:
    """The picture asked for, or why there is none. Raises StoreError."""
    if ask.ledger != store.ledger and ask.seq > store.ledger_after:
        return Answer(False, f"ledger {ask.ledger} has no row {ask.seq} here")
    rows = await store.rows(ask.seq - 1, 1)
    fact = rows[0].fact() if rows else None
    if not isinstance(fact, Granted | Refused):
        return Answer(False, f"row {ask.seq} is no decision" if rows else f"there is no row {ask.seq}")
    picture = await find(fact.basis.evidence) if fact.basis.evidence is not None else None
    if picture is None or not picture.jpeg:
        return Answer(False, f"row {ask.seq} has no picture, or none any more")
    if len(picture.jpeg) > PICTURE_LEN_MAX:
        return Answer(False, f"the picture has {len(picture.jpeg)} bytes; at most {PICTURE_LEN_MAX} can be sent")
    return picture


def parts_of(picture: Picture, ask: SendPicture, address: Address) -> Iterator[PicturePart]:
    """The picture as it is sent."""
    cut = [picture.jpeg[at : at + DATA_LEN_MAX] for at in range(0, len(picture.jpeg), DATA_LEN_MAX)]
    for number, data in enumerate(cut):
        yield PicturePart(
            aud=address.audience,
            ledger=ask.ledger,
            seq=ask.seq,
            part=number,
            parts=len(cut),
            erase_at=picture.erase_at,
            data=data,
        )
