"""Endless training views for the aligner: plates of made scenes, cut out as a rough find would, and what is none.

Deliberately not here: how scenes are made (`scenes.py`) and the net (`aligner_net.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.aligner import PLACES, PLATE_SIZE_PX, Quad, view_of
from recognition.detector import BuiltinDetector
from recognition.halves import Halves
from recognition.training.scenes import Image, Scene, StreetFrame, make_scene, noise_bank
from recognition.training.train_detector import PLATES, any_plate, load_frames, plate_number

SCENE_SIZE_PX = 320
VIEWS_PER_PLATE = 5
VIEWS_PER_BOX = 2
HIDDEN_SHARE = 0.25
"""So many of the drawn views again have an end behind something: what is left is not to be taken for a plate."""

NOTHING_PER_SCENE = 4
FALSE_FINDS_PER_SCENE = 2
FALSE_FIND_SCORES = (0.03, 0.45)
"""Detector's scores between which a find that is no labelled plate is taken for none; above, some lack a label."""

FRONTAL_ASPECTS = (4.0, 5.6)
BOX_TRUST = 0.1
"""A real box of a long plate's proportions is nearly the plate; others say nothing about the corners."""

DARK_SHARE = 0.2
DARK_BELOW = 95.0
"""So many of the drawn plates are light on dark, more than on the street: they were found least exactly."""

SHEARED_SHARE = 0.4
OVERHUNG_SHARE = 0.12
COVERED_SHARE = 0.3
"""So many of the drawn plates lie in the shadow of something above them, and of these so many have their upper edge
behind it: the corners were found too low there."""

SPOILED_SHARE = 0.35
POOL_VIEWS = 3000


@dataclass(frozen=True, slots=True)
class Views:
    """(N, 64, 128, 3) uint8 BGR; (N, 8) corner moves; (N,) their weights; (N,) 1 where a plate is, 0 where none."""

    pixels: NDArray[np.uint8]
    moves: NDArray[np.float32]
    weights: NDArray[np.float32]
    there: NDArray[np.float32]


View = tuple[Image, NDArray[np.float32], float, float]


def rough(quad: Quad, rng: np.random.Generator) -> Quad:
    """The quad as it may have been found: without its slant, turned, moved, of another size, each corner off."""
    middle = quad.mean(0)
    along, down = (quad[1] + quad[2] - quad[0] - quad[3]) / 2, (quad[2] + quad[3] - quad[0] - quad[1]) / 2
    wide = float(np.hypot(*along)) + 1e-6
    across = np.array([-along[1], along[0]]) / wide
    high = abs(float(down @ across))
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    level = middle + signs[:, :1] * along + signs[:, 1:] * across * high
    slant_kept = float(rng.uniform(0, 1)) if rng.random() < 0.5 else float(rng.choice([0.0, 1.0]))
    found = slant_kept * quad + (1 - slant_kept) * level
    wild = float(rng.choice([0.15, 0.5, 1.0]))
    angle = np.radians(rng.normal(0, 5)) * wild
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    unit = along / wide
    local = (found - middle) @ np.stack([unit, across], 1)
    local = local * np.exp(rng.normal(0, (0.10, 0.18)) * wild) @ turn
    local += rng.normal(0, 1, 2) * (0.05 * wide, 0.14 * high) * wild
    local += rng.normal(0, 1, (4, 2)) * (0.02 * wide, 0.07 * high) * wild
    return np.asarray(middle + local @ np.stack([unit, across]), np.float32)


def seen(image: Image, quad: Quad, found: Quad, trust: float) -> View | None:
    """The view of a find with the moves that would mend it; None if the find is no shape to look at."""
    if not cv2.isContourConvex(found) or cv2.contourArea(found) < 60:
        return None
    view, to_frame = view_of(Halves(np.asarray(image)), found)
    goal = cv2.perspectiveTransform(quad.reshape(-1, 1, 2).astype(np.float64), np.linalg.inv(to_frame)).reshape(
        4, 2
    )
    moves = (goal - PLACES) / PLATE_SIZE_PX
    if np.abs(moves).max() > 0.9:
        return None
    return view, moves.astype(np.float32).ravel(), trust, 1.0


