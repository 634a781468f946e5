"""Samples the texts of drawn plates: every country's layouts as often as training wants them, and texts of none.

The patterns themselves stand in `gate_controller/layouts.py`; here are only the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from gate_controller.layouts import LAYOUTS, Layout, spell
from recognition.training.styles import STYLES

RANDOM_SHARE = 0.12
RARE_SHARE = 0.12  # of a rare series beside a common one of the same country
SLOTS_MAX = 10
CONFUSED = "0369BCDGHMNOQUVW"
"""Characters that misread plates showed most: half as many again as the others, where a layout lets choose."""

# Countries not named weigh 1.
COUNTRY_WEIGHTS = {
    "F": 15.0, "D": 14.0, "NL": 12.0, "HR": 8.0, "I": 8.0, "A": 6.0, "B": 6.0, "RO": 5.0, "GB": 7.0, "PL": 6.0,
    "E": 6.0, "P": 3.0, "CZ": 3.5, "SK": 2.5, "H": 3.0, "CH": 3.0, "SLO": 2.0, "S": 3.0, "N": 2.5, "DK": 2.5,
    "FIN": 2.5, "SRB": 2.0, "BG": 2.0, "GR": 2.0, "L": 1.5, "IRL": 1.5, "LT": 1.5, "LV": 1.5, "EST": 1.5,
    "BIH": 1.5,
}  # fmt: skip
SERIES_WEIGHTS = {"FNI until 2009": 0.8, "SIV mopeds until 2015": 0.06, "SIV temporary": 0.05}


@dataclass(frozen=True, slots=True)
class Text:
    """One plate's groups, the country in whose style it is drawn, and whether it is a text of that country."""

    groups: tuple[str, ...]
    country: str
    regular: bool


def _length_weight(shape: tuple[str, ...]) -> float:
    """Long numbers are common, short ones old or chosen: about twice as many a further character."""
    return float(1.7 ** sum(map(len, shape)))


@cache
def _choices() -> tuple[list[tuple[Layout, tuple[str, ...]]], np.ndarray]:
    rows: list[tuple[Layout, tuple[str, ...]]] = []
    weights: list[float] = []
    for country in STYLES:
        found = [layout for layout in LAYOUTS if layout.country == country]
        shares = [SERIES_WEIGHTS.get(layout.series, RARE_SHARE if layout.rare else 1.0) for layout in found]
        for layout, share in zip(found, shares, strict=True):
            shapes = [shape for shape in layout.shapes if sum(map(len, shape)) <= SLOTS_MAX]
            lengths = [_length_weight(shape) for shape in shapes]
            for shape, length in zip(shapes, lengths, strict=True):
                rows.append((layout, shape))
                weights.append(COUNTRY_WEIGHTS.get(country, 1.0) * share / sum(shares) * length / sum(lengths))
    total = np.array(weights)
    return rows, np.cumsum(total / total.sum())


def sample_text(rng: np.random.Generator) -> Text:
    """A text of some country's layout, or (one in eight) letters and digits as they come."""
    if rng.random() < RANDOM_SHARE:
        return _random_text(rng)
    rows, cumulated = _choices()

    def choose(options: Sequence[str]) -> str:
        option = options[int(rng.integers(len(options)))]
        if not any(char in CONFUSED for char in option) and rng.random() < 0.33:
            option = options[int(rng.integers(len(options)))]
        return option

    layout, shape = rows[min(int(np.searchsorted(cumulated, rng.random())), len(rows) - 1)]
    try:
        groups = spell(layout, shape, choose)
    except (IndexError, ValueError):
        return _random_text(rng)
    return Text(groups, layout.country, True)


def _random_text(rng: np.random.Generator) -> Text:
    characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" * 3 + "ÄÖÜ"
    length = int(rng.integers(3, 10))
    text = "".join(characters[int(at)] for at in rng.integers(0, len(characters), length))
    cuts = sorted({int(cut) for cut in rng.integers(1, length, int(rng.integers(0, 3)))})
    groups = tuple(text[start:end] for start, end in zip([0, *cuts], [*cuts, length], strict=True))
    countries = list(STYLES)
    return Text(groups, countries[int(rng.integers(len(countries)))], False)
