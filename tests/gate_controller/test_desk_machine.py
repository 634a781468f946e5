"""A desk: what a tap becomes, when a slot is freed, and that nothing before this start frees one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from gate_controller.allowlist import (
    Action,
    Allowlist,
    Change,
    DevicePut,
    Permit,
    PermitPut,
    ReservationPut,
    User,
    UserPut,
)
from gate_controller.contracts import business
from gate_controller.credentials import Badge, BadgeRead
from gate_controller.delegation import Device, DeviceKind, DeviceState
from gate_controller.desk import (
    ENROL_WITHIN_S,
    Licence,
    LicenceStatus,
    Registration,
    Reservation,
    ReservationState,
    Role,
)
from gate_controller.desk_machine import (
    COMMIT_WITHIN_S,
    PENDING_LEN_MAX,
    PULSE_EXPIRES_S,
    TAKE_WITHIN_S,
    Answered,
    CabinetLost,
    Choose,
    DeskCommitFailed,
    DeskCommitted,
    DeskInput,
    DeskSetup,
    KeyContact,
    Later,
    Tapped,
    deadline,
    start,
    step,
)
from gate_controller.facts import (
    AlarmRaised,
    DeskGranted,
    EnrolAnswered,
    EnrolAsked,
    Fact,
    HoldId,
    KeyReturned,
    KeyTaken,
    LaneId,
    PhaseEntered,
    Refused,
)
from gate_controller.moment import Moment
from gate_controller.reasons import Note, Reason
from gate_controller.site import Site

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BADGE, FRESH = Badge.parse("04A22F1B"), Badge.parse("0499AABB")
VALID = Licence(LicenceStatus.VALIDATED, T0, T0 + timedelta(days=90))
ANN = User("u1", "ann", "acme", badges=(BADGE,), licence=VALID, contracts=(business("c1", "acme"),))
NEW = User(
    "u2",
    "new",
    "acme",
    registration=Registration.PRE_REGISTERED,
    terms_accepted_at=T0,
    licence=Licence(LicenceStatus.REJECTED, T0),
)
TRIP = Reservation("r1", "u1", "DACIA-1", "north", T0, T0 + timedelta(hours=2), "c1", slot=2)
GONE = (ReservationState.CANCELLED, ReservationState.RETURNED)
PERMITS = [PermitPut(Permit(f"p-{action}", action, user_id="u1")) for action in (Action.DRIVE, Action.CARPOOL)]
F = TypeVar("F")


def read(badge: Badge) -> BadgeRead:
    return BadgeRead(badge.uid, badge.bits)


class Front:
    """A desk with three slots, a clock, and everything that happened."""

    def __init__(self, *changes: Change, slots: int = 3) -> None:
        listed = Allowlist.empty("e").apply([UserPut(ANN), UserPut(NEW), *PERMITS, *changes], 1)
        self.site = Site(listed, UTC, name="north")
        self.at_s = 0.0
        numbers = frozenset(range(1, slots + 1))
        self.desk, self.facts = start(DeskSetup(LaneId("desk"), numbers, numbers), "run")

    def put(self, item: DeskInput, after_s: float = 0.0) -> list[Fact]:
        self.at_s += after_s
        now = Moment(T0 + timedelta(seconds=self.at_s), self.at_s)
        self.desk, facts = step(self.desk, item, self.site, now)
        self.facts += facts
        return facts

    def tap(self, badge: Badge = BADGE, *, online: bool = True) -> list[Fact]:
        return self.put(Tapped(read(badge), online))

    def granted(self) -> DeskGranted:
        return one(self.tap(), DeskGranted)

    def freed(self) -> list[int]:
        return [pulse.slot for pulse in self.desk.pulses]


def one(facts: list[Fact], kind: type[F]) -> F:
    found = [fact for fact in facts if isinstance(fact, kind)]
    assert len(found) == 1, facts
    return found[0]


def reason(facts: list[Fact]) -> Reason:
    return one(facts, Refused).reason


def test_a_key_is_freed_once_the_grant_is_on_disk_and_not_before() -> None:
    front = Front(ReservationPut(TRIP))
    granted = front.granted()
    assert (granted.user_id, granted.slot, granted.vehicle, granted.reservation) == ("u1", 2, "DACIA-1", "r1")
    assert (granted.action, granted.contract, granted.payer) == ("drive", "c1", "acme")
    assert front.freed() == []
    front.put(DeskCommitted(granted.hold))
    assert front.freed() == [2]
    front.put(Later(), PULSE_EXPIRES_S)
    assert front.freed() == [], "what could not be sent by then is not sent at all"


def test_no_disk_no_key() -> None:
    front = Front(ReservationPut(TRIP))
    granted = front.granted()
    assert reason(front.put(DeskCommitFailed(granted.hold))) is Reason.STORE_UNAVAILABLE
    front.put(DeskCommitted(granted.hold))
    assert front.freed() == [], "a commit that lands late frees nothing"
    late = front.granted()
    assert deadline(front.desk) == front.at_s + COMMIT_WITHIN_S
    assert reason(front.put(Later(), COMMIT_WITHIN_S)) is Reason.STORE_UNAVAILABLE
    front.put(DeskCommitted(late.hold))
    assert front.freed() == []


def test_a_disk_that_hangs_does_not_gather_grants() -> None:
    front = Front(ReservationPut(TRIP))
    for _ in range(PENDING_LEN_MAX):
        front.granted()
    assert reason(front.tap()) is Reason.STORE_UNAVAILABLE


def test_every_grant_has_a_name_of_its_own() -> None:
    front = Front(ReservationPut(TRIP))
    names = {front.granted().hold for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("desk-run-") for name in names)


def test_who_may_not_drive_is_refused_by_name_and_may_ride_along() -> None:
    unchecked = UserPut(replace(ANN, licence=None))
    assert reason(Front(unchecked, ReservationPut(TRIP)).tap()) is Reason.LICENCE_NOT_VALIDATED
    assert reason(Front(unchecked).tap()) is Reason.LICENCE_NOT_VALIDATED
    assert reason(Front().tap()) is Reason.NO_RESERVATION
    assert reason(Front(ReservationPut(replace(TRIP, site="south"))).tap()) is Reason.WRONG_SITE
    assert reason(Front().tap(FRESH)) is Reason.UNKNOWN_CREDENTIAL
    front = Front(unchecked, ReservationPut(replace(TRIP, role=Role.PASSENGER)))
    ride = front.granted()
    assert (ride.action, ride.slot, ride.vehicle) == ("carpool", 0, "DACIA-1")
    front.put(DeskCommitted(ride.hold))
    assert front.freed() == [], "a passenger gets no key"


def test_an_inactive_desk_does_nothing() -> None:
    off = DevicePut(Device("desk", DeviceKind.DESK, DeviceState.INACTIVE))
    front = Front(off, ReservationPut(TRIP))
    assert reason(front.tap()) is Reason.DEVICE_INACTIVE
    assert reason(front.put(Choose("u2", "mia"))) is Reason.DEVICE_INACTIVE
    assert front.desk.enrolling is None


def taken(front: Front) -> DeskGranted:
    """Everything up to the key in the driver's hand."""
    front.put(KeyContact(2, True))
    granted = front.granted()
    front.put(DeskCommitted(granted.hold))
    assert one(front.put(KeyContact(2, False), 5), KeyTaken).reservation == "r1"
    return granted


