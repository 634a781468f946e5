"""The measures say what they claim on made-up reads, and the pictures are drawn for any of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from gate_controller.plates import Plate, PlateRead
from recognition.choice import Models
from recognition.recognizer import LocatedRead, Rejected
from recognition.training import evaluate
from recognition.training.draw import Freedom, draw_plate
from recognition.training.evaluate import (
    COLUMNS,
    TILE_PX,
    Picture,
    draw_reliability,
    gallery,
    read_table,
    reliability,
    score,
    wilson,
)

CORNERS = ((10.0, 10.0), (110.0, 10.0), (110.0, 32.0), (10.0, 32.0))


def read(text: str, confidence: float = 0.99) -> LocatedRead:
    options = tuple(((char, confidence),) for char in text)
    rejected = None if confidence >= 0.95 else Rejected.BELOW
    crop = np.full((64, 300, 3), 90, np.uint8)
    return LocatedRead(
        PlateRead(Plate(text, (text,), None), confidence, options), CORNERS, crop, 0.9, 1, (), rejected
    )


def picture(labels: tuple[str, ...], *reads: LocatedRead, country: str = "F") -> Picture:
    return Picture(Path("some.jpg"), country, labels, reads)


def test_the_interval_is_wilsons() -> None:
    assert wilson(91, 109) == pytest.approx((0.754, 0.893), abs=0.002)
    assert wilson(27, 27)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def test_strict_folded_found_accepted_and_wrong_are_counted_apart() -> None:
    got = score(
        [
            picture(("AB123CD",), read("AB123CD")),
            picture(("AB123CO",), read("AB123C0")),
            picture(("XY1",), read("XY1", 0.6)),
            picture(("GONE",)),
            picture(("TWO1", "TWO2"), read("TWO1"), read("TWO2", 0.5), read("ELSE")),
        ]
    )
    assert got == evaluate.Score(plates=6, strict=4, folded=5, found=4, accepted=2, wrong=2)


def test_plates_that_the_table_names_beside_the_label_are_not_wrong() -> None:
    seen = Picture(Path("a.jpg"), "F", ("AB1CD",), (read("AB1CD"), read("FR796"), read("ZZ9")), ("FR7?", "QQ1"))
    assert score([seen]).wrong == 1


def test_bins_hold_means_and_counts() -> None:
    rows = reliability([(0.96, True), (0.97, False), (0.3, False), (1.0, True)])
    assert rows == [(0.3, 0, 1), (pytest.approx(0.965), 1, 2), (1.0, 1, 1)]


def test_the_plot_marks_a_point_for_every_bin() -> None:
    empty, plot = draw_reliability({"a": []}), draw_reliability({"a": [(0.965, 96, 100), (0.3, 1, 3)]})
    assert plot.shape == empty.shape == (evaluate.PLOT_PX, evaluate.PLOT_PX, 3)
    assert (plot != empty).any(2).sum() > 100


def test_two_sets_points_do_not_cover_each_other() -> None:
    rows = [(0.965, 96, 100)]
    both = draw_reliability({"a": rows, "b": rows})
    for colour in evaluate.SET_COLOURS:
        alone = (both[70:] == colour).all(2).sum()
        assert alone >= (draw_reliability({"x": rows})[70:] == evaluate.SET_COLOURS[0]).all(2).sum() * 0.8


def test_where_nothing_was_found_the_picture_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "car.png"
    assert cv2.imwrite(str(file), np.full((300, 400, 3), 200, np.uint8))
    assert (gallery([Picture(file, "F", ("AB1",), ())])[40, 50] == 200).all()


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_gallery_has_a_tile_for_every_failure(count: int) -> None:
    tiles = gallery([picture(("AB123CD",), read("AB123C0", 0.7)), *[picture(("X1",))] * 4][:count])
    rows = max(1, -(-count // COLUMNS))
    assert tiles.shape == (rows * TILE_PX[1], COLUMNS * TILE_PX[0], 3)


def test_the_read_of_a_picture_is_the_right_one_or_else_the_largest() -> None:
    found = picture(("AB1",), read("ZZ9"), read("AB1")).best
    assert found is not None
    assert found.read.plate.key == "AB1"
    assert picture(("AB1",)).best is None


def test_a_table_of_pictures_is_read(tmp_path: Path) -> None:
    image = np.full((480, 640, 3), 70, np.uint8)
    plate = draw_plate(("FP", "786", "YF"), "F", np.random.default_rng(1), freedom=Freedom(two_line=False))
    small = cv2.resize(plate, (240, round(240 * plate.shape[0] / plate.shape[1])), interpolation=cv2.INTER_AREA)
    image[200 : 200 + small.shape[0], 200:440] = small
    assert cv2.imwrite(str(tmp_path / "car.png"), cv2.GaussianBlur(image, (0, 0), 0.7))
    (tmp_path / "labels.csv").write_text("image,text,country,also\ncar.png,FP-786-YF,F,xy-12?\n")
    (one,) = read_table(tmp_path / "labels.csv", Models())
    assert one.labels == ("FP786YF",)
    assert one.also == ("XY12?",)
    assert score([one]).strict == 1
