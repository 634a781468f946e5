"""Drawn scenes know what stands in them, and the reader's answers are told right from wrong."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from recognition.recognizer import Recognizer
from recognition.training.draw import Freedom, draw_plate
from recognition.training.drawn_scenes import SIZE_PX, WIDTH_MIN_PX, Drawn, read_scenes, scenes
from recognition.training.scenes import StreetFrame

QUAD = [(210.0, 150.0), (426.0, 150.0), (426.0, 196.0), (210.0, 196.0)]


def test_a_seed_makes_the_same_scenes_with_plates_wide_enough_to_read(tmp_path: Path) -> None:
    ground = np.full((720, 1280, 3), 120, np.uint8)
    frames = [StreetFrame(ground, ground[::2, ::2].copy(), ((30.0, 40.0, 90.0, 20.0),))]
    one, two = (list(islice(scenes(frames, tmp_path, 7), 4)) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) and a.plates == b.plates for a, b in zip(one, two, strict=True))
    assert all(scene.image.shape == (SIZE_PX, SIZE_PX, 3) for scene in one)
    plates = [plate for scene in one for plate in scene.plates]
    assert plates
    assert all(text.isalnum() and quad[1][0] - quad[0][0] > 0.4 * WIDTH_MIN_PX for text, quad in plates)


def test_right_wrong_and_missing_reads_are_told_apart() -> None:
    image = np.full((360, 640, 3), 90, np.uint8)
    plate = draw_plate(("AB", "123", "CD"), "F", np.random.default_rng(3), freedom=Freedom(0.1, 0.0, False, False))
    image[150:196, 210:426] = cv2.resize(plate, (216, 46), interpolation=cv2.INTER_AREA)
    elsewhere = [(x, y + 120) for x, y in QUAD]
    drawn = iter([Drawn(image, (("AB123CD", QUAD), ("AB123CO", QUAD), ("GONE1", elsewhere)))])
    right, wrong, missing = read_scenes(drawn, 3, Recognizer())
    assert right.read is not None
    assert right.read is wrong.read
    assert missing.read is None
    assert (right.right, wrong.right, missing.right) == (True, False, False)
    assert (right.width_px, right.slant_deg) == (216.0, 0.0)
    assert right.light > missing.light == 90.0
