"""The journal's rows in SQLite: append, read, acknowledge, erase what is personal, remember the occupancy.

Every method runs on the database connection's own thread, inside the transaction that `sync.store` opened.
Rows are never rewritten (triggers see to it); occupancy is always a fold over them.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec

from gate_controller.facts import Fact
from gate_controller.occupancy import Occupancy
from sync.codec import EncodedFact, UnknownFact, decode_fact, digest, encode_fact, instant_text

CHECKPOINT_EVERY_ROWS: Final = 1000
"""A start folds at most this many rows and one append more."""
ERASE_SLICE_ROWS: Final = 500
"""Rows erased in one transaction, so that no grant waits longer than about 20 ms behind it."""
KEPT_WHILE_OPEN: Final = frozenset({"plate", "basis.as_matched"})
"""Personal fields that pair an exit with its entry: kept until the session or hold has ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One row as stored; `personal` is None once erased, or when there was nothing personal."""

    seq: int
    at: datetime
    kind: str
    body: bytes
    personal: dict[str, str] | None

    def fact(self) -> Fact | UnknownFact:
        """What happened; `UnknownFact` when another version of the program wrote it."""
        return decode_fact(self.kind, self.body, self.personal)

    @property
    def sum(self) -> str:
        """What the row says, erased or not (`messages.digest`)."""
        return digest(instant_text(self.at), self.kind, self.body)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the committed journal without reading it.

    `ledger` names the rows after `after`; earlier ones belong to those before it, the last of which it `follows`.
    `acked` is the last row that the portal has durably stored, `conn` the number of the last connection to it,
    `checkpoint_at` the last row whose occupancy is stored, `occupancy` the fold of every row.
    """

    ledger: str
    after: int = 0
    follows: str | None = None
    conn: int = 0
    next_seq: int = 1
    acked: int = 0
    checkpoint_at: int = 0
    occupancy: Occupancy = field(default_factory=Occupancy)


