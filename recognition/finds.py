"""What a search found: plates by their four corners, out of a net's answer, each plate once.

Deliberately not here: the search itself (`detector.py`) and putting corners right (`aligner.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.aligner import Quad

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom."""

STRIDE_PX = 8
DETECTIONS_LEN_MAX = 8
"""More plates than this in one frame are not read: a gate's camera never has them, a hostile picture may."""

COVERED_MAX = 0.25
"""Two finds sharing more of the smaller one's area are one plate."""

AROUND = np.ones((3, 3), np.uint8)
STEPS = np.stack([np.repeat((-1, 0, 1), 3), np.tile((-1, 0, 1), 3)])
"""A cell and its neighbours, as a mask and as (2, 9) rows and columns from it."""

SIZE_MIN_PX = (20.0, 5.0)
"""Width and height in the frame below which no character can be read."""


def width_of(plate: Corners) -> float:
    """Mean length of a plate's upper and lower edge."""
    a, b, c, d = plate
    return (math.dist(a, b) + math.dist(d, c)) / 2


def middle_of(plate: Corners) -> tuple[float, float]:
    """The mean of a plate's corners."""
    return sum(x for x, _ in plate) / 4, sum(y for _, y in plate) / 4


@dataclass(frozen=True, slots=True)
class Detection:
    """A plate found: corners in pixels of the frame, clockwise from the plate's own top left.

    `score` 0..1; `whole`: probability that no end of it is hidden, 1 where the detector cannot tell.
    """

    corners: Corners
    score: float
    whole: float = 1.0


def decode(plates: NDArray[np.float32], to_frame: NDArray[np.float64], detect_at: float) -> list[Detection]:
    """Detections in frame pixels from the net's (rows, cols, 9) output, best first.

    `to_frame`: (2, 3) affine map from the net's pixels to the frame's.
    """
    heat = np.ascontiguousarray(plates[..., 0])
    rows, cols = np.nonzero((heat >= detect_at) & (heat >= cv2.dilate(heat, AROUND)))
    if not len(rows):
        return []
    order = np.argsort(-heat[rows, cols])[: 2 * DETECTIONS_LEN_MAX]
    rows, cols = rows[order], cols[order]
    quads = _corners(plates, rows, cols) @ to_frame[:, :2].T + to_frame[:, 2]
    pairs = zip(quads.astype(np.float32), heat[rows, cols], strict=True)
    return distinct([Detection(corners_of(quad), float(score)) for quad, score in pairs if readable(quad)])


def distinct(found: list[Detection]) -> list[Detection]:
    """The same without those that lie on a better one, at most `DETECTIONS_LEN_MAX`."""
    kept: list[tuple[Detection, Bounds]] = []
    for one in found:
        bounds = _bounds(one)
        if not any(_meet(bounds, others) and _share(one, other) for other, others in kept):
            kept.append((one, bounds))
    return [one for one, _ in kept[:DETECTIONS_LEN_MAX]]


def same_place(one: Detection, other: Detection) -> bool:
    """Whether two finds are of one plate."""
    return _meet(_bounds(one), _bounds(other)) and _share(one, other)


def _bounds(one: Detection) -> Bounds:
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = one.corners
    return min(ax, bx, cx, dx), min(ay, by, cy, dy), max(ax, bx, cx, dx), max(ay, by, cy, dy)


def _meet(some: Bounds, others: Bounds) -> bool:
    return some[0] < others[2] and others[0] < some[2] and some[1] < others[3] and others[1] < some[3]


def _share(one: Detection, other: Detection) -> bool:
    return _covered(points_of(one.corners), points_of(other.corners)) > COVERED_MAX


def readable(quad: Quad) -> bool:
    """Whether it is the outline of something seen from the front, large enough for characters."""
    a, b, c, d = quad.tolist()
    wide = (math.dist(a, b) + math.dist(c, d)) / 2
    high = (math.dist(a, d) + math.dist(b, c)) / 2
    return wide >= SIZE_MIN_PX[0] and high >= SIZE_MIN_PX[1] and cv2.isContourConvex(quad)


def corners_of(quad: NDArray[np.floating[Any]]) -> Corners:
    a, b, c, d = map(tuple, quad.tolist())
    return a, b, c, d


def points_of(corners: Corners) -> Quad:
    return np.array(corners, np.float32)


def _corners(plates: NDArray[np.float32], rows: NDArray[np.intp], cols: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N, 4, 2) corners in net pixels: means of what N peaks and their neighbours say, weighted by their heat."""
    ys, xs = (rows[:, None] + STEPS[0], cols[:, None] + STEPS[1])
    inside = (ys >= 0) & (ys < plates.shape[0]) & (xs >= 0) & (xs < plates.shape[1])
    around = plates[ys.clip(0, plates.shape[0] - 1), xs.clip(0, plates.shape[1] - 1)].astype(np.float64)
    heat = around[..., 0]
    weight = np.where(inside & (heat >= 0.5 * heat[:, STEPS.shape[1] // 2, None]), heat, 0.0)
    centres = (np.stack([xs, ys], -1) + 0.5) * STRIDE_PX
    quads = centres[:, :, None] + around[..., 1:].reshape(*around.shape[:2], 4, 2)
    mean: NDArray[np.float64] = (quads * weight[..., None, None]).sum(1) / weight.sum(1)[:, None, None]
    return mean


def _covered(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Intersection over the smaller one."""
    return float(cv2.intersectConvexConvex(a, b)[0]) / max(1e-6, min(cv2.contourArea(a), cv2.contourArea(b)))