def hidden(image: Image, quad: Quad, rng: np.random.Generator) -> View | None:
    """The view of a plate that another car or a post covers from one end."""
    share = float(rng.uniform(0.12, 0.6))
    lean = float(rng.normal(0, 0.08))
    cuts = (share + lean, share - lean)
    left = rng.random() < 0.5
    upper, lower = (quad[1] - quad[0], quad[2] - quad[3])
    ends = [quad[0] + upper * cuts[0], quad[3] + lower * cuts[1]]
    if not left:
        ends = [quad[1] - upper * cuts[0], quad[2] - lower * cuts[1]]
    visible = np.array([ends[0], quad[1], quad[2], ends[1]] if left else [quad[0], ends[0], ends[1], quad[3]])
    beyond = (upper + lower) / 2 * (-1.0 if left else 1.0) * rng.uniform(0.7, 1.5)
    edge = (ends[1] - ends[0]) * rng.uniform(0.5, 4.0)
    cover = np.array([ends[0] - edge, ends[1] + edge, ends[1] + edge + beyond, ends[0] - edge + beyond])
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(cover).astype(np.int32), 255, cv2.LINE_AA)
    if rng.random() < 0.5:
        other = np.roll(np.asarray(image), tuple(rng.integers(60, 260, 2)), (0, 1))
    else:
        other = np.full_like(np.asarray(image), 0) + rng.integers(0, 200, 3).astype(np.uint8)
    part = (cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.3, 1.2))) / 255.0)[..., None]
    covered = (np.asarray(image) * (1 - part) + other * part).astype(np.uint8)
    found = rough((visible if rng.random() < 0.7 else quad).astype(np.float32), rng)
    if not cv2.isContourConvex(found) or cv2.contourArea(found) < 60:
        return None
    return view_of(Halves(covered), found)[0], np.zeros(8, np.float32), 0.0, 0.0


def sheared(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene as seen by a camera that leans: what was level climbs, what was upright stays so."""
    slope = float(rng.normal(0, 0.28))
    middle = scene.image.shape[1] / 2
    move = np.array([[1.0, 0.0, 0.0], [slope, 1.0, -slope * middle]])
    image = cv2.warpAffine(scene.image, move, scene.image.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    quads = [[(float(x), float(y + slope * (x - middle))) for x, y in quad] for quad in scene.quads]
    inside = [all(0 < y < image.shape[0] for _, y in quad) for quad in quads]
    return Scene(image, quads, [t if ok else -1.0 for t, ok in zip(scene.trust, inside, strict=True)])


def overhung(image: Image, quad: Quad, rng: np.random.Generator) -> Image:
    """The picture with the shadow of a bumper or a lamp on the plate's upper part, or its upper edge behind one."""
    covered = rng.random() < COVERED_SHARE
    depths = float(rng.uniform(0.0, 0.16) if covered else rng.uniform(0.06, 0.5)) + rng.normal(0, 0.03, 2)
    left, right = quad[3] - quad[0], quad[2] - quad[1]
    lower = np.array([quad[0] + left * depths[0], quad[1] + right * depths[1]])
    beyond = (lower[1] - lower[0]) * float(rng.uniform(0.1, 0.6))
    lower += (-beyond, beyond)
    rise = (left + right) / 2 * float(rng.uniform(0.6, 2.5))
    mask = np.zeros(image.shape[:2], np.uint8)
    shape = np.array([lower[0], lower[1], lower[1] - rise, lower[0] - rise])
    cv2.fillConvexPoly(mask, np.round(shape).astype(np.int32), 255, cv2.LINE_AA)
    high = float(np.hypot(*left))
    soft = high * float(np.exp(rng.uniform(np.log(0.02), np.log(0.05 if covered else 0.2))))
    part = (cv2.GaussianBlur(mask, (0, 0), max(soft, 0.3)) / np.float32(255))[..., None]
    keep = 0.0 if covered else float(rng.uniform(0.08, 0.65))
    colour = float(rng.uniform(0, 60) if rng.random() < 0.7 else rng.uniform(60, 240)) if covered else 0.0
    return (np.asarray(image) * (1 - (1 - keep) * part) + colour * part).astype(np.uint8)


def spoiled(view: Image, rng: np.random.Generator) -> Image:
    """The view out of focus, in the dark, or both."""
    if rng.random() < 0.6:
        view = cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.5, 2.4)))
    if rng.random() < 0.6:
        view = (np.asarray(view) * rng.uniform(0.12, 0.7)).astype(np.uint8)
    return view


