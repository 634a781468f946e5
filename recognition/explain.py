"""A picture that tells how the plates in an image were read: corners, the straightened plate, every character.

For people who wonder about one read. Deliberately not here: reading itself (`recognizer.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.frame import Image
from recognition.looks import COUNTRY_MIN
from recognition.ocr import Options
from recognition.recognizer import LocatedRead
from recognition.roi import WHOLE, Roi

WIDTH_PX = 960
PHOTO_HEIGHT_MAX_PX = 720
CROP_HEIGHT_PX = 96
BAR_HEIGHT_PX = 60
COLUMN_PX = 84
LINE_PX = 20
OPTIONS_LEN_MAX = 4
COUNTRIES_LEN_MAX = 3
BEYOND_SHARE = 0.4
"""Of their brightness that pixels beyond the region of interest keep."""

CHIP_PX = (22, 20)
"""Of a plate's number, on a ground of its own: over chrome and lamps nothing else can be read."""

_GROUND = (0, 0, 0)
_INK = (235, 235, 235)
_DIM = (150, 150, 150)
_YES = (90, 200, 90)
_NO = (80, 80, 235)
_CHANGED = (60, 190, 250)


def explain(image: Image, reads: Sequence[LocatedRead], roi: Roi = WHOLE) -> Image:
    """(H, 960, 3) uint8 BGR: the image with its plates outlined, and below it a panel a plate, surest first.

    What lies beyond the region of interest is darker.
    """
    parts = [_photo(_lit(image, roi), reads)]
    parts += [_panel(number, read) for number, read in enumerate(reads, 1)]
    if not reads:
        parts.append(_lines(["no plate found"], _DIM))
    return np.vstack(parts)


def _lit(image: Image, roi: Roi) -> Image:
    if not roi.corners:
        return image
    outline = [np.round(roi.outline(image)).astype(np.int32)]
    lit = (image * BEYOND_SHARE).astype(np.uint8)
    inside = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), outline, 1).astype(bool)
    lit[inside] = image[inside]
    cv2.polylines(lit, outline, True, _CHANGED, max(2, image.shape[1] // 400), cv2.LINE_AA)
    return lit


def _photo(image: Image, reads: Sequence[LocatedRead]) -> Image:
    scale = min(WIDTH_PX / image.shape[1], PHOTO_HEIGHT_MAX_PX / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    canvas = np.zeros((size[1], WIDTH_PX, 3), np.uint8)
    canvas[:, : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    for number, read in enumerate(reads, 1):
        points = np.round(np.array(read.corners) * scale * 16).astype(np.int32)
        colour = _YES if read.accepted else _NO
        cv2.polylines(canvas, [points], True, colour, 2, cv2.LINE_AA, 4)
        _chip(canvas, number, points / 16, colour)
    return canvas


def _chip(canvas: Image, number: int, points: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    """The number above the plate, or below one that lies at the upper edge; wholly in the picture."""
    (left, top), bottom = points.min(0), points[:, 1].max()
    wide, high = CHIP_PX[0] + 10 * (len(str(number)) - 1), CHIP_PX[1]
    x = min(max(0, int(left)), canvas.shape[1] - wide)
    y = int(top) - high - 3 if top >= high + 3 else int(bottom) + 3
    y = max(0, min(y, canvas.shape[0] - high))
    cv2.rectangle(canvas, (x, y), (x + wide, y + high), colour, -1)
    _write(canvas, str(number), (x + 5, y + high - 5), _GROUND, 0.5)


def _panel(number: int, read: LocatedRead) -> Image:
    """The plate straightened beside what was made of it, and its characters with their alternatives."""
    verdict = "accepted" if read.accepted else f"not accepted: {read.rejected.value if read.rejected else ''}"
    together = math.prod(options[0][1] for options in read.read.alternatives)
    told = [
        f"{number}: {read.read.plate.display()}   {read.read.confidence:.4f}   {verdict}",
        _country(read),
        f"detector {read.score:.2f}, {read.width_px:.0f} px wide; characters together {together:.4f}",
        _change(read),
    ]
    head = np.zeros((CROP_HEIGHT_PX + 12, WIDTH_PX, 3), np.uint8)
    wide = min(WIDTH_PX // 2, round(read.crop.shape[1] * CROP_HEIGHT_PX / read.crop.shape[0]))
    head[6 : 6 + CROP_HEIGHT_PX, :wide] = cv2.resize(read.crop, (wide, CROP_HEIGHT_PX))
    for at, line in enumerate(told):
        _write(head, line, (wide + 12, 24 + at * (LINE_PX + 2)), _DIM if at else _INK, 0.5)
    lines = min(OPTIONS_LEN_MAX, max((len(options) for options in read.read.alternatives), default=1))
    table = np.zeros((BAR_HEIGHT_PX + (lines + 1) * LINE_PX, WIDTH_PX, 3), np.uint8)
    for at, options in enumerate(read.read.alternatives):
        changed = len(read.spelled) == len(read.read.alternatives) and read.spelled[at] != options[0][0]
        _character(table, at * COLUMN_PX + 8, options, changed)
    return np.vstack([head, table])


def _country(read: LocatedRead) -> str:
    """The country that the text is taken for, and what the reader says of it."""
    said = ", ".join(f"{sign} {value:.2f}" for sign, value in read.countries[:COUNTRIES_LEN_MAX]) or "nothing"
    if read.read.plate.country:
        return f"country {read.read.plate.country} (reader: {said})"
    sign, sure = read.countries[0] if read.countries else ("?", 0.0)
    if sign != "?" and sure >= COUNTRY_MIN:
        return f"country left open: the text fits no layout of {sign} (reader: {sign} {sure:.2f})"
    return f"country left open: not sure (reader: {said})"


def _change(read: LocatedRead) -> str:
    """What the country's layout made of the text."""
    was, now = read.spelled, read.read.plate.key
    if was == now:
        return "the layouts changed nothing"
    return f"the layouts changed {was} to {now}"


def _character(canvas: Image, x: int, options: Options, changed: bool) -> None:
    best = options[0][1]
    colour = _CHANGED if changed else _YES if best > 0.9 else _NO if best < 0.5 else _INK
    bar = round(BAR_HEIGHT_PX * best)
    cv2.rectangle(canvas, (x, BAR_HEIGHT_PX - bar), (x + 18, BAR_HEIGHT_PX), colour, -1)
    for at, (char, value) in enumerate(options[:OPTIONS_LEN_MAX]):
        y = BAR_HEIGHT_PX + (at + 1) * LINE_PX
        _write(canvas, f"{char} {value:.3f}", (x, y), colour if at == 0 else _DIM, 0.45)


def _lines(texts: Sequence[str], colour: tuple[int, int, int]) -> Image:
    canvas = np.zeros((12 + LINE_PX * len(texts), WIDTH_PX, 3), np.uint8)
    for at, text in enumerate(texts):
        _write(canvas, text, (12, 20 + at * LINE_PX), colour, 0.5)
    return canvas


def _write(canvas: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
