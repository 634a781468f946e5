"""Which journal rows to send next, which to send again and when: pure, handed the time and the chance.

The journal itself is the queue; this only remembers what is under way. A broker's acknowledgement means
nothing here: rows leave the outbox when the portal says that it has stored them.
"""

from dataclasses import dataclass, replace
from typing import Final

from sync.messages import BATCH_LEN_MAX

WINDOW_BATCHES_MAX: Final = 4
"""Unacknowledged batches under way."""
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
    """Rows up to `acked` are at the portal; `flights` are on their way, in order. A new connection begins anew."""

    acked: int
    flights: tuple[Flight, ...] = ()

    def next_batch(self, newest: int) -> range | None:
        """The next rows to send for the first time, up to `newest`; None when all are sent or none may be."""
        sent = self.flights[-1].last if self.flights else self.acked
        if sent >= newest or len(self.flights) >= WINDOW_BATCHES_MAX:
            return None
        return range(sent + 1, min(newest, sent + BATCH_LEN_MAX) + 1)

    def overdue(self, now_s: float) -> range | None:
        """The oldest rows that are to be sent again by now."""
        return next((range(f.first, f.last + 1) for f in self.flights if f.due_s <= now_s), None)

    def deadline_s(self) -> float | None:
        """When `overdue` will next have rows; None while nothing is under way."""
        return min((f.due_s for f in self.flights), default=None)

    def sent(self, batch: range, now_s: float, chance: float) -> "Outbox":
        """These rows went out, and go out again if nobody acknowledges them.

        `chance` (0 to 1) spreads the repeats: after the nth try 30 s to 30 * 2**(n-1) s, at most 10 min.
        """
        before = next((f for f in self.flights if f.first == batch.start), None)
        tries = before.tries + 1 if before else 1
        longest = min(RESEND_AFTER_S * 2 ** (tries - 1), RESEND_AFTER_MAX_S)
        wait_s = RESEND_AFTER_S + chance * (longest - RESEND_AFTER_S)
        flight = Flight(batch.start, batch.stop - 1, tries, now_s + wait_s)
        if before:
            return replace(self, flights=tuple(flight if f is before else f for f in self.flights))
        return replace(self, flights=(*self.flights, flight))

    def stored(self, through: int) -> "Outbox":
        """The portal has every row up to `through`; what it already had changes nothing."""
        left = tuple(replace(f, first=max(f.first, through + 1)) for f in self.flights if f.last > through)
        return Outbox(max(self.acked, through), left)
