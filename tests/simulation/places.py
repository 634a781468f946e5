"""Who was really inside where, read from the edges' journals by true time, and held against the portal's records.

Once all journals are at the portal: F1 the portal gave no place twice; F2 nor one number to two grants; E1 every
double entry beyond doubt has exactly one record, decided or marked undecidable; E2 every record tells of entries
that there were, more of them than the user has places, and none that its own exit had ended before the next.

A user of whom an edge wrote while its clock was a day off is left out of E1 and of E2's last part: records go by
the edges' clocks, as they must. F1 and F2 hold for them too, for the portal gives places by its own clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec

from gate_controller.occupancy import DOUBTFUL

DAY_S: Final = 86400.0
CLEAR_S: Final = 3.0
"""An exit so shortly before or after may be taken for the end of a stay that it did not end."""
EXIT_ALONE: Final = "exit_without_entry"


class Written(NamedTuple):
    """A row of an edge's journal: when it happened by true time, whether its clock was right, and what it says."""

    at_s: float
    right: bool
    kind: str
    body: str


@dataclass(slots=True)
class Stay:
    """An entry of a user that was granted and passed; `fence` where the portal gave the place, at `given_s`."""

    id: str
    edge: str
    user: str
    granted_s: float
    passed_s: float | None = None
    fence: int | None = None
    given_s: float = 0.0
    left_s: float | None = None
    """When its own edge saw its exit."""


@dataclass(slots=True)
class Truth:
    """`ends` are all that may have ended a stay: when and whose, of everybody where that is None."""

    stays: dict[str, Stay] = field(default_factory=dict)
    exits: dict[str, str | None] = field(default_factory=dict)
    ends: list[tuple[float, str | None]] = field(default_factory=list)
    astray: set[str | None] = field(default_factory=set)
    fences: dict[int, str] = field(default_factory=dict)
    broken: str = ""
    double: list[tuple[Stay, Stay]] = field(default_factory=list)
    """Entries in turn of a user of one place at two edges, and nothing that may have ended the first."""

    def may_be_over(self, user: str, since_s: float, until_s: float) -> bool:
        """Whether anything that may end a stay of this user happened between two moments."""
        return any(since_s <= at_s <= until_s for at_s, whose in self.ends if whose in (user, None))


def true_s(at: datetime, now_s: float, t0: datetime) -> float:
    """Seconds of true time of something written down a little before `now_s`, whatever day the clock showed."""
    shown_s = (at - t0).total_seconds()
    return now_s + (shown_s - now_s + DAY_S / 2) % DAY_S - DAY_S / 2


def wrong(
    journals: Mapping[str, tuple[str, Sequence[Written]]],
    records: Iterable[Mapping[str, Any]],
    sizes: Mapping[str, int],
) -> tuple[str, int]:
    """The first rule that is broken, "" if none is, and how many double entries there were beyond doubt.

    `journals` are ledger and rows of each edge, `sizes` the number of places of each user.
    """
    truth = Truth()
    for edge, (ledger, rows) in journals.items():
        _read(truth, edge, ledger, rows)
    truth.double = [*_double(truth, sizes)]
    found = [*records]
    doubts = (truth.broken, *_given_twice(truth, sizes), *_unrecorded(truth, found))
    return next((said for said in (*doubts, *_unfounded(truth, found, sizes)) if said), ""), len(truth.double)


# ---- what happened ----


def _read(truth: Truth, edge: str, ledger: str, rows: Sequence[Written]) -> None:
    grants: dict[str, tuple[int, dict[str, Any]]] = {}
    names: dict[str, str] = {}
    for seq, row in enumerate(rows, 1):
        body = msgspec.json.decode(row.body)
        hold = body.get("hold", "")
        if row.kind == "granted":
            grants[hold], names[hold] = (seq, body), f"{edge}/{ledger}/{seq}"
            if body["direction"] == "in" and body["user_id"] is not None:
                truth.stays[names[hold]] = Stay(names[hold], edge, body["user_id"], row.at_s)
        granted = grants.get(hold, (0, body))[1]
        user = granted.get("user_id")
        if not row.right:
            truth.astray.add(user)
        stay = truth.stays.get(names.get(hold, ""))
        if row.kind == "claimed" and stay is not None:
            stay.fence, stay.given_s = body["fence"], row.at_s
            other = truth.fences.setdefault(body["fence"], stay.id)
            if other != stay.id:
                truth.broken = f"F2: number {body['fence']} was given to {other} and to {stay.id}"
        elif row.kind == "passed" and body["direction"] == "in" and stay is not None:
            stay.passed_s = row.at_s
        elif row.kind == "passed" and body["direction"] == "out":
            truth.exits[names.get(hold, "")] = user
            for session in granted.get("closes", ()):
                if (own := truth.stays.get(names.get(session, ""))) is not None:
                    own.left_s = row.at_s
        if _may_end_a_stay(row.kind, body):
            truth.ends.append((row.at_s, user))


