"""The link against the reference portal over a real Mosquitto, and against whoever else owns the broker."""

import asyncio
import contextlib
import secrets
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import pytest

from gate_controller.allowlist import Allowlist, Change, User, UserPut, UserRemoved, UserStatus
from gate_controller.credentials import PlateCredential
from gate_controller.errors import PortalError, StoreError
from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, Matched, VehicleLeft
from gate_controller.lane import Order
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.trust.keys import PortalKeys
from sync import follower, messages, portal, replica
from sync.codec import encode_change
from sync.messages import Address, EventAck, EventBatch, ListDelta, ListPart, Revision, State
from sync.mqtt import Backoff, Connection, Endpoint, Incoming, connect
from sync.orders import Answer, LaneOrder, Request, SyncNow
from sync.packing import packed
from sync.pictures import Picture
from sync.portal import PortalLink, Surroundings
from sync.roots import Buckets
from sync.signing import Envelope, Signer
from sync.store import Store

QUICK = Backoff(0.05, 0.2)
EDGE = Address("t", "s", "e1")
DEVICE = Signer.of(b"\7" * 32)
LANE = LaneId("in")
T = TypeVar("T")
T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))


def left(count: int) -> list[tuple[datetime, Fact]]:
    return [(T0 + timedelta(seconds=number), VehicleLeft(LANE)) for number in range(count)]


