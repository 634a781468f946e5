"""The table of a lane, row by row: inputs sent, phases, facts and outputs expected, time moved by hand."""

import pytest

from gate_controller.access import ExitPolicy
from gate_controller.facts import (
    AlarmRaised,
    BoomOpenedManually,
    CommandRefused,
    CredentialDropped,
    Direction,
    Fact,
    Granted,
    HoldReleased,
    LaneStarted,
    LogGap,
    Opened,
    Passed,
    PhaseEntered,
    Refused,
    Released,
    Ungranted,
    UngrantedPassage,
    VehicleArrived,
    VehicleLeft,
)
from gate_controller.lane import (
    CommitFailed,
    Committed,
    Contact,
    ContactsLost,
    Order,
    Phase,
    PulseSent,
    PulseUncertain,
    Role,
    StorePolicy,
    Tick,
    start,
    step,
)
from gate_controller.reasons import Note, Reason
from tests.gate_controller.lane_rig import ALL, LC, LO, LOOPS, A, Rig, S, X, badge, plate, setup, site, user

ANNA, BORIS, CARLA = plate("AB-123-CD"), plate("KL-55-MN"), plate("XY-777-Z")
NO_FAR = ALL - {X}
NO_LIMITS = ALL - {LC, LO}


def opened(rig: Rig | None = None) -> Rig:
    """A lane whose boom is up for Anna."""
    rig = rig or Rig()
    rig.arrive(ANNA)
    rig.rise()
    assert rig.phase is Phase.OPEN_WAIT
    return rig


def passing(rig: Rig | None = None) -> Rig:
    """Anna stands under the boom, off the approach loop."""
    rig = opened(rig)
    rig.on(S)
    rig.off(A)
    rig.wait(0.5)
    assert rig.phase is Phase.PASSING
    return rig


def closing(rig: Rig | None = None) -> Rig:
    """Anna is through, the boom still up."""
    rig = passing(rig)
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    rig.off(X)
    assert rig.phase is Phase.CLOSING
    return rig


def found(rig: Rig, closed: bool, open_: bool) -> Rig:
    """The board reports for the first time, with the limits as told."""
    for role in sorted(rig.lane.setup.fitted):
        rig.say(Contact(role, {LC: closed, LO: open_}.get(role, False)))
    return rig


def releases(rig: Rig) -> list[Released]:
    return [fact.why for fact in rig.of(HoldReleased)]


def refused(rig: Rig, facts: list[Fact]) -> list[str]:
    """Why orders were not executed."""
    return [fact.why for fact in rig.of(CommandRefused, facts)]


# ---- UNKNOWN ----


def test_a_lane_starts_unknown_and_shows_nothing_that_moves() -> None:
    rig = Rig(ready=False)
    assert rig.phase is Phase.UNKNOWN
    assert rig.of(LaneStarted)
    assert rig.shown.pulse is None
    assert not rig.shown.hold
    assert rig.shown.red


def test_unknown_leaves_for_idle_once_the_closed_limit_is_stable() -> None:
    rig = found(Rig(ready=False), closed=True, open_=False)
    rig.wait(0.4)
    assert rig.phase is Phase.UNKNOWN
    rig.wait(0.1)
    assert rig.phase is Phase.IDLE


def test_unknown_waits_until_every_fitted_contact_has_been_heard_of() -> None:
    rig = Rig(ready=False)
    rig.on(LC)
    rig.wait(60.0)
    assert rig.phase is Phase.UNKNOWN


def test_unknown_leaves_for_idle_after_two_seconds_where_no_limits_are_fitted() -> None:
    rig = found(Rig(setup(fitted=NO_LIMITS), ready=False), closed=False, open_=False)
    rig.wait(1.9)
    assert rig.phase is Phase.UNKNOWN
    rig.wait(0.1)
    assert rig.phase is Phase.IDLE


def test_a_boom_found_open_is_held_open_without_a_hand_on_it() -> None:
    rig = found(Rig(ready=False), closed=False, open_=True)
    rig.wait(0.5)
    assert rig.phase is Phase.HELD_OPEN
    assert not rig.shown.hold
    assert not rig.pulses


def test_both_limits_at_once_are_a_fault() -> None:
    rig = found(Rig(ready=False), closed=True, open_=True)
    rig.wait(0.5)
    assert rig.phase is Phase.FAULT


def test_a_boom_between_its_limits_is_a_fault_only_when_it_stays_there() -> None:
    rig = found(Rig(ready=False), closed=False, open_=False)
    rig.wait(9.9)
    assert rig.phase is Phase.UNKNOWN
    rig.wait(0.1)
    assert rig.phase is Phase.FAULT


def test_a_boom_that_arrives_at_its_limit_at_the_last_moment_is_no_fault() -> None:
    rig = found(Rig(ready=False), closed=False, open_=False)
    rig.wait(9.8)
    rig.on(LO)
    rig.wait(0.5)
    assert rig.phase is Phase.HELD_OPEN


def test_a_boom_off_its_only_limit_was_found_open() -> None:
    rig = found(Rig(setup(fitted=ALL - {LO}), ready=False), closed=False, open_=False)
    rig.wait(10.0)
    assert rig.phase is Phase.HELD_OPEN


# ---- IDLE ----


def test_a_vehicle_that_stays_on_the_loop_arms_the_lane() -> None:
    rig = Rig()
    rig.on(A)
    rig.wait(0.2)
    assert rig.phase is Phase.IDLE
    facts = rig.wait(0.1)
    assert rig.phase is Phase.ARMED
    assert facts == [VehicleArrived(rig.lane.setup.id, Direction.IN)]


def test_a_shadow_on_the_loop_arms_nothing() -> None:
    rig = Rig()
    rig.on(A)
    rig.wait(0.2)
    rig.off(A)
    rig.wait(5.0)
    assert rig.phase is Phase.IDLE
    assert not rig.of(VehicleArrived)


def test_a_boom_that_leaves_its_closed_limit_by_itself_was_forced() -> None:
    rig = Rig()
    rig.off(LC)
    assert rig.phase is Phase.FORCED_OPEN
    assert not rig.shown.hold


def test_a_boom_opened_by_hand_is_held_open_not_forced() -> None:
    rig = Rig()
    rig.on(Role.MANUAL)
    rig.off(LC)
    assert rig.phase is Phase.HELD_OPEN
    rig.on(LO)
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.MANUAL]


def test_a_badge_without_a_vehicle_is_refused_and_told_once() -> None:
    rig = Rig()
    assert [f.reason for f in rig.of(Refused, rig.show(badge()))] == [Reason.NO_PRESENCE]
    assert not rig.show(badge())
    rig.wait(3.0)
    assert len(rig.show(badge())) == 1
    assert rig.phase is Phase.IDLE


