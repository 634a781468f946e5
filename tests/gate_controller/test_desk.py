"""Driving asks for a licence and a reservation; a badge is handed out once, with number and contracts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gate_controller.contracts import business, private
from gate_controller.credentials import Badge
from gate_controller.desk import (
    Licence,
    LicenceStatus,
    Registration,
    Reservation,
    ReservationState,
    Role,
    clash,
    enrolled,
    late_by,
    licence_reason,
    may_enrol,
    reservation_now,
    reservation_problem,
    waiting,
)
from gate_controller.reasons import Reason
from gate_controller.users import User, UserStatus

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TRIP = Reservation("r1", "u1", "DACIA-1", "north", T0, T0 + 2 * HOUR, slot=3)
CHECKED = Licence(LicenceStatus.REJECTED, T0)
ANN = User("u1", "ann", "acme", registration=Registration.PRE_REGISTERED, terms_accepted_at=T0, licence=CHECKED)
BADGE = Badge.parse("04A22F1B")


def test_only_a_validated_licence_that_has_not_run_out_lets_drive() -> None:
    valid = Licence(LicenceStatus.VALIDATED, T0, T0 + HOUR)
    assert licence_reason(valid, T0) is None
    assert licence_reason(replace(valid, valid_until=None), T0 + 9 * HOUR) is None
    assert licence_reason(valid, T0 + HOUR) is Reason.LICENCE_EXPIRED
    for status in (LicenceStatus.PENDING, LicenceStatus.REJECTED):
        assert licence_reason(Licence(status), T0) is Reason.LICENCE_NOT_VALIDATED
    assert licence_reason(None, T0) is Reason.LICENCE_NOT_VALIDATED


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (-16 * MINUTE, Reason.TOO_EARLY),
        (-15 * MINUTE, TRIP),
        (2 * HOUR - MINUTE, TRIP),
        (2 * HOUR, Reason.RESERVATION_ENDED),
    ],
)
def test_a_key_is_ready_a_quarter_of_an_hour_before_and_until_the_end(
    after: timedelta, what: Reservation | Reason
) -> None:
    assert reservation_now([TRIP], "north", T0 + after) == what


def test_the_reason_is_the_one_that_helps_most() -> None:
    later = replace(TRIP, id="r2", start=T0 + 4 * HOUR, end=T0 + 5 * HOUR)
    assert reservation_now([], "north", T0) is Reason.NO_RESERVATION
    assert reservation_now([TRIP, later], "south", T0) is Reason.WRONG_SITE
    assert reservation_now([TRIP, later], "north", T0 + 2 * HOUR + 5 * MINUTE) is Reason.RESERVATION_ENDED
    assert reservation_now([TRIP, later], "north", T0 + 3 * HOUR + 20 * MINUTE) is Reason.TOO_EARLY
    here = replace(TRIP, id="r3", site="south")
    assert reservation_now([TRIP, here], "south", T0) == here
    for gone in (ReservationState.CANCELLED, ReservationState.RETURNED):
        assert reservation_now([replace(TRIP, state=gone)], "north", T0) is Reason.NO_RESERVATION
    assert reservation_now([replace(TRIP, role=Role.PASSENGER)], "north", T0) is Reason.NO_RESERVATION
    out = replace(TRIP, state=ReservationState.OUT)
    assert reservation_now([out], "north", T0) == out, "who forgot something in the car gets the key once more"


def test_a_vehicle_has_one_driver_at_a_time_and_a_driver_one_vehicle() -> None:
    new = replace(TRIP, id="r2", user_id="u2", start=T0 + HOUR, end=T0 + 3 * HOUR)
    assert clash(new, [TRIP]) == TRIP
    assert clash(replace(new, start=T0 + 2 * HOUR), [TRIP]) is None, "one ends as the other begins"
    assert clash(replace(new, start=T0 - HOUR, end=T0), [TRIP]) is None
    assert clash(replace(new, vehicle="DACIA-2"), [TRIP]) is None
    assert clash(replace(new, vehicle="DACIA-2", user_id="u1"), [TRIP]) == TRIP
    assert clash(TRIP, [TRIP]) is None, "a trip that is moved is not in its own way"
    for free in (ReservationState.RETURNED, ReservationState.CANCELLED):
        assert clash(new, [replace(TRIP, state=free)]) is None
    assert clash(new, [replace(TRIP, role=Role.PASSENGER)]) is None


def test_a_late_return_is_counted_from_the_end() -> None:
    assert late_by(TRIP, T0 + HOUR) == timedelta()
    assert late_by(TRIP, T0 + 2 * HOUR + 7 * MINUTE) == 7 * MINUTE


def test_a_reservation_has_an_end_after_its_start() -> None:
    assert reservation_problem(TRIP) is None
    for bad in (
        replace(TRIP, end=T0),
        replace(TRIP, slot=0),
        replace(TRIP, start=datetime(2026, 3, 2)),
    ):
        assert reservation_problem(bad) is not None


def test_a_badge_is_given_to_who_is_pre_registered_and_has_accepted_the_terms() -> None:
    bob = User("u2", "bob", badges=(BADGE,))
    assert may_enrol(ANN, None) is None
    assert may_enrol(ANN, ANN) is None, "the same badge once more is no conflict"
    assert may_enrol(ANN, bob) is Reason.BADGE_ALREADY_ASSIGNED
    assert may_enrol(replace(ANN, terms_accepted_at=None), bob) is Reason.TERMS_NOT_ACCEPTED
    assert may_enrol(replace(ANN, status=UserStatus.INACTIVE), None) is Reason.USER_INACTIVE
    for other in (None, Registration.INVITED, Registration.REGISTERED):
        assert may_enrol(replace(ANN, registration=other), None) is Reason.NOT_PRE_REGISTERED
    assert may_enrol(None, None) is Reason.NOT_PRE_REGISTERED
    for unseen in (None, Licence(LicenceStatus.PENDING)):
        assert may_enrol(replace(ANN, licence=unseen), None) is Reason.NOT_CHECKED


def test_a_desk_lists_its_own_first_and_forgets_nobody_who_waits() -> None:
    far, near = replace(ANN, id="u2", name="Abe", home_site="south"), replace(ANN, name="Zoe", home_site="north")
    off, done = (
        replace(ANN, id="u3", status=UserStatus.INACTIVE),
        replace(ANN, id="u4", registration=Registration.REGISTERED),
    )
    assert waiting([far, near, off, done], "north") == [near, far]
    assert waiting([far, near], "south") == [far, near]


def test_enrolment_is_one_step() -> None:
    pair = (business("c1", "acme"), private("c2", "u1", payable=False))
    done = enrolled(ANN, BADGE, "10042", pair)
    assert (done.registration, done.number, done.badges) == (Registration.REGISTERED, "10042", (BADGE,))
    assert (done.contracts, done.default_contract) == (pair, "c1")
    assert enrolled(done, BADGE, "10042", pair).badges == (BADGE,)
