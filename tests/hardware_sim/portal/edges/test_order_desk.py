"""Orders to edges: numbered, for one start of one edge's program, answered by that edge or by nobody."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.errors import MessageRefused, PortalError
from gate_controller.moment import Moment
from hardware_sim.portal.edges import order_desk
from hardware_sim.portal.edges.books import Books
from hardware_sim.portal.edges.order_desk import OrderDesk
from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.journals.ingest import Ingest
from hardware_sim.portal.journals.ledgers import Ledgers
from hardware_sim.portal.journals.metering import Load
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import Address, Cmd, CmdResult
from sync.orders import SyncNow
from sync.portal import Surroundings
from sync.signing import Signer

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
EDGE, OTHER = Address("t", "s", "g"), Address("t", "s", "h")
DEVICE, THIEF = Signer.of(b"\7" * 32), Signer.of(b"\6" * 32)


class Desk:
    """A desk, and the orders that it sent."""

    def __init__(self, database: Database, books: Books, ingest: Ingest) -> None:
        self.sent: asyncio.Queue[Cmd] = asyncio.Queue()
        self.desk = OrderDesk(database, books, ingest, NOW, lambda _, order: self.sent.put_nowait(order))

    async def hears(self, cmd_id: str, edge: Address = EDGE, by: Signer = DEVICE) -> None:
        result = CmdResult(aud=edge.audience, cmd_id=cmd_id, status="done", detail="under way")
        await self.desk.on_result(edge, by.sign(result))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = await Database.open(tmp_path / "portal.db", PORTAL)
    ledgers, keys = Ledgers(database.sql), PortalKeys.open(tmp_path / "keys", "t/s", T0)
    books = await database.write(lambda: Books(database.sql, "e", T0))
    for edge in (EDGE, OTHER):
        await database.write(ledgers.put_key, edge.edge, DEVICE.public)
    yield Desk(database, books, Ingest(database, ledgers, keys, lambda: T0, Load()))
    await database.close()


async def test_an_order_is_answered_by_the_edge_that_was_asked_and_nobody_else(desk: Desk) -> None:
    given = asyncio.ensure_future(desk.desk.give(EDGE, "boot", SyncNow()))
    order = await desk.sent.get()
    assert (order.aud, order.nonce) == ("t/s/g", "boot")
    wrong = [
        (desk.hears(order.cmd_id, by=THIEF), "unknown_key"),
        (desk.hears(order.cmd_id, OTHER), "unasked"),
        (desk.hears("another"), "unasked"),
    ]
    for answer, reason in wrong:
        with pytest.raises(MessageRefused, match=reason):
            await answer
    assert not given.done()
    await desk.hears(order.cmd_id)
    assert (await given).detail == "under way"
    with pytest.raises(MessageRefused, match="unasked"):
        await desk.hears(order.cmd_id)


async def test_orders_are_numbered_upwards_and_silence_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_desk, "ANSWER_WITHIN_S", 0.05)
    for _ in range(2):
        with pytest.raises(PortalError, match="edge g did not answer"):
            await desk.desk.give(EDGE, "boot", SyncNow())
    first, second = desk.sent.get_nowait(), desk.sent.get_nowait()
    assert second.cseq > first.cseq
    with pytest.raises(MessageRefused, match="unasked"):
        await desk.hears(first.cmd_id)