def test_a_plate_read_on_the_way_up_counts_when_its_vehicle_arrives() -> None:
    rig = Rig()
    assert not rig.show(ANNA)
    rig.wait(1.0)
    rig.arrive()
    assert rig.phase is Phase.OPENING


def test_a_plate_read_long_before_belongs_to_somebody_else() -> None:
    rig = Rig()
    rig.show(ANNA)
    rig.wait(2.8)
    rig.arrive()
    assert rig.phase is Phase.ARMED
    assert not rig.of(Granted)


# ---- ARMED ----


def test_a_credential_that_decide_grants_opens() -> None:
    rig = Rig(auto=False)
    facts = rig.arrive(ANNA)
    assert [f.user_id for f in rig.of(Granted, facts)] == ["u-anna"]
    assert rig.phase is Phase.AUTHORISING
    assert rig.shown.pulse is None


def test_a_vehicle_that_goes_away_disarms_the_lane() -> None:
    rig = Rig()
    rig.arrive()
    rig.off(A)
    rig.wait(2.9)
    assert rig.phase is Phase.ARMED
    facts = rig.wait(0.1)
    assert rig.phase is Phase.IDLE
    assert rig.of(VehicleLeft, facts)


def test_a_loop_that_flickers_is_still_the_same_vehicle() -> None:
    rig = Rig()
    rig.arrive()
    for _ in range(3):
        rig.off(A)
        rig.wait(2.0)
        rig.on(A)
        rig.wait(2.0)
    assert len(rig.of(VehicleArrived)) == 1


def test_a_refusal_is_told_once_and_shown_to_the_driver() -> None:
    rig = Rig()
    rig.arrive(plate("NO-999-X"))
    for _ in range(20):
        rig.wait(0.1)
        rig.show(plate("NO-999-X"))
    assert [f.reason for f in rig.of(Refused)] == [Reason.UNKNOWN_CREDENTIAL]
    assert rig.shown.reason is Reason.UNKNOWN_CREDENTIAL
    assert rig.phase is Phase.ARMED


def test_a_badge_after_an_unknown_plate_opens_and_the_plate_is_remembered() -> None:
    rig = Rig()
    rig.arrive(plate("NO-999-X"))
    (granted,) = rig.of(Granted, rig.show(badge()))
    assert rig.phase is Phase.OPENING
    assert rig.shown.reason is None
    assert granted.plate == "NO999X"


def test_a_vehicle_is_admitted_at_its_next_read_when_the_list_changes() -> None:
    rig = Rig()
    newcomer = plate("ZZ-100-A")
    rig.arrive(newcomer)
    assert rig.phase is Phase.ARMED
    rig.site = site(*user("zoe", "ZZ-100-A"))
    rig.show(newcomer)
    assert rig.phase is Phase.OPENING


def test_an_entry_without_any_read_is_told_to_show_a_badge_once() -> None:
    rig = Rig()
    rig.arrive()
    assert not rig.of(Refused, rig.wait(2.9))
    rig.wait(30.0)
    assert [f.reason for f in rig.of(Refused)] == [Reason.UNREADABLE_PLATE]
    assert rig.shown.reason is Reason.UNREADABLE_PLATE


def test_a_vehicle_refused_by_its_plate_is_not_told_that_it_was_unreadable() -> None:
    rig = Rig()
    rig.arrive(plate("NO-999-X"))
    rig.wait(30.0)
    assert [f.reason for f in rig.of(Refused)] == [Reason.UNKNOWN_CREDENTIAL]


def test_a_forced_boom_is_noticed_while_a_vehicle_waits() -> None:
    rig = Rig()
    rig.arrive()
    rig.off(LC)
    assert rig.phase is Phase.FORCED_OPEN


# ---- AUTHORISING ----


def test_the_pulse_waits_for_the_disk() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.wait(0.05)
    assert rig.shown.pulse is None
    rig.say(Committed(granted.hold))
    assert rig.phase is Phase.OPENING
    assert rig.shown.pulse is not None
    assert rig.shown.pulse.id == granted.hold
    assert rig.shown.pulse.width_s == 0.5
    assert rig.shown.pulse.expires_mono_s == rig.t + 2.0


def test_a_slow_disk_costs_a_gap_in_the_log_not_the_opening() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    facts = rig.wait(0.1)
    assert rig.of(LogGap, facts) == [LogGap(rig.lane.setup.id, granted.hold, "u-anna")]
    assert rig.phase is Phase.OPENING
    assert rig.site.occupancy.neutral == {"u-anna"}
    assert not rig.say(Committed(granted.hold))


def test_a_broken_disk_is_not_waited_for() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    assert rig.of(LogGap, rig.say(CommitFailed(granted.hold, "no space left")))
    assert rig.phase is Phase.OPENING


def test_an_entry_may_prefer_to_refuse_what_it_cannot_write() -> None:
    rig = Rig(setup(store_policy=StorePolicy.REFUSE), auto=False)
    rig.arrive(ANNA)
    facts = rig.wait(0.1)
    assert releases(rig) == [Released.STORE_UNAVAILABLE]
    assert [f.reason for f in rig.of(Refused, facts)] == [Reason.STORE_UNAVAILABLE]
    assert rig.phase is Phase.ARMED
    assert rig.shown.reason is Reason.STORE_UNAVAILABLE
    assert not rig.pulses
    assert not rig.site.occupancy.holds


def test_an_exit_opens_whatever_the_disk_does() -> None:
    rig = Rig(setup(Direction.OUT, store_policy=StorePolicy.REFUSE), auto=False)
    rig.arrive(ANNA)
    rig.wait(3.0)
    rig.wait(0.1)
    assert rig.of(LogGap)
    assert rig.phase is Phase.OPENING


def test_a_vehicle_that_leaves_before_the_disk_answers_gives_its_place_back() -> None:
    rig = Rig(setup(commit_within_s=10.0), auto=False)
    rig.arrive(ANNA)
    rig.off(A)
    rig.wait(3.0)
    assert releases(rig) == [Released.EXPIRED]
    assert rig.phase is Phase.IDLE
    assert not rig.site.occupancy.holds


# ---- OPENING ----


def test_opening_ends_at_the_open_limit() -> None:
    rig = Rig()
    rig.arrive(ANNA)
    rig.off(LC)
    assert rig.phase is Phase.OPENING
    assert rig.of(Opened, rig.on(LO)) == [Opened(rig.lane.setup.id, "entry-r1-1", assumed=False)]
    assert rig.phase is Phase.OPEN_WAIT
    assert rig.shown.green


