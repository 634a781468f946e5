"""What goes first, the window, the pause, the repeats and the acknowledgements, without any time passing."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.messages import BATCH_LEN_MAX, PAUSE_MS_MAX, WINDOW, WINDOW_MAX, EventAck, Rows
from sync.outbox import RESEND_AFTER_MAX_S, RESEND_AFTER_S, Outbox, again_after_s
from sync.spans import joined, without


def ack(through: int, upto: int = 0, *missing: tuple[int, int], **other: Any) -> EventAck:
    gaps = [Rows(*gap) for gap in missing]
    return EventAck(aud="t/s/e", ledger="L", through=through, upto=upto, missing=gaps, **other)


def all_sent(outbox: Outbox, now_s: float = 0.0) -> tuple[Outbox, list[tuple[int, int]]]:
    sent = []
    while batch := outbox.next_batch(now_s):
        sent.append((batch.start, batch.stop - 1))
        outbox = outbox.sent(batch, now_s, 0.5)
    return outbox, sent


def test_an_outage_is_made_up_for_in_order_and_leaves_room_for_news() -> None:
    outbox, sent = all_sent(Outbox.begin(0, 10, 1000))
    assert sent == [(11, 110), (111, 210), (211, 310)]
    outbox, sent = all_sent(outbox.grown(1002))
    assert sent == [(1001, 1002)]
    assert all_sent(outbox.grown(1003))[1] == []
    outbox = outbox.acknowledged(ack(10, 1002, (11, 1000)), 0.0, 0.0)
    assert all_sent(outbox.grown(1003))[1] == [(1003, 1003)]


def test_news_go_before_what_is_older() -> None:
    outbox = Outbox.begin(0, 0, 5000).grown(5150)
    assert all_sent(outbox)[1] == [(5001, 5100), (5101, 5150), (1, 100), (101, 200)]


def test_a_short_tail_is_sent_at_once_and_nothing_is_sent_twice() -> None:
    outbox, sent = all_sent(Outbox.begin(0, 0, 0).grown(3))
    assert sent == [(1, 3)]
    assert all_sent(outbox.grown(5))[1] == [(4, 5)]


def test_what_is_not_acknowledged_is_sent_again_later_and_later() -> None:
    outbox, now, waits = Outbox.begin(0, 0, 3).sent(range(1, 4), 0.0, 1.0), 0.0, []
    for _ in range(8):
        due = outbox.deadline_s()
        assert due is not None
        assert outbox.next_batch(due - 0.001) is None
        assert outbox.next_batch(due) == range(1, 4)
        waits.append(due - now)
        now = due
        outbox = outbox.sent(range(1, 4), now, 1.0)
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]
    assert again_after_s(100_000, 0.0) == RESEND_AFTER_S


def test_only_the_unacknowledged_part_is_repeated() -> None:
    outbox = Outbox.begin(0, 0, 10).sent(range(1, 11), 0.0, 0.0).acknowledged(ack(4, 4), 0.0, 0.0)
    assert outbox.next_batch(30.0) == range(5, 11)
    assert outbox.sent(range(5, 11), 30.0, 1.0).flights[0].tries == 2


def test_a_batch_that_had_to_be_cut_loses_nothing() -> None:
    outbox = Outbox.begin(0, 0, 10).sent(range(1, 11), 0.0, 0.0)
    outbox = outbox.sent(range(1, 4), 30.0, 0.0)
    assert outbox.next_batch(30.0) == range(4, 11)


def test_a_late_acknowledgement_takes_nothing_back() -> None:
    outbox = Outbox.begin(0, 0, 10).sent(range(1, 11), 0.0, 0.0).acknowledged(ack(10, 10), 0.0, 0.0)
    late = outbox.acknowledged(ack(3, 10, (4, 9)), 0.0, 0.0)
    assert late == outbox
    assert outbox.deadline_s() is None


def test_what_the_portal_lost_is_sent_again_once() -> None:
    """Its database is from a backup: it lacks rows that it acknowledged long ago."""
    outbox = Outbox.begin(0, 500, 500).grown(501)
    outbox, _ = all_sent(outbox)
    lost = ack(100, 501, (101, 500))
    outbox, sent = all_sent(outbox.acknowledged(lost, 0.0, 0.0))
    assert sent == [(101, 200), (201, 300), (301, 400)]
    outbox = outbox.acknowledged(ack(501, 501), 0.0, 0.0).acknowledged(lost, 0.0, 0.0)
    assert all_sent(outbox)[1] == []


def test_nothing_of_an_older_ledger_is_sent_whatever_is_asked_for() -> None:
    outbox = Outbox.begin(40, 60, 60).acknowledged(ack(0, 60, (0, 2**53), (-7, 3), (9, 1)), 0.0, 0.0)
    assert all_sent(outbox)[1] == [(41, 60)]


def test_the_portal_sets_window_and_pause_within_bounds() -> None:
    outbox = Outbox.begin(0, 0, 10_000).acknowledged(ack(0, window=1), 0.0, 0.0)
    assert all_sent(outbox)[1] == [(1, 100)]
    for window in (-5, 0, WINDOW_MAX + 1, 2**40):
        outbox = Outbox.begin(0, 0, 10_000).acknowledged(ack(0, window=window), 0.0, 0.0)
        assert 1 <= outbox.window <= WINDOW_MAX
    paused = Outbox.begin(0, 0, 10_000).acknowledged(ack(0, pause_ms=2000), 100.0, 1.0)
    assert paused.next_batch(102.9) is None
    assert paused.deadline_s() == 103.0
    assert paused.next_batch(103.0) == range(1, 101)
    longest = Outbox.begin(0, 0, 10_000).acknowledged(ack(0, pause_ms=2**40), 0.0, 1.0)
    assert longest.pause_until_s == 1.5 * PAUSE_MS_MAX / 1000
    assert paused.acknowledged(ack(0), 101.0, 0.0).next_batch(101.0) == range(1, 101)


class Portal:
    """Stores what arrives, and says so as the real one does."""

    def __init__(self, missing_max: int) -> None:
        self.has: tuple[tuple[int, int], ...] = ()
        self._missing_max = missing_max

    def says(self, window: int, of: range) -> EventAck:
        through = self.has[0][1] if self.has and self.has[0][0] == 1 else 0
        upto = self.has[-1][1] if self.has else 0
        missing = without([(through + 1, upto)], self.has)
        if len(missing) > self._missing_max:
            upto = missing[self._missing_max][0] - 1
        return ack(through, upto, *missing[: self._missing_max], window=window, batch=Rows(of.start, of.stop - 1))


@pytest.mark.parametrize("missing_max", [0, 1, 16])
@given(st.randoms(use_true_random=False), st.integers(0, 900), st.integers(1, WINDOW_MAX))
def test_in_the_end_every_row_arrives(missing_max: int, chance: random.Random, backlog: int, window: int) -> None:
    """Batches and acknowledgements are lost, doubled and overtake one another; then everything is healed."""
    portal, outbox, newest, now = Portal(missing_max), Outbox.begin(0, 0, backlog), backlog, 0.0
    up: list[range] = []
    down: list[EventAck] = []

    def check() -> None:
        assert len(outbox.flights) <= max(window, WINDOW)
        assert all(flight.last - flight.first < BATCH_LEN_MAX for flight in outbox.flights)
        everything = joined(outbox.todo, [(f.first, f.last) for f in outbox.flights], outbox.stored)
        assert everything == joined([(1, newest)]), "a row is to be sent, under way, or stored"

    for _ in range(60):
        match chance.randrange(6):
            case 0:
                newest += chance.randrange(150)
                outbox = outbox.grown(newest)
            case 1 | 2:
                if (batch := outbox.next_batch(now)) is not None:
                    live = without(outbox.todo, [(0, outbox.live - 1)])
                    if live and batch.start < outbox.live:
                        assert any(f.first == batch.start for f in outbox.flights), "history went before news"
                    outbox = outbox.sent(batch, now, chance.random())
                    up += [batch] * chance.choice([0, 1, 1, 2])
            case 3:
                if up:
                    batch = up.pop(chance.randrange(len(up)))
                    portal.has = joined(portal.has, [(batch.start, batch.stop - 1)])
                    down += [portal.says(window, batch)] * chance.choice([0, 1, 1, 2])
            case 4:
                if down:
                    outbox = outbox.acknowledged(down.pop(chance.randrange(len(down))), now, chance.random())
            case _:
                now += chance.random() * 40
        check()
    for _ in range(2 * (newest // BATCH_LEN_MAX + 60)):
        while (batch := outbox.next_batch(now)) is not None:
            outbox = outbox.sent(batch, now, 0.5)
            portal.has = joined(portal.has, [(batch.start, batch.stop - 1)])
            outbox = outbox.acknowledged(portal.says(window, batch), now, 0.5)
            check()
        now += RESEND_AFTER_MAX_S
    assert portal.has == joined([(1, newest)])
    assert (outbox.todo, outbox.flights) == ((), ())
