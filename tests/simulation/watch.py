"""What must hold after every transaction, at every start, and once everything is healed.

Always: S1 the portal has what an edge believes acknowledged; S2 revisions never fall within an epoch; S3 a list is,
entry by entry, the portal's list of that revision; S4 rows are never rewritten, lost or skipped; S5 occupancy is
the fold of the journal; S6 a relay moves once, and only after its grant is on disk or its absence is to be told, or
by an order; S7 the portal has each event once, as the edge wrote it, and raises no alarm; S8 nothing is
written twice; S9 an order is carried out at most once, and not after its time, whatever the edge's clock says; A1
nobody is admitted by a list that has not been the newest for longer than the site allows; C1 nothing crashes; C2
nothing spins; C3 the simulation itself is sound.
After healing, in bounded time: L1 journals are equal; L2 lists are equal; L3 the backlog is zero; L4 what is in
force is what is on disk, and the portal knows it; and what `places` says of who was inside where.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from gate_controller.allowlist import Allowlist, Change, PermitPut, UserPut
from gate_controller.facts import BoomOpenedManually, Direction, Fact, Granted, LogGap
from gate_controller.occupancy import Occupancy
from sync.codec import UnknownFact, decode_changes, decode_fact
from tests.simulation import places
from tests.simulation.places import CLEAR_S, Written, true_s

if TYPE_CHECKING:
    from tests.simulation.world import World

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
ONCE = frozenset({"granted", "passed", "hold_released"})

Row = tuple[str, str, str]


def list_on_disk(db: sqlite3.Connection) -> str:
    """The entries on disk, line by line."""
    found = db.execute(
        "SELECT group_concat(body, char(10)) FROM (SELECT body FROM list_entry"
        " WHERE generation = (SELECT generation FROM list_cursor) ORDER BY kind, key)"
    )
    (text,) = found.fetchone()
    return text or ""


def list_in_force(allowlist: Allowlist) -> list[Change]:
    """The entries of a list in memory, in the order of those on disk."""
    permits = sorted(allowlist.permits(), key=lambda permit: permit.id)
    users = sorted(allowlist.users(), key=lambda user: user.id)
    return [*map(PermitPut, permits), *map(UserPut, users)]


class PortalWatch:
    """What the portal's disk says, transaction by transaction."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.edges: dict[str, EdgeWatch] = {}
        self.lists: dict[tuple[str, int], str] = {}
        """Every list that there was, as its entries stood on the disk."""
        self._read: dict[tuple[str, int], list[Change]] = {}
        self.cursor: tuple[str, int] | None = None
        self.superseded: dict[tuple[str, int], float] = {}
        """When each list was no longer the newest."""
        self.sizes: dict[str, int] = {}
        """How many places each user has, who ever was on the list."""
        self.through: dict[str, int] = {}
        self._seen: dict[str, set[int]] = {}
        self._number = self._alarm = self._apart = 0

    def opened(self, db: sqlite3.Connection) -> None:
        """A start: nothing that was on disk is gone."""
        count = db.execute("SELECT count(*) FROM event").fetchone()[0]
        wanted = sum(map(len, self._seen.values()))
        if count != wanted:
            self.world.fail("S4", f"the portal had {wanted} events and starts with {count}")
        self.committed(db)

    def committed(self, db: sqlite3.Connection) -> None:
        """A transaction is durable."""
        found = db.execute(
            "SELECT epoch, rev, (SELECT max(number) FROM event), (SELECT max(number) FROM alarm),"
            " (SELECT max(number) FROM quarantine) FROM (SELECT 1) LEFT JOIN list_cursor"
        )
        epoch, rev, newest, alarm, apart = found.fetchone()
        if (newest or 0) < self._number:
            self.world.fail("S4", f"the portal had event {self._number}, and {newest or 0} is its last")
        elif (newest or 0) > self._number:
            self._new_events(db)
        if (alarm or 0, apart or 0) != (self._alarm, self._apart):
            self._complaints(db)
            self._alarm, self._apart = alarm or 0, apart or 0
        cursor = None if epoch is None else (epoch, rev)
        if cursor is not None and cursor != self.cursor:
            if self.cursor is not None and (cursor[0] != self.cursor[0] or cursor[1] < self.cursor[1]):
                self.world.fail("S2", f"the portal's list went from {self.cursor} to {cursor}")
            if self.cursor is not None:
                self.superseded[self.cursor] = self.world.loop.time()
            self.cursor = cursor
            self.lists[cursor] = list_on_disk(db)
            self._users(db)

    def _complaints(self, db: sqlite3.Connection) -> None:
        said = db.execute(
            "SELECT 'alarm', kind, detail FROM alarm WHERE number > ?"
            " UNION ALL SELECT edge, reason, text FROM quarantine WHERE number > ?",
            (self._alarm, self._apart),
        )
        for complaint in said.fetchall():
            if complaint[1] == "list_refused" and "clock" in complaint[2]:
                # An edge whose clock is a day off, or to whom all comes hours late, says so, as it should.
                continue
            self.world.fail("S7", f"the portal complains: {complaint}")

    def _new_events(self, db: sqlite3.Connection) -> None:
        found = db.execute(
            "SELECT number, edge, ledger, seq, at, kind, body FROM event WHERE number > ? ORDER BY number",
            (self._number,),
        )
        for number, edge, ledger, seq, *row in found.fetchall():
            self._number = number
            self._event(edge, ledger, seq, tuple(row))

    def entries(self, at: tuple[str, int]) -> list[Change] | None:
        """What a list of the portal says; None if there never was such a one."""
        if at not in self._read and at in self.lists:
            self._read[at] = decode_changes(body.encode() for body in self.lists[at].splitlines())
        return self._read.get(at)

    def _users(self, db: sqlite3.Connection) -> None:
        found = db.execute(
            "SELECT key, body FROM list_entry WHERE kind = 'user'"
            " AND generation = (SELECT generation FROM list_cursor)"
        )
        for key, body in found:
            if key not in self.sizes:
                self.sizes[key] = msgspec.json.decode(body)["user"].get("pool_size", 1)

    def settled(self, db: sqlite3.Connection) -> None:
        """Every journal is here: the records of conflicts tell what happened, and nothing else."""
        journals = {edge.name: (edge.ledger or "", edge.written) for edge in self.edges.values()}
        records = [msgspec.json.decode(body) for (body,) in db.execute("SELECT body FROM conflict ORDER BY id")]
        for record in records:
            self.world.count(f"conflicts {record['kind']}, {record['basis']}")
        said, double = places.wrong(journals, records, self.sizes)
        self.world.count("double entries", double)
        if said:
            rule, _, what = said.partition(": ")
            self.world.fail(rule, what)

    def _event(self, edge: str, ledger: str, seq: int, row: Any) -> None:
        watch = self.edges[edge]
        seen = self._seen.setdefault(edge, set())
        if ledger != watch.ledger or not 1 <= seq <= len(watch.rows):
            self.world.fail("S7", f"the portal has row {seq} of {edge}, which {edge} has not")
        elif seq in seen:
            self.world.fail("S7", f"the portal has row {seq} of {edge} twice")
        elif row != watch.rows[seq - 1]:
            self.world.fail("S7", f"row {seq} of {edge} is {row} at the portal, {watch.rows[seq - 1]} at the edge")
        seen.add(seq)
        through = self.through.get(edge, 0)
        while through + 1 in seen:
            through += 1
        self.through[edge] = through

    def complete(self, edge: "EdgeWatch") -> bool:
        """Whether every row of an edge is here."""
        return len(self._seen.get(edge.name, ())) == len(edge.rows) == self.through.get(edge.name, 0)


