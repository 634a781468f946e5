"""Entries that nobody could ask about, compared afterwards: one record for each that took a place too many.

Everything follows from the set of one user's stays and departures, never from the order in which journals arrived,
and a record is named by the event that began the stay, so that learning more never makes two of one.

What the arbiter gave stands before what an edge took by itself. Between two that nobody gave, time decides, as far
as clocks can be trusted; where they cannot, a person must. A stay ends with its exit, wherever that was, and where
its user became neutral, because from there on the arbiter would have believed the next movement.

Not here: collecting stays out of journals, and keeping the records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gate_controller.facts import HoldId

CLOCK_SET_MAX: Final = timedelta(days=1)
"""How much further than it shows a clock may have been set: a wrong day is what happens."""


class Kind(StrEnum):
    """What was found to be wrong."""

    ENTRY_WHILE_IN = "entry_while_in"
    """The entry came later than those that already had the places."""
    DOUBLE_ENTRY = "double_entry"
    """The entry came first, but it was another one that the arbiter gave the place."""
    OVERLAP = "overlap"
    """Clocks do not tell which came first, or whether one had left before the other came."""
    EXIT_WITHOUT_ENTRY = "exit_without_entry"
    """A user left whom no edge had let in."""


class Basis(StrEnum):
    """What a record was decided on."""

    FENCE = "fence"
    TIME = "time"
    UNDECIDABLE = "undecidable"


class Resolution(StrEnum):
    """Who settles a record: the rules did, an operator must or did, or it was forgiven."""

    AUTO = "auto"
    OPERATOR = "operator"
    PARDON = "pardon"


@dataclass(frozen=True, slots=True)
class EventId:
    """The name of a journal row for ever."""

    edge: str
    ledger: str
    seq: int

    def __str__(self) -> str:
        return f"{self.edge}/{self.ledger}/{self.seq}"


@dataclass(frozen=True, slots=True)
class Stay:
    """A vehicle of the user inside, from the grant `id` on.

    `until` is when its own edge saw or said that it was over, `doubted` when its user became neutral there.
    `err_ms` is how far that edge's clock may be off. `fence` is None where the arbiter did not give the place.
    """

    id: EventId
    hold: HoldId
    since: datetime
    fence: int | None = None
    until: datetime | None = None
    doubted: datetime | None = None
    err_ms: int = 0


@dataclass(frozen=True, slots=True)
class Departure:
    """The user left through an edge that did not have it inside."""

    id: EventId
    at: datetime
    err_ms: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry that takes part in a conflict, or the exit that is one."""

    id: EventId
    at: datetime
    hold: HoldId | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """One record; `surplus` names the claim that had no place, None where nobody can say."""

    id: str
    user: str
    kind: Kind
    claims: tuple[Claim, ...]
    basis: Basis
    clock_err_ms: int
    resolution: Resolution
    surplus: str | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What follows for one user: `left` says when stays ended by an exit at another edge."""

    conflicts: tuple[Conflict, ...] = ()
    left: Mapping[EventId, datetime] = field(default_factory=dict)


def astray(since: datetime, end: datetime, err_ms: int) -> timedelta | None:
    """How far both times of a stay may be off that ends before it began; None where clocks explain it.

    Its own edge saw it end after it began, so that edge's clock was set back between the two, or ahead before.
    """
    back = since - end
    return None if back <= timedelta(milliseconds=2 * err_ms) else back + CLOCK_SET_MAX


def settle(user: str, stays: Iterable[Stay], departures: Iterable[Departure], size: int = 1) -> Settled:
    """Every conflict of one user who has `size` places, in the order of time; a function of the sets alone."""
    ordered = sorted(stays, key=lambda stay: (stay.since, str(stay.id)))
    left: dict[EventId, datetime] = {}
    found: list[Conflict] = []
    for departure in sorted(departures, key=lambda d: (d.at, str(d.id))):
        stay = _left_by(departure, ordered, left)
        if stay is None:
            found.append(_without_entry(user, departure))
        else:
            left[stay.id] = departure.at
    ordered = [_believed(stay) for stay in ordered]
    worst_ms = max((stay.err_ms for stay in ordered), default=0)
    maybe: list[Stay] = []
    for stay in ordered:
        # Whoever left before any clock could mean this moment has no part in what follows.
        maybe = [o for o in maybe if (end := _end(o, left)) is None or end >= stay.since - _slack(o, worst_ms)]
        met = {other: _meet(other, _end(other, left), stay, _end(stay, left)) for other in maybe}
        inside = [other for other, at_once in met.items() if at_once is not False]
        if len(inside) >= size and any(_unasked(other, stay) for other in inside):
            sure = sum(at_once is True for at_once in met.values())
            found.append(_too_many(user, stay, inside, sure >= size))
        maybe.append(stay)
    return Settled(tuple(found), left)


def _believed(stay: Stay) -> Stay:
    """A stay with the ends that can be; where none can, one of no length at a time that is far from sure."""
    ends = {end: astray(stay.since, end, stay.err_ms) for end in (stay.until, stay.doubted) if end is not None}
    off = max((by for by in ends.values() if by is not None), default=None)
    if off is None:
        return stay
    if None not in ends.values():
        err_ms = stay.err_ms + off // timedelta(milliseconds=1)
        return replace(stay, until=stay.since, doubted=None, err_ms=err_ms)
    return replace(
        stay,
        until=stay.until if stay.until is not None and ends[stay.until] is None else None,
        doubted=stay.doubted if stay.doubted is not None and ends[stay.doubted] is None else None,
    )


def _left_by(departure: Departure, stays: Sequence[Stay], left: Mapping[EventId, datetime]) -> Stay | None:
    """The latest stay that was open when the user left: at another edge, for its own would have known."""
    home = (departure.id.edge, departure.id.ledger)
    for stay in reversed(stays):
        slack = _slack(stay, departure.err_ms)
        end = min((at for at in (stay.until, left.get(stay.id)) if at is not None), default=None)
        open_then = stay.since <= departure.at + slack and (end is None or end > departure.at - slack)
        if open_then and stay.id not in left and (stay.id.edge, stay.id.ledger) != home:
            return stay
    return None


def _end(stay: Stay, left: Mapping[EventId, datetime]) -> datetime | None:
    return min((at for at in (stay.until, stay.doubted, left.get(stay.id)) if at is not None), default=None)


def _slack(stay: Stay, err_ms: int) -> timedelta:
    return timedelta(milliseconds=stay.err_ms + err_ms)


def _meet(earlier: Stay, end: datetime | None, later: Stay, later_end: datetime | None) -> bool | None:
    """Whether both were inside at once; None where the clocks do not tell."""
    slack = _slack(earlier, later.err_ms)
    if end is None:
        return True if later_end is None or later_end > earlier.since + slack else None
    if end < later.since - slack:
        return False
    return True if end > later.since + slack else None


def _unasked(one: Stay, other: Stay) -> bool:
    """Whether the arbiter did not know both; one edge's own lanes are exact among themselves."""
    home = (one.id.edge, one.id.ledger) == (other.id.edge, other.id.ledger)
    return not home and (one.fence is None or other.fence is None)


