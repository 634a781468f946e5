"""The reference portal's tables: the list and its history, the edges, and every event once.

Every method runs on the database connection's own thread, inside the transaction that its owner opened.
Whether a change is allowed is `Allowlist.apply`'s business, asked before.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from gate_controller.allowlist import Allowlist, Change
from gate_controller.facts import Fact
from sync.cached_list import CachedList
from sync.messages import EventBatch, ListDelta, ListPart, Revision, State, UnknownFact, decode_fact, encode_change

DELTAS_KEPT_MAX: Final = 1000
"""An edge that is further behind gets the whole list."""


@dataclass(frozen=True, slots=True)
class EdgeSeen:
    """What the portal knows of an edge; `received` is the last of its events without a gap before it."""

    name: str
    online: bool
    seen_at: datetime
    revision: Revision | None
    ledger: str
    received: int
    next_seq: int
    software: str


@dataclass(frozen=True, slots=True)
class PortalEvent:
    """An event as delivered; `number` is the order of arrival."""

    number: int
    edge: str
    ledger: str
    seq: int
    at: datetime
    fact: Fact | UnknownFact


class Books:
    """The tables of one open portal database."""

    def __init__(self, db: sqlite3.Connection, new_epoch: str) -> None:
        self._db = db
        self._list = CachedList(db)
        if self._list.cursor() is None:
            self._list.replace(new_epoch, 0, [], None)

    # ---- the list ----

    def allowlist(self) -> Allowlist:
        """The newest revision."""
        return self._list.load()

    def change(self, epoch: str, from_rev: int, changes: Sequence[Change]) -> None:
        """Write the next revision and how it came about."""
        self._list.put(epoch, from_rev, from_rev + 1, changes, None)
        ops = msgspec.json.encode([*map(encode_change, changes)]).decode()
        self._db.execute("INSERT INTO delta VALUES (?, ?)", (from_rev + 1, ops))
        self._db.execute("DELETE FROM delta WHERE rev <= ?", (from_rev + 1 - DELTAS_KEPT_MAX,))

    def answer(self, have: Revision | None) -> ListDelta | ListPart:
        """What an edge with this list needs: the changes since, maybe none, or the whole list."""
        cursor = self._list.cursor()
        assert cursor is not None, "there is a list from the first opening on"
        if have is not None and have.epoch == cursor.epoch and have.rev <= cursor.rev:
            found = self._db.execute("SELECT ops FROM delta WHERE rev > ? ORDER BY rev", (have.rev,)).fetchall()
            if len(found) == cursor.rev - have.rev:
                ops = [op for (text,) in found for op in msgspec.json.decode(text, type=list[msgspec.Raw])]
                return ListDelta(epoch=cursor.epoch, from_=have.rev, to=cursor.rev, ops=ops)
        return ListPart(epoch=cursor.epoch, rev=cursor.rev, ops=[*map(msgspec.Raw, self._list.entries())])

    # ---- edges and their events ----

    def see(self, edge: str, state: State, at: datetime) -> None:
        """Note what an edge says of itself; a late will of an older connection is passed over."""
        found = self._db.execute("SELECT state FROM edge WHERE name = ?", (edge,)).fetchone()
        if found and state.status == "offline" and msgspec.json.decode(found[0], type=State).conn != state.conn:
            return
        text = msgspec.json.encode(state).decode()
        self._db.execute(
            "INSERT OR REPLACE INTO edge VALUES (?, ?, ?)", (edge, at.astimezone(UTC).isoformat(), text)
        )

    def ingest(self, edge: str, batch: EventBatch) -> int:
        """Store what is new of a batch; returns the last event of its ledger without a gap before it."""
        self._db.executemany(
            "INSERT INTO event (edge, ledger, seq, at, kind, body, personal) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (
                (
                    edge,
                    batch.ledger,
                    event.seq,
                    event.at.astimezone(UTC).isoformat(timespec="microseconds"),
                    event.kind,
                    bytes(event.body).decode(),
                    None if event.personal is None else msgspec.json.encode(event.personal).decode(),
                )
                for event in batch.events
            ),
        )
        through = self._advance(edge, batch.ledger)
        self._db.execute("INSERT OR REPLACE INTO received VALUES (?, ?, ?)", (edge, batch.ledger, through))
        return through

    def edges(self) -> list[EdgeSeen]:
        """Every edge that ever spoke, by name."""
        found = self._db.execute("SELECT name, seen_at, state FROM edge ORDER BY name")
        return [self._edge(*values) for values in found.fetchall()]

    def events(self, after_number: int, limit: int) -> list[PortalEvent]:
        """Events in the order of their arrival."""
        found = self._db.execute(
            "SELECT number, edge, ledger, seq, at, kind, body, personal FROM event WHERE number > ?"
            " ORDER BY number LIMIT ?",
            (after_number, limit),
        )
        return [_event(*values) for values in found]

    # ---- inside ----

    def _received(self, edge: str, ledger: str) -> int:
        found = self._db.execute("SELECT through FROM received WHERE edge = ? AND ledger = ?", (edge, ledger))
        return int((found.fetchone() or (0,))[0])

    def _advance(self, edge: str, ledger: str) -> int:
        through = self._received(edge, ledger)
        later = self._db.execute(
            "SELECT seq FROM event WHERE edge = ? AND ledger = ? AND seq > ? ORDER BY seq", (edge, ledger, through)
        )
        for (seq,) in later:
            if seq != through + 1:
                break
            through = seq
        return through

    def _edge(self, name: str, seen_at: str, text: str) -> EdgeSeen:
        state = msgspec.json.decode(text, type=State)
        return EdgeSeen(
            name,
            state.status == "online",
            datetime.fromisoformat(seen_at),
            state.list,
            state.ledger,
            self._received(name, state.ledger),
            state.next_seq,
            state.sw,
        )


def _event(
    number: int, edge: str, ledger: str, seq: int, at: str, kind: str, body: str, personal: str | None
) -> PortalEvent:
    fields = None if personal is None else msgspec.json.decode(personal, type=dict[str, str])
    fact = decode_fact(kind, body.encode(), fields)
    return PortalEvent(number, edge, ledger, seq, datetime.fromisoformat(at), fact)
