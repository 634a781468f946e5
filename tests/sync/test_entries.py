"""Entries read for rows, sums and changes at once: all three of the same bytes."""

import pytest

from gate_controller.allowlist import (
    Action,
    Allowlist,
    Change,
    Permit,
    PermitPut,
    User,
    UserPut,
    UserRemoved,
    WholeList,
)
from gate_controller.errors import ListRejected, MalformedMessage
from sync.codec import encode_change
from sync.entries import Gathered
from sync.roots import Buckets
from tests.sync.portal_side import root_of

ENTRIES: list[Change] = [
    UserPut(User("u1", "x1")),
    PermitPut(Permit("p1", Action.PARK, user_id="u1")),
    PermitPut(Permit("p2", Action.PARK, group_id="staff")),
]


def test_rows_sums_and_changes_are_of_the_very_bytes_that_came() -> None:
    ops = [bytes(encode_change(entry)) for entry in ENTRIES]
    ops[0] = ops[0].replace(b":", b": ", 1)
    gathered, whole = Gathered(), WholeList(())
    for some in (ops[:1], ops[1:]):
        gathered.read(some).onto(whole)
    read = Allowlist.empty("e").replaced_by(whole, "e", 1)
    assert [*map(UserPut, read.users()), *map(PermitPut, read.permits())] == ENTRIES
    assert gathered.rows == [
        ("user", "u1", None, ops[0].decode()),
        ("permit", "p1", "u1", ops[1].decode()),
        ("permit", "p2", None, ops[2].decode()),
    ]
    assert gathered.sums.root != root_of(ENTRIES)
    buckets = Buckets()
    for kind, key, _, body in gathered.rows:
        buckets.add(kind, key, body)
    assert gathered.sums.root == buckets.root


def test_what_is_no_entry_is_refused_with_its_place() -> None:
    good = encode_change(ENTRIES[0])
    with pytest.raises(MalformedMessage, match=r"ops\[51\]"):
        Gathered().read([good, b'{"op": "conquer"}'], 50)
    with pytest.raises(ListRejected, match="removes nothing"):
        Gathered().read([encode_change(UserRemoved("u1"))])
