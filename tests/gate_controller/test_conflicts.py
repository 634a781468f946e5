"""One record for each entry too many, whatever order journals arrive in; undecidable where clocks do not tell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from gate_controller.conflicts import (
    Basis,
    Conflict,
    Departure,
    EventId,
    Kind,
    Resolution,
    Stay,
    settle,
)
from gate_controller.facts import HoldId

MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return MONDAY + timedelta(minutes=minute)


def stay(
    edge: str, since: float, until: float | None = None, fence: int | None = None, err_ms: int = 1000, seq: int = 0
) -> Stay:
    name = EventId(edge, f"{edge}-ledger", seq or int(since * 10) + 1)
    end = None if until is None else at(until)
    return Stay(name, HoldId(f"in-{since}"), at(since), fence, end, err_ms=err_ms)


def left(edge: str, minute: float) -> Departure:
    return Departure(EventId(edge, f"{edge}-ledger", int(minute * 10) + 5), at(minute))


def only(*stays: Stay, departures: tuple[Departure, ...] = (), size: int = 1) -> Conflict:
    (found,) = settle("u", stays, departures, size).conflicts
    return found


def none(*stays: Stay, departures: tuple[Departure, ...] = (), size: int = 1) -> bool:
    return not settle("u", stays, departures, size).conflicts


def test_an_offline_entry_while_the_user_is_inside_elsewhere() -> None:
    first, second = stay("east", 0, fence=3), stay("west", 10)
    found = only(first, second)
    assert (found.kind, found.basis, found.resolution) == (Kind.ENTRY_WHILE_IN, Basis.FENCE, Resolution.AUTO)
    assert found.surplus == str(second.id) == found.id
    assert [claim.fence for claim in found.claims] == [3, None]
    assert found.clock_err_ms == 1000


def test_what_the_arbiter_gave_stands_even_if_the_other_came_first() -> None:
    first, second = stay("west", 0), stay("east", 10, fence=3)
    found = only(first, second)
    assert (found.kind, found.basis, found.surplus) == (Kind.DOUBLE_ENTRY, Basis.FENCE, str(first.id))


def test_of_two_that_nobody_gave_the_later_is_one_too_many() -> None:
    first, second = stay("west", 0), stay("east", 10)
    found = only(first, second)
    assert (found.kind, found.basis, found.surplus) == (Kind.ENTRY_WHILE_IN, Basis.TIME, str(second.id))


def test_two_at_the_same_second_that_nobody_gave_cannot_be_told_apart() -> None:
    found = only(stay("west", 0), stay("east", 0.02))
    assert (found.kind, found.basis, found.resolution) == (Kind.OVERLAP, Basis.UNDECIDABLE, Resolution.OPERATOR)
    assert found.surplus is None


def test_a_clock_that_may_be_a_day_wrong_decides_nothing() -> None:
    found = only(stay("west", 0, err_ms=86_400_000), stay("east", 300))
    assert found.basis is Basis.UNDECIDABLE
    assert found.clock_err_ms == 86_400_000


def test_a_wrong_clock_is_compared_also_with_those_who_left_before_others_came() -> None:
    found = settle("u", [stay("west", 0, 10), stay("east", 20, 25), stay("north", 30, err_ms=86_400_000)], [])
    assert [conflict.basis for conflict in found.conflicts] == [Basis.UNDECIDABLE]
    assert len(found.conflicts[0].claims) == 3


def test_the_same_second_is_decided_by_a_fence_all_the_same() -> None:
    first, second = stay("west", 0), stay("east", 0.02, fence=1)
    found = only(first, second)
    assert (found.basis, found.resolution, found.surplus) == (Basis.FENCE, Resolution.AUTO, str(first.id))


def test_one_after_the_other_is_no_conflict() -> None:
    assert none(stay("west", 0, 5), stay("east", 6))
    assert none(stay("west", 0, 5, fence=1), stay("east", 6))


def test_an_exit_at_the_very_moment_of_an_entry_elsewhere_cannot_be_told() -> None:
    found = only(stay("west", 0, 10), stay("east", 10))
    assert (found.kind, found.basis) == (Kind.OVERLAP, Basis.UNDECIDABLE)


def test_what_the_arbiter_gave_to_both_it_gave_one_after_the_other_whatever_the_clocks_say() -> None:
    assert none(stay("west", 0, 90, fence=1), stay("east", 10, fence=2))


def test_one_edge_is_exact_among_its_own_lanes() -> None:
    assert none(stay("west", 0), stay("west", 10))


def test_a_pool_may_have_as_many_inside_as_it_has_vehicles() -> None:
    three = (stay("west", 0), stay("east", 10), stay("north", 20))
    assert none(*three, size=3)
    assert only(*three, size=2).id == str(three[2].id)


def test_whoever_became_neutral_would_have_been_believed() -> None:
    assert none(replace(stay("west", 0), doubted=at(5)), stay("east", 10))


def test_an_exit_through_another_edge_ends_the_stay() -> None:
    inside = stay("west", 0)
    settled = settle("u", [inside, stay("east", 10)], [left("south", 5)])
    assert not settled.conflicts
    assert settled.left == {inside.id: at(5)}


def test_an_exit_elsewhere_counts_also_where_the_own_edge_gave_up_later() -> None:
    assert none(stay("west", 0, 60), stay("east", 10), departures=(left("south", 5),))


def test_two_exits_end_two_stays_and_not_one_twice() -> None:
    stays = (stay("west", 0), stay("east", 2))
    assert len(settle("u", stays, (left("south", 5), left("south", 6)), 2).left) == 2


def test_an_exit_that_no_edge_can_explain() -> None:
    found = only(departures=(left("south", 5),))
    assert (found.kind, found.id) == (Kind.EXIT_WITHOUT_ENTRY, str(left("south", 5).id))


def test_an_exit_before_the_entry_does_not_end_it() -> None:
    assert only(stay("west", 10), departures=(left("south", 5),)).kind is Kind.EXIT_WITHOUT_ENTRY


def test_three_at_once_are_two_too_many() -> None:
    found = settle("u", [stay("west", 0), stay("east", 10), stay("north", 20)], []).conflicts
    assert [len(conflict.claims) for conflict in found] == [2, 3]


# ---- a clock that was set while a vehicle was inside ----

DAY = 24 * 60


def test_an_exit_written_before_its_entry_hides_no_double_entry() -> None:
    """The clock of the first edge was put back a day before its vehicle left."""
    first, second = stay("east", 0, 120 - DAY, fence=3), stay("west", 60, 70)
    found = only(first, second)
    assert (found.id, found.kind, found.basis) == (str(second.id), Kind.OVERLAP, Basis.UNDECIDABLE)
    assert (found.resolution, found.surplus) == (Resolution.OPERATOR, None)
    assert found.clock_err_ms > 86_400_000
    assert len(settle("u", [first, second, stay("south", 3 * DAY)], []).conflicts) == 1, "it is over some day"


def test_an_entry_written_under_a_clock_a_day_ahead_hides_no_double_entry() -> None:
    first, second = stay("west", 60, 90), stay("east", DAY, 120)
    found = only(first, second)
    assert (found.kind, found.basis, len(found.claims)) == (Kind.OVERLAP, Basis.UNDECIDABLE, 2)
    assert only(stay("west", 60), second).basis is Basis.UNDECIDABLE


def test_clocks_explain_an_end_that_is_a_moment_early() -> None:
    assert none(stay("east", 0, -0.03), stay("west", 60))
    assert only(stay("east", 0, -0.04), stay("west", 60)).basis is Basis.UNDECIDABLE


def test_the_end_that_can_be_counts_where_the_other_cannot() -> None:
    doubted = replace(stay("east", 0, 30 - DAY), doubted=at(20))
    assert none(doubted, stay("west", 60))
    assert only(doubted, stay("west", 10)).basis is Basis.TIME
    neutral = replace(stay("east", 0, 30), doubted=at(20 - DAY))
    assert none(neutral, stay("west", 60))
    assert only(neutral, stay("west", 10)).basis is Basis.TIME


def test_an_exit_elsewhere_is_not_taken_for_that_of_a_stay_whose_end_is_told() -> None:
    found = only(stay("east", 0, 120 - DAY, fence=1), departures=(left("south", 60),))
    assert found.kind is Kind.EXIT_WITHOUT_ENTRY


# ---- against a site that knows everything ----


def week(dice: Random) -> tuple[list[Stay], list[Departure], set[EventId], int]:
    """A week of one user at three edges that lose the portal now and then.

    Returns its stays and exits, and the offline grants that a portal in reach would have refused.
    """
    size, stays, exits = dice.choice((1, 1, 2)), dict[EventId, Stay](), list[Departure]()
    wrong: set[EventId] = set()
    fence = minute = 0
    known: set[EventId] = set()
    for seq in range(1, 25):
        minute += dice.randint(2, 60)
        edge, online = dice.choice(("east", "west", "south")), dice.random() < 0.6
        inside = [s for s in stays.values() if s.until is None]
        if inside and dice.random() < 0.5:
            gone = dice.choice(inside)
            stays[gone.id] = replace(gone, until=at(minute))
            if online:
                known |= {s.id for s in stays.values() if s.id.edge == gone.id.edge}
            continue
        here = [s for s in inside if s.id.edge == edge]
        if len(here) >= size:
            continue
        told = [s for s in inside if s.id in known or s.id.edge == edge]
        if online and len(told) >= size:
            continue
        new = stay(edge, minute, seq=seq)
        if online:
            fence += 1
            new = replace(new, fence=fence)
            known.add(new.id)
        elif len(inside) >= size:
            wrong.add(new.id)
        stays[new.id] = new
    return list(stays.values()), exits, wrong, size


@pytest.mark.parametrize("seed", range(300))
def test_every_offline_grant_that_would_have_been_refused_has_exactly_one_record(seed: int) -> None:
    dice = Random(seed)
    stays, exits, wrong, size = week(dice)
    found = settle("u", stays, exits, size).conflicts
    ids = [conflict.id for conflict in found]
    assert len(ids) == len(set(ids))
    assert {str(id) for id in wrong} <= set(ids)
    named = {str(claim.id): claim for conflict in found for claim in conflict.claims}
    assert all(named[conflict.surplus or ""].fence is None for conflict in found)
    dice.shuffle(stays)
    assert settle("u", stays, exits, size).conflicts == found


STAYS = st.lists(
    st.builds(
        lambda edge, since, long, fence: stay(edge, since, None if long is None else since + long, fence),
        st.sampled_from(("east", "west", "south")),
        st.floats(0, 100).map(lambda minute: round(minute, 1)),
        st.none() | st.integers(0, 40) | st.integers(-2000, 0),
        st.none() | st.integers(1, 99),
    ),
    max_size=8,
    unique_by=lambda one: one.id,
)


@given(stays=STAYS, size=st.integers(1, 2), dice=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing_and_what_is_known_keeps_its_name(
    stays: list[Stay], size: int, dice: Random
) -> None:
    found = settle("u", stays, [left("north", 50)], size)
    mixed = stays.copy()
    dice.shuffle(mixed)
    assert settle("u", mixed, [left("north", 50)], size) == found
    fewer = {conflict.id for conflict in settle("u", mixed[:-1], [], size).conflicts}
    assert fewer <= {conflict.id for conflict in settle("u", mixed, [], size).conflicts}
