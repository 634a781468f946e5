"""From the frame that decides to the bytes of the opening pulse: where the time goes.

A real daemon in this process: a drawn car is filmed, streamed over HTTP, captured, read, voted on, decided, written
to a real database, and the pulse goes over a pseudo terminal to the simulated board. The clock starts when the
watcher takes the frame that decides and stops when the board has the pulse. Limit: all that is neither the
recogniser's time nor the disk's own commit takes at most a tenth of the whole. The disk's own commit is what one
bare row costs in another file on the same disk, as durably written, in the same run. How old the frame was when it
was taken stands beside it: that is the camera's pace, and what decoding and the capturing process add.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge import clock
from edge.config import load_config
from edge.daemon import Daemon
from edge.watcher import Watcher
from gate_controller.site import Site
from hardware_sim.camera import MjpegServer, draw
from hardware_sim.peers import BoardPeer
from hardware_sim.world import Boom, Doing, Placed, Scene, Vehicle
from recognition.frame import Frame, Image
from recognition.recognizer import LocatedRead, Recognizer
from sync.listfile import read_list
from sync.store import Store

CARS = 12
SHARE_MAX = 0.10
CAMERA_FPS = 10
FRAME_EVERY_S = 0.25
APPROACH_M = (-7.0, -6.0, -5.2, -4.6, -4.1, -3.7, -3.4, -3.1, -2.9, -2.7, -2.6, -2.5)
CONFIG = """\
[site]
name = "Benchmark"
time_zone = "Europe/Amsterdam"
[boards.gate]
kind = "modbus_relay8"
port = "{folder}/board"
[lanes.entry]
direction = "in"
board = "gate"
camera = "{camera}"
[lanes.entry.inputs]
approach = 1
safety = 2
far = 3
closed_limit = 4
open_limit = 5
[lanes.entry.outputs]
open = 1
"""


class Bench:
    """One gate whose contacts are set by hand and whose camera sees one car after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contacts = {"approach": False, "safety": False, "far": False, "closed": True, "opened": False}
        self.board = BoardPeer(
            folder / "board", lambda: [*self.contacts.values(), False, False, False], self._flash
        )
        self.pulse_at = 0.0
        self.taken_at = 0.0
        self.age_s = 0.0
        self.read_s = 0.0
        self._film = [picture(None)]
        self._rolls_from = 0.0

    def sees(self) -> Image:
        """What the camera shows now."""
        index = int((time.monotonic() - self._rolls_from) / FRAME_EVERY_S)
        return self._film[min(index, len(self._film) - 1)]

    def _flash(self, channel: int, width_s: float) -> None:
        self.pulse_at = time.monotonic()
        self.contacts.update(closed=False, opened=True)

    async def car(self, car: Vehicle) -> dict[str, float] | None:
        """Drive one car up until the pulse has reached the board, then let it through; None if it was not read."""
        film = [picture(Placed(car, front_m, 1.0, Doing.ARRIVING)) for front_m in APPROACH_M]
        # The vehicle is on the loop before it is read: what is timed is the read, not the drive.
        self.contacts["approach"] = True
        await asyncio.sleep(1.0)
        self._film, self._rolls_from, self.pulse_at = film, time.monotonic(), 0.0
        with suppress(TimeoutError):
            await until(lambda: self.pulse_at > 0)
        parts = {"recogniser": self.read_s, "whole": self.pulse_at - self.taken_at, "age": self.age_s}
        passed = self.pulse_at > 0
        await self._through()
        return parts if passed else None

    async def _through(self) -> None:
        for change in ({"safety": True}, {"approach": False, "far": True}, {"safety": False}, {"far": False}):
            self.contacts.update(change)
            await asyncio.sleep(0.3)
        self._film = [picture(None)]
        await asyncio.sleep(1.2)
        self.contacts.update(closed=True, opened=False)
        await asyncio.sleep(1.2)


