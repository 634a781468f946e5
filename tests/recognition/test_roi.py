"""What of a camera's picture counts."""

import numpy as np
import pytest

from recognition.recognizer import Recognizer
from recognition.roi import PLATE_WIDTH_PX, WHOLE, Roi
from tests.recognition.test_recognizer import car

LEFT_HALF = Roi(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
WEDGE = Roi(((0.5, 0.2), (1.0, 1.0), (0.0, 1.0)))
PICTURE = np.arange(200 * 400 * 3, dtype=np.uint32).reshape(200, 400, 3).astype(np.uint8)


def plate(x: float, y: float, width: float = 80.0) -> tuple[tuple[float, float], ...]:
    """Corners of a level plate about a middle."""
    half, high = width / 2, width / 10
    return (x - half, y - high), (x + half, y - high), (x + half, y + high), (x - half, y + high)


def test_the_whole_picture_counts_unless_told_otherwise() -> None:
    window = WHOLE.window(PICTURE)
    assert window.image is PICTURE
    assert window.counts(plate(3, 3, 10))
    assert WHOLE.looked_for_px == PLATE_WIDTH_PX


def test_what_is_looked_at_is_the_region_and_a_plates_room_around_it() -> None:
    window = LEFT_HALF.window(PICTURE)
    assert (window.left, window.top) == (0, 0)
    assert window.image.shape == (200, 220, 3)
    part = WEDGE.window(PICTURE)
    assert (part.left, part.top) == (0, 0)
    low = Roi(((0.5, 0.5), (0.75, 0.5), (0.75, 1.0), (0.5, 1.0))).window(PICTURE)
    assert (low.left, low.top, *low.image.shape[:2]) == (190, 90, 110, 120)
    assert (low.image == PICTURE[90:, 190:310]).all()
    assert low.in_picture(plate(10, 20)) == plate(200, 110)


@pytest.mark.parametrize(
    ("roi", "x", "y", "expected"),
    [
        (LEFT_HALF, 199, 100, True),
        (LEFT_HALF, 201, 100, False),
        (WEDGE, 200, 100, True),
        (WEDGE, 100, 100, False),
        (WEDGE, 40, 195, True),
        (WEDGE, 200, 20, False),
    ],
)
def test_a_plate_counts_where_its_middle_lies_in_the_region(roi: Roi, x: float, y: float, expected: bool) -> None:
    window = roi.window(PICTURE)
    assert window.counts(plate(x - window.left, y - window.top)) is expected


def test_narrower_plates_do_not_count() -> None:
    window = Roi(plate_width_min_px=80).window(PICTURE)
    assert window.counts(plate(100, 100, 80.0))
    assert not window.counts(plate(100, 100, 79.0))
    assert Roi(plate_width_min_px=40).looked_for_px == 40


def test_a_plate_is_read_in_its_region_and_nowhere_else() -> None:
    image = np.hstack([car(("FP", "786", "YF"), "F"), car(("KA", "PT", "538"), "D")])
    recognizer = Recognizer()
    both = {read.read.plate.key: read for read in recognizer.read(image)}
    assert set(both) == {"FP786YF", "KAPT538"}
    (left,) = recognizer.read(image, LEFT_HALF)
    assert left.read.plate.key == "FP786YF"
    assert left.accepted
    right = Roi(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
    (found,) = recognizer.read(image, right)
    assert found.read.plate.key == "KAPT538"
    away = np.abs(np.array(found.corners) - np.array(both["KAPT538"].corners)).max()
    assert away < 12, "corners are those in the whole picture"
    assert recognizer.read(image, Roi(plate_width_min_px=300)) == []
