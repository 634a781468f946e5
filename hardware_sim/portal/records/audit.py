"""Who did what at the portal's pages and commands: rows that are only ever added.

Every method runs on the database connection's own thread, inside the transaction that its owner opened, so that no
deed is without its row. Passwords, codes and plates are never part of a row.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

DETAIL_LEN_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Deed:
    """One row: the account (or `command`) that acted, what it did, about whom or what."""

    number: int
    at: datetime
    actor: str
    deed: str
    about: str
    detail: str


class Audit:
    """The deeds of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def note(self, now: datetime, actor: str, deed: str, about: str = "", detail: str = "") -> None:
        """Write a deed down."""
        row = (now.astimezone(UTC).isoformat(), actor, deed, about, detail[:DETAIL_LEN_MAX])
        self._db.execute("INSERT INTO audit (at, actor, deed, about, detail) VALUES (?, ?, ?, ?, ?)", row)

    def deeds(self, about: str = "", limit: int = 100) -> list[Deed]:
        """The newest deeds, those about one thing only if one is named."""
        found = self._db.execute(
            f"SELECT number, at, actor, deed, about, detail FROM audit{' WHERE about = ?' if about else ''}"
            " ORDER BY number DESC LIMIT ?",
            (*([about] if about else []), limit),
        )
        return [Deed(number, datetime.fromisoformat(at), *rest) for number, at, *rest in found]
