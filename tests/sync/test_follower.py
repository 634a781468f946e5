"""The edge's copy of the list: whole or changed, resumed after a cut, never half, never older."""

import asyncio
import sqlite3
import zlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gate_controller.allowlist import Allowlist, Change, Permit, PermitPut, User, UserPut, UserRemoved
from gate_controller.errors import ListRejected, MalformedMessage, MessageRefused, StoreError
from gate_controller.facts import VehicleLeft
from gate_controller.users import Action
from sync.codec import encode_change
from sync.follower import ASK_AGAIN_S, WRITTEN_PARTS, Follower
from sync.guard import Guard
from sync.messages import LIST_LIVES, PARTS_AHEAD, Revision, Written
from sync.packing import UNPACKED_LEN_MAX, packed
from sync.replica import GAP_WAIT_S
from sync.roots import bucket_of
from sync.store import Store
from tests.sync.portal_side import (
    EDGE,
    NONCE,
    ONLINE,
    ROOT_KEY,
    Clock,
    buckets_of,
    delta,
    head,
    keyset,
    mend,
    order,
    parts,
    root_of,
)  # fmt: skip
from tests.sync.samples import LANE, T0, open_store

PARKS = PermitPut(Permit("p0", Action.PARK, user_id="u000000"))


def users(count: int) -> list[Change]:
    return [UserPut(User(f"u{number:06}", f"x{number}")) for number in range(count)]


