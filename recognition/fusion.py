"""One text out of several reads of the same plate, voted character by character.

Reads of unequal length are aligned by edit operations first, so that a doubled or dropped character in one frame
does not shift the votes behind it. Deliberately not here: which reads belong to one vehicle (`vote.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from recognition.ocr import ALTERNATIVE_MIN, Options

GAP = ""
"""The vote for 'no character here'."""

UNNAMED = 10
"""Characters that the probability nobody named is spread over."""

INDEPENDENT_MAX = 1.5
"""Frames of one approach repeat one another's mistakes: together they are little surer than one look."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One frame's read: options per character, probability that its length is right, weight above 0."""

    alternatives: tuple[Options, ...]
    complete: float
    weight: float

    @property
    def text(self) -> str:
        """The best characters."""
        return "".join(options[0][0] for options in self.alternatives)


@dataclass(frozen=True, slots=True)
class Fused:
    """The voted options per character, best first, and the probability that the length is right."""

    alternatives: tuple[Options, ...]
    complete: float


def fuse(ballots: Sequence[Ballot]) -> Fused:
    """The vote of at least one ballot; weights count relative to the heaviest."""
    pivot = _pivot(ballots)
    total = sum(ballot.weight for ballot in ballots)
    looks = min(INDEPENDENT_MAX, total / max(ballot.weight for ballot in ballots))
    slots: list[dict[str, float]] = [{GAP: 0.0} for _ in range(2 * len(pivot) + 1)]
    for ballot in ballots:
        for slot, vote in zip(slots, _votes(pivot, ballot), strict=True):
            for char, value in vote.items():
                slot[char] = slot.get(char, 0.0) + value * ballot.weight / total
    alternatives: list[Options] = []
    complete = 1.0
    for slot in slots:
        options = _sharpened(slot, looks)
        held = dict(options)
        if options[0][0] == GAP:
            complete *= held[GAP]
            continue
        there = 1.0 - held.get(GAP, 0.0)
        complete *= there
        alternatives.append(
            tuple((char, value / there) for char, value in options if char != GAP and value >= ALTERNATIVE_MIN)
        )
    return Fused(tuple(alternatives), complete)


def _pivot(ballots: Sequence[Ballot]) -> str:
    """The text nearest to all others, each counted by its weight and its own certainty."""
    weights: dict[str, float] = {}
    for ballot in ballots:
        sure = math.prod(options[0][1] for options in ballot.alternatives) * ballot.complete
        weights[ballot.text] = weights.get(ballot.text, 0.0) + ballot.weight * (0.05 + sure)
    texts = sorted(weights)
    return min(texts, key=lambda a: sum(weights[b] * Levenshtein.distance(a, b) for b in texts))


def _votes(pivot: str, ballot: Ballot) -> list[dict[str, float]]:
    """A vote for every slot: before the first character, the first character, between first and second, ..."""
    nothing = {GAP: max(ballot.complete, 0.5)}
    votes: list[dict[str, float]] = [nothing for _ in range(2 * len(pivot) + 1)]
    for step in Levenshtein.opcodes(pivot, ballot.text):
        if step.tag == "insert":
            votes[2 * step.src_start] = dict(ballot.alternatives[step.dest_start])
        elif step.tag != "delete":
            for src, dest in zip(
                range(step.src_start, step.src_end), range(step.dest_start, step.dest_end), strict=True
            ):
                votes[2 * src + 1] = dict(ballot.alternatives[dest])
    return votes


def _sharpened(mean: dict[str, float], looks: float) -> Options:
    """Probabilities, best first, as that many independent looks with this mean would give them.

    The mean, not the product, of the frames' probabilities: one frame that is sure of a wrong character then
    has no veto (the sum rule of Kittler et al. 1998, "On combining classifiers").
    """
    unnamed = max(0.0, 1.0 - sum(mean.values())) / UNNAMED
    powers = {char: value**looks for char, value in mean.items()}
    whole = sum(powers.values()) + UNNAMED * unnamed**looks
    ranked = sorted(powers.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((char, value / whole) for char, value in ranked)
