"""Draws one clean, front-on plate for a text and a country.

The simulated camera and the training both draw with this; it needs numpy and cv2 alone and is deterministic for a
generator. How plates look stands in `styles.py`, letters in `glyphs.py`; what a camera makes of a plate, in
`degrade.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from recognition.training import marks
from recognition.training.glyphs import HANDS, Image, alphabet
from recognition.training.styles import STYLES, Colour, Look, Style

Alphabet = Mapping[str, Image]

_PLAIN = Style("", "din", (Look(1.0, left=""),), ("gap|hyphen",))
# Widths of the marks between groups, as shares of the letter height.
_JOIN_WIDTH = {"hyphen": 0.4, "none": 0.02, "slim": 0.12, "shield": 0.66, "arms": 0.66, "seals": 0.58,
               "stickers": 0.42, "hologram": 0.5, "dot": 0.4}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Freedom:
    """How far a drawn plate may stray from its country's rule: 0 by the book, 1 as wild as the street."""

    jitter: float = 0.25
    odd_joins: float = 0.0  # probability that a join is some other country's mark
    two_line: bool | None = None  # None: by the style's share
    extras: bool = True  # dealer line, screws, dirt


@lru_cache(maxsize=32)
def _house_alphabet(hand: str) -> Alphabet:
    return alphabet(HANDS[hand])


def style_of(country: str, groups: Sequence[str]) -> Style:
    """The first style of COUNTRY whose pattern the groups match; a plain plate for an unknown country."""
    text = " ".join(groups)
    for style in STYLES.get(country, ()):
        if re.fullmatch(style.pattern, text):
            return style
    return STYLES[country][-1] if country in STYLES else _PLAIN


def draw_plate(
    text_groups: Sequence[str],
    country: str,
    rng: np.random.Generator,
    letters: Alphabet | None = None,
    freedom: Freedom | None = None,
) -> Image:
    """A clean plate of TEXT_GROUPS as (H, W, 3) uint8 BGR, one pixel a millimetre.

    LETTERS are masks by character (default: the country's own hand). Raises ValueError for an empty text or a
    character without a glyph.
    """
    groups = [group for group in text_groups if group]
    free = freedom or Freedom()
    style = style_of(country, groups)
    masks = letters or _house_alphabet(style.hand)
    missing = {char for group in groups for char in group if char not in masks}
    if not groups or missing:
        raise ValueError(f"no glyph for {sorted(missing)}" if missing else "a plate needs at least one character")
    look = style.looks[_pick(rng, [entry.share for entry in style.looks])]
    rows = _rows(groups, style, rng, free)
    size = style.two_line[1:] if len(rows) > 1 else style.sizes[_pick(rng, [entry[0] for entry in style.sizes])][1:]
    ink = _shade(look.ink, rng, free.jitter)
    canvas = np.full((size[1], size[0], 3), _shade(look.ground, rng, free.jitter), np.uint8)
    left, right = _furnish(canvas, style, look, rng)
    if free.extras and rng.random() < 0.25:
        marks.dealer_line(canvas, rng, ink)
    _write(canvas, rows, masks, (left, right), style, ink, rng, free)
    if free.extras and rng.random() < 0.2:
        marks.screws(canvas, rng)
    if free.extras and rng.random() < 0.12 * free.jitter:
        marks.dirt(canvas, rng)
    if free.extras and rng.random() < 0.05 * free.jitter:
        marks.scratches(canvas, rng)
    return canvas