def test_a_vehicle_already_on_the_safety_loop_is_passing() -> None:
    rig = Rig()
    rig.on(S)
    rig.arrive(ANNA)
    assert rig.phase is Phase.PASSING
    assert rig.pulses == ["entry-r1-1"]


def test_a_boom_that_does_not_open_in_eight_seconds_is_a_fault() -> None:
    rig = Rig()
    rig.arrive(ANNA)
    rig.wait(7.9)
    assert rig.phase is Phase.OPENING
    rig.wait(0.1)
    assert rig.phase is Phase.FAULT
    assert releases(rig) == [Released.FAULT]
    assert rig.site.occupancy.neutral == {"u-anna"}


def test_without_limits_the_timer_says_open_and_calls_it_assumed() -> None:
    rig = Rig(setup(fitted=NO_LIMITS))
    rig.arrive(ANNA)
    rig.wait(8.0)
    assert [f.assumed for f in rig.of(Opened)] == [True]
    assert rig.phase is Phase.OPEN_WAIT


def test_with_a_closed_limit_only_the_boom_must_at_least_leave_it() -> None:
    for moved, phase in ((True, Phase.OPEN_WAIT), (False, Phase.FAULT)):
        rig = Rig(setup(fitted=ALL - {LO}))
        rig.arrive(ANNA)
        if moved:
            rig.off(LC)
        rig.wait(8.0)
        assert rig.phase is phase


def test_a_pulse_is_shown_until_it_is_sent_and_never_again() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    assert rig.shown.pulse is not None
    rig.say(PulseSent(rig.shown.pulse.id))
    assert rig.shown.pulse is None
    rig.wait(7.0)
    assert rig.pulses == [granted.hold]


def test_a_doubted_pulse_is_read_back_from_the_limits_and_not_repeated() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    rig.say(PulseUncertain(rig.pulses[0], "no answer"))  # type: ignore[arg-type]
    assert rig.phase is Phase.OPENING
    assert rig.shown.pulse is None
    rig.rise()
    assert rig.phase is Phase.OPEN_WAIT
    assert rig.pulses == [granted.hold]


