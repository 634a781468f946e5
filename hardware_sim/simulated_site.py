"""A whole site on one machine: the real daemon in a child process, and a drawn world around it.

The world's cameras are HTTP streams, its board and readers hang on pseudo terminals, and the portal speaks MQTT
over the embedded broker. Nothing reaches the daemon but bytes, frames and messages, so it can be killed and
started again like any other. What the daemon decided is learned where everybody learns it: at the portal.
"""

import asyncio
import ctypes
import random
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from edge import clock
from gate_controller.errors import SlagboomError
from gate_controller.facts import Fact, PhaseEntered
from hardware_sim import garage
from hardware_sim.broker import Broker
from hardware_sim.camera import MjpegServer, draw
from hardware_sim.desk import DESK, SimulatedDesk, simulated_desk
from hardware_sim.garage import EDGE, ENTRY, EXIT, SITE, TENANT, TIME_ZONE
from hardware_sim.peers import BadgeReaderPeer, BoardPeer, LineReaderPeer
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.following.following import followers
from hardware_sim.portal.house import House
from hardware_sim.screen import SimulatedScreen
from hardware_sim.world import Happened, Vehicle, World
from sync.codec import UnknownFact
from sync.device_key import device_key
from sync.onlooker import journal_of, look_in
from sync.portal import Surroundings

STEP_S: Final = 0.05
LATE_MAX_S: Final = 0.1
"""What the world makes up for once it is late; the rest it is late for good, so that no car leaps over a loop."""
UNSEEN_MAX_S: Final = 0.2
"""How far the world moves on while the board's inputs are not read, though a daemon runs."""
FROZEN_MAX_S: Final = 2.0
"""After so long without anybody reading them, the world turns regardless."""
CAMERA_FPS: Final = 10
STOPS_WITHIN_S: Final = 60.0
WITHIN_S: Final = 240.0
READY_WITHIN_S: Final = 240.0
"""How long a story waits before it calls something missing: several times what a slow machine takes."""

Say = Callable[[str, str], None]
"""Told (who, what) as it happens."""

PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

F = TypeVar("F")


class StoryFailed(SlagboomError):
    """What a story expects did not happen in time."""


