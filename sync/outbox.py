"""Which journal rows to send next, which to send again and when: pure, handed the time and the chance.

The journal itself is the queue; this only remembers what is to be sent, what is under way, and what the portal has
said to have. A broker's acknowledgement means nothing here. Rows written since the connection began go before
those that an outage left behind, which never fill the window.
"""

from dataclasses import dataclass, replace
from typing import Final

from sync.messages import BATCH_LEN_MAX, PAUSE_MS_MAX, WINDOW, WINDOW_MAX, EventAck
from sync.spans import Spans, joined, without

RESEND_AFTER_S: Final = 30.0
RESEND_AFTER_MAX_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Flight:
    """Rows `first` to `last` were sent `tries` times and are sent again at `due_s`."""

    first: int
    last: int
    tries: int
    due_s: float


@dataclass(frozen=True, slots=True)
class Outbox:
    """What one connection has to send; a new connection begins anew with `Outbox.begin`.

    Rows after `after` up to `newest` exist. `base` is the last one that was known to be at the portal when the
    connection began, `live` the first that is written during it. `todo` are rows to send, `flights` those under
    way, `stored` those that the portal named since. Nothing is sent before `pause_until_s`.
    """

    after: int
    base: int
    live: int
    newest: int
    todo: Spans = ()
    flights: tuple[Flight, ...] = ()
    stored: Spans = ()
    window: int = WINDOW
    pause_until_s: float = 0.0

    @classmethod
    def begin(cls, after: int, acked: int, newest: int) -> "Outbox":
        """Rows up to `acked` are at the portal, as far as anybody knows; those up to `newest` are history."""
        return cls(after, acked, newest + 1, newest, joined([(acked + 1, newest)]))

    def grown(self, newest: int) -> "Outbox":
        """Rows up to `newest` exist by now."""
        if newest <= self.newest:
            return self
        return replace(self, newest=newest, todo=joined(self.todo, [(self.newest + 1, newest)]))

    def next_batch(self, now_s: float) -> range | None:
        """The next rows to send: again what is overdue, else live ones, else history; None when none may be."""
        if now_s < self.pause_until_s:
            return None
        overdue = next((f for f in self.flights if f.due_s <= now_s), None)
        if overdue is not None:
            return range(overdue.first, overdue.last + 1)
        if len(self.flights) >= self.window:
            return None
        live = without(self.todo, [(0, self.live - 1)])
        if live:
            return _batch(*live[0])
        history = sum(f.first < self.live for f in self.flights)
        if not self.todo or history >= max(1, self.window - 1):
            return None
        return _batch(*self.todo[0])

    def deadline_s(self) -> float | None:
        """When `next_batch` may next have rows without any news; None while nothing waits for time to pass."""
        first = min((f.due_s for f in self.flights), default=None)
        if self.todo and len(self.flights) < self.window and self.pause_until_s:
            first = min(self.pause_until_s, first or self.pause_until_s)
        return None if first is None else max(first, self.pause_until_s)

    def sent(self, batch: range, now_s: float, chance: float) -> "Outbox":
        """These rows went out, and go out again if nobody acknowledges them."""
        before = next((f for f in self.flights if f.first <= batch.start <= f.last), None)
        tries = before.tries + 1 if before else 1
        flight = Flight(batch.start, batch.stop - 1, tries, now_s + again_after_s(tries, chance))
        others = (f for f in self.flights if f is not before)
        flights = tuple(sorted((*others, flight), key=lambda f: f.first))
        left = joined(self.todo, [(before.first, before.last)] if before else [])
        return replace(self, flights=flights, todo=without(left, [(flight.first, flight.last)]))

    def acknowledged(self, ack: EventAck, now_s: float, chance: float) -> "Outbox":
        """The portal says what it has; what it said before is not taken back by a message that was overtaken.

        Rows that were at the portal before this connection and are no more are sent again, once. The pause is
        stretched by up to a half of itself, so that gates that were told the same do not come back together.
        """
        gaps = joined([(gap.first, gap.last) for gap in ack.missing], [(ack.upto + 1, self.newest)])
        answered = [(ack.batch.first, ack.batch.last)] if ack.batch else []
        has = joined([(1, ack.through)], without([(1, min(ack.upto, self.newest))], gaps), answered)
        stored = joined(self.stored, has)
        flights = tuple(left for f in self.flights if (left := _left(f, stored)) is not None)
        lost = [(max(gap.first, self.after + 1), min(gap.last, self.base)) for gap in ack.missing]
        under_way = [(f.first, f.last) for f in flights]
        todo = without(joined(self.todo, lost), [*stored, *under_way])
        pause_s = min(ack.pause_ms, PAUSE_MS_MAX) / 1000 * (1 + chance / 2)
        return replace(
            self,
            todo=todo,
            flights=flights,
            stored=stored,
            window=max(1, min(ack.window, WINDOW_MAX)),
            pause_until_s=now_s + pause_s if pause_s else 0.0,
        )


def again_after_s(tries: int, chance: float) -> float:
    """Seconds to wait for an answer to the nth try: 30 to 30 * 2**(n-1), at most 600; `chance` is 0 to 1."""
    longest = min(RESEND_AFTER_S * 2.0 ** min(tries - 1, 32), RESEND_AFTER_MAX_S)
    wait_s: float = RESEND_AFTER_S + chance * (longest - RESEND_AFTER_S)
    return wait_s


def _batch(first: int, last: int) -> range:
    return range(first, min(last, first + BATCH_LEN_MAX - 1) + 1)


def _left(flight: Flight, stored: Spans) -> Flight | None:
    """What of a flight still has to arrive, from its first such row to its last; None when all has."""
    rows = without([(flight.first, flight.last)], stored)
    return replace(flight, first=rows[0][0], last=rows[-1][1]) if rows else None