def _pick(rng: np.random.Generator, shares: Sequence[float]) -> int:
    weights = np.array(shares, np.float64)
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def _shade(colour: Colour, rng: np.random.Generator, jitter: float) -> Colour:
    moved = np.clip(np.array(colour) + rng.normal(0, 14 * jitter, 3) + rng.normal(0, 10 * jitter), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def _rows(
    groups: Sequence[str], style: Style, rng: np.random.Generator, free: Freedom
) -> list[list[tuple[str, str]]]:
    """Rows of (text, join after it); the last join of a row is empty."""
    joins = []
    for index in range(len(groups) - 1):
        options = style.joins[min(index, len(style.joins) - 1)].split("|")
        join = options[int(rng.integers(len(options)))]
        if rng.random() < free.odd_joins:
            join = (*_JOIN_WIDTH, "gap")[int(rng.integers(len(_JOIN_WIDTH) + 1))]
        joins.append(join)
    two = rng.random() < style.two_line[0] if free.two_line is None else free.two_line
    items = list(zip(groups, [*joins, ""], strict=True))
    if not two or len(groups) < 2:
        return [items]
    cut = int(rng.integers(1, len(groups)))
    first = [
        *items[: cut - 1],
        (items[cut - 1][0], items[cut - 1][1] if items[cut - 1][1] in ("seals", "arms", "shield") else ""),
    ]
    return [first, items[cut:]]


def _furnish(canvas: Image, style: Style, look: Look, rng: np.random.Generator) -> tuple[float, float]:
    """Stripes, border and bands; the x range left for the letters."""
    height, width = canvas.shape[:2]
    left, right = 4.0, width - 4.0
    if look.stripes:
        for y in (4, height - 8):
            cv2.rectangle(canvas, (4, y), (width - 5, y + 4), look.stripes, -1)
    band = rng.uniform(38, 48) if width > 330 else rng.uniform(30, 38)
    # On a two-line plate the band is no higher than one row, at the upper left.
    band_height = float(height) if height < 0.45 * width else height * rng.uniform(0.45, 1.0)
    if look.left:
        marks.left_band(canvas, (0, 0, band, band_height), look.left, style.letters, rng)
        left = band + 2
    if look.right and height < 0.45 * width:
        kind = look.right
        marks.right_band(canvas, (width - band, 0, band, height), kind, rng)
        right = width - band - 2
    if look.border is not None:
        inset = int(rng.integers(0, 4))
        start = int(left) if look.left and rng.random() < 0.5 else inset
        thick = int(rng.integers(2, 5))
        cv2.rectangle(
            canvas, (start, inset), (width - 1 - inset, height - 1 - inset), look.border, thick, cv2.LINE_AA
        )
    return left, right


def _write(
    canvas: Image,
    rows: Sequence[Sequence[tuple[str, str]]],
    masks: Alphabet,
    span: tuple[float, float],
    style: Style,
    ink: Colour,
    rng: np.random.Generator,
    free: Freedom,
) -> None:
    slot = canvas.shape[0] / len(rows)
    tall = min(style.letter_height, slot * 0.78) * (1 + 0.06 * free.jitter * rng.normal())
    tall = float(np.clip(tall, slot * 0.45, slot * 0.9))
    pitch = tall * style.pitch * float(np.exp(0.55 * free.jitter * rng.normal()))
    marks_stretch = float(np.exp(0.25 * free.jitter * rng.normal()))
    stretch = float(np.exp(0.1 * free.jitter * rng.normal()))
    shift = 0.04 * slot * free.jitter * rng.normal()
    for index, row in enumerate(rows):
        pieces = _pieces(row, masks, tall, (pitch, stretch, marks_stretch), style.gap)
        middle = slot * (index + 0.5) + shift
        if len(rows) > 1:
            middle += slot * 0.03 * (1 if index == 0 else -1)
        _write_row(canvas, pieces, masks, span, (middle - tall / 2, tall), ink, rng, free)


def _pieces(
    row: Sequence[tuple[str, str]],
    masks: Alphabet,
    tall: float,
    spacing: tuple[float, float, float],
    gap: float,
) -> list[tuple[str, float, float]]:
    """(character or mark, its width, space after it) from left to right.

    SPACING: space between letters, factor on their width, factor on the marks' width.
    """
    pitch, stretch, marks_stretch = spacing
    pieces: list[tuple[str, float, float]] = []
    for text, join in row:
        for char in text:
            mask = masks[char]
            pieces.append((char, mask.shape[1] / mask.shape[0] * tall * stretch, pitch))
        if join:
            pieces.append(
                (
                    join,
                    _JOIN_WIDTH.get(join, gap) * tall * marks_stretch,
                    pitch if join in ("hyphen", "dot", "seals", "arms") else pitch * 0.6,
                )
            )
    return pieces


def _write_row(
    canvas: Image,
    pieces: Sequence[tuple[str, float, float]],
    masks: Alphabet,
    span: tuple[float, float],
    line: tuple[float, float],
    ink: Colour,
    rng: np.random.Generator,
    free: Freedom,
) -> None:
    margin = (span[1] - span[0]) * 0.025 * (1 + free.jitter * rng.uniform(-1, 1))
    room = span[1] - span[0] - 2 * margin
    natural = sum(width + space for _, width, space in pieces) - pieces[-1][2]
    squeeze = min(1.0, room / natural)
    spare = max(0.0, room - natural)
    spread = rng.random() < 0.35
    extra = spare * rng.uniform(0.5, 1.0) / max(1, len(pieces) - 1) if spread else 0.0
    extra = min(extra, line[1] * 0.3)
    rest = max(0.0, spare - extra * (len(pieces) - 1))
    x = span[0] + margin + rest * float(np.clip(0.5 + 0.2 * free.jitter * rng.normal(), 0.0, 1.0))
    for name, width, space in pieces:
        box = (x, line[0], width * squeeze, line[1])
        if name in masks:
            marks.stamp(canvas, masks[name], box, ink)
        elif name == "hyphen":
            marks.hyphen(canvas, box, ink, rng)
        elif name == "dot":
            marks.dot(canvas, box, ink)
        elif name in ("shield", "arms", "seals", "stickers", "hologram"):
            getattr(marks, name)(canvas, box, rng)
        x += width * squeeze + space * squeeze + extra
