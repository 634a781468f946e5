"""One answer per vehicle: reads of successive frames joined into tracks, voted, and decided once.

A vehicle is decided as soon as enough frames agree, at the latest when it is gone. Text that was there from the
first frame and never moves (parked cars, time stamps burnt into the picture) is no vehicle, unless the caller knows
that one was standing there before. Deliberately not here: the vote over characters (`fusion.py`), cameras and
clocks: time is the frames' own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from gate_controller.look_alikes import fold
from gate_controller.plates import PLATE_LEN_MAX, PlateRead
from recognition.frame import Frame
from recognition.fusion import Ballot, fuse
from recognition.looks import settled_read
from recognition.ocr import Options
from recognition.recognizer import CHARACTER_MIN, CHARACTERS_MIN, LocatedRead, Rejected

VOTES_MIN = 3
"""Frames that must agree before a vehicle is decided early."""

LOST_AFTER_S = 2.0
"""A track without a read for this long has ended."""

SAME_VEHICLE_S = 10.0
"""The same plate within this time after its track ended is the same vehicle, seen again."""

PARKED_AFTER_S = 10.0
"""What was there from the start and has not moved for this long is parked, or burnt into the picture."""

ARRIVED_AFTER_S = 2.0
"""What is first seen later than this after the first frame has come, whether its coming was seen or not."""

MOVED_WIDTHS = 0.25
"""Movement, or growth, of this many plate widths shows a vehicle on its way."""

STILL_PX = 1.0
STILL_FRAMES_MIN = 8
"""A spread of the centre below `STILL_PX` over this many frames is no vehicle held by any hand or suspension."""

TRACKS_LEN_MAX = 16
BALLOTS_LEN_MAX = 48
DECIDED_LEN_MAX = 64

_UNREADABLE = (Rejected.AT_BORDER, Rejected.HIDDEN, Rejected.FAINT, Rejected.INNER_PAD)


@dataclass(frozen=True, slots=True)
class VoteEvent:
    """What the frames of one vehicle came to.

    `best` is the read that decided, with its picture, of frame `best_index`; `frames` counts all reads of the
    vehicle; `rejected` is None for an answer to act on. Times are the frames' own, in seconds.
    """

    track: int
    first_s: float
    at_s: float
    read: PlateRead
    best: LocatedRead
    best_index: int
    frames: int
    rejected: Rejected | None

    @property
    def accepted(self) -> bool:
        """Whether the answer may be acted on."""
        return self.rejected is None


@dataclass(slots=True)
class Track:
    """The reads of one vehicle so far."""

    number: int
    first_s: float
    last_s: float
    centre: tuple[float, float]
    speed: tuple[float, float]
    width_px: float
    reads: list[tuple[LocatedRead, int]]
    arrived: bool
    decided: bool = False
    frames: int = 0
    start: tuple[float, float, float] = (0.0, 0.0, 1.0)
    low: tuple[float, float] = (math.inf, math.inf)
    high: tuple[float, float] = (-math.inf, -math.inf)
    keys: list[str] = field(default_factory=list)

    def join(self, frame: Frame, read: LocatedRead) -> None:
        """Adds one more read."""
        centre, gap_s = centre_of(read), frame.at_s - self.last_s
        if gap_s > 0:
            fresh = ((centre[0] - self.centre[0]) / gap_s, (centre[1] - self.centre[1]) / gap_s)
            self.speed = (self.speed[0] * 0.5 + fresh[0] * 0.5, self.speed[1] * 0.5 + fresh[1] * 0.5)
        if not self.frames:
            self.start = (*centre, read.width_px)
        self.centre, self.width_px, self.last_s = centre, read.width_px, frame.at_s
        self.low = (min(self.low[0], centre[0]), min(self.low[1], centre[1]))
        self.high = (max(self.high[0], centre[0]), max(self.high[1], centre[1]))
        self.frames += 1
        away = math.dist(centre, self.start[:2]) / self.start[2]
        grown = abs(math.log(max(self.width_px, 1.0) / self.start[2]))
        self.arrived = self.arrived or max(away, grown) >= MOVED_WIDTHS
        self.reads.append((read, frame.index))
        if len(self.reads) > BALLOTS_LEN_MAX:
            self.reads.remove(min(self.reads, key=lambda pair: _quality(pair[0])))

    def never_moved(self) -> bool:
        """Whether it stood as still as only fixed things do, for long enough to tell."""
        if self.arrived or self.frames < STILL_FRAMES_MIN:
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
        last = self.reads[-1][0].read
        alike = similarity(last.plate.key, read.read.plate.key)
        sure = min(last.confidence, read.read.confidence) >= 0.6
        if sure and alike < 0.5:
            return None
        near = away < 0.35 or (away < 0.8 and alike >= 0.4) or (alike >= 0.7 and away < 4 + 4 * gap_s)
        return alike - 0.5 * away if near else None


class Voter:
    """Joins reads frame by frame; frames must come in order of time. Not thread-safe."""

    def __init__(self, accept_at: float) -> None:
        """`accept_at`: probability that the whole text is right from which a vehicle is decided."""
        self._accept_at = accept_at
        self._tracks: list[Track] = []
        self._decided: list[tuple[str, float]] = []
        self._first_s: float | None = None
        self._count = 0

    def add(self, frame: Frame, reads: list[LocatedRead], *, standing: bool = False) -> list[VoteEvent]:
        """The vehicles decided by this frame, and those that ended before it.

        `standing`: a vehicle has stood in view since before the first frame, and what never moved may be it.
        """
        if self._first_s is None:
            self._first_s = frame.at_s
        events = self._end(frame.at_s - LOST_AFTER_S)
        free = list(self._tracks)
        near = [(track.nearness(frame.at_s, read), track, read) for track in free for read in reads]
        pairs = sorted(((how, t, r) for how, t, r in near if how is not None), key=lambda pair: -pair[0])
        joined: list[int] = []
        for _, track, read in pairs:
            if track in free and id(read) not in joined:
                free.remove(track)
                joined.append(id(read))
                track.join(frame, read)
                events += self._try(track, frame, standing)
        for read in reads:
            if id(read) not in joined and len(self._tracks) < TRACKS_LEN_MAX:
                self._begin(frame, read)
        return events

    def flush(self) -> list[VoteEvent]:
        """Ends every track: the stream is over."""
        return self._end(math.inf)

    def tracks(self) -> tuple[Track, ...]:
        """The vehicles that have not ended, decided or not; to look at only."""
        return tuple(self._tracks)

    def _begin(self, frame: Frame, read: LocatedRead) -> None:
        self._count += 1
        late = self._first_s is not None and frame.at_s - self._first_s >= ARRIVED_AFTER_S
        track = Track(self._count, frame.at_s, frame.at_s, centre_of(read), (0.0, 0.0), read.width_px, [], late)
        track.join(frame, read)
        self._tracks.append(track)

    def _end(self, before_s: float) -> list[VoteEvent]:
        events = []
        for track in [t for t in self._tracks if t.last_s < before_s]:
            self._tracks.remove(track)
            if track.decided:
                continue
            event = self._event(track, track.last_s, final=True)
            if not self._seen_before(event):
                events.append(event)
                self._remember(event)
        return events

    def _try(self, track: Track, frame: Frame, standing: bool) -> list[VoteEvent]:
        if track.decided:
            self._remember_last(track)
            return []
        if not (track.arrived or standing) or track.frames < VOTES_MIN:
            return []
        event = self._event(track, frame.at_s, final=False, standing=standing)
        if not event.accepted or event.read.votes < VOTES_MIN:
            return []
        track.decided = True
        track.keys = [event.read.plate.key]
        known = self._seen_before(event)
        self._remember(event)
        return [] if known else [event]

    def _event(self, track: Track, at_s: float, final: bool, standing: bool = False) -> VoteEvent:
        usable = [pair for pair in track.reads if pair[0].rejected not in _UNREADABLE] or track.reads
        fused = fuse([Ballot(r.read.alternatives, _complete(r), _quality(r)) for r, _ in usable])
        read = settled_read(fused.alternatives[:PLATE_LEN_MAX], _countries(usable), fused.complete)
        agree = [pair for pair in usable if pair[0].read.plate.key == read.plate.key]
        best, index = max(agree or usable, key=lambda pair: _quality(pair[0]))
        read = PlateRead(read.plate, read.confidence, read.alternatives, max(1, len(agree)))
        fixed = not standing and track.never_moved()
        rejected = Rejected.NEVER_MOVED if fixed else self._judge(track, read, best, len(agree), final)
        return VoteEvent(track.number, track.first_s, at_s, read, best, index, track.frames, rejected)

    def _judge(self, track: Track, read: PlateRead, best: LocatedRead, agree: int, final: bool) -> Rejected | None:
        if best.rejected in _UNREADABLE:
            return best.rejected
        if len(read.plate.key) < CHARACTERS_MIN:
            return Rejected.TOO_FEW
        if read.weakest < CHARACTER_MIN:
            return Rejected.WEAK
        if read.confidence < self._accept_at:
            return Rejected.BELOW
        needed = min(VOTES_MIN, track.frames) if final else VOTES_MIN
        return Rejected.TOO_FEW_VOTES if agree < needed else None

    def _seen_before(self, event: VoteEvent) -> bool:
        after_s = event.first_s - SAME_VEHICLE_S
        return any(key == event.read.plate.key and at_s > after_s for key, at_s in self._decided)

    def _remember(self, event: VoteEvent) -> None:
        if event.accepted:
            self._decided = [pair for pair in self._decided if pair[0] != event.read.plate.key]
            self._decided.append((event.read.plate.key, event.at_s))
            del self._decided[:-DECIDED_LEN_MAX]

    def _remember_last(self, track: Track) -> None:
        self._decided = [(key, track.last_s if key in track.keys else at_s) for key, at_s in self._decided]


def centre_of(read: LocatedRead) -> tuple[float, float]:
    """The middle of the plate in the picture."""
    return sum(x for x, _ in read.corners) / 4, sum(y for _, y in read.corners) / 4


def similarity(a: str, b: str) -> float:
    """Likeness of two texts 0..1, look-alikes counted as equal."""
    return Levenshtein.normalized_similarity(fold(a), fold(b))


def _quality(read: LocatedRead) -> float:
    """A frame's weight: sharp, large and certain reads count; 120 px is where size stops helping the reader."""
    size = min(1.0, read.width_px / 120.0)
    return max(1e-3, (0.05 + read.read.confidence) * size * read.sharpness)


def _complete(read: LocatedRead) -> float:
    """The part of a read's confidence that its characters do not explain: that the length is right."""
    characters = math.prod(options[0][1] for options in read.read.alternatives)
    return min(1.0, max(0.05, read.read.confidence / max(characters, 1e-6)))


def _countries(usable: list[tuple[LocatedRead, int]]) -> Options:
    total: dict[str, float] = {}
    for read, _ in usable:
        for sign, value in read.countries:
            total[sign] = total.get(sign, 0.0) + value / len(usable)
    return tuple(sorted(total.items(), key=lambda pair: -pair[1]))
