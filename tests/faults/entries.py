"""Double entries, found in the edges' journals by hand: what the portal's records of conflicts are compared with.

Only what is beyond doubt counts: a user enters at one edge and then at another, and between the two nothing at all
is written that could have ended the first stay or made anybody neutral. Each must have exactly one record.
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
"""Two entries so close together may be one after the other, or at once: their clocks do not tell."""
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
    for edge, rows in journals.items():
        _read(edge, rows, now_s, entries, events)
    for user, own in entries.items():
        own.sort(key=lambda entry: entry.granted_s)
        for one, other in pairwise(own):
            between = any(
                one.granted_s - CLEAR_S <= event.at_s <= other.passed_s + CLEAR_S
                for event in events
                if event.user in (user, None)
            )
            if one.edge != other.edge and other.granted_s > one.passed_s + CLEAR_S and not between:
                yield one, other


def _read(
    edge: str, rows: Iterable[Row], now_s: float, entries: dict[str, list[Entry]], events: list[Event]
) -> None:
    grants: dict[str, tuple[Row, dict[str, Any]]] = {}
    for row in rows:
        body, at_s = json.loads(row.body), _real_s(row.at, now_s)
        if row.kind == "granted":
            grants[body["hold"]] = row, body
            if body["direction"] == "out":
                events.append(Event(edge, body["user_id"], at_s))
        elif row.kind == "passed" and body["direction"] == "in" and body["hold"] in grants:
            grant, told = grants[body["hold"]]
            name = f"{edge}/{grant.ledger}/{grant.seq}"
            entries[told["user_id"]].append(Entry(edge, name, told["user_id"], _real_s(grant.at, now_s), at_s))
        elif row.kind == "hold_released" and body["why"] in DOUBTFUL and body["hold"] in grants:
            events.append(Event(edge, grants[body["hold"]][1]["user_id"], at_s))
        elif row.kind in DOUBTS:
            events.append(Event(edge, body["user_id"], at_s))
        elif row.kind == "ungranted_passage" and body["direction"] == "out":
            events.append(Event(edge, None, at_s))


def _real_s(at: str, now_s: float) -> float:
    """When it happened, whatever day the edge's clock showed then."""
    return now_s + (datetime.fromisoformat(at).timestamp() - now_s + DAY_S / 2) % DAY_S - DAY_S / 2


def _name(id: Mapping[str, Any]) -> str:
    return f"{id['edge']}/{id['ledger']}/{id['seq']}"
