"""Puts a found plate's corners where they belong, and says whether there is a plate at all.

A small net looks at the plate as the corners found so far would straighten it, with room around, and says how far
each corner is off; so the second look starts where the first ended. Deliberately not here: finding plates
(`detector.py`) and how the net was trained (`training/train_aligner.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from recognition.frame import Image
from recognition.halves import Halves, Matrix

VIEW_SIZE_PX = (128, 64)
"""Width and height of what the net sees."""

PLATE_SIZE_PX = (76.0, 32.0)
"""Width and height of the plate in its middle, if the corners were right: room for what a find is off."""

SAMPLED_MAX = 1.6
"""Frame pixels a view pixel up to which sampling is good enough; where there are more, a half is sampled."""

Quad = NDArray[np.float32]
"""(4, 2) corners in frame pixels, clockwise from the plate's own top left."""


def _places() -> Quad:
    """Where the corners are in the view."""
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)
    return np.asarray((np.array(VIEW_SIZE_PX) + signs * PLATE_SIZE_PX) / 2, np.float32)


PLACES = _places()


def view_of(halves: Halves, quad: Quad) -> tuple[Image, Matrix]:
    """The (64, 128, 3) uint8 view of a quad, and the (3, 3) map from the view's pixels to the frame's."""
    to_frame, to_view = (cv2.getPerspectiveTransform(*pair) for pair in ((PLACES, quad), (quad, PLACES)))
    a, b, c, d = quad.tolist()
    apart_px = max(math.dist(a, b), math.dist(c, d)) / PLATE_SIZE_PX[0]
    warp = np.asarray(to_view, np.float64)
    view = halves.warped(warp, VIEW_SIZE_PX, apart_px, SAMPLED_MAX, cv2.BORDER_REPLICATE)
    return view, np.asarray(to_frame, np.float64)


def align(session: ort.InferenceSession, halves: Halves, quads: Sequence[Quad]) -> list[tuple[Quad, float]]:
    """Each quad with its corners moved once, and the probability that it lies on a plate."""
    if not quads:
        return []
    views = [view_of(halves, quad) for quad in quads]
    batch = np.stack([view for view, _ in views]) if len(views) > 1 else views[0][0][np.newaxis]
    out = np.asarray(session.run(["moves"], {"view": batch})[0], np.float32)
    moved = []
    for (_, to_frame), row in zip(views, out, strict=True):
        places = (PLACES + row[1:].reshape(4, 2)).reshape(-1, 1, 2)
        quad = cv2.perspectiveTransform(places, to_frame).reshape(4, 2)
        moved.append((np.asarray(quad, np.float32), float(row[0])))
    return moved
