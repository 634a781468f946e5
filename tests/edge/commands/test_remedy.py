from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge.commands.remedy import Case, changes
from gate_controller.access import Ask, ExitPolicy
from gate_controller.allowlist import Allowlist
from gate_controller.changes import PermitPut, UserPut
from gate_controller.credentials import Badge, BadgeRead, CredentialState, PlateCredential
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched, Passed, Refused
from gate_controller.plates import Plate, PlateRead
from gate_controller.reasons import Reason
from gate_controller.schedule import Schedule
from gate_controller.site import Rules, Site
from gate_controller.standing_orders import Void
from gate_controller.users import Action, Permit, User, UserStatus

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 1, 5, 8, 0, tzinfo=BERLIN)
PLATE = PlateCredential(Plate.parse("B-NO 1234"))
OTHER = PlateCredential(Plate.parse("B-NO 1235"))
USER = User("u1", "4711", plates=(PLATE, OTHER), badges=(Badge("04A22F1B33", 40),))
PERMIT = Permit("p1", Action.PARK, user_id="u1")
READ = PlateRead(Plate.parse("B-NO 1234"), 1.0, ())


def site(user: User = USER, permit: Permit | None = PERMIT, *more: User, rules: Rules | None = None) -> Site:
    puts = [UserPut(user), *(UserPut(one) for one in more)]
    allowlist = Allowlist.empty("e").apply([*puts, *([PermitPut(permit)] if permit else [])], 1)
    return Site(allowlist, BERLIN, rules=rules or Rules())


def case(
    site: Site,
    credential: PlateRead | BadgeRead = READ,
    at: datetime = MONDAY,
    direction: Direction = Direction.IN,
) -> Case:
    ask = Ask(LaneId("entry"), direction, credential, HoldId("why"), True, ExitPolicy.KNOWN_ONLY, read_over=True)
    return Case(site, ask, at)


def inside(site: Site, plate: str, badge: str = "", at: datetime = MONDAY, *, passed: bool = True) -> Site:
    basis = Basis("e", 1, Matched.EXACT, as_matched=plate or badge)
    fact = Granted(LaneId("entry"), Direction.IN, HoldId(f"h{plate}{badge}"), "u1", "4711", plate, basis)
    occupancy = site.occupancy.fold(fact, at)
    if passed:
        occupancy = occupancy.fold(Passed(fact.lane, Direction.IN, fact.hold), at)
    return replace(site, occupancy=occupancy)


def remedy(asked: Case) -> tuple[Reason, list[str]]:
    fact = asked.answer()
    assert isinstance(fact, Refused)
    match = asked.found()
    permits = asked.site.allowlist.permits_of(match.user) if match.user else ()
    return fact.reason, list(changes(fact.reason, asked, match, permits))


def with_state(state: CredentialState) -> User:
    return replace(USER, plates=(replace(PLATE, state=state), OTHER))


def from_to(**times: datetime) -> User:
    return replace(USER, plates=(replace(PLATE, **times), OTHER))


DAY = timedelta(days=1)
OTHERS = (
    User("u2", "4712", plates=(PlateCredential(Plate.parse("B-O 123")),)),
    User("u3", "4713", plates=(PlateCredential(Plate.parse("B-Q 123")),)),
)

