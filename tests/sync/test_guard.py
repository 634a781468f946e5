"""What an edge believes of what the portal signed, when somebody else decides what arrives and in which order."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import MessageRefused
from sync.guard import Guard
from sync.messages import ListDelta
from sync.store import Store
from tests.sync.portal_side import (
    EDGE,
    NEXT,
    NONCE,
    ONLINE,
    OPEN,
    ROOT_KEY,
    THIEF,
    Clock,
    claim_reply,
    delta,
    head,
    keyset,
    left,
    order,
    parts,
)  # fmt: skip
from tests.sync.samples import T0, open_store

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def guard(store: Store, clock: Clock) -> Guard:
    return await a_guard(store, clock)


async def a_guard(store: Store, clock: Clock) -> Guard:
    guard = Guard(store, ROOT_KEY.public, EDGE, clock)
    await guard.load()
    if guard.keyset == 0:
        await guard.keys(keyset(1, ONLINE))
    return guard


async def refused(reason: str, asked: Awaitable[object]) -> None:
    with pytest.raises(MessageRefused) as why:
        await asked
    assert why.value.reason == reason


async def noted(guard: Guard, payload: bytes) -> ListDelta:
    seen = guard.read_delta(payload)
    await guard.note(seen)
    return seen.delta


# ---- keys ----


async def test_nothing_counts_before_the_first_key_set(store: Store, clock: Clock) -> None:
    guard = Guard(store, ROOT_KEY.public, EDGE, clock)
    await guard.load()
    await refused("unknown_key", guard.head(head(1)))
    await refused("unknown_key", guard.order(order(1), NONCE))
    await refused("unknown_key", guard.keys(keyset(1, THIEF, by=THIEF)))
    await refused("unknown_key", guard.keys(keyset(1, THIEF, by=ONLINE)))


async def test_rotation_shuts_the_old_key_out_for_good(path: Path, clock: Clock) -> None:
    store = await open_store(path)
    guard = await a_guard(store, clock)
    await guard.head(head(1))
    assert await guard.keys(keyset(2, NEXT))
    await store.close()
    store = await open_store(path)
    guard = await a_guard(store, clock)
    assert guard.keyset == 2
    await refused("unknown_key", guard.head(head(2)))
    await refused("unknown_key", guard.order(order(1), NONCE))
    await refused("rolled_back", guard.keys(keyset(1, ONLINE)))
    assert not await guard.keys(keyset(2, NEXT))
    await guard.head(head(1, by=NEXT))
    await store.close()


async def test_a_stolen_key_cannot_block_its_successor(guard: Guard, clock: Clock) -> None:
    far = T0 + 9000 * DAY
    await guard.head(head(2**53, era=2**53, iat=far))
    await refused("expired", guard.head(head(5)))
    await guard.keys(keyset(2, NEXT))
    await guard.head(head(5, by=NEXT))
    await guard.order(order(1, by=NEXT), NONCE)
    assert guard.now() == T0


async def test_a_key_set_of_another_anchor_does_not_survive_a_restart(store: Store, clock: Clock) -> None:
    await a_guard(store, clock)
    other = Guard(store, THIEF.public, EDGE, clock)
    await other.load()
    assert other.keyset == 0


async def test_an_expired_or_misaddressed_key_set_is_refused(guard: Guard) -> None:
    await refused("expired", guard.keys(keyset(2, NEXT, exp=T0)))
    await refused("wrong_audience", guard.keys(keyset(2, NEXT, aud="t/other")))
    assert guard.keyset == 1


# ---- lists ----


async def test_nothing_goes_back_behind_the_newest_list(path: Path, clock: Clock) -> None:
    store = await open_store(path)
    guard = await a_guard(store, clock)
    await guard.head(head(7, era=2))
    await store.close()
    store = await open_store(path)
    guard = await a_guard(store, clock)
    await guard.head(head(7, era=2))
    for older in (head(6, era=2), head(99, era=1)):
        await refused("rolled_back", guard.head(older))
    await refused("rolled_back", noted(guard, delta(7, 8, era=1)))
    await refused("rolled_back", guard.part(parts(99, [], 1, era=1)[0]))
    # Older revisions of this era lead onward: an edge may be behind.
    assert (await noted(guard, delta(5, 6, era=2))).to == 6
    assert (await guard.part(parts(5, [], 1, era=2)[0])).rev == 5
    await guard.head(head(1, era=3))
    await store.close()


async def test_what_is_over_or_of_another_kind_or_site_is_refused(guard: Guard, clock: Clock) -> None:
    old = T0 - DAY
    await refused("expired", guard.head(head(1, iat=old)))
    await refused("expired", guard.part(parts(1, [], 1, iat=old)[0]))
    assert (await noted(guard, delta(0, 1, iat=old))).to == 1
    await refused("wrong_kind", guard.head(delta(0, 1)))
    await refused("wrong_kind", noted(guard, order(1)))
    await refused("wrong_audience", guard.head(head(1, aud="t/other")))
    await refused("oversized", guard.head(head(1, root="x" * 5000)))
    await refused("oversized", guard.part(parts(1, [], 1, root="x" * 70_000)[0]))


# ---- orders ----


async def test_an_order_is_carried_out_once_also_after_a_restart(path: Path, clock: Clock) -> None:
    store = await open_store(path)
    guard = await a_guard(store, clock)
    assert (await guard.order(order(5), NONCE)).ask == OPEN
    await refused("replayed", guard.order(order(5), NONCE))
    await refused("replayed", guard.order(order(4), NONCE))
    await refused("replayed", guard.order(order(6, cmd_id="c5"), NONCE))
    await store.close()
    store = await open_store(path)
    guard = await a_guard(store, clock)
    await refused("replayed", guard.order(order(5), NONCE))
    await refused("replayed", guard.order(order(6), NONCE))
    await guard.order(order(7), NONCE)
    await store.close()


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        ("wrong_nonce", order(1, nonce="boot-0")),
        ("wrong_audience", order(1, aud="t/s/e2")),
        ("wrong_audience", order(1, aud="t/s")),
        ("expired", order(1, iat=T0 - 10 * SECOND)),
        ("not_yet", order(1, iat=T0 + 11 * SECOND)),
        ("too_long_lived", order(1, exp=T0 + 11 * SECOND)),
        ("unknown_key", order(1, by=THIEF)),
        ("wrong_kind", head(1, aud=EDGE.audience)),
        ("malformed", order(1, ask=7)),
        ("malformed", order(1, ask={"type": "lane", "lane": "a", "kind": "close_boom", "by": "x", "reason": "y"})),
        ("malformed", order(1, ask={"type": "lane", "lane": "a", "kind": "open", "by": "x", "reason": ""})),
    ],
)
async def test_no_other_order_is_carried_out(guard: Guard, reason: str, sent: bytes) -> None:
    await refused(reason, guard.order(sent, NONCE))
    await guard.order(order(1), NONCE)


async def test_an_order_that_the_disk_held_up_is_void_and_stays_so(
    guard: Guard, clock: Clock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = store.execute

    async def slow(*args: Any) -> bool:
        clock.passes(10)
        return await execute(*args)

    monkeypatch.setattr(store, "execute", slow)
    await refused("expired", guard.order(order(1), NONCE))
    clock.wall = T0
    await refused("replayed", guard.order(order(1), NONCE))


# ---- time ----


async def test_a_clock_that_lost_its_battery_revives_no_order_and_carries_none_out(
    path: Path, clock: Clock
) -> None:
    store = await open_store(path)
    guard = await a_guard(store, clock)
    await guard.head(head(1))
    await store.close()
    clock.wall = datetime(1970, 1, 1, tzinfo=UTC)
    store = await open_store(path)
    guard = await a_guard(store, clock)
    assert guard.now() == T0
    clock.passes(3600)
    assert guard.now() == T0 + timedelta(hours=1)
    await refused("not_yet", guard.order(order(1), NONCE))
    await refused("not_yet", guard.order(order(2, iat=T0 + timedelta(hours=1)), NONCE))
    await store.close()


async def test_a_clock_a_day_ahead_leaves_no_trace_once_it_is_right(guard: Guard, clock: Clock) -> None:
    clock.wall += DAY
    await refused("expired", guard.head(head(1)))
    assert (await noted(guard, delta(0, 1))).to == 1
    clock.wall -= DAY
    assert guard.now() == T0
    await guard.head(head(2))
    await guard.order(order(1), NONCE)


async def test_lists_are_followed_under_a_clock_a_day_behind_and_no_order_is(guard: Guard, clock: Clock) -> None:
    clock.wall -= DAY
    await refused("not_yet", guard.order(order(1), NONCE))
    assert guard.trouble == ""
    await noted(guard, delta(0, 0))
    assert guard.now() == T0
    assert guard.trouble.startswith("this edge's clock is 1440 min behind what the portal signed")
    await refused("not_yet", guard.order(order(1), NONCE))
    clock.wall = T0
    assert guard.trouble == ""
    await guard.order(order(1), NONCE)


@pytest.mark.parametrize("behind_s", [500, 3600, 86_400])
@pytest.mark.parametrize("held_s", [0.1, 9.9, 10.0, 15.0, 200.0])
async def test_an_order_that_was_held_back_is_not_carried_out_under_a_clock_that_is_behind(
    guard: Guard, clock: Clock, behind_s: float, held_s: float
) -> None:
    """Whoever holds messages back by minutes makes the floor of time lag as much; no order slips in below it."""
    clock.wall -= behind_s * SECOND
    clock.passes(300.0)
    await guard.head(head(1))
    clock.passes(60.0 + held_s)
    assert guard.now() < T0 + 200 * SECOND + timedelta(seconds=held_s)
    await refused("not_yet", guard.order(order(1, iat=T0 + 360 * SECOND), NONCE))


@pytest.mark.parametrize("held_s", [10.0, 15.0, 200.0])
async def test_what_the_portal_signed_tells_an_order_s_age_where_the_clock_does_not(
    guard: Guard, clock: Clock, held_s: float
) -> None:
    clock.wall -= held_s * SECOND
    await guard.head(head(1))
    clock.passes(held_s)
    await refused("expired", guard.order(order(1), NONCE))


# ---- places ----


async def refuses(reason: str, guard: Guard, payload: bytes) -> None:
    for look in (guard.claim, guard.left):
        with pytest.raises(MessageRefused) as why:
            look(payload)
        assert why.value.reason == reason


async def test_an_answer_counts_by_its_signature_and_for_this_edge_alone(guard: Guard) -> None:
    assert guard.claim(claim_reply("in-1", 7)).fence == 7
    assert guard.left(left("in-1")).sessions == ["in-1"]
    for make in (lambda **more: claim_reply("in-1", 7, **more), lambda **more: left("in-1", **more)):
        await refuses("unknown_key", guard, make(by=THIEF))
    for payload in (claim_reply("in-1", 7, aud="t/s/e2"), claim_reply("in-1", 7, aud="t/s")):
        with pytest.raises(MessageRefused, match="t/s"):
            guard.claim(payload)
    await refuses("wrong_kind", guard, order(1))
    await refuses("bad_signature", guard, claim_reply("in-1", 7).replace(b"in-1", b"in-2"))
    await refuses("oversized", guard, left(*(["x" * 64] * 64)))


async def test_an_answer_needs_no_clock(guard: Guard, clock: Clock) -> None:
    clock.wall += 400 * DAY
    assert guard.claim(claim_reply("in-1", 7)).claim_id == "in-1"
