"""The allowlist's rows in SQLite: the changes that build it, one an entry, and the cursor beside them.

Every method runs on the database connection's own thread, inside the transaction that its owner opened; rows,
cursor and root move together. A whole list arrives in parts, which are written beside the list in force as
entries of another generation (the *shadow*) until the cursor names that one: a cut costs no part, and no reader
sees half a list. Whom a list leaves out keeps its id, in a table of its own that no new list replaces. Whether a
change is allowed is `Allowlist.apply`'s business, asked before.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final

from gate_controller.allowlist import (
    Allowlist,
    Change,
    DeviceRemoved,
    PermitRemoved,
    ReservationRemoved,
    UserRemoved,
    ViewCodeRemoved,
    WholeList,
)
from gate_controller.errors import ListRejected, MalformedMessage, StoreError
from gate_controller.users import User
from sync.codec import decode_changes, encode_change
from sync.entries import KINDS, Entries, Gathered, Row, row_of
from sync.roots import Buckets

log = logging.getLogger(__name__)

SWEEP_ROWS: Final = 500
"""Rows of a former list deleted in one transaction, so that no grant waits longer than about 20 ms behind it."""
STATEMENT_ROWS: Final = 512
"""Rows written by one statement at most, halved until the rest fits: a few texts that SQLite has prepared already.
Other threads go on meanwhile, and between two statements it waits for them. A grant waits for one: some 5 ms."""
READ_ROWS: Final = 1000
"""Entries read into the memory at once."""
LOOK_ROWS: Final = 2000
"""Users looked at in one transaction for those whom a new list leaves out, for the same reason."""


Hurry = Callable[[], bool]
"""Whether anybody waits for the database by now."""


@dataclass(frozen=True, slots=True)
class ListCursor:
    """Which list is cached; `confirmed_at` is when the portal last said that it is the newest."""

    epoch: str
    rev: int
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shadow:
    """A whole list on its way: of `parts`, those before `next` are written; `root` is what it must come to."""

    epoch: str
    rev: int
    root: str
    parts: int
    next: int = 0


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
        start = Allowlist.empty(cursor.epoch, reader_bits).remembering(self.removed())
        return replace(_read(start, self.entries), revision=cursor.rev).compacted()

    def entries(self) -> Iterator[bytes]:
        """The encoded changes that build the list from nothing; read to the end before anything is written."""
        for kind in KINDS:
            yield from self._bodies(kind)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Kind, key and body of every entry; to be read to its end before anything is written."""
        return self._db.execute(
            "SELECT kind, key, body FROM list_entry WHERE generation = ?", (self._generation(),)
        )

    def sums(self) -> Buckets:
        """The sums of the list (`sync.roots`)."""
        return self._place()[2]

    def root(self) -> str:
        """The root of the list (`sync.roots`)."""
        return self.sums().root

    def removed(self) -> list[User]:
        """Whose the ids of those were who are not on the list."""
        found = self._db.execute(
            "SELECT CAST(user_id AS BLOB), external_id, customer FROM list_removed WHERE user_id NOT IN"
            " (SELECT key FROM list_entry WHERE generation = ? AND kind = 'user')",
            (self._generation(),),
        )
        return [User(user_id.decode(errors="replace"), *called) for user_id, *called in found]

    def put(
        self,
        epoch: str,
        from_rev: int,
        to_rev: int,
        changes: Sequence[Change],
        confirmed_at: datetime | None,
        ops: Sequence[bytes] | None = None,
        root: str | None = None,
    ) -> str:
        """Write the changes that lead from one revision to another; the list's root then.

        `ops` are their very bytes, if another side encoded them; ListRejected if the list then has another root.
        """
        at, generation, buckets = self._place()
        if at != (epoch, from_rev):
            raise StoreError(f"the cached list is not at revision {from_rev} of {epoch}; ask for the whole list")
        for change, body in zip(changes, _texts(changes, ops), strict=True):
            self._put(change, body, generation, buckets)
        blob, found = buckets.blob, buckets.root
        if root is not None and found != root:
            raise ListRejected("root_mismatch", f"revision {to_rev} has another content; ask for the whole list")
        self._db.execute(
            "UPDATE list_cursor SET rev = ?, confirmed_at = coalesce(?, confirmed_at), buckets = ?",
            (to_rev, _instant(confirmed_at), blob),
        )
        return found

    def replace(self, epoch: str, rev: int, changes: Sequence[Change], confirmed_at: datetime | None) -> None:
        """Write a whole list in place of the old one, in one transaction; who is on it no longer keeps its id."""
        self._remember("generation = ?", self._generation())
        self._db.execute("DELETE FROM list_entry")
        self._db.execute("DELETE FROM list_shadow")
        generation, buckets = self._generation(), Buckets()
        for change, body in zip(changes, _texts(changes, None), strict=True):
            self._put(change, body, generation, buckets)
        self._db.execute("DELETE FROM list_removed WHERE user_id IN (SELECT key FROM list_entry)")
        self._move(epoch, rev, confirmed_at, generation, buckets)

    # ---- a whole list, in parts ----

    def shadow(self) -> Shadow | None:
        """What of a whole list is written already; None when none is on its way."""
        found = self._db.execute("SELECT epoch, rev, root, parts, next FROM list_shadow").fetchone()
        return None if found is None else Shadow(*found)

    def add_parts(self, before: Shadow, after: Shadow, entries: Gathered, first: int, hurry: Hurry) -> int | None:
        """Write the parts between two stages of a whole list, which begins anew at part 0; None when that is done.

        In a hurry it stops before that and says from which row, in place of `first`, to go on. What was written of
        such a stage counts only when all of it is, and is written once more if that never comes.
        """
        if before.next == 0 and first == 0:
            self._begin_shadow(before)
        found = self._db.execute("SELECT generation, buckets FROM list_shadow").fetchone()
        if found is None or self.shadow() != before:
            raise StoreError(f"part {before.next} of revision {before.rev} does not follow what is written")
        generation, rows = found[0], entries.rows
        while first < len(rows):
            first = self._insert_rows(generation, rows, first)
            if first < len(rows) and hurry():
                return first
        buckets = Buckets(found[1])
        buckets.join(entries.sums)
        self._db.execute("UPDATE list_shadow SET next = ?, buckets = ?", (after.next, buckets.blob))
        return None

    def _begin_shadow(self, begun: Shadow) -> None:
        above = self._db.execute("SELECT coalesce(max(generation), 0) + 1 FROM list_entry").fetchone()[0]
        self._db.execute(
            "INSERT OR REPLACE INTO list_shadow VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (*astuple(begun), max(above, self._generation() + 1), Buckets().blob),
        )

    def _insert_rows(self, generation: int, rows: Sequence[Row], at: int) -> int:
        """Write the rows from there on, as many as one statement takes; the first that is left."""
        size = STATEMENT_ROWS
        while size > len(rows) - at:
            size //= 2
        values = [generation, *chain.from_iterable(rows[at : at + size])]
        # A key that comes twice is written once, and then the root is not what was promised.
        places = ", ".join(["(?1, ?, ?, ?, ?)"] * size)
        self._db.execute(f"INSERT OR REPLACE INTO list_entry VALUES {places}", values)
        return at + size

    def shadow_bodies(self, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Key and body of at most `limit` entries of the shadow that follow this key."""
        found = self._db.execute(
            "SELECT key, body FROM list_entry WHERE generation = (SELECT generation FROM list_shadow)"
            " AND kind = ? AND key > ? ORDER BY key LIMIT ?",
            (kind, after, limit),
        )
        return [(key, body.encode()) for key, body in found]

    def drop_shadow(self) -> None:
        """Begin anew with the next part; `sweep` takes the rows away."""
        self._db.execute("DELETE FROM list_shadow")

    def remember_slice(self, after: bytes) -> bytes | None:
        """Keep the ids of users after this one whom the shadow leaves out; the last one looked at, None at the end.

        To be called before `swap`, and harmless if that never comes: a user on the list counts as such.
        """
        (last,) = self._db.execute(
            "SELECT CAST(max(key) AS BLOB) FROM (SELECT key FROM list_entry WHERE generation = ? AND kind = 'user'"
            " AND key > CAST(? AS TEXT) ORDER BY key LIMIT ?)",
            (self._generation(), after, LOOK_ROWS),
        ).fetchone()
        if last is not None:
            self._remember(
                "generation = ? AND key > CAST(? AS TEXT) AND key <= CAST(? AS TEXT)"
                " AND NOT EXISTS (SELECT 1 FROM list_entry AS stays WHERE stays.kind = 'user'"
                " AND stays.generation = (SELECT generation FROM list_shadow) AND stays.key = list_entry.key)",
                self._generation(), after, last,
            )  # fmt: skip
        return None if last is None else bytes(last)

    def swap(self, confirmed_at: datetime | None) -> None:
        """The shadow, complete, is the list from now on. ListRejected if it has another root than was promised."""
        (generation, blob) = self._db.execute("SELECT generation, buckets FROM list_shadow").fetchone()
        shadow, buckets = self.shadow(), Buckets(blob)
        assert shadow is not None, "it was just read"
        if shadow.next != shadow.parts or buckets.root != shadow.root:
            raise ListRejected("root_mismatch", f"the parts of revision {shadow.rev} are not the promised list")
        self._move(shadow.epoch, shadow.rev, confirmed_at, generation, buckets)
        self.drop_shadow()

    def sweep(self) -> int:
        """Delete up to `SWEEP_ROWS` entries of former lists and given-up shadows; returns how many."""
        now = self._generation()
        (shadow,) = self._db.execute("SELECT max(generation) FROM list_shadow").fetchone()
        (newest,) = self._db.execute("SELECT coalesce(max(generation), 0) FROM list_entry").fetchone()
        # As two ranges, so that the rows that stay are not walked through.
        for least, below in ((-1, now), (now + 1, newest + 1 if shadow is None else shadow)):
            swept = self._db.execute(
                "DELETE FROM list_entry WHERE (generation, kind, key) IN (SELECT generation, kind, key"
                " FROM list_entry WHERE generation >= ? AND generation < ? LIMIT ?)",
                (least, below, SWEEP_ROWS),
            ).rowcount
            if swept:
                return swept
        return 0

    # ---- inside ----

    def _generation(self) -> int:
        found = self._db.execute("SELECT generation FROM list_cursor").fetchone()
        return int(found[0]) if found else 0

    def _place(self) -> tuple[tuple[str, int] | None, int, Buckets]:
        """Epoch and revision of the list in force, None before the first; its generation; its sums."""
        found = self._db.execute("SELECT epoch, rev, generation, buckets FROM list_cursor").fetchone()
        epoch, rev, generation, blob = found or ("", 0, 0, None)
        buckets = Buckets(blob)
        if blob is None:
            sql = "SELECT kind, key, body FROM list_entry WHERE generation = ?"
            for entry in self._db.execute(sql, (generation,)):
                buckets.add(*entry)
        return (epoch, rev) if found else None, generation, buckets

    def _bodies(self, kind: str) -> Iterator[bytes]:
        found = self._db.execute(
            "SELECT CAST(body AS BLOB) FROM list_entry WHERE generation = ? AND kind = ? ORDER BY key",
            (self._generation(), kind),
        )
        return (body for (body,) in found)

    def _remember(self, where: str, *values: str | int | bytes) -> None:
        """Keep of these users what says whose their ids were, and nothing else."""
        self._db.execute(
            "INSERT OR REPLACE INTO list_removed SELECT key, json_extract(body, '$.user.external_id'),"
            " coalesce(json_extract(body, '$.user.customer'), '') FROM list_entry WHERE kind = 'user'"
            # A disk that rotted may hold anything.
            " AND CASE WHEN json_valid(body) THEN json_type(body, '$.user.external_id') END = 'text'"
            f" AND {where}",
            values,
        )

    def _put(self, change: Change, body: str, generation: int, buckets: Buckets) -> None:
        match change:
            case UserRemoved(user_id):
                self._remove_user(user_id, generation, buckets)
            case PermitRemoved(permit_id):
                self._forget(generation, "permit", permit_id, buckets)
            case DeviceRemoved(device_id):
                self._forget(generation, "device", device_id, buckets)
            case ReservationRemoved(reservation_id):
                self._forget(generation, "reservation", reservation_id, buckets)
            case ViewCodeRemoved(code_id):
                self._forget(generation, "view_code", code_id, buckets)
            case _:
                self._insert(generation, row_of(change, body), buckets)

    def _forget(self, generation: int, kind: str, key: str, buckets: Buckets) -> None:
        self._delete("generation = ? AND kind = ? AND key = ?", (generation, kind, key), buckets)

    def _remove_user(self, user_id: str, generation: int, buckets: Buckets) -> None:
        # The owner is asked for as the index has it.
        self._delete("generation = ? AND owner IS NOT NULL AND owner = ?", (generation, user_id), buckets)
        self._remember("generation = ? AND key = ?", generation, user_id)
        self._forget(generation, "user", user_id, buckets)

    def _insert(self, generation: int, row: Row, buckets: Buckets) -> None:
        kind, key, _, body = row
        # Asked and then put in place: a third less than deleting what is there and inserting.
        sql = "SELECT CAST(body AS BLOB) FROM list_entry WHERE generation = ? AND kind = ? AND key = ?"
        for (old,) in self._db.execute(sql, (generation, kind, key)).fetchall():
            buckets.take(kind, key, old.decode(errors="replace"))
        self._db.execute(
            "INSERT INTO list_entry VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET owner = excluded.owner, body = excluded.body",
            (generation, *row),
        )
        buckets.add(kind, key, body)

    def _delete(self, where: str, values: tuple[int | str, ...], buckets: Buckets) -> None:
        sql = f"DELETE FROM list_entry WHERE {where} RETURNING kind, CAST(key AS BLOB), CAST(body AS BLOB)"
        gone = self._db.execute(sql, values).fetchall()
        for kind, name, body in gone:
            buckets.take(kind, name.decode(errors="replace"), body.decode(errors="replace"))

    def _move(self, epoch: str, rev: int, confirmed_at: datetime | None, generation: int, buckets: Buckets) -> None:
        # Not replaced: of a row that stays as long as it is, SQLite writes only the pages that differ.
        self._db.execute(
            "INSERT INTO list_cursor (only_row, epoch, rev, confirmed_at, generation, buckets)"
            " VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET epoch = excluded.epoch, rev = excluded.rev,"
            " confirmed_at = excluded.confirmed_at, generation = excluded.generation, buckets = excluded.buckets",
            (epoch, rev, _instant(confirmed_at), generation, buckets.blob),
        )


def _read(start: Allowlist, entries: Callable[[], Iterator[bytes]]) -> Allowlist:
    """The list that these entries build; those that a disk has spoilt are left out, and whoever they named."""
    whole, bodies = WholeList(start.reader_bits), entries()
    try:
        while some := [*islice(bodies, READ_ROWS)]:
            Entries(some).onto(whole)
        return start.replaced_by(whole, start.epoch, 1)
    except (ListRejected, MalformedMessage, ValueError):
        every = [*entries()]
    found = _salvaged(start, [change for body in every for change in _readable(body)])
    log.error("%d of %d entries of the cached list cannot be used", len(every) - found.revision, len(every))
    return found


def _readable(body: bytes) -> list[Change]:
    try:
        return decode_changes([body])
    except (MalformedMessage, ValueError):
        return []


def _salvaged(start: Allowlist, changes: Sequence[Change]) -> Allowlist:
    """The list with as many of the changes as follow its rules; its revision rises by each."""
    if not changes:
        return start
    try:
        return start.apply(changes, start.revision + len(changes))
    except (ListRejected, ValueError):
        middle = len(changes) // 2
        return _salvaged(_salvaged(start, changes[:middle]), changes[middle:]) if middle else start


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _texts(changes: Sequence[Change], ops: Sequence[bytes] | None) -> list[str]:
    """The bodies to be written: the very bytes that came, so that both sides hash the same."""
    return [bytes(op).decode() for op in (map(encode_change, changes) if ops is None else ops)]
