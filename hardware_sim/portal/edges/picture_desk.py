"""Pictures that decided, asked of an edge one at a time and kept no longer than the edge itself would.

Only what was asked for is taken: parts of it come in any order, and count when all are there.
"""

import asyncio
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from gate_controller.errors import MalformedMessage, MessageRefused, PortalError
from hardware_sim.portal.edges.order_desk import OrderDesk
from hardware_sim.portal.journals.ingest import Ingest
from sync.codec import instant_text
from sync.database import Database
from sync.messages import PART_LEN_MAX, Address, PicturePart
from sync.orders import SendPicture
from sync.portal import Surroundings
from sync.signing import Refusal

KEPT_MAX: Final = timedelta(days=30)
"""Whatever the edge says."""
PARTS_WITHIN_S: Final = 30.0
"""For the parts, after the edge has said that it sends them."""


class Album:
    """The table of one open portal database; its methods run on the connection's thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, edge: str, ask: SendPicture, jpeg: bytes, erase_at: datetime) -> None:
        """Keep a picture."""
        values = (edge, ask.ledger, ask.seq, instant_text(erase_at), jpeg)
        self._db.execute("INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?, ?)", values)

    def get(self, edge: str, ask: SendPicture) -> bytes | None:
        """A picture that is kept."""
        found = self._db.execute(
            "SELECT jpeg FROM picture WHERE edge = ? AND ledger = ? AND seq = ?", (edge, ask.ledger, ask.seq)
        ).fetchone()
        return None if found is None else bytes(found[0])

    def erase(self, now: datetime) -> None:
        """Delete what is due."""
        self._db.execute("DELETE FROM picture WHERE erase_at <= ?", (instant_text(now.astimezone(UTC)),))


@dataclass(slots=True)
class _Coming:
    """A picture whose parts come in."""

    done: asyncio.Future[bytes]
    parts: dict[int, PicturePart] = field(default_factory=dict)


class PictureDesk:
    """The pictures of one portal. Everything may raise StoreError."""

    def __init__(self, database: Database, ingest: Ingest, orders: OrderDesk, around: Surroundings) -> None:
        self._database, self._album = database, Album(database.sql)
        self._ingest, self._orders, self._around = ingest, orders, around
        self._coming: dict[tuple[str, SendPicture], _Coming] = {}

    async def kept(self, edge: str, ask: SendPicture) -> bytes | None:
        """A picture that came before, and is not due to go."""
        await self.erase()
        return await self._database.run(self._album.get, edge, ask)

    async def fetch(self, edge: Address, nonce: str, ask: SendPicture) -> bytes | None:
        """Ask the edge; None when it says that it has none. Raises PortalError when not all of it comes."""
        coming = self._coming.setdefault((edge.edge, ask), _Coming(asyncio.get_running_loop().create_future()))
        try:
            if (await self._orders.give(edge, nonce, ask)).status == "refused":
                return None
            async with asyncio.timeout(PARTS_WITHIN_S):
                return await asyncio.shield(coming.done)
        except TimeoutError:
            raise PortalError(f"edge {edge.edge}: the picture of row {ask.seq} did not come whole") from None
        finally:
            self._coming.pop((edge.edge, ask), None)

    async def erase(self) -> None:
        """Delete what is due."""
        await self._database.write(self._album.erase, self._around.clock().wall)

    async def on_part(self, edge: Address, payload: bytes) -> None:
        """A part. Raises MessageRefused for one that is the edge's not, or that nobody waits for."""
        part = await self._ingest.opened(edge, PicturePart, payload, PART_LEN_MAX)
        ask = SendPicture(part.ledger, part.seq)
        coming = self._coming.get((edge.edge, ask))
        if coming is None or coming.done.done():
            raise MessageRefused(Refusal.UNASKED, f"{edge.edge} sends a picture of row {part.seq}")
        if part.part >= part.parts:
            raise MalformedMessage(f"PicturePart: part {part.part} of {part.parts}")
        coming.parts = {n: other for n, other in coming.parts.items() if other.parts == part.parts}
        coming.parts[part.part] = part
        if len(coming.parts) < part.parts:
            return
        jpeg = b"".join(coming.parts[number].data for number in sorted(coming.parts))
        erase_at = min(part.erase_at, self._around.clock().wall + KEPT_MAX)
        await self._database.write(self._album.put, edge.edge, ask, jpeg, erase_at)
        if not coming.done.done():
            coming.done.set_result(jpeg)
