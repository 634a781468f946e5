"""Messages to an edge, from somebody who owns the broker, and from a portal that has gone mad.

From the first, nothing may change and each message is counted once. What the portal's own key has signed may do
what it says; then it is that nothing crashes, and that what is on the disk can be loaded again.
"""

import random
from collections import Counter
from pathlib import Path

from gate_controller.errors import SlagboomError
from sync.store import Store
from tests.fuzz.spoil import genuine, spoilt, twisted
from tests.sync.portal_side import (
    DEVICE,
    EDGE,
    ONLINE,
    ROOT_KEY,
    THIEF,
    claim_reply,
    head,
    keyset,
    left,
    mend,
    order,
)
from tests.sync.samples import T0, open_store
from tests.sync.test_portal_attacks import DAY, EVIL, HERE, NONCE, REPLAYED, Signer, Victim, a_victim, forged

Table = Counter[tuple[str, str]]
"""How many messages were refused, by topic and reason."""


async def attacked(folder: Path, chance: random.Random, messages: int) -> Table:
    """Forged, replayed, stale, oversized and malformed messages. AssertionError for one that did anything."""
    store = await open_store(folder / "edge.db")
    try:
        return await _attacked(await a_victim(store), chance, messages)
    finally:
        await store.close()


async def _attacked(victim: Victim, chance: random.Random, messages: int) -> Table:
    strangers = [THIEF, DEVICE, Signer(THIEF.key, ONLINE.kid), Signer(THIEF.key, ROOT_KEY.kid)]
    stolen = [
        payload
        for by in strangers
        for payload in (*forged(by).values(), claim_reply("in-1", 7, by=by), left("in-1", by=by))
    ]
    elsewhere = [order(11, nonce=NONCE, aud="t/s/e2"), order(11, nonce="x"), head(9, era=2, iat=T0 - DAY)]
    elsewhere += [head(9, era=2, aud="t/other"), keyset(9, THIEF, aud="t/other"), left("in-1", aud="t/s/e2")]
    elsewhere += [
        order(11, nonce=NONCE, iat=T0 - DAY),
        order(11, nonce=NONCE, exp=T0 + DAY),
        mend(4, HERE, [], era=2),
    ]
    stock = [*stolen, *elsewhere, *REPLAYED.values(), b"{}", b"[]", b"\xff", b"", b'{"kid":"x","sig":"","body":{}}']
    real = [*forged(ONLINE).values(), claim_reply("in-1", 7), left("in-1"), mend(9, EVIL, [*range(256)], era=2)]
    topics = [*victim.link._handlers, EDGE.topic("nonsense"), "slagboom/1/t/other/keys", EDGE.topic("state")]
    found: Table = Counter()
    standing = await victim.standing()
    sent = 0
    while sent < messages:
        kind = chance.random()
        if kind < 0.3:
            payload = chance.choice(stock)
        elif kind < 0.6:
            payload = twisted(chance, chance.choice(real), chance.choice(strangers))
        else:
            payload = spoilt(chance, chance.choice([*stock, *real]))
            if genuine(payload, [ONLINE, ROOT_KEY]):
                continue
        sent += 1
        topic = chance.choice(topics)
        before = victim.link.refused.copy()
        await victim.gets(topic, payload, chance.random() < 0.1)
        (new,) = (victim.link.refused - before).items()
        assert new[1] == 1, f"{topic}: counted {new}: {payload[:300]!r}"
        found[topic.rpartition("/e1/")[2].removeprefix("slagboom/1/t/s/"), new[0]] += 1
        if sent % 500 == 0:
            assert await victim.standing() == standing, f"changed by one of the last 500 before message {sent}"
    assert await victim.standing() == standing
    return found


async def maddened(folder: Path, chance: random.Random, messages: int) -> Table:
    """Bodies with twisted fields, signed by the portal's own key. Anything may be refused; nothing may crash."""
    path = folder / "mad.db"
    store = await open_store(path)
    victim = await a_victim(store)
    topics = {"keys": ROOT_KEY}
    real = [(topic, payload) for topic, payload in _by_topic().items()]
    found: Table = Counter()
    for number in range(messages):
        name, payload = chance.choice(real)
        before = victim.link.refused.copy()
        topic = EDGE.site_topic(name) if name in ("keys", "list/head") else EDGE.topic(name)
        try:
            await victim.gets(topic, twisted(chance, payload, topics.get(name, ONLINE)))
        except SlagboomError as error:
            found[name, type(error).__name__] += 1
            continue
        (reason,) = [*(victim.link.refused - before)] or ["believed"]
        found[name, reason] += 1
        if number % 200 == 199:
            # A mad key set or revision shuts everything out that follows; begin anew.
            await store.close()
            await (await Store.open(path, lambda: "L2")).close()
            path = folder / f"mad{number}.db"
            store = await open_store(path)
            victim = await a_victim(store)
    await store.close()
    return found


def _by_topic() -> dict[str, bytes]:
    own = forged(ONLINE)
    return {
        "keys": keyset(9, ONLINE),
        "list/head": own["head"],
        "list/delta": own["delta"],
        "list/part": own["part"],
        "list/mend": mend(9, EVIL, [*range(256)], era=2),
        "cmd": own["cmd"],
        "ev/ack": own["ack"],
        "claim/r": claim_reply("in-1", 7),
        "claim/left": left("in-1"),
    }
