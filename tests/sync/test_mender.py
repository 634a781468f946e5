"""A list with some buckets of the portal's: what becomes of it, and that nothing is written on the way."""

from collections.abc import Sequence

import pytest

from gate_controller.allowlist import Change, Permit, PermitPut, User, UserPut
from gate_controller.errors import ListRejected, MalformedMessage
from gate_controller.users import Action
from sync.mender import mended, sums_of
from sync.messages import ListMend
from sync.store import Store
from tests.sync.portal_side import buckets_of, mend, said
from tests.sync.samples import T0


def users(count: int) -> list[Change]:
    return [UserPut(User(f"u{n:03}", f"x{n}")) for n in range(count)]


PARKS = PermitPut(Permit("p1", Action.PARK, user_id="u001"))


async def a_mend(store: Store, there: Sequence[Change]) -> ListMend:
    """What a portal with this list answers."""
    differing = sorted(buckets_of(there).differing((await sums_of(store)).short))
    return said(ListMend, mend(6, there, differing))


async def test_what_stays_and_what_came_are_one_list(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.mender.READ_ROWS", 7)
    monkeypatch.setattr("sync.mender.READ_SLICE_LEN", 3)
    await store.replace_list("e1", 5, [*users(60), PermitPut(Permit("p0", Action.PARK, user_id="u000"))], T0)
    there = [*users(58), UserPut(User("u058", "called anew")), PARKS]
    before = await sums_of(store)
    assert before.root == await store.list_root()
    made = await mended(store, await a_mend(store, there), ())
    assert made.sums.root == buckets_of(there).root
    assert {("user", b"u058"), ("user", b"u059"), ("permit", b"p0")} <= {*made.stale}
    assert ("user", b"u000") not in made.stale
    assert {row[1] for row in made.rows} >= {"u058", "p1"}
    assert (await sums_of(store)).root == before.root, "nothing is written"
    await store.mend_list(6, made.stale, made.rows, T0, made.sums)
    assert (await sums_of(store)).root == buckets_of(there).root
    assert {user.id for user in (await store.allowlist()).users()} == {f"u{n:03}" for n in range(59)}


async def test_what_does_not_come_to_the_root_or_cannot_be_read_is_refused(store: Store) -> None:
    await store.replace_list("e1", 5, users(5), T0)
    with pytest.raises(ListRejected, match="another list still"):
        await mended(store, said(ListMend, mend(6, users(6), [])), ())
    with pytest.raises(MalformedMessage):
        await mended(store, said(ListMend, mend(6, users(6), [0], ops=[{"op": "conquer"}])), ())
