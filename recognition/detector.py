"""Finds the plates in a frame: four corners each, clockwise from the top left as the plate is read.

Here are the interface and the detector that ships. Deliberately not here: how it was trained
(`training/detector_net.py` has the same output contract) and reading what is found (`ocr.py`).
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gate_controller.errors import RecognitionError
from recognition.aligner import SAMPLED_MAX, Quad, align
from recognition.frame import Image
from recognition.shipped import shipped

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

STRIDE_PX = 8
SIDE_MULTIPLE_PX = 32
LONG_SIDE_PX = 512
"""Frames are scaled down to this; a 60 px plate of a 1280 px frame then still covers three cells."""

FINE_SIDE_PX = 768
"""The same for a second search, at twice the cost: plates seen from the side, dark ones, and those under 60 px."""

CLEAR_SCORE = 0.6
"""Found at this score or above, a plate needs no pass at half the size."""

LARGE_SHARE = 0.45
"""Of the frame's longer side: a wider find may be a part of a plate that is only seen whole at half the size."""

DETECTIONS_LEN_MAX = 8
"""More plates than this in one frame are not read: a gate's camera never has them, a hostile picture may."""

COVERED_MAX = 0.25
"""Two finds sharing more of the smaller one's area are one plate."""

GREY = 114
"""What the net sees beyond the frame's edge."""

COARSE_SHARE = 0.7
"""Of `detect_at`: what the search may be less sure of, since closer looks follow."""

LOOKS_MAX = 4
SETTLED_WIDTHS = 0.04
"""Closer looks at each find; none follows one that moved no corner by more than this share of the plate's width."""

FIRST_THERE_MIN = 0.15
THERE_MIN = 0.3
"""Probability of a whole plate below which the first look, and a later one, end a find; slant lowers the first."""

VIEW_SIZE_PX = (192, 128)
VIEW_PLATE_PX = 120.0
"""Last look: width and height of the view, and width of the plate in it, the middle of the sizes trained on."""

SIZE_MIN_PX = (20.0, 5.0)
"""Width and height in the frame below which no character can be read."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A plate found: corners in pixels of the frame, clockwise from the plate's own top left.

    `score` 0..1; `whole`: probability that no end of it is hidden, 1 where the detector cannot tell.
    """

    corners: Corners
    score: float
    whole: float = 1.0


class Detector(Protocol):
    """Anything that finds plates in an (H, W, 3) uint8 BGR image."""

    def detect(self, image: Image) -> list[Detection]:
        """The plates in the image, best first."""
        ...

    def finer(self, image: Image) -> list[Detection]:
        """The same by a slower search, for when what was found is not read surely; none if it has no other."""
        ...


