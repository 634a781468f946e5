from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from edge.commands.gate import ImaginedGate, Sorter
from gate_controller.allowlist import Allowlist
from gate_controller.changes import PermitPut, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.facts import Direction, Granted, LaneId, Refused
from gate_controller.plates import Plate, PlateRead
from gate_controller.reasons import Note, Reason
from gate_controller.site import Site
from gate_controller.users import Action, Permit, User
from recognition.recognizer import LocatedRead, Rejected
from recognition.vote import VoteEvent

AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 4.0), (0.0, 4.0))


def read(text: str, confidence: float = 0.99) -> PlateRead:
    plate = Plate.parse(text)
    return PlateRead(plate, confidence, tuple(((char, confidence),) for char in plate.key), votes=5)


def site(*plates: str) -> Site:
    """One user with all these plates."""
    user = User("u1", "4711", plates=tuple(PlateCredential(Plate.parse(plate)) for plate in plates))
    changes = [UserPut(user), PermitPut(Permit("p1", Action.PARK, user_id="u1"))]
    return Site(Allowlist.empty("test").apply(changes, 1), UTC)


def gate(direction: Direction = Direction.IN) -> ImaginedGate:
    return ImaginedGate(site("B-NO 1234", "B-NO 1235"), LaneId("entry"), direction)


def test_a_grant_is_a_passage_so_the_users_second_plate_is_refused() -> None:
    entry = gate()
    first = entry.ask(read("B-NO 1234"), AT)
    assert isinstance(first, Granted)
    (session,) = entry.site.occupancy.of_user("u1")
    assert (session.plate, session.entered_at) == ("BNO1234", AT)
    assert not entry.site.occupancy.holds
    second = entry.ask(read("B-NO 1235"), AT + timedelta(minutes=1))
    assert isinstance(second, Refused)
    assert second.reason is Reason.ANOTHER_VEHICLE_PARKED


def test_the_same_plate_again_is_a_missed_exit() -> None:
    entry = gate()
    entry.ask(read("B-NO 1234"), AT)
    again = entry.ask(read("B-NO 1234"), AT + timedelta(hours=1))
    assert isinstance(again, Granted)
    assert again.notes == (Note.EXIT_MISSED,)
    assert len(entry.site.occupancy.of_user("u1")) == 1


def test_a_vehicle_without_a_sure_read_is_unreadable() -> None:
    answer = gate().ask(None, AT)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.UNREADABLE_PLATE


def test_an_exit_lets_out_whoever_is_inside() -> None:
    entry = gate()
    entry.ask(read("B-NO 1234"), AT)
    leave = ImaginedGate(entry.site, LaneId("exit"), Direction.OUT)
    answer = leave.ask(read("B-NO 1234"), AT + timedelta(hours=1))
    assert isinstance(answer, Granted)
    assert answer.external_id == "4711"
    assert not list(leave.site.occupancy.inside())


# ---- which answers are vehicles ----


def event(text: str, first_s: float, at_s: float, **more: Any) -> VoteEvent:
    crop = np.zeros((4, 10, 3), np.uint8)
    one = read(text, more.pop("confidence", 0.99))
    settings: dict[str, Any] = {"frames": 10, "rejected": None, **more}
    best = LocatedRead(one, SQUARE, crop, 0.9, 1.0, (), settings["rejected"])
    return VoteEvent(1, first_s, at_s, one, best, 0, **settings)


def unsure(text: str, first_s: float, at_s: float, **more: Any) -> VoteEvent:
    return event(text, first_s, at_s, **{"rejected": Rejected.BELOW, "confidence": 0.4, **more})


def test_a_sure_answer_is_told_at_once() -> None:
    sorter, sure = Sorter(), event("B-NO 1234", 0, 1)
    assert sorter.add([sure], 1, 12) == [sure]
    assert sorter.add([], 60, 600) == []
    assert sorter.rejected == []


