"""A camera told to a lane: real models over drawn frames, from a folder and from a live stream."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import watcher
from edge.evidence import EvidenceFolder
from edge.watcher import Queue, Watcher
from gate_controller.errors import MediaError
from gate_controller.facts import Direction, LaneId
from gate_controller.lane import Input, LaneSetup, Presented, Role
from gate_controller.plates import Plate, PlateRead
from hardware_sim.camera import MjpegServer, draw, plate_corners
from hardware_sim.world import Boom, Doing, Placed, Scene, Vehicle
from recognition.frame import Frame, Image
from recognition.recognizer import LocatedRead, Recognizer, Rejected
from recognition.roi import WHOLE, Roi
from recognition.track import LOST_AFTER_S
from recognition.vote import VoteEvent, Voter

CAR = Vehicle(("98", "THD", "4"), "NL")
BEHIND = Vehicle(("KL", "AB", "123"), "D")
SETUP = LaneSetup(LaneId("entry"), Direction.IN, frozenset({Role.APPROACH, Role.SAFETY}))
STOPS_AT_M = -2.5
BLACK = np.zeros((480, 640, 3), np.uint8)


class Lane:
    """The far end: what the lane was told."""

    setup = SETUP

    def __init__(self, *, vehicle_waits: bool = True, free: bool = True) -> None:
        self.vehicle_waits, self.free = vehicle_waits, free
        self.inputs: list[Input] = []

    def put(self, item: Input) -> None:
        self.inputs.append(item)

    def plates(self) -> list[str]:
        return [item.credential.plate.key for item in self.inputs if isinstance(item, Presented)]


def picture(front_m: float | None, vehicle: Vehicle = CAR) -> Image:
    vehicles = () if front_m is None else (Placed(vehicle, front_m, 1.0, Doing.ARRIVING),)
    return draw(Scene("entry", 0.0, Boom.CLOSED, 0.0, vehicles))


def two_cars(front_m: float | None, behind_m: float) -> Image:
    """`CAR` and, where the road bends, 9 m back: `BEHIND`, whose front is seen beside it."""
    image = picture(front_m).copy()
    corners = plate_corners(Placed(BEHIND, behind_m))
    assert corners is not None
    (left, top), (right, bottom) = corners.min(0).astype(int) - 20, corners.max(0).astype(int) + 20
    to = left + 150
    image[top:bottom, to : to + right - left] = picture(behind_m, BEHIND)[top:bottom, left:right]
    return image


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def evidence(tmp_path: Path) -> Iterator[EvidenceFolder]:
    folder = EvidenceFolder(tmp_path / "evidence")
    yield folder
    folder.close()


Watch = Callable[[Lane, str], Watcher]


@pytest.fixture
def watch(recognizer: Recognizer, worker: ThreadPoolExecutor, evidence: EvidenceFolder) -> Watch:
    return lambda lane, camera: Watcher(lane, camera, recognizer, worker, evidence)  # type: ignore[arg-type]


def film(folder: Path, frames: list[Image]) -> str:
    """A folder of pictures, ten a second."""
    folder.mkdir()
    for index, image in enumerate(frames):
        cv2.imwrite(str(folder / f"frame{index}.png"), image)
    return str(folder)


def approach() -> list[Image]:
    return [picture(front_m) for front_m in np.linspace(-8.0, STOPS_AT_M, 16)]


async def test_a_folder_is_replayed_and_its_picture_is_written_once_it_decided(
    tmp_path: Path, watch: Watch, evidence: EvidenceFolder
) -> None:
    lane = Lane(vehicle_waits=False)
    await watch(lane, film(tmp_path / "frames", approach())).run()
    assert lane.plates() == [CAR.plate]
    (told,) = [item for item in lane.inputs if isinstance(item, Presented)]
    assert told.credential.evidence is not None
    path = tmp_path / "evidence" / told.credential.evidence
    assert not path.exists()
    evidence.keep(path.name, stranger=False)
    evidence.close()
    assert cv2.imread(str(path)) is not None


async def test_a_plate_beyond_the_cameras_region_of_interest_is_nobodys(
    tmp_path: Path, recognizer: Recognizer, worker: ThreadPoolExecutor, evidence: EvidenceFolder
) -> None:
    lane, frames = Lane(vehicle_waits=False), film(tmp_path / "frames", approach())
    top = Roi(((0.0, 0.0), (1.0, 0.0), (1.0, 0.2), (0.0, 0.2)))
    await Watcher(lane, frames, recognizer, worker, evidence, top).run()  # type: ignore[arg-type]
    assert lane.plates() == []


async def test_a_live_stream_is_watched_and_who_still_waits_is_shown_again(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SHOW_AGAIN_AFTER_S", 0.3)
    positions = iter([*np.linspace(-8.0, STOPS_AT_M, 16), *([STOPS_AT_M] * 1000)])
    lane = Lane()
    with MjpegServer(lambda: picture(next(positions)), 8) as camera:
        work = asyncio.ensure_future(watch(lane, camera.url).run())
        async with asyncio.timeout(60):
            while len(lane.plates()) < 3:
                await asyncio.sleep(0.05)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    assert set(lane.plates()) == {CAR.plate}


async def test_of_two_vehicles_in_view_the_one_behind_is_shown_once_the_one_in_front_has_gone(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fps = 4
    monkeypatch.setattr("edge.camera.FOLDER_FPS", fps)
    rolls_up = [picture(front_m) for front_m in np.linspace(-8.0, STOPS_AT_M, 8)]
    closes_up = [two_cars(STOPS_AT_M, behind_m) for behind_m in np.linspace(-11.0, -8.5, 9)]
    waits = [two_cars(STOPS_AT_M, -8.5)] * 5
    gone = [two_cars(None, -8.5)] * (fps + round(fps * LOST_AFTER_S))
    lane = Lane()
    await watch(lane, film(tmp_path / "frames", [*rolls_up, *closes_up, *waits, *gone])).run()
    told = lane.plates()
    turn = told.index(BEHIND.plate)
    assert turn >= 3
    assert set(told[:turn]) == {CAR.plate}
    assert set(told[turn:]) == {BEHIND.plate}


@pytest.mark.parametrize(
    ("vehicle_waits", "free", "told"),
    [(True, False, {CAR.plate}), (False, False, set()), (False, True, set()), (True, True, set())],
    ids=["waits since before", "no vehicle known yet", "parked beside a free lane", "parked, and another came"],
)
async def test_a_vehicle_that_stood_there_before_the_camera_counts_once_the_loop_knows_it(
    tmp_path: Path, watch: Watch, vehicle_waits: bool, free: bool, told: set[str]
) -> None:
    lane = Lane(vehicle_waits=vehicle_waits, free=free)
    await watch(lane, film(tmp_path / "frames", [picture(STOPS_AT_M)] * 15)).run()
    assert set(lane.plates()) == told


async def test_what_cannot_be_read_ends_no_ones_read_attempt(
    tmp_path: Path, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge.watcher")
    small = [cv2.GaussianBlur(picture(front_m), (0, 0), 2.2) for front_m in np.linspace(-9.0, -6.0, 12)]
    lane = Lane()
    await watch(lane, film(tmp_path / "frames", [np.asarray(image, np.uint8) for image in small])).run()
    assert "not sure enough" in caplog.text
    assert lane.inputs == []


async def test_a_file_that_is_no_picture_is_named(tmp_path: Path, watch: Watch) -> None:
    with pytest.raises(MediaError, match="missing"):
        await watch(Lane(), str(tmp_path / "missing.mp4")).run()


async def test_a_film_that_breaks_off_ends_with_one_line_and_what_was_seen_counts(
    tmp_path: Path, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    frames = film(tmp_path / "frames", approach())
    (tmp_path / "frames" / "frame16.png").write_bytes(b"cut short")
    lane = Lane(vehicle_waits=False)
    await watch(lane, frames).run()
    assert lane.plates() == [CAR.plate]
    errors = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(errors) == 1
    assert "frame16.png" in errors[0]


class Faulty(Recognizer):
    """Fails on every other frame, as a C library may."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def read(self, image: Image, roi: Roi = WHOLE) -> list[LocatedRead]:
        self.count += 1
        if self.count % 4 == 1:
            raise cv2.error("assertion failed")
        if self.count % 4 == 3:
            raise RuntimeError("out of memory")
        return super().read(image, roi)


