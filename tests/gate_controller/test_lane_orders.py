"""Orders: executed once, in time, with a reason, and never against fire, fault or an open boom."""

import pytest

from gate_controller.facts import (
    BoomOpenedManually,
    CommandRefused,
    Fact,
    Granted,
    HoldReleased,
    PhaseEntered,
    Released,
    Ungranted,
    UngrantedPassage,
)
from gate_controller.lane import ClearHold, ContactsLost, Order, Phase, Role
from tests.gate_controller.lane_rig import LC, LO, LOOPS, A, Rig, S, plate, setup

ANNA, STRANGER = plate("AB-123-CD"), plate("NO-999-X")


def why(facts: list[Fact]) -> list[str]:
    return [fact.why for fact in facts if isinstance(fact, CommandRefused)]


def test_an_opening_by_order_names_who_and_why_and_pulses_once() -> None:
    rig = Rig()
    facts = rig.order(Order.OPEN)
    assert facts == [BoomOpenedManually(rig.lane.setup.id, "entry-r1-1", "clerk", "delivery")]
    assert rig.phase is Phase.OPENING
    assert rig.pulses == ["entry-r1-1"]
    rig.rise()
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.MANUAL]
    rig.fall()
    assert rig.phase is Phase.IDLE
    assert rig.pulses == ["entry-r1-1"]


def test_an_opening_without_a_reason_is_refused() -> None:
    rig = Rig()
    assert why(rig.order(Order.OPEN, reason="  ")) == ["opening by hand needs a reason"]
    assert rig.phase is Phase.IDLE


def test_an_order_is_executed_once_however_often_it_comes() -> None:
    rig = Rig()
    rig.order(Order.OPEN, id="same", expires_mono_s=rig.t + 60.0)
    rig.wait(2.0)
    rig.rise()
    rig.drive_through()
    rig.fall()
    assert rig.phase is Phase.IDLE
    assert why(rig.order(Order.OPEN, id="same", expires_mono_s=rig.t + 20.0)) == ["repeated"]
    assert rig.pulses == ["entry-r1-1"]


def test_an_order_refused_once_is_not_executed_by_its_repetition() -> None:
    rig = Rig()
    rig.on(Role.FIRE)
    assert why(rig.order(Order.OPEN, id="same")) == ["fire holds the boom open"]
    rig.off(Role.FIRE)
    rig.order(Order.ACKNOWLEDGE)
    assert why(rig.order(Order.OPEN, id="same")) == ["repeated"]


@pytest.mark.parametrize("late", [0.0, 0.001, 3600.0])
def test_an_expired_order_is_refused(late: float) -> None:
    rig = Rig()
    assert why(rig.order(Order.OPEN, expires_mono_s=rig.t - late)) == ["expired"]
    assert not rig.pulses


def test_an_order_for_the_far_future_is_refused() -> None:
    rig = Rig()
    assert why(rig.order(Order.OPEN, expires_mono_s=rig.t + 61.0)) == ["its expiry lies more than 60 s ahead"]


def test_the_memory_of_orders_is_bounded_and_frees_itself() -> None:
    rig = Rig()
    for _ in range(32):
        rig.order(Order.RELEASE)
    assert why(rig.order(Order.OPEN)) == ["too many orders at once"]
    rig.wait(10.0)
    assert not why(rig.order(Order.OPEN))


def test_the_pulse_of_an_order_dies_with_it() -> None:
    rig = Rig(auto=False)
    rig.order(Order.OPEN, expires_mono_s=rig.t + 1.0)
    assert rig.shown.pulse is not None
    assert rig.shown.pulse.expires_mono_s == rig.t + 1.0
    rig.wait(1.0)
    assert rig.shown.pulse is None


def test_a_refusal_names_who_asked() -> None:
    [refused] = Rig().order(Order.RELEASE, by="mona")
    assert refused == CommandRefused(setup().id, "c1", "nothing to release", "mona")


def test_a_boom_that_nothing_could_hold_is_not_ordered_to_stand_open() -> None:
    rig = Rig(setup(hold_fitted=False))
    assert why(rig.order(Order.HOLD_OPEN)) == ["no hold relay is wired"]
    assert rig.phase is Phase.IDLE
    rig.arrive(ANNA)
    assert rig.pulses == ["entry-r1-1"]