def test_without_limits_a_doubted_pulse_is_a_fault() -> None:
    rig = Rig(setup(fitted=NO_LIMITS), auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    rig.say(PulseUncertain(rig.pulses[0], "no answer"))  # type: ignore[arg-type]
    assert rig.phase is Phase.FAULT
    assert releases(rig) == [Released.OUTCOME_UNKNOWN]


def test_a_pulse_nobody_confirms_grows_too_old() -> None:
    rig = Rig(setup(fitted=NO_LIMITS), auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    rig.wait(2.0)
    assert rig.shown.pulse is None
    assert rig.phase is Phase.FAULT


def test_a_pulse_still_unsent_when_its_vehicle_is_through_is_withdrawn() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    rig.on(S, X)
    rig.off(A, S)
    rig.wait(1.0)
    assert rig.inside() == {"AB123CD"}
    assert rig.shown.pulse is None


def test_a_word_about_another_pulse_is_ignored() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    rig.say(PulseSent("entry-r0-9"), PulseUncertain("entry-r0-9", "late"))  # type: ignore[arg-type]
    assert rig.shown.pulse is not None


# ---- OPEN_WAIT ----


def test_driving_in_is_passing() -> None:
    rig = opened()
    rig.on(S)
    assert rig.phase is Phase.PASSING


def test_a_vehicle_that_does_not_drive_loses_its_grant_after_twenty_seconds() -> None:
    rig = opened()
    rig.wait(19.9)
    assert rig.phase is Phase.OPEN_WAIT
    rig.wait(0.1)
    assert rig.phase is Phase.CLOSING
    assert releases(rig) == [Released.NO_ENTRY]
    assert not rig.site.occupancy.holds
    assert not rig.site.occupancy.neutral


def test_a_boom_that_closed_by_itself_ends_the_wait() -> None:
    rig = opened()
    rig.fall()
    rig.wait(0.5)
    assert releases(rig) == [Released.NO_ENTRY]
    assert rig.phase is Phase.ARMED


def test_a_vehicle_that_missed_its_opening_may_ask_again() -> None:
    rig = opened()
    rig.wait(20.0)
    rig.fall()
    rig.show(ANNA)
    assert rig.phase is Phase.OPENING
    assert rig.pulses == ["entry-r1-1", "entry-r1-2"]


# ---- PASSING ----


def test_clear_and_seen_beyond_is_a_passage() -> None:
    rig = passing()
    rig.on(X)
    rig.off(S)
    rig.wait(0.9)
    assert not rig.of(Passed)
    assert not rig.inside()
    facts = rig.wait(0.1)
    assert rig.of(Passed, facts) == [Passed(rig.lane.setup.id, Direction.IN, "entry-r1-1", assumed=False)]
    assert rig.inside() == {"AB123CD"}
    assert rig.phase is Phase.CLOSING


def test_a_vehicle_that_backs_out_leaves_no_session() -> None:
    rig = opened()
    rig.on(S)
    rig.wait(2.0)
    rig.off(S)
    rig.wait(2.9)
    assert rig.phase is Phase.PASSING
    rig.wait(0.1)
    assert releases(rig) == [Released.BACK_OUT]
    assert rig.phase is Phase.CLOSING
    assert not rig.inside()


def test_a_vehicle_lost_between_the_loops_is_unconfirmed_and_its_user_neutral() -> None:
    rig = passing()
    rig.off(S)
    rig.wait(3.0)
    assert releases(rig) == [Released.UNCONFIRMED]
    assert rig.site.occupancy.neutral == {"u-anna"}


def test_a_far_loop_covered_by_the_vehicle_ahead_confirms_nothing() -> None:
    rig = Rig()
    rig.on(X)
    rig.wait(1.0)
    passing(rig)
    rig.off(S)
    rig.wait(3.0)
    assert not rig.of(Passed)


def test_without_a_far_loop_the_passage_is_assumed() -> None:
    rig = Rig(setup(fitted=NO_FAR))
    passing(rig)
    rig.off(S)
    rig.wait(1.0)
    assert [f.assumed for f in rig.of(Passed)] == [True]


def test_a_vehicle_that_stays_under_the_boom_calls_for_help_once() -> None:
    rig = passing()
    facts = rig.wait(600.0)
    assert [f.alarm for f in rig.of(AlarmRaised, facts)] == ["obstructed"]
    assert rig.phase is Phase.PASSING


def test_a_flicker_of_the_safety_loop_is_no_passage() -> None:
    rig = passing()
    rig.on(X)
    for _ in range(5):
        rig.off(S)
        rig.wait(0.9)
        rig.on(S)
        rig.wait(0.2)
    assert not rig.of(Passed)
    rig.off(S)
    rig.wait(1.0)
    assert len(rig.of(Passed)) == 1


# ---- CLEARED and the queue ----


def queued(rig: Rig | None = None) -> Rig:
    """Anna passes, Boris is granted behind her."""
    rig = passing(rig)
    rig.arrive(BORIS)
    return rig


def test_the_next_vehicle_is_granted_while_the_first_passes_and_gets_its_own_pulse() -> None:
    rig = queued()
    assert [g.fact.user_id for g in rig.lane.queue] == ["u-boris"]
    assert rig.pulses == ["entry-r1-1"]
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    rig.off(X)
    assert rig.phase is Phase.OPEN_WAIT
    assert rig.pulses == ["entry-r1-1", "entry-r1-2"]
    rig.drive_through()
    assert rig.inside() == {"AB123CD", "KL55MN"}


def test_a_queued_vehicle_gets_the_boom_opened_anew_if_it_came_down() -> None:
    rig = queued()
    rig.on(X)
    rig.off(S, LO)
    rig.on(LC)
    rig.wait(1.0)
    assert rig.phase is Phase.OPENING


def test_a_grant_still_on_its_way_to_the_disk_is_waited_for() -> None:
    rig = passing()
    rig.auto = False
    rig.on(X)
    rig.on(A)
    rig.wait(0.3)
    rig.off(S)
    rig.wait(0.95)
    [boris] = rig.of(Granted, rig.show(BORIS))
    rig.wait(0.05)
    assert rig.phase is Phase.CLEARED
    rig.say(Committed(boris.hold))
    assert rig.phase is Phase.OPEN_WAIT


def test_whoever_drives_on_while_a_refused_grant_is_awaited_tailgates() -> None:
    rig = passing(Rig(setup(store_policy=StorePolicy.REFUSE)))
    rig.auto = False
    rig.on(X)
    rig.on(A)
    rig.wait(0.3)
    rig.off(S)
    rig.wait(0.95)
    rig.show(BORIS)
    rig.wait(0.05)
    rig.off(X)
    rig.on(S)
    assert rig.phase is Phase.CLEARED
    rig.wait(0.05)
    assert rig.phase is Phase.PASSING
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.TAILGATE]


def test_the_queue_is_bounded_and_says_so_once() -> None:
    rig = Rig(setup(queue_len_max=1))
    queued(rig)
    rig.off(A)
    rig.wait(0.3)
    rig.arrive(CARLA)
    rig.show(CARLA)
    rig.show(CARLA)
    assert [f.kind for f in rig.of(CredentialDropped)] == ["plate"]
    assert len(rig.lane.queue) == 1
    assert "u-carla" not in [f.user_id for f in rig.of(Granted)]


def test_a_queued_grant_expires() -> None:
    rig = queued()
    rig.wait(60.0)
    assert releases(rig) == [Released.EXPIRED]
    assert rig.phase is Phase.PASSING


def test_a_vehicle_that_was_served_is_not_asked_again() -> None:
    rig = opened()
    before = len(rig.facts)
    for text in ("AB-123-CD", "A8-123-CD", "NO-999-X"):
        rig.show(plate(text))
    rig.show(badge())
    assert len(rig.facts) == before


def test_the_tail_of_the_vehicle_ahead_is_not_the_next_vehicle() -> None:
    rig = closing()
    rig.arrive(ANNA)
    assert len(rig.of(Granted)) == 1
    assert not rig.of(Refused)


def test_another_vehicle_of_a_user_on_its_way_in_is_refused_with_its_reason() -> None:
    rig = passing()
    rig.arrive(plate("98-TH-D4"))
    assert [f.reason for f in rig.of(Refused)] == [Reason.ANOTHER_VEHICLE_PARKED]


def test_a_badge_handed_back_to_the_next_driver_is_refused_with_its_reason() -> None:
    rig = Rig()
    rig.arrive(badge())
    rig.rise()
    rig.on(S)
    rig.off(A)
    rig.wait(0.5)
    rig.arrive(badge())
    assert [f.reason for f in rig.of(Refused)] == [Reason.ALREADY_INSIDE]


# ---- CLOSING ----


def test_closing_ends_at_the_closed_limit() -> None:
    rig = closing()
    rig.fall()
    assert rig.phase is Phase.IDLE


def test_whoever_slips_through_a_closing_boom_is_counted_without_a_user() -> None:
    rig = closing()
    rig.on(S)
    assert rig.phase is Phase.PASSING
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.TAILGATE]
    assert rig.inside() == {"AB123CD"}
    assert rig.site.occupancy.anonymous == 1


def test_a_tailgater_who_backs_out_counts_for_nothing() -> None:
    rig = closing()
    rig.on(S)
    rig.off(S)
    rig.wait(3.0)
    assert not rig.of(UngrantedPassage)
    assert rig.phase is Phase.CLOSING


def test_a_grant_opens_a_closing_boom_again() -> None:
    rig = closing()
    rig.off(LO)
    rig.arrive(BORIS)
    assert rig.phase is Phase.OPENING
    assert rig.pulses[-1] == "entry-r1-2"
    rig.on(LO)
    assert rig.phase is Phase.OPEN_WAIT


def test_a_boom_that_does_not_close_is_a_fault() -> None:
    rig = closing()
    rig.wait(10.0)
    assert rig.phase is Phase.FAULT


def test_without_limits_closing_ends_by_the_timer() -> None:
    rig = Rig(setup(fitted=LOOPS))
    rig.arrive(ANNA)
    rig.wait(2.0)
    rig.drive_through()
    assert rig.phase is Phase.CLOSING
    rig.wait(10.0)
    assert rig.phase is Phase.IDLE


# ---- HELD_OPEN ----


def held(rig: Rig | None = None) -> Rig:
    rig = rig or Rig()
    rig.order(Order.HOLD_OPEN)
    rig.off(LC)
    rig.on(LO)
    assert rig.phase is Phase.HELD_OPEN
    return rig


def test_an_order_holds_the_boom_open_until_released_and_clear() -> None:
    rig = held()
    assert rig.shown.hold
    rig.on(S)
    rig.order(Order.RELEASE)
    rig.wait(30.0)
    assert rig.phase is Phase.HELD_OPEN
    assert rig.shown.hold
    rig.off(S)
    rig.wait(3.0)
    assert rig.phase is Phase.CLOSING
    assert rig.shown.hold is False


