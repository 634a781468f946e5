"""Double entries, found in the edges' journals by hand: what the portal's records of conflicts are compared with.

Only what is beyond doubt counts: a user enters at one edge and then at another, and between the two nothing at all
is written that could have ended the first stay or made anybody neutral. Each must have exactly one record. Left
out are users who ever moved while an edge's clock was a day off: the portal's records go by the edges' clocks.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from gate_controller.occupancy import DOUBTFUL
from tests.faults.checks import DAY_S, Row, look
from tests.faults.processes import Broken

CLEAR_S: Final = 3.0
"""An exit so shortly before or after may be taken for the end of a stay that it did not end."""
DOUBTS: Final = ("log_gap", "session_closed")


@dataclass(frozen=True, slots=True)
class Entry:
    """A vehicle of a user that was granted and passed; `id` as the portal names the grant's row."""

    edge: str
    id: str
    user: str
    granted_s: float
    passed_s: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something at an edge that may end a stay; of everybody there where `user` is None."""

    edge: str
    user: str | None
    at_s: float


def check_conflicts(
    journals: Mapping[str, Sequence[Row]], records: Sequence[Mapping[str, Any]], now_s: float
) -> int:
    """Raises `Broken` for a double entry without its one record; returns how many there are."""
    found = [*double_entries(journals, now_s)]
    for one, other in found:
        about = [r for r in records if {one.id, other.id} <= {_name(claim["id"]) for claim in r["claims"]}]
        own = [r for r in about if r["id"] in (one.id, other.id)]
        if len(own) != 1:
            raise Broken(f"E1: {other.user} entered at {one.id} and at {other.id}: {len(own)} conflicts tell of it")
    return len(found)


def conflicts(path: Path) -> list[dict[str, Any]]:
    """The portal's records."""
    with closing(look(path)) as db:
        return [json.loads(body) for (body,) in db.execute("SELECT body FROM conflict")]


def double_entries(journals: Mapping[str, Sequence[Row]], now_s: float) -> Iterable[tuple[Entry, Entry]]:
    """Two entries of a user at different edges with nothing between them, in the order of time."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    events: list[Event] = []
    astray: set[str | None] = set()
    for edge, rows in journals.items():
        _read(edge, rows, now_s, entries, events, astray)
    for user, own in entries.items():
        if user in astray:
            continue
        own.sort(key=lambda entry: entry.granted_s)
        for one, other in pairwise(own):
            between = any(
                one.granted_s - CLEAR_S <= event.at_s <= other.passed_s + CLEAR_S
                for event in events
                if event.user in (user, None)
            )
            if one.edge != other.edge and not between:
                yield one, other


def _read(
    edge: str,
    rows: Iterable[Row],
    now_s: float,
    entries: dict[str, list[Entry]],
    events: list[Event],
    astray: set[str | None],
) -> None:
    grants: dict[str, tuple[Row, dict[str, Any]]] = {}
    for row in rows:
        body, at_s = json.loads(row.body), _real_s(row.at, now_s)
        if row.kind == "granted":
            grants[body["hold"]] = row, body
        grant, told = grants.get(body.get("hold", ""), (row, body))
        user = told.get("user_id")
        if abs(datetime.fromisoformat(row.at).timestamp() - at_s) > CLEAR_S:
            astray.add(user)
        if row.kind == "passed" and body["direction"] == "in" and user is not None:
            name = f"{edge}/{grant.ledger}/{grant.seq}"
            entries[user].append(Entry(edge, name, user, _real_s(grant.at, now_s), at_s))
        elif _may_end_a_stay(row.kind, body):
            events.append(Event(edge, user, at_s))


def _may_end_a_stay(kind: str, body: Mapping[str, Any]) -> bool:
    """Of its user, or of everybody where it names none."""
    match kind:
        case "granted":
            # One that lets anybody out ends nobody's stay, unless it names it.
            return body["direction"] == "out" and bool(body["user_id"] or body.get("closes"))
        case "ungranted_passage":
            return bool(body["direction"] == "out")
        case "hold_released":
            return body["why"] in DOUBTFUL
        case _:
            return kind in DOUBTS


def _real_s(at: str, now_s: float) -> float:
    """When it happened, whatever day the edge's clock showed then."""
    return now_s + (datetime.fromisoformat(at).timestamp() - now_s + DAY_S / 2) % DAY_S - DAY_S / 2


def _name(id: Mapping[str, Any]) -> str:
    return f"{id['edge']}/{id['ledger']}/{id['seq']}"
