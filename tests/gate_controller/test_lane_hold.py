"""The hold relay: a boom that is held stays up until a person lets go of it beside a clear safety loop."""

import pytest

from gate_controller.facts import AlarmRaised, CommandRefused, PhaseEntered
from gate_controller.lane import ContactsLost, Order, Phase, Role
from tests.gate_controller.lane_rig import ALL, LC, LO, LOOPS, A, Rig, S, X, plate, setup

ANNA = plate("AB-123-CD")
NO_LIMITS = LOOPS | {Role.FIRE, Role.FAULT}


def held(*under: Role, fitted: frozenset[Role] = ALL) -> Rig:
    """The boom is held open by order; `under` it, on the safety loop, somebody may stand."""
    rig = Rig(setup(fitted=fitted))
    rig.order(Order.HOLD_OPEN)
    rig.rise()
    rig.on(*under)
    assert rig.shown.hold is True
    return rig


def back(rig: Rig, *on: Role) -> Rig:
    """The board is heard again: these contacts are on, all others off."""
    for role in sorted(rig.lane.setup.fitted):
        (rig.on if role in on else rig.off)(role)
    return rig


def restarted(rig: Rig, *on: Role) -> Rig:
    """The program dies and starts anew; the board kept its relay."""
    rig.start(rig.lane.setup)
    assert rig.shown.hold is None
    return back(rig, *on)


@pytest.mark.parametrize("under", [(), (S,)])
def test_a_restart_leaves_the_relay_of_a_held_boom_alone(under: tuple[Role, ...]) -> None:
    rig = restarted(held(*under), LO, *under)
    rig.wait(600.0)
    assert rig.phase is Phase.HELD_OPEN
    assert rig.shown.hold is None


@pytest.mark.parametrize("under", [(), (S,)])
def test_a_silent_board_keeps_its_relay_when_it_is_heard_again(under: tuple[Role, ...]) -> None:
    rig = held(*under)
    rig.say(ContactsLost())
    assert rig.shown.hold is None
    back(rig, LO, *under).wait(600.0)
    assert rig.shown.hold is None


@pytest.mark.parametrize("under", [(), (S,)])
def test_a_fault_keeps_a_held_boom_up_until_somebody_releases_it(under: tuple[Role, ...]) -> None:
    rig = held(*under)
    rig.on(Role.FAULT)
    rig.wait(600.0)
    assert rig.phase is Phase.FAULT
    assert rig.shown.hold is None
    rig.off(Role.FAULT)
    rig.order(Order.ACKNOWLEDGE)
    rig.wait(600.0)
    assert rig.shown.hold is None
    rig.order(Order.RELEASE)
    rig.off(S)
    rig.wait(3.0)
    assert rig.shown.hold is False


def test_a_boom_held_through_a_restart_is_released_beside_a_clear_loop_only() -> None:
    rig = restarted(held(S), LO, S)
    rig.wait(1.0)
    rig.order(Order.RELEASE)
    rig.wait(60.0)
    assert rig.shown.hold is None
    rig.off(S)
    rig.wait(3.0)
    assert rig.shown.hold is False
    assert rig.phase is Phase.CLOSING


def test_a_release_dies_with_the_board() -> None:
    rig = held(S)
    rig.order(Order.RELEASE)
    rig.say(ContactsLost())
    back(rig, LO).wait(60.0)
    assert rig.shown.hold is None


def test_a_boom_found_shut_is_held_by_nothing() -> None:
    rig = restarted(held(), LC)
    assert rig.shown.hold is None
    rig.wait(1.0)
    assert rig.shown.hold is False


def test_a_boom_said_to_be_shut_over_a_vehicle_is_not_believed() -> None:
    rig = restarted(held(S), LC, S)
    rig.wait(60.0)
    assert rig.shown.hold is None
    rig.off(S)
    rig.wait(1.0)
    assert rig.shown.hold is False


def test_without_limits_a_restarted_lane_lets_go_when_it_is_told_to() -> None:
    rig = restarted(held(S, fitted=NO_LIMITS), S)
    rig.wait(60.0)
    assert rig.phase is Phase.IDLE
    assert rig.shown.hold is None
    assert not rig.of(CommandRefused, rig.order(Order.RELEASE))
    rig.wait(60.0)
    assert rig.shown.hold is None
    rig.off(S)
    rig.wait(0.9)
    assert rig.shown.hold is None
    rig.wait(0.1)
    assert rig.shown.hold is False
    assert rig.of(CommandRefused, rig.order(Order.RELEASE))


