"""The rows of a list as a disk has them: summed up in slices, and mended whatever became of them."""

import pytest

from gate_controller.allowlist import Permit, PermitPut, User, UserPut
from gate_controller.users import Action
from sync.codec import encode_change
from sync.entries import row_of
from sync.roots import Buckets
from sync.store import Store
from tests.sync.portal_side import buckets_of
from tests.sync.samples import T0

HERE = [UserPut(User(f"u{n}", f"x{n}")) for n in range(7)]
PARKS = PermitPut(Permit("p1", Action.PARK, user_id="u1"))


async def on_disk(store: Store) -> set[tuple[str, bytes]]:
    found = {(kind, key) for kind in ("user", "permit") for key, _ in await store.list_rows(kind, b"", 100)}
    assert len(found) < 100
    return found


async def test_slices_come_to_the_root_that_was_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.list_rows.SUM_ROWS", 2)
    await store.replace_list("e", 5, [*HERE, PARKS])
    sums, after, steps = Buckets(), b"", 0
    while (last := await store.sum_list_rows(sums, "user", after)) is not None:
        assert last > after
        after, steps = last, steps + 1
    await store.sum_list_rows(sums, "permit", b"")
    assert steps == 4
    assert sums.root == await store.list_root() == buckets_of([*HERE, PARKS]).root


async def test_stale_rows_go_and_others_come_with_the_sums_and_the_revision(store: Store) -> None:
    await store.replace_list("e", 5, [*HERE, PARKS], T0)
    rows = [
        row_of(change, bytes(encode_change(change)).decode()) for change in (HERE[2], UserPut(User("u9", "x9")))
    ]
    sums = buckets_of([*HERE[2:], UserPut(User("u9", "x9"))])
    stale = [("user", b"u0"), ("user", b"u1"), ("user", b"u2"), ("permit", b"p1"), ("user", b"\xff")]
    await store.mend_list(8, stale, rows, T0, sums)
    assert await on_disk(store) == {("user", f"u{n}".encode()) for n in (2, 3, 4, 5, 6, 9)}
    cursor = await store.list_cursor()
    assert cursor is not None
    assert (cursor.epoch, cursor.rev, cursor.confirmed_at) == ("e", 8, T0)
    assert await store.list_root() == sums.root
    assert {user.id for user in await store.removed_users()} == {"u0", "u1"}


async def test_a_change_after_rot_was_admitted_does_not_come_to_the_promised_root(store: Store) -> None:
    await store.replace_list("e", 5, HERE)
    rotten = buckets_of(HERE[1:])
    await store.admit_list_sums(rotten)
    assert await store.list_root() == rotten.root
