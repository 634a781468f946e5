"""An attacker who owns the broker: everything may be forged, repeated, held back, mixed up and spoilt.

Messages go straight to the link, as a broker would deliver them. Whatever comes, the list, the rows, the marks and
the lanes stay as they were, and each message is counted under exactly one reason. Thousands of spoilt ones are
`tests.fuzz`'s.
"""

import logging
import random
from collections import Counter
from datetime import timedelta
from typing import Any, cast

import pytest

from gate_controller.allowlist import Change, User, UserPut
from gate_controller.facts import LaneId, VehicleLeft
from gate_controller.moment import Moment
from sync.messages import CmdResult, State
from sync.mqtt import Connection, Endpoint, Incoming
from sync.orders import Answer, Request, SendPicture, SyncNow
from sync.portal import PortalLink, Surroundings
from sync.signing import Signer
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
    left,
    mend,
    order,
    parts,
    root_of,
    said,
)  # fmt: skip
from tests.sync.samples import T0

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

    def __init__(self, store: Store, allowlist: Any, nonce: str = NONCE) -> None:
        self.store, self.clock, self.wire = store, Clock(), Wire()
        self.asked: list[Request] = []
        self.lists = 0
        around = Surroundings(self._now, lambda: 0.5, lambda: nonce)
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
    return await a_victim(store)


async def a_victim(store: Store) -> Victim:
    """An edge that believes the portal, has two users and has carried one order out."""
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
    "mend": EDGE.topic("list/mend"),
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
        "mend": mend(9, EVIL, [*range(256)], era=2, by=by),
        "cmd": order(11, nonce=NONCE, by=by),
    }


