"""Sessions of browsers: a random token that only the browser has, its digest here, an end, and a word at once.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. A holder is
a text, such as `account:3f2a`: whoever else logs in by other means has sessions of the same kind.
"""

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

IDLE_MAX: Final = timedelta(minutes=30)
"""Without a request for so long, a session has ended."""
LIVES: Final = timedelta(hours=12)
"""However busy: a working day."""
SEEN_EVERY: Final = timedelta(minutes=1)
"""So often a use is written down at most."""
EACH_MAX: Final = 10
"""Sessions of one holder; the longest unused one ends first."""


@dataclass(frozen=True, slots=True)
class Session:
    """A live session; `notice` is a line for the next page."""

    digest: bytes
    holder: str
    site: str | None
    notice: str | None


class Sessions:
    """The sessions of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def begin(self, holder: str, now: datetime) -> str:
        """A new session's token, to be told to the browser and to nobody else."""
        token = secrets.token_urlsafe(32)
        self._db.execute("DELETE FROM session WHERE until <= ?", (_text(now),))
        self._db.execute(
            "DELETE FROM session WHERE holder = ? AND digest NOT IN"
            " (SELECT digest FROM session WHERE holder = ? ORDER BY seen_at DESC LIMIT ?)",
            (holder, holder, EACH_MAX - 1),
        )
        row = (digest_of(token), holder, _text(now), _text(now + LIVES))
        self._db.execute("INSERT INTO session (digest, holder, seen_at, until) VALUES (?, ?, ?, ?)", row)
        return token

    def find(self, token: str, now: datetime) -> Session | None:
        """The session of a token, if it lives; using it keeps it alive."""
        digest = digest_of(token)
        row = self._db.execute(
            "SELECT holder, seen_at, until, site, notice FROM session WHERE digest = ?", (digest,)
        ).fetchone()
        if row is None:
            return None
        holder, seen_at, until, site, notice = row
        seen = datetime.fromisoformat(seen_at)
        if now >= datetime.fromisoformat(until) or now - seen >= IDLE_MAX:
            self.end(digest)
            return None
        if now - seen >= SEEN_EVERY:
            self._db.execute("UPDATE session SET seen_at = ? WHERE digest = ?", (_text(now), digest))
        return Session(digest, holder, site, notice)

    def end(self, digest: bytes) -> None:
        """End one session; it may have ended already."""
        self._db.execute("DELETE FROM session WHERE digest = ?", (digest,))

    def end_all(self, holder: str) -> None:
        """End every session of a holder, at once: the next request of any of them finds none."""
        self._db.execute("DELETE FROM session WHERE holder = ?", (holder,))

    def choose_site(self, digest: bytes, site: str) -> None:
        """Remember for which site this session works."""
        self._db.execute("UPDATE session SET site = ? WHERE digest = ?", (site, digest))

    def notice(self, digest: bytes, text: str | None) -> None:
        """Keep a line for the next page, or forget it."""
        self._db.execute("UPDATE session SET notice = ? WHERE digest = ?", (text, digest))


def digest_of(token: str) -> bytes:
    """What is kept of a token: it has 256 random bits, so one hash is enough."""
    return sha256(b"slagboom/1 session\0" + token.encode(errors="replace")).digest()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
