"""A gate from its box to its last day: enrolled, at work over TLS, renewed as cars come, expired and at work."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge import clock, renewal
from edge.commands.enrol import enrol
from edge.config import load_config
from edge.daemon import serve
from gate_controller.errors import StoreError
from gate_controller.facts import BoomOpenedManually, Fact, Opened, VehicleArrived
from gate_controller.lane import Order
from hardware_sim.broker import free_port
from hardware_sim.peers import BadgeReaderPeer, BoardPeer
from hardware_sim.portal.edges.enrolment import Desk
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.trust.authority import CLIENT_LIVES
from sync.identity import TlsFiles, key_pem, new_key, signing_request, write_whole
from sync.mqtt import Backoff
from sync.onlooker import journal_of
from sync.orders import LaneOrder, SyncNow
from sync.portal import Surroundings
from tests.portal_desk import TlsMosquitto

ANNAS_BADGE = "000414CD7E"
SITE = """\
[site]
name = "North"
time_zone = "Europe/Amsterdam"
[boards.gate]
kind = "modbus_relay8"
port = "{folder}/board"
[readers.in]
kind = "rdm6300"
port = "{folder}/reader"
lane = "entry"
[lanes.entry]
direction = "in"
board = "gate"
inputs = {{ approach = 1, safety = 2, closed_limit = 4, open_limit = 5 }}
outputs = {{ open = 3 }}
"""


class Site:
    """A gate with its portal and a real broker between them."""

    def __init__(self, folder: Path, portal: Portal, broker: TlsMosquitto, desk: Desk) -> None:
        self.folder, self.portal, self.broker, self.desk = folder, portal, broker, desk
        self.contacts = {"approach": False, "safety": False, "far": False, "closed": True, "opened": False}
        self.board = BoardPeer(
            folder / "board",
            lambda: [*self.contacts.values(), False, False, False],
            flash=lambda *_: self.contacts.update(closed=False, opened=True),
        )
        self.reader = BadgeReaderPeer(folder / "reader")

    @property
    def tls(self) -> TlsFiles:
        tls = load_config(self.folder / "site.toml").tls()
        assert tls is not None
        return tls

    async def enrolled(self) -> None:
        invited = await self.portal.enrolment.register("gatehouse", "SB-2041")
        address, config = f"https://127.0.0.1:{self.desk.port}", self.folder / "site.toml"
        await asyncio.to_thread(enrol, config, address, "SB-2041", invited.code, invited.fingerprint)

    def put_certificate(self, begins: timedelta, name: str = "acme.north.gatehouse") -> None:
        """One that was made so long ago."""
        key = new_key()
        csr, then = signing_request(key, "x"), datetime.now(UTC) + begins
        pem, _ = self.portal.enrolment.authority.client(name, csr, then)
        write_whole(self.tls.cert, key_pem(key) + pem.encode())

    def facts(self, kind: type[Fact]) -> list[Fact]:
        with suppress(StoreError):
            return [fact for row in journal_of(self.folder / "slagboom.db") if isinstance(fact := row.fact(), kind)]
        return []

    async def anna_comes(self) -> None:
        """Her vehicle drives up, her badge opens, and she goes through."""
        before, arrived = len(self.facts(Opened)), len(self.facts(VehicleArrived))
        self.contacts["approach"] = True
        await until(lambda: len(self.facts(VehicleArrived)) > arrived)
        self.reader.present(ANNAS_BADGE)
        await until(lambda: len(self.facts(Opened)) > before)

    async def applied(self) -> None:
        async with asyncio.timeout(60):
            while await self.portal.applied() != (1, 1):
                await asyncio.sleep(0.05)

    async def online(self, wanted: bool = True) -> None:
        async with asyncio.timeout(60):
            while [seen.online for seen in await self.portal.edges()] != [wanted]:
                await asyncio.sleep(0.05)

    async def delivered(self) -> None:
        async with asyncio.timeout(60):
            while len(await self.portal.events()) < len(journal_of(self.folder / "slagboom.db")):
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(serve(load_config(self.folder / "site.toml")))
        try:
            done, _ = await asyncio.wait({task}, timeout=1.5)  # until the lane knows where its boom is
            for early in done:
                early.result()
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(true: Callable[[], object], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.05)


@pytest.fixture
async def site(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Site]:
    caplog.set_level(logging.INFO)
    around = Surroundings(clock.now, lambda: 0.0, lambda: secrets.token_hex(8))
    (tmp_path / "portal").mkdir()
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "site.toml").write_text(SITE.format(folder=tmp_path / "gate"))
    portal = await Portal.open(tmp_path / "portal" / "portal.db", "acme", "north", around)
    broker = TlsMosquitto(portal.enrolment.authority, tmp_path / "broker", ["gatehouse"])
    desk = Desk("127.0.0.1", free_port(), ["127.0.0.1"], "127.0.0.1", broker.port)
    broker.start()
    made, tls = Site(tmp_path / "gate", portal, broker, desk), portal.enrolment.portal_files()
    work = [
        asyncio.ensure_future(portal.enrolment.serve(desk)),
        asyncio.ensure_future(portal.serve("127.0.0.1", broker.port, Backoff(0.05, 0.2), tls)),
    ]
    try:
        with made.board, made.reader:
            await asyncio.sleep(0.3)
            await portal.add_user("anna", badges=[ANNAS_BADGE])
            await made.enrolled()
            yield made
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        broker.stop()
        await portal.close()


async def test_all_that_edge_and_portal_say_passes_the_access_list(site: Site) -> None:
    async with site.daemon():
        await site.applied()
        await site.anna_comes()
        assert (await site.portal.command("gatehouse", SyncNow())).status == "done"
        await site.portal.add_user("bert", plates=["B-NO 1234"])
        await site.applied()
        await site.portal.rotate_keys()
        await site.delivered()
    await site.online(False)


async def test_an_order_comes_through(site: Site) -> None:
    async with site.daemon():
        await site.applied()
        order = await site.portal.command("gatehouse", LaneOrder("entry", Order.OPEN, "joris", "ambulance"))
        assert order.status == "done"
        await until(lambda: site.facts(BoomOpenedManually))


async def test_it_is_renewed_while_a_car_comes_and_goes_on_with_the_new_one(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "LOOK_EVERY_S", 0.5)
    async with site.daemon():
        await site.applied()
        site.put_certificate(-CLIENT_LIVES * 0.7)
        old = site.tls.identity().ends
        async with asyncio.TaskGroup() as group:
            group.create_task(site.anna_comes())
            group.create_task(until(lambda: "renewed; it holds until" in caplog.text))
        assert site.tls.identity().ends - old > CLIENT_LIVES * 0.6
        await until(lambda: caplog.text.count(f"connected to broker 127.0.0.1:{site.broker.port}") == 2)
        await site.applied()
        await site.online()
        await site.delivered()
        assert (await site.portal.command("gatehouse", SyncNow())).status == "done"


async def test_an_expired_certificate_cuts_the_link_and_nothing_else(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.daemon():
        await site.applied()
    await site.online(False)
    site.put_certificate(-CLIENT_LIVES - timedelta(days=1))
    async with site.daemon():
        await site.anna_comes()
        assert len(site.board.flashes) == 1
        assert caplog.text.count("the gate works on without its portal") == 1
        assert "certificate expired" in caplog.text
        assert [seen.online for seen in await site.portal.edges()] == [False]
        # A new code and the same command: the running daemon is back without being started again.
        await site.enrolled()
        await site.online()
        await site.delivered()


@pytest.mark.parametrize("ruin", ["gone", "junk", "not yet", "another's"])
async def test_whatever_is_wrong_with_the_certificate_the_gate_works(site: Site, ruin: str) -> None:
    async with site.daemon():
        await site.applied()
    await site.online(False)
    match ruin:
        case "gone":
            site.tls.cert.unlink()
        case "junk":
            site.tls.cert.write_text("junk")
        case "not yet":
            site.put_certificate(timedelta(days=1))
        case _:
            site.put_certificate(timedelta(), "acme.north.other")
    async with site.daemon():
        await site.anna_comes()
        assert len(site.board.flashes) == 1
        assert [seen.online for seen in await site.portal.edges()] == [False]