async def until(true: Callable[[], Awaitable[bool]], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not await true():
            await asyncio.sleep(0.02)


class Edge:
    """An edge's store and link, and the list that its daemon would have in force."""

    def __init__(self, store: Store, allowlist: Allowlist, port: int, address: Address = EDGE) -> None:
        self.store, self.allowlist = store, allowlist
        self.confirmed_at: datetime | None = None
        endpoint = Endpoint("127.0.0.1", port, address.client_id, backoff=QUICK)
        self.keys = PortalKeys.open(store._database.path.parent / "keys", address.site_audience, T0)
        self.asked: list[Request] = []
        self.link = PortalLink(
            store,
            endpoint,
            address,
            self.keys.root_key,
            DEVICE,
            allowlist,
            self.on_list,
            self.on_order,
            NOW,
            "1.2.3",
        )

    def on_list(self, allowlist: Allowlist, confirmed_at: datetime) -> None:
        self.allowlist, self.confirmed_at = allowlist, confirmed_at

    async def on_order(self, request: Request, valid_for_s: float) -> Answer:
        assert 0 < valid_for_s <= 10
        self.asked.append(request)
        return Answer(True, "under way")

    async def knows(self, plate: str) -> bool:
        return self.allowlist.find_plate(Plate.parse(plate)).user is not None

    async def sent_all(self) -> bool:
        return self.store.acked_through == self.store.next_seq - 1


@contextlib.asynccontextmanager
async def running(*loops: Awaitable[None]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@contextlib.asynccontextmanager
async def an_edge(folder: Path, port: int, name: str = "e1") -> AsyncIterator[Edge]:
    store = await Store.open(folder / f"{name}.db", lambda: f"ledger-{name}")
    try:
        yield Edge(store, await store.allowlist(), port, Address("t", "s", name))
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def a_portal(folder: Path, name: str = "portal.db") -> AsyncIterator[Portal]:
    opened = await Portal.open(folder / name, "t", "s", NOW)
    for edge in ("e1", "e2"):
        await opened.register(edge, DEVICE.public)
    try:
        yield opened
    finally:
        await opened.close()


async def stored(where: Portal) -> Counter[tuple[str, str, int]]:
    return Counter((event.edge, event.ledger, event.seq) for event in await where.events(limit=100_000))


def exactly_once(count: int, name: str = "e1") -> Counter[tuple[str, str, int]]:
    return Counter((name, f"ledger-{name}", seq) for seq in range(1, count + 1))


# ---- the list comes down ----


async def test_a_user_added_at_the_portal_is_known_at_the_gate(mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        await authority.add_user("1", plates=["B-NO 1234"])
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            await until(lambda: edge.knows("BNO1234"))
            await authority.add_user("2", plates=["M-AX 77"], badges=["04A22F1B"])
            await until(lambda: edge.knows("MAX77"))
            await authority.set_status("1", UserStatus.INACTIVE)
            await until(lambda: _is_inactive(edge, "1"))
            await until(lambda: _applied(authority, (1, 1)))
            await authority.remove_user("1")
            await until(lambda: _unknown(edge, "BNO1234"))
        assert edge.confirmed_at == T0
        assert set((await edge.store.allowlist()).users()) == set(authority.allowlist.users())
        assert set((await edge.store.allowlist()).permits()) == set(authority.allowlist.permits())
        # At least once and in any order is how things are delivered.
        assert set(edge.link.refused) <= {"replayed", "rolled_back"}


async def _is_inactive(edge: Edge, external_id: str) -> bool:
    user = edge.allowlist.user_by_external(external_id)
    return user is not None and not user.active


async def _unknown(edge: Edge, plate: str) -> bool:
    return not await edge.knows(plate)


async def _applied(authority: Portal, wanted: tuple[int, int]) -> bool:
    return await authority.applied() == wanted


async def test_what_an_edge_says_of_itself_is_numbered_and_each_end_is_told(mosquitto: Any, tmp_path: Path) -> None:
    states: list[State] = []
    async with (
        a_portal(tmp_path) as authority,
        an_edge(tmp_path, mosquitto.port) as edge,
        connect(Endpoint("127.0.0.1", mosquitto.port, "spy"), None, [EDGE.topic("state")]) as spy,
        running(_collect(spy, states), authority.serve("127.0.0.1", mosquitto.port, QUICK)),
    ):
        for run in (1, 2):
            async with running(edge.link.run()):
                await authority.add_user(f"x{run}")
                await until(lambda run=run: _has(edge, f"x{run}"))  # type: ignore[misc]
            await until(lambda run=run: _ended(states, run))  # type: ignore[misc]
    online = [state.told for state in states if state.status == "online"]
    assert online == [*range(1, len(online) + 1)]
    assert states[0].conn < states[-1].conn


async def _collect(spy: Connection, states: list[State]) -> None:
    async for message in spy.incoming():
        message.ack()
        states.append(said(State, message.payload))


async def _has(edge: Edge, user: str) -> bool:
    return edge.allowlist.user_by_external(user) is not None


async def _ended(states: list[State], connections_min: int) -> bool:
    begun, ended = ({state.conn for state in states if state.status == now} for now in ("online", "offline"))
    return len(begun) >= connections_min and begun == ended


async def test_a_change_made_while_the_gate_was_away_comes_as_changes(mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, running(authority.serve("127.0.0.1", mosquitto.port, QUICK)):
        async with an_edge(tmp_path, mosquitto.port) as edge, running(edge.link.run()):
            await authority.add_user("1", plates=["B-NO 1234"])
            await until(lambda: edge.knows("BNO1234"))
        # A broker that forgets everything: the gate must ask.
        mosquitto.kill()
        for number in range(5):
            await authority.add_user(f"x{number}", plates=[f"K-X {number}00"])
        mosquitto.start()
        seen: list[str] = []
        async with (
            connect(Endpoint("127.0.0.1", mosquitto.port, "spy"), None, [EDGE.topic("list/+")]) as spy,
            an_edge(tmp_path, mosquitto.port) as edge,
        ):
            assert await edge.knows("BNO1234")
            async with running(edge.link.run(), _note_topics(spy, seen)):
                await until(lambda: edge.knows("KX400"))
        assert "slagboom/1/t/s/e1/list/delta" in seen
        assert "slagboom/1/t/s/e1/list/part" not in seen


async def test_a_disk_that_rotted_is_mended_by_what_differs_alone(mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, running(authority.serve("127.0.0.1", mosquitto.port, QUICK)):
        async with an_edge(tmp_path, mosquitto.port) as edge, running(edge.link.run()):
            for number in range(20):
                await authority.add_user(f"x{number}", plates=[f"K-X {number}00"])
            await until(lambda: edge.knows("KX1900"))
        with sqlite3.connect(tmp_path / "e1.db") as disk:
            disk.execute("""UPDATE list_entry SET body = replace(body, '"x7"', '"y7"')""")
        disk.close()
        topics: list[str] = []
        async with (
            connect(Endpoint("127.0.0.1", mosquitto.port, "spy"), None, [EDGE.topic("list/+")]) as spy,
            an_edge(tmp_path, mosquitto.port) as edge,
        ):
            assert edge.allowlist.user_by_external("y7")
            async with running(edge.link.run(), _note_topics(spy, topics)):
                await until(lambda: _has(edge, "x7"))
                await until(lambda: _overheard(topics, "slagboom/1/t/s/e1/list/mend"))
            assert not edge.allowlist.user_by_external("y7")
            assert await edge.store.list_root() == await authority.database.run(authority._books.root)
        assert "slagboom/1/t/s/e1/list/part" not in topics


async def _overheard(topics: list[str], topic: str) -> bool:
    return topic in topics


async def _note_topics(spy: Any, seen: list[str]) -> None:
    async for message in spy.incoming():
        seen.append(message.topic)
        message.ack()


async def test_a_portal_that_lost_its_books_sends_the_whole_list(mosquitto: Any, tmp_path: Path) -> None:
    async with an_edge(tmp_path, mosquitto.port) as edge, running(edge.link.run()):
        async with a_portal(tmp_path, "one.db") as first:
            await first.add_user("1", plates=["B-NO 1234"])
            async with running(first.serve("127.0.0.1", mosquitto.port, QUICK)):
                await until(lambda: edge.knows("BNO1234"))
        async with a_portal(tmp_path, "two.db") as second:
            await second.add_user("2", plates=["M-AX 77"])
            async with running(second.serve("127.0.0.1", mosquitto.port, QUICK)):
                await until(lambda: edge.knows("MAX77"))
        assert not await edge.knows("BNO1234")


async def test_a_lost_change_is_noticed_and_asked_for(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "GAP_WAIT_S", 0.1)
    async with (
        a_portal(tmp_path) as authority,
        an_edge(tmp_path, mosquitto.port) as edge,
        running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()),
    ):
        await authority.add_user("1", plates=["B-NO 1234"])
        await until(lambda: edge.knows("BNO1234"))
        # The portal changes its list, and nobody hears of it.
        connection, authority.connection = authority.connection, None
        await authority.add_user("2", plates=["M-AX 77"])
        authority.connection = connection
        await authority.add_user("3", plates=["K-X 100"])
        await until(lambda: edge.knows("KX100"))
        assert await edge.knows("MAX77")


# ---- the journal goes up ----


async def test_every_row_is_at_the_portal_once_and_acknowledged(mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, running(authority.serve("127.0.0.1", mosquitto.port, QUICK)):
        async with an_edge(tmp_path, mosquitto.port) as edge:
            await edge.store.append(left(250))
            async with running(edge.link.run()):
                await until(edge.sent_all)
                basis = Basis("e", 1, Matched.EXACT, as_matched="BNO1234", evidence="crop-1")
                grant = Granted(LANE, Direction.IN, HoldId("h"), "u", "x", "BNO1234", basis)
                await edge.store.append([(T0, grant)])
                await until(edge.sent_all)
        async with an_edge(tmp_path, mosquitto.port) as edge:
            assert edge.store.acked_through == 251
            async with running(edge.link.run()):
                await edge.store.append(left(1))
                await until(edge.sent_all)
        assert await stored(authority) == exactly_once(252)
        assert {event.seq: event.fact for event in await authority.events()}[251] == grant
        (seen,) = await authority.edges()
        assert (seen.name, seen.received, seen.ledger, seen.software) == ("e1", 252, "ledger-e1", "1.2.3")


async def test_a_broker_killed_again_and_again_loses_and_doubles_nothing(mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        await edge.store.append(left(3000))
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            for round_ in range(1, 4):
                # Between one batch and the next: some are at the portal, some under way, some unsent.
                await until(lambda wanted=round_ * 500: _at_least(edge, wanted))
                mosquitto.kill()
                assert edge.store.acked_through < edge.store.next_seq - 1, "the upload was over too soon"
                await edge.store.append(left(100))
                mosquitto.start()
            await until(edge.sent_all, 40)
        assert await stored(authority) == exactly_once(3300)


async def _at_least(edge: Edge, wanted: int) -> bool:
    return edge.store.acked_through >= wanted


async def test_without_a_broker_the_gate_goes_on_and_catches_up(idle_mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, idle_mosquitto.port) as edge:
        async with running(authority.serve("127.0.0.1", idle_mosquitto.port, QUICK), edge.link.run()):
            await authority.add_user("1", plates=["B-NO 1234"])
            for _ in range(20):
                async with asyncio.timeout(30):
                    await edge.store.append(left(1))
            assert edge.store.acked_through == 0
            idle_mosquitto.start()
            await until(edge.sent_all)
            await until(lambda: edge.knows("BNO1234"))
        assert await stored(authority) == exactly_once(20)


async def test_a_portal_killed_before_it_could_acknowledge_gets_the_rows_again(
    mosquitto: Any, tmp_path: Path
) -> None:
    async with an_edge(tmp_path, mosquitto.port) as edge, running(edge.link.run()):
        async with a_portal(tmp_path) as authority:
            # Stores, and dies before the acknowledgement is out.
            authority._send = _all_but_acks(authority._send)  # type: ignore[method-assign]
            async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK)):
                await edge.store.append(left(5))
                await until(lambda: _has_events(authority, 5))
        assert edge.store.acked_through == 0
        async with a_portal(tmp_path) as authority, running(authority.serve("127.0.0.1", mosquitto.port, QUICK)):
            # What would be sent again after half a minute is sent again at once on a new connection.
            mosquitto.kill()
            mosquitto.start()
            await until(edge.sent_all)
            assert await stored(authority) == exactly_once(5)


def _all_but_acks(send: Callable[..., None]) -> Callable[..., None]:
    """The answer to a birth goes out, and nothing that would mark a row."""

    def maybe(topic: str, payload: bytes, **named: bool) -> None:
        if not topic.endswith("ev/ack") or b'"through":0' in payload:
            send(topic, payload, **named)

    return maybe


async def _has_events(authority: Portal, count: int) -> bool:
    return len(await authority.events()) == count


async def test_rows_are_sent_again_when_nobody_acknowledges(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.outbox.RESEND_AFTER_S", 0.2)
    async with (
        connect(Endpoint("127.0.0.1", mosquitto.port, "deaf"), None, [EDGE.topic("ev")]) as deaf,
        an_edge(tmp_path, mosquitto.port) as edge,
    ):
        deaf.publish(EDGE.site_topic("keys"), edge.keys.keyset, retain=True)
        async with running(edge.link.run()):
            await edge.store.append(left(3))
            await until(lambda: _is_born(edge))
            deaf.publish(EDGE.topic("ev/ack"), an_ack(edge, 0))
            batches = []
            async with asyncio.timeout(60):
                async for message in deaf.incoming():
                    message.ack()
                    batches.append(said(EventBatch, message.payload))
                    if len(batches) == 3:
                        break
            deaf.publish(EDGE.topic("ev/ack"), an_ack(edge, 3))
            await until(edge.sent_all)
        assert [(batch.first, batch.last) for batch in batches] == [(1, 3)] * 3


def an_ack(edge: Edge, through: int, ledger: str = "ledger-e1", **other: Any) -> bytes:
    return edge.keys.sign(EventAck(aud=EDGE.audience, ledger=ledger, through=through, **other))


def said(kind: type[T], payload: bytes) -> T:
    """What is in a signed message, whoever signed it."""
    return msgspec.json.decode(msgspec.json.decode(payload, type=Envelope).body, type=kind)


async def _is_born(edge: Edge) -> bool:
    return edge.link._guard.keyset > 0 and edge.link._states_told > 0


async def test_the_portal_sees_who_is_there_and_who_left(mosquitto: Any, tmp_path: Path) -> None:
    async with (
        a_portal(tmp_path) as authority,
        running(authority.serve("127.0.0.1", mosquitto.port, QUICK)),
        an_edge(tmp_path, mosquitto.port, "e2") as second,
    ):
        async with an_edge(tmp_path, mosquitto.port) as first, running(first.link.run(), second.link.run()):
            await until(lambda: _applied(authority, (2, 2)))
            await second.store.append(left(1))
            await until(second.sent_all)
        await until(lambda: _all_gone(authority))
        await authority.add_user("1", plates=["B-NO 1234"])
        assert await authority.applied() == (0, 2)
        async with running(second.link.run()):
            await until(lambda: _applied(authority, (1, 2)))
            assert [(edge.name, edge.online) for edge in await authority.edges()] == [("e1", False), ("e2", True)]


async def test_a_database_from_a_backup_is_found_and_no_event_is_lost_or_counted_twice(
    mosquitto: Any, tmp_path: Path
) -> None:
    async with a_portal(tmp_path) as authority, running(authority.serve("127.0.0.1", mosquitto.port, QUICK)):
        async with an_edge(tmp_path, mosquitto.port) as edge, running(edge.link.run()):
            await edge.store.append(left(10))
            await until(edge.sent_all)
        shutil.copy(tmp_path / "e1.db", tmp_path / "backup.db")
        async with an_edge(tmp_path, mosquitto.port) as edge, running(edge.link.run()):
            await edge.store.append(left(5))
            await until(edge.sent_all)
        lost = {event.seq for event in await authority.events()} - set(range(1, 11))
        assert lost == set(range(11, 16))
        shutil.copy(tmp_path / "backup.db", tmp_path / "e1.db")
        async with an_edge(tmp_path, mosquitto.port) as edge:
            # First it works on without a network, past the number where the portal is.
            await edge.store.append([(at + timedelta(hours=1), fact) for at, fact in left(20)])
            async with running(edge.link.run()):
                await until(edge.sent_all)
                assert edge.store.ledger != "ledger-e1"
                new = edge.store.ledger
                await until(lambda: _ledger_is(authority, new))
        keys = Counter((event.ledger, event.seq) for event in await authority.events())
        assert keys == Counter([*(("ledger-e1", n) for n in range(1, 16)), *((new, n) for n in range(11, 31))])
        (seen,) = await authority.edges()
        assert (seen.received, seen.waiting) == (30, 0)


async def _ledger_is(authority: Portal, wanted: str) -> bool:
    (seen,) = await authority.edges()
    return seen.ledger == wanted


async def test_an_event_that_cannot_be_read_holds_nobody_up(mosquitto: Any, tmp_path: Path) -> None:
    async with an_edge(tmp_path, mosquitto.port) as edge:
        await edge.store.append(left(3))
    with contextlib.closing(sqlite3.connect(tmp_path / "e1.db")) as raw, raw:
        for seq, body in ((4, "7"), (5, "{}"), (6, '{"text": "' + "x" * 20_000 + '"}')):
            raw.execute("INSERT INTO journal VALUES (?, ?, 'granted', ?)", (seq, T0.isoformat(), body))
        raw.execute("INSERT INTO journal VALUES (7, '1970-01-01T00:00:00+00:00', 'teleported', '{}')")
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            await edge.store.append(left(2))
            await until(edge.sent_all)
        assert edge.store.acked_through == 9
        assert sorted(event.seq for event in await authority.events()) == [1, 2, 3, 8, 9]
        found = await authority.database.run(authority.quarantine.newest, 10)
        apart = {one.event.seq: str(one.event.why) for one in found}
        assert apart == {4: "invalid_body", 5: "invalid_body", 6: "oversized", 7: "impossible_time"}


async def _all_gone(authority: Portal) -> bool:
    return not any(edge.online for edge in await authority.edges())


# ---- what is acknowledged is durable ----

SIGNED: dict[str, Any] = {"aud": "t/s", "iat": T0, "exp": T0 + timedelta(hours=1), "era": 1, "epoch": "e"}


def a_delta(changes: Sequence[Change], from_: int, to: int, before: Sequence[Change] = ()) -> ListDelta:
    ops = [*map(encode_change, changes)]
    return ListDelta(**SIGNED, from_=from_, to=to, root=root_of([*before, *changes]), ops=ops)


def root_of(puts: Sequence[Change]) -> str:
    buckets = Buckets()
    for put in puts:
        assert isinstance(put, UserPut)
        buckets.add("user", put.user.id, bytes(encode_change(put)).decode())
    return buckets.root


class OneMessage:
    """A connection that delivers one message and then is gone."""

    def __init__(self, topic: str, payload: bytes, ack: Callable[[], object]) -> None:
        self._message = Incoming(topic, payload, ack)

    async def incoming(self) -> AsyncIterator[Incoming]:
        yield self._message
        raise PortalError("gone")

    def publish(self, topic: str, payload: bytes, **named: Any) -> None:
        pass


async def test_a_change_is_acknowledged_when_it_is_on_disk_and_not_before(tmp_path: Path) -> None:
    async with an_edge(tmp_path, 1) as edge:
        await edge.store.replace_list("e", 5, [])
        edge = Edge(edge.store, await edge.store.allowlist(), 1)
        link, keys = edge.link, edge.keys
        await link._guard.keys(keys.keyset)
        await link.load()
        on_disk: list[int] = []

        def ack() -> None:
            with contextlib.closing(sqlite3.connect(tmp_path / "e1.db")) as reader:
                on_disk.append(reader.execute("SELECT rev FROM list_cursor").fetchone()[0])

        delta = keys.sign(a_delta([UserPut(User("u", "x"))], 5, 6))
        message = cast(Connection, OneMessage(EDGE.topic("list/delta"), delta, ack))
        database = edge.store._database
        await database.run(lambda: database.sql.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreError):
            await link._receive(message)
        assert (on_disk, link._list.allowlist.revision) == ([], 5)
        await database.run(lambda: database.sql.execute("PRAGMA query_only = OFF"))
        with pytest.raises(PortalError, match="gone"):
            await link._receive(message)
        assert (on_disk, link._list.allowlist.revision) == ([6], 6)


async def test_a_list_that_lands_after_the_connection_is_lost_is_in_force(tmp_path: Path) -> None:
    """And so is the next one: memory and disk stand at the same revision, and at the same part of a whole list."""
    ann, bob = UserPut(User("u", "ann")), UserPut(User("v", "bob"))
    whole = {"root": root_of([ann, bob]), "rev": 6, "parts": 2}
    parts = [
        ListPart(**SIGNED, **whole, part=n, packed=packed([encode_change(put)])) for n, put in enumerate((ann, bob))
    ]
    for place, sent in enumerate(([a_delta([ann, bob], 5, 6)], parts)):
        async with an_edge(tmp_path, 1, f"e{place}") as edge:
            await edge.store.replace_list("e", 5, [])
            edge = Edge(edge.store, await edge.store.allowlist(), 1)
            link, database = edge.link, edge.store._database
            await link._guard.keys(edge.keys.keyset)
            await link.load()
            for news in sent:
                topic = EDGE.topic("list/delta" if isinstance(news, ListDelta) else "list/part")
                nobody = OneMessage(topic, edge.keys.sign(news), lambda: None)
                disk = threading.Event()
                stuck = asyncio.ensure_future(database.run(disk.wait, 5))
                receiving = asyncio.ensure_future(link._handle(cast(Connection, nobody), nobody._message))
                await asyncio.sleep(0.1)
                receiving.cancel()
                await asyncio.wait([receiving])
                assert edge.allowlist.revision == 5
                disk.set()
                await stuck
            await until(lambda edge=edge: _revision(edge, 6))
            assert link._list.have == Revision("e", 6)
            message = OneMessage(EDGE.topic("list/delta"), edge.keys.sign(a_delta([], 6, 7, [ann, bob])), int)
            await link._handle(cast(Connection, message), message._message)
            assert (edge.allowlist.revision, edge.link.refused) == (7, Counter())


async def test_the_portal_acknowledges_rows_when_they_are_on_disk_and_not_before(tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority:
        on_disk: list[int] = []

        def ack() -> None:
            with contextlib.closing(sqlite3.connect(tmp_path / "portal.db")) as reader:
                on_disk.append(reader.execute("SELECT count(*) FROM event").fetchone()[0])

        event = messages.Event(seq=1, at=T0, kind="k", body=msgspec.Raw(b"{}"))
        rows = EventBatch(aud=EDGE.audience, conn=1, ledger="L", first=1, last=1, events=[event])
        batch = DEVICE.sign(rows)
        database = authority.database
        await database.run(lambda: database.sql.execute("PRAGMA query_only = ON"))
        with pytest.raises(PortalError, match="cannot be written"):
            await authority._talk(cast(Connection, OneMessage(EDGE.topic("ev"), batch, ack)))
        assert on_disk == []
        await database.run(lambda: database.sql.execute("PRAGMA query_only = OFF"))
        with pytest.raises(PortalError, match="gone"):
            await authority._talk(cast(Connection, OneMessage(EDGE.topic("ev"), batch, ack)))
        assert on_disk == [1]


async def test_a_full_disk_stops_the_link_and_not_for_ever(mosquitto: Any, tmp_path: Path) -> None:
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        database = edge.store._database
        await edge.store.append(left(3))
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            await until(edge.sent_all)
            await edge.store.append(left(1))
            await database.run(lambda: database.sql.execute("PRAGMA query_only = ON"))
            await authority.add_user("1", plates=["B-NO 1234"])
            await asyncio.sleep(0.5)
            assert not await edge.knows("BNO1234")
            await database.run(lambda: database.sql.execute("PRAGMA query_only = OFF"))
            await until(lambda: edge.knows("BNO1234"))
            await until(edge.sent_all)
        assert await stored(authority) == exactly_once(4)


# ---- whoever owns the broker ----


async def test_nothing_malformed_or_impossible_changes_anything(mosquitto: Any, tmp_path: Path) -> None:
    here = UserPut(User("u1", "x1"))
    async with an_edge(tmp_path, mosquitto.port) as edge:
        await edge.store.replace_list("e", 5, [here])
        edge = Edge(edge.store, await edge.store.allowlist(), mosquitto.port)
        sign = edge.keys.sign
        await edge.store.append(left(3))
        broken_badge = msgspec.Raw(
            b'{"op": "user_put", "user": {"id": "u2", "external_id": "x2", "badges": [{"uid": "zz", "bits": 32}]}}'
        )
        attacks = {
            "ev/ack": [
                b"",
                b"{}",
                b"\xff" * 50,
                an_ack(edge, 3, "another"),
                an_ack(edge, 4),
                an_ack(edge, 1, upto=4),
                DEVICE.sign(EventAck(aud=EDGE.audience, ledger="ledger-e1", through=3)),
            ],
            "list/delta": [
                b"[]",
                b'{"epoch": "e", "from": 5, "to": 6, "ops": []}',
                sign(a_delta([UserPut(User("u9", "x1"))], 5, 6, [here])),
                sign(ListDelta(**SIGNED, from_=5, to=6, root="", ops=[broken_badge])),
                sign(ListDelta(**SIGNED, from_=5, to=6, root="", ops=[encode_change(UserPut(User("u7", "x7")))])),
                sign(a_delta([], 4, 5, [here])),
            ],
            "list/part": [
                sign(a_part(9, [msgspec.Raw(b'{"op": "conquer"}')])),
                sign(a_part(4, [])),
                sign(a_part(9, [encode_change(UserPut(User("a", "x"))), same(b"x")])),
            ],
        }
        async with (
            connect(Endpoint("127.0.0.1", mosquitto.port, "attacker"), None, [EDGE.topic("state")]) as attacker,
            running(edge.link.run()),
        ):
            async for message in attacker.incoming():
                message.ack()
                if said(State, message.payload).status == "online":
                    break
            attacker.publish(EDGE.site_topic("keys"), edge.keys.keyset)
            for suffix, payloads in attacks.items():
                for payload in payloads:
                    attacker.publish(EDGE.topic(suffix), payload)
            attacker.publish(EDGE.topic("ev/ack"), an_ack(edge, 2))
            await until(lambda: _at_least(edge, 2))
            # Only what comes after all of it, and is right, counts.
            attacker.publish(EDGE.topic("list/delta"), sign(a_delta([UserPut(User("u3", "x3"))], 5, 6, [here])))
            await until(lambda: _revision(edge, 6))
        assert edge.store.acked_through == 2
        assert {user.id for user in (await edge.store.allowlist()).users()} == {"u1", "u3"}
        assert edge.link.refused == Counter(
            malformed=7,
            another_ledger=1,
            impossible_ack=2,
            unknown_key=1,
            list_rejected=2,
            root_mismatch=1,
            replayed=1,
            rolled_back=1,
        )


def a_part(rev: int, ops: list[msgspec.Raw], root: str = "") -> ListPart:
    return ListPart(**SIGNED, rev=rev, root=root, part=0, parts=1, packed=packed(ops))


def same(name: bytes) -> msgspec.Raw:
    return msgspec.Raw(b'{"op": "user_put", "user": {"id": "b", "external_id": "' + name + b'"}}')


async def _revision(edge: Edge, wanted: int) -> bool:
    return edge.allowlist.revision == wanted


async def test_a_rejected_change_makes_the_gate_ask_for_the_whole_list(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "GAP_WAIT_S", 0.1)
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        await authority.add_user("1", plates=["B-NO 1234"])
        # The gate has the right revision and the wrong content.
        now = authority.allowlist
        await edge.store.replace_list(
            now.epoch, now.revision, [UserPut(User("u9", "9", plates=(PlateCredential(Plate("MAX77")),)))]
        )
        edge = Edge(edge.store, await edge.store.allowlist(), mosquitto.port)
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            # Found by its root alone, before anything changes.
            await until(lambda: edge.knows("BNO1234"))
            await authority.add_user("2", plates=["M-AX 77"])
            await until(lambda: edge.knows("MAX77"))
        assert await edge.knows("BNO1234")
        assert edge.allowlist.user_by_external("9") is None
        assert edge.link.refused["root_mismatch"] + edge.link.refused["list_rejected"] >= 1
        cursor = await edge.store.list_cursor()
        assert cursor is not None
        assert Revision(cursor.epoch, cursor.rev) == Revision(now.epoch, authority.allowlist.revision)


# ---- a list that cannot be followed ----


class HandMadePortal:
    """Answers every question for the list with what it is told to, and keeps what the gate says of itself."""

    def __init__(self, port: int, keys: PortalKeys, whole: ListPart, delta: ListDelta | None) -> None:
        self.port, self.keys, self.whole, self.delta = port, keys, whole, delta
        self.listens = asyncio.Event()
        self.asked: list[tuple[float, bool]] = []
        self.troubles: list[str] = []

    async def run(self) -> None:
        topics = [EDGE.topic("list/get"), EDGE.topic("state")]
        async with connect(Endpoint("127.0.0.1", self.port, "hand"), None, topics) as connection:
            connection.publish(EDGE.site_topic("keys"), self.keys.keyset, retain=True)
            self.listens.set()
            async for message in connection.incoming():
                message.ack()
                if message.topic == EDGE.topic("state"):
                    self.troubles.append(said(State, message.payload).trouble)
                    continue
                get = messages.decode(messages.ListGet, message.payload)
                self.asked.append((asyncio.get_running_loop().time(), get.whole))
                if self.delta is not None and not get.whole:
                    connection.publish(EDGE.topic("list/delta"), self.keys.sign(self.delta))
                else:
                    connection.publish(EDGE.topic("list/part"), self.keys.sign(self.whole))


ANN, BOB = UserPut(User("u1", "ann")), UserPut(User("u2", "bob"))
CONQUER = msgspec.Raw(b'{"op": "conquer"}')


@contextlib.asynccontextmanager
async def an_edge_with_ann_and_bob(
    folder: Path, port: int, whole: ListPart, delta: ListDelta | None = None
) -> AsyncIterator[tuple[Edge, HandMadePortal]]:
    async with an_edge(folder, port) as first:
        await first.store.replace_list("e", 5, [ANN, BOB])
        edge, hand = (
            Edge(first.store, await first.store.allowlist(), port),
            HandMadePortal(port, first.keys, whole, delta),
        )
        async with running(hand.run()):
            await hand.listens.wait()
            async with running(edge.link.run()):
                yield edge, hand


async def _knows_ids(edge: Edge, *ids: str) -> bool:
    return {user.id for user in edge.allowlist.users()} == set(ids)


async def test_a_change_of_a_kind_not_known_here_costs_a_whole_list_and_no_revocation(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "GAP_WAIT_S", 0.1)
    whole = a_part(7, [encode_change(ANN)], root_of([ANN]))
    delta = ListDelta(**SIGNED, from_=5, to=7, root="", ops=[encode_change(UserRemoved("u2")), CONQUER])
    async with an_edge_with_ann_and_bob(tmp_path, mosquitto.port, whole, delta) as (edge, hand):
        await until(lambda: _knows_ids(edge, "u1"))
        await until(lambda: _whole_lists_asked_for(hand, 1))
        assert [*dict.fromkeys(whole for _, whole in hand.asked)] == [False, True]
        assert set(hand.troubles) == {""}
        assert edge.link.refused["malformed"] >= 1


async def test_a_list_that_cannot_be_read_is_told_once_shown_and_asked_for_ever_more_rarely(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follower, "GAP_WAIT_S", 0.05)
    for module in (follower, portal):
        monkeypatch.setattr(module, "ASK_AGAIN_S", 0.1)
    whole = a_part(7, [encode_change(ANN), CONQUER])
    delta = ListDelta(**SIGNED, from_=5, to=7, root="", ops=[CONQUER])
    async with an_edge_with_ann_and_bob(tmp_path, mosquitto.port, whole, delta) as (edge, hand):
        await until(lambda: _whole_lists_asked_for(hand, 6))
        assert await _knows_ids(edge, "u1", "u2")
        assert [record.levelname for record in caplog.records if "cannot be used" in record.message] == ["ERROR"]
        assert "ops[1]" in hand.troubles[-1]
        at = [when for when, whole in hand.asked if whole]
        assert at[5] - at[0] > 1.5, "0.1 + 0.2 + 0.4 + 0.8 + 1.6 s, and not five times 0.1 s"
        hand.whole = a_part(8, [encode_change(ANN)], root_of([ANN]))
        await until(lambda: _knows_ids(edge, "u1"))
        await until(lambda: _last_trouble(hand, ""))


async def test_a_portal_that_is_away_is_asked_ever_more_rarely_until_there_is_news(tmp_path: Path) -> None:
    async with an_edge(tmp_path, 1) as edge:
        link, loop = edge.link, asyncio.get_running_loop()
        asked = Silent()
        waits = []
        for _ in range(7):
            link._ask(cast(Any, asked))
            waits.append(link._ask_at_s - loop.time())
        assert waits == pytest.approx([30, 60, 120, 240, 480, 600, 600], abs=5)
        assert len(asked.topics) == 7
        link._ask_at_latest(2.0)
        link._ask(cast(Any, asked))
        assert link._ask_at_s - loop.time() == pytest.approx(30, abs=5)


class Silent:
    """A connection on which nobody answers."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def publish(self, topic: str, payload: bytes, **_: Any) -> None:
        self.topics.append(topic)


async def _whole_lists_asked_for(hand: HandMadePortal, wanted: int) -> bool:
    return sum(whole for _, whole in hand.asked) >= wanted


async def _last_trouble(hand: HandMadePortal, wanted: str) -> bool:
    return hand.troubles[-1:] == [wanted]


async def test_a_whole_list_that_gives_a_user_another_id_is_not_put_in_force(
    mosquitto: Any, tmp_path: Path
) -> None:
    another = [BOB, UserPut(User("u9", "ann"))]
    new = SIGNED | {"era": 2, "epoch": "new"}
    ops = [*map(encode_change, another)]
    whole = ListPart(**new, rev=1, root=root_of(another), part=0, parts=1, packed=packed(ops))
    async with an_edge_with_ann_and_bob(tmp_path, mosquitto.port, whole) as (edge, hand):
        await until(lambda: _refused(edge, Counter(list_rejected=1)))
        await until(lambda: _in_trouble(hand, "immutable_id: user ann has id u1, which cannot become u9"))
        assert await _knows_ids(edge, "u1", "u2")
        assert {user.id for user in (await edge.store.allowlist()).users()} == {"u1", "u2"}


async def _in_trouble(hand: HandMadePortal, wanted: str) -> bool:
    return any(trouble.startswith(wanted) for trouble in hand.troubles)


async def test_a_large_change_does_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    """One quiet try of three is enough: a busy machine holds up the loop now and then, a large change always."""
    puts = [UserPut(User(f"u{n}", f"x{n}", plates=(_plate(n),))) for n in range(4000)]
    ops = [*map(encode_change, puts)]
    delta = ListDelta(**SIGNED, from_=5, to=6, root=root_of(puts), ops=ops)
    tries = []
    for name in ("e1", "e2", "e3"):
        async with an_edge(tmp_path, 1, name) as edge:
            tries.append(await _longest_wait(edge, delta))
    waits, takes = zip(*tries, strict=True)
    assert min(waits) < min(takes) / 2


async def _longest_wait(edge: Edge, delta: ListDelta) -> tuple[float, float]:
    """Seconds for which the loop stood still at most during a change, and seconds that the change takes."""
    await edge.store.replace_list("e", 5, [])
    link = Edge(edge.store, await edge.store.allowlist(), 1).link
    await link._guard.keys(edge.keys.keyset)
    await link.load()
    begun = time.perf_counter()
    replica.changed(link._list.allowlist, delta)
    takes_s = time.perf_counter() - begun
    payload = edge.keys.sign(delta)
    waits: list[float] = []
    ticking = asyncio.ensure_future(_note_waits(waits))
    await asyncio.sleep(0.01)
    await link._list.on_delta(payload)
    ticking.cancel()
    assert link._list.allowlist.revision == 6
    return max(waits), takes_s


def _plate(number: int) -> PlateCredential:
    return PlateCredential(Plate(f"AB{number:04}CD"))


async def _note_waits(waits: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        waits.append(time.perf_counter() - begun)


# ---- orders come down ----

OPEN = LaneOrder("entry", Order.OPEN, "joris", "ambulance")


async def test_an_order_is_carried_out_once_and_answered_whatever_the_broker_repeats(
    mosquitto: Any, tmp_path: Path
) -> None:
    spy_at = Endpoint("127.0.0.1", mosquitto.port, "spy")
    async with (
        a_portal(tmp_path) as authority,
        an_edge(tmp_path, mosquitto.port) as edge,
        connect(spy_at, None, [EDGE.topic("cmd")]) as spy,
    ):
        with pytest.raises(PortalError, match="not connected"):
            await authority.command("e1", OPEN)
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            await until(lambda: _applied(authority, (1, 1)))
            result = await authority.command("e1", OPEN)
            assert (result.status, result.detail) == ("done", "under way")
            heard = await anext(spy.incoming())
            for retain in (False, True):
                spy.publish(EDGE.topic("cmd"), heard.payload, retain=retain)
            await until(lambda: _refused(edge, Counter(replayed=1, retained=1)))
            assert (await authority.command("e1", SyncNow())).status == "done"
            await authority.rotate_keys()
            assert (await authority.command("e1", OPEN)).status == "done"
        assert edge.asked == [OPEN, OPEN]
        assert edge.link._guard.keyset == 2
        # Kept by the broker, it comes again on the next connection, to another start of the program.
        again = Edge(edge.store, edge.allowlist, mosquitto.port)
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), again.link.run()):
            await until(lambda: _refused(again, Counter(retained=1)))
        assert again.asked == []


async def _refused(edge: Edge, wanted: Counter[str]) -> bool:
    return all(edge.link.refused[reason] >= count for reason, count in wanted.items())


async def test_a_picture_comes_on_request_and_is_gone_when_it_is_gone(mosquitto: Any, tmp_path: Path) -> None:
    pictures = {"crop-1": Picture(secrets.token_bytes(150_000), T0 + timedelta(days=3))}

    async def find(name: str) -> Picture | None:
        return pictures.get(name)

    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        basis = Basis("e", 1, Matched.EXACT, as_matched="BNO1234", evidence="crop-1")
        await edge.store.append([(T0, Granted(LANE, Direction.IN, HoldId("h"), "u", "x", "BNO1234", basis))])
        edge.link._find_picture = find
        with pytest.raises(PortalError, match="not connected"):
            await authority.picture("e1", "ledger-e1", 1)
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            await until(lambda: _applied(authority, (1, 1)))
            assert await authority.picture("e1", "ledger-e1", 1) == pictures["crop-1"].jpeg
            assert await authority.picture("e1", "ledger-e1", 2) is None
            kept = pictures.pop("crop-1")
            assert await authority.picture("e1", "ledger-e1", 1) == kept.jpeg, "kept at the portal"
        assert authority.refused == Counter()


async def test_a_long_list_comes_in_parts_and_goes_on_after_the_broker_was_killed(
    mosquitto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hardware_sim.portal.edges.cutting.PART_BYTES_MAX", 1000)
    monkeypatch.setattr("hardware_sim.portal.edges.books.LONG_LEN_MIN", 1000)
    async with a_portal(tmp_path) as authority, an_edge(tmp_path, mosquitto.port) as edge:
        many: list[Change] = [UserPut(User(f"u{number:04}", f"x{number}")) for number in range(6000)]
        await authority.change(many)
        monkeypatch.setattr("hardware_sim.portal.edges.books.DELTA_BYTES_MAX", 100)
        add_parts, begun, goes_on = edge.store.add_parts, asyncio.Event(), asyncio.Event()

        async def held(*parts: Any) -> None:
            await add_parts(*parts)
            begun.set()
            await goes_on.wait()

        monkeypatch.setattr(edge.store, "add_parts", held)
        async with running(authority.serve("127.0.0.1", mosquitto.port, QUICK), edge.link.run()):
            async with asyncio.timeout(60):
                await begun.wait()
            mosquitto.kill()
            mosquitto.start()
            goes_on.set()
            await until(lambda: _applied(authority, (1, 1)), 40)
        assert len([*(await edge.store.allowlist()).users()]) == 6000


async def _written(edge: Edge, parts: int) -> bool:
    shadow = await edge.store.shadow()
    return shadow is not None and shadow.next >= parts
