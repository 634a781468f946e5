"""A look into an edge's database from another process, through a connection that cannot write.

Safe beside a running daemon: everything is read at one instant, and nothing is locked, migrated or created.
Not here: the daemon's own connection (`sync.store`).
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate_controller.allowlist import Allowlist
from gate_controller.errors import StoreError
from gate_controller.occupancy import Occupancy
from gate_controller.standing_orders import Switched, Void
from sync.cached_list import CachedList, ListCursor
from sync.database import BUSY_FOR_MS, explained, pending_scripts, refuse_foreign
from sync.enrols import EnrolBook
from sync.journal import Journal, JournalRow
from sync.list_age import ListAge
from sync.messages import Enrol
from sync.standing_orders import StandingOrders
from sync.store import EDGE

TRIES_MAX: Final = 40
TRY_AGAIN_AFTER_S: Final = 0.05


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
    try:
        with closing(_opened(path)) as db:
            refuse_foreign(path, db, EDGE)
            if pending_scripts(path, db, EDGE):
                raise StoreError(
                    f"{path}: not set up by this slagboom; start `slagboom run` once, it updates the file"
                )
            yield db
    except sqlite3.Error as error:
        raise explained(path, error) from error


def _opened(path: Path) -> sqlite3.Connection:
    """One instant, to read; for a moment, while a daemon starts or stops, SQLite lets only writers in."""
    for tries_left in reversed(range(TRIES_MAX)):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            db.execute(f"PRAGMA busy_timeout = {BUSY_FOR_MS}")
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_schema")
        except sqlite3.Error as error:
            db.close()
            if error.sqlite_errorname != "SQLITE_READONLY" or not tries_left:
                raise
            time.sleep(TRY_AGAIN_AFTER_S)
        else:
            return db
    raise AssertionError("the last try returns or raises")
