"""How long the portal has not confirmed the list, in SQLite, so that neither a restart nor a clock makes it young.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. What is too
old is `gate_controller.access`'s business.
"""

import sqlite3
from datetime import UTC, datetime


class ListAge:
    """The one row of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def note(self, confirmed_at: datetime, age_s: float) -> None:
        """The list that was confirmed then is so old now."""
        self._db.execute("INSERT OR REPLACE INTO list_age VALUES (1, ?, ?)", (_text(confirmed_at), age_s))

    def known(self, confirmed_at: datetime) -> float:
        """The age in seconds that was last noted of this confirmation; 0 where none was."""
        found = self._db.execute(
            "SELECT age_s FROM list_age WHERE confirmed_at = ?", (_text(confirmed_at),)
        ).fetchone()
        return float(found[0]) if found else 0.0


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
