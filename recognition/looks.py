"""A plate looked at once or more: what its text is after the layouts had their say, and what two looks make of it.

Deliberately not here: finding and reading (`detector.py`, `ocr.py`), whether a read is believed (`recognizer.py`),
and the vote over frames (`vote.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import nlargest

from gate_controller.layouts import Settled, layouts_for, settle
from gate_controller.look_alikes import GROUP_OF, fold
from gate_controller.plates import Plate, PlateRead
from recognition.finds import Detection, same_place
from recognition.ocr import ALTERNATIVE_MIN, Options, TextRead

COUNTRY_MIN = 0.6
"""Probability from which the model's country is believed, if the layout also fits it."""

ODDS_FITS_NOTHING = 0.08
ODDS_FITS_ANOTHER = 0.1
"""Change of the odds of a text that fits no layout at all, and of one that fits none of the country it is read as,
the latter by the country's probability. Fitted, as least surprise, on 2,100 plates drawn into street frames in
faces never trained on: 1.2 % more of the right texts are then accepted, and no more wrong ones."""

DOUBTED_BELOW = 0.5
"""Odds below which another spelling may be what was meant."""

WEIGHED_ABOVE = 0.02
WEIGHED_BELOW = 0.995
"""Probabilities of a text between which it pays to ask what else could be written there."""

SPELLED_OPTIONS_MAX = 4
SPELLINGS_LEN_MAX = 24
"""Options of a character, and whole texts, that are tried where the likeliest one fits no layout. Of 2,900 drawn
plates in hard light, 25 more are read right for it."""

SHORT_TEXT = 4
ODDS_SHORT = 0.1
"""Change of the odds of a text of at most `SHORT_TEXT` characters: 1 in 167 reads of plates, but 10 in 45 reads of
lamps, lettering and plates half hidden (street frames; taken milder, since short plates exist)."""

ODDS_ALIKE = 0.7
"""Change of the odds of a text of which a look-alike would fit the country it is read as, too, so that nothing but
the eye tells a 0 from a D: of such drawn plates 0.92 were right where 0.97 was said, of others 0.98. Fitted on 670
that were read surer than 0.8."""

SIGNS_LEN_MAX = 256
"""Texts of which the countries are kept: one plate is weighed against a hundred, most of them with every frame.
No more, so that a stranger's plate is soon out of memory."""

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

Joiner = Callable[[TextRead, TextRead], TextRead]
"""One text of two looks that read the same."""


@dataclass(frozen=True, slots=True)
class Look:
    """One find with the text read there, as the model spelled it and as the layouts settled it."""

    found: Detection
    text: TextRead
    read: PlateRead

    @staticmethod
    def of(found: Detection, text: TextRead) -> Look:
        """The look at a find; the text must not be empty."""
        return Look(found, text, settled_read(text.alternatives, text.countries, text.complete))


def merged(first: Sequence[Look], second: Sequence[Look], join: Joiner) -> list[Look]:
    """Both searches' looks, with one for each plate."""
    kept = list(first)
    for look in second:
        same = [other for other in kept if same_place(look.found, other.found)]
        kept = [other for other in kept if other not in same]
        kept.append(_better(max(same, key=lambda other: other.read.confidence), look, join) if same else look)
    return kept


def _better(one: Look, two: Look, join: Joiner) -> Look:
    """One look of two at the same plate. Where they disagree, at least one is wrong, and the surer one may be it.

    Of 162 drawn plates that two searches read differently, this foretold better than the surer one's share which
    was right: least surprise 0.62 against 0.69; of what it called 0.92 or surer, 14 of 14.
    """
    if one.text.text == two.text.text:
        found = max(one.found, two.found, key=lambda find: find.score)
        return Look.of(found, join(one.text, two.text))
    best, other = (one, two) if one.read.confidence >= two.read.confidence else (two, one)
    if best.read.plate.key == other.read.plate.key:
        return best
    p, q = best.read.confidence, other.read.confidence
    return replace(best, read=replace(best.read, confidence=p * (1.0 - q) / max(1.0 - p * q, 1e-9)))


