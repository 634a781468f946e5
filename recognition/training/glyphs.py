"""Our own plate letterforms: A-Z, 0-9 and ÄÖÜ as centre lines that are stroked, and their perturbations.

Needs numpy and cv2 alone, because the simulated camera draws plates with it as well. No typeface is read here
(`faces.py` reads free ones, for training only), and nothing is laid out (`draw.py`).

A glyph is a list of lines; a line is vertices in a box of width and height 1 (y down), each corner rounded.
The shapes were drawn for this project by looking at how plates of each family differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Point = tuple[float, float]
Line = tuple[tuple[Point, ...], bool]  # vertices, closed

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ"
GLYPH_HEIGHT_PX = 96
OUT_OF_SHAPE = 0.014
"""Of a letter's size: how far `uneven` moves its parts."""


@dataclass(frozen=True, slots=True)
class Hand:
    """How one alphabet is written. Sizes are fractions of the letter height."""

    weight: float = 0.135  # stroke
    width: float = 0.56  # outer width of O
    round: float = 0.30  # corner radius
    ellipse: float = 0.0  # 0: rounded rectangle, 1: ellipse
    square_ends: float = 0.6  # share of the stroke that is drawn with a square pen
    wide_mw: float = 1.05  # M and W beside O where there is no spread
    spread: float = 0.0  # how much M and W are wider, I and 1 narrower than O (0: one cell for all)
    slashed_zero: bool = False  # FE: a slit cuts the zero at the top right
    wide_o: float = 1.0  # O beside 0
    serif_i: bool = False  # I and 1 stand on a foot
    flag_one: float = 0.5  # length of the one's flag
    deep_m: float = 0.55  # how far the middle of M reaches down
    high_w: float = 0.35  # how far down the middle of W begins
    curved_six: bool = True  # 6 and 9 as bowls with a curved back, else with a straight slanting back
    open_four: bool = False
    flat_three: bool = False
    spur_g: bool = False
    bar_g: float = 0.55  # how far down G's bar lies
    long_g: float = 0.45  # length of G's bar
    waist: float = 0.47  # how far down the strokes of 3, 8, B, E, S meet
    loop: float = 0.58  # height of the closed loop of 6 and 9
    high_y: float = 0.5  # where the arms of Y meet
    tail_q: float = 0.3
    hook: float = 1.0  # how far open strokes curl back (2, 3, 5, 6, 9, C, G, J, S)


# One hand per family of plates; the tables of `styles.py` name them.
HANDS: dict[str, Hand] = {
    "din": Hand(weight=0.15, width=0.56, round=0.28, wide_o=1.08),
    "fe": Hand(weight=0.13, width=0.60, round=0.24, slashed_zero=True, wide_o=1.08, serif_i=True, deep_m=0.5,
               high_w=0.45, spur_g=True, curved_six=False, open_four=False, flag_one=0.6, tail_q=0.4),
    "croatian": Hand(weight=0.12, width=0.47, round=0.24, ellipse=0.1, wide_o=1.03, deep_m=0.6, high_w=0.35,
                     flag_one=0.35),
    "french": Hand(weight=0.13, width=0.58, wide_mw=0.96, round=0.32, ellipse=0.2, square_ends=0.5,
                   deep_m=0.5, tail_q=0.35),
    "dutch": Hand(weight=0.13, width=0.66, round=0.34, ellipse=0.3, spread=0.3, wide_o=1.05, deep_m=0.75,
                  high_w=0.1),
    "italian": Hand(weight=0.12, width=0.54, round=0.30, ellipse=0.3, deep_m=0.5, flag_one=0.4, bar_g=0.67,
                    flat_three=True),
    "british": Hand(weight=0.175, width=0.63, round=0.27, square_ends=0.9, deep_m=0.6, high_w=0.3, flag_one=0.3),
    "swiss": Hand(weight=0.135, width=0.56, round=0.30, ellipse=0.4, deep_m=1.0, high_w=0.0, spread=0.3),
    "nordic": Hand(weight=0.14, width=0.58, round=0.30, ellipse=0.5, deep_m=0.9, high_w=0.05, spread=0.25),
    "spanish": Hand(weight=0.14, width=0.60, round=0.30, ellipse=0.1, deep_m=0.55),
    "belgian": Hand(weight=0.14, width=0.60, round=0.28, deep_m=0.6, curved_six=True, flat_three=False),
}  # fmt: skip


