"""A view of a picture is the same from its halves, only smoother."""

import cv2
import numpy as np
import pytest

from recognition.halves import GREY, Halves


def soft(height: int, width: int) -> np.ndarray:
    """A picture without detail finer than some pixels."""
    noise = np.random.default_rng(4).integers(0, 256, (height, width, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 6).astype(np.float32)
    return np.clip((blurred - 128) * 8 + 128, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(640, 480), (400, 300), (320, 240), (200, 151), (33, 25), (1, 1)])
def test_a_shrunk_picture_has_the_size_and_looks_alike(size: tuple[int, int]) -> None:
    image = soft(480, 640)
    shrunk = Halves(image).shrunk(size)
    assert shrunk.shape == (size[1], size[0], 3)
    alike = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - alike).mean() < 12


@pytest.mark.parametrize("times", [1.0, 2.0, 3.0, 4.0, 7.0])
def test_a_view_shows_the_same_place_from_whichever_half(times: float) -> None:
    image = soft(601, 803)
    size = (80, 50)
    scale = np.array([[1 / times, 0, -100 / times], [0, 1 / times, -60 / times], [0, 0, 1.0]])
    view = Halves(image).warped(scale, size, times, 1.6, cv2.BORDER_REPLICATE)
    plain = cv2.warpPerspective(image, scale, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(view.astype(int) - plain).mean() < 6


def test_stripes_finer_than_a_view_s_pixels_are_averaged() -> None:
    stripes = np.zeros((400, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    view = Halves(stripes).warped(np.diag([1 / 8, 1 / 8, 1.0]), (100, 40), 8.0, 1.6, cv2.BORDER_REPLICATE)
    assert np.abs(view[4:-4, 4:-4].astype(int) - 127).max() < 8


def test_beyond_the_edge_a_view_is_grey_and_a_tiny_picture_is_no_trouble() -> None:
    away = np.array([[1.0, 0, 500], [0, 1.0, 500], [0, 0, 1.0]])
    view = Halves(soft(40, 40)).warped(away, (30, 20), 1.0, 1.6, cv2.BORDER_CONSTANT)
    assert (view == GREY[0]).all()
    for shape in ((1, 1, 3), (1, 900, 3), (3, 2, 3)):
        halves = Halves(np.full(shape, 9, np.uint8))
        assert (halves.warped(np.eye(3), (4, 4), 64.0, 1.0, cv2.BORDER_REPLICATE) == 9).all()
