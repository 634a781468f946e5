"""Camera effects: repeatable, of the reader's size, and without faults the plate fills the cut."""

import numpy as np

from recognition.training.degrade import Camera, photograph, surround
from recognition.training.draw import Freedom, draw_plate
from recognition.training.glyphs import Image

SIZE = (160, 64)


def _plate() -> Image:
    return draw_plate(("AB", "123", "CD"), "F", np.random.default_rng(1), freedom=Freedom(two_line=False))


def test_views_are_repeatable_and_differ_from_one_another() -> None:
    def views(seed: int) -> list[Image]:
        rng = np.random.default_rng(seed)
        scene = surround(_plate(), rng)
        return [photograph(scene, rng, SIZE) for _ in range(3)]

    first, again = views(3), views(3)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    assert all(view.shape == (64, 160, 3) and view.dtype == np.uint8 for view in first)


def test_the_plate_fills_a_cut_of_an_almost_faultless_camera() -> None:
    plate = np.full((110, 520, 3), 255, np.uint8)
    inside = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scene = surround(plate, rng)
        view = photograph(scene, rng, SIZE, Camera(hardness=0.0, width_px=(180, 240), upright_cut=0.0))
        inside.append(view[16:48, 16:144].std() < 60)
    assert sum(inside) >= 17


def test_surroundings_leave_the_plate_untouched() -> None:
    plate = _plate()
    scene = surround(plate, np.random.default_rng(2))
    left, top = scene.corners[0].astype(int)
    right, bottom = scene.corners[2].astype(int)
    assert np.array_equal(scene.image[top:bottom, left:right], plate)


def test_harder_cameras_lose_more_detail() -> None:
    def detail(hardness: float) -> float:
        total = 0.0
        for seed in range(25):
            rng = np.random.default_rng(seed)
            view = photograph(surround(_plate(), rng), rng, SIZE, Camera(hardness, (150, 160), 0.0))
            total += float(np.abs(np.diff(view.astype(float).mean(2), axis=1)).mean() / (view.std() + 1))
        return total

    assert detail(0.0) > detail(3.0)
