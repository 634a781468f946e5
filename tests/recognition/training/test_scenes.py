"""Scenes are the same for the same seed, and their corners lie on the plates that were pasted."""

import cv2
import numpy as np
import pytest

from recognition.training.scenes import BOX_TRUST, Scene, StreetFrame, make_scene, noise_bank

SIZE = 320
FRAME = np.full((720, 1280, 3), 60, np.uint8)
STREET = [StreetFrame(FRAME, FRAME[::2, ::2].copy(), ())]
NOISE = noise_bank()


def red_plate(_: np.random.Generator) -> np.ndarray:
    """A plate nothing else in these scenes looks like."""
    return np.full((110, 520, 3), (20, 20, 230), np.uint8)


def scene(seed: int, frames: list[StreetFrame] = STREET) -> Scene:
    return make_scene(frames, red_plate, SIZE, np.random.default_rng(seed), NOISE)


def test_the_same_seed_makes_the_same_scene() -> None:
    first, second, other = scene(4), scene(4), scene(5)
    assert (first.image == second.image).all()
    assert first.quads == second.quads
    assert not (first.image == other.image).all()


def test_pictures_are_square_uint8_with_a_trust_for_every_plate() -> None:
    for seed in range(20):
        made = scene(seed)
        assert made.image.shape == (SIZE, SIZE, 3)
        assert made.image.dtype == np.uint8
        assert len(made.quads) == len(made.trust)


def test_the_corners_lie_on_the_pasted_plate() -> None:
    agree = seen = 0
    for seed in range(60):
        made = scene(seed)
        for quad, trust in zip(made.quads, made.trust, strict=True):
            if trust != 1.0 or cv2.contourArea(np.array(quad, np.float32)) < 900:
                continue
            seen += 1
            inside = np.zeros((SIZE, SIZE), np.uint8)
            cv2.fillConvexPoly(inside, np.array(quad).round().astype(np.int32), 255)
            ring = cv2.dilate(inside, np.ones((15, 15), np.uint8)) & ~cv2.dilate(inside, np.ones((7, 7), np.uint8))
            blue, green, red = (made.image[..., k].astype(int) for k in range(3))
            redness = red - (blue + green) // 2
            agree += bool(redness[inside > 0].mean() > redness[ring > 0].mean() + 8)
    assert seen > 20
    assert agree > 0.85 * seen


def test_a_real_box_is_trusted_less_than_exact_corners_and_moves_with_the_crop() -> None:
    image = FRAME.copy()
    cv2.rectangle(image, (600, 400), (799, 439), (250, 250, 250), -1)
    half = cv2.resize(image, (640, 360), interpolation=cv2.INTER_AREA)
    street = [StreetFrame(image, half, ((600, 400, 200, 40),))]
    bright = total = 0
    for seed in range(80):
        made = scene(seed, street)
        for quad, trust in zip(made.quads, made.trust, strict=True):
            if trust != BOX_TRUST:
                continue
            total += 1
            x, y = np.array(quad).mean(0).astype(int)
            bright += bool(made.image[min(y, SIZE - 1), min(x, SIZE - 1)].mean() > made.image.mean())
    assert total > 15
    assert bright > 0.9 * total


@pytest.mark.parametrize("size", [256, 320])
def test_any_size_that_the_net_takes(size: int) -> None:
    assert make_scene(STREET, red_plate, size, np.random.default_rng(1), NOISE).image.shape == (size, size, 3)
