"""Pictures asked of an edge: whole or not at all, only what was asked for, and no longer than there."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import MalformedMessage, MessageRefused, PortalError
from gate_controller.moment import Moment
from hardware_sim.portal.edges import picture_desk
from hardware_sim.portal.edges.books import Books
from hardware_sim.portal.edges.order_desk import OrderDesk
from hardware_sim.portal.edges.picture_desk import KEPT_MAX, PictureDesk
from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.journals.ingest import Ingest
from hardware_sim.portal.journals.ledgers import Ledgers
from hardware_sim.portal.journals.metering import Load
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import Address, Cmd, CmdResult, PicturePart
from sync.orders import SendPicture
from sync.portal import Surroundings
from sync.signing import Signer

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
EDGE = Address("t", "s", "g")
DEVICE = Signer.of(b"\7" * 32)
ASK = SendPicture("L", 7)


class Desk:
    """A desk whose edge answers each order as it is told to, and a clock."""

    def __init__(self, database: Database, books: Books, ingest: Ingest) -> None:
        self.now, self.status, self.orders = T0, "done", 0
        around = Surroundings(lambda: Moment(self.now, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
        self._order_desk = OrderDesk(database, books, ingest, around, self._answer)
        self.pictures = PictureDesk(database, ingest, self._order_desk, around)
        self.answers: set[asyncio.Future[None]] = set()

    def _answer(self, edge: Address, order: Cmd) -> None:
        self.orders += 1
        result = CmdResult(aud=edge.audience, cmd_id=order.cmd_id, status=self.status, detail="")  # type: ignore[arg-type]
        self.answers.add(asyncio.ensure_future(self._order_desk.on_result(edge, DEVICE.sign(result))))

    async def gets(self, part: int, parts: int, data: bytes, **other: Any) -> None:
        fields = {"aud": EDGE.audience, "ledger": "L", "seq": 7, "erase_at": T0 + timedelta(days=2)} | other
        await self.pictures.on_part(EDGE, DEVICE.sign(PicturePart(part=part, parts=parts, data=data, **fields)))

    async def asked(self) -> asyncio.Future[bytes | None]:
        fetched = asyncio.ensure_future(self.pictures.fetch(EDGE, "boot", ASK))
        while not self.answers or not all(answer.done() for answer in self.answers):
            await asyncio.sleep(0.001)
        return fetched


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = await Database.open(tmp_path / "portal.db", PORTAL)
    ledgers, keys = Ledgers(database.sql), PortalKeys.open(tmp_path / "keys", "t/s", T0)
    books = await database.write(lambda: Books(database.sql, "e", T0))
    await database.write(ledgers.put_key, "g", DEVICE.public)
    yield Desk(database, books, Ingest(database, ledgers, keys, lambda: T0, Load()))
    await database.close()


async def test_parts_in_any_order_and_twice_make_one_picture(desk: Desk) -> None:
    fetched = await desk.asked()
    for part, data in ((2, b"c"), (0, b"a"), (2, b"c"), (1, b"b")):
        await desk.gets(part, 3, data)
    assert await fetched == b"abc"
    assert await desk.pictures.kept("g", ASK) == b"abc"
    assert await desk.pictures.kept("other", ASK) is None


async def test_it_is_kept_as_long_as_at_the_edge_and_not_longer_than_a_month(desk: Desk) -> None:
    for erase_at, kept in ((T0 + timedelta(days=2), timedelta(days=2)), (T0 + 9 * KEPT_MAX, KEPT_MAX)):
        desk.now = T0
        fetched = await desk.asked()
        await desk.gets(0, 1, b"a", erase_at=erase_at)
        assert await fetched == b"a"
        desk.now = T0 + kept - timedelta(seconds=1)
        assert await desk.pictures.kept("g", ASK) == b"a"
        desk.now = T0 + kept
        assert await desk.pictures.kept("g", ASK) is None


async def test_an_edge_that_has_none_says_so(desk: Desk) -> None:
    desk.status = "refused"
    assert await desk.pictures.fetch(EDGE, "boot", ASK) is None


async def test_what_nobody_asked_for_is_not_taken(desk: Desk) -> None:
    with pytest.raises(MessageRefused, match="unasked"):
        await desk.gets(0, 1, b"a")
    fetched = await desk.asked()
    with pytest.raises(MessageRefused, match="unasked"):
        await desk.gets(0, 1, b"a", seq=8)
    with pytest.raises(MalformedMessage, match="part 3 of 3"):
        await desk.gets(3, 3, b"a")
    await desk.gets(0, 1, b"a")
    await fetched
    with pytest.raises(MessageRefused, match="unasked"):
        await desk.gets(0, 1, b"a")


async def test_a_picture_of_which_a_part_is_lost_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_desk, "PARTS_WITHIN_S", 0.1)
    fetched = await desk.asked()
    await desk.gets(0, 2, b"a")
    with pytest.raises(PortalError, match="did not come whole"):
        await fetched
    assert await desk.pictures.kept("g", ASK) is None
