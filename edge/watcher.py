"""One camera of the daemon: newest frame, read, vote, and the lane is told of each vehicle.

A live camera is read at a low rate while nobody waits, so that the approach is not lost, and as fast as the
recogniser allows while a vehicle does. A file is replayed whole, in media time. Reading happens in a worker
thread; the lane is only ever touched from the event loop.
"""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from typing import Final

from edge import clock
from edge.camera import LatestFrame, is_live, open_source
from edge.evidence import EvidenceFolder
from edge.lane_task import LaneTask
from gate_controller.errors import MediaError, RecognitionError
from gate_controller.lane import Presented, Unread
from gate_controller.plates import PlateRead
from recognition.frame import Frame
from recognition.recognizer import LocatedRead, Recognizer
from recognition.vote import VoteEvent, Voter

log = logging.getLogger(__name__)

IDLE_EVERY_S: Final = 0.25
"""Pause between frames while nobody waits: a car that rolls up for two seconds is still read eight times."""

NO_FRAME_WAIT_S: Final = 0.03
SHOW_AGAIN_AFTER_S: Final = 1.0
"""How often a vehicle that still waits in view is shown to the lane again: the list may have changed."""


class Watcher:
    """Runs one camera for one lane until cancelled; a file ends by itself."""

    def __init__(
        self, lane: LaneTask, camera: str, recognizer: Recognizer, worker: Executor, evidence: EvidenceFolder
    ) -> None:
        """`worker` runs one job at a time: cameras share the recogniser."""
        self._lane = lane
        self._camera = camera
        self._recognizer = recognizer
        self._worker = worker
        self._evidence = evidence
        self._voter = Voter(recognizer.settings.accept_at)
        self._shown: PlateRead | None = None
        self._shown_at_s = 0.0
        self._pictures = 0

    async def run(self) -> None:
        """Watch. Raises `MediaError` for a file that cannot be used; a live camera may be away for any time."""
        if is_live(self._camera):
            await self._watch_live()
        else:
            await self._replay()

    async def _watch_live(self) -> None:
        seen = -1
        camera = LatestFrame(self._camera)
        try:
            while True:
                frame = camera.newest()
                if frame is None or frame.index == seen:
                    await asyncio.sleep(NO_FRAME_WAIT_S)
                    continue
                seen = frame.index
                await self._look(frame)
                if not self._lane.vehicle_waits:
                    await asyncio.sleep(IDLE_EVERY_S)
        finally:
            await asyncio.to_thread(camera.close)

    async def _replay(self) -> None:
        begun_s = clock.now().mono_s
        with closing(open_source(self._camera)) as source:
            frames: Iterator[Frame] = source.frames()
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                await asyncio.sleep(max(0.0, begun_s + frame.at_s - clock.now().mono_s))
                await self._look(frame)
        for event in self._voter.flush():
            self._tell(event, begun_s)
        log.info("%s: %s is over", self._lane.setup.id, self._camera)

    async def _look(self, frame: Frame) -> None:
        loop = asyncio.get_running_loop()
        try:
            reads = await loop.run_in_executor(self._worker, self._recognizer.read, frame.image)
        except (MediaError, RecognitionError) as error:
            log.warning("%s: a frame could not be read: %s", self._lane.setup.id, error)
            return
        for event in self._voter.add(frame, reads):
            self._tell(event, frame.at_s)
        self._show_again(frame.at_s, reads)

    def _tell(self, event: VoteEvent, at_s: float) -> None:
        if not event.accepted:
            log.info("%s: a read was not sure enough: %s", self._lane.setup.id, event.rejected)
            self._lane.put(Unread())
            return
        self._pictures += 1
        name = f"{self._lane.setup.id}-{clock.now().wall:%Y%m%dT%H%M%S}-{self._pictures}"
        self._shown = replace(event.read, evidence=self._evidence.save(name, event.best.crop))
        self._shown_at_s = at_s
        self._lane.put(Presented(self._shown))

    def _show_again(self, at_s: float, reads: list[LocatedRead]) -> None:
        """The vehicle that was read last still stands here: ask again, in case it may pass by now."""
        shown = self._shown
        if shown is None or not self._lane.vehicle_waits or at_s - self._shown_at_s < SHOW_AGAIN_AFTER_S:
            return
        if any(read.read.plate.key == shown.plate.key for read in reads):
            self._shown_at_s = at_s
            self._lane.put(Presented(shown))
