"""The explaining picture tells what was read, how surely, and what the layouts changed."""

import numpy as np

from gate_controller.plates import Plate, PlateRead
from recognition.explain import WIDTH_PX, explain
from recognition.recognizer import LocatedRead, Rejected

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
