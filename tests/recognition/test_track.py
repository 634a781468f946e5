"""One vehicle's reads: whether a plate has moved, and which read continues it."""

import numpy as np
import pytest

from gate_controller.plates import Plate, PlateRead
from recognition.frame import Frame
from recognition.recognizer import LocatedRead
from recognition.track import LOST_AFTER_S, MOVED_FRAMES_MIN, Track, centre_of, has_moved, similarity

BLACK = np.zeros((64, 200, 3), np.uint8)


def plate(left: float, right: float, y: float = 200.0, text: str = "BNO1234", sure: float = 0.99) -> LocatedRead:
    """A plate between these two x, in pixels."""
    corners = ((left, y - 12), (right, y - 12), (right, y + 12), (left, y + 12))
    read = PlateRead(Plate(text), sure, tuple(((char, sure),) for char in text))
    return LocatedRead(read, corners, BLACK, 0.9, 1.0, (), None)


@pytest.mark.parametrize(
    ("now", "moved"),
    [
        (plate(110, 210), False),
        (plate(130, 230), True),
        (plate(100, 200, y=230), True),
        (plate(80, 220), True),
        (plate(140, 200), False),
        (plate(100, 150), False),
        (plate(140, 170), True),
    ],
    ids=["shaken", "aside", "down", "larger", "its left end hidden", "its right end hidden", "smaller and aside"],
)
def test_a_plate_has_moved_once_neither_end_is_where_it_was(now: LocatedRead, moved: bool) -> None:
    assert has_moved(plate(100, 200), now) is moved


def test_a_plate_that_is_uncovered_has_not_moved() -> None:
    assert not has_moved(plate(150, 200), plate(100, 200))


def test_a_track_goes_on_with_its_own_text_near_its_place() -> None:
    first = plate(100, 200)
    track = Track(1, 0.0, 0.0, centre_of(first), (0.0, 0.0), first.width_px, first, first, first, late=False)
    track.join(Frame(BLACK, 0.0, 0), first)
    near = track.nearness(0.1, plate(104, 204))
    farther = track.nearness(0.1, plate(150, 250))
    assert near is not None
    assert farther is not None
    assert near > farther
    assert track.nearness(0.1, plate(104, 204, text="KL567")) is None
    assert track.nearness(0.1, plate(104, 204, text="KL567", sure=0.5)) is not None
    assert track.nearness(0.1, plate(100, 400)) is None
    assert track.nearness(LOST_AFTER_S + 0.1, plate(104, 204)) is None


def test_what_is_surely_read_differently_is_another_vehicle_also_after_unsure_reads() -> None:
    first = plate(100, 200)
    track = Track(1, 0.0, 0.0, centre_of(first), (0.0, 0.0), first.width_px, first, first, first, late=False)
    for index, text in enumerate(["BNO1234", "BMQ1284", "KWQ77", "KL567"]):
        track.join(Frame(BLACK, index / 10, index), plate(100, 200, text=text, sure=0.99 if index == 0 else 0.3))
    assert track.nearness(0.4, plate(100, 200, text="KL567")) is None
    assert track.nearness(0.4, plate(100, 200, text="BNO1234")) is not None


def test_one_read_out_of_place_is_no_movement_but_some_in_a_row_are() -> None:
    first, away = plate(100, 200), plate(140, 240)
    track = Track(1, 0.0, 0.0, centre_of(first), (0.0, 0.0), first.width_px, first, first, first, late=False)
    for index, read in enumerate([first, away, first, away, first, first]):
        track.join(Frame(BLACK, index / 10, index), read)
    assert not track.arrived
    for index in range(6, 6 + MOVED_FRAMES_MIN):
        assert not track.arrived
        track.join(Frame(BLACK, index / 10, index), away)
    assert track.arrived


def test_look_alikes_are_the_same_text() -> None:
    assert similarity("BNO1234", "BN01Z34") == 1.0
    assert similarity("BNO1234", "KL567") < 0.5
