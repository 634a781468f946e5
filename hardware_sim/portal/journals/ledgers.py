"""What came up, in the reference portal's tables: every event once, what could not be read, who said what when.

Every method runs on the database connection's own thread, inside the transaction that its owner opened, so several
workers may share the tables. Whose word it is was settled before; the list is `books`'.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from gate_controller.facts import Fact
from hardware_sim.portal.journals.quarantine import Quarantine
from hardware_sim.portal.journals.reading import Quarantined, Read, Why
from hardware_sim.portal.journals.stays import Stays
from sync.codec import UnknownFact, decode_fact, digest, instant_text
from sync.messages import MISSING_LEN_MAX, Event, EventBatch, Revision, Rows, State, Tail
from sync.spans import Spans, joined, without

ANCESTORS_MAX: Final = 16
"""How many ledgers back a row is looked for; a database is cut or restored once in years."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is here of a ledger: all up to `through`, and all up to `upto` that is not in `missing`."""

    through: int
    upto: int
    missing: list[Rows]
    tail: Tail | None


@dataclass(frozen=True, slots=True)
class EdgeSeen:
    """What the portal knows of an edge; `received` is the last of its events without a gap before it.

    `seen_at` is when it last said anything that was new. `list_at` is when the portal's word that its list is the
    newest last came there, `trouble` why it has not. `clock_off` is how much later its clock was than ours when it
    last spoke, give or take the way; None if it did not say.
    """

    name: str
    online: bool
    seen_at: datetime
    revision: Revision | None
    ledger: str
    received: int
    next_seq: int
    software: str
    nonce: str
    stale: bool
    list_at: datetime | None
    trouble: str
    keyset: int
    clock_off: timedelta | None

    @property
    def waiting(self) -> int:
        """How many of its rows, as far as anybody here knows, are not here."""
        return max(0, self.next_seq - 1 - self.received)