def test_a_release_waits_for_the_vehicle_being_let_in() -> None:
    rig = restarted(held(fitted=NO_LIMITS))
    rig.wait(3.0)
    rig.arrive(ANNA)
    assert rig.phase is Phase.OPENING
    rig.order(Order.RELEASE)
    rig.wait(10.0)
    assert rig.phase is Phase.OPEN_WAIT
    assert rig.shown.hold is None
    rig.drive_through()
    rig.wait(2.0)
    assert rig.inside() == {"AB123CD"}
    assert rig.shown.hold is False


def test_a_fault_with_the_relay_on_is_released_without_being_mended() -> None:
    rig = held(S)
    rig.on(Role.FAULT)
    rig.order(Order.RELEASE)
    assert rig.shown.hold is None
    rig.off(S)
    rig.wait(3.0)
    assert rig.phase is Phase.FAULT
    assert rig.shown.hold is False


# ---- fire ----


def burning(*under: Role, fitted: frozenset[Role] = ALL) -> Rig:
    rig = Rig(setup(fitted=fitted))
    rig.on(Role.FIRE)
    if LC in fitted:
        rig.rise()
    rig.on(*under)
    return rig


@pytest.mark.parametrize("fitted", [ALL, NO_LIMITS])
def test_a_fire_acknowledged_over_a_vehicle_lets_go_when_it_has_left(fitted: frozenset[Role]) -> None:
    rig = burning(S, fitted=fitted)
    rig.off(Role.FIRE)
    assert rig.shown.hold is True
    rig.order(Order.ACKNOWLEDGE)
    rig.wait(60.0)
    assert rig.shown.hold is None
    rig.off(S, X)
    rig.wait(3.0)
    assert rig.shown.hold is False


def test_a_fire_acknowledged_beside_a_clear_loop_lets_go_at_once() -> None:
    rig = burning()
    rig.off(Role.FIRE)
    rig.order(Order.ACKNOWLEDGE)
    assert rig.shown.hold is False


def test_a_restart_between_a_fire_and_its_acknowledgement_leaves_the_boom_up() -> None:
    rig = restarted(burning(), LO)
    rig.wait(60.0)
    assert rig.phase is Phase.HELD_OPEN
    assert rig.shown.hold is None
    rig.order(Order.RELEASE)
    assert rig.shown.hold is False


def test_a_fire_holds_on_through_silence() -> None:
    rig = burning()
    rig.say(ContactsLost())
    assert rig.shown.hold is True
    back(rig, LO, A)
    assert rig.shown.hold is True


def test_a_fire_at_a_lane_that_nothing_could_hold_shows_no_green_at_a_shut_boom() -> None:
    rig = Rig(setup(hold_fitted=False))
    rig.on(Role.FIRE)
    assert rig.shown.red
    rig.off(LC)
    assert rig.shown.green


def test_a_lane_that_cannot_see_whether_its_boom_is_held_says_so_until_a_person_releases_it() -> None:
    rig = restarted(held(S, fitted=NO_LIMITS), S)
    (alarm,) = rig.of(AlarmRaised, rig.wait(3.0))
    assert alarm.alarm == "hold_unknown"
    assert "release" in alarm.detail
    assert not rig.of(AlarmRaised, rig.wait(60.0))
    released = [*rig.order(Order.RELEASE), *rig.wait(60.0), *rig.off(S), *rig.wait(3.0)]
    assert rig.of(PhaseEntered, released)[0].why == "released by clerk: delivery"
    assert not rig.of(AlarmRaised, released)
    assert rig.shown.hold is False


def test_a_silent_board_leaves_the_same_doubt() -> None:
    rig = Rig(setup(fitted=NO_LIMITS))
    rig.order(Order.RELEASE)
    rig.wait(3.0)
    rig.say(ContactsLost())
    back(rig)
    assert [alarm.alarm for alarm in rig.of(AlarmRaised, rig.wait(3.0))] == ["hold_unknown"]


@pytest.mark.parametrize(
    ("fitted", "hold_fitted"), [(NO_LIMITS, False), (ALL, True)], ids=["no hold relay", "limits tell"]
)
def test_a_lane_that_knows_calls_nobody(fitted: frozenset[Role], hold_fitted: bool) -> None:
    rig = Rig(setup(fitted=fitted, hold_fitted=hold_fitted))
    rig.wait(600.0)
    assert not rig.of(AlarmRaised)
