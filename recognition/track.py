"""The reads of one vehicle in successive frames: what continues a track, and whether it has moved.

Deliberately not here: what the reads come to, and what is a vehicle at all (`vote.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from gate_controller.look_alikes import fold
from recognition.finds import middle_of
from recognition.frame import Frame
from recognition.recognizer import LocatedRead

LOST_AFTER_S = 2.0
"""A track without a read for this long has ended; frames after a longer gap begin anew as the first one does."""

PARKED_AFTER_S = 10.0
"""What was there from the start and has not moved for this long is parked, or burnt into the picture."""

MOVED_WIDTHS = 0.25
MOVED_FRAMES_MIN = 2
"""Movement, or growth, of this many plate widths in so many reads in a row shows a vehicle on its way; of what
stands in view for hours, one read or another is out of place."""

SURE_AT = 0.6
OTHER_BELOW = 0.5
"""Texts less alike than this, both read with `SURE_AT` confidence, are of two vehicles."""

STILL_PX = 1.0
STILL_FRAMES_MIN = 8
"""A spread of the centre below `STILL_PX` over this many frames is no vehicle held by any hand or suspension."""

BALLOTS_LEN_MAX = 48


@dataclass(slots=True)
class Track:
    """The reads of one vehicle so far.

    `late`: first seen when it could have come unseen; `stood`: at this place since before it was last out of sight;
    `elsewhere`: how many of the newest reads are not where the first was; `known`: the newest that was surely read.
    """

    number: int
    first_s: float
    last_s: float
    centre: tuple[float, float]
    speed: tuple[float, float]
    width_px: float
    start: LocatedRead
    last: LocatedRead
    known: LocatedRead
    late: bool
    moved: bool = False
    elsewhere: int = 0
    stood: bool = False
    decided: bool = False
    frames: int = 0
    reads: list[tuple[LocatedRead, int]] = field(default_factory=list)
    low: tuple[float, float] = (math.inf, math.inf)
    high: tuple[float, float] = (-math.inf, -math.inf)
    keys: list[str] = field(default_factory=list)

    @property
    def arrived(self) -> bool:
        """Whether it came, as far as this track alone can tell."""
        return self.late or self.moved

    def join(self, frame: Frame, read: LocatedRead) -> None:
        """Adds one more read."""
        centre, gap_s = centre_of(read), frame.at_s - self.last_s
        if gap_s > 0:
            fresh = ((centre[0] - self.centre[0]) / gap_s, (centre[1] - self.centre[1]) / gap_s)
            self.speed = (self.speed[0] * 0.5 + fresh[0] * 0.5, self.speed[1] * 0.5 + fresh[1] * 0.5)
        self.centre, self.width_px, self.last, self.last_s = centre, read.width_px, read, frame.at_s
        if read.read.confidence >= min(SURE_AT, self.known.read.confidence):
            self.known = read
        self.low = (min(self.low[0], centre[0]), min(self.low[1], centre[1]))
        self.high = (max(self.high[0], centre[0]), max(self.high[1], centre[1]))
        self.frames += 1
        self.elsewhere = self.elsewhere + 1 if has_moved(self.start, read) else 0
        self.moved = self.moved or self.elsewhere >= MOVED_FRAMES_MIN
        self.reads.append((read, frame.index))
        if len(self.reads) > BALLOTS_LEN_MAX:
            self.reads.remove(min(self.reads, key=lambda pair: quality(pair[0])))

    def never_moved(self) -> bool:
        """Whether it stood as still as only fixed things do, for long enough to tell."""
        if self.moved or self.frames < STILL_FRAMES_MIN:
            return False
        still = max(self.high[0] - self.low[0], self.high[1] - self.low[1]) < STILL_PX
        return still or self.last_s - self.first_s >= PARKED_AFTER_S

    def nearness(self, at_s: float, read: LocatedRead) -> float | None:
        """How well a read continues this track, higher is better; None when it cannot be the same plate."""
        gap_s = at_s - self.last_s
        size = max(self.width_px, read.width_px)
        if gap_s > LOST_AFTER_S or not 0.45 < read.width_px / max(self.width_px, 1.0) < 2.2:
            return None
        x, y = centre_of(read)
        ahead = (self.centre[0] + self.speed[0] * gap_s, self.centre[1] + self.speed[1] * gap_s)
        away = min(math.dist((x, y), ahead), math.dist((x, y), self.centre)) / size
        alike = similarity(self.known.read.plate.key, read.read.plate.key)
        sure = min(self.known.read.confidence, read.read.confidence) >= SURE_AT
        if sure and alike < OTHER_BELOW:
            return None
        near = away < 0.35 or (away < 0.8 and alike >= 0.4) or (alike >= 0.7 and away < 4 + 4 * gap_s)
        return alike - 0.5 * away if near else None


def centre_of(read: LocatedRead) -> tuple[float, float]:
    """The middle of the plate in the picture."""
    return middle_of(read.corners)


def has_moved(before: LocatedRead, now: LocatedRead) -> bool:
    """Whether a plate is on its way: elsewhere, or of another size.

    One of which the left or right end is where it was has not moved: something hides the other end, or did before.
    """
    width = max(before.width_px, 1.0)
    away = math.dist(centre_of(now), centre_of(before)) / width
    grown = abs(math.log(max(now.width_px, 1.0) / width))
    a, b, c, d = (math.dist(*corners) / width for corners in zip(before.corners, now.corners, strict=True))
    return max(away, grown) >= MOVED_WIDTHS and min(max(a, d), max(b, c)) >= MOVED_WIDTHS / 2


def similarity(a: str, b: str) -> float:
    """Likeness of two texts 0..1, look-alikes counted as equal."""
    return Levenshtein.normalized_similarity(fold(a), fold(b))


def quality(read: LocatedRead) -> float:
    """A frame's weight: sharp, large and certain reads count; 120 px is where size stops helping the reader."""
    size = min(1.0, read.width_px / 120.0)
    return max(1e-3, (0.05 + read.read.confidence) * size * read.sharpness)
