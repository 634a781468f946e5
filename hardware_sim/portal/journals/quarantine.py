"""What edges delivered and nobody can read or believe: kept for a person to look at, for a month, and so many.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. That a row
was delivered stays known when it is gone from here (`ledgers`), so that it does not come back with the next batch.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gate_controller.errors import BadInput
from hardware_sim.portal.journals.reading import Quarantined, Why
from sync.codec import instant_text

KEPT_FOR: Final = timedelta(days=30)
"""As long as edges keep personal fields: there may be plates in it."""
KEPT_LEN_MAX: Final = 10_000
"""Events: at 16 KiB each, an edge that sends nothing else costs 160 MiB at most."""


@dataclass(frozen=True, slots=True)
class SetApart:
    """An event set apart, under a `number` by which a person names it."""

    number: int
    received_at: datetime
    edge: str
    ledger: str
    event: Quarantined


class Quarantine:
    """The table of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, edge: str, ledger: str, one: Quarantined, at: datetime) -> None:
        """Set an event apart, if the same is not there yet; the oldest give way."""
        put = self._db.execute(
            "INSERT INTO quarantine (edge, ledger, seq, received_at, reason, text) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (edge, ledger, one.seq, instant_text(at.astimezone(UTC)), one.why, one.text),
        )
        if put.rowcount and put.lastrowid is not None:
            self._db.execute("DELETE FROM quarantine WHERE number <= ?", (put.lastrowid - KEPT_LEN_MAX,))

    def newest(self, limit: int) -> list[SetApart]:
        """The newest first."""
        found = self._db.execute(
            "SELECT number, received_at, edge, ledger, seq, reason, text FROM quarantine"
            " ORDER BY number DESC LIMIT ?",
            (limit,),
        )
        return [_set_apart(*values) for values in found]

    def one(self, number: int) -> SetApart:
        """The one of this number. Raises BadInput."""
        found = self._db.execute(
            "SELECT number, received_at, edge, ledger, seq, reason, text FROM quarantine WHERE number = ?",
            (number,),
        ).fetchone()
        if found is None:
            raise BadInput(
                f"nothing in quarantine has the number {number}; `slagboom portal quarantine list` has them"
            )
        return _set_apart(*found)

    def drop(self, numbers: Sequence[int]) -> None:
        """Delete these, all or none. Raises BadInput for one that is not there."""
        for number in numbers:
            self.one(number)
            self._db.execute("DELETE FROM quarantine WHERE number = ?", (number,))

    def forget(self, now: datetime) -> None:
        """Delete what has been here for too long."""
        before = instant_text((now - KEPT_FOR).astimezone(UTC))
        self._db.execute("DELETE FROM quarantine WHERE received_at <= ?", (before,))


def _set_apart(number: int, at: str, edge: str, ledger: str, seq: int, why: str, text: str) -> SetApart:
    return SetApart(number, datetime.fromisoformat(at), edge, ledger, Quarantined(seq, Why(why), text))
