"""Questions for a place over a real broker: answered once on disk, signed, and nonsense refused."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate_controller.conflicts import Resolution
from gate_controller.errors import BadInput
from gate_controller.moment import Moment
from hardware_sim.portal.edges.claim_desk import ClaimDesk
from hardware_sim.portal.edges.service import Portal
from sync.messages import Address, Claim, ClaimReply
from sync.mqtt import Backoff, Connection, Endpoint, connect
from sync.portal import Surroundings
from sync.signing import KeyRing, KeySet, Signer, verify
from tests.sync.portal_side import DEVICE, THIEF

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
QUICK = Backoff(0.05, 0.2)
EAST, WEST = Address("t", "s", "east"), Address("t", "s", "west")


@asynccontextmanager
async def a_site(folder: Path, port: int) -> AsyncIterator[tuple[Portal, Connection]]:
    """A portal at work, and a connection that hears what both edges would."""
    portal = await Portal.open(folder / "portal.db", "t", "s", NOW)
    for edge in (EAST, WEST):
        await portal.register(edge.edge, DEVICE.public)
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", port, QUICK))
    topics = [EAST.topic("claim/r"), WEST.topic("claim/r")]
    try:
        async with connect(Endpoint("127.0.0.1", port, "edges"), None, topics) as edges:
            await asyncio.sleep(0.3)
            yield portal, edges
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await portal.close()


def question(edge: Address, hold: str, by: Signer = DEVICE) -> bytes:
    return by.sign(Claim(aud=edge.audience, claim_id=hold, action="enter", user="u-ann", at=T0))


async def answer(portal: Portal, edges: Connection, edge: Address, hold: str) -> ClaimReply:
    edges.publish(edge.topic("claim"), question(edge, hold))
    async with asyncio.timeout(60):
        heard = await anext(edges.incoming())
    heard.ack()
    assert heard.topic == edge.topic("claim/r")
    _, keys = verify(portal.keys.keyset, KeySet, "t/s", KeyRing.of_root(portal.keys.root_key), 4096)
    return verify(heard.payload, ClaimReply, edge.audience, KeyRing.of_set(keys), 4096)[1]


async def test_one_gets_the_place_and_the_other_learns_who_has_it(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, edges):
        first = await answer(portal, edges, EAST, "in-1")
        assert first.fence is not None
        again = await answer(portal, edges, EAST, "in-1")
        assert again.fence == first.fence
        other = await answer(portal, edges, WEST, "in-1")
        assert (other.fence, other.holder) == (None, "east")


async def test_nonsense_and_foreign_words_are_counted_and_nothing_stops(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, edges):
        good = question(EAST, "in-1")
        nonsense = [b"", b"{", b"\xff\xfe", good[:-3], b"[" * 5000, question(EAST, "x" * 65)]
        nonsense += [question(EAST, "in-1", THIEF), question(WEST, "in-1"), good.replace(b"in-1", b"in-2")]
        for payload in nonsense:
            edges.publish(EAST.topic("claim"), payload)
        assert (await answer(portal, edges, EAST, "in-1")).fence is not None
        assert portal.refused.total() == len(nonsense)


async def test_what_is_given_is_on_disk_before_it_is_said(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, _):
        assert await portal.places.answer(EAST, question(EAST, "in-1")) is not None
        with contextlib.closing(sqlite3.connect(tmp_path / "portal.db")) as reader:
            assert reader.execute("SELECT edge, hold FROM stay WHERE fence > 0").fetchall() == [("east", "in-1")]


async def test_there_is_no_settling_of_what_is_not_there(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, _):
        assert isinstance(portal.places, ClaimDesk)
        with pytest.raises(BadInput, match="no conflict"):
            await portal.places.settle("east/L/1", Resolution.PARDON)
