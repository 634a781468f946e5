"""What must hold once a fault is healed: read from the databases' own files, beside the running processes.

Rows are compared byte for byte. What names a person may be gone at the edge and still be at the portal, because it
is erased on the edge's own schedule; it may never differ, and it may not be missing at the portal alone.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sync.cached_list import CachedList
from tests.faults.processes import Broken

BUSY_FOR_S: Final = 5.0
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Row:
    """One journal row, at the edge or at the portal."""

    ledger: str
    seq: int
    at: str
    kind: str
    body: str
    personal: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Done:
    """An order of the portal that was carried out: where, which, and when by the edge's clock."""

    lane: str
    number: int
    at_s: float


@dataclass(frozen=True, slots=True)
class ListCopy:
    """A list: which one, and what is on it."""

    epoch: str
    rev: int
    entries: tuple[bytes, ...]


def look(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_FOR_S)
    db.execute("BEGIN")
    return db


def edge_rows(path: Path) -> list[Row]:
    """An edge's journal."""
    with closing(look(path)) as db:
        return [*map(_row, db.execute(_EDGE_ROWS))]


def portal_rows(path: Path, edge: str) -> list[Row]:
    """An edge's journal as the portal has it."""
    with closing(look(path)) as db:
        return [*map(_row, db.execute(_PORTAL_ROWS, (edge,)))]


def list_of(path: Path) -> ListCopy | None:
    """The list in an edge's or the portal's database; None before the first."""
    with closing(look(path)) as db:
        cached = CachedList(db)
        cursor = cached.cursor()
        return cursor and ListCopy(cursor.epoch, cursor.rev, tuple(sorted(cached.entries())))


def states(path: Path) -> dict[str, dict[str, Any]]:
    """What the portal knows of each edge, by its last word."""
    with closing(look(path)) as db:
        return {name: json.loads(state) for name, state in db.execute("SELECT name, state FROM edge")}


def last_seq(path: Path) -> int:
    """The last row of an edge's journal."""
    with closing(look(path)) as db:
        return int(db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0])


def received(path: Path, edge: str) -> int:
    """The last of an edge's rows that the portal says it has without a gap before it."""
    with closing(look(path)) as db:
        found = db.execute("SELECT coalesce(max(last), 0) FROM held WHERE edge = ? AND first = 1", (edge,))
        return int(found.fetchone()[0])


def compare_journals(name: str, at_edge: Iterable[Row], at_portal: Iterable[Row], through: int) -> None:
    """Raises `Broken` unless the portal has each row of the edge up to `through` once, as it is there.

    It may have later ones, but none that the edge has not; so the portal's are read first.
    """
    edge = {(row.ledger, row.seq): row for row in at_edge}
    arrived = list(at_portal)
    often = [key for key, count in Counter((row.ledger, row.seq) for row in arrived).items() if count > 1]
    if often:
        raise Broken(f"J1: {name}: the portal has rows more than once: {often[:5]}")
    portal = {(row.ledger, row.seq): row for row in arrived}
    if strange := sorted(portal.keys() - edge.keys()):
        raise Broken(f"J2: {name}: the portal has rows that the edge has not: {strange[:5]}")
    if missing := sorted(key for key in edge.keys() - portal.keys() if key[1] <= through):
        raise Broken(f"J3: {name}: rows never reached the portal: {missing[:5]}")
    for key, other in portal.items():
        row = edge[key]
        if (row.at, row.kind, row.body) != (other.at, other.kind, other.body):
            raise Broken(f"J4: {name}: row {key} differs: {row} at the edge, {other} at the portal")
        if row.personal is not None and row.personal != other.personal:
            raise Broken(f"J5: {name}: row {key} names {other.personal} at the portal and not {row.personal}")