def test_a_lane_without_a_hold_relay_has_nothing_of_it_to_release() -> None:
    rig = Rig(setup(fitted=LOOPS, hold_fitted=False))
    assert why(rig.order(Order.RELEASE)) == ["nothing to release"]


@pytest.mark.parametrize("acknowledged", [False, True])
def test_an_operator_may_open_under_a_broken_limit(acknowledged: bool) -> None:
    rig = Rig()
    rig.off(LC)
    if acknowledged:
        rig.order(Order.ACKNOWLEDGE)
    before = rig.phase
    assert len(rig.of(BoomOpenedManually, rig.order(Order.OPEN))) == 1
    assert rig.pulses == ["entry-r1-1"]
    assert rig.phase is before
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.MANUAL]
    rig.drive_through()
    assert rig.of(UngrantedPassage)[-1].kind is not Ungranted.MANUAL


def test_a_boom_held_by_order_is_not_opened_by_another() -> None:
    rig = Rig()
    rig.order(Order.HOLD_OPEN)
    assert why(rig.order(Order.OPEN)) == ["the boom is held open"]
    assert not rig.pulses


def said(facts: list[Fact]) -> list[tuple[str, str]]:
    return [(fact.phase, fact.why) for fact in facts if isinstance(fact, PhaseEntered)]


def test_a_release_is_journaled_with_who_and_why_though_it_has_to_wait() -> None:
    rig = Rig()
    rig.order(Order.HOLD_OPEN)
    rig.rise()
    rig.on(S)
    assert said(rig.order(Order.RELEASE)) == [("held_open", "released by clerk: delivery")]
    assert said([*rig.off(S), *rig.wait(3.0)]) == [("closing", "released")]


def test_a_release_of_a_closed_lane_is_journaled_with_who_and_why() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    assert said(rig.order(Order.RELEASE))[0] == ("unknown", "released by clerk: delivery")


def test_a_release_of_a_lane_that_has_not_closed_yet_is_journaled_too() -> None:
    rig = Rig()
    rig.arrive(ANNA)
    rig.order(Order.CLOSE_LANE)
    assert said(rig.order(Order.RELEASE)) == [("opening", "released by clerk: delivery")]
    assert rig.lane.closed is None


def test_closing_a_lane_that_is_held_open_is_journaled_with_who_and_why() -> None:
    rig = Rig()
    rig.order(Order.HOLD_OPEN)
    assert ("held_open", "closed by clerk: delivery") in said(rig.order(Order.CLOSE_LANE))


def test_an_order_while_a_vehicle_opens_adds_no_second_pulse() -> None:
    rig = Rig()
    rig.arrive(ANNA)
    assert why(rig.order(Order.OPEN)) == ["the boom is opening"]
    rig.rise()
    assert why(rig.order(Order.OPEN)) == ["the boom is open"]
    assert rig.pulses == ["entry-r1-1"]


def test_a_refused_driver_whom_the_operator_lets_in_is_not_asked_again() -> None:
    rig = Rig()
    rig.arrive(STRANGER)
    rig.order(Order.OPEN)
    rig.show(ANNA)
    assert not rig.of(Granted)
    rig.rise()
    rig.drive_through()
    assert rig.site.occupancy.anonymous == 1


def test_a_driver_who_does_not_use_the_operators_opening_may_ask_again() -> None:
    rig = Rig()
    rig.arrive(STRANGER)
    rig.order(Order.OPEN)
    rig.rise()
    rig.wait(20.0)
    rig.off(LO)
    rig.show(ANNA)
    assert len(rig.of(Granted)) == 1


def test_an_order_opens_a_closed_lane_and_leaves_it_closed() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    rig.order(Order.OPEN)
    rig.rise()
    rig.drive_through()
    rig.fall()
    assert rig.phase is Phase.CLOSED_LANE


def test_closing_a_lane_that_is_held_open_waits_for_a_clear_loop() -> None:
    rig = Rig()
    rig.order(Order.HOLD_OPEN)
    rig.rise()
    rig.on(S)
    rig.order(Order.CLOSE_LANE)
    assert rig.shown.hold
    rig.off(S)
    rig.wait(3.0)
    assert not rig.shown.hold
    rig.fall()
    assert rig.phase is Phase.CLOSED_LANE


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Order.RELEASE, "nothing to release"),
        (Order.ACKNOWLEDGE, "nothing to acknowledge"),
    ],
)
def test_an_order_without_an_object_says_so(kind: Order, reason: str) -> None:
    assert why(Rig().order(kind)) == [reason]