def perturbed(hand: Hand, rng: np.random.Generator, amount: float = 1.0) -> Hand:
    """HAND as another press would strike it; AMOUNT 0 leaves it, 1 is as wild as plates of one country get."""

    def near(value: float, spread: float, low: float, high: float) -> float:
        return float(np.clip(value * (1.0 + amount * spread * rng.normal()), low, high))

    return replace(
        hand,
        weight=near(hand.weight, 0.16, 0.07, 0.24),
        wide_mw=near(hand.wide_mw, 0.07, 0.8, 1.3),
        width=near(hand.width, 0.09, 0.34, 0.85),
        round=near(hand.round, 0.2, 0.08, 0.45),
        ellipse=float(np.clip(hand.ellipse + amount * 0.25 * rng.normal(), 0.0, 1.0)),
        square_ends=float(np.clip(hand.square_ends + amount * 0.3 * rng.normal(), 0.0, 1.0)),
        deep_m=near(hand.deep_m, 0.15, 0.3, 1.0),
        high_w=float(np.clip(hand.high_w + amount * 0.1 * rng.normal(), 0.0, 0.6)),
        flag_one=near(hand.flag_one, 0.25, 0.15, 1.0),
        high_y=near(hand.high_y, 0.1, 0.35, 0.65),
        tail_q=near(hand.tail_q, 0.25, 0.2, 0.5),
        bar_g=near(hand.bar_g, 0.15, 0.46, 0.76),
        long_g=near(hand.long_g, 0.2, 0.2, 0.6),
        waist=near(hand.waist, 0.06, 0.4, 0.54),
        loop=near(hand.loop, 0.08, 0.48, 0.7),
        hook=near(hand.hook, 0.2, 0.4, 1.1),
        **_other_shapes(hand, rng, amount),
    )


def _other_shapes(hand: Hand, rng: np.random.Generator, amount: float) -> dict[str, bool]:
    """Now and then a letter of another build: makers of one country do not agree on all of them."""
    chances = {"curved_six": 0.3, "open_four": 0.1, "flat_three": 0.1, "spur_g": 0.15, "serif_i": 0.08}
    return {
        name: bool(getattr(hand, name)) ^ bool(rng.random() < amount * chance) for name, chance in chances.items()
    }


def _open(*points: Point) -> Line:
    return points, False


def _closed(*points: Point) -> Line:
    return points, True


def _corner(*points: Point) -> Line:
    """A line whose inner vertices stay sharp: each is doubled, so that its rounding has no length."""
    inner = [twin for point in points[1:-1] for twin in (point, point)]
    return (points[0], *inner, points[-1]), False


