"""Facts and messages survive the trip through JSON; nothing malformed raises anything but MalformedMessage."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.changes import UserPut
from gate_controller.credentials import CredentialState, GuestCode, QrPass
from gate_controller.errors import ConfigError, MalformedMessage
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
from gate_controller.users import User
from sync import messages
from sync.messages import (
    Address,
    Event,
    EventAck,
    EventBatch,
    ListGet,
    Revision,
    State,
    UnknownFact,
    decode,
    decode_changes,
    decode_fact,
    encode,
    encode_change,
    encode_fact,
)

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


@given(st.sampled_from(get_args(messages.Message)), st.binary(max_size=200))
def test_malformed_bytes_are_one_clear_error(kind: type[Any], payload: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        assert isinstance(decode(kind, payload), kind)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"ledger": "L", "through": -1}',
        b'{"ledger": "L", "through": 9007199254740993}',
        b'{"ledger": "\\ud800", "through": 1}',
        b'{"ledger": "\xff", "through": 1}',
        b'{"ledger": "L", "x": ' + b"[" * 5000 + b"]" * 5000 + b', "through": 1}',
        b"null",
        b"",
    ],
    ids=["negative", "too large", "half a character", "not UTF-8", "deep", "null", "empty"],
)
def test_a_bad_acknowledgement_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage, match="EventAck"):
        decode(EventAck, payload)


def test_an_oversized_payload_is_refused_unread() -> None:
    with pytest.raises(MalformedMessage, match="bytes are more than"):
        decode(EventAck, b" " * (messages.PAYLOAD_LEN_MAX + 1))


def test_unknown_fields_are_ignored() -> None:
    assert decode(EventAck, b'{"ledger": "L", "through": 4, "pause_ms": 9}') == EventAck(ledger="L", through=4)


def test_a_batch_carries_the_row_as_the_journal_holds_it() -> None:
    encoded = encode_fact(GRANT)
    at = datetime(2026, 3, 1, 7, 0, 0, 123456, UTC)
    sent = Event(seq=9, at=at, kind=encoded.kind, body=msgspec.Raw(encoded.body), personal=encoded.personal)
    batch = decode(EventBatch, encode(EventBatch(ledger="L", first=9, last=9, events=[sent])))
    (got,) = batch.events
    assert (got.at, decode_fact(got.kind, bytes(got.body), got.personal)) == (at, GRANT)


def test_state_says_which_list_it_has() -> None:
    state = State(status="online", conn="c", ledger="L", next_seq=5, acked=4, list=Revision("e", 7))
    assert decode(State, encode(state)) == state
    assert decode(ListGet, b"{}") == ListGet(have=None)


def test_a_change_that_cannot_be_read_spoils_the_delta() -> None:
    for op in (b"{}", b'{"op": "conquer"}', b"7", b'{"op": ["x"]}'):
        with pytest.raises(MalformedMessage, match=r"ops\[0\]"):
            decode_changes([op])


def test_topics_stay_below_their_own_edge() -> None:
    address = Address("t", "s", "e")
    assert address.topic("ev/ack") == "slagboom/1/t/s/e/ev/ack"
    assert address.site_topic("list/head") == "slagboom/1/t/s/list/head"
    for wrong in ("", "a/b", "+", "#", "x" * 65, "ü"):
        with pytest.raises(ConfigError, match=r"portal\.edge"):
            Address("t", "s", wrong)
    with pytest.raises(ConfigError):
        Address("t", "s", "list")


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
