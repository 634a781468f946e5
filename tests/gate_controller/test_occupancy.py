"""Occupancy: facts in, who is inside out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Passed,
    Released,
    SessionClosed,
    Unarbitrated,
    Ungranted,
    UngrantedPassage,
)
from gate_controller.occupancy import Occupancy
from gate_controller.reasons import Note

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ENTRY, EXIT = LaneId("entry"), LaneId("exit")
BASIS = Basis("e", 1, Matched.EXACT)


def grant_in(hold: str, user: str, plate: str = "", closes: tuple[HoldId, ...] = ()) -> Granted:
    basis = Basis("e", 1, Matched.EXACT, as_matched=plate or f"badge-{user}")
    return Granted(ENTRY, Direction.IN, HoldId(hold), user, user, plate, basis, closes=closes)


def grant_out(hold: str, user: str | None, closes: tuple[HoldId, ...] = (), plate: str = "") -> Granted:
    return Granted(EXIT, Direction.OUT, HoldId(hold), user, user or "", plate, BASIS, closes=closes)


def passed(hold: str, direction: Direction = Direction.IN) -> Passed:
    return Passed(ENTRY, direction, HoldId(hold))


def after(*facts: Fact, start: Occupancy | None = None) -> Occupancy:
    state = start or Occupancy()
    for fact in facts:
        state = state.fold(fact, AT)
    return state


def test_a_grant_holds_a_place_but_nobody_is_inside_yet() -> None:
    state = after(grant_in("h1", "anna", "NL1"))
    assert [h.plate for h in state.holds_of("anna")] == ["NL1"]
    assert state.of_user("anna") == ()
    assert state.taken() == 1


def test_passage_turns_the_hold_into_a_session() -> None:
    state = after(grant_in("h1", "anna", "NL1"), passed("h1"))
    assert state.holds == {}
    (session,) = state.of_user("anna")
    assert (session.plate, session.entered_at, session.id) == ("NL1", AT, "h1")
    assert state.by_plate("NL1") == session


@pytest.mark.parametrize("why", list(Released))
def test_a_release_frees_the_place_and_doubt_makes_neutral(why: Released) -> None:
    state = after(grant_in("h1", "anna", "NL1"), HoldReleased(ENTRY, HoldId("h1"), why))
    assert state.holds == {}
    assert state.taken() == 0
    doubtful = {Released.UNCONFIRMED, Released.FAULT, Released.FIRE, Released.OUTCOME_UNKNOWN, Released.OPERATOR}
    assert ("anna" in state.neutral) == (why in doubtful)


def test_the_exit_closes_only_its_own_session_of_a_pool() -> None:
    inside = after(grant_in("h1", "pool"), passed("h1"), grant_in("h2", "pool"), passed("h2"))
    state = after(grant_out("h3", "pool", (HoldId("h2"),)), passed("h3", Direction.OUT), start=inside)
    assert [s.id for s in state.of_user("pool")] == ["h1"]


def test_a_missed_exit_is_closed_by_the_passage_not_by_the_grant() -> None:
    inside = after(grant_in("h1", "anna", "NL1"), passed("h1"))
    granted = after(grant_in("h2", "anna", "NL1", (HoldId("h1"),)), start=inside)
    assert [s.id for s in granted.of_user("anna")] == ["h1"]
    assert [s.id for s in after(passed("h2"), start=granted).of_user("anna")] == ["h2"]


def test_the_next_movement_of_a_neutral_user_settles_the_record() -> None:
    doubtful = after(grant_in("h1", "anna", "NL1"), HoldReleased(ENTRY, HoldId("h1"), Released.FAULT))
    assert doubtful.neutral == {"anna"}
    assert after(grant_in("h2", "anna", "NL1"), passed("h2"), start=doubtful).neutral == frozenset()


def test_a_grant_that_could_not_be_written_makes_its_user_neutral() -> None:
    assert after(LogGap(ENTRY, HoldId("h1"), "anna")).neutral == {"anna"}
    assert after(LogGap(EXIT, HoldId("h1"), None)).neutral == frozenset()


def test_a_session_remembers_that_its_grant_was_not_on_disk_in_time() -> None:
    state = after(grant_in("h1", "anna", "NL1"), LogGap(ENTRY, HoldId("h1"), "anna", 7), passed("h1"))
    assert [s.notes for s in state.of_user("anna")] == [(Note.LOG_GAP,)]


def test_a_session_remembers_that_nobody_could_ask_about_its_place() -> None:
    state = after(grant_in("h1", "anna", "NL1"), Unarbitrated(ENTRY, HoldId("h1"), "anna", "down", 0), passed("h1"))
    assert [s.notes for s in state.of_user("anna")] == [(Note.DEGRADED,)]
    assert after(Unarbitrated(ENTRY, HoldId("h9"), "anna", "down", 0)) == Occupancy()


def test_leaving_by_another_vehicle_than_recorded_leaves_the_user_in_doubt() -> None:
    inside = after(grant_in("h1", "anna", "NL1"), passed("h1"))
    state = after(grant_out("h2", "anna", plate="NL2"), passed("h2", Direction.OUT), start=inside)
    assert state.neutral == {"anna"}
    assert state.by_plate("NL1") is not None


def test_a_tailgate_counts_a_vehicle_and_touches_no_user() -> None:
    inside = after(grant_in("h1", "anna", "NL1"), passed("h1"))
    state = after(UngrantedPassage(ENTRY, Direction.IN, Ungranted.TAILGATE), start=inside)
    assert (state.taken(), state.neutral) == (2, frozenset())
    left = after(UngrantedPassage(EXIT, Direction.OUT, Ungranted.TAILGATE), start=state)
    assert (left.taken(), left.neutral) == (1, frozenset())


@pytest.mark.parametrize("kind", [Ungranted.HELD_OPEN, Ungranted.FIRE, Ungranted.FORCED, Ungranted.MANUAL])
def test_an_exit_that_stood_open_to_all_puts_everybody_inside_in_doubt(kind: Ungranted) -> None:
    inside = after(grant_in("h1", "anna"), passed("h1"), grant_in("h2", "bert"), passed("h2"))
    state = after(UngrantedPassage(EXIT, Direction.OUT, kind), start=inside)
    assert state.neutral == {"anna", "bert"}


def test_more_exits_than_entries_never_make_room_below_empty() -> None:
    leave = UngrantedPassage(EXIT, Direction.OUT, Ungranted.TAILGATE)
    state = after(leave, leave, leave, UngrantedPassage(ENTRY, Direction.IN, Ungranted.TAILGATE))
    assert state.taken() == 1


def test_an_unidentified_exit_is_counted_once_however_its_session_ends_later() -> None:
    inside = after(grant_in("h1", "anna", "NL1"), passed("h1"), grant_in("h2", "bert", "NL2"), passed("h2"))
    out = after(grant_out("h3", None), passed("h3", Direction.OUT), start=inside)
    assert out.taken() == 1
    expired = after(SessionClosed(HoldId("h1"), "anna", "NL1", Closed.EXPIRED), start=out)
    assert expired.taken() == 1
    again = after(grant_in("h4", "anna", "NL1", (HoldId("h1"),)), passed("h4"), start=out)
    assert again.taken() == 2
    not_seen_leaving = after(SessionClosed(HoldId("h1"), "anna", "NL1", Closed.OPERATOR), start=inside)
    assert not_seen_leaving.taken() == 1


def test_an_operator_closes_one_session() -> None:
    inside = after(grant_in("h1", "anna", "NL1"), passed("h1"))
    state = after(SessionClosed(HoldId("h1"), "anna", "NL1", Closed.OPERATOR, by="desk"), start=inside)
    assert state.sessions == {}


def test_a_session_expires_after_its_time_and_not_before() -> None:
    inside = after(grant_in("h1", "anna", "NL1"), passed("h1"))
    week = timedelta(days=7)
    assert inside.expired(AT + week, week) == ()
    (closed,) = inside.expired(AT + week + timedelta(seconds=1), week)
    assert (closed.session, closed.why) == ("h1", Closed.EXPIRED)
    assert after(closed, start=inside).sessions == {}


def test_a_session_can_be_left_by_the_credential_it_was_entered_by() -> None:
    inside = after(grant_in("h1", "anna"), passed("h1"))
    session = inside.by_credential("badge-anna")
    assert session is not None
    assert session.user_id == "anna"
    assert inside.by_credential("") is None


class TestNearest:
    def inside(self, *plates: str) -> Occupancy:
        facts: list[Fact] = []
        for i, plate in enumerate(plates):
            facts += [grant_in(f"h{i}", f"u{i}", plate), passed(f"h{i}")]
        return after(*facts)

    def test_one_edit_away_and_nothing_else_near(self) -> None:
        found = self.inside("AB123CD", "XY987ZW").nearest("AB123C")
        assert found is not None
        assert found.plate == "AB123CD"

    def test_a_second_plate_nearly_as_near_is_no_guess(self) -> None:
        assert self.inside("AB123CD", "AB124CD").nearest("AB125CD") is None
        assert self.inside("AB123CD", "AB124CE").nearest("AB123CX") is None

    def test_too_far_is_nothing(self) -> None:
        assert self.inside("AB123CD").nearest("AB1XXXD") is None

    def test_badge_sessions_are_never_paired(self) -> None:
        assert after(grant_in("h1", "anna"), passed("h1")).nearest("A") is None


USERS, PLATES = st.sampled_from(["anna", "bert"]), st.sampled_from(["", "NL1", "NL2"])
HOLDS = st.sampled_from([HoldId(f"h{i}") for i in range(5)])
FACTS = st.one_of(
    st.builds(grant_in, HOLDS, USERS, PLATES, st.lists(HOLDS, max_size=2).map(tuple)),
    st.builds(grant_out, HOLDS, st.one_of(st.none(), USERS), st.lists(HOLDS, max_size=2).map(tuple)),
    st.builds(passed, HOLDS, st.sampled_from(Direction)),
    st.builds(HoldReleased, st.just(ENTRY), HOLDS, st.sampled_from(Released)),
    st.builds(UngrantedPassage, st.just(EXIT), st.sampled_from(Direction), st.sampled_from(Ungranted)),
)


@given(st.lists(FACTS, max_size=30))
def test_any_history_keeps_the_books_consistent(facts: list[Fact]) -> None:
    state = Occupancy()
    for fact in facts:
        before = state
        state = state.fold(fact, AT)
        assert state.taken() >= 0
        assert all(own and all(s.user_id == user for s in own) for user, own in state.sessions.items())
        if isinstance(fact, Granted | HoldReleased):
            assert state.sessions == before.sessions, "presence changes on passage only"


@given(st.lists(FACTS, max_size=20), HOLDS)
def test_a_hold_is_spent_once(facts: list[Fact], hold: HoldId) -> None:
    state = after(*facts, passed(hold))
    assert hold not in state.holds
    assert after(passed(hold), start=state) == state