def test_a_key_goes_and_comes_back_in_time_or_late() -> None:
    front = Front(ReservationPut(TRIP))
    taken(front)
    back = one(front.put(KeyContact(2, True), 3600), KeyReturned)
    assert (back.slot, back.reservation, back.user_id, back.late_s) == (2, "r1", "u1", 0.0)
    late = Front(ReservationPut(TRIP))
    taken(late)
    assert one(late.put(KeyContact(2, True), 7200 + 600), KeyReturned).late_s == 605.0


def test_a_key_that_goes_without_a_grant_is_an_alarm() -> None:
    front = Front(ReservationPut(TRIP))
    front.put(KeyContact(1, True))
    assert one(front.put(KeyContact(1, False)), AlarmRaised).alarm == "key_taken_unasked"
    front.put(KeyContact(2, True))
    granted = front.granted()
    front.put(DeskCommitted(granted.hold))
    assert one(front.put(KeyContact(2, False), TAKE_WITHIN_S), AlarmRaised).detail == "slot 2"


def test_a_key_is_ready_early_only_where_nobody_has_the_vehicle_until_then() -> None:
    soon = timedelta(minutes=10)
    mine = replace(TRIP, start=T0 + soon)
    before = replace(TRIP, id="r0", user_id="u2", start=T0 - soon, end=T0 + soon)
    assert reason(Front(ReservationPut(mine), ReservationPut(before)).tap()) is Reason.TOO_EARLY
    for other in (
        replace(before, state=ReservationState.RETURNED),
        replace(before, vehicle="DACIA-2"),
        replace(before, end=T0),
        replace(before, role=Role.PASSENGER),
    ):
        assert Front(ReservationPut(mine), ReservationPut(other)).granted().reservation == "r1"


