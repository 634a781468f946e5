"""Places among edges: each question answered once, fences only rise, nothing is given twice."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gate_controller.arbiter import Given, Held, Place, Places
from gate_controller.facts import HoldId

A, B, C = HoldId("in-1"), HoldId("in-2"), HoldId("in-3")


def test_the_first_who_asks_gets_the_place_and_the_second_learns_who_has_it() -> None:
    places, answer = Places().claim("east", A, 1)
    assert answer == Given(1)
    places, answer = places.claim("west", A, 2)
    assert answer == Held("east")
    assert places.taken == (Place("east", A, 1),)


def test_asking_again_gives_the_same_answer_and_no_second_place() -> None:
    places, first = Places().claim("east", A, 1)
    again, second = places.claim("east", A, 2)
    assert (again, second) == (places, first)


def test_who_was_refused_gets_the_place_once_it_is_free() -> None:
    places, _ = Places().claim("east", A, 1)
    places, _ = places.claim("west", B, 2)
    places, answer = places.release("east", A).claim("west", B, 3)
    assert answer == Given(3)


def test_a_pool_has_as_many_places_as_vehicles() -> None:
    places = Places(size=2)
    places, first = places.claim("east", A, 1)
    places, second = places.claim("west", B, 2)
    places, third = places.claim("north", C, 3)
    assert (first, second, third) == (Given(1), Given(2), Held("west"))


def test_a_missed_exit_of_the_same_edge_is_no_second_vehicle() -> None:
    places, _ = Places().claim("east", A, 1)
    assert places.claim("west", B, 2, closes=(A,))[1] == Held("east")
    assert places.claim("east", B, 2, closes=(A,))[1] == Given(2)


def test_a_place_taken_without_asking_counts_and_its_own_question_is_answered() -> None:
    places = Places(taken=(Place("east", A),))
    assert places.claim("west", B, 1)[1] == Held("east")
    places, answer = places.claim("east", A, 1)
    assert answer == Given(1)
    assert places.taken == (Place("east", A, 1),)


def test_a_release_with_an_older_fence_is_ignored() -> None:
    places, _ = Places().claim("east", A, 7)
    assert places.release("east", A, fence=6) == places
    assert places.release("east", A, fence=7).taken == ()


def test_a_question_after_its_own_end_gets_nothing() -> None:
    places = Places().release("east", A)
    assert places.claim("east", A, 1) == (places, Held("east"))
    assert places.claim("east", B, 1)[1] == Given(1)


def test_a_fence_that_does_not_rise_is_a_bug_of_who_counts() -> None:
    places, _ = Places(size=2).claim("east", A, 7)
    with pytest.raises(ValueError, match="fence 7"):
        places.claim("west", B, 7)


MOVES = st.lists(
    st.tuples(st.sampled_from(("claim", "release")), st.sampled_from(("east", "west")), st.sampled_from((A, B, C)))
)


@given(size=st.integers(1, 3), moves=MOVES)
def test_never_more_places_than_there_are_whatever_is_said_in_any_order(
    size: int, moves: list[tuple[str, str, HoldId]]
) -> None:
    places, fence = Places(size), 0
    answers: dict[tuple[str, HoldId], int] = {}
    for what, edge, hold in moves:
        if what == "release":
            places = places.release(edge, hold)
            answers.pop((edge, hold), None)
            continue
        fence += 1
        places, answer = places.claim(edge, hold, fence)
        if isinstance(answer, Given):
            assert answers.setdefault((edge, hold), answer.fence) == answer.fence
        assert len(places.taken) <= size
    fences = [place.fence for place in places.taken]
    assert fences == sorted(fences, key=lambda f: f or 0)
