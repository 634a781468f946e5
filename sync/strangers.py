"""Plates of vehicles that belong to nobody on the list: kept briefly, then only as keyed hashes.

A hash lets one see that the same stranger came three times this week, without a plate in the file; a plain hash
would not do, because all plates can be tried. The key is thrown away every `KEY_DAYS`, and with it the link to
anything earlier. Methods run on the database connection's thread, inside the transaction that its owner opened.

Which rows are strangers' is found once, in slices, and kept in memory: a grant must not wait behind a search
through everybody else's rows.
"""

import heapq
import hmac
import sqlite3
from datetime import datetime, timedelta
from typing import Final

import msgspec

from sync.codec import instant_text

KEY_DAYS: Final = 7
SLICE_ROWS: Final = 100
"""Rows hashed in one transaction, so that no grant waits longer than about 20 ms behind it."""
LOOK_ROWS: Final = 1000
"""Rows looked at in one go, for the same reason."""


class Strangers:
    """The strangers of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._looked_through = 0
        self._waiting: list[tuple[str, int]] = []

    def look_slice(self) -> bool:
        """Find the strangers among the next `LOOK_ROWS` rows; whether there may be more. Writes nothing."""
        rows = self._db.execute(
            "SELECT p.seq, p.at, j.kind IN ('refused', 'granted') AND json_extract(j.body, '$.user_id') IS NULL"
            " FROM personal p JOIN journal j ON j.seq = p.seq WHERE p.seq > ? ORDER BY p.seq LIMIT ?",
            (self._looked_through, LOOK_ROWS),
        ).fetchall()
        for seq, at, stranger in rows:
            self._looked_through = seq
            if stranger:
                heapq.heappush(self._waiting, (at, seq))
        return len(rows) == LOOK_ROWS

    def hash_slice(self, before: datetime, now: datetime, fresh_key: bytes) -> tuple[int, list[str]]:
        """Replace the personal fields of up to `SLICE_ROWS` strangers seen before `before` by a keyed hash.

        They are among those that `look_slice` found. `fresh_key` is used from now on where the present key is
        missing or older than `KEY_DAYS`. Returns how many rows changed and the names of their evidence pictures,
        which are to be deleted too.
        """
        rows = self._due(instant_text(before))
        if not rows:
            return 0, []
        key, pictures = self._key(now, fresh_key), []
        for seq, at, text in rows:
            fields = msgspec.json.decode(text, type=dict[str, str])
            seen = fields.get("plate") or fields.get("basis.as_read", "")
            if seen:
                digest = hmac.digest(key, seen.encode(), "sha256").hex()[:32]
                self._db.execute("INSERT INTO stranger VALUES (?, ?, ?)", (seq, at, digest))
            self._db.execute("DELETE FROM personal WHERE seq = ?", (seq,))
            if picture := fields.get("basis.evidence"):
                pictures.append(picture)
        return len(rows), pictures

    def erase(self, before: datetime) -> int:
        """Delete hashes of strangers seen before `before`; how many."""
        return self._db.execute("DELETE FROM stranger WHERE at < ?", (instant_text(before),)).rowcount

    def _due(self, before: str) -> list[tuple[int, str, str]]:
        """Sequence number, time and personal fields of those that are due, oldest first.

        They wait on until they are seen to be gone, so that a transaction that is rolled back loses none.
        """
        found: list[tuple[int, str, str]] = []
        try:
            while self._waiting and self._waiting[0][0] < before and len(found) < SLICE_ROWS:
                at, seq = self._waiting[0]
                row = self._db.execute("SELECT fields FROM personal WHERE seq = ?", (seq,)).fetchone()
                heapq.heappop(self._waiting)
                if row is not None:
                    found.append((seq, at, row[0]))
        finally:
            for seq, at, _ in found:
                heapq.heappush(self._waiting, (at, seq))
        return found

    def _key(self, now: datetime, fresh_key: bytes) -> bytes:
        found = self._db.execute("SELECT since, key FROM stranger_key").fetchone()
        if found is not None and datetime.fromisoformat(found[0]) > now - timedelta(days=KEY_DAYS):
            return bytes(found[1])
        self._db.execute("INSERT OR REPLACE INTO stranger_key VALUES (1, ?, ?)", (instant_text(now), fresh_key))
        return fresh_key
