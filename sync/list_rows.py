"""The rows of the list in force as they stand on the disk, whatever became of them: looked through and mended.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. Keys and
bodies are bytes here, because a disk that rotted need not hold text. What the rows mean is `sync.cached_list`'s.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from sync.entries import Row
from sync.roots import Buckets

SUM_ROWS: Final = 500
"""Rows summed up at once, so that no grant waits longer than about 2 ms behind them."""


class ListRows:
    """The rows of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def some(self, kind: str, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Key and body of at most `limit` entries of a kind that follow this key; none where keys do not rise."""
        found = self._db.execute(
            "SELECT CAST(key AS BLOB), CAST(body AS BLOB) FROM list_entry"
            " WHERE generation = (SELECT generation FROM list_cursor) AND kind = ? AND key > CAST(? AS TEXT)"
            " ORDER BY key LIMIT ?",
            (kind, after, limit),
        ).fetchall()
        return found if found and found[-1][0] > after else []

    def sum_some(self, sums: Buckets, kind: str, after: bytes) -> bytes | None:
        """Add the next entries to the sums; the last one's key, None at the end."""
        found = self.some(kind, after, SUM_ROWS)
        sums.add_read(kind, found)
        return found[-1][0] if found else None

    def admit(self, sums: Buckets) -> None:
        """These are the sums of the rows, so that no change is taken for one that leads to the portal's list."""
        self._db.execute("UPDATE list_cursor SET buckets = ?", (sums.blob,))

    def mend(
        self,
        rev: int,
        stale: Iterable[tuple[str, bytes]],
        rows: Sequence[Row],
        confirmed_at: datetime,
        sums: Buckets,
    ) -> None:
        """Put rows in place of stale ones, given by kind and key; the list is at this revision then."""
        (generation,) = self._db.execute("SELECT generation FROM list_cursor").fetchone()
        for kind, key in stale:
            where = (generation, kind, key)
            self._db.execute(
                "INSERT OR REPLACE INTO list_removed SELECT key, json_extract(body, '$.user.external_id'),"
                " coalesce(json_extract(body, '$.user.customer'), '') FROM list_entry WHERE generation = ?"
                " AND kind = ? AND key = CAST(? AS TEXT) AND kind = 'user'"
                " AND CASE WHEN json_valid(body) THEN json_type(body, '$.user.external_id') END = 'text'",
                where,
            )
            self._db.execute(
                "DELETE FROM list_entry WHERE generation = ? AND kind = ? AND key = CAST(? AS TEXT)", where
            )
        self._db.executemany(
            "INSERT OR IGNORE INTO list_entry VALUES (?, ?, ?, ?, ?)", ((generation, *row) for row in rows)
        )
        self._db.execute(
            "UPDATE list_cursor SET rev = ?, confirmed_at = ?, buckets = ?",
            (rev, confirmed_at.astimezone(UTC).isoformat(), sums.blob),
        )