class Follows:
    """A follower, what it put in force, and when it last wanted to ask."""

    def __init__(self, store: Store, allowlist: Allowlist, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.in_force: list[tuple[int, datetime]] = []
        self.ask_at_latest: list[float] = []
        self.ask_next: list[float] = []
        self.guard = Guard(store, ROOT_KEY.public, EDGE, clock)
        self.list = Follower(
            store, self.guard, allowlist, self._on_list, self.ask_at_latest.append, self.ask_next.append
        )

    def _on_list(self, allowlist: Allowlist, at: datetime) -> None:
        self.in_force.append((allowlist.revision, at))

    async def consistent(self) -> None:
        """Memory, rows and root are the same list."""
        on_disk = await self.store.allowlist()
        assert {*on_disk.users()} == {*self.list.allowlist.users()}
        assert {*on_disk.permits()} == {*self.list.allowlist.permits()}
        assert on_disk.revision == self.list.allowlist.revision


async def follows(store: Store, clock: Clock | None = None) -> Follows:
    made = Follows(store, await store.allowlist(), clock or Clock())
    await made.guard.load()
    if made.guard.keyset == 0:
        await made.guard.keys(keyset(1, ONLINE))
    await made.list.load()
    return made


async def refused(reason: str, asked: Awaitable[object]) -> None:
    with pytest.raises(MessageRefused) as why:
        await asked
    assert why.value.reason == reason


@pytest.fixture
async def fed(store: Store) -> Follows:
    """One that has three users at revision 5."""
    made = await follows(store)
    for part in parts(5, users(3), 2):
        await made.list.on_part(part)
    return made


async def test_a_whole_list_comes_in_parts_and_is_in_force_at_once(fed: Follows) -> None:
    assert fed.list.have == Revision("e1", 5)
    assert fed.in_force == [(5, T0)]
    assert fed.ask_at_latest == [0.0]  # what came after it
    assert not fed.list.stale
    await fed.consistent()


async def test_a_change_is_written_and_in_force_if_the_root_is_right(fed: Follows) -> None:
    more = [UserPut(User("u9", "x9")), PermitPut(Permit("p9", Action.PARK, user_id="u9"))]
    await fed.list.on_delta(delta(5, 6, more, root_of([*users(3), *more])))
    await fed.consistent()
    gone = [UserRemoved("u9"), UserRemoved("u000000")]
    await fed.list.on_delta(delta(6, 8, gone, root_of(users(3)[1:])))
    await fed.consistent()
    assert [revision for revision, _ in fed.in_force] == [5, 6, 8]


async def test_what_is_already_known_changes_nothing(fed: Follows) -> None:
    await refused("replayed", fed.list.on_delta(delta(4, 5, users(1))))
    await refused("replayed", fed.list.on_part(parts(5, users(3), 2)[0]))
    await refused("rolled_back", fed.list.on_part(parts(4, users(2), 2)[0]))
    await fed.consistent()
    assert fed.in_force == [(5, T0)]


async def test_who_asks_says_which_keys_are_believed(fed: Follows) -> None:
    assert fed.list.question().keyset == 1
    await fed.guard.keys(keyset(2, ONLINE))
    assert fed.list.question().keyset == 2


async def test_a_wrong_root_leaves_the_list_as_it_is_and_asks_what_differs(fed: Follows, path: Path) -> None:
    await refused("root_mismatch", fed.list.on_delta(delta(5, 6, [UserPut(User("u9", "x9"))], root_of(users(3)))))
    await fed.consistent()
    assert fed.list.have == Revision("e1", 5)
    asked = fed.list.question()
    assert (asked.whole, asked.buckets) == (False, buckets_of(users(3)).short)
    assert fed.ask_at_latest[-1] == GAP_WAIT_S
    # What differs may be too much for one message: then the answer is the whole list.
    for part in parts(5, users(4), 2):
        await fed.list.on_part(part)
    asked = fed.list.question()
    assert (asked.whole, asked.buckets) == (False, None)
    await fed.consistent()
    assert len([*fed.list.allowlist.users()]) == 4


async def test_what_a_key_has_signed_is_on_the_disk_with_what_follows_from_it(fed: Follows) -> None:
    await fed.list.on_delta(
        delta(5, 6, [UserPut(User("u9", "x9"))], root_of([*users(3), UserPut(User("u9", "x9"))]))
    )
    assert (await fed.store.marks())[ONLINE.kid].rev == 6
    await refused("root_mismatch", fed.list.on_delta(delta(6, 7, [UserRemoved("u9")], root_of(users(2)))))
    assert (await fed.store.marks())[ONLINE.kid].rev == 7
    await fed.guard.order(order(5), NONCE)
    await refused("list_rejected", fed.list.on_delta(delta(6, 8, [UserPut(User("other", "x0"))], "f" * 64)))
    mark = (await fed.store.marks())[ONLINE.kid]
    assert (mark.rev, mark.cseq) == (8, 5)


async def test_drift_is_found_by_the_hourly_word_and_by_a_head(fed: Follows) -> None:
    await refused("root_mismatch", fed.list.on_delta(delta(5, 5, [], root_of(users(2)))))
    assert fed.list.question().buckets
    await fed.list.on_delta(delta(5, 5, [], root_of(users(3))))
    assert not fed.list.question().buckets
    await fed.list.on_head(head(5, root=root_of(users(2))))
    assert fed.list.question().buckets
    assert not fed.list.question().whole


# ---- what differs ----


async def test_what_differs_is_put_in_place_and_in_force(fed: Follows) -> None:
    other = [*users(2), UserPut(User("u000002", "called anew")), UserPut(User("u9", "x9")), PARKS]
    await fed.list.on_head(head(5, root=root_of(other)))
    short = fed.list.question().buckets
    assert short is not None
    differing = sorted(buckets_of(other).differing(short))
    assert len(differing) == 3
    await fed.list.on_mend(mend(7, other, differing))
    await fed.consistent()
    assert fed.in_force[-1] == (7, T0)
    assert {*fed.list.allowlist.users()} == {change.user for change in other if isinstance(change, UserPut)}
    assert await fed.store.list_root() == root_of(other)
    assert fed.ask_at_latest[-1] == 0.0, "what came after it"
    assert fed.list.question().buckets is None
    await fed.list.on_delta(delta(7, 8, [UserRemoved("u9")], root_of([*other[:3], PARKS])))
    await fed.consistent()


async def test_who_is_not_in_the_portal_s_bucket_leaves_and_the_id_is_given_to_nobody(fed: Follows) -> None:
    await fed.list.on_head(head(5, root=root_of(users(2))))
    await fed.list.on_mend(mend(5, users(2), [bucket_of("user", b"u000002")]))
    assert {user.id for user in fed.list.allowlist.users()} == {"u000000", "u000001"}
    for held in (fed.list.allowlist, await fed.store.allowlist()):
        with pytest.raises(ListRejected, match="immutable_id"):
            held.apply([UserPut(User("u000002", "another"))], 8)


async def test_what_nobody_asked_for_or_is_older_or_of_another_list_is_refused(fed: Follows) -> None:
    every = [*range(256)]
    await refused("unasked", fed.list.on_mend(mend(5, users(4), every)))
    await fed.list.on_head(head(5, root=root_of(users(4))))
    await refused("rolled_back", fed.list.on_mend(mend(4, users(4), every)))
    await refused("unasked", fed.list.on_mend(mend(6, users(4), every, epoch="another")))
    assert fed.list.question().buckets
    await fed.consistent()
    await fed.list.on_mend(mend(6, users(4), every))
    assert len([*fed.list.allowlist.users()]) == 4
    await refused("unasked", fed.list.on_mend(mend(6, users(4), every)))


@pytest.mark.parametrize(
    ("reason", "other"),
    [
        ("root_mismatch", {"root": "f" * 64}),
        ("root_mismatch", {"ops": []}),
        ("malformed", {"ops": [msgspec.Raw(b'{"op": "conquer"}')]}),
        ("list_rejected", {"ops": [encode_change(UserRemoved("u000000"))]}),
        ("list_rejected", {"ops": [encode_change(UserPut(User("u000000", "x1")))]}),
    ],
)
async def test_where_that_does_not_do_the_whole_list_is_asked_for(
    fed: Follows, reason: str, other: dict[str, Any]
) -> None:
    await fed.list.on_head(head(5, root=root_of(users(4))))
    bucket = bucket_of("user", b"u000000")
    await refused(reason, fed.list.on_mend(mend(6, users(4), [bucket], **other)))
    asked = fed.list.question()
    assert (asked.whole, asked.buckets) == (True, None)
    assert fed.list.have == Revision("e1", 5)
    await fed.consistent()
    await refused("unasked", fed.list.on_mend(mend(6, users(4), [*range(256)])))
    for part in parts(6, users(4), 2):
        await fed.list.on_part(part)
    await fed.consistent()


async def test_news_does_not_end_the_wait_for_what_differs_but_no_answer_at_all_does(fed: Follows) -> None:
    await fed.list.on_head(head(5, root=root_of(users(4))))
    await refused("root_mismatch", fed.list.on_delta(delta(5, 6, [UserRemoved("u9")], root_of(users(4)))))
    assert not fed.list.question().whole
    await refused("root_mismatch", fed.list.on_delta(delta(5, 5, [], root_of(users(4)))))
    assert fed.list.question().whole


def rot(what: str) -> Callable[[sqlite3.Connection], object]:
    """A disk changes a row by itself: `u000001`'s."""
    own = " WHERE kind = 'user' AND key = 'u000001'"
    statements = {
        "another name": "UPDATE list_entry SET body = replace(body, 'x1', 'y1')" + own,
        "a name that somebody has": "UPDATE list_entry SET body = replace(body, 'x1', 'x2')" + own,
        "another id": "UPDATE list_entry SET body = replace(body, 'u000001', 'u000002')" + own,
        "another key": "UPDATE list_entry SET key = 'u000099'" + own,
        "no JSON": "UPDATE list_entry SET body = replace(body, '{', '(')" + own,
        "no text": "UPDATE list_entry SET body = CAST(x'ff00fe' AS TEXT)" + own,
        "a key that is no text": "UPDATE list_entry SET key = CAST(x'75ff00' AS TEXT)" + own,
        "no name": "UPDATE list_entry SET body = replace(body, 'external_id', 'extermal_id')" + own,
        "gone": "DELETE FROM list_entry" + own,
    }
    return lambda db: db.execute(statements[what])


ROT = [
    "another name", "a name that somebody has", "another id", "another key", "no JSON", "no text",
    "a key that is no text", "no name", "gone",
]  # fmt: skip


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("what", ROT)
async def test_a_disk_that_rotted_is_found_at_the_start_and_mended(
    path: Path, what: str, whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    store = await open_store(path)
    first = await follows(store)
    for part in parts(5, users(40), 20):
        await first.list.on_part(part)
    await store._database.run(lambda: rot(what)(store._database.sql))
    await store.close()
    store = await open_store(path)
    again = await follows(store)
    assert len([*again.list.allowlist.users()]) >= 39, "nobody else is shut out"
    assert "not what was written" in again.list.trouble
    assert "ERROR" in [record.levelname for record in caplog.records if "not what was written" in record.message]
    # No change hides it, and what was confirmed is asked for.
    more = UserPut(User("u90", "x90"))
    await refused("root_mismatch", again.list.on_delta(delta(5, 6, [more], root_of([*users(40), more]))))
    short = again.list.question().buckets
    assert short is not None
    differing = sorted(buckets_of([*users(40), more]).differing(short))
    assert 2 <= len(differing) <= 3
    if whole:
        for part in parts(6, [*users(40), more], 20):
            await again.list.on_part(part)
        await swept(again)
    else:
        await again.list.on_mend(mend(6, [*users(40), more], differing))
    assert again.list.trouble == ""
    await again.consistent()
    assert {user.id for user in again.list.allowlist.users()} == {f"u{n:06}" for n in range(40)} | {"u90"}
    await again.list.on_delta(delta(6, 7, [UserRemoved("u000001")], root_of([users(1)[0], *users(40)[2:], more])))
    await store.close()
    store = await open_store(path)
    assert (await follows(store)).list.trouble == ""
    await store.close()


async def test_a_sound_disk_says_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = await open_store(path)
    first = await follows(store)
    for part in parts(5, [*users(40), PARKS], 20):
        await first.list.on_part(part)
    await first.list.on_delta(delta(5, 6, [UserRemoved("u000001")], root_of([users(1)[0], *users(40)[2:], PARKS])))
    await store.close()
    store = await open_store(path)
    again = await follows(store)
    assert (again.list.trouble, again.list.question().buckets) == ("", None)
    assert not caplog.records
    await store.close()


async def test_nothing_waits_for_the_look_at_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.list_rows.SUM_ROWS", 1)
    store = await open_store(path)
    first = await follows(store)
    for part in parts(5, users(300), 100):
        await first.list.on_part(part)
    done: list[str] = []

    async def look() -> None:
        await first.list.load()
        done.append("looked")

    task = asyncio.ensure_future(look())
    await asyncio.sleep(0)
    for _ in range(3):
        await store.append([(T0, VehicleLeft(LANE))])
        done.append("row")
    await task
    assert done == ["row", "row", "row", "looked"], "rows come between the slices"
    await store.close()


async def test_a_list_cut_off_goes_on_where_it_was(path: Path) -> None:
    sent = parts(7, users(40), 2)
    store = await open_store(path)
    first = await follows(store)
    for part in sent[: PARTS_AHEAD + 3]:
        await first.list.on_part(part)
    await refused("replayed", first.list.on_part(sent[0]))
    await first.list.on_part(sent[PARTS_AHEAD + 5])  # not yet
    first.list.question()
    assert first.list.question().written == Written("e1", 7, PARTS_AHEAD + 3)
    await store.close()
    store = await open_store(path)
    again = await follows(store)
    assert again.list.question().written == Written("e1", 7, PARTS_AHEAD + 2), "those written go together"
    assert again.in_force == []
    for part in sent[PARTS_AHEAD + 2 :]:
        await again.list.on_part(part)
    assert again.in_force == [(7, T0)]
    await again.consistent()
    await store.close()


async def test_the_next_parts_travel_while_those_before_them_are_read(fed: Follows) -> None:
    """Asked for once each, with the first part of those before; a question out of its turn asks for what lacks."""
    sent, asked = parts(7, users(3 * PARTS_AHEAD - 2), 1), []
    for number, part in enumerate(sent):
        before = len(fed.ask_at_latest)
        await fed.list.on_part(part)
        if len(fed.ask_at_latest) > before and number + 1 < len(sent):
            written = fed.list.question().written
            asked.append((number, written and written.next))
        if number == PARTS_AHEAD + 2:
            # Nobody answered.
            assert fed.list.question().written == Written("e1", 7, PARTS_AHEAD + 3)
    assert asked == [
        (0, PARTS_AHEAD), (PARTS_AHEAD, 2 * PARTS_AHEAD), (PARTS_AHEAD + 3, 2 * PARTS_AHEAD),
    ]  # fmt: skip
    await fed.consistent()


async def test_a_question_that_waits_for_its_turn_is_not_put_off(fed: Follows) -> None:
    sent = parts(7, users(3 * PARTS_AHEAD), 1)
    await fed.list.on_part(sent[0])
    fed.ask_next.clear()
    for part in sent[1:4]:
        await fed.list.on_part(part)
    assert fed.ask_next == []
    assert fed.list.question().written == Written("e1", 7, PARTS_AHEAD)
    await fed.list.on_part(sent[4])
    assert fed.ask_next == [ASK_AGAIN_S]


async def test_a_newer_list_is_asked_for_from_its_beginning_on(fed: Follows) -> None:
    for number, part in enumerate(parts(6, users(3 * PARTS_AHEAD), 1)[: PARTS_AHEAD + 2]):
        await fed.list.on_part(part)
        if number % PARTS_AHEAD == 0:
            fed.list.question()
    fed.ask_at_latest.clear()
    await fed.list.on_part(parts(7, users(2 * PARTS_AHEAD), 1)[0])
    assert fed.ask_at_latest == [0.0]
    assert fed.list.question().written == Written("e1", 7, PARTS_AHEAD)


async def test_a_part_that_does_not_unpack_changes_nothing(fed: Follows) -> None:
    await fed.list.on_part(parts(6, users(8), 2)[0])
    for data in (b"", b"x", zlib.compress(b"{}"), zlib.compress(b"[7"), zlib.compress(bytes(UNPACKED_LEN_MAX + 1))):
        with pytest.raises(MalformedMessage, match="packed: "):
            await fed.list.on_part(parts(6, users(8), 2, packed=data)[1])
    for part in parts(6, users(8), 2)[1:]:
        await fed.list.on_part(part)
    await fed.consistent()


async def test_a_power_cut_before_the_swap_costs_no_part(path: Path) -> None:
    sent = parts(7, users(6), 2)
    store = await open_store(path)
    first = await follows(store)
    await store._database.run(
        lambda: store._database.sql.execute(
            "CREATE TEMP TRIGGER cut BEFORE INSERT ON list_cursor BEGIN SELECT RAISE(ABORT, 'power'); END"
        )
    )
    for part in sent[:2]:
        await first.list.on_part(part)
    with pytest.raises(Exception, match="power"):
        await first.list.on_part(sent[2])
    assert first.in_force == []
    await store.close()
    store = await open_store(path)
    again = await follows(store)
    assert again.list.question().written == Written("e1", 7, 3)
    await again.list.on_part(sent[2])
    await again.consistent()
    await store.close()


async def test_a_list_that_is_not_what_was_promised_is_thrown_away(fed: Follows) -> None:
    for part in parts(6, users(5), 2, root="f" * 64)[:-1]:
        await fed.list.on_part(part)
    await refused("root_mismatch", fed.list.on_part(parts(6, users(5), 2, root="f" * 64)[-1]))
    assert fed.list.have == Revision("e1", 5)
    assert fed.ask_next[-1] == ASK_AGAIN_S
    assert await _rows(fed.store) == 3 + 5
    await swept(fed)
    await fed.consistent()
    twice = [*users(2), UserPut(User("other", "x1"))]
    await refused("list_rejected", fed.list.on_part(parts(6, twice, 5)[0]))
    await fed.consistent()
    assert await _rows(fed.store) == 3


async def swept(fed: Follows) -> None:
    """What runs beside has taken away what is left of other lists, and nothing else."""
    task = asyncio.ensure_future(fed.list.sweep())
    while await _rows(fed.store) > len([*fed.list.allowlist.users()]):
        await asyncio.sleep(0.01)
    task.cancel()


async def _rows(store: Store) -> int:
    found = await store._database.run(
        lambda: store._database.sql.execute("SELECT count(*) FROM list_entry").fetchone()
    )
    return int(found[0])


async def test_a_whole_list_in_parts_forgets_no_id(fed: Follows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.cached_list.LOOK_ROWS", 1)
    await fed.list.on_delta(delta(5, 6, [UserRemoved("u000000")], root_of(users(3)[1:])))
    for part in parts(7, users(5)[2:], 2):
        await fed.list.on_part(part)
    await swept(fed)
    assert await _rows(fed.store) == 3
    for held in (fed.list.allowlist, await fed.store.allowlist()):
        assert {user.id for user in held.users()} == {"u000002", "u000003", "u000004"}
        for user_id in ("u000000", "u000001"):
            with pytest.raises(ListRejected, match="immutable_id"):
                held.apply([UserPut(User(user_id, "another"))], 8)
    for part in parts(8, [*users(2), UserPut(User("u000002", "called anew"))], 2):
        await fed.list.on_part(part)
    await fed.consistent()


async def test_a_part_that_cannot_be_read_is_told_and_a_mended_list_heals(
    fed: Follows, caplog: pytest.LogCaptureFixture
) -> None:
    sent = parts(6, users(8), 2)
    conquer = msgspec.Raw(b'{"op": "conquer"}')
    spoilt = parts(6, users(8), 2, root="f" * 64, packed=packed([conquer]))
    for wait_s in (ASK_AGAIN_S, 2 * ASK_AGAIN_S, 4 * ASK_AGAIN_S):
        await refused("malformed", fed.list.on_part(spoilt[0]))
        assert fed.ask_next[-1] == wait_s
        asked = len(fed.ask_at_latest)
        await fed.list.on_part(spoilt[1])
        assert len(fed.ask_at_latest) == asked, "the rest of the parts is no reason to ask sooner"
        assert "ops[0]: Invalid value 'conquer'" in fed.list.trouble
        assert fed.list.question().written is None
    assert [record.levelname for record in caplog.records if "cannot be used" in record.message] == ["ERROR"]
    for part in sent:
        await fed.list.on_part(part)
    assert fed.list.trouble == ""
    await fed.consistent()


async def test_a_clock_a_day_ahead_is_told_and_asks_ever_more_rarely(
    fed: Follows, caplog: pytest.LogCaptureFixture
) -> None:
    """Every part is over when it comes. Asking for it all again every half minute would not make it younger."""
    fed.clock.wall += timedelta(days=1)
    await fed.list.on_delta(delta(7, 8))
    for wait_s in (ASK_AGAIN_S, 2 * ASK_AGAIN_S, 4 * ASK_AGAIN_S):
        fed.list.question()
        asked = len(fed.ask_next)
        for part in parts(6, users(8), 2):
            await refused("expired", fed.list.on_part(part))
        assert fed.ask_next[asked:] == [wait_s], "once for each question"
        assert "is this edge's clock ahead?" in fed.list.trouble
        assert "expired" in fed.list.trouble
    await fed.list.on_delta(delta(7, 8))
    assert fed.ask_at_latest[-1] == ASK_AGAIN_S, "news is no reason to ask at once"
    assert [record.levelname for record in caplog.records if "this edge's clock" in record.message] == ["ERROR"]
    fed.clock.wall -= timedelta(days=1)
    for part in parts(6, users(8), 2):
        await fed.list.on_part(part)
    assert fed.list.trouble == ""
    await fed.consistent()


async def test_a_word_that_is_over_when_it_comes_confirms_and_tells_of_the_clock(fed: Follows) -> None:
    root = root_of(users(3))
    fed.clock.wall += timedelta(days=1)
    await fed.list.on_delta(delta(5, 5, [], root, iat=T0 + timedelta(hours=1)))
    assert fed.list.stale
    assert "clock ahead?" in fed.list.trouble
    assert len(fed.list.trouble) <= 200
    fed.clock.wall -= timedelta(days=1)
    await fed.list.on_head(head(5, root=root, iat=T0 + timedelta(hours=1)))
    assert (fed.list.stale, fed.list.trouble) == (False, "")


async def test_an_old_part_that_nobody_asked_for_says_nothing_of_the_clock(fed: Follows) -> None:
    await refused("expired", fed.list.on_part(parts(9, users(8), 2, iat=T0 - timedelta(days=1))[0]))
    assert fed.list.trouble == ""


async def test_a_newer_whole_list_takes_the_place_of_one_on_its_way(fed: Follows) -> None:
    old, new = parts(6, users(6), 2), parts(7, users(8), 2)
    await fed.list.on_part(old[0])
    await fed.list.on_part(new[0])
    await refused("rolled_back", fed.list.on_part(old[0]))
    for part in new[1:]:
        await fed.list.on_part(part)
    await fed.consistent()
    await swept(fed)
    await fed.consistent()
    assert await _rows(fed.store) == 8


async def test_news_of_more_is_asked_for(fed: Follows) -> None:
    before = len(fed.ask_at_latest)
    await fed.list.on_head(head(6))
    await fed.list.on_delta(delta(7, 8))
    await fed.list.on_delta(delta(0, 1, era=2))
    assert fed.ask_at_latest[before:] == [GAP_WAIT_S] * 3
    await fed.consistent()


async def test_a_list_that_nobody_confirms_grows_stale_also_over_a_restart(path: Path) -> None:
    clock = Clock()
    store = await open_store(path)
    made = await follows(store, clock)
    assert made.list.stale
    await made.list.on_part(parts(1, users(1), 1)[0])
    root = root_of(users(1))
    clock.passes(LIST_LIVES.total_seconds() - 1)
    assert not made.list.stale
    clock.passes(1)
    assert made.list.stale
    # An old word, sent again, confirms nothing.
    await refused("expired", made.list.on_head(head(1, root=root)))
    with pytest.raises(MessageRefused, match="replayed"):
        await made.list.on_delta(delta(1, 1, [], root, iat=T0 - timedelta(seconds=1)))
    assert made.list.stale
    await made.list.on_head(head(1, root=root, iat=clock.wall))
    assert not made.list.stale
    await store.close()
    store = await open_store(path)
    made = await follows(store, clock)
    assert made.list.stale
    await made.list.on_delta(delta(1, 1, [], root, iat=clock.wall))
    assert not made.list.stale
    assert made.in_force == [(1, clock.wall)]
    await store.close()


async def test_the_journal_takes_turns_with_a_long_list(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the list writes lies in short transactions, with room for the journal between any two of them."""
    made = await follows(store)
    sent = parts(1, users(40_000), 1600)
    turns: list[str] = []
    write = store._write

    async def write_and_tell(call: Any, *args: Any) -> Any:
        done = await write(call, *args)
        turns.append(call.__name__)
        return done

    monkeypatch.setattr(store, "_write", write_and_tell)

    async def journal() -> None:
        while True:
            await store.append([(T0, VehicleLeft(LANE))])

    task = asyncio.ensure_future(journal())
    for part in sent:
        await made.list.on_part(part)
    task.cancel()
    assert made.in_force == [(1, T0)]
    journals = turns.count("append")
    lists = len(turns) - journals
    assert lists >= len(sent) // WRITTEN_PARTS
    assert journals >= lists // 2


async def test_a_disk_that_refuses_behind_the_back_of_the_reader_is_told_and_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, cut = await follows(store), parts(5, users(3 * PARTS_AHEAD), 1)
    add_parts = store.add_parts

    async def full(*_: object) -> None:
        raise StoreError("no space left on the disk")

    monkeypatch.setattr(store, "add_parts", full)
    for part in cut[:WRITTEN_PARTS]:
        await made.list.on_part(part)
    made.list.question()
    assert made.list.question().written == Written("e1", 5, WRITTEN_PARTS)
    monkeypatch.setattr(store, "add_parts", add_parts)
    for part in cut[WRITTEN_PARTS : 2 * WRITTEN_PARTS - 1]:
        await made.list.on_part(part)
    with pytest.raises(StoreError, match="no space"):
        await made.list.on_part(cut[2 * WRITTEN_PARTS - 1])
    assert made.list.question().written is None
    for part in cut:
        await made.list.on_part(part)
    assert made.in_force == [(5, T0)]
    await made.consistent()


async def test_parts_of_a_newer_list_are_not_held_up_by_those_of_an_older_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, add_parts = await follows(store), store.add_parts

    async def full(*_: object) -> None:
        raise StoreError("no space left on the disk")

    monkeypatch.setattr(store, "add_parts", full)
    for part in parts(5, users(2 * WRITTEN_PARTS), 1)[:WRITTEN_PARTS]:
        await made.list.on_part(part)
    monkeypatch.setattr(store, "add_parts", add_parts)
    for part in parts(6, users(3), 1):
        await made.list.on_part(part)
    assert made.in_force == [(6, T0)]
    await made.consistent()
