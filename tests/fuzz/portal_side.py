"""Messages to the portal, from somebody who owns the broker, and from an edge that has gone mad.

From the first, nothing may change: a message is refused and counted once, or it is one that came before and says
nothing new. What an edge's own key has signed may be stored as that edge's; nothing may crash, and neither the list
nor another edge's rows may change.
"""

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec

from gate_controller.allowlist import User
from gate_controller.errors import MalformedMessage
from gate_controller.moment import Moment
from hardware_sim.portal.edges.service import Portal
from sync.messages import (
    Address,
    Claim,
    CmdResult,
    Enrol,
    Event,
    EventBatch,
    ListGet,
    PicturePart,
    Revision,
    State,
    Written,
    decode,
)
from sync.mqtt import Incoming
from sync.portal import Surroundings
from sync.roots import Buckets
from sync.signing import Signer, Spoken
from tests.fuzz.edge_side import Table
from tests.fuzz.spoil import genuine, spoilt, twisted
from tests.sync.samples import T0

ONE, TWO = Signer.of(b"\7" * 32), Signer.of(b"\x08" * 32)
THIEF = Signer.of(b"\6" * 32)
DERIVED = ("snapshot", "sqlite_sequence")
"""Tables that follow from others."""


class House:
    """A portal with a user and two edges that have spoken, and no broker: what it sends goes nowhere."""

    def __init__(self, portal: Portal, user: User) -> None:
        self.portal, self.user = portal, user

    @classmethod
    async def build(cls, folder: Path) -> "House":
        ids = iter(range(10**9))
        around = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: f"id{next(ids):012}")
        portal = await Portal.open(folder / "portal.db", "t", "s", around)
        user = await portal.add_user("1", plates=["B-NO 1234"])
        for edge, signer in (("e1", ONE), ("e2", TWO)):
            await portal.register(edge, signer.public)
        house = cls(portal, user)
        for edge, signer in (("e1", ONE), ("e2", TWO)):
            for suffix in ("state", "ev", "claim"):
                await house.gets(edge, suffix, signer.sign(said(edge, user)[suffix]))
        assert portal.refused == Counter()
        return house

    async def gets(self, edge: str, suffix: str, payload: bytes) -> None:
        await self.portal._handle(Incoming(f"slagboom/1/t/s/{edge}/{suffix}", payload, lambda: None, False))

    async def standing(self, edge: str | None = None) -> object:
        """Everything on the disk; of one edge, what is its own, and the list."""

        def rows() -> object:
            db = self.portal.database.sql
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names if name not in DERIVED}
            if edge is None:
                return found
            lists = [rows for name, rows in found.items() if name.startswith("list_")]
            return lists, {name: [row for row in rows if edge in row] for name, rows in found.items()}

        return await self.portal.database.run(rows), self.portal.allowlist


def said(edge: str, user: User) -> dict[str, Spoken]:
    """What an edge says on each topic."""
    aud = Address("t", "s", edge).audience
    event = Event(seq=1, at=T0, kind="vehicle_left", body=msgspec.Raw(b'{"lane":"in"}'))
    batch = EventBatch(aud=aud, conn=3, ledger="L", first=1, last=1, events=[event])
    erase_at = T0 + timedelta(days=1)
    return {
        "state": State(
            aud=aud, status="online", conn=3, told=5, ledger="L", next_seq=2, acked=1, nonce="n", sw="1"
        ),
        "ev": batch,
        "cmd/r": CmdResult(aud=aud, cmd_id="c1", status="done", detail=""),
        "evidence": PicturePart(aud=aud, ledger="L", seq=1, part=0, parts=1, erase_at=erase_at, data=b"\xff\xd8"),
        "claim": Claim(aud=aud, claim_id=f"in-{edge}", action="enter", at=T0, user=user.id),
        "enrol": Enrol(
            aud=aud, enrol_id="d-1", desk="d", user="nobody", badge="04A22F1B", bits=32, clerk="c", at=T0
        ),
    }


async def attacked(folder: Path, chance: random.Random, messages: int) -> Table:
    """Forged, replayed, stale, oversized and malformed messages. AssertionError for one that did anything."""
    house = await House.build(folder)
    try:
        return await _attacked(house, chance, messages)
    finally:
        await house.portal.close()


