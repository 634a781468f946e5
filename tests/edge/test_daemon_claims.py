"""Two edges of one site, their portal and a real broker: one user, two cars, one place."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.config import LaneTable
from gate_controller.conflicts import Conflict, Kind, Resolution
from gate_controller.errors import BadInput
from gate_controller.facts import (
    Claimed,
    Closed,
    HoldReleased,
    Opened,
    Refused,
    Released,
    SessionClosed,
    Unarbitrated,
)
from gate_controller.reasons import Reason
from hardware_sim.portal.edges.service import Portal
from sync import claims
from sync.device_key import device_key
from sync.mqtt import Backoff
from sync.portal import Surroundings
from tests.edge.test_daemon import SITE, Gate, journal, running

ANSWERED_WITHIN_S = 5.0
"""In place of the lane's 0.3 s: here it matters what the portal answers, not how busy the machine is."""
FIRST, SECOND = "000414CD7E", "000414CD7F"
QUICK = Backoff(0.05, 0.2)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lane waits for the portal's answer longer than a busy machine pauses."""
    setup = LaneTable.setup
    monkeypatch.setattr(
        LaneTable, "setup", lambda table, name: replace(setup(table, name), claim_within_s=ANSWERED_WITHIN_S)
    )
    monkeypatch.setattr(claims, "ASK_WITHIN_S", ANSWERED_WITHIN_S)


