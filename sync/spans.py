"""Sets of row numbers as few ranges, both ends included, in order and apart: pure."""

from collections.abc import Iterable

Spans = tuple[tuple[int, int], ...]


def joined(*sets: Iterable[tuple[int, int]]) -> Spans:
    """Every number that is in one of the sets; what touches becomes one range, what is empty is dropped."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(span for spans in sets for span in spans if span[0] <= span[1]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def without(spans: Iterable[tuple[int, int]], taken: Iterable[tuple[int, int]]) -> Spans:
    """Every number of `spans` that is not in `taken`."""
    left = [*joined(spans)]
    for first, last in taken:
        left = [
            part for a, b in left for part in ((a, min(b, first - 1)), (max(a, last + 1), b)) if part[0] <= part[1]
        ]
    return joined(left)