async def test_a_frame_that_breaks_a_library_is_told_once_of_each_kind_and_the_next_is_read(
    tmp_path: Path, worker: ThreadPoolExecutor, evidence: EvidenceFolder, caplog: pytest.LogCaptureFixture
) -> None:
    lane = Lane(vehicle_waits=False)
    frames = film(tmp_path / "frames", approach())
    await Watcher(lane, frames, Faulty(), worker, evidence).run()  # type: ignore[arg-type]
    assert lane.plates() == [CAR.plate]
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 2


# ---- the order of a queue, on reads at given places ----


def read_at(text: str, y: float, width: float, x: float = 320.0, sure: float = 0.999) -> LocatedRead:
    half, high = width / 2, width / 9
    corners = ((x - half, y - high), (x + half, y - high), (x + half, y + high), (x - half, y + high))
    options = tuple(((char, sure), ("X" if char != "X" else "Y", 1 - sure)) for char in text)
    rejected = None if sure > 0.9 else Rejected.BELOW
    read = PlateRead(Plate(text), sure ** len(text), options)
    return LocatedRead(read, corners, BLACK[:64, :200], 0.9, 1.0, (("D", 0.9),), rejected)


class Street:
    """Reads go through the real voter into a queue, ten frames a second."""

    def __init__(self) -> None:
        self.voter, self.queue = Voter(0.9), Queue()
        self.at_s = 0.0
        self.front: str | None = None

    def see(self, *reads: LocatedRead, waits: bool = False, standing: bool = False) -> None:
        self.at_s += 0.1
        frame = Frame(BLACK, self.at_s, round(self.at_s * 10))
        events = self.voter.add(frame, list(reads), standing=standing)
        tracks = self.voter.tracks()
        self.queue.look(tracks, self.at_s, waits or standing)
        self.front = self.queue.front(tracks, [event for event in events if self._over(event)], standing)

    def _over(self, event: VoteEvent) -> bool:
        return event.accepted and event.track not in {track.number for track in self.voter.tracks()}


