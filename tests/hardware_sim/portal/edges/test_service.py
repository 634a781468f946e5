"""The portal as an authority: its rules are the gate's, a refused change leaves nothing, nothing needs a broker."""

import asyncio
import secrets
import threading
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gate_controller.allowlist import UserPut, UserStatus
from gate_controller.errors import (
    BadgeError,
    BadInput,
    ListRejected,
    PlateError,
    ScheduleError,
    StoreError,
)
from gate_controller.moment import Moment
from hardware_sim.portal.edges.service import Portal
from sync import messages
from sync.messages import CmdResult, Event, EventBatch, ListDelta, ListGet, ListHead, State
from sync.mqtt import Backoff, Endpoint, connect
from sync.portal import Surroundings
from sync.signing import KeyRing, KeySet, Signer, verify

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
QUICK = Backoff(0.05, 0.2)
DEVICE, THIEF = Signer.of(b"\7" * 32), Signer.of(b"\6" * 32)


async def open_portal(folder: Path) -> Portal:
    return await Portal.open(folder / "portal.db", "t", "s", NOW)


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    opened = await open_portal(tmp_path)
    yield opened
    await opened.close()


async def test_a_change_that_nobody_waits_for_any_more_is_in_force(portal: Portal) -> None:
    disk = threading.Event()
    stuck = asyncio.ensure_future(portal.database.run(disk.wait, 5))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await portal.add_user("1", plates=["B-NO 1234"])
    disk.set()
    await stuck
    await portal.add_user("2", plates=["M-AX 77"])
    assert portal.allowlist.revision == 2
    assert portal.user("1").external_id == "1"


async def test_a_refused_change_leaves_nothing(portal: Portal, tmp_path: Path) -> None:
    ann = await portal.add_user("1", plates=["B-NO 1234"])
    for refused in (
        portal.add_user("1", plates=["M-AX 77"]),
        portal.add_user("2", plates=["BNO1234"]),
        portal.change([UserPut(ann), UserPut(ann.__class__("u2", "1"))]),
    ):
        with pytest.raises(ListRejected):
            await refused
    with pytest.raises(PlateError):
        await portal.add_user("3", plates=["?"])
    with pytest.raises(BadgeError):
        await portal.add_user("3", badges=["no badge"])
    with pytest.raises(ScheduleError):
        await portal.add_user("3", plates=["M-AX 77"], schedule="sometimes")
    with pytest.raises(BadInput):
        await portal.set_status("3", UserStatus.ACTIVE)
    assert [user.id for user in portal.allowlist.users()] == [ann.id]
    assert portal.allowlist.revision == 1
    await portal.add_user("4", plates=["M-AX 77"])
    assert portal.allowlist.revision == 2


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    first = await open_portal(tmp_path)
    ann = await first.add_user("1", plates=["B-NO 1234"])
    await first.add_user("2", plates=["M-AX 77"])
    await first.remove_user("2")
    before = first.allowlist
    await first.close()
    again = await open_portal(tmp_path)
    assert (again.allowlist.epoch, again.allowlist.revision) == (before.epoch, 3)
    assert list(again.allowlist.users()) == [ann]
    assert set(again.allowlist.permits()) == set(before.permits())
    await again.close()


async def test_the_same_books_are_kept_once(portal: Portal, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another slagboom runs on this database"):
        await open_portal(tmp_path)


async def test_concurrent_changes_follow_one_another(portal: Portal) -> None:
    await asyncio.gather(*(portal.add_user(f"x{number}", plates=[f"K-X {number + 100}"]) for number in range(20)))
    assert portal.allowlist.revision == 20
    assert len(list(portal.allowlist.users())) == 20


async def test_changes_are_announced_with_delta_first_and_head_after(mosquitto: Any, portal: Portal) -> None:
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK))
    endpoint = Endpoint("127.0.0.1", mosquitto.port, "listener")
    topics = ["slagboom/1/t/s/list/head", "slagboom/1/t/s/list/delta"]
    seen: list[tuple[str, int]] = []
    root = KeyRing.of_root(portal.keys.root_key)
    ring = KeyRing.of_set(verify(portal.keys.keyset, KeySet, "t/s", root, 4096)[1])
    async with connect(endpoint, None, topics) as listener, asyncio.timeout(60):
        async for message in listener.incoming():
            message.ack()
            if message.topic == topics[0]:
                seen.append(("head", verify(message.payload, ListHead, "t/s", ring, 4096)[1].rev))
            else:
                seen.append(("delta", verify(message.payload, ListDelta, "t/s", ring, 4096)[1].to))
            if seen == [("head", 0)]:
                await portal.add_user("1", plates=["B-NO 1234"])
            if len(seen) == 3:
                break
    assert seen == [("head", 0), ("delta", 1), ("head", 1)]
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_keys_that_an_edge_lacks_come_before_the_list_it_asks_for(mosquitto: Any, portal: Portal) -> None:
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK))
    topics = ["slagboom/1/t/s/keys", "slagboom/1/t/s/g/list/part"]
    heard: list[str] = []
    async with connect(Endpoint("127.0.0.1", mosquitto.port, "edge"), None, topics) as edge, asyncio.timeout(60):
        async for message in edge.incoming():
            message.ack()
            heard.append(message.topic.rpartition("/")[2])
            if len(heard) == 1:
                for known in (0, 1):
                    edge.publish("slagboom/1/t/s/g/list/get", messages.encode(ListGet(keyset=known)))
            if len(heard) == 4:
                break
    assert heard == ["keys", "keys", "part", "part"]
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_keys_that_many_edges_lack_are_told_once_for_all(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hardware_sim.portal.edges.service.KEYS_EVERY_S", 3600.0)
    portal = await open_portal(tmp_path)
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK))
    heard: Counter[str] = Counter()
    topics = ["slagboom/1/t/s/keys", "slagboom/1/t/s/+/list/part"]
    async with connect(Endpoint("127.0.0.1", mosquitto.port, "edges"), None, topics) as edges, asyncio.timeout(60):
        async for message in edges.incoming():
            message.ack()
            heard[message.topic.rpartition("/")[2]] += 1
            if heard == {"keys": 1}:
                for number in range(30):
                    edges.publish(f"slagboom/1/t/s/g{number}/list/get", messages.encode(ListGet()))
            if heard["part"] == 30:
                break
    assert heard == {"keys": 2, "part": 30}
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await portal.close()


