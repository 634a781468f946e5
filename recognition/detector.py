"""Finds the plates in a frame: four corners each, clockwise from the top left as the plate is read.

Here are the interface and the detector that ships. Deliberately not here: how it was trained
(`training/detector_net.py` has the same output contract) and reading what is found (`ocr.py`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.aligner import SAMPLED_MAX, Quad, align
from recognition.blocks import TAKEN, framed
from recognition.finds import (
    STRIDE_PX,
    Detection,
    corners_of,
    decode,
    distinct,
    points_of,
    readable,
    same_place,
)
from recognition.frame import Image
from recognition.halves import Halves, Matrix
from recognition.roi import PLATE_WIDTH_PX
from recognition.sessions import OWN, TRIAL_LEN, Part, expect, load_session, open_session, tried
from recognition.shipped import ANEW, shipped

LONG_SIDE_PX = 512
"""Frames are scaled down to this; a 60 px plate of a 1280 px frame then still covers three cells."""

FINE_SIDE_PX = 768
"""The same for a second search: for plates seen from the side, dark or small."""

SMALLEST_PX = 36.0
FINEST_SIDE_PX = 2048
"""The second search is finer where the narrowest plate looked for would be narrower than this in it, as one of
60 px in a frame of more than 1280, and at most of this long side: of 24 plates of 90 px in frames of 3840, 23 are
found so and 4 without."""

HINT_MIN = 0.1
"""How sure the first search must be of a place for the second to look there."""

PLACES_LEN_MAX = 6
"""Places that the second search looks at, the surest ones."""

WINDOW_SIZES_PX = ((192, 128), (320, 192), (448, 256))
WINDOW_ROOM = 1.8
"""Width and height of what the second search sees: the first of these that is so much wider than the plate."""

WINDOW_PLATE_PX = 96.0
"""Plates that are narrower in the second search are seen at the picture's own scale, or this wide."""

CLEAR_SCORE = 0.6
"""Found at this score or above, a plate needs no pass at half the size."""

LARGE_SHARE = 0.45
"""Of the frame's longer side: a wider find may be a part of a plate that is only seen whole at half the size."""

COARSE_SHARE = 0.7
"""Of `detect_at`: what the search may be less sure of, since closer looks follow."""

LOOKS_MAX = 4
SETTLED_WIDTHS = 0.04
"""Closer looks at each find; none follows one that moved no corner by more than this share of the plate's width."""

DOUBTED_MIN = 0.15
THERE_MIN = 0.3
"""Probability of a whole plate below which a look ends a find at once, and below which the last look does: while
the corners of a slanting or bent plate move to their places, a look may doubt what the next one is sure of."""

VIEW_SIZE_PX = (160, 96)
VIEW_PLATE_PX = 120.0
"""Last look: width and height of the view, and width of the plate in it, the middle of the sizes trained on."""

IMAGES: Part = ("image", ("n", "h", "w", "channels"))
PLATES: Part = ("plates", ("n", "rows", "cols", 9))
"""What a model takes and gives."""

TRIAL_SIZE_PX = (64, 32)
"""Height and width of what a model that did not ship is shown when it is loaded."""