def session_options() -> ort.SessionOptions:
    """One thread, errors as exceptions only: fastest for nets of this size, and the other cores are the lanes'."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def open_session(path: Path) -> ort.InferenceSession:
    """A session of an ONNX file. Raises `RecognitionError` naming the file and the fix."""
    fix = "restore it from the package, or name another model"
    if not path.is_file():
        raise RecognitionError(f"{path}: no such model file; {fix}")
    try:
        return ort.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises bare classes of its own for each kind of damage
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise RecognitionError(f"{path}: no usable ONNX model ({reason}); {fix}") from None


def load_session(path: Path, inputs: list[tuple[str, int]], outputs: list[str]) -> ort.InferenceSession:
    """A session checked against the expected inputs (name, rank) and outputs.

    Raises `RecognitionError` naming the file and the fix.
    """
    session = open_session(path)
    has = [(part.name, len(part.shape)) for part in session.get_inputs()]
    gives = [part.name for part in session.get_outputs()]
    if has != inputs or any(name not in gives for name in outputs):
        raise RecognitionError(
            f"{path}: a model of another kind (takes {has}, gives {gives}); restore it from the package, or name "
            "another model"
        )
    return session


class BuiltinDetector:
    """The detector that ships, or an ONNX file that also maps (1, H, W, 3) uint8 to (1, H/8, W/8, 9)."""

    def __init__(self, model_path: Path | None = None, detect_at: float = 0.4) -> None:
        """Raises `RecognitionError` when a model file is missing, damaged or of another kind."""
        self._detect_at = detect_at
        with ExitStack() as stack:
            found = model_path or stack.enter_context(shipped("detector.onnx"))
            self._session = load_session(found, [("image", 4)], ["plates"])
            self._aligner = load_session(stack.enter_context(shipped("aligner.onnx")), [("view", 4)], ["moves"])

    def detect(self, image: Image) -> list[Detection]:
        """The plates in an (H, W, 3) uint8 BGR image, best first, at most `DETECTIONS_LEN_MAX`."""
        found, hints = self._search(image, LONG_SIDE_PX)
        wide = LARGE_SHARE * max(image.shape)
        if not found or found[0].score < CLEAR_SCORE or any(math.dist(*one.corners[:2]) > wide for one in found):
            found += self._search(image, LONG_SIDE_PX // 2)[0]
            found = distinct(sorted(found, key=lambda one: -one.score))
        return found or (self.finer(image) if hints else [])

    def finer(self, image: Image) -> list[Detection]:
        """The plates in the image at more of its pixels, best first; none if the first search saw them all."""
        return self._search(image, FINE_SIDE_PX)[0] if max(image.shape[:2]) > LONG_SIDE_PX else []

    def _search(self, image: Image, long_side_px: int) -> tuple[list[Detection], int]:
        """One pass over the image scaled down to a long side, and closer looks at what it shows.

        Also how many places the pass itself took for plates.
        """
        height, width = image.shape[:2]
        scale = min(1.0, long_side_px / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        scaled = _shrunk(image, small)
        below, right = -small[1] % SIDE_MULTIPLE_PX, -small[0] % SIDE_MULTIPLE_PX
        framed = np.full((small[1] + below, small[0] + right, 3), GREY, np.uint8)
        framed[: small[1], : small[0]] = scaled
        to_frame = np.array([[width / small[0], 0, 0], [0, height / small[1], 0]])
        coarse = decode(self._run(framed[None])[0], to_frame, COARSE_SHARE * self._detect_at)
        found = [one for one in self._look_closer(image, coarse) if one.score >= self._detect_at]
        return distinct(sorted(found, key=lambda one: -one.score)), len(coarse)

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._session.run(["plates"], {"image": batch})[0], np.float32)

    def _look_closer(self, image: Image, coarse: list[Detection]) -> list[Detection]:
        """Each find with its corners put right; what is then no plate any more is left out.

        The score is the geometric mean of the search's, the last look's, and that of the searching net shown the
        plate level and at the size where it knows plates best.
        """
        pending = [(one.score, _points(one.corners)) for one in coarse]
        looked: list[tuple[float, Quad, float]] = []
        for there_min in (FIRST_THERE_MIN, *[THERE_MIN] * (LOOKS_MAX - 1)):
            moved = align(self._aligner, image, [quad for _, quad in pending])
            pairs = [(score, was, now, there) for (score, was), (now, there) in zip(pending, moved, strict=True)]
            pairs = [pair for pair in pairs if pair[3] >= there_min and readable(pair[2])]
            looked += [(score, now, there) for score, was, now, there in pairs if _settled(was, now)]
            pending = [(score, now) for score, was, now, _ in pairs if not _settled(was, now)]
            last = [(score, now, there) for score, was, now, there in pairs if not _settled(was, now)]
        looked = [one for one in looked + last if one[2] >= THERE_MIN]
        if not looked:
            return []
        tables = self._run(np.stack([_level_view(image, quad) for _, quad, _ in looked]))
        return [
            Detection(corners_of(quad), float(np.cbrt(score * there * _middle(table))), there)
            for (score, quad, there), table in zip(looked, tables, strict=True)
        ]


def decode(plates: NDArray[np.float32], to_frame: NDArray[np.float64], detect_at: float) -> list[Detection]:
    """Detections in frame pixels from the net's (rows, cols, 9) output, best first.

    `to_frame`: (2, 3) affine map from the net's pixels to the frame's.
    """
    heat = np.ascontiguousarray(plates[..., 0])
    peaks = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= detect_at)
    rows, cols = np.nonzero(peaks)
    order = np.argsort(-heat[rows, cols])[: 2 * DETECTIONS_LEN_MAX]
    found: list[Detection] = []
    for row, col in zip(rows[order], cols[order], strict=True):
        quad = _corners(plates, int(row), int(col)) @ to_frame[:, :2].T + to_frame[:, 2]
        if readable(quad.astype(np.float32)):
            found.append(Detection(corners_of(quad), float(heat[row, col])))
    return distinct(found)


def distinct(found: list[Detection]) -> list[Detection]:
    """The same without those that lie on a better one, at most `DETECTIONS_LEN_MAX`."""
    kept: list[Detection] = []
    for one in found:
        if not any(same_place(one, other) for other in kept):
            kept.append(one)
    return kept[:DETECTIONS_LEN_MAX]


def same_place(one: Detection, other: Detection) -> bool:
    """Whether two finds are of one plate."""
    return _covered(_points(one.corners), _points(other.corners)) > COVERED_MAX


def _shrunk(image: Image, size: tuple[int, int]) -> Image:
    """The image at a size no larger than its own: halved by averaging as often as that goes, the rest sampled.

    Half the cost of averaging at any ratio, and hardly worse: what is left is less than a factor of two.
    """
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        half = (even.shape[1] // 2, even.shape[0] // 2)
        image = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    if image.shape[1::-1] != size:
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def _level_view(image: Image, quad: Quad) -> Image:
    """The plate level in the middle of a picture of `VIEW_SIZE_PX`; averaged, not sampled, where it shrinks."""
    along = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
    scale = VIEW_PLATE_PX / max(float(np.hypot(*along)), 1.0)
    angle = float(np.arctan2(along[1], along[0]))
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[c, s], [-s, c]])
    view = np.column_stack([turn, np.array(VIEW_SIZE_PX) / 2 - turn @ quad.mean(0)])
    times = int(np.clip(np.ceil(1.0 / scale / SAMPLED_MAX), 1, 4))
    size = (VIEW_SIZE_PX[0] * times, VIEW_SIZE_PX[1] * times)
    seen = cv2.warpAffine(image, view * times, size, flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY))
    if times > 1:
        seen = cv2.resize(seen, VIEW_SIZE_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(seen, np.uint8)


def _middle(plates: NDArray[np.float32]) -> float:
    """The strongest heat about the middle of the net's (rows, cols, 9) output."""
    row, col = plates.shape[0] // 2, plates.shape[1] // 2
    return float(plates[row - 2 : row + 2, col - 3 : col + 3, 0].max())


