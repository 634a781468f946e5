"""One camera of the daemon: newest frame, read, vote, and the lane is told of the vehicle in front.

A live camera is read at a low rate while nobody waits, so that the approach is not lost, and as fast as the
recogniser allows while a vehicle does. A file is replayed whole, in media time. Reading happens in a worker
thread; the lane is only ever touched from the event loop. Whose turn it is in a queue of vehicles is `Queue`'s.

What stands still from the first frame on is no vehicle, save after a start beside an occupied loop: then nobody saw
the vehicle there come, and its plate is believed to be its own until the loop was free once. A camera that was away
starts again in this sense; what stood in view before, while the loop was free, is no vehicle all the same.
"""

import asyncio
import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import cv2

from edge import clock
from edge.camera import LatestFrame, is_live, open_source
from edge.evidence import EvidenceFolder
from edge.lane_task import LaneTask
from edge.link import wake_from_thread
from gate_controller.errors import MediaError
from gate_controller.lane import Presented
from gate_controller.plates import PlateRead
from recognition.frame import Frame, Image
from recognition.recognizer import LocatedRead, Recognizer
from recognition.roi import WHOLE, Roi
from recognition.track import LOST_AFTER_S, Track, centre_of, has_moved
from recognition.vote import TRACKS_LEN_MAX, VoteEvent, Voter

log = logging.getLogger(__name__)

IDLE_EVERY_S: Final = 0.25
"""Pause between frames while nobody waits: a car that rolls up for two seconds is still read eight times."""

SHOW_AGAIN_AFTER_S: Final = 1.0
"""How often a vehicle that still waits in view is shown to the lane again: the list may have changed."""

IN_FRONT_BELOW_WIDTHS: Final = 1.2
"""A plate not read yet belongs to a vehicle in front if it is so many plate widths lower in the picture: a plate is
0.52 m wide and hangs lower than 0.6 m, so what is on the same vehicle cannot be."""
IN_FRONT_WIDER: Final = 1.15
"""And it is wider by this factor: a plate's own reflection on a wet street is not."""
PARKED_AFTER_S: Final = 60.0
"""Who has stood in one place for so long while the loop was free is in no queue."""


@dataclass(slots=True)
class _Decided:
    """A plate that the vote settled, its picture by name and in pixels, and when the lane last heard of it."""

    read: PlateRead
    picture: str
    crop: Image
    told_at_s: float = -math.inf


@dataclass(frozen=True, slots=True)
class _Stand:
    """A place that a vehicle has not left, and for how long the loop was free meanwhile."""

    seen: LocatedRead
    idle_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Place:
    """A decided plate in the picture; pixels."""

    key: str
    centre: tuple[float, float]
    width_px: float

    def nearness(self) -> float:
        """The first in the queue has the greatest: of two plates the nearer one is lower, wider, or both."""
        return self.centre[1] + self.width_px


class Queue:
    """Who of several vehicles in view stands in front: only its plate may answer for the vehicle at the loop."""

    def __init__(self) -> None:
        self._stands: dict[str | int, _Stand] = {}
        self._looked_at_s = math.inf

    def look(self, tracks: Sequence[Track], at_s: float, occupied: bool) -> None:
        """Note who stands where; once a frame. `occupied`: the loop is not known to be free."""
        lapse_s = 0.0 if occupied else min(max(0.0, at_s - self._looked_at_s), LOST_AFTER_S)
        self._looked_at_s = at_s
        for track in tracks:
            stand = self._stands.pop(_name(track), None)
            if stand is None or has_moved(stand.seen, track.last):
                stand = _Stand(track.last)
            idle_s = stand.idle_s + lapse_s
            # Its last roll may have been too short to count; what hides a part of it is told from where it rests.
            rests = stand.idle_s < PARKED_AFTER_S <= idle_s
            self._stands[_name(track)] = _Stand(track.last if rests else stand.seen, idle_s)
        while len(self._stands) > 2 * TRACKS_LEN_MAX:
            del self._stands[next(iter(self._stands))]

    def front(self, tracks: Sequence[Track], ended: Sequence[VoteEvent], standing: bool = False) -> str | None:
        """The plate of the vehicle in front; None if there is none, or if it cannot be read (yet).

        `ended` are vehicles decided by their going out of view, which stand where they were seen best. What never
        moved may be in front only while `standing`: a vehicle that was there before the camera.
        """
        places = [
            _Place(track.keys[0], track.centre, track.width_px)
            for track in tracks
            if track.decided and (track.arrived or standing) and not self._parked(track)
        ]
        places += [_Place(e.read.plate.key, centre_of(e.best), e.best.width_px) for e in ended]
        if not places:
            return None
        first = max(places, key=_Place.nearness)
        covered = any(self._unread_before(first, track, standing) for track in tracks if not track.decided)
        return None if covered else first.key

    def _unread_before(self, first: _Place, track: Track, standing: bool) -> bool:
        """Whether this is a vehicle before the first one that is read, rather than lettering or a lamp."""
        lower = track.centre[1] > first.centre[1] + IN_FRONT_BELOW_WIDTHS * first.width_px
        wider = track.width_px > IN_FRONT_WIDER * first.width_px
        vehicle = track.moved or (standing and not track.stood)
        return lower and wider and vehicle and not self._parked(track)

    def _parked(self, track: Track) -> bool:
        stand = self._stands.get(_name(track))
        return stand is not None and stand.idle_s >= PARKED_AFTER_S