class SimulatedSite:
    """A running site; made by `simulated_site`."""

    def __init__(
        self,
        folder: Path,
        world: World,
        board: BoardPeer,
        reader: BadgeReaderPeer,
        scanner: LineReaderPeer,
        portal: Portal,
        broker: Broker,
        say: Say,
    ) -> None:
        self.folder = folder
        self.world = world
        self.board = board
        self.portal = portal
        self.broker = broker
        self.say = say
        self.desk: SimulatedDesk
        """The fleet desk, where the site was made with one."""
        self.screen: SimulatedScreen
        """The screen at the entry, where the site was made with pages."""
        self.house: House
        """Accounts, mailbox and records of the portal; `house.url` is where its pages are, if they are served."""
        self._reader = reader
        self._scanner = scanner
        self._daemon: asyncio.subprocess.Process | None = None
        self._heard_through = 0
        self._unplugged_s = 0.0
        self._heard: dict[str, list[Fact]] = {ENTRY: [], EXIT: [], DESK: []}

    @property
    def database(self) -> Path:
        """The daemon's database, for a look inside."""
        return self.folder / "slagboom.db"

    def journal_length(self) -> int:
        """Rows in the daemon's own journal."""
        return len(journal_of(self.database))

    def plates_inside(self) -> list[str]:
        """Plates of the open sessions, as the daemon's own database has them."""
        return sorted(session.plate for session in look_in(self.database).occupancy.inside())

    async def expect(self, kind: type[F], lane: str, within_s: float = WITHIN_S, **fields: object) -> F:
        """The next fact of this kind and lane with these fields; what came before it is passed over.

        Raises `StoryFailed` if the portal does not learn of one in time.
        """
        heard = self._heard[lane]
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    while heard:
                        fact = heard.pop(0)
                        if isinstance(fact, kind) and all(getattr(fact, k) == v for k, v in fields.items()):
                            return fact
                    await asyncio.sleep(STEP_S)
        wanted = ", ".join([lane, *(f"{key} {value}" for key, value in fields.items())])
        raise StoryFailed(f"{kind.__name__} ({wanted}) was expected within {within_s:.0f} s and did not happen")

    async def until(self, met: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
        """Wait for something in the world; `StoryFailed` in time."""
        try:
            async with asyncio.timeout(within_s):
                while not met():
                    await asyncio.sleep(STEP_S)
        except TimeoutError:
            raise StoryFailed(f"{what} was expected within {within_s:.0f} s and did not happen") from None

    async def until_delivered(self) -> None:
        """Wait until the portal has every row of the daemon's journal."""
        await self.until(lambda: self._heard_through >= self.journal_length(), "a journal complete at the portal")

    async def until_in_force(self) -> None:
        """Wait until the portal's newest list is in force at the gate, as the gate tells the portal."""

        async def in_force() -> bool:
            return (await self.portal.applied())[0] > 0

        await self.until_known(in_force, "the newest list in force")

    async def until_known(self, known: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until the portal knows something; `StoryFailed` in time."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not await known():
                    await asyncio.sleep(STEP_S)
        except TimeoutError:
            raise StoryFailed(f"{what} was expected within {WITHIN_S:.0f} s and did not happen") from None

    async def unplug_broker(self) -> None:
        """As a power cut would; nothing that it held comes back."""
        await asyncio.to_thread(self.broker.kill)
        self._unplugged_s = clock.now().mono_s

    async def plug_broker_in(self) -> None:
        """It comes back on the same port, and knows nothing."""
        await asyncio.to_thread(self.broker.start)

    def tell_how_stale(self) -> int:
        """Say what waits at the gate since the broker was unplugged; how many rows."""
        away_s = clock.now().mono_s - self._unplugged_s
        waiting = self.journal_length() - self._heard_through
        self.say("site", f"portal away for {away_s:.0f} s; {waiting} rows wait at the gate")
        return waiting

    async def start_daemon(self) -> None:
        """Start the daemon; `until_ready` waits for its lanes."""
        self._daemon = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "edge.cli",
            "run",
            "--config",
            str(self.folder / "site.toml"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_end_with_parent,
        )

    async def until_ready(self) -> None:
        """Wait until both lanes know where their booms are; what happened before is passed over."""
        for lane in (ENTRY, EXIT):
            await self.expect(PhaseEntered, lane, READY_WITHIN_S, phase="idle")

    async def kill_daemon(self) -> None:
        """As a power cut would."""
        await self._end_daemon(signal.SIGKILL)

    async def stop_daemon(self) -> None:
        """In good order."""
        await self._end_daemon(signal.SIGTERM)

    async def _end_daemon(self, number: signal.Signals) -> None:
        daemon, self._daemon = self._daemon, None
        if daemon is None or daemon.returncode is not None:
            return
        daemon.send_signal(number)
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await daemon.wait()
        except TimeoutError:
            daemon.kill()
            await daemon.wait()

    # ---- the world turns ----

    async def turn(self) -> None:
        """Let time pass in the world, in step with the clock; and tell what a bystander sees.

        On a machine that is too slow for both, it is the world that waits for the daemon.
        """
        last_s = seen_s = clock.now().mono_s
        polls, unseen_s = self.board.polls, 0.0
        while True:
            await asyncio.sleep(STEP_S)
            now_s = clock.now().mono_s
            if self.board.polls != polls or self._daemon is None:
                polls, unseen_s, seen_s = self.board.polls, 0.0, now_s
            last_s = max(last_s, now_s - STEP_S - LATE_MAX_S)
            while last_s + STEP_S <= now_s:
                last_s += STEP_S
                if unseen_s >= UNSEEN_MAX_S and now_s - seen_s < FROZEN_MAX_S:
                    continue
                unseen_s += STEP_S
                for happened in self.world.step(STEP_S):
                    self._bystander(happened)

    def _bystander(self, happened: Happened) -> None:
        vehicle = happened.vehicle
        if happened.what in ("badge", "code") and happened.lane != ENTRY:
            return  # the readers stand at the entry
        what = {
            "arrived": "drives up",
            "code": "scans a pass or types a code",
            "badge": f"holds badge {vehicle.badge} to the reader",
            "passed": "is through and parks",
            "left": "drives away",
            "gave_up": "gives up and reverses",
        }[happened.what]
        self.say(happened.lane, f"{vehicle.country} {'-'.join(vehicle.groups)} {what}")
        if happened.what == "badge" and vehicle.badge is not None:
            self._reader.present(vehicle.badge)
        if happened.shown:
            self._scanner.present(happened.shown)

    async def forget_the_past(self) -> None:
        """What the portal already has from an earlier run is not news."""
        while past := await self.portal.events(self._heard_through):
            self._heard_through = past[-1].number

    async def listen(self) -> None:
        """Collect what arrives at the portal."""
        while True:
            for event in await self.portal.events(self._heard_through):
                self._heard_through = event.number
                lane = getattr(event.fact, "lane", None)
                if lane in self._heard and not isinstance(event.fact, UnknownFact):
                    self._heard[lane].append(event.fact)
            await asyncio.sleep(2 * STEP_S)

    async def relay_log(self) -> None:
        """Say the daemon's own lines as they come; they are masked by the daemon."""
        while True:
            daemon = self._daemon
            if daemon is None or daemon.stderr is None:
                await asyncio.sleep(STEP_S)
                continue
            line = await daemon.stderr.readline()
            if line:
                _, level, text = line.decode(errors="replace").rstrip().partition(" INFO ")
                self.say("daemon", text if level else line.decode(errors="replace").rstrip())
            else:
                await asyncio.sleep(STEP_S)


@asynccontextmanager
async def simulated_site(
    folder: Path, say: Say, cars: Sequence[Vehicle], seed: int = 1, *, pages: bool = False, desk: bool = False
) -> AsyncIterator[SimulatedSite]:
    """A running site in `folder`; what an earlier run left there goes on, with those of `cars` inside parked.

    With `pages` the portal's pages are served on a free port of this machine, with `desk` there is a fleet desk.

    Everything started here has ended when the context is left, however that happens.
    """
    inside = _prepared(folder, cars)
    async with AsyncExitStack() as stack:
        world = World(garage.LANES, seed, inside)
        board = stack.enter_context(garage.board(folder / "board", world))
        reader = stack.enter_context(BadgeReaderPeer(folder / "reader"))
        scanner = stack.enter_context(LineReaderPeer(folder / "scanner"))
        cameras = {lane: stack.enter_context(_camera(world, lane)) for lane in (ENTRY, EXIT)}
        broker = Broker()
        await asyncio.to_thread(broker.start)
        stack.callback(broker.stop)
        around = Surroundings(clock.now, random.random, partial(secrets.token_hex, 8))
        portal = await Portal.open(folder / "portal.db", TENANT, SITE, around)
        stack.push_async_callback(portal.close)
        await portal.register(EDGE, device_key(folder).public)
        streams = {lane: camera.url for lane, camera in cameras.items()}
        settings = garage.settings(
            broker.port, portal.keys.root_key.hex(), board.path, reader.path, scanner.path, streams
        )
        site = SimulatedSite(folder, world, board, reader, scanner, portal, broker, say)
        if desk:
            site.desk = stack.enter_context(simulated_desk(folder))
            settings += site.desk.config()
        await site.forget_the_past()
        works = [site.turn(), site.listen(), site.relay_log(), portal.serve("127.0.0.1", broker.port)]
        site.house = await House.open(portal, TIME_ZONE)
        works += followers(site.house)
        if pages:
            works.append(_pages(site.house, stack))
            site.screen = stack.enter_context(SimulatedScreen(folder / "screen"))
            settings += site.screen.config(site.house.url)
        (folder / "site.toml").write_text(settings)
        async with asyncio.TaskGroup() as group:
            tasks = [*map(group.create_task, works)]
            try:
                yield site
            finally:
                await site.stop_daemon()
                for task in tasks:
                    task.cancel()


def _pages(house: House, stack: AsyncExitStack) -> Coroutine[Any, Any, None]:
    """The portal's pages on a free port, which is the house's address from now on."""
    from hardware_sim.portal.web import serving

    listening = stack.enter_context(serving.bound("127.0.0.1", 0))
    house.url = serving.url_of(listening)
    return serving.serve(house, ZoneInfo(TIME_ZONE), listening)


def _camera(world: World, lane: str) -> MjpegServer:
    return MjpegServer(lambda: draw(world.scene(lane)), CAMERA_FPS)


def _prepared(folder: Path, cars: Sequence[Vehicle]) -> list[Vehicle]:
    """The folder made, and those of the cars that an earlier run left inside."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "slagboom.db"
    if not database.exists():
        return []
    plates = {session.plate for session in look_in(database).occupancy.inside()}
    return [car for car in cars if car.plate in plates]


def _end_with_parent() -> None:
    """In the child, before it begins: the kernel ends it when its parent dies, even by kill -9."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
