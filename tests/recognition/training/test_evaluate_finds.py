"""Boxes that are found, and finds that have no box, are told apart and shown."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from recognition.frame import Image
from recognition.recognizer import Recognizer
from recognition.training.draw import Freedom, draw_plate
from recognition.training.evaluate_finds import COLUMNS, TILE_PX, count, sheet
from recognition.training.scenes import StreetFrame

PLACE = (210.0, 150.0, 216.0, 46.0)


def frame(*boxes: tuple[float, float, float, float], plate: bool = True) -> StreetFrame:
    """A grey street, with a plate at PLACE."""
    street: Image = np.full((360, 640, 3), 90, np.uint8)
    if plate:
        drawn = draw_plate(
            ("AB", "123", "CD"), "F", np.random.default_rng(3), freedom=Freedom(0.1, 0.0, False, False)
        )
        street[150:196, 210:426] = cv2.resize(drawn, (216, 46), interpolation=cv2.INTER_AREA)
    return StreetFrame(street, street[::2, ::2].copy(), boxes)


def test_boxes_are_met_missed_or_narrow_and_a_plate_without_a_box_is_stray() -> None:
    narrow = (20.0, 20.0, 40.0, 10.0)
    finds = count([frame(PLACE), frame(), frame(PLACE, narrow, plate=False)], Recognizer())
    assert (finds.frames, finds.boxes, finds.met, finds.wide, finds.wide_met) == (3, 3, 1, 2, 1)
    ((_, read),) = finds.stray
    assert read.read.plate.key == "AB123CD"


def test_a_box_drawn_too_loosely_is_missed_but_its_find_is_no_stray() -> None:
    finds = count([frame((160.0, 60.0, 320.0, 230.0))], Recognizer())
    assert (finds.met, finds.stray) == (0, ())


@pytest.mark.parametrize("strays", [0, 1, COLUMNS, COLUMNS + 1])
def test_the_sheet_has_a_tile_a_find(strays: int) -> None:
    finds = count([frame()], Recognizer())
    rows = max(1, -(-strays // COLUMNS))
    assert sheet(finds.stray * strays).shape == (rows * TILE_PX[1], COLUMNS * TILE_PX[0], 3)
