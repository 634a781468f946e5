"""An attacker who owns the broker: everything may be forged, repeated, held back, mixed up and spoilt.

Messages go straight to the link, as a broker would deliver them. Whatever comes, the list, the rows, the marks and
the lanes stay as they were, and each message is counted under exactly one reason. `FUZZ` in the environment raises
the number of messages; `FUZZ_SEED` replays.
"""

import logging
import os
import random
from collections import Counter
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature

from gate_controller.allowlist import Change, User, UserPut
from gate_controller.facts import LaneId, VehicleLeft
from gate_controller.moment import Moment
from sync.messages import CmdResult, State
from sync.mqtt import Connection, Endpoint, Incoming
from sync.orders import Answer, Request, SyncNow
from sync.portal import PortalLink, Surroundings
from sync.signing import CONTEXT, Envelope, Refusal, Signer
from sync.store import Store
from tests.sync.portal_side import (
    DEVICE,
    EDGE,
    NEXT,
    ONLINE,
    OPEN,
    ROOT_KEY,
    THIEF,
    Clock,
    ack,
    delta,
    head,
    keyset,
    order,
    parts,
    root_of,
    said,
)  # fmt: skip
from tests.sync.samples import T0

MESSAGES = int(os.environ.get("FUZZ", "3000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
DAY = timedelta(days=1)
HERE: list[Change] = [UserPut(User("u1", "x1")), UserPut(User("u2", "x2"))]
EVIL: list[Change] = [UserPut(User("evil", "evil"))]
NONCE = "nonce"


class Wire:
    """What the link sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes, **_named: Any) -> None:
        self.sent.append((topic, payload))

    def results(self) -> list[CmdResult]:
        return [said(CmdResult, payload) for topic, payload in self.sent if topic.endswith("cmd/r")]


class Victim:
    """An edge with two users at revision 5, key set 3 and order 10 behind it."""

    def __init__(self, store: Store, allowlist: Any) -> None:
        self.store, self.clock, self.wire = store, Clock(), Wire()
        self.asked: list[Request] = []
        self.lists = 0
        around = Surroundings(self._now, lambda: 0.5, lambda: NONCE)
        self.link = PortalLink(
            store, Endpoint("nowhere", 1, "e1"), EDGE, ROOT_KEY.public, DEVICE, allowlist,
            self._on_list, self._on_order, around,
        )  # fmt: skip

    def _now(self) -> Moment:
        return self.clock()

    def _on_list(self, *_: Any) -> None:
        self.lists += 1

    async def _on_order(self, request: Request, valid_for_s: float) -> Answer:
        assert 0 < valid_for_s <= 10
        self.asked.append(request)
        return Answer(request == OPEN, "under way")

    async def gets(self, topic: str, payload: bytes, retained: bool = False) -> None:
        message = Incoming(topic, payload, lambda: None, retained)
        await self.link._handle(cast(Connection, self.wire), message)

    async def standing(self) -> object:
        """Everything that a message could change."""

        def rows() -> object:
            tables = ("list_cursor", "list_entry", "list_shadow", "keyset", "issuer", "executed", "ledger")
            return [self.store._database.sql.execute(f"SELECT * FROM {table}").fetchall() for table in tables]

        link = self.link
        disk = await self.store._database.run(rows)
        return disk, link._list.allowlist, link._list.have, link._guard._ring, self.lists, [*self.asked]


@pytest.fixture
async def victim(store: Store) -> Victim:
    await store.replace_list("e2", 5, HERE, T0)
    await store.append([(T0, VehicleLeft(LaneId("in")))] * 3)
    made = Victim(store, await store.allowlist())
    await made.link._guard.keys(keyset(3, ONLINE))
    await made.link.load()
    await made.gets(EDGE.site_topic("list/head"), head(5, era=2, root=root_of(HERE)))
    await made.gets(EDGE.topic("cmd"), order(10, nonce=NONCE))
    assert made.link.refused == Counter()
    assert made.asked == [OPEN]
    return made


TOPICS = {
    "ack": EDGE.topic("ev/ack"),
    "keys": EDGE.site_topic("keys"),
    "head": EDGE.site_topic("list/head"),
    "delta": EDGE.site_topic("list/delta"),
    "own delta": EDGE.topic("list/delta"),
    "part": EDGE.topic("list/part"),
    "cmd": EDGE.topic("cmd"),
}


def forged(by: Signer) -> dict[str, bytes]:
    """One of each kind that would do harm if it were believed."""
    return {
        "ack": ack(2, by=by),
        "keys": keyset(9, by, by=by),
        "head": head(9, era=2, by=by),
        "delta": delta(5, 6, EVIL, root_of([*HERE, *EVIL]), era=2, by=by),
        "own delta": delta(5, 6, EVIL, root_of([*HERE, *EVIL]), era=2, by=by),
        "part": parts(9, EVIL, 5, era=2, by=by)[0],
        "cmd": order(11, nonce=NONCE, by=by),
    }


REPLAYED = {
    "ack": ack(2, ledger="L0"),
    "keys": keyset(2, THIEF),
    "head": head(4, era=2),
    "delta": delta(4, 5, HERE[1:], root_of(HERE), era=2),
    "own delta": delta(0, 1, EVIL, era=1),
    "part": parts(4, EVIL, 5, era=2)[0],
    "cmd": order(10, nonce=NONCE),
}
"""What the portal did sign, earlier."""
BEFORE = {
    "ack": "another_ledger",
    "keys": "rolled_back",
    "head": "rolled_back",
    "delta": "replayed",
    "own delta": "rolled_back",
}
BEFORE |= {"part": "rolled_back", "cmd": "replayed"}


@pytest.mark.parametrize("kind", TOPICS)
async def test_each_attack_changes_nothing_and_has_one_reason(victim: Victim, kind: str) -> None:
    mine, topic = forged(THIEF)[kind], TOPICS[kind]
    real = (keyset(9, NEXT) if kind == "keys" else forged(ONLINE)[kind]).decode()
    attacks = [
        (mine, "unknown_key"),
        (forged(Signer(THIEF.key, ROOT_KEY.kid if kind == "keys" else ONLINE.kid))[kind], "bad_signature"),
        (
            real.replace('"iat":"2026', '"iat":"2027').replace('"through":2', '"through":1').encode(),
            "bad_signature",
        ),
        (real.replace('"aud":"t/s', '"aud":"x/s').encode(), "bad_signature"),
        (real[:-40].encode(), "malformed"),
        (b"", "malformed"),
        (real.encode() + b" " * 2_000_000, "oversized"),
        (REPLAYED[kind], BEFORE[kind]),
    ]
    standing = await victim.standing()
    for payload, reason in attacks:
        before = victim.link.refused.copy()
        await victim.gets(topic, payload)
        assert victim.link.refused - before == Counter({reason: 1}), reason
        assert await victim.standing() == standing, reason


@pytest.mark.parametrize("kind", TOPICS)
@pytest.mark.parametrize("other", TOPICS)
async def test_what_was_signed_for_one_topic_says_nothing_on_another(victim: Victim, kind: str, other: str) -> None:
    if {kind, other} <= {"delta", "own delta"} or kind == other:
        return
    standing = await victim.standing()
    payload = keyset(9, NEXT) if kind == "keys" else forged(ONLINE)[kind]
    await victim.gets(TOPICS[other], payload)
    assert await victim.standing() == standing
    assert sum(victim.link.refused.values()) == 1
    assert set(victim.link.refused) <= {"unknown_key", "wrong_kind"}


async def test_a_kept_order_or_one_for_another_start_opens_nothing(victim: Victim) -> None:
    standing = await victim.standing()
    await victim.gets(TOPICS["cmd"], order(11, nonce=NONCE), retained=True)
    await victim.gets(TOPICS["cmd"], order(11, nonce="another start"))
    await victim.gets(TOPICS["cmd"], order(11, nonce=NONCE, aud="t/s/e2"))
    victim.clock.passes(10)
    await victim.gets(TOPICS["cmd"], order(11, nonce=NONCE))
    assert await victim.standing() == standing
    assert victim.link.refused == Counter(retained=1, wrong_nonce=1, wrong_audience=1, expired=1)
    assert len(victim.wire.results()) == 1, "only the portal's own first order was answered"


async def test_a_clock_that_is_behind_is_told_and_no_order_counts_until_it_is_set(
    victim: Victim, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    victim.clock.wall -= DAY
    await victim.gets(TOPICS["head"], head(5, era=2, root=root_of(HERE), iat=T0 + timedelta(seconds=1)))
    await victim.gets(TOPICS["cmd"], order(11, nonce=NONCE))
    assert victim.link.refused == Counter(not_yet=1)
    assert "clock is 1441 min behind" in said(State, victim.wire.sent[-1][1]).trouble
    victim.clock.wall += DAY
    await victim.gets(TOPICS["cmd"], order(11, nonce=NONCE))
    assert victim.asked == [OPEN, OPEN]
    assert said(State, victim.wire.sent[-1][1]).trouble == ""
    told = [record.levelname for record in caplog.records if "this edge's clock" in record.message]
    assert told == ["ERROR", "INFO"]


async def test_the_portal_s_own_word_is_still_heard(victim: Victim) -> None:
    for payload in forged(THIEF).values():
        await victim.gets(TOPICS["cmd"], payload)
    await victim.gets(TOPICS["cmd"], order(11, nonce=NONCE))
    await victim.gets(TOPICS["cmd"], order(12, nonce=NONCE, ask=SyncNow()))
    assert [(result.cmd_id, result.status) for result in victim.wire.results()] == [
        ("c10", "done"),
        ("c11", "done"),
        ("c12", "done"),
    ]
    assert victim.asked == [OPEN, OPEN]
    await victim.gets(TOPICS["delta"], forged(ONLINE)["delta"])
    assert victim.lists == 1
    state = said(State, victim.wire.sent[-1][1])
    assert (state.list and state.list.rev, state.keyset, state.nonce, state.stale) == (6, 3, NONCE, False)


async def test_nothing_that_is_spoilt_or_mixed_up_does_anything(victim: Victim) -> None:
    """Thousands of messages: what the portal and a thief signed, cut, flipped, spliced and on any topic."""
    chance = random.Random(SEED)
    stock = [*forged(THIEF).values(), *forged(Signer(THIEF.key, ONLINE.kid)).values(), *REPLAYED.values()]
    stock += [order(11, nonce=NONCE, aud="t/s/e2"), order(11, nonce="x"), head(9, era=2, iat=T0 - DAY)]
    stock += [ack(9, by=THIEF), b"{}", b"[]", b"\xff", b'{"kid":"x","sig":"","body":{}}']
    real = [forged(ONLINE)[kind] for kind in ("ack", "head", "delta", "part", "cmd")]
    topics = [*TOPICS.values(), EDGE.topic("ev/ack"), EDGE.topic("nonsense")]
    standing = await victim.standing()
    for number in range(MESSAGES):
        before = sum(victim.link.refused.values())
        whole = chance.random() < 0.3
        payload = chance.choice(stock) if whole else _spoilt(chance, chance.choice(stock + real))
        if not whole and _genuine(payload):
            continue
        await victim.gets(chance.choice(topics), payload, chance.random() < 0.1)
        counted = sum(victim.link.refused.values()) - before
        assert counted == 1, f"message {number} of FUZZ_SEED={SEED} counted {counted} times: {payload[:300]!r}"
        if number % 500 == 0:
            assert await victim.standing() == standing, f"by message {number} of FUZZ_SEED={SEED}"
    assert await victim.standing() == standing
    assert set(victim.link.refused) <= {*Refusal, "unknown_topic", "another_ledger", "impossible_ack"}


def _genuine(payload: bytes) -> bool:
    """Whether it is, by chance, still what the portal signed."""
    try:
        envelope = msgspec.json.decode(payload, type=Envelope)
        ONLINE.key.public_key().verify(envelope.sig, CONTEXT + bytes(envelope.body))
    except (msgspec.MsgspecError, UnicodeError, InvalidSignature):
        return False
    return envelope.kid == ONLINE.kid


def _spoilt(chance: random.Random, payload: bytes) -> bytes:
    """The message with something inside its body or around it changed."""
    at = chance.randrange(len(payload))
    match chance.randrange(5):
        case 0:
            return payload[:at]
        case 1:
            return payload[:at] + bytes([payload[at] ^ chance.randrange(1, 256)]) + payload[at + 1 :]
        case 2:
            return payload[:at] + chance.randbytes(chance.randrange(1, 20)) + payload[at:]
        case 3:
            return payload[:at] + payload[chance.randrange(len(payload)) :]
        case _:
            return chance.randbytes(chance.randrange(200))