def test_a_closed_lane_is_not_closed_again_nor_held_open() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    assert why(rig.order(Order.CLOSE_LANE)) == ["the lane is closed already"]
    assert why(rig.order(Order.HOLD_OPEN)) == ["the lane is closed; release it first"]


def test_nothing_is_ordered_from_a_lane_whose_board_is_silent() -> None:
    rig = Rig()
    rig.say(ContactsLost())
    for kind in (Order.OPEN, Order.HOLD_OPEN):
        assert why(rig.order(kind)) == ["the position of the boom is unknown"]


def test_a_lane_closed_while_its_board_is_silent_comes_back_closed() -> None:
    rig = Rig(ready=False)
    rig.order(Order.CLOSE_LANE)
    for role in sorted(rig.lane.setup.fitted):
        (rig.on if role is Role.CLOSED_LIMIT else rig.off)(role)
    rig.wait(1.0)
    assert rig.phase is Phase.CLOSED_LANE


def test_a_hold_open_ends_an_opening_but_not_its_grant() -> None:
    rig = Rig(auto=False)
    rig.auto = True
    rig.arrive(ANNA)
    rig.order(Order.HOLD_OPEN)
    assert rig.shown.pulse is None
    assert rig.shown.hold
    rig.rise()
    rig.drive_through()
    assert rig.inside() == {"AB123CD"}


@pytest.mark.parametrize(
    ("fitted", "direction"),
    [({A}, "in"), ({S}, "in"), ({A, S, LO}, "in"), ({A, S}, None)],
)
def test_a_lane_that_could_not_know_what_it_does_cannot_be_built(fitted: set[Role], direction: str | None) -> None:
    with pytest.raises(ValueError, match="lane entry: "):
        setup(direction, frozenset(fitted))  # type: ignore[arg-type]


def test_a_hold_that_nothing_ends_is_ended_by_a_person_who_is_named() -> None:
    rig = Rig()
    (granted,) = rig.of(Granted, rig.arrive(ANNA))
    rig.rise()
    rig.on(S)
    rig.wait(1.0)
    rig.off(A)
    rig.wait(3600.0)
    assert rig.phase is Phase.PASSING
    facts = rig.say(ClearHold(granted.hold, "joris", "the loop is broken"))
    released = HoldReleased(rig.lane.setup.id, granted.hold, Released.OPERATOR, "joris", "the loop is broken")
    assert facts == [released]
    assert not rig.site.occupancy.holds
    assert granted.user_id in rig.site.occupancy.neutral
    assert why(rig.say(ClearHold(granted.hold, "joris", "again"))) == ["it has ended"]


def test_who_then_comes_through_all_the_same_is_counted_as_nobody() -> None:
    rig = Rig()
    (granted,) = rig.of(Granted, rig.arrive(ANNA))
    rig.rise()
    rig.say(ClearHold(granted.hold, "joris", "drove off"))
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.TAILGATE]
    assert rig.inside() == set()
    rig.fall()
    assert rig.phase is Phase.IDLE


def test_a_hold_that_waits_behind_another_can_be_ended_alone() -> None:
    rig = Rig()
    (first,) = rig.of(Granted, rig.arrive(ANNA))
    rig.rise()
    rig.on(S)
    rig.off(A)
    rig.wait(0.5)
    (second,) = rig.of(Granted, rig.arrive(plate("KL-55-MN")))
    rig.say(ClearHold(second.hold, "joris", "backed out"))
    assert list(rig.site.occupancy.holds) == [first.hold]


def test_a_hold_is_not_ended_while_the_boom_opens_for_it() -> None:
    rig = Rig()
    (granted,) = rig.of(Granted, rig.arrive(ANNA))
    assert rig.phase is Phase.OPENING
    assert why(rig.say(ClearHold(granted.hold, "joris", "no"))) == ["the boom is opening for it"]
    assert list(rig.site.occupancy.holds) == [granted.hold]
