"""A camera told to a lane: real models over drawn frames, from a folder and from a live stream."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import watcher
from edge.evidence import EvidenceFolder
from edge.watcher import Watcher
from gate_controller.errors import MediaError
from gate_controller.facts import Direction, LaneId
from gate_controller.lane import Input, LaneSetup, Presented, Role
from hardware_sim.camera import MjpegServer, draw
from hardware_sim.world import Boom, Doing, Placed, Scene, Vehicle
from recognition.frame import Image
from recognition.recognizer import Recognizer

CAR = Vehicle(("98", "THD", "4"), "NL")
SETUP = LaneSetup(LaneId("entry"), Direction.IN, frozenset({Role.APPROACH, Role.SAFETY}))


class Lane:
    """The far end: what the lane was told."""

    setup = SETUP

    def __init__(self, *, vehicle_waits: bool = True) -> None:
        self.vehicle_waits = vehicle_waits
        self.inputs: list[Input] = []

    def put(self, item: Input) -> None:
        self.inputs.append(item)

    def plates(self) -> list[str]:
        return [item.credential.plate.key for item in self.inputs if isinstance(item, Presented)]


def picture(front_m: float) -> Image:
    return draw(Scene("entry", front_m, Boom.CLOSED, 0.0, (Placed(CAR, front_m, 1.0, Doing.ARRIVING),)))


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_a_folder_is_replayed_and_its_vehicle_told_with_its_picture(
    tmp_path: Path, recognizer: Recognizer, worker: ThreadPoolExecutor
) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for index, front_m in enumerate(np.linspace(-8.0, -2.5, 16)):
        cv2.imwrite(str(frames / f"frame{index}.png"), picture(front_m))
    lane = Lane(vehicle_waits=False)
    await Watcher(lane, str(frames), recognizer, worker, EvidenceFolder(tmp_path / "evidence")).run()  # type: ignore[arg-type]
    assert lane.plates() == [CAR.plate]
    (told,) = [item for item in lane.inputs if isinstance(item, Presented)]
    assert told.credential.evidence is not None
    assert cv2.imread(str(tmp_path / "evidence" / told.credential.evidence)) is not None


async def test_a_live_stream_is_watched_and_who_still_waits_is_shown_again(
    tmp_path: Path, recognizer: Recognizer, worker: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SHOW_AGAIN_AFTER_S", 0.3)
    positions = iter([*np.linspace(-8.0, -2.5, 16), *([-2.5] * 1000)])
    lane = Lane()
    with MjpegServer(lambda: picture(next(positions)), 8) as camera:
        work = asyncio.ensure_future(
            Watcher(lane, camera.url, recognizer, worker, EvidenceFolder(tmp_path)).run()  # type: ignore[arg-type]
        )
        async with asyncio.timeout(40):
            while len(lane.plates()) < 3:
                await asyncio.sleep(0.05)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    assert set(lane.plates()) == {CAR.plate}


async def test_a_file_that_is_no_picture_is_named(
    tmp_path: Path, recognizer: Recognizer, worker: ThreadPoolExecutor
) -> None:
    with pytest.raises(MediaError, match="missing"):
        await Watcher(Lane(), str(tmp_path / "missing.mp4"), recognizer, worker, EvidenceFolder(tmp_path)).run()  # type: ignore[arg-type]
