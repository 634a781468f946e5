"""The decision order, over a real allowlist and a real occupancy."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.access import Ask, ExitPolicy, decide, vouched_reason
from gate_controller.allowlist import (
    Action,
    Allowlist,
    Change,
    DevicePut,
    Permit,
    PermitPut,
    PermitRemoved,
    ReservationPut,
    User,
    UserPut,
    UserRemoved,
    UserStatus,
)
from gate_controller.contracts import business, private
from gate_controller.credentials import (
    Badge,
    BadgeRead,
    CodeRead,
    CredentialState,
    GuestCode,
    PassRead,
    PlateCredential,
    QrPass,
    Shown,
)
from gate_controller.delegation import Delegated, Device, DeviceKind, DeviceState
from gate_controller.desk import Licence, LicenceStatus, Reservation
from gate_controller.facts import (
    Basis,
    Closed,
    Direction,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    Matched,
    Passed,
    Refused,
    Released,
)
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from gate_controller.plates import Plate, PlateRead
from gate_controller.reasons import Note, Reason
from gate_controller.schedule import Schedule
from gate_controller.site import ClaimPolicy, Rules, Site
from gate_controller.standing_orders import Void

ENTRY, EXIT, SIDE = LaneId("entry"), LaneId("exit"), LaneId("side")
TZ = ZoneInfo("Europe/Amsterdam")
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NOW = Moment(MONDAY, 100.0)
BADGE = Badge.parse("000414CD7E")


def credential(text: str, state: CredentialState = CredentialState.ACTIVE, **validity: datetime) -> PlateCredential:
    return PlateCredential(Plate.parse(text), state, **validity)


def user(name: str, *plates: str | PlateCredential, **more: object) -> UserPut:
    own = tuple(p if isinstance(p, PlateCredential) else credential(p) for p in plates)
    return UserPut(User(id=f"u-{name}", external_id=name, plates=own, **more))  # type: ignore[arg-type]


def permit(name: str, **more: object) -> PermitPut:
    return PermitPut(Permit(f"p-{name}-{len(more)}", Action.PARK, user_id=f"u-{name}", **more))  # type: ignore[arg-type]


def site(*changes: Change, **more: object) -> Site:
    return Site(Allowlist.empty("epoch").apply(changes, 7), TZ, **more)  # type: ignore[arg-type]


def read(text: str, *, alternatives: Sequence[tuple[int, str, float]] = ()) -> PlateRead:
    key = Plate.parse(text).key
    table = [[(char, 0.99)] for char in key]
    for at, char, probability in alternatives:
        table[at] = [(key[at], 0.99 - probability), (char, probability)]
    return PlateRead(Plate.parse(text), 0.97, tuple(tuple(options) for options in table), votes=5)


ANNA = (user("anna", "98-TH-D4", "AB-123-CD", badges=(BADGE,)), permit("anna"))


class House:
    """A site that folds what was decided, as the daemon does."""

    def __init__(self, *changes: Change, **more: object) -> None:
        self.site = site(*(changes or ANNA), **more)
        self.count = 0

    def ask(
        self,
        what: str | PlateRead | Shown | None,
        direction: Direction = Direction.IN,
        lane: LaneId | None = None,
        now: Moment = NOW,
        **more: object,
    ) -> Granted | Refused:
        self.count += 1
        shown = read(what) if isinstance(what, str) else what
        lane = lane or (ENTRY if direction is Direction.IN else EXIT)
        ask = Ask(lane, direction, shown, HoldId(f"h{self.count}"), **{"present": True, **more})  # type: ignore[arg-type]
        answer = decide(ask, self.site, now)
        self.fold(answer)
        return answer

    def leave(self, what: str | Shown | None, **more: object) -> Granted | Refused:
        return self.ask(what, Direction.OUT, **more)

    def fold(self, *facts: object) -> None:
        for fact in facts:
            self.site = replace(self.site, occupancy=self.site.occupancy.fold(fact, MONDAY))  # type: ignore[arg-type]

    def passes(self, granted: Granted | Refused) -> None:
        assert isinstance(granted, Granted), granted
        self.fold(Passed(granted.lane, granted.direction, granted.hold))

    def plates_inside(self) -> list[str]:
        return sorted(s.plate for s in self.site.occupancy.inside())


def reason(answer: Granted | Refused) -> Reason:
    assert isinstance(answer, Refused), answer
    return answer.reason


def granted(answer: Granted | Refused) -> Granted:
    assert isinstance(answer, Granted), answer
    return answer


# ---- the order ----


def test_a_listed_plate_is_granted_and_says_on_what() -> None:
    answer = granted(House().ask("98-TH-D4"))
    assert (answer.user_id, answer.external_id, answer.plate) == ("u-anna", "anna", "98THD4")
    assert answer.basis.matched is Matched.EXACT
    assert (answer.basis.epoch, answer.basis.revision, answer.basis.votes) == ("epoch", 7, 5)
    assert answer.basis.weakest == pytest.approx(0.99)


def test_a_badge_is_granted() -> None:
    answer = granted(House().ask(BadgeRead("000414CD7E", 40)))
    assert (answer.external_id, answer.plate, answer.basis.matched) == ("anna", "", Matched.BADGE)


PAST, FUTURE = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
REFUSALS: dict[Reason, tuple[tuple[Change, ...], str | PlateRead | None]] = {
    Reason.UNREADABLE_PLATE: (ANNA, None),
    Reason.UNKNOWN_CREDENTIAL: (ANNA, "XX-999-X"),
    Reason.CREDENTIAL_PENDING: (
        (user("anna", credential("98THD4", CredentialState.PENDING)), permit("anna")),
        "98THD4",
    ),
    Reason.CREDENTIAL_SUSPENDED: (
        (user("anna", credential("98THD4", CredentialState.SUSPENDED)), permit("anna")),
        "98THD4",
    ),
    Reason.CREDENTIAL_REVOKED: (
        (user("anna", credential("98THD4", CredentialState.REVOKED)), permit("anna")),
        "98THD4",
    ),
    Reason.USER_INACTIVE: ((user("anna", "98THD4", status=UserStatus.INACTIVE), permit("anna")), "98THD4"),
    Reason.NO_PERMIT: ((user("anna", "98THD4"), permit("anna", device="side")), "98THD4"),
    Reason.NOT_YET_VALID: ((user("anna", "98THD4"), permit("anna", valid_from=FUTURE)), "98THD4"),
    Reason.EXPIRED: ((user("anna", "98THD4"), permit("anna", valid_to=PAST)), "98THD4"),
    Reason.OUTSIDE_SCHEDULE: (
        (user("anna", "98THD4"), permit("anna", schedule=Schedule("Tu-Su 00:00-24:00"))),
        "98THD4",
    ),
    Reason.AMBIGUOUS_PLATE: (
        (user("anna", "B NO 1234"), user("bert", "BN O 1234"), permit("anna"), permit("bert")),
        "BNO1234",
    ),
}


@pytest.mark.parametrize("expected", REFUSALS, ids=str)
def test_each_reason_of_the_list(expected: Reason) -> None:
    changes, shown = REFUSALS[expected]
    assert reason(House(*changes).ask(shown)) is expected


def test_nobody_is_granted_anything_without_a_vehicle_on_the_loop() -> None:
    assert reason(House().ask("98-TH-D4", present=False)) is Reason.NO_PRESENCE
    assert reason(House().leave("98-TH-D4", present=False)) is Reason.NO_PRESENCE


def test_an_inactive_lane_refuses_first() -> None:
    house = House(inactive=frozenset({ENTRY}))
    assert reason(house.ask(None, present=False)) is Reason.DEVICE_INACTIVE


def test_the_credential_s_own_validity_counts() -> None:
    day_pass = credential("98THD4", valid_from=PAST, valid_to=MONDAY)
    assert reason(House(user("anna", day_pass), permit("anna")).ask("98THD4")) is Reason.EXPIRED


def test_one_good_permit_is_enough_and_else_the_nearest_reason_is_told() -> None:
    old = PermitPut(Permit("old", Action.PARK, user_id="u-anna", valid_to=PAST))
    closed = PermitPut(Permit("c", Action.PARK, user_id="u-anna", schedule=Schedule("Sa 08:00-09:00")))
    assert reason(House(user("anna", "98THD4"), old, closed).ask("98THD4")) is Reason.OUTSIDE_SCHEDULE
    good = PermitPut(Permit("good", Action.PARK, user_id="u-anna", device="entry"))
    granted(House(user("anna", "98THD4"), old, closed, good).ask("98THD4"))


def test_a_permit_to_drive_is_none_to_park() -> None:
    drive = PermitPut(Permit("d", Action.DRIVE, user_id="u-anna"))
    assert reason(House(user("anna", "98THD4"), drive).ask("98THD4")) is Reason.NO_PERMIT


def test_a_group_s_permit_serves_its_members() -> None:
    group = PermitPut(Permit("g", Action.PARK, group_id="staff"))
    granted(House(user("anna", "98THD4", groups=("staff",)), group).ask("98THD4"))
    assert reason(House(user("anna", "98THD4"), group).ask("98THD4")) is Reason.NO_PERMIT


def test_the_schedule_is_the_site_s_local_time() -> None:
    """09:30 in Amsterdam is 08:30 in UTC in winter."""
    changes = (user("anna", "98THD4"), permit("anna", schedule=Schedule("Mo 09:00-10:00")))
    granted(House(*changes).ask("98THD4", now=Moment(MONDAY.replace(hour=8, minute=30), 0)))
    late = Moment(MONDAY.replace(hour=9, minute=30), 0)
    assert reason(House(*changes).ask("98THD4", now=late)) is Reason.OUTSIDE_SCHEDULE


def test_a_look_alike_is_noted() -> None:
    answer = granted(House().ask(read("98THO4", alternatives=[(4, "D", 0.3)])))
    assert (answer.plate, answer.basis.matched, answer.notes) == ("98THD4", Matched.LOOK_ALIKE, (Note.LOOK_ALIKE,))


@pytest.mark.parametrize("misread", ["98THD", "98THD44", "98THD1", "98TXD4"])
def test_any_other_edit_opens_for_nobody(misread: str) -> None:
    assert reason(House().ask(misread)) is Reason.UNKNOWN_CREDENTIAL


# ---- one vehicle per user ----


def test_the_second_plate_is_refused_while_the_first_is_inside_and_admitted_after() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    assert reason(house.ask("AB-123-CD")) is Reason.ANOTHER_VEHICLE_PARKED
    house.passes(house.leave("98-TH-D4"))
    house.passes(house.ask("AB-123-CD"))
    assert house.plates_inside() == ["AB123CD"]


def test_two_cars_of_one_user_at_two_lanes_in_the_same_second() -> None:
    house = House()
    first = granted(house.ask("98-TH-D4"))
    assert reason(house.ask("AB-123-CD", lane=SIDE)) is Reason.ANOTHER_VEHICLE_PARKED
    house.fold(HoldReleased(ENTRY, first.hold, Released.NO_ENTRY))
    granted(house.ask("AB-123-CD", lane=SIDE))


def test_the_same_plate_at_a_second_lane_does_not_get_in_twice() -> None:
    house = House()
    granted(house.ask("98-TH-D4"))
    assert reason(house.ask("98-TH-D4", lane=SIDE)) is Reason.ANOTHER_VEHICLE_PARKED


def test_the_same_plate_again_is_a_missed_exit() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    again = granted(house.ask("98-TH-D4"))
    assert again.notes == (Note.EXIT_MISSED,)
    house.passes(again)
    assert house.plates_inside() == ["98THD4"]


def test_a_badge_is_held_to_anti_passback() -> None:
    house = House()
    house.passes(house.ask(BadgeRead("000414CD7E", 40)))
    assert reason(house.ask(BadgeRead("000414CD7E", 40))) is Reason.ALREADY_INSIDE


def test_a_neutral_user_s_next_movement_is_believed() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    crashed = granted(house.leave("98-TH-D4"))
    house.fold(HoldReleased(EXIT, crashed.hold, Released.OUTCOME_UNKNOWN))
    second = granted(house.ask("AB-123-CD"))
    assert set(second.notes) == {Note.EXIT_MISSED, Note.NEUTRAL}
    house.passes(second)
    assert house.plates_inside() == ["AB123CD"]
    assert reason(house.ask("98-TH-D4")) is Reason.ANOTHER_VEHICLE_PARKED


def test_neutrality_never_forgives_a_car_on_its_way_in() -> None:
    house = House()
    first = granted(house.ask("98-TH-D4"))
    house.fold(HoldReleased(ENTRY, first.hold, Released.FAULT))
    granted(house.ask("98-TH-D4"))
    assert reason(house.ask("AB-123-CD", lane=SIDE)) is Reason.ANOTHER_VEHICLE_PARKED


def test_the_site_s_grace_forgives_an_old_session_only_where_it_is_set() -> None:
    later = Moment(MONDAY + timedelta(hours=25), 0)
    for grace, expected in ((timedelta(hours=24), None), (None, Reason.ANOTHER_VEHICLE_PARKED)):
        house = House(rules=Rules(missed_exit_grace=grace))
        house.passes(house.ask("98-TH-D4"))
        answer = house.ask("AB-123-CD", now=later)
        assert (answer.reason if isinstance(answer, Refused) else None) is expected
    soon = Moment(MONDAY + timedelta(hours=23), 0)
    house = House(rules=Rules(missed_exit_grace=timedelta(hours=24)))
    house.passes(house.ask("98-TH-D4"))
    assert reason(house.ask("AB-123-CD", now=soon)) is Reason.ANOTHER_VEHICLE_PARKED


def test_a_pool_has_its_size_and_neutrality_frees_no_more_than_one_place() -> None:
    house = House(user("pool", "1-AAA-11", "2-BBB-22", "3-CCC-33", pool_size=2), permit("pool"))
    house.passes(house.ask("1-AAA-11"))
    house.passes(house.ask("2-BBB-22"))
    assert reason(house.ask("3-CCC-33")) is Reason.ANOTHER_VEHICLE_PARKED
    crashed = granted(house.leave("1-AAA-11"))
    house.fold(HoldReleased(EXIT, crashed.hold, Released.FAULT))
    third = granted(house.ask("3-CCC-33"))
    assert len(third.closes) == 1
    house.passes(third)
    assert len(house.plates_inside()) == 2


# ---- the site ----


def test_a_full_car_park_counts_cars_on_their_way_in() -> None:
    house = House(*ANNA, user("bert", "12-ABC-3"), permit("bert"), rules=Rules(capacity=1))
    granted(house.ask("98-TH-D4"))
    assert reason(house.ask("12-ABC-3", lane=SIDE)) is Reason.FULL


GINA_UNTIL, LONG = MONDAY + timedelta(days=300), timedelta(days=4)
VISITORS = (
    user("pass", credential("GI-111-A", valid_to=GINA_UNTIL)), permit("pass"),
    user("permit", "GI-222-A"), permit("permit", valid_to=GINA_UNTIL),
    user("both", "GI-333-A"), permit("both", valid_to=GINA_UNTIL), permit("both"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("plate", "admitted"), [("98-TH-D4", True), ("GI-111-A", False), ("GI-222-A", False), ("GI-333-A", True)]
)
def test_an_old_list_refuses_only_what_has_an_end(plate: str, admitted: bool) -> None:
    house = House(*ANNA, *VISITORS, list_confirmed_at=MONDAY)
    asked = house.ask(plate, now=Moment(MONDAY + LONG, 0.0))
    assert isinstance(asked, Granted) is admitted
    if not admitted:
        assert reason(asked) is Reason.LIST_TOO_OLD
        granted(house.ask(plate, now=Moment(MONDAY + timedelta(hours=71), 0.0)))


@pytest.mark.parametrize("wall", [MONDAY, MONDAY - timedelta(days=9), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_clock_set_back_makes_no_list_young(wall: datetime) -> None:
    house = House(*VISITORS, list_confirmed_at=MONDAY, list_since_mono_s=0.0)
    assert house.site.list_age(Moment(wall, 60.0)) == timedelta(minutes=1)
    house.site = replace(house.site, rules=Rules(permanent_list_max_age=LONG))
    assert reason(house.ask("GI-333-A", now=Moment(wall, LONG.total_seconds() + 1))) is Reason.LIST_TOO_OLD


def test_a_missed_exit_does_not_count_against_the_capacity() -> None:
    house = House(rules=Rules(capacity=1))
    house.passes(house.ask("98-TH-D4"))
    granted(house.ask("98-TH-D4"))


def test_an_old_list_admits_nobody_and_lets_everybody_out() -> None:
    house = House(rules=Rules(permanent_list_max_age=timedelta(days=30)), list_confirmed_at=MONDAY)
    house.passes(house.ask("98-TH-D4"))
    later = Moment(MONDAY + timedelta(days=31), 0)
    assert reason(house.ask("98-TH-D4", now=later)) is Reason.LIST_TOO_OLD
    granted(house.leave("98-TH-D4", now=later))


# ---- exits ----


@pytest.mark.parametrize("policy", list(ExitPolicy))
@pytest.mark.parametrize(
    "change",
    [
        UserRemoved("u-anna"),
        user("anna", "98-TH-D4", status=UserStatus.INACTIVE),
        user("anna", credential("98-TH-D4", CredentialState.REVOKED)),
        permit("anna", valid_to=PAST),
    ],
    ids=["deleted", "inactive", "revoked", "expired"],
)
def test_a_car_inside_gets_out_whatever_became_of_its_user(change: Change, policy: ExitPolicy) -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([change], 8))
    house.passes(house.leave("98-TH-D4", exit_policy=policy))
    assert house.plates_inside() == []


def test_a_deleted_user_gets_out_by_the_badge_that_came_in() -> None:
    house = House()
    house.passes(house.ask(BadgeRead("000414CD7E", 40)))
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([UserRemoved("u-anna")], 8))
    house.passes(house.leave(BadgeRead("000414CD7E", 40), exit_policy=ExitPolicy.KNOWN_ONLY))
    assert list(house.site.occupancy.inside()) == []


def test_any_credential_of_the_user_opens_the_exit() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    house.passes(house.leave(BadgeRead("000414CD7E", 40)))
    assert house.plates_inside() == []
    house.passes(house.ask(BadgeRead("000414CD7E", 40)))
    house.passes(house.leave("98-TH-D4"))
    assert list(house.site.occupancy.inside()) == []


def test_a_car_that_entered_by_badge_leaves_by_the_plate_that_was_seen() -> None:
    house = House()
    house.passes(house.ask(BadgeRead("000414CD7E", 40), seen=read("XK-507-RT")))
    assert house.plates_inside() == ["XK507RT"]
    answer = granted(house.leave("XK-507-RT"))
    assert (answer.user_id, answer.basis.matched) == ("u-anna", Matched.EXACT)
    house.passes(answer)
    assert house.plates_inside() == []


def test_a_seen_plate_does_not_soften_the_badge_s_anti_passback() -> None:
    house = House()
    house.passes(house.ask(BadgeRead("000414CD7E", 40), seen=read("XK-507-RT")))
    assert reason(house.ask(BadgeRead("000414CD7E", 40), seen=read("XK-507-RT"))) is Reason.ALREADY_INSIDE


def test_a_look_alike_of_the_one_plate_inside_leaves() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    answer = granted(house.leave("98THO4"))
    assert (answer.plate, answer.basis.matched) == ("98THD4", Matched.LOOK_ALIKE)


def test_a_misread_waits_for_a_better_read_and_then_pairs_with_the_nearest() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    assert reason(house.leave("98TXD4")) is Reason.NOT_INSIDE
    answer = granted(house.leave("98TXD4", read_over=True))
    assert (answer.plate, answer.basis.matched) == ("98THD4", Matched.NEAREST)
    house.passes(answer)
    assert house.plates_inside() == []


def test_a_listed_plate_that_is_not_inside_is_not_taken_for_its_neighbour() -> None:
    house = House(*ANNA, user("bert", "98-TX-D4"), permit("bert"))
    house.passes(house.ask("98-TH-D4"))
    house.passes(house.leave("98-TX-D4", read_over=True))
    assert house.plates_inside() == ["98THD4"]


def test_an_unread_vehicle_leaves_where_anybody_may() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    answer = granted(house.leave(None, read_over=True))
    assert (answer.user_id, answer.notes) == (None, (Note.EXIT_UNIDENTIFIED,))
    house.passes(answer)
    assert house.site.occupancy.taken() == 0
    assert house.plates_inside() == ["98THD4"]


def test_whoever_came_in_at_another_edge_of_the_site_gets_out_at_once_at_this_one() -> None:
    several = House(rules=Rules(claims=ClaimPolicy.DENY))
    strict = {"exit_policy": ExitPolicy.KNOWN_ONLY}
    assert granted(several.leave("98-TH-D4", **strict)).user_id == "u-anna"
    assert reason(several.leave("ZZ-999-Z", read_over=True, **strict)) is Reason.NOT_INSIDE
    assert reason(House().leave("98-TH-D4", read_over=True, **strict)) is Reason.NOT_INSIDE


def test_known_only_keeps_the_unknown_and_lets_the_doubtful_go() -> None:
    house = House()
    known_only = {"exit_policy": ExitPolicy.KNOWN_ONLY, "read_over": True}
    assert reason(house.leave(None, **known_only)) is Reason.NOT_INSIDE
    assert reason(house.leave("98-TH-D4", **known_only)) is Reason.NOT_INSIDE
    doubtful = granted(house.ask("98-TH-D4"))
    house.fold(HoldReleased(ENTRY, doubtful.hold, Released.UNCONFIRMED))
    granted(house.leave("98-TH-D4", **known_only))


def test_a_known_user_whose_entry_was_missed_leaves() -> None:
    answer = granted(House().leave("98-TH-D4", read_over=True))
    assert (answer.user_id, answer.closes, answer.notes) == ("u-anna", (), (Note.NEUTRAL,))


PASS, CODE = "Q1.visitor.7f3a9c01d2", "K7M2-PX94"
GINA = (user("gina", passes=(QrPass.of(PASS),), codes=(GuestCode.parse(CODE),)), permit("gina"))
SHOWN = [(CodeRead.of(PASS), Matched.QR_PASS), (CodeRead.of("k7m2 px94"), Matched.GUEST_CODE)]


@pytest.mark.parametrize(("shown", "matched"), SHOWN)
def test_a_pass_or_code_is_granted_and_the_fact_holds_its_digest(shown: CodeRead, matched: Matched) -> None:
    answer = granted(House(*GINA).ask(shown))
    assert (answer.external_id, answer.plate, answer.basis.matched) == ("gina", "", matched)
    assert answer.basis.as_matched in shown.texts
    assert PASS not in repr(answer)
    assert "PX94" not in repr(answer).upper()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("K7M2-PX95", Reason.CODE_WRONG),
        (PASS.lower() + "x", Reason.UNKNOWN_CREDENTIAL),
        ("https://example.org/menu", Reason.UNKNOWN_CREDENTIAL),
        ("", Reason.UNKNOWN_CREDENTIAL),
    ],
)
def test_a_text_that_nobody_has_is_refused_by_what_it_may_be(text: str, expected: Reason) -> None:
    assert reason(House(*GINA).ask(CodeRead.of(text))) is expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({"state": CredentialState.PENDING}, Reason.CREDENTIAL_PENDING),
        ({"state": CredentialState.SUSPENDED}, Reason.CREDENTIAL_SUSPENDED),
        ({"state": CredentialState.REVOKED}, Reason.CREDENTIAL_REVOKED),
        ({"valid_from": FUTURE}, Reason.NOT_YET_VALID),
        ({"valid_to": MONDAY}, Reason.EXPIRED),
    ],
)
def test_a_pass_or_code_has_state_and_validity_of_its_own(held: dict[str, object], expected: Reason) -> None:
    both = user(
        "gina",
        passes=(replace(QrPass.of(PASS), **held),),
        codes=(replace(GuestCode.parse(CODE), **held),),
    )
    house = House(both, permit("gina"))
    assert [reason(house.ask(shown)) for shown, _ in SHOWN] == [expected] * 2


def test_a_code_comes_after_the_lane_and_the_vehicle_and_before_permit_and_place() -> None:
    typed = SHOWN[1][0]
    assert reason(House(*GINA).ask(typed, present=False)) is Reason.NO_PRESENCE
    assert reason(House(*GINA, inactive=frozenset({ENTRY})).ask(typed)) is Reason.DEVICE_INACTIVE
    assert reason(House(GINA[0]).ask(typed)) is Reason.NO_PERMIT
    assert reason(House(*GINA, rules=Rules(capacity=0)).ask(typed)) is Reason.FULL


def test_a_pass_that_was_passed_on_opens_for_nobody_while_its_guest_is_inside() -> None:
    house = House(*GINA)
    house.passes(house.ask(SHOWN[0][0], seen=read("XK-507-RT")))
    assert [reason(house.ask(shown)) for shown, _ in SHOWN] == [Reason.ALREADY_INSIDE] * 2


@pytest.mark.parametrize(("shown", "matched"), SHOWN)
@pytest.mark.parametrize("change", [UserRemoved("u-gina"), user("gina", status=UserStatus.INACTIVE)])
def test_a_guest_gets_out_by_what_came_in_whatever_became_of_it(
    shown: CodeRead, matched: Matched, change: Change
) -> None:
    house = House(*GINA)
    house.passes(house.ask(shown))
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([change], 8))
    answer = granted(house.leave(shown, exit_policy=ExitPolicy.KNOWN_ONLY))
    assert answer.basis.matched is matched
    house.passes(answer)
    assert list(house.site.occupancy.inside()) == []


def test_a_guest_who_came_by_pass_leaves_by_code_or_plate() -> None:
    house = House(*GINA)
    for leaving in (SHOWN[1][0], "XK-507-RT"):
        house.passes(house.ask(SHOWN[0][0], seen=read("XK-507-RT")))
        house.passes(house.leave(leaving, exit_policy=ExitPolicy.KNOWN_ONLY))
        assert house.plates_inside() == []


def test_an_unknown_code_at_an_exit_is_judged_by_the_policy_at_once() -> None:
    stranger = CodeRead.of("https://example.org/menu")
    assert granted(House(*GINA).leave(stranger)).user_id is None
    assert reason(House(*GINA).leave(stranger, exit_policy=ExitPolicy.KNOWN_ONLY)) is Reason.NOT_INSIDE


def test_whom_an_order_made_void_gets_in_no_more_until_the_list_decides() -> None:
    void = Void("u-anna", "", "epoch", 8, instead_of="epoch")
    house = House(*ANNA, user("bert", "B-NO 1"), permit("bert"), voids=frozenset({void}))
    assert reason(house.ask("98-TH-D4")) is Reason.USER_INACTIVE
    assert reason(house.ask(BadgeRead("000414CD7E", 40))) is Reason.USER_INACTIVE
    assert granted(house.ask("B-NO 1"))
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([], 8))
    assert granted(house.ask("98-TH-D4"))


def test_one_credential_may_be_void_alone() -> None:
    void = Void("u-anna", "98THD4", "epoch", 8, instead_of="epoch")
    house = House(voids=frozenset({void}))
    assert reason(house.ask("98-TH-D4")) is Reason.CREDENTIAL_REVOKED
    assert granted(house.ask("AB-123-CD"))


def test_whoever_is_inside_gets_out_though_void() -> None:
    house = House()
    house.passes(house.ask("98-TH-D4"))
    void = Void("u-anna", "", "epoch", 8, instead_of="epoch")
    house.site = replace(house.site, voids=frozenset({void}))
    assert granted(house.leave("98-TH-D4")).closes


# ---- signed passes ----

PHONE = PassRead("u-anna", "aa" * 16, MONDAY, MONDAY + timedelta(seconds=90), once=True)
VISIT = PassRead("g-1", "bb" * 16, MONDAY, MONDAY + timedelta(hours=4), guest="Gina")
ANNAS_APP = (user("anna", "98-TH-D4", app=CredentialState.ACTIVE), permit("anna"))


def test_a_phone_s_pass_lets_its_user_in_and_out_and_in_no_second_time() -> None:
    house = House(*ANNAS_APP)
    answer = granted(house.ask(PHONE))
    assert (answer.external_id, answer.basis.matched, answer.spends) == (
        "anna",
        Matched.SIGNED_PASS,
        PHONE.valid_to,
    )
    assert reason(house.ask(PHONE)) is Reason.PASS_REPLAYED, "while the first is on the way in"
    house.passes(answer)
    house.passes(house.leave(PHONE, exit_policy=ExitPolicy.KNOWN_ONLY))
    assert reason(house.ask(PHONE)) is Reason.PASS_REPLAYED
    assert granted(house.ask(replace(PHONE, number="cc" * 16)))


def test_a_pass_whose_vehicle_did_not_drive_in_is_still_good() -> None:
    house = House(*ANNAS_APP)
    house.fold(HoldReleased(ENTRY, granted(house.ask(PHONE)).hold, Released.BACK_OUT))
    assert granted(house.ask(PHONE))


def test_what_is_spent_is_forgotten_when_it_is_over_anyway() -> None:
    house = House(*ANNAS_APP)
    house.passes(house.ask(PHONE))
    house.passes(house.leave(PHONE))
    later, at = replace(PHONE, number="cc" * 16, valid_to=MONDAY + timedelta(hours=2)), MONDAY + timedelta(hours=1)
    taken = granted(house.ask(later, now=Moment(at, 3700.0)))
    assert [*house.site.occupancy.fold(Passed(ENTRY, Direction.IN, taken.hold), at).spent] == [later.text]


@pytest.mark.parametrize(
    ("shown", "app", "expected"),
    [
        (replace(PHONE, elsewhere=True), CredentialState.ACTIVE, Reason.WRONG_SITE),
        (replace(PHONE, valid_to=MONDAY), CredentialState.ACTIVE, Reason.PASS_EXPIRED),
        (replace(PHONE, valid_from=FUTURE, valid_to=FUTURE), CredentialState.ACTIVE, Reason.NOT_YET_VALID),
        (PHONE, CredentialState.PENDING, Reason.CREDENTIAL_PENDING),
        (PHONE, CredentialState.REVOKED, Reason.CREDENTIAL_REVOKED),
        (PHONE, None, Reason.UNKNOWN_CREDENTIAL),
    ],
)
def test_a_signature_alone_opens_nothing(shown: PassRead, app: CredentialState | None, expected: Reason) -> None:
    house = House(user("anna", "98-TH-D4", app=app), permit("anna"))
    assert reason(house.ask(shown)) is expected
    assert granted(house.ask("98-TH-D4")), "plates work whatever the app does"


def test_a_guest_of_whom_the_list_does_not_know_yet_comes_by_word_of_the_pass() -> None:
    house = House(*ANNAS_APP)
    answer = granted(house.ask(VISIT))
    assert (answer.user_id, answer.external_id) == ("g-1", "Gina")
    house.passes(answer)
    assert reason(house.ask(VISIT)) is Reason.ALREADY_INSIDE
    house.passes(house.leave(VISIT, exit_policy=ExitPolicy.KNOWN_ONLY))
    assert granted(house.ask(VISIT)), "a guest's pass is good as long as it is valid"
    assert reason(house.ask(replace(VISIT, guest=""))) is Reason.UNKNOWN_CREDENTIAL


def test_a_guest_who_was_removed_is_not_made_one_again_by_the_pass() -> None:
    guest = UserPut(User("g-1", "Gina", app=CredentialState.ACTIVE))
    house = House(guest, PermitPut(Permit("p-g", Action.PARK, user_id="g-1")))
    house.passes(house.ask(VISIT))
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([UserRemoved("g-1")], 8))
    house.passes(house.leave(VISIT, exit_policy=ExitPolicy.KNOWN_ONLY))
    assert reason(house.ask(VISIT)) is Reason.UNKNOWN_CREDENTIAL


def test_a_pass_for_parking_drives_nothing() -> None:
    assert reason(House(*ANNAS_APP).ask(VISIT, action=Action.DRIVE)) is Reason.NO_PERMIT


# ---- devices, groups, contracts, desks ----

WORK, HOME = business("c-work", "acme"), private("c-home", "u-anna", payable=True)
TRIP = Reservation("r1", "u-anna", "DACIA-1", "north", MONDAY, MONDAY + timedelta(hours=2), "c-home", slot=3)
VALID = Licence(LicenceStatus.VALIDATED, MONDAY, MONDAY + timedelta(days=180))


def device(lane: str, state: DeviceState = DeviceState.ACTIVE, **more: object) -> DevicePut:
    return DevicePut(Device(lane, DeviceKind.GATE, state, "acme", **more))  # type: ignore[arg-type]


def anna(**more: object) -> UserPut:
    return user("anna", "98-TH-D4", badges=(BADGE,), customer="acme", **more)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (DeviceState.UNCLAIMED, Reason.DEVICE_UNCLAIMED),
        (DeviceState.INACTIVE, Reason.DEVICE_INACTIVE),
        (DeviceState.RETIRED, Reason.DEVICE_INACTIVE),
    ],
)
def test_only_an_active_device_decides(state: DeviceState, expected: Reason) -> None:
    house = House(*ANNA, device("entry", state), device("exit", state))
    assert reason(house.ask("98-TH-D4", present=False)) is expected, "before anything else is looked at"
    assert reason(house.leave("98-TH-D4")) is expected
    assert granted(house.ask("98-TH-D4", lane=SIDE)), "a lane that is not listed is active"


def test_a_grant_is_billed_to_whoever_is_in_charge_of_the_device_then() -> None:
    hour = timedelta(hours=1)
    spans = (Delegated("taqto", MONDAY, MONDAY + hour),)
    house = House(*ANNA, device("entry", delegations=spans), device("exit", delegations=spans))
    entered = granted(house.ask("98-TH-D4"))
    house.passes(entered)
    later = Moment(MONDAY + hour, 3700.0)
    left = granted(house.leave("98-TH-D4", now=later))
    assert (entered.billed_to, left.billed_to) == ("taqto", "acme")
    assert granted(House(*ANNA).ask("98-TH-D4")).billed_to == ""
    assert granted(house.ask("98-TH-D4", lane=SIDE, now=later)).billed_to == ""


def test_contract_and_payer_are_those_of_the_entry_whatever_becomes_of_the_user() -> None:
    house = House(anna(contracts=(WORK, HOME), default_contract="c-home"), permit("anna"))
    entered = granted(house.ask("98-TH-D4"))
    assert (entered.contract, entered.payer) == ("c-home", "u-anna")
    house.passes(entered)
    renamed = replace(anna(contracts=(WORK,)).user, external_id="anna-2")
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([UserPut(renamed)], 8))
    (session,) = house.site.occupancy.inside()
    closed = session.closed(Closed.OPERATOR, "me", "why")
    assert (closed.external_id, closed.contract, closed.payer) == ("anna", "c-home", "u-anna")
    left = granted(house.leave("98-TH-D4"))
    assert (left.contract, left.payer, left.external_id) == ("c-home", "u-anna", "anna")


def test_who_has_no_contract_is_paid_for_by_the_customer() -> None:
    entered = granted(House(anna(), permit("anna")).ask("98-TH-D4"))
    assert (entered.contract, entered.payer) == ("", "acme")


def test_a_private_contract_without_a_payment_profile_lets_nobody_in_and_everybody_out() -> None:
    unpaid = anna(contracts=(replace(HOME, payable=False), WORK))
    house = House(anna(contracts=(HOME, WORK)), permit("anna"))
    house.passes(house.ask("98-TH-D4"))
    house.site = replace(house.site, allowlist=house.site.allowlist.apply([unpaid], 8))
    left = house.leave("98-TH-D4", exit_policy=ExitPolicy.KNOWN_ONLY)
    house.passes(left)
    refused = house.ask("98-TH-D4")
    assert reason(refused) is Reason.NO_PAYMENT_PROFILE
    assert refused.payer == "u-anna", "so that it stays out of the employer's feed"
    other = House(replace(unpaid, user=replace(unpaid.user, default_contract="c-work")), permit("anna"))
    assert granted(other.ask("98-TH-D4")).contract == "c-work"


def group_permit(quota: int | None, name: str = "staff", **more: object) -> PermitPut:
    return PermitPut(Permit(f"g-{name}", Action.PARK, group_id=name, quota=quota, **more))  # type: ignore[arg-type]


def test_a_group_has_so_many_places_and_gives_one_back_at_the_exit() -> None:
    names = ("ann", "bob", "cid")
    plates = dict(zip(names, ("98-TH-D4", "AB-123-CD", "XK-507-RT"), strict=True))
    people = [user(name, plate, groups=("staff",)) for name, plate in plates.items()]
    house = House(*people, group_permit(2))
    entered = granted(house.ask(plates["ann"]))
    assert entered.group == "staff"
    house.passes(entered)
    house.ask(plates["bob"])  # on its way in: it counts
    assert reason(house.ask(plates["cid"])) is Reason.FULL
    again = granted(house.ask(plates["ann"]))
    assert again.closes == (entered.hold,), "a missed exit does not take its own place twice"
    house.fold(HoldReleased(ENTRY, again.hold, Released.BACK_OUT))
    house.passes(house.leave(plates["ann"]))
    assert granted(house.ask(plates["cid"])).group == "staff"


def test_a_permit_without_a_quota_counts_to_nobody_s() -> None:
    both = user("ann", "98-TH-D4", groups=("staff",))
    house = House(both, permit("ann"), group_permit(1))
    assert granted(house.ask("98-TH-D4")).group == ""
    two = House(user("ann", "98-TH-D4", groups=("full", "staff")), group_permit(1, "full"), group_permit(1))
    two.site = replace(two.site, occupancy=Occupancy(anonymous=3))
    held = Granted(SIDE, Direction.IN, HoldId("x"), "u-x", "x", "", Basis("e", 1, Matched.BADGE), group="full")
    two.fold(held)
    assert granted(two.ask("98-TH-D4")).group == "staff", "another of the user's groups has room"


def desk(
    what: str | Shown, *changes: Change, action: Action = Action.DRIVE, here: str = "north", **more: object
) -> object:
    permits = [PermitPut(Permit(f"p-{a.value}", a, user_id="u-anna")) for a in (Action.DRIVE, Action.CARPOOL)]
    house = House(*permits, *changes, name=here)
    answer = house.ask(what, lane=LaneId("desk"), action=action, **more)
    return answer if isinstance(answer, Granted) else answer.reason


TAP = BadgeRead(BADGE.uid, BADGE.bits)


def test_driving_needs_permit_licence_and_reservation_in_that_order() -> None:
    listed = anna(licence=VALID, contracts=(WORK, HOME))
    assert desk(TAP, anna()) is Reason.LICENCE_NOT_VALIDATED
    assert desk(TAP, anna(licence=replace(VALID, valid_until=MONDAY))) is Reason.LICENCE_EXPIRED
    assert desk(TAP, listed) is Reason.NO_RESERVATION
    assert desk(TAP, listed, ReservationPut(TRIP), here="south") is Reason.WRONG_SITE
    early = Moment(MONDAY - timedelta(hours=1), 0.0)
    assert desk(TAP, listed, ReservationPut(TRIP), now=early) is Reason.TOO_EARLY
    late = Moment(TRIP.end, 9000.0)
    assert desk(TAP, listed, ReservationPut(TRIP), now=late) is Reason.RESERVATION_ENDED
    given = desk(TAP, listed, ReservationPut(TRIP))
    assert isinstance(given, Granted)
    assert (given.contract, given.payer) == ("c-home", "u-anna"), "the reservation says who pays"
    unpaid = anna(licence=VALID, contracts=(WORK, replace(HOME, payable=False)))
    assert desk(TAP, unpaid, ReservationPut(TRIP)) is Reason.NO_PAYMENT_PROFILE
    house = House(listed, permit("anna"), ReservationPut(TRIP), name="north")
    assert reason(house.ask(TAP, action=Action.DRIVE)) is Reason.NO_PERMIT, "parking is no permit to drive"


def test_carpooling_needs_neither_and_parking_neither() -> None:
    assert isinstance(desk(TAP, anna(), action=Action.CARPOOL), Granted)
    assert granted(House(anna(), permit("anna")).ask(TAP))


def test_who_is_inside_may_drive_and_it_takes_no_place() -> None:
    house = House(anna(licence=VALID), permit("anna"), ReservationPut(TRIP), name="north", rules=Rules(capacity=1))
    house.site = replace(
        house.site,
        allowlist=house.site.allowlist.apply([PermitPut(Permit("p-d", Action.DRIVE, user_id="u-anna"))], 8),
    )
    house.passes(house.ask("98-TH-D4"))
    assert granted(house.ask(TAP, action=Action.DRIVE))


def test_an_activation_letter_is_no_pass_and_an_app_s_pass_waits_for_its_app() -> None:
    letter = CodeRead.of("https://portal.example/activate/K7M2-PX94")
    assert reason(House(*GINA).ask(letter)) is Reason.NOT_AN_ACCESS_PASS
    app = replace(QrPass.of(PASS), state=CredentialState.PENDING)
    both = user("gina", "98-TH-D4", passes=(app,))
    house = House(both, permit("gina"))
    assert reason(house.ask(CodeRead.of(PASS))) is Reason.CREDENTIAL_PENDING
    assert granted(house.ask("98-TH-D4")), "plates work whatever the app does"


BREAKERS: list[Change] = [
    UserRemoved("u-anna"),
    anna(status=UserStatus.INACTIVE),
    anna(contracts=(replace(HOME, payable=False),)),
    PermitRemoved("p-anna-0"),
    device("entry", DeviceState.RETIRED),
    device("exit", delegations=(Delegated("taqto", MONDAY),)),
    PermitPut(Permit("p-anna-0", Action.PARK, user_id="u-anna", valid_to=MONDAY)),
]


@given(
    st.lists(st.sampled_from(BREAKERS), max_size=5),
    st.integers(0, 400),
    st.sampled_from(ExitPolicy),
    st.sampled_from(["98-TH-D4", TAP]),
)
def test_no_rule_keeps_anybody_in(
    broken: list[Change], days: int, policy: ExitPolicy, shown: str | BadgeRead
) -> None:
    rules = Rules(capacity=0, permanent_list_max_age=timedelta(0), temporary_list_max_age=timedelta(0))
    house = House(anna(contracts=(HOME,)), permit("anna"))
    house.passes(house.ask(shown))
    after = house.site.allowlist
    for revision, change in enumerate(broken, 8):
        after = after.apply([change], revision)
    house.site = replace(house.site, allowlist=after, rules=rules, list_confirmed_at=MONDAY)
    now = Moment(MONDAY + timedelta(days=days), 100.0 + 86400 * days)
    left = granted(house.leave(shown, now=now, exit_policy=policy))
    assert (left.user_id, left.contract, left.payer) == ("u-anna", "c-home", "u-anna")


# ---- whom the portal vouches for ----


def test_who_is_vouched_for_needs_no_credential_but_everything_else() -> None:
    ann = User("u1", "ann")
    listed = Allowlist.empty("e").apply(
        [UserPut(ann), PermitPut(Permit("p", Action.PARK, "u1", device="entry"))], 1
    )
    site = Site(listed, UTC)
    now = Moment(datetime(2026, 3, 2, 8, 0, tzinfo=UTC), 0.0)
    entry, other = LaneId("entry"), LaneId("other")
    assert vouched_reason(ann, entry, site, now) is None
    assert vouched_reason(ann, other, site, now) is Reason.NO_PERMIT
    assert vouched_reason(replace(ann, status=UserStatus.INACTIVE), entry, site, now) is Reason.USER_INACTIVE
    unpaid = replace(ann, contracts=(private("p", "u1", payable=False),), default_contract="p")
    assert vouched_reason(unpaid, entry, site, now) is Reason.NO_PAYMENT_PROFILE
    closed = replace(site, inactive=frozenset({entry}))
    assert vouched_reason(ann, entry, closed, now) is Reason.DEVICE_INACTIVE