def test_a_vehicle_that_cannot_be_read_yet_is_not_answered_for_by_the_one_behind() -> None:
    street = Street()
    for step in range(20):
        street.see(
            read_at("HHQQ770", 150 + 12 * step, 60 + 4 * step, sure=0.5), read_at("KLAB123", 100 + step, 50 + step)
        )
    for _ in range(100):
        street.see(read_at("HHQQ770", 378, 136, sure=0.5), read_at("KLAB123", 119, 69), waits=True)
        assert street.front is None
    for _ in range(30):
        street.see(read_at("KLAB123", 119, 69), waits=True)
    assert street.front == "KLAB123"


@pytest.mark.parametrize(
    ("below", "factor"), [(0.8, 1.4), (1.85, 0.95)], ids=["lettering close to the plate", "its reflection"]
)
def test_what_is_on_the_vehicle_itself_does_not_silence_it(below: float, factor: float) -> None:
    street = Street()
    for step in range(20):
        y, width = 100 + 8 * step, 60 + 3 * step
        street.see(read_at("KLAB123", y, width), read_at("TAXI0", y + below * width, width * factor, sure=0.5))
    assert street.front == "KLAB123"


def test_letters_that_never_moved_are_no_vehicle_in_front() -> None:
    street = Street()
    for _ in range(30):
        street.see()
    for step in range(20):
        street.see(read_at("KLAB123", 100 + 8 * step, 60 + 2 * step), read_at("12345", 460, 200, sure=0.5))
    assert street.front == "KLAB123"


def test_who_parked_before_the_camera_is_in_no_queue_but_who_waits_at_the_loop_is() -> None:
    for waits, front in ((False, "KLAB123"), (True, "MXY456")):
        street = Street()
        for step in range(20):
            street.see(read_at("MXY456", 200 + 10 * step, 80 + 2 * step, x=500))
        for _ in range(620):
            street.see(read_at("MXY456", 390, 118, x=500), waits=waits)
        for step in range(20):
            street.see(read_at("MXY456", 390, 118, x=500), read_at("KLAB123", 100 + 5 * step, 60 + step, x=200))
        assert street.front == front


def test_a_vehicle_decided_only_as_it_left_the_picture_is_in_front_of_nobody_nearer() -> None:
    street = Street()
    for step in range(10):
        street.see(read_at("BNO1234", 200 + 15 * step, 80 + 5 * step))
    street.see(read_at("BNO1234", 350, 130), read_at("KLAB123", 100, 50))
    street.see(read_at("BNO1234", 350, 130), read_at("KLAB123", 102, 51))
    for _ in range(25):
        street.see(read_at("BNO1234", 350, 130))
        assert street.front == "BNO1234"


def test_who_stood_there_before_the_camera_answers_only_for_the_vehicle_that_did() -> None:
    street = Street()
    for _ in range(10):
        street.see(read_at("KLAB123", 300, 118), standing=True)
    assert street.front == "KLAB123"
    for _ in range(30):
        street.see(read_at("KLAB123", 300, 118), waits=True)
        assert street.front is None


def test_a_plate_beside_does_not_answer_for_a_standing_vehicle_that_cannot_be_read() -> None:
    street = Street()
    for _ in range(30):
        street.see(read_at("HHQQ770", 378, 136, sure=0.5), read_at("KLAB123", 119, 69), standing=True)
        assert street.front is None


def test_a_parked_plate_that_was_hidden_does_not_answer_for_who_waits_unread() -> None:
    street = Street()
    for _ in range(300):
        street.see(read_at("BNO1234", 200, 80, x=500))
    for _ in range(40):
        street.see()
    for step in range(60):
        street.see(read_at("BNO1234", 200, 80, x=500), waits=step >= 30)
        assert street.front is None


