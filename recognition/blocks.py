"""What the detector's net takes of a picture: its pixels, put together so that the first convolutions cost least.

A convolution over three channels costs as much as one over many. Deliberately not here: the nets
(`training/detector_net.py`, `training/lighten.py`) and what is looked at (`detector.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from recognition.frame import Image
from recognition.halves import GREY

SIDE_MULTIPLE_PX = 32

CELL_CHANNELS = 16
"""Channels of a model's input that takes cells: two by two pixels of four channels, the last of each unused."""

BLOCK_PX = 4
BLOCK_ROW = 16
BLOCK_CHANNELS = 80
"""Channels of a model's input that takes blocks: five rows of five pixels, the last byte of each row unused."""

BEFORE = 128
"""What is left and above of a picture, to a model that takes blocks: the middle of all values."""


def framed(image: Image, before: int = 0, after: int = 0) -> Image:
    """The image grey to its right and below, to multiples of `SIDE_MULTIPLE_PX`.

    `before` and `after` are further pixels: rows above and columns to the left, of `BEFORE`, and rows below.
    """
    high, wide = image.shape[:2]
    size = high + -high % SIDE_MULTIPLE_PX + before + after, wide + -wide % SIDE_MULTIPLE_PX + before
    whole = np.empty((*size, 3), np.uint8)
    whole[:before], whole[:, :before] = BEFORE, BEFORE
    whole[before + high :, before:], whole[before : before + high, before + wide :] = GREY[0], GREY[0]
    whole[before : before + high, before : before + wide] = image
    return whole


def cells_of(image: Image) -> Image:
    """An image, framed, as (H/2, W/2, 16) cells: the upper two pixels, then the lower."""
    whole = framed(image)
    rows, cols = whole.shape[0] // 2, whole.shape[1] // 2
    pairs = cv2.cvtColor(whole, cv2.COLOR_BGR2BGRA).reshape(-1).view(np.uint64).reshape(rows, 2, cols)
    cells = np.empty((rows, cols, 2), np.uint64)
    cells[..., 0], cells[..., 1] = pairs[:, 0], pairs[:, 1]
    return cells.view(np.uint8)


def blocks_of(image: Image) -> Image:
    """An image, framed, as (H/4, W/4, 80) blocks: a pixel and a row before each 4 x 4, and these, row by row."""
    whole = framed(image, before=1, after=1)
    rows, cols, below = (whole.shape[0] - 2) // BLOCK_PX, (whole.shape[1] - 1) // BLOCK_PX, whole.strides[0]
    shape, row = (rows, cols, BLOCK_PX + 1), np.dtype((np.void, BLOCK_ROW))
    blocks = np.empty(shape, row)
    blocks[...] = np.ndarray(shape, row, whole, 0, (BLOCK_PX * below, 3 * BLOCK_PX, below))
    return blocks.view(np.uint8).reshape(rows, cols, BLOCK_CHANNELS)


TAKEN: dict[int, Callable[[Image], Image]] = {CELL_CHANNELS: cells_of, BLOCK_CHANNELS: blocks_of}
"""What a model sees of an image, by its input's channels, where that is not the image itself."""
