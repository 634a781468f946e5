"""What stands on a plate beside its letters: bands, flags, shields, seals, stickers, hyphens, screws, dirt.

All are drawn roughly: at the size a camera sees them they are coloured blobs, and the reader must learn that they
are no letters. Boxes are (x, y, width, height) in pixels of the canvas, which is changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import cv2
import numpy as np

from recognition.training.glyphs import HANDS, Image, alphabet
from recognition.training.styles import BLUE, Colour

Box = tuple[float, float, float, float]

_STAR: Colour = (30, 210, 245)
_BRIGHT: tuple[Colour, ...] = (
    (30, 30, 200), (200, 80, 20), (40, 160, 40), (30, 200, 240), (240, 240, 240), (20, 20, 20), (30, 110, 230),
)  # fmt: skip


@cache
def _small_letters() -> Mapping[str, Image]:
    return alphabet(HANDS["din"])


def stamp(canvas: Image, mask: Image, box: Box, ink: Colour) -> None:
    """Blend INK into BOX where MASK covers; what lies outside the canvas is cut off."""
    x, y, width, height = round(box[0]), round(box[1]), max(1, round(box[2])), max(1, round(box[3]))
    left, top = max(0, x), max(0, y)
    right, bottom = min(canvas.shape[1], x + width), min(canvas.shape[0], y + height)
    if right <= left or bottom <= top:
        return
    scaled = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    cover = scaled[top - y : bottom - y, left - x : right - x, None].astype(np.float32) / 255.0
    part = canvas[top:bottom, left:right]
    part[:] = np.rint(part * (1.0 - cover) + np.array(ink, np.float32) * cover).astype(np.uint8)


def small_text(canvas: Image, text: str, centre: tuple[float, float], height: float, ink: Colour) -> None:
    """TEXT centred at CENTRE, HEIGHT pixels high, in plain letters; characters unknown to the hand are gaps."""
    letters = _small_letters()
    widths = [
        letters[char].shape[1] / letters[char].shape[0] * height if char in letters else height * 0.4
        for char in text
    ]
    x = centre[0] - (sum(widths) + 0.12 * height * (len(text) - 1)) / 2
    for char, width in zip(text, widths, strict=True):
        if char in letters:
            stamp(canvas, letters[char], (x, centre[1] - height / 2, width, height), ink)
        x += width + 0.12 * height


def _rect(canvas: Image, box: Box, colour: Colour) -> None:
    x, y, width, height = box
    cv2.rectangle(canvas, (round(x), round(y)), (round(x + width) - 1, round(y + height) - 1), colour, -1)


def _disc(canvas: Image, x: float, y: float, radius: float, colour: Colour, thickness: int = -1) -> None:
    cv2.circle(canvas, (round(x), round(y)), max(1, round(radius)), colour, thickness, cv2.LINE_AA)


def _any_colour(rng: np.random.Generator) -> Colour:
    return _BRIGHT[int(rng.integers(len(_BRIGHT)))]


def hyphen(canvas: Image, box: Box, ink: Colour, rng: np.random.Generator) -> None:
    """A stroke (now and then a dot) in the middle of the box."""
    x, y, width, height = box
    if rng.random() < 0.08:
        _disc(canvas, x + width / 2, y + height / 2, height * 0.09, ink)
        return
    thick = height * rng.uniform(0.1, 0.17)
    long = width * rng.uniform(0.42, 0.75)
    _rect(canvas, (x + (width - long) / 2, y + height * rng.uniform(0.47, 0.53) - thick / 2, long, thick), ink)


def shield(canvas: Image, box: Box, rng: np.random.Generator) -> None:
    """The Croatian coat of arms: five by five red and white fields under a small blue crown."""
    x, y, width, height = box
    side = width * rng.uniform(0.62, 0.85)
    tall = side * 1.15
    left, top = x + (width - side) / 2, y + (height - tall) / 2 + rng.uniform(-0.06, 0.1) * height
    red = (int(rng.integers(25, 110)), int(rng.integers(20, 100)), int(rng.integers(150, 225)))
    for row in range(5):
        for column in range(5):
            colour = red if (row + column) % 2 == 0 else (235, 235, 235)
            if row < 4 or 0 < column < 4:
                _rect(canvas, (left + column * side / 5, top + row * tall / 5, side / 5 + 1, tall / 5 + 1), colour)
    if rng.random() < 0.7:
        _rect(canvas, (left, top - side * 0.22, side, side * 0.22), (190, 120, 60))


def arms(canvas: Image, box: Box, rng: np.random.Generator) -> None:
    """Some region's coat of arms: a shield of one or two colours with a charge."""
    x, y, width, height = box
    side, tall = width * rng.uniform(0.5, 0.8), width * rng.uniform(0.6, 0.95)
    left, top = x + (width - side) / 2, y + (height - tall) * rng.uniform(0.3, 0.7)
    outline = np.array([[0, 0], [1, 0], [1, 0.6], [0.5, 1], [0, 0.6]]) * (side, tall) + (left, top)
    shape = [np.round(outline * 16).astype(np.int32)]
    cv2.fillPoly(canvas, shape, _any_colour(rng), cv2.LINE_AA, 4)
    if rng.random() < 0.6:
        half = (left, top, side, tall * 0.45) if rng.random() < 0.5 else (left, top, side / 2, tall * 0.6)
        _rect(canvas, half, _any_colour(rng))
    for _ in range(int(rng.integers(1, 4))):
        centre = (left + side * rng.uniform(0.3, 0.7), top + tall * rng.uniform(0.2, 0.6))
        _disc(canvas, *centre, side * rng.uniform(0.08, 0.25), _any_colour(rng))
    if rng.random() < 0.5:
        cv2.polylines(canvas, shape, True, (30, 30, 30), 1, cv2.LINE_AA, 4)


