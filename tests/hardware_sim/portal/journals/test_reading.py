"""One bad event does not cost the others of its batch, and each has one reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.errors import MalformedMessage
from gate_controller.facts import LaneId, VehicleLeft
from hardware_sim.portal.journals.reading import (
    AHEAD_MAX,
    EARLIEST,
    KEPT_LEN_MAX,
    Delivered,
    Quarantined,
    Why,
    read,
)
from sync.codec import encode_fact
from sync.messages import EVENT_LEN_MAX, Event

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
LEFT = encode_fact(VehicleLeft(LaneId("in")))


def delivered(*events: bytes, first: int = 1, **other: Any) -> Delivered:
    fields: dict[str, Any] = {"last": first + len(events) - 1, "events": [*map(msgspec.Raw, events)]}
    return Delivered(aud="t/s/e", conn=1, ledger="L", first=first, **(fields | other))


def event(seq: int = 1, **other: Any) -> bytes:
    fields = {"seq": seq, "at": T0, "kind": LEFT.kind, "body": msgspec.Raw(LEFT.body)}
    return msgspec.json.encode(fields | other)


BAD = [
    (b"{", Why.UNREADABLE),
    (b"[]", Why.UNREADABLE),
    (b'"\xff"', Why.UNREADABLE),
    (b'{"seq": 1}', Why.UNREADABLE),
    (event(kind=7), Why.UNREADABLE),
    (event(kind="k" * 65), Why.UNREADABLE),
    (event(seq=-1), Why.UNREADABLE),
    (event(seq=2), Why.WRONG_NUMBER),
    (event(at="2026-02-30T07:00:00Z"), Why.IMPOSSIBLE_TIME),
    (event(at="2026-03-01T07:00:00"), Why.IMPOSSIBLE_TIME),
    (event(at="soon"), Why.IMPOSSIBLE_TIME),
    (event(at=EARLIEST - timedelta(seconds=1)), Why.IMPOSSIBLE_TIME),
    (event(at=T0 + AHEAD_MAX + timedelta(seconds=1)), Why.IMPOSSIBLE_TIME),
    (event(at="9999-12-31T23:59:59-12:00"), Why.IMPOSSIBLE_TIME),
    (event(body=None), Why.INVALID_BODY),
    (event(body=[1]), Why.INVALID_BODY),
    (event(body={"lane": 7}), Why.INVALID_BODY),
    (event(body={"text": "x" * EVENT_LEN_MAX}), Why.OVERSIZED),
]


@pytest.mark.parametrize(("bad", "why"), BAD, ids=[f"{n}-{why}" for n, (_, why) in enumerate(BAD)])
def test_one_event_that_cannot_be_read_is_set_apart_and_the_next_is_not(bad: bytes, why: Why) -> None:
    apart, kept = read(delivered(bad, event(2)), T0)
    assert isinstance(apart, Quarantined)
    assert (apart.seq, apart.why) == (1, why)
    assert len(apart.text) <= KEPT_LEN_MAX
    assert isinstance(kept, Event)
    assert kept.seq == 2


def test_an_event_of_a_newer_edge_is_as_good_as_any() -> None:
    (unknown,) = read(delivered(event(kind="teleported", body={"to": "mars"}, new_field=1)), T0)
    assert isinstance(unknown, Event)


def test_a_clock_that_is_a_day_off_costs_no_event() -> None:
    for days in (-1, 1):
        (kept,) = read(delivered(event(at=T0 + timedelta(days=days))), T0)
        assert isinstance(kept, Event)


def test_a_batch_whose_numbers_do_not_add_up_is_refused_as_a_whole() -> None:
    for wrong in ({"last": 2}, {"last": 0}, {"after": 1}, {"first": 2, "last": 1}):
        with pytest.raises(MalformedMessage):
            read(delivered(event(), **({"first": 1} | wrong)), T0)


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_set_apart(raw: bytes) -> None:
    (one,) = read(delivered(raw), T0)
    assert one.seq == 1
