"""Orders that stay: a lane switched off and on, a user void before the list comes; over restarts, and once each."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge import clock, standing
from edge.config import Config, load_config
from edge.control import ask, socket_of
from edge.standing import StandingOrders
from gate_controller.facts import Fact, LaneId, LaneSwitched, Opened, Refused, Revoked
from gate_controller.reasons import Reason
from gate_controller.site import Site
from hardware_sim.portal.edges.revocation import revoke
from hardware_sim.portal.edges.service import Portal
from sync.device_key import device_key
from sync.messages import Address
from sync.mqtt import Backoff, Connection, Endpoint, connect
from sync.orders import Revoke, SwitchLane
from sync.portal import Surroundings
from tests.edge.test_daemon import ANNAS_BADGE, SITE, Gate, journal, running
from tests.sync.samples import open_store

OFF, ON = (SwitchLane("entry", active, "joris", "rebuilt") for active in (False, True))
REVOKE = Revoke("u-1", "anna", "", "e", 7, "joris", "badge lost")
HER_OTHER = "000414CD7F"
"""A reader does not tell again at once of a badge that is merely held there."""
AGAIN_AFTER_LOOKS = 10


@asynccontextmanager
async def orders(folder: Path, text: str = SITE) -> AsyncIterator[tuple[StandingOrders, Site, Config]]:
    """The standing orders of an edge with these settings, and a site that knows nothing of them."""
    (folder / "site.toml").write_text(text)
    (folder / "list.csv").touch()
    config, store = load_config(folder / "site.toml"), await open_store(folder / "slagboom.db")
    try:
        await store.replace_list("e", 6, [])
        kept = StandingOrders(config, store)
        await kept.load()
        yield kept, Site(await store.allowlist(), ZoneInfo("UTC")), config
    finally:
        await store.close()


async def test_what_was_ordered_is_in_force_after_a_restart_until_somebody_knows_better(tmp_path: Path) -> None:
    async with orders(tmp_path) as (kept, site, _):
        assert kept.in_force(site) == site
        assert await kept.keep(OFF, "e") == LaneSwitched(LaneId("entry"), False, "joris", "rebuilt")
        await kept.keep(REVOKE, "e")
    async with orders(tmp_path) as (kept, site, _):
        assert kept.in_force(site).inactive == {"entry"}
        assert kept.in_force(site).is_void("u-1")
        await kept.forget(site)
        assert kept.in_force(site).is_void("u-1"), "the list does not say so yet"
        newer = replace(site, allowlist=site.allowlist.apply([], 7))
        assert not kept.in_force(newer).is_void("u-1")
        await kept.forget(newer)
    changed = SITE.replace('direction = "in"\n', 'direction = "in"\nactive = false\n')
    async with orders(tmp_path, changed) as (kept, site, _):
        assert kept.in_force(site).voids == frozenset()
        assert kept.in_force(site).inactive == {"entry"}, "by its settings"
    async with orders(tmp_path) as (kept, site, _):
        assert kept.in_force(site).inactive == frozenset(), "the settings spoke last, and say so again"


async def test_an_order_locks_nobody_in(tmp_path: Path) -> None:
    for direction in ("out", "both"):
        text = SITE.replace('direction = "in"', f'direction = "{direction}"')
        async with orders(tmp_path, text) as (kept, _, _):
            assert "lets vehicles out" in kept.refusal(OFF)
            assert kept.refusal(ON) == ""
    async with orders(tmp_path) as (kept, _, _):
        assert kept.refusal(OFF) == ""
        assert kept.refusal(SwitchLane("side", True, "joris", "x")) == "no lane side; there are entry"


async def test_so_many_may_be_void_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "VOIDS_LEN_MAX", 1)
    async with orders(tmp_path) as (kept, _, _):
        assert kept.refusal(REVOKE) == ""
        await kept.keep(REVOKE, "e")
        assert kept.refusal(REVOKE) == "", "the same again takes no more room"
        assert "let the list come first" in kept.refusal(Revoke("u-2", "bert", "", "e", 7, "joris", "x"))


# ---- through the daemon ----


class House:
    """A gate, its portal, and Anna, who stands at the loop."""

    def __init__(self, folder: Path, portal: Portal) -> None:
        self.portal, self.gate = portal, Gate(folder)
        self.badges = cycle([ANNAS_BADGE, HER_OTHER])
        self.gate.contacts["approach"] = True

    async def ready(self) -> None:
        """Until the daemon is there and has the list."""
        async with asyncio.timeout(60):
            while await self.portal.applied() != (1, 1) or not (await self.portal.edges())[0].online:
                await asyncio.sleep(0.05)

    async def _shows_badge(self, shown: Callable[[], object]) -> None:
        """Anna holds one of her badges to the reader, then the other, until the gate has shown something."""
        async with asyncio.timeout(60):
            while not shown():
                self.gate.reader.present(next(self.badges))
                for _ in range(AGAIN_AFTER_LOOKS):
                    if shown():
                        break
                    await asyncio.sleep(0.05)

    async def refused(self) -> Reason:
        before = len(self._refusals())
        await self._shows_badge(lambda: len(self._refusals()) > before)
        assert not self.gate.board.flashes
        return self._refusals()[-1].reason

    async def let_in(self) -> None:
        await self._shows_badge(lambda: any(isinstance(fact, Opened) for fact in self._facts()))

    def _refusals(self) -> list[Refused]:
        found = [fact for fact in self._facts() if isinstance(fact, Refused)]
        return [fact for fact in found if fact.reason is not Reason.NO_PRESENCE]

    def _facts(self) -> list[Fact]:
        return journal(self.gate.folder / "slagboom.db")


@pytest.fixture
async def house(tmp_path: Path, mosquitto: Any) -> AsyncIterator[House]:
    around = Surroundings(clock.now, lambda: 0.5, lambda: secrets.token_hex(8))
    portal = await Portal.open(tmp_path / "portal.db", "default", "site", around)
    await portal.register("edge", device_key(tmp_path).public)
    await portal.add_user("anna", badges=[ANNAS_BADGE, HER_OTHER])
    link = f'[portal]\nhost = "127.0.0.1"\nport = {mosquitto.port}\nroot_key = "{portal.keys.root_key.hex()}"'
    (tmp_path / "site.toml").write_text(SITE.replace('[list]\nfile = "list.csv"', link))
    made = House(tmp_path, portal)
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, Backoff(0.05, 0.2)))
    with made.gate.board, made.gate.reader, made.gate.scanner:
        yield made
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await portal.close()


async def heard(listener: Connection) -> bytes:
    async with asyncio.timeout(60):
        return (await anext(listener.incoming())).payload


async def test_a_lane_is_switched_off_and_on_over_restarts_and_each_order_counts_once(
    house: House, mosquitto: Any
) -> None:
    topic = Address("default", "site", "edge").topic("cmd")
    endpoint = Endpoint("127.0.0.1", mosquitto.port, "listener")
    async with connect(endpoint, None, [topic]) as listener:
        async with running(house.gate):
            await house.ready()
            done = await house.portal.command("edge", OFF)
            assert (done.status, done.detail) == ("done", "entry: switched off by joris: rebuilt")
            off = await heard(listener)
            assert await house.refused() is Reason.DEVICE_INACTIVE
        async with running(house.gate) as config:
            await house.ready()
            assert await house.refused() is Reason.DEVICE_INACTIVE
            answer = await asyncio.to_thread(ask, socket_of(config.path(config.store.path)), ON)
            assert answer.done
            # The first order once more, and one that the broker keeps: neither does anything.
            listener.publish(topic, off)
            listener.publish(topic, off, retain=True)
            assert (await house.portal.command("edge", SwitchLane("attic", True, "joris", "x"))).status == "refused"
            await house.let_in()
            switched = await house.gate.facts(LaneSwitched, 2)
            assert [fact.active for fact in switched if isinstance(fact, LaneSwitched)] == [False, True]


async def test_a_user_is_void_before_the_list_comes_and_until_it_does(house: House) -> None:
    listed = house.portal.allowlist
    anna = house.portal.user("anna").id
    before = Revoke(anna, "anna", "", listed.epoch, listed.revision + 1, "joris", "badge lost")
    async with running(house.gate):
        await house.ready()
        assert (await house.portal.command("edge", before)).status == "done"
        assert await house.refused() is Reason.USER_INACTIVE
        (fact,) = await house.gate.facts(Revoked)
        assert fact == Revoked(anna, "anna", "", "joris", "badge lost")
    async with running(house.gate):
        assert await house.refused() is Reason.USER_INACTIVE
        await house.ready()
        await house.portal.add_user("bert")
        await house.ready()
        await house.let_in()


async def test_the_portal_revokes_in_the_list_and_by_order_at_once(house: House) -> None:
    async with running(house.gate):
        await house.ready()
        house.badges = cycle([ANNAS_BADGE])
        assert await revoke(house.portal, "anna", ANNAS_BADGE, "joris", "badge lost") == ["edge"]
        assert await house.refused() is Reason.CREDENTIAL_REVOKED
        (fact,) = await house.gate.facts(Revoked)
        assert isinstance(fact, Revoked)
        assert fact.credential == ANNAS_BADGE
    async with asyncio.timeout(60):
        while (await house.portal.edges())[0].online:
            await asyncio.sleep(0.05)
    revision = house.portal.allowlist.revision
    assert not await revoke(house.portal, "anna", "", "joris", "left the company"), "nobody is there to be ordered"
    assert house.portal.allowlist.revision == revision + 1
    assert not house.portal.user("anna").active
