"""Plain entries are taken for what they stand for, by the list itself; all others are left to the whole reading."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gate_controller.allowlist import Action, Allowlist, Change, Permit, PermitPut, User, UserPut, UserRemoved
from gate_controller.credentials import Badge, CredentialState, GuestCode, PlateCredential, QrPass
from gate_controller.errors import ListRejected
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule
from gate_controller.users import UserStatus
from sync.codec import decode_changes, encode_change
from sync.plain import plain_change

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


def read(ops: list[msgspec.Raw]) -> list[Change]:
    found = [plain_change(op) for op in ops]
    return [change for change in found if change is not None]


def test_a_list_of_plain_entries_is_the_list_that_they_stand_for() -> None:
    plain = read([*map(encode_change, PLAIN)])
    assert listed(plain) == listed(PLAIN)
    assert listed(PLAIN)[0] == [ANN, POOL, User("u3", "none")]


@pytest.mark.parametrize("change", NOT_PLAIN, ids=str)
def test_what_has_more_to_say_is_left_to_the_whole_reading(change: Change) -> None:
    op = encode_change(change)
    assert plain_change(op) is None
    assert decode_changes([op]) == [change]


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
        assert plain_change(op) is None


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
    said = []
    for entries in ([*PLAIN, more], read([*map(encode_change, [*PLAIN, more])])):
        with pytest.raises(ListRejected) as error:
            listed(entries)
        said.append((error.value.reason, str(error.value)))
    assert said[0] == said[1]
