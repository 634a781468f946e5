"""What edges send up: believed if they signed it, stored before it is acknowledged, and once."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gate_controller.errors import MessageRefused
from gate_controller.moment import Moment
from hardware_sim.portal.edges import inbox
from hardware_sim.portal.edges.service import PORTAL, Portal
from hardware_sim.portal.journals.ingest import Ingest
from hardware_sim.portal.journals.ledgers import Ledgers
from hardware_sim.portal.journals.metering import Load
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import Address, Event, EventAck, EventBatch, Rows, State
from sync.mqtt import Backoff, Connection, Endpoint, Incoming, connect
from sync.portal import Surroundings
from sync.signing import KeyRing, KeySet, Signer, verify

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
QUICK = Backoff(0.05, 0.2)
EDGE = Address("t", "s", "g")
DEVICE, THIEF = Signer.of(b"\7" * 32), Signer.of(b"\6" * 32)
WORKERS_SHARE_MIN = 10


def rows(first: int, last: int, **other: Any) -> bytes:
    events = [
        Event(seq=n, at=T0 + timedelta(seconds=n), kind="k", body=msgspec.Raw(b"{}"))
        for n in range(first, last + 1)
    ]
    fields = {"aud": EDGE.audience, "conn": 1, "ledger": "L", "first": first, "last": last, "events": events}
    return DEVICE.sign(EventBatch(**(fields | other)))


def online(**other: Any) -> State:
    fields = {"aud": EDGE.audience, "status": "online", "conn": 1, "ledger": "L", "next_seq": 9, "acked": 0}
    return State(**(fields | other))


def opened(payload: bytes | None, keys: PortalKeys) -> EventAck:
    """The acknowledgement, as its edge would verify it."""
    assert payload is not None
    ring = KeyRing.of_set(verify(keys.keyset, KeySet, "t/s", KeyRing.of_root(keys.root_key), 4096)[1])
    return verify(payload, EventAck, EDGE.audience, ring, 4096)[1]


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Ingest]:
    database = await Database.open(tmp_path / "portal.db", PORTAL)
    ledgers, keys = Ledgers(database.sql), PortalKeys.open(tmp_path / "keys", "t/s", T0)
    await database.write(ledgers.put_key, "g", DEVICE.public)
    yield Ingest(database, ledgers, keys, lambda: T0, Load())
    await database.close()


async def test_a_batch_is_answered_with_what_is_here_signed(ingest: Ingest) -> None:
    ack = opened(await ingest.events(EDGE, rows(4, 5)), ingest._keys)
    assert (ack.ledger, ack.through, ack.upto, ack.missing, ack.batch) == ("L", 0, 5, [Rows(1, 3)], Rows(4, 5))
    ack = opened(await ingest.events(EDGE, rows(1, 3)), ingest._keys)
    assert (ack.through, ack.missing, ack.batch) == (5, [], Rows(1, 3))
    assert ack.tail is not None
    assert ack.tail.seq == 5


async def test_a_birth_is_answered_and_a_farewell_is_not(ingest: Ingest) -> None:
    await ingest.events(EDGE, rows(1, 3))
    _, noted, payload = await ingest.state(EDGE, DEVICE.sign(online()))
    assert noted
    assert opened(payload, ingest._keys).through == 3
    _, noted, payload = await ingest.state(EDGE, DEVICE.sign(online(told=1, stale=True, asks=False)))
    assert (noted, payload) == (True, None), "who does not ask is told nothing"
    _, noted, payload = await ingest.state(EDGE, DEVICE.sign(online(status="offline")))
    assert (noted, payload) == (True, None)


async def test_an_edge_that_lost_count_of_its_connections_is_told_and_not_believed(ingest: Ingest) -> None:
    await ingest.state(EDGE, DEVICE.sign(online(conn=8, nonce="another")))
    _, noted, payload = await ingest.state(EDGE, DEVICE.sign(online(conn=5)))
    assert not noted
    assert opened(payload, ingest._keys).conn == 9


async def test_a_bad_event_is_acknowledged_and_a_forged_batch_is_not(ingest: Ingest) -> None:
    body = msgspec.json.decode(rows(1, 3))["body"]
    body["events"][1]["at"] = "yesterday"

    class Loose(EventBatch, frozen=True, kw_only=True):
        events: list[Any]  # type: ignore[assignment]

    payload = DEVICE.sign(Loose(**body))
    assert opened(await ingest.events(EDGE, payload), ingest._keys).through == 3
    (found,) = await ingest._database.run(ingest._ledgers.quarantine.newest, 10)
    assert (found.edge, found.ledger, found.event.seq, found.event.why) == ("g", "L", 2, "impossible_time")
    for by, reason in ((THIEF, "unknown_key"), (Signer(THIEF.key, DEVICE.kid), "bad_signature")):
        with pytest.raises(MessageRefused, match=reason):
            await ingest.events(EDGE, by.sign(Loose(**body)))
    with pytest.raises(MessageRefused, match="unregistered"):
        await ingest.events(Address("t", "s", "h"), payload)


async def test_two_workers_share_what_comes_and_each_event_is_stored_once(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = await Portal.open(tmp_path / "portal.db", "t", "s", NOW)
    await portal.register("g", DEVICE.public)
    took: dict[int, int] = {}
    work = inbox.work

    async def counted(connection: Connection, handle: inbox.Handle, *args: Any, **named: Any) -> None:
        async def count(message: Incoming) -> None:
            took[id(connection)] += 1
            await handle(message)

        took[id(connection)] = 0
        await work(connection, count, *args, **named)

    monkeypatch.setattr(inbox, "work", counted)
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK, workers=2))
    endpoint = Endpoint("127.0.0.1", mosquitto.port, "edge", receive_max=1000)
    batches = [rows(first, first + 19) for first in range(1, 2001, 20)]
    async with connect(endpoint, None, [EDGE.topic("ev/ack")]) as edge, asyncio.timeout(60):
        while len(took) < 3:
            await asyncio.sleep(0.02)
        # Every batch three times over, and the last ones first.
        for batch in [*reversed(batches), *batches, *batches]:
            edge.publish(EDGE.topic("ev"), batch)
        heard = 0
        async for message in edge.incoming():
            message.ack()
            heard += 1
            if heard == 3 * len(batches):
                break
        last = opened(message.payload, portal.keys)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert Counter(event.seq for event in await portal.events(limit=10_000)) == Counter(range(1, 2001))
    assert (last.through, last.missing) == (2000, [])
    assert sum(count >= WORKERS_SHARE_MIN for count in took.values()) == 2, f"both had their share: {took}"
    assert portal.refused == Counter()
    await portal.close()
