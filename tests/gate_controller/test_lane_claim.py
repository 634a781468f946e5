"""The wait for the portal: one word, in time, for this hold; the site's policy without it; exits ask nobody."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gate_controller.facts import (
    AlarmRaised,
    Claimed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    Refused,
    Released,
    Unarbitrated,
)
from gate_controller.lane import ClaimAnswered, ClaimFailed, Committed, Phase
from gate_controller.lane_claim import CLOCK_ERR_MS, clock_err_ms
from gate_controller.reasons import Reason
from gate_controller.site import ClaimPolicy, Rules
from tests.gate_controller.lane_rig import Rig, badge, plate, setup, site

ANNA, ANNA_2, BORIS = plate("AB-123-CD"), plate("98-TH-D4"), plate("KL-55-MN")


def rig(policy: ClaimPolicy | None = ClaimPolicy.GRANT_AND_REPORT, direction: Direction = Direction.IN) -> Rig:
    """A lane of a site of several edges; the disk answers at once, the portal when told to."""
    return Rig(setup(direction), site_=replace(site(), rules=Rules(claims=policy)))


def hold(facts: list[Fact]) -> HoldId:
    return next(fact.hold for fact in facts if isinstance(fact, Granted))


def only(kind: type, facts: list[Fact]) -> list[Fact]:
    return [fact for fact in facts if isinstance(fact, kind)]


def test_a_site_of_one_edge_asks_nobody() -> None:
    gate = rig(None)
    gate.arrive(ANNA)
    assert gate.phase is Phase.OPENING
    assert not gate.of(Claimed) + gate.of(Unarbitrated)


def test_an_entry_waits_for_disk_and_portal_in_either_order() -> None:
    gate = rig()
    granted = gate.arrive(ANNA)
    assert gate.phase is Phase.AUTHORISING
    assert not gate.pulses
    told = gate.say(ClaimAnswered(hold(granted), 7))
    assert told == [Claimed(gate.lane.setup.id, hold(granted), 7)]
    assert gate.phase is Phase.OPENING

    other = rig()
    other.auto = False
    granted = other.arrive(ANNA)
    other.say(ClaimAnswered(hold(granted), 7))
    assert other.phase is Phase.AUTHORISING
    other.say(Committed(hold(granted)))
    assert other.phase is Phase.OPENING


def test_the_fence_stays_with_the_vehicle() -> None:
    gate = rig()
    gate.say(ClaimAnswered(hold(gate.arrive(ANNA)), 7))
    gate.rise()
    gate.drive_through()
    assert [session.fence for session in gate.site.occupancy.inside()] == [7]


def test_a_place_that_is_taken_elsewhere_is_refused_with_its_holder_and_shown() -> None:
    gate = rig()
    granted = gate.arrive(ANNA)
    told = gate.say(ClaimAnswered(hold(granted), None, "west"))
    assert told[0] == HoldReleased(gate.lane.setup.id, hold(granted), Released.HELD_ELSEWHERE)
    (refused,) = only(Refused, told)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.holder, refused.user_id) == (Reason.ANOTHER_VEHICLE_PARKED, "west", "u-anna")
    assert gate.phase is Phase.ARMED
    assert gate.shown.reason is Reason.ANOTHER_VEHICLE_PARKED
    assert not gate.pulses
    assert not gate.site.occupancy.holds


def test_a_badge_whose_user_is_inside_elsewhere_is_already_inside() -> None:
    gate = rig()
    gate.say(ClaimAnswered(hold(gate.arrive(badge())), None, "west"))
    assert gate.shown.reason is Reason.ALREADY_INSIDE


def test_a_vehicle_refused_by_the_portal_asks_again_at_a_walking_pace_and_is_never_a_dawdler() -> None:
    gate = rig()
    asked = 0
    granted = gate.arrive(ANNA)
    for _ in range(100):
        for fact in only(Granted, granted):
            asked += 1
            gate.say(ClaimAnswered(hold([fact]), None, "west"))
        gate.wait(0.5)
        granted = gate.show(ANNA)
    assert asked == 5
    assert len(gate.of(Refused)) == 1
    assert not gate.of(AlarmRaised)


def test_a_place_that_came_free_admits_at_the_next_question() -> None:
    gate = rig()
    gate.say(ClaimAnswered(hold(gate.arrive(ANNA)), None, "west"))
    gate.wait(10.0)
    gate.say(ClaimAnswered(hold(gate.show(ANNA)), 9))
    assert gate.phase is Phase.OPENING


def test_another_user_in_the_same_vehicle_need_not_wait() -> None:
    gate = rig()
    gate.say(ClaimAnswered(hold(gate.arrive(BORIS)), None, "west"))
    assert not only(Granted, gate.show(BORIS))
    assert only(Granted, gate.show(badge()))


@pytest.mark.parametrize("why", [None, "no connection"])
def test_without_an_answer_the_default_lets_pass_and_says_so(why: str | None) -> None:
    gate = rig()
    granted = gate.arrive(ANNA)
    if why is None:
        gate.wait(0.29)
        assert gate.phase is Phase.AUTHORISING
        told = gate.wait(0.02)
    else:
        told = gate.say(ClaimFailed(hold(granted), why))
    (mark,) = only(Unarbitrated, told)
    assert isinstance(mark, Unarbitrated)
    assert (mark.hold, mark.user_id, mark.why) == (hold(granted), "u-anna", why or "no answer in time")
    assert gate.phase is Phase.OPENING


def test_deny_refuses_without_an_answer() -> None:
    gate = rig(ClaimPolicy.DENY)
    gate.arrive(ANNA)
    told = gate.wait(0.31)
    assert [fact.reason for fact in gate.of(Refused, told)] == [Reason.PORTAL_UNREACHABLE]
    assert [fact.why for fact in gate.of(HoldReleased, told)] == [Released.PORTAL_UNREACHABLE]
    assert gate.phase is Phase.ARMED
    assert not gate.pulses


@pytest.mark.parametrize(("policy", "admitted"), [(p, p is ClaimPolicy.GRANT_AND_REPORT) for p in ClaimPolicy])
def test_the_own_books_decide_about_a_missed_exit_where_the_policy_says_so(
    policy: ClaimPolicy, admitted: bool
) -> None:
    gate = rig(policy)
    gate.say(ClaimAnswered(hold(gate.arrive(ANNA)), 1))
    gate.rise()
    gate.drive_through()
    gate.fall()
    gate.wait(20.0)
    gate.arrive(ANNA)
    gate.wait(0.31)
    assert (gate.phase is Phase.OPENING) is admitted
    unknown = policy is ClaimPolicy.DENY
    expected = Reason.PORTAL_UNREACHABLE if unknown else Reason.ANOTHER_VEHICLE_PARKED
    assert [fact.reason for fact in gate.of(Refused)] == ([] if admitted else [expected])


def test_whom_the_books_do_not_have_inside_passes_under_the_middle_policy() -> None:
    gate = rig(ClaimPolicy.DENY_IF_LOCAL_SAYS_INSIDE)
    gate.arrive(ANNA)
    gate.wait(0.31)
    assert gate.phase is Phase.OPENING


@pytest.mark.parametrize("late", [ClaimAnswered, ClaimFailed])
def test_a_word_after_the_deadline_changes_nothing(late: type) -> None:
    gate = rig()
    granted = gate.arrive(ANNA)
    gate.wait(0.31)
    before = replace(gate.lane, now=0.0)
    word = ClaimFailed(hold(granted), "x") if late is ClaimFailed else ClaimAnswered(hold(granted), None, "west")
    assert gate.say(word, ClaimAnswered(hold(granted), 3)) == []
    assert replace(gate.lane, now=0.0) == before


def test_a_repeated_word_changes_nothing() -> None:
    gate = rig()
    granted = gate.arrive(ANNA)
    gate.say(ClaimAnswered(hold(granted), 7))
    before = replace(gate.lane, now=0.0)
    assert gate.say(ClaimAnswered(hold(granted), 7), ClaimAnswered(hold(granted), None, "west")) == []
    assert replace(gate.lane, now=0.0) == before


def test_a_word_for_an_older_hold_is_not_for_this_one() -> None:
    gate = rig()
    old = hold(gate.arrive(ANNA))
    gate.say(ClaimAnswered(old, None, "west"))
    gate.wait(10.0)
    granted = gate.show(ANNA)
    assert gate.say(ClaimAnswered(old, 3)) == []
    assert gate.phase is Phase.AUTHORISING
    assert gate.say(ClaimAnswered(hold(granted), 4))
    assert gate.phase is Phase.OPENING


def test_a_portal_whose_fences_go_back_is_no_portal() -> None:
    gate = rig()
    gate.say(ClaimAnswered(hold(gate.arrive(ANNA)), 7))
    gate.rise()
    gate.drive_through()
    gate.fall()
    gate.wait(20.0)
    told = gate.say(ClaimAnswered(hold(gate.arrive(ANNA)), 7))
    assert not gate.of(Claimed, told)
    assert [fact.why for fact in gate.of(Unarbitrated, told)] == ["fence 7 went back"]


def test_an_exit_neither_waits_nor_is_refused() -> None:
    gate = rig(ClaimPolicy.DENY, Direction.OUT)
    gate.arrive(ANNA)
    gate.wait(3.0)
    assert gate.phase is Phase.OPENING
    held = hold([f for f in gate.facts if isinstance(f, Granted)])
    assert gate.say(ClaimAnswered(held, None, "west")) == []
    assert gate.phase is Phase.OPENING


def test_a_vehicle_that_leaves_while_it_waits_leaves_no_hold() -> None:
    gate = rig(ClaimPolicy.DENY)
    granted = gate.arrive(ANNA)
    gate.say(ClaimAnswered(hold(granted), None, "west"))
    gate.off(gate.lane.setup.approach(Direction.IN))
    gate.wait(5.0)
    assert gate.phase is Phase.IDLE
    assert len(gate.of(HoldReleased)) == 1


def test_a_clock_that_nobody_confirms_drifts() -> None:
    gate = rig()
    assert clock_err_ms(gate.site, gate.now) == CLOCK_ERR_MS
    alone = replace(gate.site, list_confirmed_at=gate.now.wall - timedelta(days=10))
    assert clock_err_ms(alone, gate.now) == CLOCK_ERR_MS + 86_400
