"""A detector of somebody else's: an ONNX file that gives boxes, as open-image-models exports them.

The boxes get their corners from the aligner that ships. Deliberately not here: our own detector (`detector.py`).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gate_controller.errors import RecognitionError
from recognition.aligner import Quad, align
from recognition.detector import DOUBTED_MIN, LOOKS_MAX, THERE_MIN, Search
from recognition.finds import Detection, corners_of, distinct, readable
from recognition.halves import GREY, Halves
from recognition.roi import PLATE_WIDTH_PX
from recognition.sessions import FLOAT, OWN, Part, expect, fits, open_session, takes, told, tried
from recognition.shipped import ANEW, shipped

INPUT = "images"
IMAGES: Part = (INPUT, ("n", 3, "h", "w"))
COLUMNS = 7
"""A row of the output: picture, left, top, right, bottom, class, score; in pixels of the scaled picture."""

SIDE_PX = 384
"""Where the model leaves its input's size open."""


def gives_boxes(path: Path) -> bool:
    """Whether the model file is of this kind. Raises `RecognitionError` when it is no model at all."""
    return [part.name for part in open_session(path).get_inputs()] == [INPUT]


class BoxDetector:
    """Runs a (1, 3, H, W) float RGB model that answers with rows of `COLUMNS` numbers."""

    def __init__(self, path: Path, detect_at: float) -> None:
        """Raises `RecognitionError` naming the file and the fix when it is another kind of model."""
        self._detect_at = detect_at
        self._session = open_session(path)
        outputs = self._session.get_outputs()
        if (
            not takes(self._session, IMAGES, FLOAT)
            or len(outputs) != 1
            or not fits(outputs[0].shape[-1:], (COLUMNS,))
        ):
            kind = told(self._session, IMAGES, FLOAT, ("output", ("n", COLUMNS)))
            raise RecognitionError(f"{path}: gives no boxes as open-image-models does ({kind}); {OWN}")
        sides = self._session.get_inputs()[0].shape[2:]
        height, width = (side if isinstance(side, int) else SIDE_PX for side in sides)
        self._size = (width, height)
        nothing = np.zeros((1, 3, height, width), np.float32)
        (given,) = tried(path, self._session, nothing, [outputs[0].name], OWN)
        expect(path, given, (*["n"] * max(1, given.ndim - 1), COLUMNS), OWN)
        with shipped("aligner.onnx") as aligner:
            self._aligner = open_session(aligner, ANEW)

    def detect(self, halves: Halves, looked_for_px: float = PLATE_WIDTH_PX) -> Search:
        """The plates in the image, best first; there is no finer search, since the model has one size only."""
        image = halves.image
        scale = min(self._size[0] / image.shape[1], self._size[1] / image.shape[0])
        small = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        left, top = (self._size[0] - small[0]) // 2, (self._size[1] - small[1]) // 2
        framed = np.full((self._size[1], self._size[0], 3), GREY[0], np.uint8)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        framed[top : top + small[1], left : left + small[0]] = cv2.resize(image, small, interpolation=way)
        batch = np.ascontiguousarray(framed[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 255.0
        rows = np.asarray(self._session.run(None, {INPUT: batch})[0], np.float32).reshape(-1, COLUMNS)
        rows = rows[rows[:, 6] >= self._detect_at]
        quads = [_quad((row[1:5] - (left, top, left, top)) / scale) for row in rows[np.argsort(-rows[:, 6])]]
        scores = np.sort(rows[:, 6])[::-1]
        pairs = [(quad, float(score)) for quad, score in zip(quads, scores, strict=True) if readable(quad)]
        return Search(distinct([self._found(halves, quad, score) for quad, score in pairs]))

    def _found(self, halves: Halves, box: Quad, score: float) -> Detection:
        """The plate with its corners, or the box itself where the aligner sees none.

        Either way it says how likely both ends are seen: the box, too, may be of half a plate.
        """
        quad, there = box, 0.0
        for _ in range(LOOKS_MAX):
            ((quad, there),) = align(self._aligner, halves, [quad])
            if there < DOUBTED_MIN or not readable(quad):
                return Detection(corners_of(box), score, there)
        return Detection(corners_of(quad if there >= THERE_MIN else box), score, there)


def _quad(box: np.ndarray) -> Quad:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