def test_a_boom_that_stands_open_without_an_order_calls_for_help() -> None:
    rig = found(Rig(ready=False), closed=False, open_=True)
    facts = rig.wait(600.0)
    assert [f.alarm for f in rig.of(AlarmRaised, facts)] == ["held_open"]
    ordered = held()
    assert not ordered.of(AlarmRaised, ordered.wait(600.0))


def test_a_boom_found_open_that_closes_is_idle() -> None:
    rig = found(Rig(ready=False), closed=False, open_=True)
    rig.wait(1.0)
    rig.fall()
    rig.wait(0.5)
    assert rig.phase is Phase.IDLE


def test_a_boom_that_does_not_obey_the_hold_is_a_fault() -> None:
    rig = Rig()
    rig.order(Order.HOLD_OPEN)
    rig.wait(8.0)
    assert rig.phase is Phase.FAULT
    assert rig.shown.hold is False


def test_known_vehicles_are_recorded_while_the_boom_is_held_open() -> None:
    rig = held()
    rig.arrive(ANNA)
    assert not rig.pulses
    rig.drive_through()
    assert rig.inside() == {"AB123CD"}
    assert rig.phase is Phase.HELD_OPEN


def test_a_plate_read_on_the_way_through_a_boom_found_open_opens_for_nobody_afterwards() -> None:
    """After a restart: a grant for whoever is on the way through already must not open an empty lane."""
    rig = Rig(ready=False)
    rig.on(A)
    rig.off(S, X, LC, *(ALL - {A, S, X, LC, LO}))
    rig.on(LO)
    rig.wait(1.0)
    assert rig.phase is Phase.HELD_OPEN
    rig.on(S)
    rig.wait(0.6)
    rig.show(plate("AB-123-CD"))
    hold = rig.of(Granted)[0].hold
    rig.off(A)
    rig.on(X)
    rig.wait(0.5)
    rig.off(S)
    rig.wait(1.0)
    rig.off(X)
    assert [(f.hold, f.why) for f in rig.of(HoldReleased)] == [(hold, Released.UNCONFIRMED)]
    rig.fall()
    rig.wait(30.0)
    assert rig.phase is Phase.IDLE
    assert not rig.pulses


def test_a_grant_of_the_next_vehicle_outlives_a_passage_without_one() -> None:
    rig = Rig(ready=False)
    rig.on(A)
    rig.off(S, X, LC, *(ALL - {A, S, X, LC, LO}))
    rig.on(LO)
    rig.wait(1.0)
    rig.on(S)
    rig.wait(0.6)
    rig.show(plate("AB-123-CD"))
    rig.on(X)
    rig.wait(0.5)
    rig.off(S)
    rig.wait(1.0)
    assert rig.of(UngrantedPassage)
    assert not rig.of(HoldReleased)


def test_unknown_vehicles_are_counted_while_the_boom_is_held_open() -> None:
    rig = held()
    rig.arrive(plate("NO-999-X"))
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.HELD_OPEN]


def test_a_grant_given_while_a_stranger_crosses_an_open_lane_is_not_the_strangers() -> None:
    rig = held()
    rig.on(S, X)
    rig.off(S)
    rig.arrive(ANNA)
    rig.wait(1.0)
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.HELD_OPEN]
    assert not rig.inside()
    rig.off(X)
    rig.drive_through()
    assert rig.inside() == {"AB123CD"}


def test_a_grant_in_an_open_lane_is_void_if_its_vehicle_does_not_drive() -> None:
    rig = held()
    rig.arrive(ANNA)
    rig.wait(20.0)
    assert releases(rig) == [Released.NO_ENTRY]


def test_two_known_vehicles_in_an_open_lane_are_recorded_in_their_order() -> None:
    rig = held()
    rig.arrive(ANNA)
    rig.on(S)
    rig.off(A)
    rig.wait(0.5)
    rig.arrive(BORIS)
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    assert rig.inside() == {"AB123CD"}
    rig.off(X)
    rig.drive_through()
    assert rig.inside() == {"AB123CD", "KL55MN"}


def test_a_vehicle_granted_while_open_still_gets_in_after_the_release() -> None:
    rig = held()
    rig.arrive(ANNA)
    rig.order(Order.RELEASE)
    assert rig.phase is Phase.OPEN_WAIT
    assert rig.pulses == ["entry-r1-1"]
    rig.drive_through()
    assert rig.inside() == {"AB123CD"}


def test_a_vehicle_that_used_its_pulse_before_the_hold_loses_its_grant_at_the_release() -> None:
    rig = opened()
    rig.order(Order.HOLD_OPEN)
    rig.order(Order.RELEASE)
    assert releases(rig) == [Released.NO_ENTRY]
    assert rig.pulses == ["entry-r1-1"]


def test_a_vehicle_under_the_boom_when_the_hold_begins_is_still_recorded() -> None:
    rig = passing()
    rig.order(Order.HOLD_OPEN)
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    assert rig.inside() == {"AB123CD"}


# ---- CLOSED_LANE ----


def test_a_closed_lane_tells_so_and_admits_nobody() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    assert rig.phase is Phase.CLOSED_LANE
    rig.arrive(ANNA)
    assert [f.reason for f in rig.of(Refused)] == [Reason.LANE_CLOSED]
    assert rig.shown.reason is Reason.LANE_CLOSED
    assert not rig.pulses


def test_a_closed_exit_lets_out_open_sessions_only() -> None:
    rig = Rig(setup(), setup(Direction.OUT, id="exit"))
    rig.arrive(ANNA)
    rig.rise()
    rig.drive_through()
    rig.fall()
    rig.order(Order.CLOSE_LANE, lane="exit")
    rig.arrive(plate("NO-999-X"), lane="exit")
    rig.wait(10.0)
    assert [f.reason for f in rig.of(Refused)] == [Reason.LANE_CLOSED]
    rig.off(A, lane="exit")
    rig.wait(3.0)
    rig.arrive(ANNA, lane="exit")
    rig.rise("exit")
    rig.drive_through("exit")
    rig.fall("exit")
    assert not rig.inside()
    assert rig.lanes["exit"].phase is Phase.CLOSED_LANE


def test_a_closed_lane_is_released_into_unknown_and_settles() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    facts = rig.order(Order.RELEASE)
    assert [f.phase for f in rig.of(PhaseEntered, facts)] == ["unknown", "idle"]
    assert rig.phase is Phase.IDLE


def test_a_vehicle_that_waits_at_a_lane_being_released_is_asked_once_it_settled() -> None:
    rig = Rig(setup(fitted=LOOPS))
    rig.order(Order.CLOSE_LANE)
    rig.arrive()
    rig.order(Order.RELEASE)
    rig.wait(4.0)
    assert rig.phase is Phase.ARMED
    assert [f.reason for f in rig.of(Refused, rig.wait(3.0))] == [Reason.UNREADABLE_PLATE]