def _nothing(_known: Sequence[Detection]) -> list[Detection]:
    return []


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found, best first, and how to look for more.

    `finer` gives the plates of a slower search, for when what was found is not read surely: of the whole picture if
    no plate is known yet, else of the doubtful places beside the known plates. None if there is no other search.
    """

    plates: list[Detection]
    finer: Callable[[Sequence[Detection]], list[Detection]] = _nothing


class Detector(Protocol):
    """Anything that finds plates in a picture."""

    def detect(self, halves: Halves, looked_for_px: float) -> Search:
        """The plates in the picture; those that are at least so wide must not be missed."""
        ...


class BuiltinDetector:
    """The detector that ships, or an ONNX file that also maps (N, H, W, 3) uint8 to (N, H/8, W/8, 9)."""

    def __init__(self, model_path: Path | None = None, detect_at: float = 0.4) -> None:
        """Raises `RecognitionError` when a model file is missing, damaged or of another kind."""
        self._detect_at, self._coarse_at = detect_at, COARSE_SHARE * detect_at
        fix = OWN if model_path else ANEW
        with ExitStack() as stack:
            found = model_path or stack.enter_context(shipped("detector.onnx"))
            self._session = load_session(found, IMAGES, PLATES, fix)
            self._taken = TAKEN.get(self._session.get_inputs()[0].shape[3], framed)
            self._aligner = open_session(stack.enter_context(shipped("aligner.onnx")), ANEW)
        if model_path:
            self._try(model_path)

    def _try(self, path: Path) -> None:
        """Shows a model that did not ship pictures of nothing. Raises `RecognitionError` naming file and fix."""
        high, wide = TRIAL_SIZE_PX
        batch = np.stack([self._taken(np.zeros((high, wide, 3), np.uint8))] * TRIAL_LEN)
        (given,) = tried(path, self._session, batch, [PLATES[0]], OWN)
        expect(path, given, (TRIAL_LEN, high // STRIDE_PX, wide // STRIDE_PX, PLATES[1][-1]), OWN)

    def detect(self, halves: Halves, looked_for_px: float = PLATE_WIDTH_PX) -> Search:
        """The plates in the picture, best first, at most `DETECTIONS_LEN_MAX`."""
        places = self._places(halves, LONG_SIDE_PX)
        sure = places(self._coarse_at)
        found = self._plates(halves, sure)
        wide = LARGE_SHARE * max(halves.image.shape)
        if not found or found[0].score < CLEAR_SCORE or any(math.dist(*one.corners[:2]) > wide for one in found):
            found += self._plates(halves, self._places(halves, LONG_SIDE_PX // 2)(self._coarse_at))
            found = distinct(sorted(found, key=lambda one: -one.score))

        long_px = max(halves.image.shape[:2])
        can_be_finer = long_px > LONG_SIDE_PX
        needed_px = min(long_px * SMALLEST_PX / looked_for_px, FINEST_SIDE_PX)
        fine_px = max(FINE_SIDE_PX, round(needed_px))
        whole_is_left = can_be_finer
        if not found and can_be_finer and (sure or needed_px > LONG_SIDE_PX):
            found, whole_is_left = self._whole_finer(halves, fine_px), False

        def finer(known: Sequence[Detection]) -> list[Detection]:
            if not known:
                return self._whole_finer(halves, fine_px) if whole_is_left else []
            hints = places(HINT_MIN) if can_be_finer else []
            doubtful = [one for one in hints if not any(same_place(one, other) for other in known)]
            return self._plates(halves, self._finer_places(halves, doubtful))

        return Search(found, finer)

    def _whole_finer(self, halves: Halves, long_side_px: int) -> list[Detection]:
        return self._plates(halves, self._places(halves, long_side_px)(self._coarse_at))

    def _places(self, halves: Halves, long_side_px: int) -> Callable[[float], list[Detection]]:
        """What one pass over the picture, scaled down to a long side, takes for plates and is so sure of."""
        height, width = halves.image.shape[:2]
        scale = min(1.0, long_side_px / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        to_frame = np.array([[width / small[0], 0, 0], [0, height / small[1], 0]])
        return partial(decode, self._run([halves.shrunk(small)])[0], to_frame)

    def _finer_places(self, halves: Halves, places: list[Detection]) -> list[Detection]:
        """The same at more of the picture's pixels, about the surest places of another pass."""
        if not places:
            return []
        windows = sorted((_window(halves, one) for one in places[:PLACES_LEN_MAX]), key=lambda one: one[0].shape)
        found = []
        for _, group in itertools.groupby(windows, key=lambda one: one[0].shape):
            alike = list(group)
            tables = self._run([view for view, _ in alike])
            pairs = zip(tables, (to_frame for _, to_frame in alike), strict=True)
            found += [decode(table, to_frame, self._coarse_at) for table, to_frame in pairs]
        return distinct(sorted(itertools.chain(*found), key=lambda one: -one.score))

    def _plates(self, halves: Halves, places: list[Detection]) -> list[Detection]:
        """The plates at the places, best first."""
        found = [one for one in self._look_closer(halves, places) if one.score >= self._detect_at]
        return distinct(sorted(found, key=lambda one: -one.score))

    def _run(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(N, rows, cols, 9) of images of one size, framed to multiples of `SIDE_MULTIPLE_PX`."""
        taken = [self._taken(image) for image in images]
        batch = np.stack(taken) if len(taken) > 1 else taken[0][np.newaxis]
        return np.asarray(self._session.run(["plates"], {"image": batch})[0], np.float32)

    def _look_closer(self, halves: Halves, coarse: list[Detection]) -> list[Detection]:
        """Each find with its corners put right; what is then no plate any more is left out.

        The score is the geometric mean of the search's, the last look's, and that of the searching net shown the
        plate level and at the size where it knows plates best.
        """
        pending = [(one.score, points_of(one.corners)) for one in coarse]
        looked: list[tuple[float, Quad, float]] = []
        last: list[tuple[float, Quad, float]] = []
        for _ in range(LOOKS_MAX):
            moved = align(self._aligner, halves, [quad for _, quad in pending])
            last = []
            for (score, was), (now, there) in zip(pending, moved, strict=True):
                if there >= DOUBTED_MIN and readable(now):
                    (looked if _settled(was, now) else last).append((score, now, there))
            pending = [(score, now) for score, now, _ in last]
        looked = [one for one in looked + last if one[2] >= THERE_MIN]
        if not looked:
            return []
        tables = self._run([_level_view(halves, quad) for _, quad, _ in looked])
        return [
            Detection(corners_of(quad), float(np.cbrt(score * there * _middle(table))), there)
            for (score, quad, there), table in zip(looked, tables, strict=True)
        ]


def _level_view(halves: Halves, quad: Quad) -> Image:
    """The plate level in the middle of a picture of `VIEW_SIZE_PX`."""
    along = ((quad[1] + quad[2] - quad[0] - quad[3]) / 2).tolist()
    scale = VIEW_PLATE_PX / max(math.hypot(*along), 1.0)
    return _about(halves, quad, scale, math.atan2(along[1], along[0]), VIEW_SIZE_PX)[0]


def _window(halves: Halves, place: Detection) -> tuple[Image, NDArray[np.float64]]:
    """What lies about a place, and the (2, 3) map from its pixels to the frame's."""
    quad = points_of(place.corners)
    wide = max(float(np.hypot(*(quad[1] - quad[0]))), 1.0)
    scale = max(FINE_SIDE_PX / max(halves.image.shape[:2]), min(1.0, WINDOW_PLATE_PX / wide))
    size = next((size for size in WINDOW_SIZES_PX if size[0] >= WINDOW_ROOM * wide * scale), WINDOW_SIZES_PX[-1])
    view, to_view = _about(halves, quad, scale, 0.0, size)
    return view, np.asarray(np.linalg.inv(to_view)[:2], np.float64)


def _about(halves: Halves, quad: Quad, scale: float, angle: float, size: tuple[int, int]) -> tuple[Image, Matrix]:
    """A view about a quad's middle, scaled and turned, and the (3, 3) map of the picture's pixels to its own."""
    x, y = quad.mean(0).tolist()
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    left, top = size[0] / 2 - c * x - s * y, size[1] / 2 + s * x - c * y
    warp = np.array([(c, s, left), (-s, c, top), (0.0, 0.0, 1.0)])
    return halves.warped(warp, size, 1.0 / scale, SAMPLED_MAX, cv2.BORDER_CONSTANT), warp


def _middle(plates: NDArray[np.float32]) -> float:
    """The strongest heat about the middle of the net's (rows, cols, 9) output."""
    row, col = plates.shape[0] // 2, plates.shape[1] // 2
    return float(plates[row - 2 : row + 2, col - 3 : col + 3, 0].max())


def _settled(was: Quad, now: Quad) -> bool:
    return bool(np.abs(now - was).max() <= SETTLED_WIDTHS * np.hypot(*(now[1] - now[0])))
