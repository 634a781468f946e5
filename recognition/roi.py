"""The region of interest: where in a camera's picture plates count, and how wide they are there at least.

Deliberately not here: what is found and read there (`recognizer.py`), and the words of the settings for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.finds import Corners, middle_of, width_of
from recognition.frame import Image

PLATE_WIDTH_PX = 60.0
"""Plates of at least this width are looked for where nothing else is said; narrower ones count if found."""

ROOM_SHARE = 0.1
"""Of the region's longer side: seen beyond it, so that a plate whose middle lies on its edge is seen whole."""


@dataclass(frozen=True, slots=True)
class Roi:
    """What of a camera's picture counts.

    `corners`: a polygon in shares of the picture's width and height, from its top left; none for the whole picture.
    `plate_width_min_px`: narrower plates do not count; None if all do.
    """

    corners: tuple[tuple[float, float], ...] = ()
    plate_width_min_px: float | None = None

    @property
    def looked_for_px(self) -> float:
        """The narrowest plate that the search must not miss."""
        return self.plate_width_min_px or PLATE_WIDTH_PX

    def outline(self, image: Image) -> NDArray[np.float32]:
        """(N, 2) the polygon in the picture's pixels, N 0 for the whole picture."""
        return np.array(self.corners, np.float32).reshape(-1, 2) * np.array(image.shape[1::-1], np.float32)

    def window(self, image: Image) -> Window:
        """The part of a picture that is looked at, and what of it counts."""
        outline, (high, wide) = self.outline(image), image.shape[:2]
        if not len(outline):
            return Window(image, 0, 0, outline, self.plate_width_min_px or 0.0)
        (left, top), (right, bottom) = outline.min(0).tolist(), outline.max(0).tolist()
        room = ROOM_SHARE * max(right - left, bottom - top)
        x, y = max(0, math.floor(left - room)), max(0, math.floor(top - room))
        part = image[y : min(high, math.ceil(bottom + room)), x : min(wide, math.ceil(right + room))]
        return Window(part, x, y, outline - np.array((x, y), np.float32), self.plate_width_min_px or 0.0)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, with its left and top edge there, and the region's outline in its own pixels."""

    image: Image
    left: int
    top: int
    outline: NDArray[np.float32]
    plate_width_min_px: float

    def counts(self, plate: Corners) -> bool:
        """Whether a plate with these corners in the window is wide enough, with its middle in the region."""
        if width_of(plate) < self.plate_width_min_px:
            return False
        return not len(self.outline) or cv2.pointPolygonTest(self.outline, middle_of(plate), False) >= 0

    def in_picture(self, plate: Corners) -> Corners:
        """A plate's corners in the whole picture."""
        a, b, c, d = ((x + self.left, y + self.top) for x, y in plate)
        return a, b, c, d


WHOLE = Roi()
