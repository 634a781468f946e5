"""Messages survive the trip through JSON; nothing malformed raises anything but MalformedMessage."""

import contextlib
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.errors import ConfigError, MalformedMessage
from gate_controller.facts import (
    Basis,
    Direction,
    Granted,
    HoldId,
    LaneId,
    Matched,
)
from sync import messages
from sync.codec import decode_fact, encode_fact
from sync.messages import Address, Event, EventBatch, ListGet, Revision, State, decode

GRANT = Granted(
    lane=LaneId("in"),
    direction=Direction.IN,
    hold=HoldId("h1"),
    user_id="u1",
    external_id="4711",
    plate="BNO1234",
    basis=Basis("e", 3, Matched.EXACT, as_read="B-NO 1234", as_matched="BNO1234", evidence="crop-1"),
)


@given(st.binary(max_size=200))
def test_malformed_bytes_are_one_clear_error(payload: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        assert isinstance(decode(ListGet, payload), ListGet)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"have": {"epoch": "e", "rev": -1}}',
        b'{"have": {"epoch": "e", "rev": 9007199254740993}}',
        b'{"have": {"epoch": "\\ud800", "rev": 1}}',
        b'{"have": {"epoch": "\xff", "rev": 1}}',
        b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"null",
        b"",
    ],
    ids=["negative", "too large", "half a character", "not UTF-8", "deep", "null", "empty"],
)
def test_a_bad_question_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage, match="ListGet"):
        decode(ListGet, payload)


def test_an_oversized_payload_is_refused_unread() -> None:
    with pytest.raises(MalformedMessage, match="bytes are more than"):
        decode(ListGet, b" " * (messages.PAYLOAD_LEN_MAX + 1))


def test_unknown_fields_are_ignored() -> None:
    assert decode(ListGet, b'{"whole": true, "colour": 9}') == ListGet(whole=True)


def test_a_batch_carries_the_row_as_the_journal_holds_it() -> None:
    encoded = encode_fact(GRANT)
    at = datetime(2026, 3, 1, 7, 0, 0, 123456, UTC)
    sent = Event(seq=9, at=at, kind=encoded.kind, body=msgspec.Raw(encoded.body), personal=encoded.personal)
    batch = EventBatch(aud="t/s/e", conn=1, ledger="L", first=9, last=9, events=[sent])
    (got,) = msgspec.json.decode(msgspec.json.encode(batch), type=EventBatch).events
    assert (got.at, decode_fact(got.kind, bytes(got.body), got.personal)) == (at, GRANT)


def test_state_says_which_list_it_has() -> None:
    state = State(aud="t/s/e", status="online", conn=1, ledger="L", next_seq=5, acked=4, list=Revision("e", 7))
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state
    assert decode(ListGet, b"{}") == ListGet(have=None)


def test_topics_stay_below_their_own_edge() -> None:
    address = Address("t", "s", "e")
    assert address.topic("ev/ack") == "slagboom/1/t/s/e/ev/ack"
    assert address.site_topic("list/head") == "slagboom/1/t/s/list/head"
    for wrong in ("", "a/b", "+", "#", "x" * 65, "ü"):
        with pytest.raises(ConfigError, match=r"portal\.edge"):
            Address("t", "s", wrong)
    with pytest.raises(ConfigError):
        Address("t", "s", "list")
