"""What an edge says to the portal of its places: one question a hold, repeated while it may help, ended once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gate_controller.facts import (
    Basis,
    Claimed,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    Matched,
    Passed,
    Released,
    SessionClosed,
)
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from sync.claims import AGAIN_AFTER_S, ASK_WITHIN_S, WAITING_LEN_MAX, Claims

LANE, HOLD, OUT = LaneId("in"), HoldId("in-r-1"), HoldId("out-r-1")
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def now(seconds: float = 0.0) -> Moment:
    return Moment(MONDAY + timedelta(seconds=seconds), 100.0 + seconds)


def granted(hold: HoldId = HOLD, direction: Direction = Direction.IN, closes: tuple[HoldId, ...] = ()) -> Granted:
    basis = Basis("e", 1, Matched.EXACT)
    return Granted(LANE, direction, hold, "u-anna", "anna", "AB123CD", basis, closes=closes)


def inside(*more: Fact) -> Occupancy:
    occupancy = Occupancy()
    for fact in (granted(), Claimed(LANE, HOLD, 7), Passed(LANE, Direction.IN, HOLD), *more):
        occupancy = occupancy.fold(fact, MONDAY)
    return occupancy


def test_a_question_names_its_hold_its_user_and_what_would_end() -> None:
    claims, claim = Claims().ask(granted(closes=(OUT,)), now())
    assert (claim.claim_id, claim.action, claim.user, claim.at) == (HOLD, "enter", "u-anna", MONDAY)
    assert claim.closes == [OUT]
    assert HOLD in claims.waiting


def test_a_question_is_repeated_as_it_was_until_its_time_is_over() -> None:
    claims, claim = Claims().ask(granted(), now())
    assert claims.due(100.0 + AGAIN_AFTER_S / 2) == (claims, [])
    claims, again = claims.due(100.0 + AGAIN_AFTER_S)
    assert again == [claim]
    assert claims.deadline_s() == pytest.approx(100.0 + 2 * AGAIN_AFTER_S)
    claims, again = claims.due(100.0 + ASK_WITHIN_S)
    assert not again
    assert claims.deadline_s() is None


def test_an_answer_counts_once_and_only_for_who_waits() -> None:
    claims, _ = Claims().ask(granted(), now())
    answered = claims.answered(HOLD)
    assert answered is not None
    assert answered.answered(HOLD) is None
    assert claims.answered(OUT) is None
    assert answered.due(101.0)[1] == []


def test_an_answer_after_the_time_is_nobody_s() -> None:
    claims, _ = Claims().ask(granted(), now())
    assert claims.due(100.0 + ASK_WITHIN_S)[0].answered(HOLD) is None


def test_a_vehicle_that_does_not_pass_gives_its_place_back_answered_or_not() -> None:
    claims, _ = Claims().ask(granted(), now())
    for state in (claims, claims.answered(HOLD)):
        assert state is not None
        after, said = state.happened(HoldReleased(LANE, HOLD, Released.NO_ENTRY), Occupancy(), now())
        assert [(claim.claim_id, claim.action) for claim in said] == [(HOLD, "cancel")]
        assert after == Claims()
        assert after.happened(HoldReleased(LANE, HOLD, Released.NO_ENTRY), Occupancy(), now())[1] == []


def test_a_hold_that_asked_nobody_has_nothing_to_give_back() -> None:
    assert Claims().happened(HoldReleased(LANE, HOLD, Released.NO_ENTRY), Occupancy(), now())[1] == []


def test_a_vehicle_that_is_in_is_no_longer_a_question() -> None:
    claims, _ = Claims().ask(granted(), now())
    assert claims.happened(Passed(LANE, Direction.IN, HOLD), Occupancy(), now()) == (Claims(), [])


def test_an_exit_says_which_entry_ended_under_which_fence() -> None:
    before = inside(granted(OUT, Direction.OUT, closes=(HOLD,)))
    _, (claim,) = Claims().happened(Passed(LANE, Direction.OUT, OUT), before, now(5))
    assert (claim.claim_id, claim.action, claim.user, claim.fence) == (HOLD, "leave", "u-anna", 7)


def test_a_session_that_was_ended_by_hand_gives_its_place_back() -> None:
    fact = SessionClosed(HOLD, "u-anna", "AB123CD", Closed.OPERATOR)
    _, (claim,) = Claims().happened(fact, inside(), now())
    assert (claim.claim_id, claim.action) == (HOLD, "leave")


def test_an_exit_without_a_session_has_nothing_to_say_here() -> None:
    before = Occupancy().fold(granted(OUT, Direction.OUT), MONDAY)
    assert Claims().happened(Passed(LANE, Direction.OUT, OUT), before, now())[1] == []


def test_questions_are_bounded() -> None:
    claims = Claims()
    for n in range(WAITING_LEN_MAX + 5):
        claims, _ = claims.ask(replace(granted(), hold=HoldId(f"in-r-{n}")), now())
    assert len(claims.waiting) == WAITING_LEN_MAX
    assert f"in-r-{WAITING_LEN_MAX + 4}" in claims.waiting