def _digit_lines(char: str, hand: Hand) -> list[Line]:
    hook, waist = hand.hook, hand.waist
    lines: dict[str, list[Line]] = {
        "0": [_closed((0, 0), (1, 0), (1, 1), (0, 1))],
        "2": [_open((0, 0.25 * hook), (0, 0), (1, 0), (1, 0.44), (0.5, 0.68), (0, 1)),
              _corner((0, 0.97), (0, 1), (1, 1))],
        "5": [_corner((0.95, 0), (0.1, 0), (0.05, 0.46)),
              _open((0.04, 0.45), (0.4, 0.36), (1, 0.36), (1, 1), (0, 1), (0, 1 - 0.24 * hook))],
        "7": [_corner((0, 0), (1, 0), (1, 0.06), (0.35, 1))],
        "8": [_closed((0.06, 0), (0.94, 0), (0.94, waist), (0.06, waist)),
              _closed((0, waist), (1, waist), (1, 1), (0, 1))],
    }  # fmt: skip
    if char == "1":
        foot = [_open((0.1, 1), (1.0, 1))] if hand.serif_i else []
        return [_open((0.58, 0), (0.58, 1)), _open((0.58, 0.0), (0.58 - hand.flag_one, 0.24)), *foot]
    if char == "3":
        top = (_corner((0.05, 0), (1, 0), (0.45, waist - 0.05)) if hand.flat_three
               else _open((0, 0.22 * hook), (0, 0), (0.96, 0), (0.96, waist), (0.35, waist)))  # fmt: skip
        return [top, _open((0.35, waist - 0.02), (1, waist - 0.02), (1, 1), (0, 1), (0, 1 - 0.22 * hook))]
    if char == "4":
        stem_top = 0.45 if hand.open_four else 0.55
        return [
            _corner((0.58, 0), (0, 0.74), (1, 0.74)),
            _open((0.74, stem_top if hand.open_four else 0.5), (0.74, 1)),
        ]
    if char in "69":
        start = 1 - hand.loop
        loop = _closed((0, start), (1, start), (1, 1), (0, 1))
        six = (
            [_open((0.98, 0.22 * hook), (0.98, 0), (0, 0), (0, 0.7)), loop]
            if hand.curved_six
            else [_open((0.75, 0), (0.1, 0.5), (0, 0.7)), loop]
        )
        return six if char == "6" else [(tuple((1 - x, 1 - y) for x, y in points), shut) for points, shut in six]
    return lines[char]


def _letter_lines(char: str, hand: Hand) -> list[Line]:
    deep, high, arms, hook, tail = hand.deep_m, hand.high_w, hand.high_y, hand.hook, hand.tail_q
    waist = hand.waist
    lines: dict[str, list[Line]] = {
        "A": [_corner((0, 1), (0.5, 0), (1, 1)), _open((0.18, 0.68), (0.82, 0.68))],
        "B": [_corner((0.5, 0), (0, 0), (0, 1), (0.5, 1)), _open((0.4, 0), (0.95, 0), (0.95, waist), (0.4, waist)),
              _open((0, waist), (1, waist), (1, 1), (0.4, 1))],
        "C": [_open((1, 0.25 * hook), (1, 0), (0, 0), (0, 1), (1, 1), (1, 1 - 0.22 * hook))],
        "D": [_corner((0.4, 0), (0, 0), (0, 1), (0.4, 1)), _open((0.3, 0), (1, 0), (1, 1), (0.3, 1))],
        "E": [_corner((1, 0), (0, 0), (0, 1), (1, 1)), _open((0, waist), (0.85, waist))],
        "F": [_corner((1, 0), (0, 0), (0, 1)), _open((0, waist + 0.02), (0.85, waist + 0.02))],
        "G": [_open((1, 0.26 * hook), (1, 0), (0, 0), (0, 1), (1, 1), (1, hand.bar_g + 0.05)),
              _corner((1 - hand.long_g, hand.bar_g), (1, hand.bar_g), (1, 0.8))],
        "H": [_open((0, 0), (0, 1)), _open((1, 0), (1, 1)), _open((0, 0.48), (1, 0.48))],
        "I": [_open((0.5, 0), (0.5, 1))],
        "J": [_open((1, 0), (1, 1), (0, 1), (0, 1 - 0.28 * hook))],
        "K": [_open((0, 0), (0, 1)), _open((1, 0), (0, 0.62)), _open((0.35, 0.4), (1, 1))],
        "L": [_corner((0, 0), (0, 1), (1, 1))],
        "M": [_corner((0, 1), (0, 0), (0.5, deep), (1, 0), (1, 1))],
        "N": [_corner((0, 1), (0, 0), (1, 1), (1, 0))],
        "O": [_closed((0, 0), (1, 0), (1, 1), (0, 1))],
        "P": [_corner((0.4, 0), (0, 0), (0, 1)), _open((0.3, 0), (1, 0), (1, 0.55), (0, 0.55))],
        "Q": [_closed((0, 0), (1, 0), (1, 1), (0, 1)),
              _open((1 - 1.3 * tail, 1 - tail), (0.94 + 0.3 * tail, 0.98 + 0.1 * tail))],
        "R": [_corner((0.4, 0), (0, 0), (0, 1)), _open((0.3, 0), (1, 0), (1, 0.52), (0, 0.52)),
              _open((0.5, 0.52), (1, 1))],
        "S": [_open((1, 0.24 * hook), (1, 0), (0, 0), (0, waist), (1, waist + 0.02), (1, 1), (0, 1),
                    (0, 1 - 0.24 * hook))],
        "T": [_open((0, 0), (1, 0)), _open((0.5, 0), (0.5, 1))],
        "U": [_open((0, 0), (0, 1), (1, 1), (1, 0))],
        "V": [_corner((0, 0), (0.5, 1), (1, 0))],
        "W": [_corner((0, 0), (0.22, 1), (0.5, high), (0.78, 1), (1, 0))],
        "X": [_open((0, 0), (1, 1)), _open((1, 0), (0, 1))],
        "Y": [_corner((0, 0), (0.5, arms), (1, 0)), _open((0.5, arms), (0.5, 1))],
        "Z": [_corner((0, 0), (1, 0), (0, 1), (1, 1))],
    }  # fmt: skip
    if char == "I" and hand.serif_i:
        return [*lines["I"], _open((0.05, 0), (0.95, 0)), _open((0.05, 1), (0.95, 1))]
    if char == "J" and hand.serif_i:
        return [*lines["J"], _open((0.4, 0), (1, 0))]
    if char == "G" and hand.spur_g:
        return [
            _open((1, 0.24), (1, 0), (0, 0), (0, 1), (1, 1), (1, 0.52)),
            _corner((0.5, 0.52), (1, 0.52), (1, 1.0)),
        ]
    return lines[char]


