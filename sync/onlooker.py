"""A look into an edge's database from another process, through a connection that cannot write.

Safe beside a running daemon: everything is read at one instant, and nothing is locked, migrated or created.
Not here: the daemon's own connection (`sync.store`).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gate_controller.allowlist import Allowlist
from gate_controller.errors import StoreError
from gate_controller.occupancy import Occupancy
from gate_controller.standing_orders import Switched, Void
from sync.cached_list import CachedList, ListCursor
from sync.database import one_instant, pending_scripts, refuse_foreign
from sync.enrols import EnrolBook
from sync.journal import Journal, JournalRow
from sync.list_age import ListAge
from sync.messages import Enrol
from sync.standing_orders import StandingOrders
from sync.store import EDGE


@dataclass(frozen=True, slots=True)
class Sight:
    """What an edge held at one instant; `cursor` is None before its first list, `list_age_s` as last noted."""

    allowlist: Allowlist
    cursor: ListCursor | None
    occupancy: Occupancy
    list_age_s: float = 0.0
    switched: Sequence[Switched] = ()
    voids: Sequence[Void] = ()


def look_in(path: Path) -> Sight:
    """The cached list and who is inside. Raises `StoreError` naming the file and the fix."""
    with _sight_of(path) as db:
        cached = CachedList(db)
        cursor = cached.cursor()
        age_s = ListAge(db).known(cursor.confirmed_at) if cursor and cursor.confirmed_at else 0.0
        standing = StandingOrders(db)
        occupancy = Journal(db, "").standing.occupancy
        return Sight(cached.load(), cursor, occupancy, age_s, standing.switched(), standing.voids())


def journal_of(path: Path, after_seq: int = 0, limit: int = 1_000_000) -> list[JournalRow]:
    """The journal's rows after `after_seq`, oldest first. Raises `StoreError` naming the file and the fix."""
    with _sight_of(path) as db:
        return Journal(db, "").rows(after_seq, limit)


def badges_waiting(path: Path) -> list[Enrol]:
    """Badges that a desk handed out and the portal has not answered. Raises `StoreError`, likewise."""
    with _sight_of(path) as db:
        return EnrolBook(db).all()


@contextmanager
def _sight_of(path: Path) -> Iterator[sqlite3.Connection]:
    """One instant of the database, read-only."""
    if not path.is_file():
        raise StoreError(f"{path}: no such database; `slagboom run` makes it")
    with one_instant(path) as db:
        refuse_foreign(path, db, EDGE)
        if pending_scripts(path, db, EDGE) or not db.execute("SELECT count(*) FROM ledger").fetchone()[0]:
            raise StoreError(f"{path}: not set up by this slagboom; start `slagboom run` once, it updates the file")
        yield db
