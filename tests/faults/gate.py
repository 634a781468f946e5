"""One edge of a block: its daemon, the world around it at several times its pace, its network and its clock."""

import asyncio
import itertools
import mmap
import random
import struct
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from edge.control import ANSWER_WITHIN_S, socket_of
from gate_controller.lane import Order
from hardware_sim.peers import BadgeReaderPeer, BoardPeer, PtyPeer
from hardware_sim.world import Happened, Vehicle, World
from sync.orders import Answer, LaneOrder, Request
from tests.faults.processes import Process
from tests.faults.proxy import Proxy
from tests.faults.run_portal import SITE, TENANT

PACE: Final = 3
"""How much faster the world goes than the clock."""
STEP_S: Final = 0.05
STAYS_S: Final = (1.0, 60.0)
"""How long a vehicle stays, by the world's own time."""
QUEUE_LEN_MAX: Final = 2
LANES: Final = {"entry": "in", "exit": "out"}
SERVICE: Final = "service"
"""A lane without vehicles, for orders: elsewhere a boom that is opened for nobody stays up for long."""
SERVICE_OPEN_S: Final = 0.6

CONFIG: Final = """\
[site]
name = "Fault garage"
time_zone = "Europe/Amsterdam"
claims = "grant_and_report"
[portal]
host = "127.0.0.1"
port = {port}
{root_key}
tenant = "{tenant}"
site = "{site}"
edge = "{name}"
[boards.gate]
kind = "modbus_relay8"
port = "{folder}/board"
[readers.entry_badges]
kind = "rdm6300"
port = "{folder}/entry-reader"
lane = "entry"
[readers.exit_badges]
kind = "rdm6300"
port = "{folder}/exit-reader"
lane = "exit"
[boards.yard]
kind = "modbus_relay8"
port = "{folder}/yard"
[readers.service_badges]
kind = "rdm6300"
port = "{folder}/service-reader"
lane = "service"
[lanes.entry]
direction = "in"
board = "gate"
inputs = {{ approach = 1, safety = 2, far = 3, closed_limit = 4, open_limit = 5 }}
outputs = {{ open = 1 }}
[lanes.exit]
direction = "out"
board = "gate"
inputs = {{ approach = 6, safety = 7, closed_limit = 8 }}
outputs = {{ open = 5 }}
[lanes.service]
direction = "out"
board = "yard"
inputs = {{ approach = 1, safety = 2, closed_limit = 4, open_limit = 5 }}
outputs = {{ open = 1 }}
"""
AT_THE_MACHINE: Final = {Order.ACKNOWLEDGE: 6, Order.RELEASE: 3, Order.CLOSE_LANE: 1, Order.OPEN: 0.3}
"""What a person asks, and how often."""
OPENS: Final = {0: "entry", 4: "exit"}


