"""Guest codes at a lane: as good as a badge, and not to be guessed."""

import pytest

from gate_controller.access import ExitPolicy
from gate_controller.credentials import CodeRead, GuestCode, QrPass
from gate_controller.facts import CredentialDropped, Direction, Fact, Granted, Matched, Refused
from gate_controller.lane import Phase
from gate_controller.lane_tries import WRONG_CODES_MAX, WRONG_CODES_WITHIN_S
from gate_controller.reasons import Reason
from tests.gate_controller.lane_rig import ANNA, BORIS, A, Rig, S, X, plate, setup, site, user

PASS, CODE = "Q1.visitor.7f3a9c01d2", "K7M2-PX94"
GINA = user("gina", passes=(QrPass.of(PASS),), codes=(GuestCode.parse(CODE),))
WRONG = ["K7M2-PX95", "K7M2-PX96", "K7M2-PX97", "K7M2-PX98", "K7M2-PX99", "K7M2-PX9A", "K7M2-PX9C"]


def rig(direction: Direction = Direction.IN, **more: object) -> Rig:
    return Rig(setup(direction, id="lane", **more), site_=site(*ANNA, *BORIS, *GINA))


def typed(rig: Rig, text: str) -> list[Reason]:
    return [fact.reason for fact in rig.of(Refused, rig.show(CodeRead.of(text)))]


@pytest.mark.parametrize(("text", "matched"), [(PASS, Matched.QR_PASS), ("k7m2px94", Matched.GUEST_CODE)])
def test_a_pass_or_code_opens_for_a_vehicle_that_is_there(text: str, matched: Matched) -> None:
    lane = rig()
    (granted,) = lane.of(Granted, lane.arrive(CodeRead.of(text)))
    assert (granted.external_id, granted.basis.matched) == ("gina", matched)
    lane.rise()
    lane.drive_through()
    assert lane.inside() == {"u-gina"}


def test_without_a_vehicle_a_code_is_refused_whether_right_or_wrong_and_is_no_try() -> None:
    lane = rig()
    for text in (CODE, PASS, *WRONG):
        assert typed(lane, text) == [Reason.NO_PRESENCE]
        lane.wait(4.0)
    (granted,) = lane.of(Granted, lane.arrive(CodeRead.of(CODE)))
    assert granted.external_id == "gina"


def test_a_wrong_code_is_told_and_the_right_one_opens_after_it() -> None:
    lane = rig()
    lane.arrive(plate("NO-999-X"))
    assert typed(lane, WRONG[0]) == [Reason.CODE_WRONG]
    assert typed(lane, WRONG[0]) == [], "told once a vehicle"
    assert lane.shown.reason is Reason.CODE_WRONG
    assert lane.of(Granted, lane.show(CodeRead.of(CODE)))
    assert lane.phase is Phase.OPENING


def test_a_scanned_text_that_is_no_pass_is_unknown_and_no_try() -> None:
    lane = rig()
    lane.arrive()
    for number in range(2 * WRONG_CODES_MAX):
        assert typed(lane, f"https://example.org/{number}") == [Reason.UNKNOWN_CREDENTIAL]
    assert lane.of(Granted, lane.show(CodeRead.of(CODE)))


def test_after_too_many_wrong_codes_none_is_looked_at_for_a_while() -> None:
    lane = rig()
    lane.arrive()
    for wrong in WRONG[:WRONG_CODES_MAX]:
        assert typed(lane, wrong) == [Reason.CODE_WRONG]
        lane.wait(1.0)
    (refused,) = lane.of(Refused, lane.show(CodeRead.of(CODE)))
    assert (refused.reason, refused.user_id, refused.external_id) == (Reason.TOO_MANY_TRIES, None, "")
    assert (refused.basis.matched, refused.basis.as_matched) == (Matched.NONE, ""), "nobody learns more"
    assert typed(lane, WRONG[-1]) == [Reason.TOO_MANY_TRIES]
    lane.wait(WRONG_CODES_WITHIN_S - WRONG_CODES_MAX - 0.1)
    assert not lane.of(Granted, lane.show(CodeRead.of(CODE)))
    lane.wait(0.1)
    assert lane.of(Granted, lane.show(CodeRead.of(CODE))), "tries while blocked do not make it longer"