CASES = [
    (
        case(site(), PlateRead(Plate.parse("B-NO 1236"), 1.0, ())),
        Reason.UNKNOWN_CREDENTIAL,
        [
            "Add it to a user of the list.",
            "Near it is B-NO 1234 of user 4711 (1 of its characters off); nearness never opens.",
            "Near it is B-NO 1235 of user 4711 (1 of its characters off); nearness never opens.",
        ],
    ),
    (case(site(), BadgeRead("0102030405", 40)), Reason.UNKNOWN_CREDENTIAL, ["Add it to a user of the list."]),
    (
        case(site(USER, PERMIT, *OTHERS), PlateRead(Plate.parse("B0123"), 1.0, ())),
        Reason.AMBIGUOUS_PLATE,
        ["Users 4712 and 4713 both qualify: list their plates with separators, or give one of them a badge."],
    ),
    (
        case(site(with_state(CredentialState.PENDING))),
        Reason.CREDENTIAL_PENDING,
        ["Activate this credential of user 4711."],
    ),
    (
        case(site(with_state(CredentialState.REVOKED))),
        Reason.CREDENTIAL_REVOKED,
        ["Make this credential of user 4711 active again, or list another one."],
    ),
    (case(site(replace(USER, status=UserStatus.INACTIVE))), Reason.USER_INACTIVE, ["Activate user 4711."]),
    (
        case(replace(site(), inactive=frozenset({LaneId("entry")}))),
        Reason.DEVICE_INACTIVE,
        ["Switch the lane on: `slagboom operate activate entry`, or `active` in its settings."],
    ),
    (
        case(replace(site(), voids=frozenset({Void("u1", "", "e", 2, "e")}))),
        Reason.USER_INACTIVE,
        ["An order of the portal made it void; let its newest list come, which decides on user 4711."],
    ),
    (
        case(replace(site(), voids=frozenset({Void("u1", PLATE.text, "e", 2, "e")}))),
        Reason.CREDENTIAL_REVOKED,
        ["An order of the portal made it void; let its newest list come, which decides on user 4711."],
    ),
    (
        case(site(USER, None)),
        Reason.NO_PERMIT,
        ["Give user 4711, or a group of the user, a permit for entry."],
    ),
    (
        case(site(USER, replace(PERMIT, device="north"))),
        Reason.NO_PERMIT,
        ["Give user 4711, or a group of the user, a permit for entry."],
    ),
    (
        case(site(USER, replace(PERMIT, schedule=Schedule("Sa 10:00-12:00")))),
        Reason.OUTSIDE_SCHEDULE,
        ["Come from Sat 2026-01-10 10:00, or widen the schedule."],
    ),
    (
        case(site(from_to(valid_from=MONDAY + DAY))),
        Reason.NOT_YET_VALID,
        ["The credential begins at 2026-01-06 08:00."],
    ),
    (
        case(site(USER, replace(PERMIT, valid_to=datetime(2026, 1, 4, 23, 30, tzinfo=UTC)))),
        Reason.EXPIRED,
        ["Permit p1 ended at 2026-01-05 00:30; extend it."],
    ),
    (
        case(inside(site(), "BNO1235")),
        Reason.ANOTHER_VEHICLE_PARKED,
        ["BNO1235 must leave; it is inside since 2026-01-05 08:00. If it left unseen, close its session."],
    ),
    (
        case(inside(site(), "BNO1235", passed=False)),
        Reason.ANOTHER_VEHICLE_PARKED,
        ["BNO1235 of user 4711 is on its way in at entry."],
    ),
    (
        case(inside(site(), "", "04A22F1B33"), BadgeRead("04A22F1B33", 40)),
        Reason.ALREADY_INSIDE,
        ["The vehicle must leave; it is inside since 2026-01-05 08:00. If it left unseen, close its session."],
    ),
    (
        case(replace(site(rules=Rules(capacity=1)), occupancy=replace(site().occupancy, anonymous=1))),
        Reason.FULL,
        ["A vehicle must leave: 1 of 1 are inside."],
    ),
    (
        case(replace(site(rules=Rules(permanent_list_max_age=DAY)), list_confirmed_at=MONDAY - 2 * DAY)),
        Reason.LIST_TOO_OLD,
        ["Let the portal be reached; it last confirmed the list at 2026-01-03 08:00."],
    ),
    (
        case(site(), direction=Direction.OUT),
        Reason.NOT_INSIDE,
        ["Let an operator open, or set the lane's exit_policy to any_vehicle."],
    ),
]


@pytest.mark.parametrize(("asked", "reason", "expected"), CASES, ids=[f"{c[1]}-{n}" for n, c in enumerate(CASES)])
def test_every_refusal_says_what_would_have_to_change(asked: Case, reason: Reason, expected: list[str]) -> None:
    assert remedy(asked) == (reason, expected)


def test_the_next_time_is_right_over_the_change_to_summer_time() -> None:
    """On 29 March 2026 the clock goes from 02:00 to 03:00; 02:30 does not exist."""
    night = case(
        site(USER, replace(PERMIT, schedule=Schedule("So 02:30-04:00"))), at=datetime(2026, 3, 29, 1, tzinfo=BERLIN)
    )
    assert remedy(night)[1] == ["Come from Sun 2026-03-29 03:00, or widen the schedule."]


def test_a_schedule_beside_an_expired_permit_offers_no_time() -> None:
    never = replace(PERMIT, schedule=Schedule("Sa 10:00-12:00"), valid_to=MONDAY + DAY)
    assert remedy(case(site(USER, never)))[1] == ["No time of the coming week fits; widen the schedule."]
