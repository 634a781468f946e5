"""Plain entries are taken for what they stand for, by the list itself; all others are left to the whole reading."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
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
from gate_controller.credentials import Badge, CredentialState, GuestCode, PlateCredential, QrPass
from gate_controller.errors import ListRejected, MalformedMessage
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule
from gate_controller.users import UserStatus
from sync.codec import decode_changes, encode_change
from sync.entries import Entries
from sync.plain import PlainPermitPut, PlainUserPut, read_entries

PLATE = PlateCredential(Plate("BNO1234", ("B", "NO", "1234"), "D"))
ANN = User("u1", "ann", plates=(PLATE, PlateCredential(Plate("HH1"))))
POOL = User("u2", "pool", "acme", groups=("staff",), name="Pool", pool_size=3, plates=(PLATE,))
PLAIN: list[Change] = [
    UserPut(ANN),
    UserPut(POOL),
    UserPut(User("u3", "none")),
    PermitPut(Permit("p1", Action.PARK, user_id="u1")),
    PermitPut(Permit("p2", Action.OPERATE, group_id="staff", device="gate")),
]
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
NOT_PLAIN: list[Change] = [
    UserPut(replace(ANN, status=UserStatus.INACTIVE)),
    UserPut(replace(ANN, plates=(replace(PLATE, state=CredentialState.REVOKED),))),
    UserPut(replace(ANN, plates=(replace(PLATE, valid_to=UNTIL),))),
    UserPut(replace(ANN, badges=(Badge.parse("04A22F1B"),))),
    UserPut(replace(ANN, passes=(QrPass.of("Q1.visitor.7f3a9c01d2"),))),
    UserPut(replace(ANN, codes=(GuestCode.parse("K7M2-PX94"),))),
    UserPut(replace(ANN, number="17")),
    PermitPut(Permit("p1", Action.PARK, user_id="u1", schedule=Schedule("Mo-Fr 08:00-18:00"))),
    PermitPut(Permit("p1", Action.PARK, group_id="g", quota=3)),
    PermitPut(Permit("p1", Action.PARK, user_id="u1", valid_to=UNTIL)),
    UserRemoved("u1"),
]


def listed(changes: list[Change]) -> tuple[list[User], list[Permit]]:
    made = Allowlist.empty("e").replaced("e", changes, 1)
    return [*made.users()], [*made.permits()]


def plain_ones(ops: list[msgspec.Raw]) -> list[Any]:
    return [one for one in read_entries(ops) if isinstance(one, PlainUserPut | PlainPermitPut)]


def read(ops: list[msgspec.Raw]) -> list[Change]:
    """Taken for what they stand for, one by one."""
    return [UserPut(one.user) if hasattr(one, "user") else PermitPut(one.permit) for one in plain_ones(ops)]


def built(ops: list[msgspec.Raw]) -> tuple[list[User], list[Permit]]:
    """What they build, many at a time."""
    whole = WholeList(())
    Entries(ops).onto(whole)
    made = Allowlist.empty("e").replaced_by(whole, "e", 1)
    return [*made.users()], [*made.permits()]


def test_a_list_of_plain_entries_is_the_list_that_they_stand_for() -> None:
    ops = [*map(encode_change, PLAIN)]
    assert len(plain_ones(ops)) == len(PLAIN)
    assert listed(read(ops)) == built(ops) == listed(PLAIN)
    assert listed(PLAIN)[0] == [ANN, POOL, User("u3", "none")]


@pytest.mark.parametrize("change", NOT_PLAIN, ids=str)
def test_what_has_more_to_say_is_left_to_the_whole_reading(change: Change) -> None:
    op = encode_change(change)
    assert read_entries([op]) == decode_changes([op]) == [change]


def test_plain_ones_among_others_are_read_in_their_order() -> None:
    found = read_entries([*map(encode_change, [PLAIN[0], NOT_PLAIN[0], PLAIN[3], NOT_PLAIN[7]])])
    assert [type(one) for one in found] == [PlainUserPut, UserPut, PlainPermitPut, PermitPut]
    assert [found[1], found[3]] == [NOT_PLAIN[0], NOT_PLAIN[7]]
    assert not read_entries([])


def test_what_nobody_can_read_is_not_plain() -> None:
    good = bytes(encode_change(PLAIN[0]))
    for op in (
        b"",
        b"7",
        b"{",
        b"\xff",
        good[:-1],
        good.replace(b'"id":"u1"', b'"id":7'),
        good.replace(b"op", b"oq"),
    ):
        with pytest.raises(MalformedMessage, match=r"ops\[51\]"):
            read_entries([good, op], 50)


def test_two_halves_of_an_entry_are_not_one() -> None:
    good = bytes(encode_change(PLAIN[0]))
    middle = good.index(b",")
    with pytest.raises(MalformedMessage):
        read_entries([good[:middle], good[middle + 1 :]])


def test_plain_ones_have_whatever_whole_ones_have() -> None:
    plain: Any = [change.user for change in read([*map(encode_change, PLAIN)]) if isinstance(change, UserPut)]
    whole: Any = [change.user for change in PLAIN if isinstance(change, UserPut)]
    permits: Any = [change.permit for change in read([*map(encode_change, PLAIN)]) if isinstance(change, PermitPut)]
    holders: Any = [change.permit for change in PLAIN if isinstance(change, PermitPut)]
    pairs = [*zip(plain, whole, strict=True), *zip(permits, holders, strict=True)]
    pairs += [(mine, its) for one, other in pairs[:3] for mine, its in zip(one.plates, other.plates, strict=True)]
    pairs += [(mine.plate, its.plate) for mine, its in pairs if isinstance(its, PlateCredential)]
    assert {type(other) for _, other in pairs} == {User, Permit, PlateCredential, Plate}
    for one, other in pairs:
        names = {name for name in dir(other) if not name.startswith("_")}
        assert names >= {field.name for field in fields(other)}
        for name in names - {"plates", "plate", "parse"}:
            mine, its = getattr(one, name), getattr(other, name)
            assert (mine() == its()) if name in ("display", "masked") else callable(its) or mine == its, name


@pytest.mark.parametrize(
    "more",
    [
        UserPut(User("u9", "ann")),
        UserPut(User("u9", "x9", plates=(PLATE,))),
        UserPut(User("u9", "x9", plates=(PlateCredential(Plate("b no")),))),
        PermitPut(Permit("p9", Action.PARK)),
        PermitPut(Permit("p9", Action.PARK, user_id="u1", group_id="g")),
    ],
    ids=str,
)
def test_a_plain_entry_breaks_the_rules_of_lists_in_the_same_words(more: Change) -> None:
    ops, said = [*map(encode_change, [*PLAIN, more])], []
    for build in (partial(listed, [*PLAIN, more]), partial(listed, read(ops)), partial(built, ops)):
        with pytest.raises(ListRejected) as error:
            build()
        said.append((error.value.reason, str(error.value)))
    assert len(set(said)) == 1