def test_the_next_vehicle_has_no_fresh_tries_but_its_plate_and_pass_open() -> None:
    lane = rig()
    lane.arrive()
    for wrong in WRONG[:WRONG_CODES_MAX]:
        typed(lane, wrong)
    lane.off(A)
    lane.wait(4.0)
    lane.arrive()
    assert typed(lane, CODE) == [Reason.TOO_MANY_TRIES]
    assert lane.of(Granted, lane.show(CodeRead.of(PASS)))


def test_a_right_code_forgives_no_wrong_one() -> None:
    lane = rig()
    lane.arrive()
    for wrong in WRONG[: WRONG_CODES_MAX - 1]:
        typed(lane, wrong)
    assert lane.of(Granted, lane.show(CodeRead.of(CODE)))
    lane.rise()
    lane.drive_through()
    lane.fall()
    lane.arrive()
    assert typed(lane, WRONG[-2]) == [Reason.CODE_WRONG]
    assert typed(lane, WRONG[-1]) == [Reason.TOO_MANY_TRIES]


def test_a_lane_s_tries_are_its_own() -> None:
    both = Rig(setup(id="north"), setup(id="south"), site_=site(*GINA))
    both.arrive(lane="north")
    for wrong in WRONG[:WRONG_CODES_MAX]:
        both.show(CodeRead.of(wrong), lane="north")
    assert both.of(Granted, both.arrive(CodeRead.of(CODE), lane="south"))


def test_an_exit_lets_out_by_the_code_however_often_it_was_wrong() -> None:
    lane = Rig(setup(), setup(Direction.OUT, id="exit", exit_policy=ExitPolicy.KNOWN_ONLY), site_=site(*GINA))
    lane.arrive(CodeRead.of(CODE))
    lane.rise()
    lane.drive_through()
    lane.arrive(lane="exit")
    told: list[Fact] = []
    for wrong in WRONG:
        told += lane.show(CodeRead.of(wrong), lane="exit")
    assert {fact.reason for fact in lane.of(Refused, told)} == {Reason.NOT_INSIDE}
    (granted,) = lane.of(Granted, lane.show(CodeRead.of("K7M2 PX94"), lane="exit"))
    assert len(granted.closes) == 1
    assert granted.basis.matched is Matched.GUEST_CODE


def test_a_code_more_than_the_queue_holds_is_dropped_by_its_kind() -> None:
    lane = rig(queue_len_max=0)
    lane.arrive(plate("KL-55-MN"))
    lane.rise()
    lane.on(S)
    lane.off(A)
    lane.wait(0.4)
    lane.on(X)
    assert [fact.kind for fact in lane.of(CredentialDropped, lane.arrive(CodeRead.of(CODE)))] == ["code"]


def test_a_shared_lane_that_looks_at_no_code_of_those_outside_still_lets_out_by_one() -> None:
    lane = Rig(setup(None, exit_policy=ExitPolicy.KNOWN_ONLY), site_=site(*GINA))
    lane.arrive(CodeRead.of(CODE))
    lane.rise()
    lane.drive_through()
    lane.fall()
    lane.arrive()
    for wrong in WRONG:
        lane.show(CodeRead.of(wrong))
    assert lane.shown.reason is Reason.TOO_MANY_TRIES
    lane.off(A)
    lane.wait(4.0)
    lane.on(X)
    lane.wait(0.4)
    (granted,) = lane.of(Granted, lane.show(CodeRead.of(CODE)))
    assert (granted.direction, granted.external_id) == (Direction.OUT, "gina")
