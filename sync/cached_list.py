"""The allowlist's rows in SQLite: the changes that build it, one an entry, and the cursor beside them.

Every method runs on the database connection's own thread, inside the transaction that its owner opened; rows
and cursor move together. Whether a change is allowed is `Allowlist.apply`'s business, asked before.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gate_controller.allowlist import Allowlist, Change, PermitPut, PermitRemoved, UserPut, UserRemoved
from gate_controller.errors import StoreError
from gate_controller.users import User
from sync.messages import decode_changes, encode_change


@dataclass(frozen=True, slots=True)
class ListCursor:
    """Which list is cached; `confirmed_at` is when the portal last said that it is the newest."""

    epoch: str
    rev: int
    confirmed_at: datetime | None


class CachedList:
    """The list of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def cursor(self) -> ListCursor | None:
        """What is cached; None before the first list."""
        found = self._db.execute("SELECT epoch, rev, confirmed_at FROM list_cursor").fetchone()
        if found is None:
            return None
        epoch, rev, confirmed_at = found
        return ListCursor(epoch, rev, None if confirmed_at is None else datetime.fromisoformat(confirmed_at))

    def load(self, reader_bits: Sequence[int] = ()) -> Allowlist:
        """The cached list; of nobody before the first. Ids of removed users are remembered."""
        cursor = self.cursor() or ListCursor("", 0, None)
        gone = [put.user for put in decode_changes(self._bodies("removed")) if isinstance(put, UserPut)]
        start = Allowlist.empty(cursor.epoch, reader_bits).remembering(gone)
        changes = decode_changes([*self._bodies("user"), *self._bodies("permit")])
        return replace(start.apply(changes, 1), revision=cursor.rev).compacted()

    def entries(self) -> list[bytes]:
        """The encoded changes that build the list from nothing."""
        return [*self._bodies("user"), *self._bodies("permit")]

    def put(
        self, epoch: str, from_rev: int, to_rev: int, changes: Sequence[Change], confirmed_at: datetime | None
    ) -> None:
        """Write the changes that lead from one revision to another."""
        cursor = self.cursor()
        if cursor is None or (cursor.epoch, cursor.rev) != (epoch, from_rev):
            raise StoreError(f"the cached list is not at revision {from_rev} of {epoch}; ask for the whole list")
        for change in changes:
            self._put(change)
        self._move(epoch, to_rev, confirmed_at or cursor.confirmed_at)

    def replace(self, epoch: str, rev: int, changes: Sequence[Change], confirmed_at: datetime | None) -> None:
        """Write a whole list in place of the old one; who is on it no longer keeps its id."""
        stay = {change.user.id for change in changes if isinstance(change, UserPut)}
        for (user_id,) in self._db.execute("SELECT key FROM list_entry WHERE kind = 'user'").fetchall():
            if user_id not in stay:
                self._remove_user(user_id)
        self._db.execute("DELETE FROM list_entry WHERE kind IN ('user', 'permit')")
        for change in changes:
            self._put(change)
        self._move(epoch, rev, confirmed_at)

    # ---- inside ----

    def _bodies(self, kind: str) -> list[bytes]:
        found = self._db.execute("SELECT body FROM list_entry WHERE kind = ? ORDER BY key", (kind,))
        return [body.encode() for (body,) in found]

    def _put(self, change: Change) -> None:
        match change:
            case UserPut(user):
                self._delete("removed", user.id)
                self._insert("user", user.id, None, change)
            case UserRemoved(user_id):
                self._remove_user(user_id)
            case PermitPut(permit):
                self._insert("permit", permit.id, permit.user_id, change)
            case PermitRemoved(permit_id):
                self._delete("permit", permit_id)

    def _remove_user(self, user_id: str) -> None:
        self._db.execute("DELETE FROM list_entry WHERE kind = 'permit' AND owner = ?", (user_id,))
        found = self._db.execute(
            "DELETE FROM list_entry WHERE kind = 'user' AND key = ? RETURNING body", (user_id,)
        ).fetchall()
        for put in decode_changes(body.encode() for (body,) in found):
            if isinstance(put, UserPut):
                who = User(user_id, put.user.external_id, put.user.customer)
                self._insert("removed", user_id, None, UserPut(who))

    def _insert(self, kind: str, key: str, owner: str | None, change: Change) -> None:
        body = bytes(encode_change(change)).decode()
        self._db.execute("INSERT OR REPLACE INTO list_entry VALUES (?, ?, ?, ?)", (kind, key, owner, body))

    def _delete(self, kind: str, key: str) -> None:
        self._db.execute("DELETE FROM list_entry WHERE kind = ? AND key = ?", (kind, key))

    def _move(self, epoch: str, rev: int, confirmed_at: datetime | None) -> None:
        text = None if confirmed_at is None else confirmed_at.astimezone(UTC).isoformat()
        self._db.execute("INSERT OR REPLACE INTO list_cursor VALUES (1, ?, ?, ?)", (epoch, rev, text))
