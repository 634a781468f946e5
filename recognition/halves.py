"""A picture and its halves: what is looked at smaller is sampled from a half that is hardly larger than it.

Averaging a large part of a picture down costs as many steps as it has pixels, each time it is looked at; halving
the whole picture costs that once. Deliberately not here: what is looked at, and why (`detector.py`, `aligner.py`,
`ocr.py`).
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.frame import Image

GREY = (114.0, 114.0, 114.0)
"""What is seen beyond a picture's edge."""

Matrix = NDArray[np.floating[Any]]
"""(3, 3) map between pixels of two pictures."""


class Halves:
    """An (H, W, 3) uint8 BGR image, and on demand its half, the half of that, and so on."""

    def __init__(self, image: Image) -> None:
        """`image` is not copied."""
        self.image = image
        self._levels = [image]

    def shrunk(self, size: tuple[int, int]) -> Image:
        """The image at a width and height no larger than its own: less than twice as small a half, sampled."""
        wide, high = self.image.shape[1] / size[0], self.image.shape[0] / size[1]
        image, _ = self._level(int(math.log2(max(1.0, min(wide, high)))))
        if image.shape[1::-1] != size:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        return image

    def warped(
        self, warp: Matrix, size: tuple[int, int], apart_px: float, sampled_max: float, border: int
    ) -> Image:
        """A view of this width and height.

        `warp` maps the image's pixels to the view's, and `apart_px` is how far apart in the image two neighbours
        of the view are; where that is more than `sampled_max`, the view is of the half where it is not. `border` is
        OpenCV's word for what is seen beyond the edge; a constant one is grey.
        """
        image, times = self._level(math.ceil(math.log2(max(1.0, apart_px / sampled_max))))
        if times > 1:
            middle = (times - 1) / 2
            warp = warp @ np.array([[times, 0, middle], [0, times, middle], [0, 0, 1]])
        seen = cv2.warpPerspective(image, warp, size, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=GREY)
        return np.asarray(seen, np.uint8)

    def _level(self, number: int) -> tuple[Image, int]:
        """The image halved that often, or as often as it can be, and how many times smaller that is."""
        while len(self._levels) <= number and min(self._levels[-1].shape[:2]) >= 2:
            last = self._levels[-1]
            even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]
            half = (even.shape[1] // 2, even.shape[0] // 2)
            self._levels.append(np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8))
        number = min(number, len(self._levels) - 1)
        return self._levels[number], 2**number
