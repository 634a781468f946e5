"""Plates drawn into street frames, in faces never trained on, read by the whole reader: how sure, and how right.

The nearest thing to held-out photographs that may be fitted on: `LOOK_WEIGHT` and the odds of `looks.py` are.
Deliberately not here: drawing itself (`draw.py`, `scenes.py`) and what is made of the answers (`evaluate.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from recognition.frame import Image
from recognition.recognizer import LocatedRead, Recognizer
from recognition.training.plates_source import PlateSource, Sources
from recognition.training.scenes import Quad, StreetFrame, make_scene, noise_bank

SIZE_PX = 768
"""Of a scene: so large that the finer search sees more than the first."""

WIDTH_MIN_PX = 45.0
SAME_MIN = 0.25
UNSEEN_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture and its drawn plates, wholly in view and wide enough to be read: texts with their corners."""

    image: Image
    plates: tuple[tuple[str, Quad], ...]


def scenes(frames: Sequence[StreetFrame], faces: Path, seed: int) -> Iterator[Drawn]:
    """Pictures without end."""
    rng, bank = np.random.default_rng(seed), noise_bank()
    noise = np.tile(bank, (-(-SIZE_PX // bank.shape[0]) + 1,) * 2 + (1,) * (bank.ndim - 2))
    source = PlateSource(Sources(faces, faces_share=UNSEEN_SHARE), seed)
    texts: list[str] = []

    def draw(_: np.random.Generator) -> Image:
        text, plate = source.plate()
        texts.append("".join(text.groups))
        return np.asarray(plate, np.uint8)

    while True:
        frame = frames[int(rng.integers(len(frames)))]
        texts.clear()
        scene = make_scene([frame], draw, SIZE_PX, rng, noise)
        quads, trust = scene.quads[len(frame.boxes) :], scene.trust[len(frame.boxes) :]
        if len(quads) != len(texts):  # one found no room, and which one is not told
            continue
        rows = zip(texts, quads, trust, strict=True)
        plates = tuple((text, quad) for text, quad, sure in rows if sure == 1.0 and _width(quad) >= WIDTH_MIN_PX)
        yield Drawn(np.ascontiguousarray(scene.image, np.uint8), plates)


def _width(quad: Quad) -> float:
    return float(np.hypot(quad[1][0] - quad[0][0], quad[1][1] - quad[0][1]))


@dataclass(frozen=True, slots=True)
class Answer:
    """A drawn plate, how light it is (0 to 255, mean within its corners), and its surest read; None for none."""

    text: str
    quad: Quad
    light: float
    read: LocatedRead | None

    @property
    def right(self) -> bool:
        """Whether the whole text was read."""
        return self.read is not None and self.read.read.plate.key == self.text

    @property
    def width_px(self) -> float:
        """Length of the plate's upper edge."""
        return _width(self.quad)

    @property
    def slant_deg(self) -> float:
        """How far the plate's upper edge is from level."""
        (ax, ay), (bx, by) = self.quad[:2]
        return abs(math.degrees(math.atan2(by - ay, bx - ax)))


def read_scenes(drawn: Iterator[Drawn], count: int, recognizer: Recognizer) -> list[Answer]:
    """What was read of COUNT plates or more."""
    answers: list[Answer] = []
    while len(answers) < count:
        scene = next(drawn)
        reads = recognizer.read(scene.image)
        for text, quad in scene.plates:
            here = [read for read in reads if _overlap(read, quad) > SAME_MIN]
            best = max(here, key=lambda read: read.read.confidence, default=None)
            answers.append(Answer(text, quad, _light(scene.image, quad), best))
    return answers


def _light(image: Image, quad: Quad) -> float:
    within = cv2.fillConvexPoly(np.zeros(image.shape[:2], np.uint8), np.array(quad).astype(np.int32), 1)
    return float(np.mean(cv2.mean(image, within)[:3]))


def _overlap(read: LocatedRead, quad: Quad) -> float:
    """Intersection over the smaller one."""
    one, two = np.array(read.corners, np.float32), np.array(quad, np.float32)
    both = float(cv2.intersectConvexConvex(one, two)[0])
    return both / max(1e-6, min(cv2.contourArea(one), cv2.contourArea(two)))