def check_peace(path: Path) -> None:
    """Raises `Broken` if the portal alarms anybody or sets a row apart: nobody lies here, and no disk forgets.

    An edge whose clock was set a day ahead says that it takes no list, as it should.
    """
    with closing(look(path)) as db:
        said = db.execute(
            "SELECT edge, kind, detail FROM alarm UNION ALL SELECT edge, reason, text FROM quarantine"
        )
        found = [row for row in said if not (row[1] == "list_refused" and "clock" in row[2])]
    if found:
        raise Broken(f"A1: {found[0][0]}: {found[0][1]}: {found[0][2]}")


def opened(rows: Iterable[Row]) -> Counter[str]:
    """How often the rows say that each lane's relay was to be pulsed."""
    return Counter(json.loads(row.body)["lane"] for row in rows if row.kind in ("granted", "boom_opened_manually"))


def check_pulses(name: str, rows: Iterable[Row], pulses: Counter[str], kills: int) -> None:
    """Raises `Broken` if a relay moved more often than the journal says.

    A kill may take the row of a pulse that waits for no disk: an order, or a grant whose disk was too slow.
    """
    known = opened(rows)
    for lane, count in pulses.items():
        if count > known[lane] + kills:
            raise Broken(f"P1: {name}: {lane}: {count} pulses, {known[lane]} in the journal, {kills} kills")


def refused_at_the_machine(rows: Iterable[Row]) -> int:
    """How many requests of persons at the machine the journal says were refused."""
    return sum(row.kind == "command_refused" and json.loads(row.body)["by"] == "guard" for row in rows)


def check_answers(name: str, rows: Iterable[Row], refused: int, kills: int) -> None:
    """Raises `Broken` if the journal lacks what persons were told; a kill may take what waited for the disk."""
    if not kills and refused_at_the_machine(rows) < refused:
        raise Broken(f"J6: {name}: {refused} requests were refused, the journal knows less")


def orders_done(rows: Iterable[Row], name: str) -> list[Done]:
    """The portal's orders that opened a lane of an edge."""
    done = []
    for row in rows:
        if row.kind == "boom_opened_manually":
            body = json.loads(row.body)
            if body["by"] == "portal":
                at_s = datetime.fromisoformat(row.at).timestamp()
                done.append(Done(f"{name} {body['lane']}", int(body["reason"].removeprefix("order ")), at_s))
    return done


def check_orders(void_at: Mapping[int, float], done: Iterable[Done]) -> None:
    """Raises `Broken` for an order that nobody gave, that was carried out twice, or late.

    `void_at` has the end of each order that the portal sent, by its number. An edge's clock is right, or wrong by
    a day, and no block lasts so long.
    """
    done = list(done)
    times = Counter(one.number for one in done)
    for one in done:
        if one.number not in void_at:
            raise Broken(f"C1: {one.lane} carried out order {one.number}, which nobody gave")
        if times[one.number] > 1:
            raise Broken(f"C2: {one.lane} carried out order {one.number} {times[one.number]} times")
        late_s = (one.at_s - void_at[one.number] + DAY_S / 2) % DAY_S - DAY_S / 2
        if late_s > 0:
            raise Broken(f"C3: {one.lane} carried out order {one.number} {late_s:.3f} s after its end")


def ends(orders: Iterable[bytes]) -> dict[int, float]:
    """Of the orders in these envelopes, the end of each by its number."""
    found = {}
    for payload in orders:
        body = json.loads(payload)["body"]
        if number := re.fullmatch(r"order (\d+)", body["ask"].get("reason", "")):
            found[int(number[1])] = datetime.fromisoformat(body["exp"]).timestamp()
    return found


_EDGE_ROWS: Final = (
    "SELECT (SELECT id FROM ledger), j.seq, j.at, j.kind, j.body, p.fields FROM journal j"
    " LEFT JOIN personal p ON p.seq = j.seq ORDER BY j.seq"
)
_PORTAL_ROWS: Final = "SELECT ledger, seq, at, kind, body, personal FROM event WHERE edge = ? ORDER BY number"


def _row(values: tuple[str, int, str, str, str, str | None]) -> Row:
    ledger, seq, at, kind, body, personal = values
    return Row(ledger, seq, at, kind, body, None if personal is None else json.loads(personal))
