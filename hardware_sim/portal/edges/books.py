"""The reference portal's tables of the list: its history, and what an edge needs of it. Events are `ledgers`'.

Every method runs on the database connection's own thread, inside the transaction that its owner opened.
Whether a change is allowed is `Allowlist.apply`'s business, asked before.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from gate_controller.allowlist import Allowlist, Change, UserRemoved
from gate_controller.errors import BadInput
from hardware_sim.portal.edges.cutting import Cut, cut_of
from hardware_sim.portal.journals.stays import keep_size
from hardware_sim.portal.records.forgetting import forget
from sync.cached_list import CachedList
from sync.codec import encode_change, instant_text
from sync.messages import PARTS_AHEAD, ListGet, Written
from sync.roots import bucket_of

DELTAS_KEPT_FOR: Final = timedelta(days=30)
"""An edge that is further behind gets the whole list; and who has gone is not named for longer."""
DELTAS_KEPT_MAX: Final = 10_000
"""The same for a list that changes every few minutes."""
DELTA_BYTES_MAX: Final = 512 * 1024
"""Changes that are longer than this together are not sent as one delta; the edge gets the whole list."""
LONG_LEN_MIN: Final = 20_000
"""Entries from which on a list is cut beside everything else: here it would hold that up for 100 ms and more."""
ENTRY_BYTES_MAX: Final = 32 * 1024
"""The longest single change."""
_TOO_LONG: Final = ""
"""In place of changes that are longer together than `DELTA_BYTES_MAX`."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What leads from one revision to the newest; `root` is the newest list's."""

    from_: int
    to: int
    root: str
    ops: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts of a whole list; `packed` are its changes (`sync.packing`)."""

    rev: int
    root: str
    part: int
    parts: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class Mend:
    """All entries of the buckets in which an edge differs from the newest list."""

    rev: int
    root: str
    buckets: list[int]
    ops: list[msgspec.Raw]


class Books:
    """The tables of one open portal database."""

    def __init__(self, db: sqlite3.Connection, new_epoch: str, now: datetime) -> None:
        self._db = db
        self._list = CachedList(db)
        if self._list.cursor() is None:
            self._list.replace(new_epoch, 0, [], None)
            self._db.execute("INSERT INTO standing (only_row, era, cseq) VALUES (1, ?, 0)", (_milliseconds(now),))

    # ---- the list ----

    def allowlist(self) -> Allowlist:
        """The newest revision."""
        return self._list.load()

    def era(self) -> int:
        """When this list was begun, in milliseconds: higher than any list's that was lost before."""
        return int(self._db.execute("SELECT era FROM standing").fetchone()[0])

    def root(self) -> str:
        """The root of the newest revision."""
        return self._list.root()

    def change(self, epoch: str, from_rev: int, changes: Sequence[Change], now: datetime) -> Changes:
        """Write the next revision and how it came about, which is returned; who is removed is forgotten."""
        for change in changes:
            if isinstance(change, UserRemoved):
                keep_size(self._db, change.user_id)
                forget(self._db, change.user_id)
        encoded = [*map(encode_change, changes)]
        if any(len(bytes(op)) > ENTRY_BYTES_MAX for op in encoded):
            raise BadInput(f"an entry is longer than {ENTRY_BYTES_MAX} bytes; give the user fewer plates")
        root = self._list.put(epoch, from_rev, from_rev + 1, changes, None, [*map(bytes, encoded)])
        # What no edge can be sent in one message is not kept for that: whole lists are.
        short = sum(len(bytes(op)) for op in encoded) <= DELTA_BYTES_MAX
        ops = msgspec.json.encode(encoded).decode() if short else _TOO_LONG
        self._db.execute("INSERT INTO delta VALUES (?, ?, ?)", (from_rev + 1, ops, instant_text(now)))
        self._db.execute("DELETE FROM delta WHERE rev <= ?", (from_rev + 1 - DELTAS_KEPT_MAX,))
        return Changes(from_rev, from_rev + 1, root, encoded)

    def forget(self, now: datetime) -> None:
        """Erase the changes that are older than `DELTAS_KEPT_FOR`, and a cut list that only they lead on from."""
        due = instant_text(now - DELTAS_KEPT_FOR)
        (through,) = self._db.execute("SELECT coalesce(max(rev), 0) FROM delta WHERE at < ?", (due,)).fetchone()
        self._db.execute("DELETE FROM delta WHERE rev <= ?", (through,))
        self._db.execute("DELETE FROM snapshot WHERE rev < ?", (through,))

    def answer(self, get: ListGet, cut_long: bool = True) -> Changes | Mend | list[Part]:
        """What an edge needs: the changes since, maybe none; or what differs; or parts of the whole list.

        Not one part without `cut_long`, if a long list would have to be cut: `keep` one before asking again.
        """
        cursor = self._list.cursor()
        assert cursor is not None, "there is a list from the first opening on"
        have = get.have if get.have is not None and get.have.epoch == cursor.epoch else None
        if have is not None and have.rev <= cursor.rev and not get.whole and get.buckets is not None:
            # An edge that drifted needs no changes; where this is too much, it needs everything.
            mend = self._mend(get.buckets, cursor.rev) if get.written is None else None
            if mend is not None:
                return mend
        elif have is not None and have.rev <= cursor.rev and not get.whole:
            ops = self._since(have.rev, cursor.rev)
            if ops is not None:
                return Changes(have.rev, cursor.rev, self._list.root(), ops)
        written = get.written if get.written is not None and get.written.epoch == cursor.epoch else None
        # An edge that could not follow gets the newest, which may be mended, unless it is half-way through another.
        drifted = get.whole or get.buckets is not None
        least = cursor.rev if drifted and written is None else have.rev if have else 0
        if not self._leads_on(least, cursor.rev):
            if not cut_long and self._is_long():
                return []
            self.keep(cut_of(self._list))
        return self._parts(written)

    def keep(self, cut: Cut) -> None:
        """A list in parts, in place of an older one's."""
        self._db.execute("DELETE FROM snapshot")
        self._db.executemany(
            "INSERT INTO snapshot VALUES (?, ?, ?, ?, ?)",
            ((number, cut.rev, cut.root, *part) for number, part in enumerate(cut.parts)),
        )

    def next_cseq(self, now: datetime) -> int:
        """A number for the next order, higher than any before it, also if these books are from a backup."""
        (last,) = self._db.execute("SELECT cseq FROM standing").fetchone()
        number = max(int(last) + 1, _milliseconds(now))
        self._db.execute("UPDATE standing SET cseq = ?", (number,))
        return number

    # ---- inside ----

    def _since(self, rev: int, newest: int) -> list[msgspec.Raw] | None:
        """The changes after a revision; None if they are not kept any more or are too long for one delta."""
        (count,) = self._db.execute("SELECT count(*) FROM delta WHERE rev > ?", (rev,)).fetchone()
        if count != newest - rev:
            return None
        found, room = list[msgspec.Raw](), DELTA_BYTES_MAX
        for (text,) in self._db.execute("SELECT ops FROM delta WHERE rev > ? ORDER BY rev", (rev,)):
            room -= len(text)
            if room < 0 or text == _TOO_LONG:
                return None
            found += msgspec.json.decode(text, type=list[msgspec.Raw])
        return found

    def _mend(self, short: bytes, newest: int) -> Mend | None:
        """The buckets that differ from these; None if they are too long for one message."""
        differing = self._list.sums().differing(short)
        ops, room = [], DELTA_BYTES_MAX
        for kind, key, body in self._list.rows():
            if bucket_of(kind, key.encode()) in differing:
                room -= len(body)
                if room < 0:
                    return None
                ops.append(msgspec.Raw(body.encode()))
        return Mend(newest, self._list.root(), sorted(differing), ops)

    def _is_long(self) -> bool:
        limited = "SELECT count(*) FROM (SELECT 1 FROM list_entry LIMIT ?)"
        return bool(self._db.execute(limited, (LONG_LEN_MIN,)).fetchone()[0] == LONG_LEN_MIN)

    def _parts(self, written: Written | None) -> list[Part]:
        """Those that the edge lacks, a few at a time, of the snapshot."""
        (rev, parts) = self._db.execute("SELECT rev, count(*) FROM snapshot").fetchone()
        # The last part again for an edge that has them all and could not finish.
        first = min(written.next, parts - 1) if written is not None and written.rev == rev else 0
        rows = self._db.execute(
            "SELECT part, root, packed FROM snapshot WHERE part >= ? ORDER BY part LIMIT ?",
            (first, PARTS_AHEAD - first % PARTS_AHEAD),
        ).fetchall()
        return [Part(rev, root, part, parts, data) for part, root, data in rows]

    def _leads_on(self, least_rev: int, newest: int) -> bool:
        """Whether the snapshot that was cut last is new enough, and the changes since are less than half of it.

        It is in force at the edge until they come: an empty list must not be, at a gate that has had another.
        """
        cut = self._db.execute("SELECT rev, sum(bytes) FROM snapshot GROUP BY rev").fetchone()
        if cut is None or cut[0] < least_rev:
            return False
        since = self._since(cut[0], newest)
        return since is not None and 2 * sum(len(bytes(op)) for op in since) <= cut[1]


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