class EdgeWatch:
    """What an edge's disk says, transaction by transaction."""

    def __init__(self, world: "World", name: str, portal: PortalWatch) -> None:
        self.world, self.name, self._portal = world, name, portal
        self.rows: list[Row] = []
        self.written: list[Written] = []
        """The same by true time."""
        self.ledger: str | None = None
        self.acked = 0
        self.cursor: tuple[str, int] | None = None
        self.holds: set[str] = set()
        self.pulsed: set[str] = set()
        self._once: set[tuple[str, str]] = set()
        self._forced: Allowlist | None = None
        self._untold: set[str] = set()
        self._by_order: set[str] = set()
        portal.edges[name] = self

    # ---- at every start ----

    def opened(self, db: sqlite3.Connection, occupancy: Occupancy) -> None:
        """A start: what was durable is here as it was, and the occupancy follows from it."""
        self.committed(db)
        found = db.execute("SELECT at, kind, body FROM journal ORDER BY seq").fetchall()
        if found != self.rows:
            self.world.fail("S4", f"{self.name} had {len(self.rows)} rows and starts with {len(found)}, or others")
        self.folded(db, occupancy)

    def folded(self, db: sqlite3.Connection, occupancy: Occupancy) -> None:
        """The occupancy given is the fold of all rows."""
        folded = Occupancy()
        found = db.execute(
            "SELECT j.at, j.kind, j.body, p.fields FROM journal j LEFT JOIN personal p ON p.seq = j.seq"
            " ORDER BY j.seq"
        )
        for at, kind, body, fields in found:
            fact = decode_fact(kind, body.encode(), None if fields is None else msgspec.json.decode(fields))
            assert not isinstance(fact, UnknownFact)
            folded = folded.fold(fact, datetime.fromisoformat(at))
        if folded != occupancy:
            self.world.fail("S5", f"{self.name}'s occupancy is {occupancy}, its journal says {folded}")

    # ---- after every transaction ----

    def committed(self, db: sqlite3.Connection) -> None:
        """A transaction is durable."""
        found = db.execute(
            "SELECT id, acked, epoch, rev, (SELECT max(seq) FROM journal)"
            " FROM (SELECT 1) LEFT JOIN ledger LEFT JOIN list_cursor"
        )
        ledger, acked, epoch, rev, newest = found.fetchone()
        if ledger != self.ledger and self.ledger is not None:
            self.world.fail("S4", f"{self.name} changed its ledger")
        self.ledger = ledger
        before = len(self.rows), self.acked
        if (newest or 0) < len(self.rows):
            self.world.fail("S4", f"{self.name} had {len(self.rows)} rows and has {newest or 0}")
        elif (newest or 0) > len(self.rows):
            self._new_rows(db)
        self._acked(acked or 0)
        cursor = None if epoch is None else (epoch, rev)
        if cursor is not None and (cursor != self.cursor or (len(self.rows), self.acked) == before):
            self._moved(cursor, list_on_disk(db))

    def _new_rows(self, db: sqlite3.Connection) -> None:
        found = db.execute("SELECT seq, at, kind, body FROM journal WHERE seq > ? ORDER BY seq", (len(self.rows),))
        for seq, at, kind, body in found:
            if seq != len(self.rows) + 1:
                self.world.fail("S4", f"{self.name} skipped from row {len(self.rows)} to {seq}")
            self.rows.append((at, kind, body))
            shown, now_s = datetime.fromisoformat(at), self.world.loop.time()
            at_s = true_s(shown, now_s, T0)
            right = abs((shown - T0).total_seconds() - at_s) < 1.0
            self.written.append(Written(at_s, right, kind, body))
            self.world.note(self.name, seq, kind)
            if kind in ONCE:
                hold = msgspec.json.decode(body)["hold"]
                if (kind, hold) in self._once:
                    self.world.fail("S8", f"{self.name} wrote {kind} of {hold} twice")
                self._once.add((kind, hold))
                self.holds.add(hold)

    def _acked(self, acked: int) -> None:
        if acked < self.acked:
            self.world.fail("S1", f"{self.name} acknowledged {self.acked} and then {acked}")
        if acked > self._portal.through.get(self.name, 0):
            stored = self._portal.through.get(self.name, 0)
            self.world.fail("S1", f"{self.name} believes {acked} rows are stored, and the portal has {stored}")
        self.acked = acked

    def _moved(self, cursor: tuple[str, int], entries: str) -> None:
        old = self.cursor
        if old is not None and cursor[0] == old[0] and cursor[1] < old[1]:
            self.world.fail("S2", f"{self.name}'s list went from {old} to {cursor}")
        elif self._portal.lists.get(cursor) != entries:
            self.world.fail("S3", f"{self.name}'s list {cursor} on disk is not the portal's")
        self.cursor = cursor

    # ---- what the process does ----

    def in_force(self, allowlist: Allowlist) -> None:
        """A list is in force: it is on disk, and the portal's."""
        if allowlist is self._forced:
            return
        self._forced = allowlist
        at = (allowlist.epoch, allowlist.revision)
        if at != self.cursor:
            self.world.fail("S3", f"{self.name} has list {at} in force and {self.cursor} on disk")
        elif self._portal.entries(at) != list_in_force(allowlist):
            self.world.fail("S3", f"{self.name}'s list {at} in force is not the portal's")

    def said(self, facts: Sequence[Fact], allowlist: Allowlist) -> None:
        """What the daemon has decided on this list, before it is on disk."""
        for fact in facts:
            if isinstance(fact, Granted) and fact.direction is Direction.IN:
                self._admitted(allowlist)
            if isinstance(fact, LogGap):
                self._untold.add(fact.hold)
            elif isinstance(fact, BoomOpenedManually):
                self._by_order.add(fact.pulse)

    def pulse(self, hold: str) -> None:
        """The relay moves."""
        if hold not in self.holds | self._untold | self._by_order:
            self.world.fail("S6", f"{self.name} opens for {hold}, which is not on disk")
        if hold in self.pulsed:
            self.world.fail("S6", f"{self.name} opens for {hold} twice")
        self.pulsed.add(hold)
        self.world.count("openings")

    def _admitted(self, allowlist: Allowlist) -> None:
        at, limit_h = (allowlist.epoch, allowlist.revision), self.world.list_max_age_h
        if limit_h is None or at not in self._portal.superseded:
            return
        # A clock that is behind may take the list for so much younger, where nothing else tells its age.
        behind_s = max(0.0, -self._offset().total_seconds())
        age_s = self.world.loop.time() - self._portal.superseded[at]
        if age_s > limit_h * 3600 + behind_s + CLEAR_S:
            self.world.fail("A1", f"{self.name} admits by list {at}, which was not the newest for {age_s:.0f} s")
        self.world.count("entries by an older list")

    def _offset(self) -> timedelta:
        return next(node.offset for node in self.world.nodes if node.name == self.name)

    def ordered(self, by: str) -> None:
        """An order of the portal is carried out."""
        late_s = self.world.loop.time() - self.world.orders[by]
        if by in self.world.obeyed:
            self.world.fail("S9", f"{self.name} carries {by} out twice")
        if late_s > 0:
            self.world.fail("S9", f"{self.name} carries {by} out {late_s:.1f} s after its time")
        self.world.obeyed.add(by)
        self.world.count("orders obeyed")