def _too_many(user: str, stay: Stay, met: Sequence[Stay], sure: bool) -> Conflict:
    among = (*met, stay)
    unasked = [other for other in among if other.fence is None]
    surplus, basis = unasked[-1], Basis.FENCE
    if len(unasked) > 1:
        basis = Basis.TIME if _after(unasked[-1], unasked[:-1]) else Basis.UNDECIDABLE
    if not sure:
        basis = Basis.UNDECIDABLE
    last = _after(surplus, [other for other in among if other is not surplus])
    kind = Kind.OVERLAP if basis is Basis.UNDECIDABLE else Kind.ENTRY_WHILE_IN if last else Kind.DOUBLE_ENTRY
    return Conflict(
        id=str(stay.id),
        user=user,
        kind=kind,
        claims=tuple(Claim(other.id, other.since, other.hold, other.fence) for other in among),
        basis=basis,
        clock_err_ms=max(other.err_ms for other in among),
        resolution=Resolution.OPERATOR if basis is Basis.UNDECIDABLE else Resolution.AUTO,
        surplus=None if basis is Basis.UNDECIDABLE else str(surplus.id),
    )


def _after(stay: Stay, others: Iterable[Stay]) -> bool:
    return all(stay.since > other.since + _slack(stay, other.err_ms) for other in others)


def _without_entry(user: str, departure: Departure) -> Conflict:
    return Conflict(
        id=str(departure.id),
        user=user,
        kind=Kind.EXIT_WITHOUT_ENTRY,
        claims=(Claim(departure.id, departure.at),),
        basis=Basis.TIME,
        clock_err_ms=departure.err_ms,
        resolution=Resolution.AUTO,
        surplus=None,
    )