def _may_end_a_stay(kind: str, body: Mapping[str, Any]) -> bool:
    """Of its user, or of everybody where it names none."""
    match kind:
        case "granted":
            # One that lets anybody out ends nobody's stay, unless it names it.
            return body["direction"] == "out" and bool(body["user_id"] or body.get("closes"))
        case "passed":
            return bool(body["direction"] == "out")
        case "ungranted_passage":
            return bool(body["direction"] == "out")
        case "hold_released":
            return body["why"] in DOUBTFUL
        case _:
            return kind in ("log_gap", "session_closed")


def _of_one_place(truth: Truth, sizes: Mapping[str, int]) -> Iterator[list[Stay]]:
    """The entries of each user who has one place, in the order of time."""
    by_user: dict[str, list[Stay]] = defaultdict(list)
    for stay in truth.stays.values():
        if stay.passed_s is not None and sizes.get(stay.user) == 1:
            by_user[stay.user].append(stay)
    for own in by_user.values():
        yield sorted(own, key=lambda stay: stay.granted_s)


# ---- the rules ----


def _given_twice(truth: Truth, sizes: Mapping[str, int]) -> Iterator[str]:
    for own in _of_one_place(truth, sizes):
        given = sorted((stay for stay in own if stay.fence is not None), key=lambda stay: stay.given_s)
        for one, other in pairwise(given):
            over = truth.may_be_over(one.user, one.granted_s, other.given_s + CLEAR_S)
            if one.edge != other.edge and not over:
                yield f"F1: the portal gave {one.user}'s place to {one.id} and then to {other.id}"


def _double(truth: Truth, sizes: Mapping[str, int]) -> Iterator[tuple[Stay, Stay]]:
    for own in _of_one_place(truth, sizes):
        for one, other in pairwise(own):
            assert other.passed_s is not None
            over = truth.may_be_over(one.user, one.granted_s - CLEAR_S, other.passed_s + CLEAR_S)
            if one.edge != other.edge and one.user not in truth.astray and not over:
                yield one, other


def _unrecorded(truth: Truth, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    named = [(record["id"], {_name(claim["id"]) for claim in record["claims"]}) for record in records]
    for one, other in truth.double:
        about = [id for id, claims in named if {one.id, other.id} <= claims and id in (one.id, other.id)]
        if len(about) != 1:
            yield f"E1: {one.user} entered at {one.id} and at {other.id}: {len(about)} records tell of it"


def _unfounded(truth: Truth, records: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]) -> Iterator[str]:
    for record in records:
        names, user = [_name(claim["id"]) for claim in record["claims"]], record["user"]
        if record["kind"] == EXIT_ALONE:
            if truth.exits.get(record["id"], "") != user or names != [record["id"]]:
                yield f"E2: {record['id']} is no exit of {user}"
            continue
        stays = [stay for name in names if (stay := truth.stays.get(name)) is not None]
        if [stay.user for stay in stays if stay.passed_s is not None] != [user] * len(names):
            yield f"E2: {record['id']} tells of entries of {user} that there were not: {names}"
        elif len({*names}) <= sizes.get(user, 1):
            yield f"E2: {record['id']} tells of {len(names)} entries of {user}, who has {sizes.get(user)} places"
        elif record["basis"] != "undecidable" and user not in truth.astray:
            yield from _apart(record["id"], stays)


def _apart(id: str, stays: Sequence[Stay]) -> Iterator[str]:
    """An entry that was over before the one of the record, by its own edge's word."""
    (made,) = (stay for stay in stays if stay.id == id)
    for other in stays:
        if other.left_s is not None and other.left_s + CLEAR_S < made.granted_s:
            yield f"E2: {id} is said to have come while {other.id} was inside, which had left"


def _name(id: Mapping[str, Any]) -> str:
    return f"{id['edge']}/{id['ledger']}/{id['seq']}"