def settled_read(alternatives: tuple[Options, ...], countries: Options, complete: float) -> PlateRead:
    """The read after the layouts had their say over O and 0, I and 1, B and 8, and other doubtful characters.

    `complete`: probability that the text has neither more nor fewer characters.
    """
    weights = {sign: value for sign, value in countries if sign != "?"} or None
    result = settle(alternatives, weights)
    if _odds(result.text, countries) < DOUBTED_BELOW:
        alternatives = _respelled(alternatives, countries)
        result = settle(alternatives, weights)
    sure = dict(countries).get(result.country or "", 0.0) >= COUNTRY_MIN
    plate = Plate(result.text, result.groups, result.country if sure else None)
    moved = _moved(alternatives, result)
    return PlateRead(plate, _weighed(result, moved, complete, countries), moved)


def _weighed(result: Settled, alternatives: tuple[Options, ...], complete: float, countries: Options) -> float:
    """The text's probability by Bayes' rule, when the layouts have weighed it and what else could be written there.

    What the reader did not name weighs as much as a text that fits.
    """
    text, probability = result.text, result.probability * complete
    odds = _odds(text, countries) * (ODDS_SHORT if len(text) <= SHORT_TEXT else 1.0)
    odds *= ODDS_ALIKE if probability < WEIGHED_BELOW and _has_a_double(text, countries) else 1.0
    others = 1.0 - probability
    if WEIGHED_ABOVE < probability < WEIGHED_BELOW:
        looks_like = fold(text)
        for value, other in _spellings(alternatives):
            if fold(other) != looks_like:
                others -= value * complete * (1.0 - _odds(other, countries))
        longer = _longer_odds(text, countries)
        others = max(0.0, others - result.probability * (1.0 - complete) * (1.0 - longer))
    return probability * odds / (probability * odds + others) if others else probability


@lru_cache(maxsize=SIGNS_LEN_MAX)
def _signs(text: str) -> frozenset[str]:
    """Countries that a text fits a layout of."""
    return frozenset(layout.country for layout, _ in layouts_for(text))


def _longer_odds(text: str, countries: Options) -> float:
    """The odds of the likeliest text with a character more."""
    most = 0.0
    for char in CHARACTERS:
        most = max(most, _odds(text + char, countries))
        if most == 1.0:
            break
    return most


def _odds(text: str, countries: Options) -> float:
    """How much less likely a text is for the layouts that it does not fit, 1 if it fits whatever is likely."""
    signs = _signs(text)
    if not signs:
        return ODDS_FITS_NOTHING
    foreign = sum(value for sign, value in countries if sign != "?" and sign not in signs)
    return 1.0 - foreign * (1.0 - ODDS_FITS_ANOTHER)


def _has_a_double(text: str, countries: Options) -> bool:
    """Whether a text that differs in one look-alike fits the likeliest country, as this one does."""
    sign, sure = countries[0] if countries else ("?", 0.0)
    if sign == "?" or sure < COUNTRY_MIN or not layouts_for(text, sign):
        return False
    return any(
        other != char and layouts_for(text[:at] + other + text[at + 1 :], sign)
        for at, char in enumerate(text)
        for other in GROUP_OF.get(char, "")
    )


def _respelled(alternatives: tuple[Options, ...], countries: Options) -> tuple[Options, ...]:
    """The alternatives with the text first that is most probable by what was seen and by the layouts together.

    Its characters keep their own probabilities, so it is never surer for fitting.
    """
    _, best = max((p * _odds(text, countries), text) for p, text in _spellings(alternatives))
    return tuple(
        tuple(sorted(options, key=lambda option: option[0] != char))
        for options, char in zip(alternatives, best, strict=True)
    )


def _spellings(alternatives: tuple[Options, ...]) -> list[tuple[float, str]]:
    """The likeliest texts, each with its probability."""
    texts = [(1.0, "")]
    for options in alternatives:
        longer = [(p * q, text + char) for p, text in texts for char, q in options[:SPELLED_OPTIONS_MAX]]
        texts = nlargest(SPELLINGS_LEN_MAX, longer)
    return texts


def _moved(alternatives: tuple[Options, ...], result: Settled) -> tuple[Options, ...]:
    """The alternatives with a settled character first, holding what its look-alike had."""
    changed = {at: (was, now) for at, was, now in result.changed}
    out = []
    for at, options in enumerate(alternatives):
        if at in changed:
            was, now = changed[at]
            held = dict(options)
            total = held.pop(was, 0.0) + held.pop(now, 0.0)
            rest = sorted(held.items(), key=lambda pair: -pair[1])
            options = ((now, total), *(pair for pair in rest if pair[1] >= ALTERNATIVE_MIN))
        out.append(tuple(options))
    return tuple(out)
