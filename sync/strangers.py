"""Plates of vehicles that belong to nobody on the list: kept briefly, then only as keyed hashes.

A hash lets one see that the same stranger came three times this week, without a plate in the file; a plain hash
would not do, because all plates can be tried. The key is thrown away every `KEY_DAYS`, and with it the link to
anything earlier. Methods run on the database connection's thread, inside the transaction that its owner opened.
"""

import hmac
import sqlite3
from datetime import datetime, timedelta
from typing import Final

import msgspec

from sync.journal import instant_text

KEY_DAYS: Final = 7
SLICE_ROWS: Final = 500
"""Rows hashed in one transaction, so that no grant waits behind it."""


class Strangers:
    """The strangers of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def hash_slice(self, before: datetime, now: datetime, fresh_key: bytes) -> tuple[int, list[str]]:
        """Replace the personal fields of up to `SLICE_ROWS` strangers seen before `before` by a keyed hash.

        `fresh_key` is used from now on where the present key is missing or older than `KEY_DAYS`. Returns how
        many rows changed and the names of their evidence pictures, which are to be deleted too.
        """
        rows = self._db.execute(
            "SELECT p.seq, p.at, p.fields FROM personal p JOIN journal j ON j.seq = p.seq"
            " WHERE p.at < ? AND j.kind IN ('refused', 'granted') AND json_extract(j.body, '$.user_id') IS NULL"
            " ORDER BY p.seq LIMIT ?",
            (instant_text(before), SLICE_ROWS),
        ).fetchall()
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

    def _key(self, now: datetime, fresh_key: bytes) -> bytes:
        found = self._db.execute("SELECT since, key FROM stranger_key").fetchone()
        if found is not None and datetime.fromisoformat(found[0]) > now - timedelta(days=KEY_DAYS):
            return bytes(found[1])
        self._db.execute("INSERT OR REPLACE INTO stranger_key VALUES (1, ?, ?)", (instant_text(now), fresh_key))
        return fresh_key