async def _attacked(house: House, chance: random.Random, messages: int) -> Table:
    mine = said("e1", house.user)
    strangers = [THIEF, TWO, Signer(THIEF.key, ONE.kid), Signer(TWO.key, ONE.kid)]
    older = (
        msgspec.structs.replace(mine["state"], told=4),
        msgspec.structs.replace(mine["state"], conn=2, nonce="o"),
    )
    again = {("e1", name): ONE.sign(mine[name]) for name in ("state", "ev", "cmd/r", "evidence", "claim")}
    again["e2", "ev"] = TWO.sign(said("e2", house.user)["ev"])
    stock = [by.sign(message) for by in strangers for message in mine.values()] + [ONE.sign(old) for old in older]
    stock += [*again.values(), b"{}", b"[]", b"\xff", b"", b"null"]
    gets = [*map(msgspec.json.encode, _questions(house))]
    real = [*map(ONE.sign, mine.values())]
    topics = [*mine] * 4 + ["list/get", "nonsense", "", "keys", "ev/ack", "list/delta"]
    edges = ["e1"] * 60 + ["e2", "e3"] * 3 + ["e3", "list", "keys", "..", "+", "#", "e1/e1", "x" * 200, "é", ""]
    found: Table = Counter()
    standing = await house.standing()
    sent = 0
    while sent < messages:
        kind = chance.random()
        edge, suffix = chance.choice(edges), chance.choice(topics)
        if kind < 0.3:
            payload = chance.choice(stock)
        elif kind < 0.55:
            payload = twisted(chance, chance.choice(real), chance.choice(strangers))
        elif kind < 0.65:
            payload = spoilt(chance, chance.choice(gets)) if chance.random() < 0.8 else chance.choice(gets)
            suffix = "list/get"
        else:
            payload = spoilt(chance, chance.choice([*stock, *real]))
            if genuine(payload, [ONE, TWO]) and payload not in stock:
                continue
        sent += 1
        before = house.portal.refused.copy()
        await house.gets(edge, suffix, payload)
        counted = [*(house.portal.refused - before).items()]
        if not counted:
            assert _says_nothing_new(edge, suffix, payload, again), f"{edge}/{suffix} believed: {payload[:300]!r}"
            counted = [("nothing new", 1)]
        assert [count for _, count in counted] == [1], f"{edge}/{suffix}: counted {counted}: {payload[:300]!r}"
        found[suffix if suffix in (*mine, "list/get") else "another", counted[0][0]] += 1
        if sent % 500 == 0:
            assert await house.standing() == standing, f"changed by one of the last 500 before message {sent}"
    assert await house.standing() == standing
    return found


def _says_nothing_new(edge: str, suffix: str, payload: bytes, again: dict[tuple[str, str], bytes]) -> bool:
    """A question for the list, which is answered to whoever asks, or what came before on this very topic."""
    if suffix == "list/get":
        try:
            decode(ListGet, payload)
        except MalformedMessage:
            return False
        return True
    return suffix in ("state", "ev", "claim") and payload == again.get((edge, suffix))


def _questions(house: House) -> list[ListGet]:
    have = Revision(house.portal.allowlist.epoch, 1)
    short = Buckets().short
    return [
        ListGet(), ListGet(have=have), ListGet(keyset=1, have=have, whole=True), ListGet(have=have, buckets=short),
        ListGet(have=have, whole=True, written=Written(have.epoch, 1, 1)),
    ]  # fmt: skip


async def maddened(folder: Path, chance: random.Random, messages: int) -> Table:
    """Bodies with twisted fields, signed by an edge's own key."""
    mad = folder / "mad"
    mad.mkdir()
    house = await House.build(mad)
    mine = {name: ONE.sign(message) for name, message in said("e1", house.user).items()}
    standing = await house.standing("e2")
    found: Table = Counter()
    for number in range(messages):
        suffix = chance.choice([*mine])
        before = house.portal.refused.copy()
        await house.gets("e1", suffix, twisted(chance, mine[suffix], ONE))
        (reason,) = [*(house.portal.refused - before)] or ["believed"]
        found[suffix, reason] += 1
        if number % 500 == 499:
            assert await house.standing("e2") == standing, f"another edge's rows by message {number}"
    assert await house.standing("e2") == standing
    await house.portal.edges()
    await house.portal.events()
    await house.portal.close()
    return found
