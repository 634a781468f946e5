"""The window, the repeats and the acknowledgements, without any time passing."""

from hypothesis import given
from hypothesis import strategies as st

from sync.messages import BATCH_LEN_MAX
from sync.outbox import RESEND_AFTER_MAX_S, WINDOW_BATCHES_MAX, Outbox


def test_rows_go_out_in_order_in_batches_until_the_window_is_full() -> None:
    outbox = Outbox(acked=10)
    sent = []
    while batch := outbox.next_batch(newest=1000):
        sent.append((batch.start, batch.stop - 1))
        outbox = outbox.sent(batch, now_s=0.0, chance=0.5)
    assert sent == [(11, 110), (111, 210), (211, 310), (311, 410)]
    assert outbox.stored(110).next_batch(newest=1000) == range(411, 511)


def test_a_short_tail_is_sent_at_once_and_nothing_is_sent_twice() -> None:
    outbox = Outbox(acked=0).sent(range(1, 4), 0.0, 0.0)
    assert outbox.next_batch(newest=3) is None
    assert outbox.next_batch(newest=5) == range(4, 6)


def test_what_is_not_acknowledged_is_sent_again_later_and_later() -> None:
    outbox, now, waits = Outbox(acked=0).sent(range(1, 4), 0.0, 1.0), 0.0, []
    for _ in range(8):
        due = outbox.deadline_s()
        assert due is not None
        assert outbox.overdue(due - 0.001) is None
        assert outbox.overdue(due) == range(1, 4)
        waits.append(due - now)
        now = due
        outbox = outbox.sent(range(1, 4), now, 1.0)
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]
    assert outbox.sent(range(1, 4), 0.0, 0.0).deadline_s() == 30


def test_only_the_unacknowledged_part_is_repeated() -> None:
    outbox = Outbox(acked=0).sent(range(1, 11), 0.0, 0.0).stored(4)
    assert outbox.overdue(30.0) == range(5, 11)
    assert outbox.sent(range(5, 11), 30.0, 1.0).flights[0].tries == 2


def test_a_late_acknowledgement_takes_nothing_back() -> None:
    outbox = Outbox(acked=0).sent(range(1, 11), 0.0, 0.0).stored(10)
    assert outbox.stored(3) == outbox
    assert outbox.deadline_s() is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "ack", "lose", "grow"]), st.integers(0, 400)),
        max_size=80,
    )
)
def test_in_the_end_every_row_arrives(steps: list[tuple[str, int]]) -> None:
    outbox, newest, portal, now = Outbox(acked=0), 0, 0, 0.0

    def transmit(arrives: bool) -> bool:
        nonlocal outbox, portal, now
        batch = outbox.next_batch(newest) or outbox.overdue(now)
        if batch is None:
            return False
        assert len(batch) <= BATCH_LEN_MAX
        outbox = outbox.sent(batch, now, 0.5)
        assert len(outbox.flights) <= WINDOW_BATCHES_MAX
        if arrives and batch.start <= portal + 1:
            portal = max(portal, batch.stop - 1)
        return True

    for what, number in steps:
        match what:
            case "grow":
                newest += number
            case "ack":
                outbox = outbox.stored(min(number, portal))
            case _:
                transmit(arrives=what == "send")
        now += 7
    for _ in range(newest // BATCH_LEN_MAX + WINDOW_BATCHES_MAX + 1):
        while transmit(arrives=True):
            outbox = outbox.stored(portal)
        now += RESEND_AFTER_MAX_S
    assert portal == outbox.acked == newest
