"""Parts are asked for once, early, and again from the first that lacks when nobody answered."""

from hypothesis import given
from hypothesis import strategies as st

from sync.ahead import Ahead
from sync.messages import PARTS_AHEAD


@given(st.integers(1, 60), st.integers(0, 59))
def test_each_part_is_asked_for_once_and_before_it_is_missed(parts: int, begun: int) -> None:
    ahead, here = Ahead(), min(begun, parts - 1)
    assert ahead.begin(here) == here
    asked = [ahead.begin(next_) for next_ in range(here + 1, parts + 1) if ahead.asks(next_, parts)]
    assert asked == [*range(here - here % PARTS_AHEAD + PARTS_AHEAD, parts, PARTS_AHEAD)]


def test_a_question_out_of_turn_begins_where_something_lacks() -> None:
    ahead = Ahead()
    assert not ahead.waiting
    assert ahead.asks(1, 40)
    assert ahead.waiting
    assert ahead.begin(1) == PARTS_AHEAD
    assert not ahead.waiting
    assert not ahead.asks(2, 40)
    assert ahead.begin(3) == 3, "nobody answered"
    assert ahead.asks(4, 40), "what was asked for may be lost"
    assert ahead.begin(4) == PARTS_AHEAD
