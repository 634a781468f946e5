"""Mail and SMS of the portal: kept and shown, never sent. A real one would hand them to a mail server from here.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. Bodies may
hold links and codes that count; they are for the operator's eyes, and few are kept.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

LETTERS_LEN_MAX: Final = 10_000
"""The oldest are dropped beyond that."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail or an SMS; `qr` is the text of a QR code that comes with it."""

    number: int
    kind: str
    at: datetime
    recipient: str
    subject: str
    body: str
    qr: str | None


class Mailbox:
    """The letters of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def mail(self, now: datetime, recipient: str, subject: str, body: str, qr: str | None = None) -> int:
        """Put a mail into the box; the number it has there."""
        return self._put("mail", now, recipient, subject, body, qr)

    def sms(self, now: datetime, number: str, body: str) -> None:
        """Put an SMS into the box."""
        self._put("sms", now, number, "", body, None)

    def letters(self, recipient: str = "", limit: int = 100) -> list[Letter]:
        """The newest letters, those to one recipient only if one is named."""
        found = self._db.execute(
            f"{_LETTERS} WHERE ? IN ('', recipient) ORDER BY number DESC LIMIT ?",
            (recipient, limit),
        )
        return [*map(_letter, found)]

    def letter(self, number: int) -> Letter | None:
        """One letter, if it is still there."""
        found = self._db.execute(f"{_LETTERS} WHERE number = ?", (number,)).fetchone()
        return None if found is None else _letter(found)

    def _put(self, kind: str, now: datetime, recipient: str, subject: str, body: str, qr: str | None) -> int:
        row = (kind, now.astimezone(UTC).isoformat(), recipient, subject, body, qr)
        done = self._db.execute(
            "INSERT INTO letter (kind, at, recipient, subject, body, qr) VALUES (?, ?, ?, ?, ?, ?)", row
        )
        self._db.execute(
            "DELETE FROM letter WHERE number <= (SELECT max(number) FROM letter) - ?", (LETTERS_LEN_MAX,)
        )
        return int(done.lastrowid or 0)


_LETTERS: Final = "SELECT number, kind, at, recipient, subject, body, qr FROM letter"


def _letter(row: Sequence[Any]) -> Letter:
    number, kind, at, *rest = row
    return Letter(number, kind, datetime.fromisoformat(at), *rest)
