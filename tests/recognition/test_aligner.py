"""Corners that are a little wrong are put right on drawn plates; where no plate is, that is said."""

import cv2
import numpy as np
import pytest

from recognition.aligner import PLACES, PLATE_SIZE_PX, VIEW_SIZE_PX, Quad, align, view_of
from recognition.halves import Halves
from recognition.sessions import open_session
from recognition.shipped import shipped
from recognition.training.draw import Freedom, draw_plate


@pytest.fixture(scope="module")
def session() -> object:
    with shipped("aligner.onnx") as path:
        return open_session(path)


def street(quad: Quad) -> np.ndarray:
    """A plate with these corners on a dark bumper under a bright sky."""
    image = np.empty((480, 640, 3), np.uint8)
    image[:] = np.linspace(170, 40, 480)[:, None, None]
    plate = draw_plate(("MXB", "4729"), "D", np.random.default_rng(3), freedom=Freedom(jitter=0.1, two_line=False))
    high, wide = plate.shape[:2]
    flat = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    laid = cv2.warpPerspective(plate, cv2.getPerspectiveTransform(flat, quad), (640, 480), flags=cv2.INTER_AREA)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad).astype(np.int32), 255)
    image[mask > 0] = laid[mask > 0]
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def plate_at(x: float, y: float, wide: float, slope: float = 0.0) -> Quad:
    """Long edges climb by the slope, ends stay upright: how a plate looks from the side."""
    high = wide / 4.7
    flat = np.array([(-wide, -high), (wide, -high), (wide, high), (-wide, high)]) / 2
    flat[:, 1] += slope * flat[:, 0]
    return np.asarray(flat + np.array((x, y)), np.float32)


def off(one: Quad, two: Quad) -> float:
    """Worst corner's distance as a share of the plate's height."""
    return float(np.linalg.norm(one - two, axis=1).max() / np.linalg.norm(two[3] - two[0]))


@pytest.mark.parametrize("wide", [80, 200, 400])
@pytest.mark.parametrize("slope", [-0.35, 0.0, 0.25])
def test_a_level_rectangle_becomes_the_slanting_plate(session: object, wide: int, slope: float) -> None:
    true = plate_at(320, 240, wide, slope)
    angle = np.arctan(slope)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    quad = np.asarray((plate_at(0, 0, wide * 1.05) @ turn) + (320, 240), np.float32)
    before = off(quad, true)
    for _ in range(2):
        ((quad, there),) = align(session, Halves(street(true)), [quad])
    assert there > 0.8
    assert off(quad, true) < 0.3
    assert slope == 0.0 or off(quad, true) < before


def test_many_are_moved_each_by_its_own_and_none_is_no_work(session: object) -> None:
    image = Halves(street(plate_at(320, 240, 200)))
    near, far = plate_at(325, 243, 200), plate_at(120, 420, 200)
    both = align(session, image, [near, far])
    assert [there > 0.5 for _, there in both] == [True, False]
    assert align(session, image, []) == []


def test_a_view_shows_the_plate_in_its_middle_and_maps_back() -> None:
    true = plate_at(320, 240, 260, 0.2)
    view, to_frame = view_of(Halves(street(true)), true)
    assert view.shape == (VIEW_SIZE_PX[1], VIEW_SIZE_PX[0], 3)
    back = cv2.perspectiveTransform(PLACES.reshape(-1, 1, 2), to_frame).reshape(4, 2)
    assert np.allclose(back, true, atol=0.01)
    (left, top), (right, bottom) = PLACES[0], PLACES[2]
    assert (right - left, bottom - top) == PLATE_SIZE_PX
    inside = view[int(top) + 3 : int(bottom) - 3, int(left) + 12 : int(right) - 3]
    assert inside.max() > 200
    assert view[:, :4].max() < 200
