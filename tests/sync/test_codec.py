"""Facts and changes survive the trip through JSON, whichever version wrote them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.changes import UserPut
from gate_controller.credentials import CredentialState, GuestCode, PlateCredential, QrPass
from gate_controller.errors import MalformedMessage
from gate_controller.facts import (
    PERSONAL,
    Basis,
    Direction,
    Fact,
    Granted,
    HoldId,
    LaneId,
    Matched,
    VehicleLeft,
)
from gate_controller.plates import Plate
from gate_controller.users import User, UserStatus
from sync.codec import UnknownFact, decode_changes, decode_fact, encode_change, encode_fact

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))

GRANT = Granted(
    lane=LaneId("in"),
    direction=Direction.IN,
    hold=HoldId("h1"),
    user_id="u1",
    external_id="4711",
    plate="BNO1234",
    basis=Basis("e", 3, Matched.EXACT, as_read="B-NO 1234", as_matched="BNO1234", evidence="crop-1"),
)


@pytest.mark.parametrize("kind", get_args(Fact), ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_kind_of_fact_comes_back_as_it_went(kind: type, data: st.DataObject) -> None:
    fact = data.draw(st.from_type(kind))
    encoded = encode_fact(fact)
    assert decode_fact(encoded.kind, encoded.body, encoded.personal) == fact


def test_the_row_itself_names_neither_vehicle_nor_picture() -> None:
    encoded = encode_fact(GRANT)
    for secret in (b"BNO1234", b"B-NO 1234", b"crop-1"):
        assert secret not in encoded.body
    assert encoded.personal is not None
    assert set(encoded.personal) == set(PERSONAL[Granted])


def test_an_erased_fact_is_still_a_fact() -> None:
    encoded = encode_fact(GRANT)
    erased = decode_fact(encoded.kind, encoded.body, None)
    assert isinstance(erased, Granted)
    assert (erased.plate, erased.basis.as_read, erased.basis.as_matched) == ("", "", "")
    assert erased.basis.evidence is None
    assert (erased.hold, erased.user_id) == (GRANT.hold, GRANT.user_id)


def test_a_fact_with_nothing_personal_has_no_personal_row() -> None:
    assert encode_fact(VehicleLeft(LaneId("in"))).personal is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("teleported", b"{}"),
        ("granted", b"{}"),
        ("granted", b"[1]"),
        ("granted", b'{"basis": 7}'),
        ("granted", b"\xff"),
        ("vehicle_arrived", b'{"lane": "in", "direction": "sideways"}'),
    ],
)
def test_what_another_version_wrote_is_unknown_and_no_crash(kind: str, body: bytes) -> None:
    assert decode_fact(kind, body, None) == UnknownFact(kind, body)


def test_a_field_added_by_a_newer_version_is_ignored() -> None:
    assert decode_fact("vehicle_left", b'{"lane": "in", "mood": "good"}', None) == VehicleLeft(LaneId("in"))


def test_a_change_that_cannot_be_read_spoils_the_delta() -> None:
    for op in (b"{}", b'{"op": "conquer"}', b"7", b'{"op": ["x"]}'):
        with pytest.raises(MalformedMessage, match=r"ops\[0\]"):
            decode_changes([op])


def test_passes_and_codes_go_over_the_wire_as_digests_and_nothing_else_does() -> None:
    until = datetime(2026, 3, 1, tzinfo=UTC)
    guest_pass = replace(QrPass.of("Q1.visitor.7f3a9c01d2"), valid_to=until)
    guest_code = replace(GuestCode.parse("K7M2-PX94"), state=CredentialState.SUSPENDED)
    put = UserPut(User("u1", "gina", passes=(guest_pass,), codes=(guest_code,)))
    op = bytes(encode_change(put))
    assert decode_changes([op]) == [put]
    assert b"visitor" not in op
    assert b"PX94" not in op
    with pytest.raises(MalformedMessage):
        decode_changes([op.replace(guest_code.digest.encode(), b"K7M2PX94")])


def test_what_is_as_its_default_says_is_not_written() -> None:
    user = User("u1", "ann", plates=(PlateCredential(Plate("B1", (), "D")),))
    op = bytes(encode_change(UserPut(user)))
    plate = b'{"plate":{"key":"B1","country":"D"}}'
    assert op == b'{"op":"user_put","user":{"id":"u1","external_id":"ann","plates":[%b]}}' % plate
    told = replace(user, customer="acme", pool_size=2, status=UserStatus.INACTIVE)
    assert decode_changes([op, encode_change(UserPut(told))]) == [UserPut(user), UserPut(told)]