def seals(canvas: Image, box: Box, rng: np.random.Generator) -> None:
    """The German round seals: the inspection's above, the district's below; either may be missing."""
    x, y, width, height = box
    radius = min(width * 0.42, height * 0.27) * rng.uniform(0.8, 1.05)
    middle = x + width / 2
    if rng.random() < 0.9:
        colour = _BRIGHT[int(rng.choice([0, 1, 2, 3, 6, 4]))]
        _disc(canvas, middle, y + height * 0.22, radius, colour)
        _disc(canvas, middle, y + height * 0.22, radius, (40, 40, 40), 1)
        _disc(
            canvas,
            middle,
            y + height * 0.22,
            radius * 0.45,
            (230, 230, 230) if rng.random() < 0.6 else (30, 30, 30),
        )
    if rng.random() < 0.9:
        grey = int(rng.integers(150, 225))
        _disc(canvas, middle, y + height * 0.76, radius, (grey, grey, grey))
        _disc(canvas, middle, y + height * 0.76, radius, (70, 70, 70), 1)
        _disc(canvas, middle, y + height * 0.76, radius * 0.5, _any_colour(rng))


def stickers(canvas: Image, box: Box, rng: np.random.Generator) -> None:
    """One or two small stickers above one another (Czech, Lithuanian, Swedish)."""
    x, y, width, height = box
    for middle in (0.28, 0.74) if rng.random() < 0.6 else (0.5,):
        size = width * rng.uniform(0.45, 0.7)
        if rng.random() < 0.5:
            _disc(canvas, x + width / 2, y + height * middle, size / 2, _any_colour(rng))
        else:
            _rect(canvas, (x + (width - size) / 2, y + height * middle - size / 2, size, size), _any_colour(rng))
        _disc(canvas, x + width / 2, y + height * middle, size * 0.2, _any_colour(rng))


def hologram(canvas: Image, box: Box, rng: np.random.Generator) -> None:
    """A faint disc between the groups (Polish)."""
    x, y, width, height = box
    grey = int(rng.integers(170, 225))
    _disc(canvas, x + width / 2, y + height * rng.uniform(0.3, 0.7), width * 0.25, (grey, grey, grey))


def left_band(canvas: Image, box: Box, kind: str, letters: str, rng: np.random.Generator) -> None:
    """The band of KIND (see `styles.Look`) with the country's LETTERS."""
    x, y, width, height = box
    colour: Colour = (80, 150, 30) if kind == "green" else BLUE
    if kind == "arms":
        arms(canvas, (x, y + height * 0.1, width, height * 0.6), rng)
        small_text(canvas, letters, (x + width / 2, y + height * 0.82), width * 0.32, (40, 40, 40))
        return
    jitter = rng.integers(-25, 26, 3)
    colour = (
        int(np.clip(colour[0] + jitter[0], 0, 255)),
        int(np.clip(colour[1] + jitter[1], 0, 255)),
        int(np.clip(colour[2] + jitter[2], 0, 60)),
    )
    _rect(canvas, box, colour)
    if kind == "eu" and rng.random() < 0.93:
        _stars(canvas, (x + width / 2, y + height * 0.32), min(width * 0.32, height * 0.22))
    if kind == "flag":
        _rect(canvas, (x + width * 0.2, y + height * 0.2, width * 0.6, height * 0.14), _any_colour(rng))
        _rect(canvas, (x + width * 0.2, y + height * 0.34, width * 0.6, height * 0.12), _any_colour(rng))
    size = min(height * 0.24, width * (0.62 if len(letters) < 2 else 0.5 if len(letters) < 3 else 0.36))
    small_text(canvas, letters, (x + width / 2, y + height * 0.78), size, (245, 245, 245))


def _stars(canvas: Image, centre: tuple[float, float], radius: float) -> None:
    for step in range(12):
        angle = step * np.pi / 6
        _disc(canvas, centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), radius * 0.17, _STAR)


