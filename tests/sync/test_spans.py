"""Ranges of numbers against plain sets of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sync.spans import Spans, joined, without

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def numbers(spans: Spans | list[tuple[int, int]]) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


@given(SPANS, SPANS)
def test_union_and_difference_are_those_of_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    both, left = joined(one, other), without(one, other)
    assert numbers(both) == numbers(one) | numbers(other)
    assert numbers(left) == numbers(one) - numbers(other)
    for spans in (both, left):
        assert all(first <= last for first, last in spans)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(spans)), "in order and apart"