class Journal:
    """The journal of one open database; its methods run on the connection's thread.

    `standing` may be read from any thread. It moves only in `committed`, so that a transaction that is rolled
    back leaves no trace.
    """

    def __init__(self, db: sqlite3.Connection, new_ledger: str) -> None:
        self._db = db
        found = db.execute("SELECT id, after, follows, conn, acked FROM ledger").fetchone()
        if found is None:
            db.execute("INSERT INTO ledger (only_row, id) VALUES (1, ?)", (new_ledger,))
        self.standing = self._restore(*(found or (new_ledger, 0, None, 0, 0)))
        self._next = self.standing

    def committed(self) -> None:
        """The transaction is durable: what it did counts."""
        self.standing = self._next

    def rolled_back(self) -> None:
        """The transaction left nothing behind."""
        self._next = self.standing

    def ack(self, through: int) -> None:
        """Rows up to `through` are at the portal; an older acknowledgement changes nothing."""
        self._db.execute("UPDATE ledger SET acked = max(acked, ?)", (through,))
        self._next = replace(self.standing, acked=max(self.standing.acked, through))

    def note_conn(self, conn: int) -> None:
        """The connection to the portal has this number; the next one gets a higher one."""
        self._db.execute("UPDATE ledger SET conn = ?", (conn,))
        self._next = replace(self.standing, conn=conn)

    def fork(self, ledger: str) -> None:
        """The rows that the portal has not acknowledged are another ledger's from now on."""
        old = self.standing
        self._db.execute("UPDATE ledger SET id = ?, after = acked, follows = id", (ledger,))
        self._next = replace(old, ledger=ledger, after=old.acked, follows=old.ledger)

    def append(self, facts: Sequence[tuple[datetime, Fact]]) -> range:
        """Write the facts under the next numbers, which are returned."""
        first = self.standing.next_seq
        encoded = [(seq, instant_text(at), encode_fact(fact)) for seq, (at, fact) in enumerate(facts, first)]
        self._db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?)", map(_journal_values, encoded))
        self._db.executemany(
            "INSERT INTO personal VALUES (?, ?, ?)",
            ((seq, at, _json(fact.personal)) for seq, at, fact in encoded if fact.personal),
        )
        occupancy = self.standing.occupancy
        for at, fact in facts:
            occupancy = occupancy.fold(fact, at)
        self._next = replace(self.standing, next_seq=first + len(facts), occupancy=occupancy)
        if self._next.next_seq - self._next.checkpoint_at > CHECKPOINT_EVERY_ROWS:
            self._write_checkpoint()
        return range(first, self._next.next_seq)

    def rows(self, after_seq: int, limit: int) -> list[JournalRow]:
        """At most `limit` rows that follow `after_seq`, oldest first."""
        found = self._db.execute(
            "SELECT j.seq, j.at, j.kind, j.body, p.fields FROM journal j LEFT JOIN personal p ON p.seq = j.seq"
            " WHERE j.seq > ? ORDER BY j.seq LIMIT ?",
            (after_seq, limit),
        )
        return [_row(*values) for values in found]

    def erase_slice(self, before: datetime) -> int:
        """Erase personal fields of up to `ERASE_SLICE_ROWS` rows older than `before`; returns how many rows.

        Rows behind an open session or hold keep what pairing needs, and lose the rest.
        """
        open_seqs = self._open_seqs(before)
        reduced = self._reduce(open_seqs)
        erased = self._db.execute(
            "DELETE FROM personal WHERE seq IN (SELECT seq FROM personal WHERE at < ?"
            " AND seq NOT IN (SELECT value FROM json_each(?)) LIMIT ?)",
            (instant_text(before), _json(open_seqs), ERASE_SLICE_ROWS),
        ).rowcount
        if erased or reduced:
            self.renew_checkpoint()
        return erased + reduced

    def renew_checkpoint(self) -> None:
        """Keep only one of this moment: older ones still name the vehicles that were here then."""
        self._next = self.standing
        self._db.execute("DELETE FROM checkpoint")
        self._write_checkpoint()

    # ---- inside ----

    def _restore(self, ledger: str, after: int, follows: str | None, conn: int, acked: int) -> Standing:
        """The newest checkpoint that this version can read, and everything after it."""
        checkpoint_at, occupancy = self._checkpoint()
        last = checkpoint_at
        for row in self._from(checkpoint_at):
            last, fact = row.seq, row.fact()
            if isinstance(fact, UnknownFact):
                log.warning("row %d of kind %s is of another version; it does not count", row.seq, row.kind)
            else:
                occupancy = occupancy.fold(fact, row.at)
        return Standing(ledger, after, follows, conn, last + 1, acked, checkpoint_at, occupancy)

    def _checkpoint(self) -> tuple[int, Occupancy]:
        for through, text in self._db.execute("SELECT through, occupancy FROM checkpoint ORDER BY through DESC"):
            try:
                return through, msgspec.json.decode(text, type=Occupancy)
            except msgspec.MsgspecError as error:
                log.warning("checkpoint %d is of another version (%s); folding from before it", through, error)
        return 0, Occupancy()

    def _from(self, after_seq: int) -> Iterable[JournalRow]:
        while rows := self.rows(after_seq, CHECKPOINT_EVERY_ROWS):
            yield from rows
            after_seq = rows[-1].seq

    def _write_checkpoint(self) -> None:
        through = self._next.next_seq - 1
        # The one before is kept: a newest that cannot be read must not cost a fold from the beginning.
        self._db.execute("DELETE FROM checkpoint WHERE through < (SELECT max(through) FROM checkpoint)")
        self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (through, _json(self._next.occupancy)))
        self._next = replace(self._next, checkpoint_at=through)

    def _open_seqs(self, before: datetime) -> list[int]:
        inside = [session.id for session in self.standing.occupancy.inside()]
        found = self._db.execute(
            "SELECT p.seq FROM personal p JOIN journal j ON j.seq = p.seq WHERE p.at < ? AND j.kind = 'granted'"
            " AND json_extract(j.body, '$.hold') IN (SELECT value FROM json_each(?))",
            (instant_text(before), _json([*inside, *self.standing.occupancy.holds])),
        )
        return [seq for (seq,) in found]

    def _reduce(self, seqs: Sequence[int]) -> int:
        reduced = 0
        for seq in seqs:
            (text,) = self._db.execute("SELECT fields FROM personal WHERE seq = ?", (seq,)).fetchone()
            fields = msgspec.json.decode(text, type=dict[str, str])
            kept = {name: value for name, value in fields.items() if name in KEPT_WHILE_OPEN}
            if kept != fields:
                self._db.execute("UPDATE personal SET fields = ? WHERE seq = ?", (_json(kept), seq))
                reduced += 1
        return reduced


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _journal_values(encoded: tuple[int, str, EncodedFact]) -> tuple[int, str, str, str]:
    seq, at, fact = encoded
    return seq, at, fact.kind, fact.body.decode()


def _row(seq: int, at: str, kind: str, body: str, fields: str | None) -> JournalRow:
    personal = None if fields is None else msgspec.json.decode(fields, type=dict[str, str])
    return JournalRow(seq, datetime.fromisoformat(at), kind, body.encode(), personal)
