"""Pictures in which no plate is, and what is hardly a picture: no crash, and nothing that a gate would act on."""

import cv2
import numpy as np
import pytest

from recognition.frame import PIXELS_MAX, as_bgr
from recognition.recognizer import Recognizer
from recognition.training.draw import Freedom, draw_plate
from recognition.training.scenes import StreetFrame, make_scene, noise_bank

FRAMES = 60
"""A share that takes seconds; `benchmarks/plate_free.py` shows a thousand."""


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


def plate(width: int, seed: int = 5) -> np.ndarray:
    """A drawn plate of this width alone, to its very edge."""
    drawn = draw_plate(("FP", "786", "YF"), "F", np.random.default_rng(seed), freedom=Freedom(two_line=False))
    return cv2.resize(drawn, (width, max(1, round(width * drawn.shape[0] / drawn.shape[1]))))


def scene_without_plates(rng: np.random.Generator, bank: np.ndarray) -> np.ndarray:
    """Lettering, signs, bars, wheels and clutter on soft colours."""
    ground = cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    street = [StreetFrame(ground, ground[::2, ::2].copy(), ())]
    while True:
        made = make_scene(street, lambda _: np.zeros((110, 520, 3), np.uint8), 320, rng, bank)
        if not made.quads:
            return np.asarray(made.image)


def test_plate_free_pictures_are_never_acted_on(recognizer: Recognizer) -> None:
    rng, bank = np.random.default_rng(9), noise_bank()
    invented = 0
    for number in range(FRAMES):
        image = scene_without_plates(rng, bank)
        if number % 3 == 1:
            image = rng.integers(0, 256, (240, 320, 3), np.uint8)
        elif number % 3 == 2:
            image = cv2.normalize(cv2.GaussianBlur(image, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
        invented += any(read.accepted for read in recognizer.read(np.ascontiguousarray(image)))
    assert invented == 0


def test_a_picture_of_twenty_megapixels_is_read(recognizer: Recognizer) -> None:
    image = np.full((3888, 5184, 3), 80, np.uint8)
    small = plate(900)
    image[2000 : 2000 + small.shape[0], 2100:3000] = small
    assert image.shape[0] * image.shape[1] < PIXELS_MAX
    assert [read.read.plate.key for read in recognizer.read(image)] == ["FP786YF"]


@pytest.mark.parametrize("width", [20, 60, 400])
def test_a_picture_that_is_nothing_but_a_plate_does_no_harm(recognizer: Recognizer, width: int) -> None:
    for read in recognizer.read(plate(width)):
        assert not read.accepted or read.read.plate.key == "FP786YF"


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (3, 3), (31, 33)])
def test_odd_shapes_hold_nothing(recognizer: Recognizer, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    assert not any(read.accepted for read in recognizer.read(image))


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 1), (40, 60, 4)])
def test_zeros_of_any_kind_hold_nothing(recognizer: Recognizer, shape: tuple[int, ...]) -> None:
    assert recognizer.read(as_bgr(np.zeros(shape, np.uint8))) == []


@pytest.mark.parametrize("hidden", [0.3, 0.45])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_plate_behind_another_car_is_not_acted_on_by_what_is_left_of_it(
    recognizer: Recognizer, hidden: float, side: str
) -> None:
    image = np.full((480, 640, 3), 60, np.uint8)
    small = plate(240)
    image[200 : 200 + small.shape[0], 200:440] = small
    cut = round(240 * hidden)
    span = slice(120, 200 + cut) if side == "left" else slice(440 - cut, 520)
    image[90:340, span] = (120, 90, 70)
    noise = np.random.default_rng(2).normal(0, 4, image.shape)
    image = np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)
    assert not any(read.accepted for read in recognizer.read(image))
