"""Measures what the reader finds in frames with boxes: how many of them, and what it takes for a plate without one.

    python -m recognition.training.evaluate_finds STREET/street.csv [--part valid] [--out build/evaluation]

The table has the columns image, part, x, y, w, h. Labels miss plates, so every find without a box is drawn into
`finds.png`, to be judged by eye. Deliberately not here: whether texts are right (`evaluate.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from recognition.choice import Models, load_recognizer
from recognition.frame import Image
from recognition.recognizer import LocatedRead, Recognizer
from recognition.training.scenes import StreetFrame
from recognition.training.train_detector import load_frames

MET_AT = 0.5
"""Intersection over union of a find's upright box and a label from which the label is found."""

TOUCHED_AT = 0.3
"""Share of the smaller box from which a find belongs to a label, if badly placed."""

WIDE_PX = 90.0
TILE_PX = (360, 200)
COLUMNS = 3

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass(frozen=True, slots=True)
class Finds:
    """Counts over frames; `stray` are the finds without a box, with their frames."""

    frames: int
    boxes: int
    met: int
    wide: int
    wide_met: int
    stray: tuple[tuple[Image, LocatedRead], ...]


def count(frames: Sequence[StreetFrame], recognizer: Recognizer) -> Finds:
    """Every frame read once."""
    met: list[bool] = []
    wide: list[bool] = []
    stray: list[tuple[Image, LocatedRead]] = []
    for frame in frames:
        reads = recognizer.read(np.ascontiguousarray(frame.image, np.uint8))
        places = [_box(read) for read in reads]
        for box in frame.boxes:
            found = any(_shares(box, place)[0] >= MET_AT for place in places)
            met.append(found)
            wide += [found] if box[2] >= WIDE_PX else []
        for read, place in zip(reads, places, strict=True):
            if not any(_shares(box, place)[1] > TOUCHED_AT for box in frame.boxes):
                stray.append((np.asarray(frame.image, np.uint8), read))
    return Finds(len(frames), len(met), sum(met), len(wide), sum(wide), tuple(stray))


def _box(read: LocatedRead) -> Box:
    low, high = np.array(read.corners).min(0), np.array(read.corners).max(0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def _shares(one: Box, two: Box) -> tuple[float, float]:
    """Intersection over union, and over the smaller one."""
    wide = min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    high = min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    both = max(0.0, wide) * max(0.0, high)
    areas = one[2] * one[3], two[2] * two[3]
    return both / max(sum(areas) - both, 1e-6), both / max(min(areas), 1e-6)


def sheet(stray: Sequence[tuple[Image, LocatedRead]]) -> Image:
    """A tile a find: its surroundings with its outline, and what was read there."""
    tiles = [np.full((TILE_PX[1], TILE_PX[0], 3), 30, np.uint8) for _ in range(-len(stray) % COLUMNS)]
    if not stray:
        tiles = [np.full((TILE_PX[1], TILE_PX[0], 3), 30, np.uint8)] * COLUMNS
    tiles = [_tile(frame, read) for frame, read in stray] + tiles
    return np.vstack([np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)])


def _tile(frame: Image, read: LocatedRead) -> Image:
    points = np.array(read.corners)
    scale = TILE_PX[0] / max(200.0, 2.2 * read.width_px)
    shift = np.array([TILE_PX[0] / 2, TILE_PX[1] / 2 - 14]) - points.mean(0) * scale
    view = np.column_stack([np.eye(2) * scale, shift])
    tile = np.asarray(cv2.warpAffine(frame, view, TILE_PX), np.uint8)
    cv2.polylines(tile, [np.round(points * scale + shift).astype(np.int32)], True, (60, 220, 60), 1, cv2.LINE_AA)
    tile[-28:] = 30
    why = "accepted" if read.rejected is None else read.rejected.value
    said = f"{read.read.plate.key} {read.read.confidence:.2f} {why}, find {read.score:.2f}"
    cv2.putText(tile, said, (6, TILE_PX[1] - 9), 0, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return tile


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--part", default="valid")
    parser.add_argument("--out", type=Path, default=Path("build/evaluation"))
    parser.add_argument("--detector", default=Models().detector)
    options = parser.parse_args()
    frames = load_frames(options.table, options.part)
    finds = count(frames, load_recognizer(Models(detector=options.detector)))
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out / "finds.png"), sheet(finds.stray))
    accepted = sum(read.accepted for _, read in finds.stray)
    print(f"{finds.frames} frames: {finds.met} of {finds.boxes} boxes found at {MET_AT}")
    print(f"{finds.wide_met} of the {finds.wide} that are at least {WIDE_PX:.0f} px wide")
    print(f"{len(finds.stray)} finds without a box, {accepted} accepted: judge them by eye")
    print(options.out / "finds.png")


if __name__ == "__main__":
    main()
