"""A gate that is only imagined: the rules of the real one, asked without a barrier.

Here: which of the voter's answers are vehicles, and what the one decision order says to each; a grant is taken
as a passage. Not here: reading pictures, and printing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from gate_controller.access import Ask, decide
from gate_controller.facts import Direction, Granted, HoldId, LaneId, Passed, Refused
from gate_controller.moment import Moment
from gate_controller.plates import PlateRead
from gate_controller.site import Site
from recognition.recognizer import Rejected
from recognition.track import LOST_AFTER_S, similarity
from recognition.vote import SAME_VEHICLE_S, VOTES_MIN, VoteEvent

ALIKE_MIN: Final = 0.5
"""An unsure read this similar to another, within `SAME_VEHICLE_S` of it, is of the same vehicle."""

PLAUSIBLE_MIN: Final = 0.01
"""A text less probable than this was hardly a plate."""

_NO_VEHICLE: Final = (Rejected.NEVER_MOVED, Rejected.TOO_FEW, Rejected.HIDDEN, Rejected.FAINT)
"""Fixed things, scraps of text, and what looked like a whole plate in no frame: lettering, or a car half hidden."""


class ImaginedGate:
    """One lane and what it knows; it remembers who is inside."""

    def __init__(self, site: Site, lane: LaneId, direction: Direction) -> None:
        self.site = site
        self._lane, self._direction = lane, direction
        self._asked = 0

    def ask(self, read: PlateRead | None, at: datetime) -> Granted | Refused:
        """The gate's decision; None is a vehicle whose plate was not sure enough. A grant passes at once."""
        self._asked += 1
        hold = HoldId(f"{self._lane}-{self._asked}")
        question = Ask(self._lane, self._direction, read, hold, present=True, read_over=True)
        fact = decide(question, self.site, Moment(at, at.timestamp()))
        if isinstance(fact, Granted):
            passed = Passed(self._lane, self._direction, hold, assumed=True)
            occupancy = self.site.occupancy.fold(fact, at).fold(passed, at)
            self.site = replace(self.site, occupancy=occupancy)
        return fact


@dataclass(slots=True)
class Sorter:
    """Tells the vehicles of one source from reads that are none or belong to a vehicle told already.

    A vehicle whose every read was unsure is told `SAME_VEHICLE_S` after it went, because a sure read of the same
    vehicle may still come. `rejected` holds the answers that became no vehicle.
    """

    rejected: list[VoteEvent] = field(default_factory=list)
    _known: list[VoteEvent] = field(default_factory=list)
    _unsure: list[VoteEvent] = field(default_factory=list)

    def add(self, events: Sequence[VoteEvent], now_s: float, frames: int) -> list[VoteEvent]:
        """The vehicles that can be told by now, after `frames` frames of the source."""
        told = [event for event in events if event.accepted]
        self._known += told
        for event in events:
            if event.accepted:
                continue
            (self._unsure if _vehicle(event, frames) else self.rejected).append(event)
        waiting = []
        for event in sorted(self._unsure, key=lambda event: -event.read.confidence):
            if any(_same_vehicle(event, known) for known in self._known):
                self.rejected.append(event)
            elif now_s - event.at_s > SAME_VEHICLE_S:
                self._known.append(event)
                told.append(event)
            else:
                waiting.append(event)
        self._unsure = waiting
        self._known = [event for event in self._known if now_s - event.at_s <= 2 * SAME_VEHICLE_S]
        return told


def _vehicle(event: VoteEvent, frames: int) -> bool:
    """Whether an unsure answer can be a vehicle: seen often enough, on its way, and with something like a text."""
    seen = event.frames >= min(VOTES_MIN, frames)
    return seen and event.rejected not in _NO_VEHICLE and event.read.confidence >= PLAUSIBLE_MIN


def _same_vehicle(one: VoteEvent, other: VoteEvent) -> bool:
    """A barrier serves one vehicle at a time: what is seen beside another is of it, or stands behind it."""
    apart_s = max(one.first_s, other.first_s) - min(one.at_s, other.at_s)
    alike = similarity(one.read.plate.key, other.read.plate.key)
    return apart_s < LOST_AFTER_S or (apart_s < SAME_VEHICLE_S and alike >= ALIKE_MIN)