class Town:
    """A portal that can be switched off, and two gates."""

    def __init__(self, folder: Path, portal: Portal, port: int) -> None:
        self.folder, self.portal, self.port = folder, portal, port
        self.gates: dict[str, Gate] = {}
        self._serving: asyncio.Future[None] | None = None

    def open_portal(self) -> None:
        self._serving = asyncio.ensure_future(self.portal.serve("127.0.0.1", self.port, QUICK))

    async def close_portal(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
            self._serving = None

    async def conflicts(self, count: int) -> list[Conflict]:
        async with asyncio.timeout(60):
            while len(found := await self.portal.places.conflicts()) < count:
                await asyncio.sleep(0.05)
        return found

    async def all_told(self) -> None:
        """Until the portal has every row of every journal."""
        async with asyncio.timeout(60):
            while any(edge.received < self._rows(edge.name) for edge in await self.portal.edges()):
                await asyncio.sleep(0.05)

    def _rows(self, edge: str) -> int:
        return len(journal(self.gates[edge].folder / "slagboom.db"))

    async def refused(self, gate: Gate) -> Refused:
        async with asyncio.timeout(60):
            while not (found := turned_away(gate)):
                await asyncio.sleep(0.05)
        (fact,) = found
        return fact


@asynccontextmanager
async def a_town(
    folder: Path, port: int, policy: str = "grant_and_report", more: tuple[str, ...] = ()
) -> AsyncIterator[Town]:
    """Entries at the edges east and west; an exit at each of `more`."""
    around = Surroundings(clock.now, lambda: 0.5, lambda: secrets.token_hex(8))
    portal = await Portal.open(folder / "portal.db", "default", "site", around)
    town = Town(folder, portal, port)
    town.open_portal()
    await portal.add_user("anna", badges=[FIRST, SECOND])
    async with AsyncExitStack() as stack:
        for name in ("east", "west", *more):
            home = folder / name
            home.mkdir()
            link = (
                f'[portal]\nhost = "127.0.0.1"\nport = {port}\nedge = "{name}"\n'
                f'root_key = "{portal.keys.root_key.hex()}"'
            )
            text = SITE.format(folder=home).replace('[list]\nfile = "list.csv"', link)
            text = text.replace("[portal]", f'claims = "{policy}"\n[portal]', 1)
            if name in more:
                text = text.replace('direction = "in"', 'direction = "out"')
            (home / "site.toml").write_text(text)
            await portal.register(name, device_key(home).public)
            gate = town.gates[name] = Gate(home)
            for device in (gate.board, gate.reader, gate.scanner):
                stack.enter_context(device)
            await stack.enter_async_context(running(gate))
        async with asyncio.timeout(60):
            while await portal.applied() != (len(town.gates),) * 2:
                await asyncio.sleep(0.05)
        for gate in town.gates.values():
            await gate.ready()
        try:
            yield town
        finally:
            await town.close_portal()
    await portal.close()


async def test_two_cars_at_the_same_second_one_gets_in_and_one_is_told_why(tmp_path: Path, mosquitto: Any) -> None:
    async with a_town(tmp_path, mosquitto.port) as town:
        east, west = town.gates.values()
        await asyncio.gather(east.drives_up(), west.drives_up())
        east.reader.present(FIRST)
        west.reader.present(SECOND)
        winner, loser = await won_and_lost(east, west)
        await winner.facts(Opened)
        refused = await town.refused(loser)
        assert (refused.reason, refused.holder) == (Reason.ALREADY_INSIDE, winner.folder.name)
        assert [f.why for f in await loser.facts(HoldReleased) if isinstance(f, HoldReleased)] == [
            Released.HELD_ELSEWHERE
        ]
        await winner.facts(Claimed)
        assert not loser.board.flashes
        await winner.passes()
        await town.all_told()
        assert not await town.portal.places.conflicts()


async def test_without_the_portal_both_get_in_and_one_record_tells_of_it(tmp_path: Path, mosquitto: Any) -> None:
    async with a_town(tmp_path, mosquitto.port) as town:
        east, west = town.gates.values()
        await east.drives_up()
        east.reader.present(FIRST)
        await east.facts(Claimed)
        await east.passes()
        await town.all_told()
        await town.close_portal()
        await west.drives_up()
        west.reader.present(SECOND)
        (mark,) = await west.facts(Unarbitrated)
        assert isinstance(mark, Unarbitrated)
        assert mark.why == "no answer in time"
        await west.facts(Opened)
        await west.passes()
        town.open_portal()
        (found,) = await town.conflicts(1)
        await town.all_told()
        assert await town.portal.places.conflicts() == [found]
        assert found.kind is Kind.ENTRY_WHILE_IN
        assert [claim.id.edge for claim in found.claims] == ["east", "west"]
        assert found.surplus is not None
        assert found.surplus.startswith("west/")
        await town.portal.places.settle(found.id, Resolution.PARDON)
        assert [record.resolution for record in await town.portal.places.conflicts()] == [Resolution.PARDON]
        with pytest.raises(BadInput, match="no conflict"):
            await town.portal.places.settle("east/L/1", Resolution.PARDON)


async def test_who_leaves_through_another_edge_may_come_back_through_the_first(
    tmp_path: Path, mosquitto: Any
) -> None:
    async with a_town(tmp_path, mosquitto.port, more=("south",)) as town:
        east, south = town.gates["east"], town.gates["south"]
        await east.drives_up()
        east.reader.present(FIRST)
        await east.facts(Opened)
        await east.passes()
        await south.drives_up()
        south.reader.present(FIRST)
        await south.facts(Opened)
        await south.passes()
        (closed,) = await east.facts(SessionClosed)
        assert isinstance(closed, SessionClosed)
        assert closed.why is Closed.LEFT_ELSEWHERE
        await east.seen(0.7)
        await east.drives_up()
        east.reader.present(SECOND)
        await east.facts(Claimed, 2)
        await east.facts(Opened, 2)
        await town.all_told()
        assert not await town.portal.places.conflicts()


async def test_a_broker_that_is_away_costs_the_driver_no_time(tmp_path: Path, mosquitto: Any) -> None:
    async with a_town(tmp_path, mosquitto.port) as town:
        east = town.gates["east"]
        mosquitto.kill()
        await asyncio.sleep(0.5)
        await east.drives_up()
        east.reader.present(FIRST)
        (mark,) = await east.facts(Unarbitrated)
        assert isinstance(mark, Unarbitrated)
        assert mark.why == "no connection to the portal"
        await east.facts(Opened)


async def test_the_policy_to_deny_keeps_the_boom_down(tmp_path: Path, mosquitto: Any) -> None:
    async with a_town(tmp_path, mosquitto.port, "deny") as town:
        east = town.gates["east"]
        await town.close_portal()
        await east.drives_up()
        east.reader.present(FIRST)
        assert (await town.refused(east)).reason is Reason.PORTAL_UNREACHABLE
        assert not east.board.flashes


async def won_and_lost(one: Gate, other: Gate) -> tuple[Gate, Gate]:
    """The gate that opens, and the one that refuses."""
    async with asyncio.timeout(60):
        while True:
            for won, lost in ((one, other), (other, one)):
                if turned_away(lost):
                    return won, lost
            await asyncio.sleep(0.05)


def turned_away(gate: Gate) -> list[Refused]:
    """Refusals of somebody known; before its badge, a vehicle without a plate may be refused as unreadable."""
    facts = journal(gate.folder / "slagboom.db")
    return [fact for fact in facts if isinstance(fact, Refused) and fact.user_id is not None]