@pytest.mark.parametrize("late", [False, True])
def test_an_unsure_read_of_a_vehicle_that_was_read_is_no_second_vehicle(late: bool) -> None:
    """The blurred beginning of an approach, and what is seen of a car that drives away."""
    sure = event("B-NO 1234", 3, 5)
    blurred = unsure("8-NO 1Z34", 8, 9) if late else unsure("8-NO 1Z34", 0, 0.5)
    sorter = Sorter()
    in_time = sorted([sure, blurred], key=lambda one: one.at_s)
    told = [vehicle for one in in_time for vehicle in sorter.add([one], 9, 90)]
    assert told + sorter.add([], float("inf"), 900) == [sure]
    assert sorter.rejected == [blurred]


def test_a_vehicle_that_was_never_read_surely_is_told_when_nothing_better_can_come() -> None:
    sorter, blurred = Sorter(), unsure("B-NO 1234", 0, 2)
    assert sorter.add([blurred], 2, 30) == []
    assert sorter.add([], 11.9, 140) == []
    assert sorter.add([], 12.1, 142) == [blurred]


def test_of_several_unsure_reads_of_one_vehicle_the_best_is_told() -> None:
    sorter = Sorter()
    worse, better = unsure("B-NO 1Z34", 0, 1, confidence=0.2), unsure("B-NO 1234", 6, 7, confidence=0.6)
    assert sorter.add([worse, better], float("inf"), 90) == [better]
    assert sorter.rejected == [worse]


@pytest.mark.parametrize("sure", [True, False])
def test_what_is_seen_beside_a_vehicle_is_no_second_one(sure: bool) -> None:
    """Lettering, or a car that stands behind: a barrier serves one vehicle at a time."""
    sorter = Sorter()
    first = event("B-NO 1234", 0, 3) if sure else unsure("B-NO 1234", 0, 3, confidence=0.8)
    beside = unsure("XY-A 77", 4, 6, confidence=0.3)
    assert sorter.add([beside, first], float("inf"), 90) == [first]
    assert sorter.rejected == [beside]


def test_two_vehicles_that_were_both_read_are_both_told() -> None:
    both = [event("B-NO 1234", 0, 3), event("XY-A 77", 0, 3)]
    assert Sorter().add(both, 3, 36) == both


def test_another_vehicle_or_the_same_much_later_is_not_taken_for_the_known_one() -> None:
    sorter, sure = Sorter(), event("B-NO 1234", 0, 1)
    assert sorter.add([sure], 1, 12) == [sure]
    other, later = unsure("XY-A 77", 4, 5), unsure("B-NO 1Z34", 40, 41)
    assert sorter.add([other], 16, 180) == [other]
    assert sorter.add([later], 60, 700) == [later]


@pytest.mark.parametrize("why", [Rejected.NEVER_MOVED, Rejected.TOO_FEW, Rejected.HIDDEN, Rejected.FAINT])
def test_what_never_moves_scraps_of_text_and_what_never_looked_like_a_plate_are_no_vehicles(why: Rejected) -> None:
    sorter, scrap = Sorter(), unsure("B-NO 1234", 0, 30, rejected=why)
    assert sorter.add([scrap], float("inf"), 300) == []
    assert sorter.rejected == [scrap]


def test_what_hardly_was_a_text_is_no_vehicle() -> None:
    sorter, noise = Sorter(), unsure("B-NO 1234", 0, 3, confidence=0.005)
    assert sorter.add([noise], float("inf"), 36) == []
    assert sorter.rejected == [noise]


def test_a_glimpse_is_no_vehicle_unless_the_source_is_no_longer_itself() -> None:
    sorter, glimpse = Sorter(), unsure("B-NO 1234", 0, 0.1, frames=2)
    assert sorter.add([glimpse], float("inf"), 36) == []
    assert sorter.rejected == [glimpse]
    still = unsure("B-NO 1234", 0, 0, frames=1)
    assert Sorter().add([still], float("inf"), 1) == [still]