class Gate:
    """One edge. A context manager for its devices; the daemon is started and stopped by `daemon`."""

    def __init__(self, name: str, folder: Path, proxy: Proxy, seed: str, logs: Path) -> None:
        """`folder` is on the edge's own disk, which may fill up; `logs` is not."""
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self.folder, self.proxy = name, folder, proxy
        self.database = folder / "slagboom.db"
        self.pulses: Counter[str] = Counter()
        """Times that each lane's relay was pulsed."""
        self.passages = 0
        self.refused_at_the_machine = 0
        """Requests of persons at the machine that were answered with a refusal, which the journal must keep."""
        self._random = random.Random(seed)
        self._world = World(LANES, self._random.randrange(1 << 30))
        self._board = BoardPeer(folder / "board", self._contacts, flash=self._flash)
        self._yard = BoardPeer(folder / "yard", self._service_contacts, flash=self._flash_service)
        self._service_open_until_s = 0.0
        self._readers = {lane: BadgeReaderPeer(folder / f"{lane}-reader") for lane in (*LANES, SERVICE)}
        self._numbers = itertools.count(1)
        self._last_s = time.monotonic()
        clock = logs / f"clock-{name}"
        clock.write_bytes(bytes(8))
        with clock.open("r+b") as file:
            self._clock = mmap.mmap(file.fileno(), 8)
        self.daemon = Process(
            f"daemon-{name}", "tests.faults.run_daemon", [str(folder / "site.toml"), str(clock)], logs
        )

    def __enter__(self) -> "Gate":
        for peer in self._peers:
            peer.plug()
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self._peers:
            peer.unplug()
        self._clock.close()

    @property
    def _peers(self) -> list[PtyPeer]:
        return [self._board, self._yard, *self._readers.values()]

    def configure(self, root_key: str) -> None:
        """Write the settings; `root_key` is the portal's in hex."""
        said = f'root_key = "{root_key}"' if root_key else ""
        self.folder.joinpath("site.toml").write_text(
            CONFIG.format(
                port=self.proxy.port, root_key=said, tenant=TENANT, site=SITE, name=self.name, folder=self.folder
            )
        )

    def move_clock(self, by_s: float) -> None:
        """The daemon's wall clock is this much ahead from now on, and not what it was before."""
        self._clock[:8] = struct.pack("d", by_s)

    def turn(self, badges: list[str], regulars: list[str]) -> None:
        """Let the world catch up with the clock; now and then a vehicle comes, with one badge of either kind."""
        now_s = time.monotonic()
        self._last_s = max(self._last_s, now_s - 1.0)
        while self._last_s + STEP_S <= now_s:
            self._last_s += STEP_S
            for _ in range(PACE):
                for happened in self._world.step(STEP_S):
                    self._bystander(happened)
        entering = self._world.scene("entry").vehicles
        if badges and len(entering) < QUEUE_LEN_MAX and self._random.random() < 0.1:
            own = badges if self._random.random() < 0.3 or not regulars else regulars
            # On a busy machine the gate is slow, and whoever sees a full road drives on.
            with suppress(ValueError):
                self._world.arrive("entry", self._vehicle(self._random.choice(own)))

    async def operate(self) -> None:
        """A person at the machine asks something of a lane; most of it is refused, and all is written down."""
        lane = some_lane(self._random)
        kind = self._random.choices([*AT_THE_MACHINE], [*AT_THE_MACHINE.values()])[0]
        request: Request = LaneOrder(lane, kind, "guard", f"{kind} {next(self._numbers)}")
        with suppress(OSError, TimeoutError, msgspec.DecodeError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(socket_of(self.database))
                writer.write(msgspec.json.encode(request) + b"\n")
                answer = msgspec.json.decode(await reader.readline(), type=Answer)
                self.refused_at_the_machine += not answer.done
                writer.close()

    def _vehicle(self, badge: str) -> Vehicle:
        return Vehicle(
            ("T", str(next(self._numbers))),
            badge=badge,
            badge_after_s=0.3,
            patience_s=self._random.uniform(5.0, 12.0),
            speed_mps=6.0,
            stays_s=self._random.uniform(*STAYS_S),
        )

    def _bystander(self, happened: Happened) -> None:
        if happened.what == "badge" and happened.vehicle.badge is not None:
            self._readers[happened.lane].present(happened.vehicle.badge)
        self.passages += happened.what in ("passed", "left")

    def _contacts(self) -> list[bool]:
        entry, leaving = self._world.contacts("entry"), self._world.contacts("exit")
        return [
            *(entry.approach, entry.safety, entry.far, entry.closed, entry.opened),
            *(leaving.approach, leaving.safety, leaving.closed),
        ]

    def _service_contacts(self) -> list[bool]:
        is_open = time.monotonic() < self._service_open_until_s
        return [False, False, False, not is_open, is_open, False, False, False]

    def _flash_service(self, _channel: int, _width_s: float) -> None:
        self._service_open_until_s = time.monotonic() + SERVICE_OPEN_S
        self.pulses[SERVICE] += 1

    def _flash(self, channel: int, _width_s: float) -> None:
        self._world.pulse(OPENS[channel])
        self.pulses[OPENS[channel]] += 1


def some_lane(chance: random.Random) -> str:
    """A lane to give an order to."""
    return SERVICE if chance.random() < 0.95 else chance.choice([*LANES])