@dataclass(frozen=True, slots=True)
class PortalEvent:
    """An event as delivered; `number` is the order of arrival."""

    number: int
    edge: str
    ledger: str
    seq: int
    at: datetime
    fact: Fact | UnknownFact


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about an edge that needs a person."""

    at: datetime
    edge: str
    kind: str
    detail: str


class Ledgers:
    """The tables of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.stays = Stays(db)
        self.quarantine = Quarantine(db)

    # ---- keys ----

    def put_key(self, edge: str, public: bytes) -> None:
        """From now on this edge signs with this key alone."""
        self._db.execute("INSERT OR REPLACE INTO edge_key VALUES (?, ?)", (edge, public))

    def key(self, edge: str) -> bytes | None:
        """The public key of an edge; None for one that is not registered."""
        found = self._db.execute("SELECT public FROM edge_key WHERE edge = ?", (edge,)).fetchone()
        return None if found is None else bytes(found[0])

    def retire(self, edge: str, at: datetime) -> bool:
        """Believe nothing of this edge any more, nor that it has anybody's place; whether it was known at all."""
        known = self._db.execute(
            "SELECT 1 FROM edge_key WHERE edge = ? UNION SELECT 1 FROM edge WHERE name = ?", (edge, edge)
        ).fetchone()
        self._db.execute("DELETE FROM edge_key WHERE edge = ?", (edge,))
        self.stays.retire(edge, at)
        return known is not None

    # ---- what edges say of themselves ----

    def see(self, edge: str, state: State, at: datetime) -> int | None:
        """Note a state, unless a later one is known; then, the least connection that would be believed to be new.

        That is 0 for the late word of a program that is known to have said more since.
        """
        found = self._db.execute("SELECT state FROM edge WHERE name = ?", (edge,)).fetchone()
        known = msgspec.json.decode(found[0], type=State) if found else None
        if known is not None and _order(state) < _order(known):
            return 0 if state.nonce == known.nonce else known.conn + 1
        text = msgspec.json.encode(state).decode()
        if found and found[0] == text:
            # A broker may say again what it kept; nobody was seen by that.
            return None
        off_ms = None if state.said_at is None else (state.said_at - at) // timedelta(milliseconds=1)
        self._db.execute("INSERT OR REPLACE INTO edge VALUES (?, ?, ?, ?)", (edge, _text(at), text, off_ms))
        if state.trouble:
            self._alarm(edge, at, "list_refused", state.trouble)
        if state.status == "online":
            before = self._enter(edge, state.ledger, state.after, None, state.conn)
            if state.next_seq <= before:
                detail = f"ledger {state.ledger} ends at {state.next_seq - 1}, and row {before} is here"
                self._alarm(edge, at, "ledger_regression", detail)
        return None

    def edges(self) -> list[EdgeSeen]:
        """Every edge that ever spoke and is not retired, by name."""
        found = self._db.execute(
            "SELECT name, seen_at, state, clock_off_ms FROM edge"
            " WHERE name NOT IN (SELECT edge FROM enrolment WHERE retired) ORDER BY name"
        )
        return [self._edge(*values) for values in found.fetchall()]

    # ---- events ----

    def ingest(self, edge: str, batch: EventBatch, read: Sequence[Read], at: datetime) -> None:
        """Store what is new of a batch. What differs from what is here under its number is set apart."""
        before = self._db.total_changes
        self._enter(edge, batch.ledger, batch.after, batch.follows, batch.conn)
        known = self._rows(edge, batch.ledger, batch.first, batch.last)
        older = self._of_ancestors(edge, batch)
        before_it, after = self._spans(edge, batch.ledger), self._after(edge, batch.ledger)
        held = {n for n in range(batch.first, batch.last + 1) if any(a <= n <= b for a, b in before_it)}
        new: list[Event] = []
        for one in read:
            match one:
                case Quarantined(seq=seq) if seq in held and seq not in known:
                    pass  # Set apart before, and maybe dropped since.
                case Quarantined():
                    self.quarantine.put(edge, batch.ledger, one, at)
                case Event(seq=seq) if seq in known:
                    if known[seq] != _says(one):
                        text = msgspec.json.encode(one).decode()
                        self.quarantine.put(edge, batch.ledger, Quarantined(seq, Why.REWRITTEN, text), at)
                        self._alarm(edge, at, "ledger_rewritten", f"row {seq} of ledger {batch.ledger}")
                case Event(seq=seq) if seq in older and older[seq] == _says(one):
                    pass
                case Event():
                    new.append(one)
        self._store(edge, batch.ledger, new)
        now_held = joined(before_it, [(batch.first, batch.last)])
        self._hold(edge, batch.ledger, before_it, now_held)
        self.stays.read(edge, batch.ledger, _through(before_it, after), _through(now_held, after))
        # A broker that repeats old batches does not bring an edge to life.
        if self._db.total_changes > before:
            self._db.execute("UPDATE edge SET seen_at = max(seen_at, ?) WHERE name = ?", (_text(at), edge))

    def held(self, edge: str, ledger: str) -> Held:
        """What is here of a ledger."""
        through, upto, gaps = self._reach(edge, ledger)
        if len(gaps) > MISSING_LEN_MAX:
            upto = gaps[MISSING_LEN_MAX].first - 1
        return Held(through, upto, gaps[:MISSING_LEN_MAX], self._tail(edge, ledger))

    def events(self, after_number: int, limit: int, kinds: Sequence[str] = ()) -> list[PortalEvent]:
        """Events in the order of their arrival, of all kinds or of these."""
        of = f" AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        found = self._db.execute(
            f"{_EVENTS} WHERE number > ?{of} ORDER BY number LIMIT ?", (after_number, *kinds, limit)
        )
        return [_event(*values) for values in found]

    def latest(self, limit: int) -> list[PortalEvent]:
        """The newest events, in the order of their arrival."""
        found = self._db.execute(f"{_EVENTS} ORDER BY number DESC LIMIT ?", (limit,)).fetchall()
        return [_event(*values) for values in reversed(found)]

    def alarms(self, limit: int) -> list[Alarm]:
        """What needs a person, the newest first."""
        found = self._db.execute("SELECT at, edge, kind, detail FROM alarm ORDER BY number DESC LIMIT ?", (limit,))
        return [Alarm(datetime.fromisoformat(at), *rest) for at, *rest in found]

    # ---- inside ----

    def _enter(self, edge: str, ledger: str, after: int, follows: str | None, conn: int) -> int:
        """Note a ledger and its connection; the highest row that was here before this connection."""
        found = self._db.execute(
            "SELECT conn, before, follows FROM ledger WHERE edge = ? AND name = ?", (edge, ledger)
        ).fetchone()
        if found is None:
            self._db.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, 0)", (edge, ledger, after, follows, conn))
            return 0
        if found[2] is None and follows is not None:
            self._db.execute("UPDATE ledger SET follows = ? WHERE edge = ? AND name = ?", (follows, edge, ledger))
        if conn <= found[0]:
            return int(found[1]) if conn == found[0] else 0
        spans = self._spans(edge, ledger)
        top = spans[-1][1] if spans else 0
        self._db.execute(
            "UPDATE ledger SET conn = ?, before = ? WHERE edge = ? AND name = ?", (conn, top, edge, ledger)
        )
        return top

    def _store(self, edge: str, ledger: str, events: Sequence[Event]) -> None:
        self._db.executemany(
            "INSERT INTO event (edge, ledger, seq, at, kind, body, personal) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((edge, ledger, event.seq, *_says(event), _personal(event)) for event in events),
        )

    def _alarm(self, edge: str, at: datetime, kind: str, detail: str) -> None:
        self._db.execute(
            "INSERT INTO alarm (at, edge, kind, detail) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (_text(at), edge, kind, detail),
        )

    def _rows(self, edge: str, ledger: str, first: int, last: int) -> dict[int, tuple[str, str, str]]:
        found = self._db.execute(
            "SELECT seq, at, kind, body FROM event WHERE edge = ? AND ledger = ? AND seq BETWEEN ? AND ?",
            (edge, ledger, first, last),
        )
        return {seq: (at, kind, body) for seq, at, kind, body in found}

    def _of_ancestors(self, edge: str, batch: EventBatch) -> dict[int, tuple[str, str, str]]:
        """Rows under the same numbers in the ledgers that this one follows; the nearest counts."""
        rows: dict[int, tuple[str, str, str]] = {}
        ledger = batch.follows
        for _ in range(ANCESTORS_MAX):
            if ledger is None:
                break
            rows = self._rows(edge, ledger, batch.first, batch.last) | rows
            found = self._db.execute("SELECT follows FROM ledger WHERE edge = ? AND name = ?", (edge, ledger))
            (ledger,) = found.fetchone() or (None,)
        return rows

    def _after(self, edge: str, ledger: str) -> int:
        found = self._db.execute("SELECT after FROM ledger WHERE edge = ? AND name = ?", (edge, ledger))
        return int((found.fetchone() or (0,))[0])

    def _spans(self, edge: str, ledger: str) -> Spans:
        found = self._db.execute(
            "SELECT first, last FROM held WHERE edge = ? AND ledger = ? ORDER BY first", (edge, ledger)
        )
        return tuple(found.fetchall())

    def _reach(self, edge: str, ledger: str) -> tuple[int, int, list[Rows]]:
        """All rows up to the first number are here, and none after the second; in between are these gaps."""
        spans, after = self._spans(edge, ledger), self._after(edge, ledger)
        through = _through(spans, after)
        upto = max(through, spans[-1][1] if spans else 0)
        return through, upto, [Rows(*gap) for gap in without([(through + 1, upto)], spans)]

    def _hold(self, edge: str, ledger: str, old: Spans, new: Spans) -> None:
        gone, come = set(old) - set(new), set(new) - set(old)
        self._db.executemany(
            "DELETE FROM held WHERE edge = ? AND ledger = ? AND first = ?", ((edge, ledger, a) for a, _ in gone)
        )
        self._db.executemany("INSERT INTO held VALUES (?, ?, ?, ?)", ((edge, ledger, a, b) for a, b in come))

    def _tail(self, edge: str, ledger: str) -> Tail | None:
        found = self._db.execute(
            "SELECT seq, at, kind, body FROM event WHERE edge = ? AND ledger = ? ORDER BY seq DESC LIMIT 1",
            (edge, ledger),
        ).fetchone()
        return None if found is None else Tail(found[0], digest(found[1], found[2], found[3].encode()))

    def _edge(self, name: str, seen_at: str, text: str, clock_off_ms: int | None) -> EdgeSeen:
        state = msgspec.json.decode(text, type=State)
        through, upto, _ = self._reach(name, state.ledger)
        return EdgeSeen(
            name,
            state.status == "online",
            datetime.fromisoformat(seen_at),
            state.list,
            state.ledger,
            through,
            max(state.next_seq, upto + 1),
            state.sw,
            state.nonce,
            state.stale,
            state.list_at,
            state.trouble,
            state.keyset,
            None if clock_off_ms is None else timedelta(milliseconds=clock_off_ms),
        )


_EVENTS: Final = "SELECT number, edge, ledger, seq, at, kind, body, personal FROM event"


def _order(state: State) -> tuple[int, bool, int]:
    """Of one connection, that it is over is the last word."""
    return state.conn, state.status == "offline", state.told


def _through(spans: Spans, after: int) -> int:
    """The last row up to which none is missing; those up to `after` are another ledger's."""
    return spans[0][1] if spans and spans[0][0] <= after + 1 else after


def _says(event: Event) -> tuple[str, str, str]:
    return instant_text(event.at), event.kind, bytes(event.body).decode()


def _personal(event: Event) -> str | None:
    return None if event.personal is None else msgspec.json.encode(event.personal).decode()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _event(
    number: int, edge: str, ledger: str, seq: int, at: str, kind: str, body: str, personal: str | None
) -> PortalEvent:
    fields = None if personal is None else msgspec.json.decode(personal, type=dict[str, str])
    fact = decode_fact(kind, body.encode(), fields)
    return PortalEvent(number, edge, ledger, seq, datetime.fromisoformat(at), fact)
