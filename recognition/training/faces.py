"""Free typefaces as glyph masks, beside our own hands: training only, so that the reader sees many shapes.

Reads TTF and WOFF files from a folder that is kept out of the repository; `docs/training.md` says which files and
how they are got. Without the folder training uses our own letterforms alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognition.training.glyphs import CHARACTERS, GLYPH_HEIGHT_PX, Image

_STEPS = np.linspace(0.0, 1.0, 7)[1:]


class _Contours:
    """A fontTools pen that flattens curves; `done` holds one point array a contour."""

    def __init__(self) -> None:
        self.done: list[list[tuple[float, float]]] = []

    def moveTo(self, point: tuple[float, float]) -> None:
        self.done.append([point])

    def lineTo(self, point: tuple[float, float]) -> None:
        self.done[-1].append(point)

    def curveTo(self, *points: tuple[float, float]) -> None:
        start = np.array(self.done[-1][-1])
        one, two, end = (np.array(point) for point in points)
        for t in _STEPS:
            at = (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * two + t**3 * end
            self.done[-1].append((float(at[0]), float(at[1])))

    def qCurveTo(self, *points: tuple[float, float] | None) -> None:
        from fontTools.pens.basePen import decomposeQuadraticSegment

        if points[-1] is None:
            # A contour of control points only begins halfway between the last and the first.
            around = [point for point in points if point is not None]
            begin = (around[-1][0] + around[0][0]) / 2, (around[-1][1] + around[0][1]) / 2
            self.done.append([begin])
            points = (*around, begin)
        for control, end in decomposeQuadraticSegment(points):
            start = np.array(self.done[-1][-1])
            for t in _STEPS:
                at = (1 - t) ** 2 * start + 2 * (1 - t) * t * np.array(control) + t**2 * np.array(end)
                self.done[-1].append((float(at[0]), float(at[1])))

    def closePath(self) -> None:
        pass

    def endPath(self) -> None:
        pass


def _mask(contours: Sequence[Sequence[tuple[float, float]]], capital_height: float) -> Image | None:
    shapes = [np.array(contour, np.float64) for contour in contours if len(contour) > 2]
    if not shapes:
        return None
    everything = np.vstack(shapes)
    low, high = everything.min(0), everything.max(0)
    # Umlauts reach above the capitals and are pressed into the same height, as plates do it.
    scale_y = GLYPH_HEIGHT_PX / max(high[1] - low[1], 1.0)
    scale_x = GLYPH_HEIGHT_PX / capital_height
    width = max(4, round((high[0] - low[0]) * scale_x))
    canvas = np.zeros((GLYPH_HEIGHT_PX, width), np.uint8)
    areas = [float(cv2.contourArea(shape.astype(np.float32), oriented=True)) for shape in shapes]
    outer = areas[int(np.argmax(np.abs(areas)))] > 0
    for index in sorted(range(len(shapes)), key=lambda at: -abs(areas[at])):
        pixels = np.stack([(shapes[index][:, 0] - low[0]) * scale_x, (high[1] - shapes[index][:, 1]) * scale_y], 1)
        fill = 255 if (areas[index] > 0) == outer else 0
        cv2.fillPoly(canvas, [np.round(pixels * 16).astype(np.int32)], fill, cv2.LINE_AA, 4)
    return canvas


def read_face(path: Path) -> dict[str, Image]:
    """Masks of the plate characters that the typeface at PATH has; OSError or a fontTools error if unreadable."""
    from fontTools.ttLib import TTFont

    font: Any = TTFont(path, lazy=True)
    glyphs, names = font.getGlyphSet(), font.getBestCmap()

    def contours(char: str) -> list[list[tuple[float, float]]]:
        pen = _Flattening(glyphs)
        glyphs[names[ord(char)]].draw(pen)
        return pen.done

    reference = np.vstack([np.array(contour) for contour in contours("H")])
    capital = float(reference[:, 1].max() - reference[:, 1].min())
    masks = {char: _mask(contours(char), capital) for char in CHARACTERS if ord(char) in names}
    return {char: mask for char, mask in masks.items() if mask is not None}


class _Flattening(_Contours):
    """Composite glyphs (the umlauts) are drawn through their parts."""

    def __init__(self, glyphs: Any) -> None:
        super().__init__()
        self._glyphs = glyphs

    def addComponent(self, name: str, transform: tuple[float, ...]) -> None:
        from fontTools.pens.transformPen import TransformPen

        self._glyphs[name].draw(TransformPen(self, transform))


def read_faces(folder: Path) -> list[dict[str, Image]]:
    """Every complete face in FOLDER, in the order of the names, so that a seed picks the same one again."""
    files = sorted(path for path in folder.glob("*") if path.suffix in (".ttf", ".woff", ".otf"))
    faces = [read_face(path) for path in files]
    return [face for face in faces if all(char in face for char in CHARACTERS)]
