"""A number plate: its canonical form, the groups it was written in, and what a reader saw.

Here: `Plate`, `PlateRead`, display and masking. Not here: which users own a plate (`allowlist`), the table of
national layouts (`layouts`), and any guess about a text that is no plate: that is a `PlateError`.
"""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from gate_controller.errors import PlateError
from gate_controller.layouts import layouts_for
from gate_controller.look_alikes import LOOK_ALIKES, fold

__all__ = ["LOOK_ALIKES", "PLATE_LEN_MAX", "PLATE_LEN_MIN", "Plate", "PlateRead", "fold", "masked", "unusual"]

PLATE_LEN_MIN = 2
PLATE_LEN_MAX = 12
SHOWN_MAX = 2
"""Characters at either end that a log shows."""
_TEXT_LEN_MAX = 40  # twelve characters, their separators and some slack; more is not a plate but a sentence

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ÄÖÜ")
_SEPARATORS = frozenset(" -.:·•*_/|,‐‑‒–—―−\t\u00ad\u200b\u00a0")
# Capitals of the Greek and Cyrillic alphabets that are drawn like Latin ones: the fourteen of Greek plates, the
# twelve of Bulgarian and Russian ones (Vienna Convention on Road Traffic 1968, Annex 2), and І, Ј, Ѕ.
_LATIN = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТУХІЈЅĐØŁÐ", "ABEZHIKMNOPTYXABEKMHOPCTYXIJSDOLD")


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate in canonical form.

    `key` has 2 to 12 of A-Z, 0-9, Ä, Ö, Ü and no separators. `groups` are the groups as entered or seen
    (`("B", "NO", "1234")`), empty when nobody marked them. `country` is the distinguishing sign ("D", "NL").
    """

    key: str
    groups: tuple[str, ...] = ()
    country: str | None = None

    @classmethod
    def parse(cls, text: str, country: str | None = None) -> "Plate":
        """Canonical plate of a text as typed, imported or read. Raises `PlateError` naming text and fix."""
        groups = _groups(text)
        key = "".join(groups)
        if not PLATE_LEN_MIN <= len(key) <= PLATE_LEN_MAX:
            raise PlateError(
                f"plate {_shown(text)}: {len(key)} letters and digits; "
                f"write the whole plate, {PLATE_LEN_MIN} to {PLATE_LEN_MAX} of them"
            )
        return cls(key, tuple(groups) if len(groups) > 1 else (), country)

    def display(self) -> str:
        """The plate as its country writes it ("B-NO 1234", "AB-123-CD"); the bare key when that is not clear."""
        fits = layouts_for(self.key, self.country) or layouts_for(self.key, self.country, loose=True)
        if self.groups:
            fits = [fit for fit in fits if _agree(self.groups, fit[1])]
            fits = [fit for fit in fits if fit[1] == self.groups][:1] or fits
        fits = [fit for fit in fits if not fit[0].rare] or fits
        ways = {(groups, layout.gaps) for layout, groups in fits}
        if len(ways) == 1:
            groups, gaps = ways.pop()
            return _joined(groups, gaps)
        return " ".join(self.groups) if self.groups else self.key

    def masked(self) -> str:
        """The plate for a log: beginning and end kept, at least half of it hidden, its length to be seen."""
        return masked(self.key)


@dataclass(frozen=True, slots=True)
class PlateRead:
    """What a reader made of one vehicle.

    `confidence`: calibrated probability that the whole text is right. `alternatives`: for each character of
    `plate.key` the (character, probability) pairs, best first. `votes`: reads that agreed on it. `evidence`:
    where the picture of the deciding read is, if it was kept.
    """

    plate: Plate
    confidence: float
    alternatives: tuple[tuple[tuple[str, float], ...], ...]
    votes: int = 1
    evidence: str | None = None

    @property
    def weakest(self) -> float:
        """Lowest best probability of any character; a good mean must not hide one bad character."""
        return min((options[0][1] for options in self.alternatives if options), default=self.confidence)


def masked(text: str) -> str:
    """A plate or badge number for a log: at least half of it hidden, its length to be seen."""
    if len(text) < 4:
        return text[: len(text) // 2] + "•" * (len(text) - len(text) // 2)
    shown = min(len(text) // 4, SHOWN_MAX)
    return text[:shown] + "•" * (len(text) - 2 * shown) + text[-shown:]


def unusual(plate: Plate) -> bool:
    """Whether the plate, as grouped, fits no known layout of its country, or of any when none is given."""
    fits = layouts_for(plate.key, plate.country)
    return not any(not plate.groups or _agree(plate.groups, groups) for _, groups in fits)


def usable(key: str) -> bool:
    """Whether a text is a canonical key; what comes over the wire has not been through `Plate.parse`."""
    return PLATE_LEN_MIN <= len(key) <= PLATE_LEN_MAX and _ALPHABET.issuperset(key)


def all_usable(keys: Collection[str]) -> bool:
    """Whether all of these texts are canonical keys."""
    if keys and (min(map(len, keys)) < PLATE_LEN_MIN or max(map(len, keys)) > PLATE_LEN_MAX):
        return False
    return _ALPHABET.issuperset("".join(keys))


def told_apart(one: Plate, other: Plate) -> bool:
    """Whether the groups of two plates with one key say that they are different plates.

    Only where a country writes the key in more than one way: `B NO 1234` is not `BN O 1234`, but `AB-123CD`
    is `AB-123-CD`. A plate without groups is told apart from none.
    """
    if not one.groups or not other.groups or one.groups == other.groups:
        return False
    mine, theirs = _meant(one), _meant(other)
    return any(mine[country] != theirs[country] for country in mine.keys() & theirs.keys())


def _meant(plate: Plate) -> dict[str, tuple[str, ...]]:
    """By country that can write the key in several ways: the one way that the plate's separators allow."""
    ways: dict[str, set[tuple[str, ...]]] = {}
    for layout, groups in layouts_for(plate.key, plate.country):
        if not layout.rare:
            ways.setdefault(layout.country, set()).add(groups)
    meant = {}
    for country, several in ways.items():
        allowed = [groups for groups in several if _agree(plate.groups, groups)]
        if len(several) > 1 and len(allowed) == 1:
            meant[country] = allowed[0]
    return meant