def width_of(char: str, hand: Hand) -> float:
    """Outer width of CHAR as a fraction of the letter height."""
    if char == "I" and not hand.serif_i:
        return hand.weight * 1.05
    scale = {
        "I": 0.75,
        "1": 0.75,
        "J": 0.9,
        "L": 0.92,
        "F": 0.92,
        "E": 0.94,
        "M": hand.wide_mw,
        "W": 1.06 * hand.wide_mw,
    }.get(char, 1.0)
    wide = {"M": 1.3, "W": 1.45, "1": 0.7, "N": 1.05, "Q": 1.05, "O": 1.08, "G": 1.05}.get(char, scale)
    return hand.width * (hand.wide_o if char in "OÖQ" else 1.0) * (scale + hand.spread * (wide - scale))


def _rounded(line: Line, size: tuple[float, float], hand: Hand) -> NDArray[np.float64]:
    """Vertices in pixels with every corner replaced by an arc (a quadratic one: the eye cannot tell)."""
    points = np.array(line[0], np.float64) * size
    count = len(points)
    if count == 2:
        return points
    out: list[NDArray[np.float64]] = []
    ramp = np.linspace(0.0, 1.0, 9)[:, None]
    for index, at in enumerate(points):
        if not line[1] and index in (0, count - 1):
            out.append(at[None])
            continue
        legs = []
        for other in (points[index - 1], points[(index + 1) % count]):
            leg = other - at
            length = float(np.hypot(*leg))
            half = length / 2
            reach = min(hand.round * GLYPH_HEIGHT_PX, half) * (1 - hand.ellipse) + half * hand.ellipse
            legs.append(at + leg * (reach / length) if length > 1e-6 else at)
        start, end = legs
        # A cubic arc with the circle's handle length, so that bowls are as full as real ones.
        one, two = start + (at - start) * 0.552, end + (at - end) * 0.552
        out.append(
            (1 - ramp) ** 3 * start
            + 3 * (1 - ramp) ** 2 * ramp * one
            + 3 * (1 - ramp) * ramp**2 * two
            + ramp**3 * end
        )
    return np.vstack(out)