def test_fire_opens_a_closed_lane_and_leaves_it_closed_afterwards() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    rig.on(Role.FIRE)
    assert rig.phase is Phase.FIRE
    rig.off(Role.FIRE)
    rig.order(Order.ACKNOWLEDGE)
    rig.wait(2.0)
    assert rig.phase is Phase.CLOSED_LANE


def test_a_busy_lane_closes_when_its_vehicle_is_through() -> None:
    rig = passing()
    rig.order(Order.CLOSE_LANE)
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    rig.off(X)
    rig.fall()
    assert rig.phase is Phase.CLOSED_LANE
    assert rig.inside() == {"AB123CD"}


def test_a_waiting_vehicle_is_told_when_the_lane_closes() -> None:
    rig = Rig()
    rig.arrive()
    rig.order(Order.CLOSE_LANE)
    assert rig.phase is Phase.CLOSED_LANE
    rig.show(ANNA)
    assert [f.reason for f in rig.of(Refused)] == [Reason.LANE_CLOSED]


def test_a_boom_forced_in_a_closed_lane_is_noticed() -> None:
    rig = Rig()
    rig.order(Order.CLOSE_LANE)
    rig.off(LC)
    assert rig.phase is Phase.FORCED_OPEN


# ---- FORCED_OPEN ----


def test_a_forced_boom_that_closes_is_idle() -> None:
    rig = Rig()
    rig.off(LC)
    rig.on(LC)
    rig.wait(0.5)
    assert rig.phase is Phase.IDLE


def test_a_forced_boom_that_is_acknowledged_stands_open() -> None:
    rig = Rig()
    rig.off(LC)
    rig.order(Order.ACKNOWLEDGE)
    assert rig.phase is Phase.HELD_OPEN
    assert not rig.shown.hold


def test_vehicles_under_a_forced_boom_are_counted() -> None:
    rig = Rig()
    rig.off(LC)
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.FORCED]


def test_a_known_vehicle_under_a_forced_boom_is_recorded_or_opened_for_later() -> None:
    rig = Rig()
    rig.off(LC)
    rig.arrive(ANNA)
    rig.on(LC)
    rig.wait(0.5)
    assert rig.phase is Phase.OPENING
    assert rig.pulses == ["entry-r1-1"]


def broken_limit(rig: Rig) -> Rig:
    """The wire of the closed limit breaks while the boom is shut."""
    rig.off(LC)
    assert rig.phase is Phase.FORCED_OPEN
    return rig


def test_a_forced_boom_calls_for_help_once() -> None:
    rig = broken_limit(Rig())
    assert not rig.of(AlarmRaised, rig.wait(9.9))
    assert [f.alarm for f in rig.of(AlarmRaised, rig.wait(600.0))] == ["forced_open"]


def test_a_driver_at_an_exit_with_a_broken_limit_is_let_out() -> None:
    rig = inside(setup(Direction.OUT, fitted=ALL - {LO}, id="exit"))
    rig.off(LC, lane="exit")
    [granted] = rig.of(Granted, rig.arrive(ANNA, lane="exit"))
    assert granted.hold in rig.pulses
    assert rig.lanes["exit"].phase is Phase.FORCED_OPEN
    rig.drive_through("exit")
    assert not rig.inside()


def test_a_driver_at_an_exit_with_a_broken_limit_who_was_slow_gets_another_pulse() -> None:
    rig = Rig(setup(Direction.OUT, id="exit"))
    broken_limit(rig).arrive(plate("NO-999-X"))
    rig.wait(3.0)
    assert len(rig.pulses) == 1
    rig.wait(60.0)
    assert releases(rig)[:2] == [Released.NO_ENTRY] * 2
    assert len(rig.pulses) == len(rig.of(Granted)) == 3


def test_an_exit_found_with_a_broken_limit_lets_out_too() -> None:
    rig = Rig(setup(Direction.OUT, fitted=ALL - {LO}, id="exit"), ready=False)
    found(rig, closed=False, open_=False).wait(10.0)
    assert rig.phase is Phase.HELD_OPEN
    rig.arrive(plate("NO-999-X"))
    rig.wait(3.0)
    assert len(rig.pulses) == 1


def test_a_boom_seen_open_gets_no_pulse_at_an_exit() -> None:
    rig = broken_limit(Rig(setup(Direction.OUT, id="exit")))
    rig.on(LO)
    rig.arrive(plate("NO-999-X"))
    rig.wait(10.0)
    assert len(rig.of(Granted)) == 1
    assert not rig.pulses


def test_a_pulse_under_a_broken_limit_waits_for_the_disk() -> None:
    rig = Rig(setup(Direction.OUT, id="exit"), auto=False)
    broken_limit(rig).arrive()
    rig.wait(3.0)
    [granted] = rig.of(Granted)
    assert rig.shown.pulse is None
    rig.say(Committed(granted.hold))
    assert rig.shown.pulse is not None
    assert rig.shown.pulse.id == granted.hold


def test_an_entry_with_a_broken_limit_gives_no_pulse_by_itself() -> None:
    rig = broken_limit(Rig())
    rig.arrive(ANNA)
    rig.wait(10.0)
    assert len(rig.of(Granted)) == 1
    assert not rig.pulses


# ---- FAULT ----


def test_a_fault_contact_stops_everything_and_frees_the_place() -> None:
    rig = opened()
    rig.on(Role.FAULT)
    assert rig.phase is Phase.FAULT
    assert releases(rig) == [Released.FAULT]
    rig.arrive(BORIS)
    assert len(rig.of(Granted)) == 1


def test_a_fault_is_left_by_acknowledgement_and_consistent_inputs_only() -> None:
    rig = Rig()
    rig.on(Role.FAULT)
    assert refused(rig, rig.order(Order.ACKNOWLEDGE)) == ["the barrier still reports a fault"]
    rig.off(Role.FAULT)
    rig.wait(60.0)
    assert rig.phase is Phase.FAULT
    rig.order(Order.ACKNOWLEDGE)
    assert rig.phase is Phase.IDLE


def test_both_limits_must_be_resolved_before_a_fault_is_acknowledged() -> None:
    rig = found(Rig(ready=False), closed=True, open_=True)
    rig.wait(1.0)
    assert refused(rig, rig.order(Order.ACKNOWLEDGE))
    assert rig.phase is Phase.FAULT


