"""The explaining picture tells what was read, how surely, and what the layouts changed."""

from dataclasses import replace

import numpy as np
import pytest

from gate_controller.plates import Plate, PlateRead
from recognition.explain import CHIP_PX, LINE_PX, WIDTH_PX, _country, explain
from recognition.recognizer import LocatedRead, Rejected
from recognition.roi import Roi

CORNERS = ((100.0, 100.0), (300.0, 110.0), (300.0, 150.0), (100.0, 140.0))
PHOTO = np.full((480, 640, 3), 90, np.uint8)


def read(spelled: str = "FP786YF", rejected: Rejected | None = None) -> LocatedRead:
    options = tuple(((char, 0.93), ("X", 0.04)) for char in "FP786YF")
    plate = Plate("FP786YF", ("FP", "786", "YF"), "F")
    crop = np.full((64, 300, 3), 200, np.uint8)
    return LocatedRead(
        PlateRead(plate, 0.97, options), CORNERS, crop, 0.9, 1.0, (("F", 0.98),), rejected, spelled=spelled
    )


def test_the_plate_is_outlined_where_it_lies_in_the_colour_of_the_verdict() -> None:
    yes, no = explain(PHOTO, [read()]), explain(PHOTO, [read(rejected=Rejected.BELOW)])
    scale = WIDTH_PX / 640
    x, y = round(200 * scale), round(105 * scale)
    around = (slice(y - 4, y + 5), x)
    assert yes[around][:, 1].max() > yes[around][:, 2].max()
    assert no[around][:, 2].max() > no[around][:, 1].max()
    assert np.abs(yes[round(300 * scale), round(200 * scale)].astype(int) - 90).max() <= 2


def test_what_lies_beyond_the_region_of_interest_is_darker() -> None:
    grey = np.full((400, 800, 3), 200, np.uint8)
    photo = explain(grey, [], Roi(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))))
    assert (photo[200, 100] == 200).all()
    assert (photo[200, 700] < 100).all()
    assert (grey == 200).all()


def test_each_plate_adds_a_panel_and_none_is_said() -> None:
    none, one, two = (explain(PHOTO, reads) for reads in ([], [read()], [read(), read()]))
    assert none.shape[1] == one.shape[1] == WIDTH_PX
    assert two.shape[0] - one.shape[0] == one.shape[0] - 720
    assert none[720:].max() > 100


def test_what_the_layouts_changed_is_marked() -> None:
    assert not np.array_equal(explain(PHOTO, [read()]), explain(PHOTO, [read(spelled="FP7B6YF")]))


def test_pictures_of_any_size_are_explained() -> None:
    for size in ((1, 1), (3000, 200), (20, 2000)):
        assert explain(np.zeros((*size, 3), np.uint8), [read()]).shape[1] == WIDTH_PX


@pytest.mark.parametrize("top", [2.0, 100.0, 440.0])
def test_a_plate_s_number_is_wholly_in_the_picture_and_not_on_the_plate(top: float) -> None:
    lies = ((600.0, top), (639.0, top), (639.0, top + 30.0), (600.0, top + 30.0))
    picture = explain(PHOTO, [replace(read(), corners=lies)])[:720]
    chip = (picture == (90, 200, 90)).all(2)
    chip[:, : round(600 * 1.5) - 30] = False
    ys = np.nonzero(chip.sum(1) > 8)[0]
    outside = (ys < round(top * 1.5) - 3) | (ys > round((top + 30.0) * 1.5) + 3)
    assert outside.sum() >= CHIP_PX[1] - 1
    digits = picture[ys[outside].min() : ys[outside].max(), 900 : 900 + CHIP_PX[0]]
    assert ((digits < 40).all(2)).sum() > 5


def test_why_a_country_is_left_open_is_told() -> None:
    plate = Plate("FP786YF", ("FP786YF",), None)
    odd = replace(read(), read=PlateRead(plate, 0.9, read().read.alternatives))
    assert _country(odd) == "country left open: the text fits no layout of F (reader: F 0.98)"
    assert _country(replace(odd, countries=(("F", 0.4),))).startswith("country left open: not sure")
    assert _country(replace(odd, countries=())).endswith("(reader: nothing)")
    assert _country(read()).startswith("country F (")


def test_a_panel_is_no_higher_than_its_longest_list_of_characters() -> None:
    short, long = read(), read()
    options = tuple((char, 0.2) for char in "ABCDE")
    long = replace(long, read=PlateRead(long.read.plate, 0.5, (options,) * 7))
    assert explain(PHOTO, [long]).shape[0] - explain(PHOTO, [short]).shape[0] == 2 * LINE_PX