def _name(track: Track) -> str | int:
    """What a vehicle is known by: its plate also after its track was lost."""
    return track.keys[0] if track.decided else track.number


class Watcher:
    """Runs one camera for one lane until cancelled; a file ends by itself."""

    def __init__(
        self,
        lane: LaneTask,
        camera: str,
        recognizer: Recognizer,
        worker: Executor,
        evidence: EvidenceFolder,
        roi: Roi = WHOLE,
    ) -> None:
        """`worker` runs one job at a time: cameras share the recogniser, each with its own region of interest."""
        self._lane = lane
        self._camera = camera
        self._recognizer = recognizer
        self._worker = worker
        self._evidence = evidence
        self._roi = roi
        self._voter = Voter(recognizer.settings.accept_at)
        self._queue = Queue()
        self._was_free = False
        self._looked_at_s = -math.inf
        self._decided: dict[str, _Decided] = {}
        self._pictures = 0
        self._failures: set[type[Exception]] = set()

    async def run(self) -> None:
        """Watch. Raises `MediaError` for a file that cannot be opened; a live camera may be away for any time."""
        if is_live(self._camera):
            await self._watch_live()
        else:
            await self._replay()

    async def _watch_live(self) -> None:
        seen, loop, fresh = -1, asyncio.get_running_loop(), asyncio.Event()
        camera = LatestFrame(self._camera, partial(wake_from_thread, loop, fresh))
        try:
            while True:
                fresh.clear()
                frame = camera.newest()
                if frame is None or frame.index == seen:
                    await fresh.wait()
                    continue
                seen = frame.index
                await self._look(frame)
                if not self._lane.vehicle_waits:
                    await asyncio.sleep(IDLE_EVERY_S)
        finally:
            await asyncio.to_thread(camera.close)

    async def _replay(self) -> None:
        begun_s, at_s = clock.now().mono_s, 0.0
        with closing(open_source(self._camera)) as source:
            frames: Iterator[Frame] = source.frames()
            try:
                while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                    at_s = frame.at_s
                    await asyncio.sleep(max(0.0, begun_s + at_s - clock.now().mono_s))
                    await self._look(frame)
            except (MediaError, cv2.error) as error:  # what was good of it has been seen; the site works on
                log.error("%s: %s", self._lane.setup.id, error)
        last = [track for track in self._voter.tracks() if track.decided]
        self._tell(self._voter.flush(), last, at_s, self._standing())
        log.info("%s: %s is over", self._lane.setup.id, self._camera)

    async def _look(self, frame: Frame) -> None:
        reads = await self._read(frame.image)
        if frame.at_s - self._looked_at_s > LOST_AFTER_S:
            self._was_free = False
        self._looked_at_s = frame.at_s
        standing = self._standing()
        events = self._voter.add(frame, reads, standing=standing, was_free=self._was_free)
        tracks = self._voter.tracks()
        self._queue.look(tracks, frame.at_s, not self._lane.free)
        self._tell(events, tracks, frame.at_s, standing)

    def _standing(self) -> bool:
        """Whether the vehicle at the loop was there before the camera was, or was back: nobody saw it come."""
        self._was_free = self._was_free or self._lane.free
        return self._lane.vehicle_waits and not self._was_free

    async def _read(self, image: Image) -> list[LocatedRead]:
        """The plates of one frame; none if it cannot be read, which is told once of each kind of failure."""
        try:
            reading = partial(self._recognizer.read, image, self._roi)
            return await asyncio.get_running_loop().run_in_executor(self._worker, reading)
        except (
            Exception
        ) as error:  # OpenCV and the model's runtime may raise anything; one frame is not worth a gate
            if type(error) not in self._failures:
                self._failures.add(type(error))
                log.error("%s: a frame could not be read, not told again: %r", self._lane.setup.id, error)
            return []

    def _tell(self, events: Sequence[VoteEvent], tracks: Sequence[Track], at_s: float, standing: bool) -> None:
        """Show the vehicle in front to the lane: at once, and again while it still waits there."""
        for event in events:
            self._remember(event)
        in_view = {track.number for track in tracks}
        ended = [event for event in events if event.accepted and event.track not in in_view]
        key = self._queue.front(tracks, ended, standing)
        decided = self._decided.get(key) if key is not None else None
        if decided is None:
            return
        waited = self._lane.vehicle_waits and at_s - decided.told_at_s >= SHOW_AGAIN_AFTER_S
        if decided.told_at_s == -math.inf or waited:
            decided.told_at_s = at_s
            self._evidence.offer(decided.picture, decided.crop)
            self._lane.put(Presented(decided.read))

    def _remember(self, event: VoteEvent) -> None:
        if not event.accepted:
            log.info("%s: a read was not sure enough: %s", self._lane.setup.id, event.rejected)
            return
        self._pictures += 1
        name = f"{self._lane.setup.id}-{clock.now().wall:%Y%m%dT%H%M%S}-{self._pictures}.jpg"
        key = event.read.plate.key
        self._decided.pop(key, None)
        self._decided[key] = _Decided(replace(event.read, evidence=name), name, event.best.crop)
        if len(self._decided) > TRACKS_LEN_MAX:
            del self._decided[next(iter(self._decided))]
