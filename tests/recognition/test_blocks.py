"""What the detector's net takes is the picture's own pixels, framed."""

import numpy as np

from recognition.blocks import BEFORE, blocks_of, cells_of, framed
from recognition.halves import GREY


def picture(high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (high, wide, 3), np.uint8)


def test_a_frame_is_grey_on_the_right_and_below() -> None:
    image = picture(33, 64)
    whole = framed(image)
    assert whole.shape == (64, 64, 3)
    assert (whole[:33] == image).all()
    assert (whole[33:] == GREY[0]).all()


def test_cells_hold_two_by_two_pixels() -> None:
    image = picture(64, 96)
    cells = cells_of(image).reshape(32, 48, 2, 2, 4)
    for row, col in ((0, 0), (2, 3), (31, 47)):
        assert (cells[row, col, :, :, :3] == image[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]).all()


def test_blocks_hold_four_by_four_pixels_and_those_before() -> None:
    image = picture(60, 96)
    blocks = blocks_of(image).reshape(16, 24, 5, 16)[..., :15].reshape(16, 24, 5, 5, 3)
    for row, col in ((1, 1), (14, 23)):
        assert (blocks[row, col] == image[4 * row - 1 : 4 * row + 4, 4 * col - 1 : 4 * col + 4]).all()
    assert (blocks[0, :, 0] == BEFORE).all()
    assert (blocks[:, 0, :, 0] == BEFORE).all()
    assert (blocks[0, 0, 1:, 1:] == image[:4, :4]).all()
    assert (blocks[15, :, 1:, 1:] == GREY[0]).all()