async def until(met: Callable[[], bool]) -> None:
    """Look every 2 ms; TimeoutError after 20 s."""
    async with asyncio.timeout(20):
        while not met():
            await asyncio.sleep(0.002)


def picture(placed: Placed | None) -> Image:
    """The lane with one car, or empty."""
    return draw(Scene("entry", 0.0, Boom.CLOSED, 0.0, (placed,) if placed else ()))


def listen_in(bench: Bench) -> None:
    """Note when a frame is taken, how old it is, and how long it is read; until a pulse has come of it."""
    look, read = Watcher._look, Recognizer.read

    async def noting_look(self: Watcher, frame: Frame) -> None:
        if not bench.pulse_at:
            bench.taken_at = time.monotonic()
            bench.age_s = clock.now().mono_s - frame.at_s
        await look(self, frame)

    def noting_read(self: Recognizer, image: Image) -> list[LocatedRead]:
        begun = time.monotonic()
        found = read(self, image)
        if not bench.pulse_at:
            bench.read_s = time.monotonic() - begun
        return found

    Watcher._look, Recognizer.read = noting_look, noting_read  # type: ignore[method-assign]


def bare_commit_s(folder: Path) -> float:
    """Median of committing one row as durably as the journal does."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE row (body TEXT)")
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        db.execute("INSERT INTO row VALUES (?)", ("x" * 400,))
        times.append(time.perf_counter() - begun)
    db.close()
    return statistics.median(times)


async def measure(folder: Path) -> list[dict[str, float]]:
    """Run the daemon and a dozen cars."""
    bench = Bench(folder)
    listen_in(bench)
    with MjpegServer(bench.sees, CAMERA_FPS) as camera, bench.board:
        (folder / "site.toml").write_text(CONFIG.format(folder=folder, camera=camera.url))
        (folder / "list.csv").write_text(
            "external_id,plate\n" + "".join(f"user{n},{car.plate}\n" for n, car in enumerate(cars()))
        )
        config = load_config(folder / "site.toml")
        store = await Store.open(folder / "slagboom.db", lambda: "ledger")
        listed = read_list(folder / "list.csv", config.tz()).allowlist
        daemon = Daemon(config, "bench", store, Site(listed, config.tz(), rules=config.rules()))
        work = asyncio.ensure_future(daemon.run())
        await until(lambda: bench.taken_at > 0 or work.done())
        await asyncio.sleep(2.5)  # the boom is known, and the vote takes what comes now for arrivals
        results = [await bench.car(car) for car in cars()]
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await store.close()
    return [parts for parts in results if parts]


def cars() -> list[Vehicle]:
    """Dutch plates; Q and the vowels are not issued."""
    return [Vehicle((f"{10 + n}", "BDX"[n % 3] + "HK", f"{n % 9 + 1}"), "NL") for n in range(CARS)]


def main() -> int:
    """Print the table; 1 when the limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        read = asyncio.run(measure(Path(folder)))
        commit_s = bare_commit_s(Path(folder))
    if not read:
        print("no car was read: the models do not read drawn plates")
        return 1
    parts = {name: statistics.median(one[name] for one in read) for name in ("whole", "recogniser", "age")}
    age_s = parts.pop("age")
    parts["disk's own commit"] = commit_s
    rest = parts["whole"] - parts["recogniser"] - commit_s
    parts["everything else"] = rest
    table = Table("Part", "median ms", "share")
    for name, seconds in parts.items():
        table.add_row(name, f"{1000 * seconds:.2f}", f"{seconds / parts['whole']:.1%}")
    Console().print(table)
    print(f"{len(read)} of {CARS} cars; the deciding frame was {1000 * age_s:.0f} ms old when it was taken")
    print(f"everything else: threads, vote, lane, journal, codec and serial line; limit {SHARE_MAX:.0%}")
    return int(rest / parts["whole"] > SHARE_MAX)


if __name__ == "__main__":
    sys.exit(main())
