"""One answer per vehicle: reads of successive frames joined into tracks, voted, and decided once.

A vehicle is decided as soon as enough frames agree, at the latest when it is gone. Text that was there from the
first frame (or the first after a gap) and never moves, parked cars and time stamps burnt into the picture, is no
vehicle, also when it was hidden and is seen again at its place, unless the caller knows that a vehicle was standing
there before. Deliberately not here: single tracks (`track.py`), the vote over characters (`fusion.py`), cameras and
clocks: time is the frames' own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gate_controller.plates import PLATE_LEN_MAX, PlateRead
from recognition.frame import Frame
from recognition.fusion import Ballot, fuse
from recognition.looks import settled_read
from recognition.ocr import Options
from recognition.recognizer import CHARACTER_MIN, CHARACTERS_MIN, LocatedRead, Rejected
from recognition.track import LOST_AFTER_S, OTHER_BELOW, Track, centre_of, has_moved, quality, similarity

VOTES_MIN = 3
"""Frames that must agree before a vehicle is decided early."""

SAME_VEHICLE_S = 10.0
"""The same plate within this time after its track ended is the same vehicle, seen again."""

ARRIVED_AFTER_S = 2.0
"""What is first seen later than this after the first frame has come, whether its coming was seen or not."""

STOOD_KEPT_S = 12 * 3600.0
"""What stood still and went out of sight has not come when it is seen there again within this time: a car parked
beside the lane may be hidden by a lorry that queues, or by the night."""

TRACKS_LEN_MAX = 16
DECIDED_LEN_MAX = 64
STOOD_LEN_MAX = 32

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


class Voter:
    """Joins reads frame by frame; frames must come in order of time. Not thread-safe."""

    def __init__(self, accept_at: float) -> None:
        """`accept_at`: probability that the whole text is right from which a vehicle is decided."""
        self._accept_at = accept_at
        self._tracks: list[Track] = []
        self._decided: list[tuple[str, float]] = []
        self._stood: list[tuple[LocatedRead, str, float]] = []
        self._first_s = self._last_s = -math.inf
        self._standing, self._was_free = False, True
        self._count = 0

    def add(
        self, frame: Frame, reads: list[LocatedRead], *, standing: bool = False, was_free: bool = True
    ) -> list[VoteEvent]:
        """The vehicles decided by this frame, and those that ended before it.

        `standing`: a vehicle has stood in view since before the first frame, or the first after a gap, and what
        never moved may be it. `was_free`: since then it was known once that none stood there: what never moved is
        parked.
        """
        events = self._end(frame.at_s - LOST_AFTER_S)
        if frame.at_s - self._last_s > LOST_AFTER_S:
            self._first_s = frame.at_s
        self._last_s, self._standing, self._was_free = frame.at_s, standing, was_free
        free = list(self._tracks)
        near = [(track.nearness(frame.at_s, read), track, read) for track in free for read in reads]
        pairs = sorted(((how, t, r) for how, t, r in near if how is not None), key=lambda pair: -pair[0])
        joined: list[int] = []
        for _, track, read in pairs:
            if track in free and id(read) not in joined:
                free.remove(track)
                joined.append(id(read))
                track.join(frame, read)
                events += self._try(track, frame)
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
        late, at_s = frame.at_s - self._first_s >= ARRIVED_AFTER_S, frame.at_s
        track = Track(self._count, at_s, at_s, centre_of(read), (0.0, 0.0), read.width_px, read, read, read, late)
        track.join(frame, read)
        self._tracks.append(track)

    def _end(self, before_s: float) -> list[VoteEvent]:
        events = []
        for track in [t for t in self._tracks if t.last_s < before_s]:
            self._tracks.remove(track)
            event = self._event(track, track.last_s, final=True, lost=before_s < math.inf)
            if event.rejected is Rejected.NEVER_MOVED and self._was_free:
                self._keep(event)
            if not track.decided and not track.stood and not self._seen_before(event):
                events.append(event)
                self._remember(event)
        return events

    def _try(self, track: Track, frame: Frame) -> list[VoteEvent]:
        if track.decided:
            self._remember_last(track)
            return []
        if not (track.arrived or self._standing) or track.frames < VOTES_MIN:
            return []
        event = self._event(track, frame.at_s, final=False)
        if not event.accepted or event.read.votes < VOTES_MIN:
            return []
        track.decided = True
        track.keys = [event.read.plate.key]
        known = self._seen_before(event)
        self._remember(event)
        return [] if known else [event]

    def _event(self, track: Track, at_s: float, final: bool, lost: bool = False) -> VoteEvent:
        usable = [pair for pair in track.reads if pair[0].rejected not in _UNREADABLE] or track.reads
        fused = fuse([Ballot(r.read.alternatives, _complete(r), quality(r)) for r, _ in usable])
        read = settled_read(fused.alternatives[:PLATE_LEN_MAX], _countries(usable), fused.complete)
        agree = [pair for pair in usable if pair[0].read.plate.key == read.plate.key]
        best, index = max(agree or usable, key=lambda pair: quality(pair[0]))
        read = PlateRead(read.plate, read.confidence, read.alternatives, max(1, len(agree)))
        track.stood = not track.moved and self._stood_at(best, read.plate.key, track.first_s)
        unseen = not track.arrived and not self._standing
        fixed = track.stood or (unseen and (lost or track.never_moved()))
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

    def _stood_at(self, read: LocatedRead, key: str, at_s: float) -> bool:
        """Whether this is something that stood there, not another vehicle that stopped at the same place."""
        return any(
            at_s - kept_s < STOOD_KEPT_S and similarity(key, text) >= OTHER_BELOW and not has_moved(place, read)
            for place, text, kept_s in self._stood
        )

    def _keep(self, event: VoteEvent) -> None:
        key = event.read.plate.key
        kept = [it for it in self._stood if similarity(key, it[1]) < OTHER_BELOW or has_moved(it[0], event.best)]
        self._stood = [*kept, (event.best, key, event.at_s)][-STOOD_LEN_MAX:]

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
