"""Plates are counted by width, slant and light."""

import numpy as np
import pytest

pytest.importorskip("torch")

from gate_controller.plates import Plate, PlateRead
from recognition.recognizer import LocatedRead, Rejected
from recognition.training.conditions import rows
from recognition.training.drawn_scenes import Answer


def answer(width: float, rise: float, light: float, read: str | None, accepted: bool = True) -> Answer:
    quad = ((0.0, 0.0), (width, rise), (width, rise + 20), (0.0, 20.0))
    if read is None:
        return Answer("AB123CD", list(quad), light, None)
    crop = np.zeros((64, 300, 3), np.uint8)
    plate = PlateRead(Plate.parse(read), 0.97, tuple(((char, 0.99),) for char in read))
    why = None if accepted else Rejected.BELOW
    return Answer("AB123CD", list(quad), light, LocatedRead(plate, quad, crop, 0.9, 1.0, (), why))


def test_each_plate_is_counted_once_in_every_condition() -> None:
    answers = [
        answer(50, 0, 30, "AB123CD"),
        answer(100, 0, 100, "AB123CD", accepted=False),
        answer(100, 10, 100, "AB123CO"),
        answer(200, 60, 130, None),
    ]
    _, _, *found = rows(answers)
    cells = {row[0]: row[1:3] + row[4:] for row in (line.strip("| ").split(" | ") for line in found)}
    assert cells == {
        "45 to 60 px wide": ["1 of 1", "1", "1", "0"],
        "90 to 150 px wide": ["2 of 2", "1", "0", "1"],
        "150 to 300 px wide": ["0 of 1", "0", "0", "0"],
        "0 to 5 degrees from level": ["2 of 2", "2", "1", "0"],
        "5 to 10 degrees from level": ["1 of 1", "0", "0", "1"],
        "10 to 20 degrees from level": ["0 of 1", "0", "0", "0"],
        "brightness 0 to 40 of 255": ["1 of 1", "1", "1", "0"],
        "brightness 80 to 120 of 255": ["2 of 2", "1", "0", "1"],
        "brightness 120 to 255 of 255": ["0 of 1", "0", "0", "0"],
        "all plates": ["3 of 4", "2", "1", "1"],
    }