def right_band(canvas: Image, box: Box, kind: str, rng: np.random.Generator) -> None:
    """The right band of KIND: French department, Italian province, validity, Portuguese year."""
    x, y, width, height = box
    digits = f"{int(rng.integers(1, 96)):02d}"
    middle = x + width / 2
    if kind == "validity":
        small_text(
            canvas, f"{int(rng.integers(1, 13)):02d}", (middle, y + height * 0.3), height * 0.3, (240, 240, 240)
        )
        small_text(canvas, digits, (middle, y + height * 0.7), height * 0.3, (240, 240, 240))
        return
    if kind == "year":
        _rect(canvas, box, (40, 190, 240))
        small_text(canvas, digits, (middle, y + height * 0.3), height * 0.22, (30, 30, 30))
        small_text(
            canvas, f"{int(rng.integers(1, 13)):02d}", (middle, y + height * 0.7), height * 0.22, (30, 30, 30)
        )
        return
    _rect(canvas, box, (int(rng.integers(130, 190)), int(rng.integers(50, 110)), int(rng.integers(0, 40))))
    if kind == "department":
        _department_logo(canvas, (x + width * 0.12, y + height * 0.06, width * 0.76, height * 0.46), rng)
        text = "2" + "AB"[int(rng.integers(2))] if rng.random() < 0.06 else digits
        small_text(canvas, text, (middle, y + height * 0.76), height * rng.uniform(0.24, 0.34), (245, 245, 245))
    elif kind == "province":
        _disc(canvas, middle, y + height * 0.25, width * 0.3, _STAR, -1 if rng.random() < 0.3 else 2)
        pair = "".join(chr(65 + int(code)) for code in rng.integers(0, 26, 2))
        small_text(canvas, pair, (middle, y + height * 0.76), height * 0.25, (245, 245, 245))


def _department_logo(canvas: Image, box: Box, rng: np.random.Generator) -> None:
    x, y, width, height = box
    _rect(canvas, box, _any_colour(rng) if rng.random() < 0.6 else (240, 240, 240))
    for _ in range(int(rng.integers(1, 5))):
        part = (
            x + width * rng.uniform(0, 0.6),
            y + height * rng.uniform(0, 0.7),
            width * rng.uniform(0.15, 0.5),
            height * rng.uniform(0.1, 0.4),
        )
        if rng.random() < 0.5:
            _rect(canvas, part, _any_colour(rng))
        else:
            _disc(canvas, part[0] + part[2] / 2, part[1] + part[3] / 2, part[2] / 2, _any_colour(rng))


def dealer_line(canvas: Image, rng: np.random.Generator, ink: Colour) -> None:
    """The maker's or dealer's small line at the lower edge of the plate."""
    height, width = canvas.shape[:2]
    count = int(rng.integers(8, 30))
    text = "".join(" " if rng.random() < 0.15 else chr(65 + int(code)) for code in rng.integers(0, 26, count))
    size = height * rng.uniform(0.04, 0.075)
    small_text(canvas, text, (width * rng.uniform(0.3, 0.7), height - size * rng.uniform(0.7, 1.1)), size, ink)


def screws(canvas: Image, rng: np.random.Generator) -> None:
    """Two to four screws or rivets, some capped in the ground's colour, some dark."""
    height, width = canvas.shape[:2]
    shade = int(rng.integers(20, 240))
    row = rng.uniform(0.08, 0.9) if rng.random() < 0.6 else 0.5
    for share in (rng.uniform(0.12, 0.3), rng.uniform(0.7, 0.92)):
        _disc(canvas, width * share, height * row, height * rng.uniform(0.02, 0.05), (shade, shade, shade))


def dot(canvas: Image, box: Box, ink: Colour) -> None:
    """A point in the middle of the box, as plates older than the hyphen have it."""
    x, y, width, height = box
    _disc(canvas, x + width / 2, y + height / 2, height * 0.085, ink)


def scratches(canvas: Image, rng: np.random.Generator) -> None:
    """A few thin lines across letters and ground: scratches, hairs, a cable, a twig."""
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        shade = int(rng.choice([20, 90, 190, 250]))
        start = np.array([rng.uniform(0, width), rng.uniform(-0.2, 1.2) * height])
        angle = rng.uniform(0, np.pi)
        end = start + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.4, 1.8) * height
        ends = [tuple(int(value) for value in point) for point in (start, end)]
        cv2.line(canvas, ends[0], ends[1], (shade, shade, shade), int(rng.integers(1, 7)), cv2.LINE_AA)


def dirt(canvas: Image, rng: np.random.Generator) -> None:
    """Mud: soft brown or grey blotches, thicker towards the lower edge."""
    height, width = canvas.shape[:2]
    coarse = rng.random((max(2, height // 16), max(2, width // 16)), np.float32)
    cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((cloud - rng.uniform(0.45, 0.8)) * 2.0, 0.0, 1.0)[..., None] * rng.uniform(0.3, 0.8)
    mud = np.array(rng.uniform((40, 50, 60), (110, 120, 130)), np.float32)
    canvas[:] = np.rint(canvas * (1 - cover) + mud * cover).astype(np.uint8)