REPLAYED = {
    "ack": ack(2, ledger="L0"),
    "keys": keyset(2, THIEF),
    "head": head(4, era=2),
    "delta": delta(4, 5, HERE[1:], root_of(HERE), era=2),
    "own delta": delta(0, 1, EVIL, era=1),
    "part": parts(4, EVIL, 5, era=2)[0],
    "mend": mend(4, EVIL, [*range(256)], era=1),
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
BEFORE |= {"part": "rolled_back", "mend": "rolled_back", "cmd": "replayed"}


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


# ---- what an owner of the broker can do with what is genuine ----


async def _again(victim: Victim) -> Victim:
    """The same edge after a restart: another nonce, the same disk."""
    made = Victim(victim.store, await victim.store.allowlist(), nonce="nonce-2")
    made.clock = victim.clock
    await made.link.load()
    return made


async def test_replayed_after_a_restart_nothing_genuine_does_anything(victim: Victim) -> None:
    """Everything that was ever sent to this edge, kept by the broker, and sent again in any order and as kept."""
    kept = [(TOPICS["cmd"], order(10, nonce=NONCE)), (TOPICS["cmd"], order(11, nonce=NONCE))]
    kept += [
        (TOPICS["delta"], delta(4, 5, EVIL, root_of(HERE), era=2)),
        (TOPICS["part"], parts(5, HERE, 5, era=2)[0]),
    ]
    kept += [(TOPICS["keys"], keyset(1, THIEF)), (TOPICS["keys"], keyset(2, NEXT)), *_of(REPLAYED)]
    again = await _again(victim)
    standing = await again.standing()
    chance = random.Random(4)
    for _ in range(3):
        chance.shuffle(kept)
        for topic, payload in kept:
            before = sum(again.link.refused.values())
            await again.gets(topic, payload, retained=chance.random() < 0.5)
            assert sum(again.link.refused.values()) == before + 1
    assert await again.standing() == standing
    assert not again.asked


def _of(stock: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return [(TOPICS[kind], payload) for kind, payload in stock.items()]


async def test_what_is_genuine_for_another_edge_or_site_or_tenant_does_nothing_here(victim: Victim) -> None:
    standing = await victim.standing()
    for aud in ("t/s/e2", "t/s", "t/other/e1", "other/s/e1", "t/s/e1/", "T/S/E1"):
        for kind, payload in (("cmd", order(11, nonce=NONCE, aud=aud)), ("ack", ack(2, aud=aud))):
            await victim.gets(TOPICS[kind], payload)
        await victim.gets(EDGE.topic("claim/left"), left("in-1", aud=aud))
    for aud in ("t/other", "other/s", "t/s/e1", "t/s/e2"):
        for topic, payload in (
            ("head", head(9, era=2, aud=aud)),
            ("delta", delta(5, 6, EVIL, root_of([*HERE, *EVIL]), era=2, aud=aud)),
            ("part", parts(9, EVIL, 5, era=2, aud=aud)[0]),
            ("mend", mend(9, EVIL, [*range(256)], era=2, aud=aud)),
            ("keys", keyset(9, NEXT, aud=aud)),
        ):
            await victim.gets(TOPICS[topic], payload)
    assert await victim.standing() == standing
    assert victim.link.refused == Counter(wrong_audience=6 * 3 + 4 * 5)


async def test_reordered_and_withheld_changes_end_at_the_portal_s_list_or_where_they_were(victim: Victim) -> None:
    """A revocation may be withheld, which is told as staleness; what comes is in order, or is asked for."""
    entries = [*HERE]
    sent = []
    for rev in range(5, 15):
        entries.append(UserPut(User(f"n{rev}", f"n{rev}")))
        sent.append(delta(rev, rev + 1, entries[-1:], root_of(entries), era=2))
    chance = random.Random(2)
    for _ in range(40):
        await victim.gets(TOPICS["delta"], chance.choice(sent), retained=chance.random() < 0.5)
        have = victim.link._list.have
        assert have is not None
        names = {user.id for user in victim.link._list.allowlist.users()}
        assert names == {"u1", "u2"} | {f"n{rev}" for rev in range(5, have.rev)}
    for payload in sent:
        await victim.gets(TOPICS["delta"], payload)
    assert victim.link._list.have is not None
    assert victim.link._list.have.rev == 15
    # From here on nothing comes any more: that is not hidden.
    assert not victim.link._list.stale
    victim.clock.passes(2 * 3600)
    assert victim.link._list.stale


async def test_a_list_of_an_era_that_is_over_never_comes_back(victim: Victim) -> None:
    """Also after a restart, and also if the broker has kept all of it, signed by the very key that counts."""
    for edge in (victim, await _again(victim)):
        standing = await edge.standing()
        for payload in parts(99, EVIL, 1, era=1):
            await edge.gets(TOPICS["part"], payload)
        await edge.gets(TOPICS["head"], head(99, era=1), retained=True)
        await edge.gets(TOPICS["delta"], delta(5, 6, EVIL, root_of([*HERE, *EVIL]), era=1))
        await edge.gets(TOPICS["mend"], mend(99, EVIL, [*range(256)], era=1))
        assert await edge.standing() == standing
        assert edge.link.refused == Counter(rolled_back=4)


async def test_a_forged_acknowledgement_makes_no_row_count_as_stored(victim: Victim) -> None:
    for payload in (ack(2, by=THIEF), ack(2, by=DEVICE), ack(2, ledger="L0"), ack(99), ack(2, aud="t/s/e2")):
        await victim.gets(TOPICS["ack"], payload)
    assert victim.store.acked_through == 0
    assert sum(victim.link.refused.values()) == 5


async def test_a_picture_leaves_only_on_the_portal_s_order_of_now(victim: Victim) -> None:
    ask = SendPicture("L1", 1)
    for payload, retained in (
        (order(11, nonce=NONCE, ask=ask, by=THIEF), False),
        (order(11, nonce="x", ask=ask), False),
        (order(11, nonce=NONCE, ask=ask, iat=T0 - timedelta(seconds=11)), False),
        (order(11, nonce=NONCE, ask=ask), True),
        (order(9, nonce=NONCE, ask=ask), False),
    ):
        await victim.gets(TOPICS["cmd"], payload, retained)
    assert sum(victim.link.refused.values()) == 5
    assert not [topic for topic, _ in victim.wire.sent if topic.endswith("evidence")]


async def test_topics_that_hold_a_wildcard_or_are_another_s_do_nothing(victim: Victim) -> None:
    standing = await victim.standing()
    topics = ["#", "+", "slagboom/#", "slagboom/1/t/s/+/cmd", "slagboom/1/t/s/e2/cmd", "slagboom/1/t/s/cmd"]
    topics += [TOPICS["cmd"] + "/", TOPICS["cmd"].upper(), "/" + TOPICS["cmd"], "$SYS/broker", ""]
    for topic in topics:
        await victim.gets(topic, order(11, nonce=NONCE))
    assert await victim.standing() == standing
    assert victim.link.refused == Counter(unknown_topic=len(topics))


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
