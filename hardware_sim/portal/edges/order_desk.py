"""Orders to edges: signed, for now, numbered upwards, and each answered by the edge that was asked or by nobody."""

import asyncio
from collections.abc import Callable
from typing import Final

from gate_controller.errors import MessageRefused, PortalError
from hardware_sim.portal.edges.books import Books
from hardware_sim.portal.journals.ingest import Ingest
from sync.database import Database
from sync.messages import ORDER_LIVES, Address, Cmd, CmdResult
from sync.orders import Request, SendPicture, SyncNow
from sync.portal import Surroundings
from sync.signing import Refusal

ANSWER_WITHIN_S: Final = 12.0
"""An order is void after 10 s; an answer may take a little longer."""

Publish = Callable[[Address, Cmd], None]


class OrderDesk:
    """The orders of one portal that wait for their answer. `publish` sends one, or loses it with the connection."""

    def __init__(
        self, database: Database, books: Books, ingest: Ingest, around: Surroundings, publish: Publish
    ) -> None:
        self._database, self._books, self._ingest = database, books, ingest
        self._around, self._publish = around, publish
        self._asked: dict[tuple[str, str], asyncio.Future[CmdResult]] = {}

    async def give(self, edge: Address, nonce: str, ask: Request | SyncNow | SendPicture) -> CmdResult:
        """Give an order to the start of an edge's program that this nonce names; what became of it.

        Raises PortalError when it says nothing in time.
        """
        now = self._around.clock().wall
        cmd = Cmd(
            aud=edge.audience,
            iat=now,
            exp=now + ORDER_LIVES,
            cmd_id=self._around.new_id(),
            cseq=await self._database.write(self._books.next_cseq, now),
            nonce=nonce,
            ask=ask,
        )
        answered: asyncio.Future[CmdResult] = asyncio.get_running_loop().create_future()
        self._asked[edge.edge, cmd.cmd_id] = answered
        try:
            self._publish(edge, cmd)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await answered
        except TimeoutError:
            raise PortalError(
                f"edge {edge.edge} did not answer; whether it did it, its journal will tell"
            ) from None
        finally:
            del self._asked[edge.edge, cmd.cmd_id]

    async def on_result(self, edge: Address, payload: bytes) -> None:
        """An edge's answer. Raises MessageRefused for one that nobody waits for."""
        result = await self._ingest.opened(edge, CmdResult, payload)
        answered = self._asked.get((edge.edge, result.cmd_id))
        if answered is None or answered.done():
            raise MessageRefused(Refusal.UNASKED, f"{edge.edge} answers {result.cmd_id}")
        answered.set_result(result)