def _groups(text: str) -> list[str]:
    if len(text) > _TEXT_LEN_MAX:
        raise PlateError(
            f"plate {_shown(text)}: {len(text)} characters; a plate has at most {PLATE_LEN_MAX} letters and digits"
        )
    groups = [""]
    for char in unicodedata.normalize("NFKC", text):
        if char in _SEPARATORS or char.isspace():
            groups.append("")
            continue
        groups[-1] += _canonical(char, text)
    return [group for group in groups if group]


def _canonical(char: str, text: str) -> str:
    upper = char.upper().translate(_LATIN)
    if upper not in _ALPHABET:
        upper = unicodedata.normalize("NFD", upper)[:1]  # Š, Č, Å: the letter without its mark
    if upper not in _ALPHABET or len(char.upper()) != 1:
        raise PlateError(f"plate {_shown(text)}: {char!r} cannot be on a plate; use letters, digits and separators")
    return upper


def _shown(text: str) -> str:
    return repr(text if len(text) <= _TEXT_LEN_MAX else text[: _TEXT_LEN_MAX - 1] + "…")


def _cuts(groups: tuple[str, ...]) -> set[int]:
    at, found = 0, set()
    for group in groups[:-1]:
        at += len(group)
        found.add(at)
    return found


def _agree(entered: tuple[str, ...], groups: tuple[str, ...]) -> bool:
    """Whether no separator that was entered falls inside one of the groups."""
    return _cuts(entered) <= _cuts(groups)


def _joined(groups: tuple[str, ...], gaps: str) -> str:
    text = groups[0]
    for index, group in enumerate(groups[1:]):
        text += (gaps[min(index, len(gaps) - 1)] if gaps else "") + group
    return text