def glyph(char: str, hand: Hand) -> Image:
    """Coverage mask (96 px high, as wide as the letter) of CHAR, 0 or 255 with soft edges; KeyError if unknown."""
    if char in "ÄÖÜ":
        return _with_dots(glyph({"Ä": "A", "Ö": "O", "Ü": "U"}[char], hand), hand)
    height = GLYPH_HEIGHT_PX
    width = max(4, round(width_of(char, hand) * height))
    stroke = hand.weight * height
    square = max(0, round(stroke * hand.square_ends * 0.6))
    pen = max(1, round(stroke - square))
    inner = (max(width - stroke, 0.01), height - stroke)
    canvas = np.zeros((height, width), np.uint8)
    lines = _digit_lines(char, hand) if char.isdigit() else _letter_lines(char, hand)
    for line in lines:
        path = (_rounded(line, inner, hand) + stroke / 2) * 16
        cv2.polylines(canvas, [np.round(path).astype(np.int32)], line[1], 255, pen, cv2.LINE_AA, 4)
    if char == "0" and hand.slashed_zero:
        cut = np.array([[width * 0.52, height * 0.27], [width * 1.06, height * -0.03]]) * 16
        cv2.polylines(
            canvas,
            [np.round(cut).astype(np.int32)],
            False,
            0,
            max(1, round(stroke * 0.42)) + square,
            cv2.LINE_AA,
            4,
        )
    if square > 1:
        canvas = np.asarray(cv2.dilate(canvas, np.ones((square, square), np.uint8)), np.uint8)
    return canvas


def _with_dots(base: Image, hand: Hand) -> Image:
    """The umlaut: the letter pressed down by a fifth, two dots above it."""
    height, width = base.shape
    body = round(height * 0.8)
    out = np.zeros_like(base)
    out[height - body :] = cv2.resize(base, (width, body), interpolation=cv2.INTER_AREA)
    dot = max(2, round(hand.weight * height * 0.55))
    for x in (0.27, 0.73):
        cv2.circle(out, (round(width * x), dot), dot, 255, -1, cv2.LINE_AA)
    return out


def uneven(masks: Mapping[str, Image], rng: np.random.Generator) -> dict[str, Image]:
    """Letters each a little wider or narrower than their alphabet has them, and a little out of shape.

    No typeface has every letter as one of our hands has it; small smooth moves make shapes that nobody drew.
    """
    return {char: _uneven(mask, rng) for char, mask in masks.items()}


def _uneven(mask: Image, rng: np.random.Generator) -> Image:
    height = mask.shape[0]
    width = max(4, round(mask.shape[1] * rng.uniform(0.82, 1.14)))
    coarse = rng.normal(0, 1, (4, 3, 2)) * (OUT_OF_SHAPE * max(width, 12), OUT_OF_SHAPE * height)
    moved = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    scaled = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    columns = np.arange(width, dtype=np.float32)[None] + moved[..., 0]
    rows = np.arange(height, dtype=np.float32)[:, None] + moved[..., 1]
    return np.asarray(cv2.remap(scaled, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def worn(masks: Mapping[str, Image]) -> dict[str, Image]:
    """Letters whose paint is gone but for the embossed edges."""
    pen = np.ones((9, 9), np.uint8)
    return {char: np.asarray(mask - cv2.erode(mask, pen) // 4 * 3, np.uint8) for char, mask in masks.items()}


def alphabet(hand: Hand, characters: Iterable[str] = CHARACTERS) -> dict[str, Image]:
    """Every glyph of HAND."""
    return {char: glyph(char, hand) for char in characters}