def test_an_empty_slot_gives_nobody_else_s_key() -> None:
    front = Front(ReservationPut(TRIP))
    taken(front)
    assert one(front.tap(), DeskGranted).reservation == "r1", "its own driver may ask once more"
    other = replace(TRIP, id="r2", user_id="u1", start=T0 - timedelta(minutes=5))
    front.site = replace(front.site, allowlist=front.site.allowlist.apply([ReservationPut(other)], 2))
    assert reason(front.tap()) is Reason.KEY_NOT_THERE
    none = Front(ReservationPut(replace(TRIP, slot=4)))
    assert reason(none.tap()) is Reason.KEY_NOT_THERE, "the cabinet has no such slot"
    bare = Front(ReservationPut(replace(TRIP, slot=None)), slots=0)
    assert one(bare.tap(), DeskGranted).slot == 0, "a desk without a cabinet says that all is well"


def test_after_a_start_contacts_say_only_what_is_so() -> None:
    front = Front(ReservationPut(TRIP))
    assert front.put(KeyContact(1, True)) == front.put(KeyContact(2, False)) == []
    assert front.freed() == []
    back = one(front.put(KeyContact(2, True), 7200 + 60), KeyReturned)
    assert (back.reservation, back.late_s) == ("r1", 60.0), "the key of a trip that began before the program did"
    assert one(front.put(KeyContact(3, False)) + front.put(KeyContact(3, True)), KeyReturned).reservation == ""


def test_after_a_start_the_trip_that_the_portal_knows_to_be_out_comes_first() -> None:
    gone = [replace(TRIP, id=f"r-{state}", user_id="u2", state=state) for state in GONE]
    later = replace(TRIP, id="r9", start=T0 + timedelta(hours=2), end=T0 + timedelta(hours=3))
    front = Front(*map(ReservationPut, [replace(TRIP, state=ReservationState.OUT), later, *gone]))
    front.put(KeyContact(2, False))
    assert one(front.put(KeyContact(2, True), 7200 + 60), KeyReturned).reservation == "r1"


def test_a_silent_cabinet_is_told_nothing_late() -> None:
    front = Front(ReservationPut(TRIP))
    front.put(DeskCommitted(front.granted().hold))
    front.put(CabinetLost())
    assert front.freed() == []


def test_without_the_portal_every_answer_says_so() -> None:
    front = Front(ReservationPut(TRIP))
    assert one(front.tap(), DeskGranted).notes == ()
    assert one(front.tap(online=False), DeskGranted).notes == (Note.DEGRADED,)
    assert one(front.tap(FRESH, online=False), Refused).notes == (Note.DEGRADED,)
    away = Front(ReservationPut(replace(TRIP, slot=4)))
    refused = one(away.tap(online=False), Refused)
    assert (refused.reason, refused.notes) == (Reason.KEY_NOT_THERE, (Note.DEGRADED,))


# ---- enrolment ----


def test_a_clerk_chooses_a_user_and_the_next_badge_is_asked_for() -> None:
    front = Front()
    begun = one(front.put(Choose("u2", "mia")), PhaseEntered)
    assert (begun.phase, begun.why) == ("enrolling", "new, by mia")
    facts = front.tap(FRESH)
    asked = one(facts, EnrolAsked)
    assert (asked.user_id, asked.badge, asked.bits, asked.clerk) == ("u2", FRESH.uid, FRESH.bits, "mia")
    assert not asked.provisional
    assert front.desk.enrolling is None
    assert reason(front.tap(FRESH)) is Reason.UNKNOWN_CREDENTIAL, "until the list says so it has no rights"
    answer = one(front.put(Answered(asked.enrol, "u2", "mia", "10042", "")), EnrolAnswered)
    assert (answer.enrol, answer.user_id, answer.user_number, answer.clerk) == (asked.enrol, "u2", "10042", "mia")