def nothing(image: Image, quads: Sequence[Quad], rng: np.random.Generator) -> View | None:
    """A view whose middle is no plate; parts of plates at its side are welcome."""
    size = np.array(image.shape[1::-1])
    middle = rng.uniform(0.1, 0.9, 2) * size
    if len(quads) and rng.random() < 0.4:
        quad = quads[int(rng.integers(len(quads)))]
        along = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
        down = (quad[2] + quad[3] - quad[0] - quad[1]) / 2
        side = 1 if rng.random() < 0.5 else -1
        step = (
            (rng.uniform(0.75, 1.3), rng.uniform(-0.3, 0.3))
            if rng.random() < 0.5
            else (rng.uniform(-0.3, 0.3), 1.2)
        )
        middle = quad.mean(0) + side * (step[0] * along + step[1] * down)
        wide, high = float(np.hypot(*along)), float(np.hypot(*down))
    else:
        wide = float(np.exp(rng.uniform(np.log(24), np.log(220))))
        high = wide / rng.uniform(1.6, 6.0)
    for quad in quads:
        reach = (np.abs(quad - quad.mean(0)).max(0) * 1.1).astype(np.float64)
        if np.all(np.abs(middle - quad.mean(0)) < np.maximum(reach, 5.0)):
            return None
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    found = (middle + signs * (wide, high)).astype(np.float32)
    return view_of(Halves(np.asarray(image)), found)[0], np.zeros(8, np.float32), 0.0, 0.0


def _of_scene(scene: Scene, rng: np.random.Generator) -> Iterator[View | None]:
    quads = [np.array(quad, np.float32) for quad in scene.quads]
    for quad, trust in zip(quads, scene.trust, strict=True):
        if trust < 0:
            continue
        drawn = trust == 1.0
        if not drawn:
            wide, high = quad[1, 0] - quad[0, 0], quad[3, 1] - quad[0, 1]
            long = FRONTAL_ASPECTS[0] < wide / max(high, 1.0) < FRONTAL_ASPECTS[1]
            trust = BOX_TRUST if long and abs(quad[1, 1] - quad[0, 1]) < 0.1 * high else 0.0
        image = overhung(scene.image, quad, rng) if drawn and rng.random() < OVERHUNG_SHARE else scene.image
        for _ in range(VIEWS_PER_PLATE if drawn else VIEWS_PER_BOX):
            yield seen(image, quad, rough(quad, rng), trust)
            if drawn and rng.random() < HIDDEN_SHARE:
                yield hidden(scene.image, quad, rng)
    for _ in range(NOTHING_PER_SCENE):
        yield nothing(scene.image, quads, rng)


def false_finds(frames: Sequence[StreetFrame]) -> list[Image]:
    """Views of what the detector that ships would take for a plate in frames where none is labelled."""
    detector = BuiltinDetector(detect_at=FALSE_FIND_SCORES[0])
    views: list[Image] = []
    for frame in frames:
        halves = Halves(np.asarray(frame.image))
        for one in detector.detect(halves).plates:
            quad = np.array(one.corners, np.float32)
            if one.score < FALSE_FIND_SCORES[1] and not any(_touches(quad, box) for box in frame.boxes):
                views.append(view_of(halves, quad)[0])
    return views


def _touches(quad: Quad, box: tuple[float, float, float, float]) -> bool:
    (left, top), (right, bottom) = quad.min(0), quad.max(0)
    x, y, w, h = box
    return bool(left < x + w + w / 2 and x - w / 2 < right and top < y + 2 * h and y - h < bottom)


def make_views(table: Path, seed: int | tuple[int, ...], size: int) -> Iterator[Views]:
    """Batches of SIZE views for ever, mixed over many scenes; TABLE lists the street's frames."""
    rng = np.random.default_rng(seed)
    frames = load_frames(table, "train")
    wrong = false_finds(frames)
    noise = noise_bank()
    dark = [plate for plate in map(plate_number, range(PLATES)) if plate.mean() < DARK_BELOW]

    def draw(rng: np.random.Generator) -> Image:
        return dark[int(rng.integers(len(dark)))] if rng.random() < DARK_SHARE else any_plate(rng)

    pool: list[View] = []
    while True:
        while len(pool) < POOL_VIEWS:
            scene = make_scene(frames, draw, SCENE_SIZE_PX, rng, noise)
            if rng.random() < SHEARED_SHARE:
                scene = sheared(scene, rng)
            pool.extend(view for view in _of_scene(scene, rng) if view is not None)
            for _ in range(FALSE_FINDS_PER_SCENE if wrong else 0):
                view = wrong[int(rng.integers(len(wrong)))]
                pool.append((view, np.zeros(8, np.float32), 0.0, 0.0))
        rows = [pool.pop(int(rng.integers(len(pool)))) for _ in range(size)]
        rows = [(spoiled(row[0], rng), *row[1:]) if rng.random() < SPOILED_SHARE else row for row in rows]
        yield Views(*(np.stack([np.asarray(row[at]) for row in rows]) for at in range(2)),  # type: ignore[arg-type]
                    *(np.array([row[at] for row in rows], np.float32) for at in (2, 3)))  # fmt: skip