def test_who_came_long_ago_and_parked_does_not_answer_for_who_waits_unread() -> None:
    street = Street()
    for step in range(20):
        street.see(read_at("MXY456", 200 + 10 * step, 80 + 2 * step, x=500))
    for _ in range(620):
        street.see(read_at("MXY456", 390, 118, x=500))
    for _ in range(3):  # somebody walks past: the left half is hidden
        street.see(read_at("Y456", 390, 68, x=525), waits=True)
    for _ in range(30):
        street.see(read_at("MXY456", 390, 118, x=500), waits=True)
        assert street.front is None


def test_who_parked_long_ago_is_in_front_again_once_it_drives_up() -> None:
    street = Street()
    for step in range(20):
        street.see(read_at("MXY456", 100 + 10 * step, 60 + 2 * step, x=500))
    for _ in range(620):
        street.see(read_at("MXY456", 290, 98, x=500))
    for step in range(10):
        street.see(read_at("MXY456", 290 + 8 * step, 98 + 2 * step, x=500 - 10 * step))
    street.see(read_at("MXY456", 362, 116, x=410), waits=True)
    assert street.front == "MXY456"


# ---- a camera that was away ----


class Shown(Recognizer):
    """Says that these plates are in view, whatever the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.plates: list[LocatedRead] = []

    def read(self, image: Image, roi: Roi = WHOLE) -> list[LocatedRead]:
        return self.plates


class Outage:
    """A watcher whose camera goes away and comes back, ten frames a second."""

    def __init__(self, lane: Lane, worker: ThreadPoolExecutor, evidence: EvidenceFolder) -> None:
        self.lane, self.shown = lane, Shown()
        self.watcher = Watcher(lane, "camera", self.shown, worker, evidence)  # type: ignore[arg-type]
        self.index = 0

    async def see(self, *plates: LocatedRead, frames: int = 10) -> list[str]:
        """What the lane is told meanwhile."""
        self.lane.inputs.clear()
        self.shown.plates = list(plates)
        for _ in range(frames):
            await self.watcher._look(Frame(BLACK, self.index / 10, self.index))
            self.index += 1
        return self.lane.plates()

    def away(self, time_s: float) -> None:
        self.index += round(time_s * 10)

    def on_the_loop(self, *, waits: bool) -> None:
        self.lane.vehicle_waits, self.lane.free = waits, not waits


@pytest.fixture
def outage(worker: ThreadPoolExecutor, evidence: EvidenceFolder) -> Outage:
    return Outage(Lane(vehicle_waits=False, free=True), worker, evidence)


WAITING = read_at("KLAB123", 250, 100)
BESIDE = read_at("BNO1234", 420, 160, x=520)


async def test_who_waits_at_the_loop_while_the_camera_is_away_is_shown_when_it_is_back(outage: Outage) -> None:
    for step in range(20):
        await outage.see(read_at("KLAB123", 60 + 10 * step, 62 + 2 * step), frames=1)
    outage.on_the_loop(waits=True)
    assert set(await outage.see(WAITING, frames=20)) == {"KLAB123"}
    for _ in range(3):
        outage.away(20)
        assert set(await outage.see(WAITING)) == {"KLAB123"}


async def test_who_came_while_the_camera_was_away_is_shown_and_not_who_was_parked_before(outage: Outage) -> None:
    assert await outage.see(BESIDE, frames=60) == []
    outage.away(20)
    outage.on_the_loop(waits=True)
    assert set(await outage.see(BESIDE, WAITING)) == {"KLAB123"}


async def test_who_stands_at_a_loop_of_which_nobody_knows_is_shown_once_it_is_known(outage: Outage) -> None:
    outage.lane.free = False
    for _ in range(2):
        assert await outage.see(WAITING, frames=20) == []
        outage.away(20)
    outage.on_the_loop(waits=True)
    assert set(await outage.see(WAITING)) == {"KLAB123"}


async def test_a_parked_plate_does_not_answer_for_who_came_unread_while_the_camera_was_away(outage: Outage) -> None:
    await outage.see(BESIDE, frames=60)
    outage.away(20)
    outage.on_the_loop(waits=True)
    assert await outage.see(BESIDE, frames=40) == []


async def test_who_comes_after_the_camera_is_back_is_seen_to_come(outage: Outage) -> None:
    await outage.see(frames=30)
    outage.away(20)
    await outage.see(BESIDE)
    outage.on_the_loop(waits=True)
    assert await outage.see(BESIDE, frames=40) == []
    for step in range(20):
        told = await outage.see(read_at("KLAB123", 60 + 10 * step, 62 + 2 * step), BESIDE, frames=1)
    assert set(told + await outage.see(WAITING, BESIDE, frames=20)) == {"KLAB123"}