def test_offline_it_is_provisional_and_says_so() -> None:
    front = Front()
    front.put(Choose("u2", "mia"))
    assert one(front.tap(FRESH, online=False), EnrolAsked).provisional


def test_another_s_badge_is_refused_and_the_clerk_takes_the_next() -> None:
    front = Front()
    front.put(Choose("u2", "mia"))
    refused = one(front.tap(BADGE), Refused)
    assert (refused.reason, refused.external_id, refused.clerk) == (Reason.BADGE_ALREADY_ASSIGNED, "new", "mia")
    assert one(front.tap(FRESH), EnrolAsked).user_id == "u2"


def test_only_who_waits_for_a_badge_is_chosen() -> None:
    front = Front(UserPut(replace(NEW, terms_accepted_at=None)))
    assert reason(front.put(Choose("u2", "mia"))) is Reason.TERMS_NOT_ACCEPTED
    unchecked = Front(UserPut(replace(NEW, licence=None)))
    refused = one(unchecked.put(Choose("u2", "mia")), Refused)
    assert (refused.reason, refused.clerk) == (Reason.NOT_CHECKED, "mia")
    for nobody in ("u1", "", "gone"):
        assert reason(front.put(Choose(nobody, "mia"))) is Reason.NOT_PRE_REGISTERED


def test_two_clerks_do_not_get_each_other_s_badges() -> None:
    other = replace(NEW, id="u3", external_id="newer")
    front = Front(UserPut(other))
    front.put(Choose("u2", "mia"))
    assert reason(front.put(Choose("u3", "max"))) is Reason.DESK_BUSY
    assert one(front.tap(FRESH), EnrolAsked).user_id == "u2"
    front.put(Choose("u2", "mia"))
    assert one(front.put(Choose("u3", "mia")), PhaseEntered).why == "newer, by mia", "a clerk may choose anew"
    begun = front.put(Choose("u2", "max"), ENROL_WITHIN_S)[-1]
    assert isinstance(begun, PhaseEntered)
    assert begun.phase == "enrolling", "nobody keeps the desk for long"


def test_the_window_closes_by_itself() -> None:
    front = Front(ReservationPut(TRIP))
    front.put(Choose("u2", "mia"))
    assert deadline(front.desk) == ENROL_WITHIN_S
    assert one(front.put(Later(), ENROL_WITHIN_S), PhaseEntered).phase == "idle"
    assert one(front.tap(), DeskGranted).user_id == "u1"


INPUTS = st.one_of(
    st.sampled_from([Tapped(read(BADGE)), Tapped(read(FRESH)), Choose("u2", "mia"), CabinetLost(), Later()]),
    st.builds(KeyContact, st.integers(1, 3), st.booleans()),
    st.integers(1, 12).map(lambda n: DeskCommitted(HoldId(f"desk-run-{n}"))),
    st.integers(1, 12).map(lambda n: DeskCommitFailed(HoldId(f"desk-run-{n}"))),
    st.integers(1, 12).map(lambda n: DeskCommitted(HoldId(f"desk-before-{n}"))),
)


@given(st.lists(st.tuples(INPUTS, st.sampled_from([0.0, 0.5, 2.0, 40.0])), max_size=40))
def test_a_slot_is_freed_only_by_a_grant_of_this_run_that_is_on_disk(script: list[tuple[DeskInput, float]]) -> None:
    front = Front(ReservationPut(TRIP))
    committed: set[HoldId] = set()
    pulsed: set[HoldId] = set()
    for item, after_s in script:
        before = {pulse.id for pulse in front.desk.pulses}
        if isinstance(item, DeskCommitted):
            committed.add(item.hold)
        front.put(item, after_s)
        granted = {fact.hold for fact in front.facts if isinstance(fact, DeskGranted)}
        new = {pulse.id for pulse in front.desk.pulses} - before
        assert new <= committed & granted
        assert not new & pulsed, "a pulse is named once"
        pulsed |= new
        due_s = deadline(front.desk)
        assert due_s is None or due_s > front.at_s
