import numpy as np

from recognition.training.degrade import Scene, _overhung

HIGH, WIDE, TOP, BOTTOM = 200, 600, 45, 155


def test_what_hangs_over_a_plate_darkens_or_hides_its_upper_part_and_leaves_the_lower_one() -> None:
    grey = np.full((HIGH, WIDE, 3), 200, np.uint8)
    corners = np.array([[40, TOP], [560, TOP], [560, BOTTOM], [40, BOTTOM]], np.float32)
    changed = 0
    for seed in range(40):
        image, lowered = _overhung(Scene(grey, corners), np.random.default_rng(seed))
        assert image.shape == grey.shape
        assert 0.0 <= lowered <= 0.22, "a corner finder misses no more than the shadow's depth"
        assert (image[int(TOP + 0.8 * (BOTTOM - TOP)) :] >= 195).all(), f"seed {seed}: the lower part stays"
        changed += bool((image[: TOP - 20] != 200).any())
    assert changed == 40
