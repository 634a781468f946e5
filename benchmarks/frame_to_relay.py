"""From the frame that decides to the bytes of the opening pulse: where the time goes.

A real daemon in this process, with a real pseudo terminal to the simulated board, a real database and the models
that ship. A drawn car rolls up; its frames go through recogniser, vote, lane, journal and codec. Limit: all that is
neither the recogniser's time nor the disk's own commit takes at most a tenth of the whole. The disk's own commit is
what one bare row costs in another file on the same disk, as durably written, in the same run.
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

from edge.config import load_config
from edge.daemon import Daemon
from gate_controller.facts import LaneId
from gate_controller.lane import Presented
from gate_controller.site import Site
from hardware_sim.camera import draw
from hardware_sim.peers import BoardPeer
from hardware_sim.world import Boom, Doing, Placed, Scene, Vehicle
from recognition.frame import Frame, Image
from recognition.recognizer import Recognizer
from recognition.vote import Voter
from sync.listfile import read_list
from sync.store import Store

CARS = 12
SHARE_MAX = 0.10
APPROACH_M = (-7.0, -6.0, -5.2, -4.6, -4.1, -3.7, -3.4, -3.1, -2.9, -2.7, -2.6, -2.5)
CONFIG = """\
[site]
name = "Benchmark"
time_zone = "Europe/Amsterdam"
[boards.gate]
kind = "modbus_relay8"
port = "{folder}/board"
[readers.unused]
kind = "rdm6300"
port = "{folder}/unused"
lane = "entry"
[lanes.entry]
direction = "in"
board = "gate"
[lanes.entry.inputs]
approach = 1
safety = 2
far = 3
closed_limit = 4
open_limit = 5
[lanes.entry.outputs]
open = 1
"""


class Timed:
    """The moments of one car, in seconds of `perf_counter`."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.pulse_at = 0.0


class Bench:
    """One gate whose contacts are set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contacts = {"approach": False, "safety": False, "far": False, "closed": True, "opened": False}
        self.board = BoardPeer(
            folder / "board", lambda: [*self.contacts.values(), False, False, False], self._flash
        )
        self.timed = Timed()

    def _flash(self, channel: int, width_s: float) -> None:
        self.timed.pulse_at = time.perf_counter()
        self.contacts.update(closed=False, opened=True)

    async def car(self, daemon: Daemon, recognizer: Recognizer, car: Vehicle) -> Timed:
        """Drive one car up, until the pulse has reached the board; then let it through."""
        self.timed = timed = Timed()
        lane = daemon.lane(LaneId("entry"))
        self.contacts["approach"] = True
        await until(lambda: lane.vehicle_waits)
        voter = Voter(recognizer.settings.accept_at)
        for index, picture in enumerate(approach(car)):
            begun = time.perf_counter()
            reads = await asyncio.to_thread(recognizer.read, picture)
            read = time.perf_counter()
            events = [e for e in voter.add(Frame(picture, 2.5 + index / 4, index), reads) if e.accepted]
            if not events:
                continue
            voted = time.perf_counter()
            lane.put(Presented(events[0].read))
            timed.parts = {"recogniser": read - begun, "vote": voted - read, "whole": -begun}
            await until(lambda: timed.pulse_at > 0)
            timed.parts["whole"] += timed.pulse_at
            break
        await self._through()
        return timed

    async def _through(self) -> None:
        for change in ({"safety": True}, {"approach": False, "far": True}, {"safety": False}, {"far": False}):
            self.contacts.update(change)
            await asyncio.sleep(0.3)
        await asyncio.sleep(1.2)
        self.contacts.update(closed=True, opened=False)
        await asyncio.sleep(1.2)


async def until(met: Callable[[], bool]) -> None:
    """Look every 2 ms; TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while not met():
            await asyncio.sleep(0.002)


def approach(car: Vehicle) -> list[Image]:
    """The frames of a car that rolls up to the boom."""
    return [
        draw(Scene("entry", index / 4, Boom.CLOSED, 0.0, (Placed(car, front_m, 1.0, Doing.ARRIVING),)))
        for index, front_m in enumerate(APPROACH_M)
    ]


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


async def measure(folder: Path) -> list[Timed]:
    """Run the daemon and a dozen cars."""
    (folder / "site.toml").write_text(CONFIG.format(folder=folder))
    (folder / "list.csv").write_text(
        "external_id,plate\n" + "".join(f"user{n},{car.plate}\n" for n, car in enumerate(cars()))
    )
    config = load_config(folder / "site.toml")
    store = await Store.open(folder / "slagboom.db", lambda: "ledger")
    listed = read_list(folder / "list.csv", config.tz()).allowlist
    site = Site(listed, config.tz(), rules=config.rules())
    bench, recognizer = Bench(folder), Recognizer()
    daemon = Daemon(config, "bench", store, site)
    with bench.board:
        work = asyncio.ensure_future(daemon.run())
        await asyncio.sleep(1.5)
        results = [await bench.car(daemon, recognizer, car) for car in cars()]
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    await store.close()
    return results


def cars() -> list[Vehicle]:
    """Dutch plates; Q and the vowels are not issued."""
    return [Vehicle((f"{10 + n}", "BDX"[n % 3] + "HK", f"{n % 9 + 1}"), "NL") for n in range(CARS)]


def main() -> int:
    """Print the table; 1 when the limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        timed = asyncio.run(measure(Path(folder)))
        commit_s = bare_commit_s(Path(folder))
    read = [one for one in timed if one.parts]
    if not read:
        print("no car was read: the models do not read drawn plates")
        return 1
    parts = {name: statistics.median(one.parts[name] for one in read) for name in ("recogniser", "vote", "whole")}
    parts["disk's own commit"] = commit_s
    rest = parts["whole"] - parts["recogniser"] - commit_s
    parts["everything else"] = rest
    table = Table("Part", "median ms", "share", title=f"Deciding frame to relay bytes, {len(read)} of {CARS} cars")
    for name, seconds in parts.items():
        table.add_row(name, f"{1000 * seconds:.2f}", f"{seconds / parts['whole']:.1%}")
    Console().print(table)
    print(f"everything else holds the vote, the lane, threads, codec and serial line; limit {SHARE_MAX:.0%}")
    return int(rest / parts["whole"] > SHARE_MAX)


if __name__ == "__main__":
    sys.exit(main())