def _settled(was: Quad, now: Quad) -> bool:
    return bool(np.abs(now - was).max() <= SETTLED_WIDTHS * np.hypot(*(now[1] - now[0])))


def readable(quad: Quad) -> bool:
    """Whether it is the outline of something seen from the front, large enough for characters."""
    wide = (np.hypot(*(quad[1] - quad[0])) + np.hypot(*(quad[2] - quad[3]))) / 2
    high = (np.hypot(*(quad[3] - quad[0])) + np.hypot(*(quad[2] - quad[1]))) / 2
    return bool(wide >= SIZE_MIN_PX[0] and high >= SIZE_MIN_PX[1] and cv2.isContourConvex(quad))


def corners_of(quad: NDArray[np.floating[Any]]) -> Corners:
    a, b, c, d = ((float(x), float(y)) for x, y in quad)
    return a, b, c, d


def _points(corners: Corners) -> Quad:
    return np.array(corners, np.float32)


def _corners(plates: NDArray[np.float32], row: int, col: int) -> NDArray[np.float64]:
    """(4, 2) corners in net pixels: the mean of what the peak and its neighbours say, weighted by their heat."""
    top, left = max(0, row - 1), max(0, col - 1)
    around = plates[top : row + 2, left : col + 2].astype(np.float64)
    ys, xs = np.mgrid[top : top + around.shape[0], left : left + around.shape[1]]
    centres = (np.stack([xs, ys], -1) + 0.5) * STRIDE_PX
    quads = centres[:, :, None, :] + around[..., 1:].reshape(*around.shape[:2], 4, 2)
    weight = np.where(around[..., 0] >= 0.5 * around[row - top, col - left, 0], around[..., 0], 0.0)
    mean: NDArray[np.float64] = (quads * weight[..., None, None]).sum((0, 1)) / weight.sum()
    return mean


def _covered(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Intersection over the smaller one."""
    return float(cv2.intersectConvexConvex(a, b)[0]) / max(1e-6, min(cv2.contourArea(a), cv2.contourArea(b)))