def some_rows(first: int, *seqs: int, last: int | None = None) -> EventBatch:
    events = [Event(seq=seq, at=T0, kind="k", body=msgspec.Raw(b"{}")) for seq in seqs]
    return EventBatch(
        aud="t/s/g", conn=1, ledger="L", first=first, last=last or first + len(seqs) - 1, events=events
    )


async def test_nonsense_from_the_broker_changes_nothing(mosquitto: Any, portal: Portal) -> None:
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK))
    await portal.register("g", DEVICE.public)
    await portal.register("h", THIEF.public)
    rows, birth = some_rows(1, 1), State(aud="t/s/g", status="online", conn=9, ledger="L", next_seq=9, acked=0)
    answer = CmdResult(aud="t/s/g", cmd_id="c", status="done", detail="")
    bad = {
        "g/ev": [
            (b"", "malformed"),
            (msgspec.json.encode(rows), "malformed"),
            (DEVICE.sign(some_rows(1)), "malformed"),
            (DEVICE.sign(some_rows(1, 1, last=2)), "malformed"),
            (DEVICE.sign(some_rows(1, *range(1, 102))), "malformed"),
            (THIEF.sign(rows), "unknown_key"),
            (Signer(THIEF.key, DEVICE.kid).sign(rows), "bad_signature"),
            (DEVICE.sign(rows).replace(b'"kind":"k"', b'"kind":"x"'), "bad_signature"),
            (DEVICE.sign(msgspec.structs.replace(rows, aud="t/s/h")), "wrong_audience"),
            (DEVICE.sign(birth), "wrong_kind"),
            (DEVICE.sign(rows) + b" " * 1024 * 1024, "oversized"),
        ],
        "h/ev": [(DEVICE.sign(rows), "unknown_key"), (THIEF.sign(rows), "wrong_audience")],
        "g/state": [(b"[]", "malformed"), (THIEF.sign(birth), "unknown_key"), (DEVICE.sign(rows), "wrong_kind")],
        "g/cmd/r": [(THIEF.sign(answer), "unknown_key"), (DEVICE.sign(answer), "unasked")],
        "unknown/ev": [(DEVICE.sign(rows), "unregistered")],
        "g/list/get": [(b"7", "malformed")],
        "list/ev": [(b"{}", "malformed")],
        "not an edge/ev": [(b"{}", "malformed")],
    }
    async with connect(
        Endpoint("127.0.0.1", mosquitto.port, "attacker"), None, ["slagboom/1/t/s/+/ev/ack"]
    ) as attacker:
        async with asyncio.timeout(60):
            while portal.connection is None:
                await asyncio.sleep(0.02)
            for suffix, attacks in bad.items():
                for payload, _ in attacks:
                    attacker.publish(f"slagboom/1/t/s/{suffix}", payload)
            attacker.publish("slagboom/1/t/s/g/ev", DEVICE.sign(rows))
            async for message in attacker.incoming():
                assert b'"through":1' in message.payload
                break
    assert portal.refused == Counter(reason for attacks in bad.values() for _, reason in attacks)
    assert len(await portal.events()) == 1
    assert await portal.edges() == []
    assert await portal.database.run(portal.quarantine.newest, 10) == []
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_an_edge_is_registered_with_a_name_and_a_key_or_not_at_all(portal: Portal) -> None:
    for name, key in (("a/b", DEVICE.public), ("list", DEVICE.public), ("g", b"short")):
        with pytest.raises(BadInput, match="cannot be registered"):
            await portal.register(name, key)


async def test_a_retired_edge_is_believed_nothing_and_counts_no_more(portal: Portal, mosquitto: Any) -> None:
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK))
    await portal.register("g", DEVICE.public)
    birth = State(aud="t/s/g", status="online", conn=1, ledger="L", next_seq=2, acked=0)
    async with (
        connect(Endpoint("127.0.0.1", mosquitto.port, "g"), None, ["slagboom/1/t/s/keys"]) as edge,
        asyncio.timeout(60),
    ):
        while portal.connection is None:
            await asyncio.sleep(0.02)
        edge.publish("slagboom/1/t/s/g/state", DEVICE.sign(birth))
        while await portal.applied() != (0, 1):
            await asyncio.sleep(0.02)
        await portal.enrolment.retire("g")
        assert (await portal.applied(), await portal.edges()) == ((0, 0), [])
        edge.publish("slagboom/1/t/s/g/state", DEVICE.sign(msgspec.structs.replace(birth, conn=2)))
        while not portal.refused:
            await asyncio.sleep(0.02)
    assert portal.refused == Counter(["unregistered"])
    assert await portal.edges() == []
    with pytest.raises(BadInput, match="edge g is retired"):
        await portal.register("g", DEVICE.public)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
