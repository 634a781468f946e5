"""The daemon's log lines: one for every kind of fact, and no plate, badge or code in full."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.narrate import masked, narrate
from gate_controller.credentials import CodeRead
from gate_controller.facts import (
    Basis,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    LogGap,
    Matched,
    Refused,
    Released,
    SessionClosed,
)
from gate_controller.reasons import Note, Reason

PLATE = "BNO1234"
BASIS = Basis("e", 1, Matched.EXACT, as_read="B-NO 1234", as_matched=PLATE)


@given(st.sampled_from(get_args(Fact)).flatmap(st.from_type))
def test_every_kind_has_one_line(fact: Fact) -> None:
    assert narrate(fact)


@pytest.mark.parametrize("direction", list(Direction))
def test_plates_are_masked(direction: Direction) -> None:
    lane, hold = LaneId("entry"), HoldId("h")
    granted = Granted(lane, direction, hold, "u", "A-17", PLATE, BASIS, notes=(Note.LOOK_ALIKE,))
    refused = Refused(lane, direction, Reason.FULL, "u", "A-17", PLATE, BASIS)
    closed = SessionClosed(hold, "u", PLATE, Closed.EXPIRED)
    for line in map(narrate, (granted, refused, closed)):
        assert "1234" not in line
        assert "NO" not in line
        assert "•" in line
    assert "A-17" in narrate(granted)
    assert "look_alike" in narrate(granted)
    assert "full" in narrate(refused)


@pytest.mark.parametrize("text", ["000414CD7E", "AB12CD", "A1", "x", "xy!", "0123456789ABCDEF0123"])
def test_a_masked_text_hides_at_least_half(text: str) -> None:
    shown = masked(text)
    assert sum(char == "•" for char in shown) >= len(text) / 2
    assert len(shown) == len(text)


def test_a_gap_names_the_row_that_is_reserved() -> None:
    gap = LogGap(LaneId("entry"), HoldId("h"), "u", 17)
    assert "row 17 " in narrate(gap)
    assert "no row" in narrate(LogGap(LaneId("entry"), HoldId("h"), "u"))


@pytest.mark.parametrize("text", ["K7M2-PX94", "Q1.visitor.7f3a9c01d2"])
def test_of_a_pass_or_code_nothing_is_told(text: str) -> None:
    read = CodeRead.of(text)
    basis = Basis("e", 1, Matched.GUEST_CODE, as_read=read.text, as_matched=read.texts[-1])
    lane = LaneId("entry")
    refused = Refused(lane, Direction.IN, Reason.CODE_WRONG, None, "", "", basis)
    granted = Granted(lane, Direction.IN, HoldId("h"), "u", "gina", "", basis)
    assert narrate(refused) == "entry: refused a code: code_wrong"
    assert narrate(granted) == "entry: granted gina a code (guest_code)"


def test_who_ended_a_grant_by_hand_is_named() -> None:
    ended = HoldReleased(LaneId("entry"), HoldId("h"), Released.OPERATOR, "joris", "loop broken")
    assert narrate(ended) == "entry: grant void: operator by joris: loop broken"