def test_an_operator_may_pulse_a_faulty_lane_which_stays_faulty() -> None:
    rig = Rig()
    rig.on(Role.FAULT)
    facts = rig.order(Order.OPEN)
    assert rig.of(BoomOpenedManually, facts) == [
        BoomOpenedManually(rig.lane.setup.id, "entry-r1-1", "clerk", "delivery")
    ]
    assert rig.pulses == ["entry-r1-1"]
    assert rig.phase is Phase.FAULT
    rig.drive_through()
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.MANUAL]


def test_a_fault_outlasts_the_silence_of_its_board() -> None:
    rig = Rig()
    rig.on(Role.FAULT)
    rig.say(ContactsLost())
    assert rig.phase is Phase.FAULT
    assert refused(rig, rig.order(Order.OPEN)) == ["the board is silent"]
    assert not rig.pulses


# ---- FIRE ----


@pytest.mark.parametrize(
    "before",
    [Rig, opened, passing, closing, held, queued, lambda: found(Rig(ready=False), closed=True, open_=True)],
)
def test_fire_holds_open_from_anywhere(before: object) -> None:
    rig = before()  # type: ignore[operator]
    rig.on(Role.FIRE)
    assert rig.phase is Phase.FIRE
    assert rig.shown.hold
    assert rig.shown.green or rig.lane.on(LC)
    assert rig.shown.pulse is None
    assert not rig.site.occupancy.holds


def test_fire_before_the_rest_of_the_board_is_heard_of_opens_all_the_same() -> None:
    rig = Rig(ready=False)
    rig.on(Role.FIRE)
    assert rig.shown.hold


def test_fire_is_left_when_it_is_over_and_acknowledged() -> None:
    rig = Rig()
    rig.on(Role.FIRE)
    assert refused(rig, rig.order(Order.ACKNOWLEDGE)) == ["the fire contact is still on"]
    rig.off(Role.FIRE)
    rig.wait(600.0)
    assert rig.shown.hold
    rig.order(Order.ACKNOWLEDGE)
    assert rig.shown.hold is False
    assert rig.phase is Phase.IDLE


def test_no_order_ends_a_fire() -> None:
    rig = Rig()
    rig.on(Role.FIRE)
    for kind in Order:
        assert refused(rig, rig.order(kind))
        assert rig.shown.hold
        assert rig.shown.pulse is None


def test_fire_outlasts_the_silence_of_its_board() -> None:
    rig = Rig()
    rig.on(Role.FIRE)
    rig.say(ContactsLost())
    assert rig.phase is Phase.FIRE
    assert rig.shown.hold


def test_whoever_leaves_in_a_fire_puts_everybody_inside_in_doubt() -> None:
    rig = Rig(setup(), setup(Direction.OUT, id="exit"))
    rig.arrive(ANNA)
    rig.rise()
    rig.drive_through()
    rig.on(Role.FIRE, lane="exit")
    rig.drive_through("exit")
    assert [f.kind for f in rig.of(UngrantedPassage)] == [Ungranted.FIRE]
    assert rig.site.occupancy.neutral == {"u-anna"}


# ---- the board's silence, and restarts ----


@pytest.mark.parametrize(
    ("before", "why"),
    [(opened, [Released.FAULT]), (passing, [Released.FAULT]), (queued, [Released.FAULT, Released.EXPIRED])],
)
def test_silence_of_the_board_voids_what_was_under_way(before: object, why: list[Released]) -> None:
    rig = before()  # type: ignore[operator]
    rig.say(ContactsLost())
    assert rig.phase is Phase.UNKNOWN
    assert releases(rig) == why
    assert not rig.site.occupancy.holds


def test_silence_clears_a_pulse_and_the_return_of_the_board_does_not_bring_it_back() -> None:
    rig = Rig(auto=False)
    [granted] = rig.of(Granted, rig.arrive(ANNA))
    rig.say(Committed(granted.hold))
    rig.say(ContactsLost())
    assert rig.shown.pulse is None
    found(rig, closed=True, open_=False)
    rig.wait(5.0)
    assert rig.pulses == [granted.hold]
    assert rig.shown.pulse is None
    assert rig.phase is Phase.IDLE


def test_silence_ends_a_hold_by_order_and_neither_it_nor_the_return_moves_the_boom() -> None:
    rig = held()
    rig.say(ContactsLost())
    assert rig.shown.hold is None
    found(rig, closed=False, open_=True)
    rig.wait(1.0)
    assert rig.phase is Phase.HELD_OPEN
    assert rig.shown.hold is None
    assert not rig.lane.held


def test_a_lost_safety_loop_counts_as_occupied() -> None:
    rig = held()
    rig.say(ContactsLost())
    assert not rig.lane.off(S)


def test_a_restart_moves_nothing_whatever_the_contacts_say() -> None:
    for closed, open_ in ((True, False), (False, True), (False, False), (True, True)):
        rig = found(Rig(ready=False), closed, open_)
        rig.on(S, X)
        rig.wait(60.0)
        assert not rig.pulses
        assert not rig.shown.hold


def test_ids_of_two_runs_never_meet() -> None:
    first, second = opened(), Rig(ready=False)
    second.runs = 7
    second.start(setup())
    second.ready("entry")
    second.arrive(ANNA)
    assert set(first.pulses).isdisjoint(second.pulses)


# ---- exits ----


def inside(*more: object) -> Rig:
    """Anna is inside; the rig's first lane is the exit."""
    rig = Rig(*(more or (setup(Direction.OUT, id="exit"),)), setup(id="entry"))  # type: ignore[arg-type]
    rig.arrive(ANNA, lane="entry")
    rig.rise("entry")
    rig.drive_through("entry")
    rig.fall("entry")
    assert rig.inside() == {"AB123CD"}
    return rig


def test_an_open_session_goes_out_at_its_first_read() -> None:
    rig = inside()
    rig.arrive(ANNA)
    rig.rise()
    rig.drive_through()
    assert not rig.inside()


def test_an_exit_waits_for_a_better_read_before_it_lets_out_a_stranger() -> None:
    rig = inside()
    rig.arrive(plate("NO-999-X"))
    assert not rig.of(Refused)
    rig.wait(2.9)
    assert rig.phase is Phase.ARMED
    rig.wait(0.1)
    [_, stranger] = rig.of(Granted)
    assert Note.EXIT_UNIDENTIFIED in stranger.notes
    assert rig.phase is Phase.OPENING


def test_a_better_read_in_time_finds_the_session() -> None:
    rig = inside()
    rig.arrive(plate("NO-999-X"))
    rig.wait(1.0)
    rig.show(ANNA)
    assert rig.of(Granted)[-1].user_id == "u-anna"


def test_the_surest_read_is_judged_when_the_time_is_over() -> None:
    rig = inside()
    rig.arrive(plate("AB-124-CE", 0.9))
    rig.show(plate("WW-888-W", 0.3))
    rig.wait(3.0)
    assert rig.of(Granted)[-1].user_id == "u-anna"


def test_an_exit_lets_out_a_vehicle_nobody_could_read() -> None:
    rig = inside()
    rig.arrive()
    rig.wait(3.0)
    assert rig.of(Granted)[-1].user_id is None
    rig.rise()
    rig.drive_through()
    assert rig.site.occupancy.anonymous == -1


def test_an_exit_may_insist_on_knowing() -> None:
    rig = inside(setup(Direction.OUT, id="exit", exit_policy=ExitPolicy.KNOWN_ONLY))
    rig.arrive()
    rig.wait(60.0)
    assert [f.reason for f in rig.of(Refused)] == [Reason.NOT_INSIDE]
    rig.show(ANNA)
    assert rig.phase is Phase.OPENING


def test_an_unread_vehicle_that_missed_its_opening_is_let_out_again() -> None:
    rig = inside()
    rig.arrive()
    rig.wait(3.0)
    rig.rise()
    rig.wait(20.0)
    rig.fall()
    assert rig.phase in (Phase.ARMED, Phase.OPENING)
    rig.wait(3.0)
    assert len(rig.of(Granted)) == 3


# ---- a shared two-way lane ----


def test_a_shared_lane_takes_its_direction_from_the_loop_that_armed_it() -> None:
    rig = Rig(setup(None))
    rig.arrive(ANNA)
    rig.rise()
    rig.drive_through()
    rig.fall()
    assert rig.inside() == {"AB123CD"}
    rig.wait(10.0)
    rig.on(X)
    rig.wait(0.3)
    assert rig.of(VehicleArrived)[-1].direction is Direction.OUT
    rig.show(ANNA)
    rig.rise()
    rig.drive_through(first=X, last=A)
    assert not rig.inside()


def test_a_vehicle_that_came_in_does_not_arm_the_way_out_from_behind() -> None:
    rig = Rig(setup(None))
    rig.arrive(ANNA)
    rig.rise()
    rig.on(S)
    rig.off(A)
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    rig.fall()
    rig.wait(30.0)
    assert rig.phase is Phase.IDLE
    assert len(rig.of(VehicleArrived)) == 1


def test_a_shared_lane_refuses_the_other_side_until_it_is_idle() -> None:
    rig = opened(Rig(setup(None)))
    rig.on(X)
    rig.wait(5.0)
    rig.show(BORIS)
    assert len(rig.of(VehicleArrived)) == 1
    assert len(rig.of(Granted)) == 1


def test_a_shared_lane_that_stands_open_counts_each_way_by_the_loop_it_came_from() -> None:
    rig = held(Rig(setup(None)))
    rig.on(A, S)
    rig.off(A)
    rig.on(X)
    rig.off(S)
    rig.wait(1.0)
    rig.off(X)
    rig.wait(0.3)
    rig.on(X)
    rig.on(S)
    rig.off(X)
    rig.on(A)
    rig.off(S)
    rig.wait(1.0)
    assert [f.direction for f in rig.of(UngrantedPassage)] == [Direction.IN, Direction.OUT]


# ---- two lanes, one user ----


def test_two_cars_of_one_user_at_two_lanes_in_the_same_instant() -> None:
    rig = Rig(setup(id="north"), setup(id="south"))
    rig.on(A, lane="north")
    rig.on(A, lane="south")
    rig.wait(0.3)
    rig.show(ANNA, lane="north")
    rig.show(plate("98-TH-D4"), lane="south")
    assert [f.lane for f in rig.of(Granted)] == ["north"]
    assert [f.reason for f in rig.of(Refused)] == [Reason.ANOTHER_VEHICLE_PARKED]
    rig.say(ContactsLost(), lane="north")
    rig.show(plate("98-TH-D4"), lane="south")
    assert rig.of(Granted)[-1].lane == "south"


# ---- the machine itself ----


def test_a_step_changes_neither_the_lane_nor_the_site_it_was_given() -> None:
    rig = Rig()
    rig.on(A)
    rig.t += 0.3
    before, occupancy = rig.lane, rig.site.occupancy
    image = repr(before)
    after, _ = step(before, Tick(), rig.site, rig.now)
    assert after != before
    assert repr(before) == image
    assert rig.site.occupancy is occupancy


def test_a_contact_that_is_not_fitted_is_ignored() -> None:
    rig = Rig(setup(fitted=LOOPS))
    rig.on(Role.FAULT, LC)
    assert rig.phase is Phase.IDLE


def test_a_start_names_its_run() -> None:
    lane, facts = start(setup(), "r42", Rig(ready=False).now)
    assert facts == [LaneStarted(lane.setup.id)]
    assert lane.run == "r42"


def dawdles(rig: Rig) -> None:
    """The boom opens if it was told to, nobody drives, it closes, and the camera still sees the plate."""
    if rig.phase is Phase.OPENING:
        rig.rise()
    rig.wait(21.0)
    if not rig.lane.on(LC):
        rig.fall()
    rig.wait(1.0)
    rig.show(plate("AB-123-CD"))


def test_a_car_that_never_drives_on_does_not_cycle_the_boom_all_day() -> None:
    rig = Rig()
    rig.arrive(plate("AB-123-CD"))
    for _ in range(20):
        dawdles(rig)
    assert len(rig.of(Granted)) == 3
    assert [alarm.alarm for alarm in rig.of(AlarmRaised)] == ["dawdling"]
    rig.show(badge())
    assert len(rig.of(Granted)) == 4


def test_nobody_is_trapped_at_an_exit_by_a_street_that_is_full() -> None:
    rig = Rig(setup(Direction.OUT, id="exit"))
    rig.arrive(plate("NO-999-X"))
    for _ in range(10):
        rig.wait(3.0)
        assert rig.phase is Phase.OPENING
        dawdles(rig)
    assert [alarm.alarm for alarm in rig.of(AlarmRaised)] == ["dawdling"]
    rig.wait(3.0)
    rig.rise()
    rig.drive_through()
    assert len(rig.of(Passed)) == 1


def test_a_car_that_comes_anew_after_dawdling_is_admitted_by_its_plate() -> None:
    rig = Rig()
    rig.arrive(plate("AB-123-CD"))
    for _ in range(4):
        dawdles(rig)
    rig.off(A)
    rig.wait(5.0)
    rig.arrive(plate("AB-123-CD"))
    assert rig.phase is Phase.OPENING
