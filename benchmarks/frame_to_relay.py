"""From the frame that decides to the bytes of the opening pulse: each part's share, in a real daemon.

A drawn car is filmed and streamed over HTTP; the daemon captures, reads, votes, decides, writes to a real database,
and the pulse goes over a pseudo terminal to a simulated board. Board, camera and cars are a process of their own
(`_outside`), so that nothing but the daemon runs in this one; here only clocks are read between the parts. It logs
as `slagboom run` does.

The clock starts when the deciding frame is decoded (`Frame.at_s`, in the capturing process) and stops when the
bytes of the pulse are written to the port. In between, in this order and without gaps, lie:

- hand-over: pixels from the capturing process to the daemon, and the watcher waking up for them;
- hop out, recogniser, hop back: the worker thread; the recogniser is `Recognizer.read` and nothing else;
- vote: tracks, votes, whose turn it is;
- decide: the lane's step, the site's fold, the facts handed to the journal;
- to the disk's thread, rows: the transaction up to its COMMIT;
- commit: the statement COMMIT;
- back from disk: until the lane hears that the grant stands;
- pulse: the lane's step, the codec, waiting for the line while a poll is under way, the write.

The disk's own commit is what COMMIT takes in a bare program: the same rows in the same tables with the same
pragmas, in another file on the same file system, after each car and after a pause like the daemon's. What the
daemon's COMMIT takes more than that is counted as ours. Limit: all but the recogniser and the disk's own commit is
at most a tenth of the whole; the median over the cars decides. What comes before the clock (the camera's sending,
the decoder's decoding) and after it (the line, and the board's process waking up) stands beside it.
"""

import asyncio
import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks._outside import Commit, Outside, Row
from benchmarks._report import Bar, Report, console, finish
from edge.commands.run import LOG_FORMAT
from edge.config import load_config
from edge.daemon import Daemon
from edge.lane_task import LaneTask
from edge.link import Link
from edge.standing import StandingOrders
from edge.watcher import Watcher
from gate_controller.devices.codec import Drive
from gate_controller.facts import Fact, Granted
from gate_controller.lane import Committed, Input, Presented
from gate_controller.site import Site
from hardware_sim.world import Vehicle
from recognition.frame import Frame, Image
from recognition.recognizer import LocatedRead, Recognizer
from sync.database import Database
from sync.listfile import read_list
from sync.store import Store

CARS: Final = 16
CARS_MIN: Final = 12
SHARE_MAX: Final = 0.10
BARE_AFTER_S: Final = 0.5
"""The disk rests before the bare commit, as it does before the daemon's."""
PARTS: Final = (
    "hand-over",
    "hop out",
    "recogniser",
    "hop back",
    "vote",
    "decide",
    "to the disk's thread",
    "rows",
    "commit",
    "back from disk",
    "pulse",
)
CONFIG: Final = """\
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


class Clocks:
    """When each part of the newest decision ended; seconds of the monotonic clock."""

    def __init__(self) -> None:
        self.ended_s: dict[str, float] = {}
        self.frame_s = 0.0
        self.rows = range(0)
        self.log_bytes = 0
        self.first_frame = False

    def decided(self) -> bool:
        """Whether the car's pulse has been sent: later frames of the same car are not noted."""
        return "pulse" in self.ended_s

    def note(self, part: str) -> None:
        """The part ends now; a frame that follows the deciding one changes nothing."""
        late = "decide" in self.ended_s and PARTS.index(part) < PARTS.index("decide")
        if not late and not self.decided():
            self.ended_s[part] = time.monotonic()

    def parts(self) -> dict[str, float]:
        """Seconds of every part of the car."""
        ends = [self.ended_s[part] for part in PARTS]
        return {part: end - begin for part, begin, end in zip(PARTS, [self.frame_s, *ends], ends, strict=False)}


@dataclass(frozen=True, slots=True)
class Car:
    """One car measured: seconds of each part, and the same commit bare.

    `log_bytes` is what the daemon's commit added to its write-ahead log, `camera_s` lies between the making of the
    picture and its decoding, `line_s` between the write to the port and the board's reading it.
    """

    parts: dict[str, float]
    bare: Commit
    log_bytes: int
    camera_s: float
    line_s: float

    @property
    def whole_s(self) -> float:
        """From the decoded frame to the pulse on the line."""
        return sum(self.parts.values())

    @property
    def disk_s(self) -> float:
        """The disk's own part of the commit."""
        return min(self.bare.took_s, self.parts["commit"])

    @property
    def rest_share(self) -> float:
        """All but the recogniser and the disk's own commit."""
        return (self.whole_s - self.parts["recogniser"] - self.disk_s) / self.whole_s


def listen_in(clocks: Clocks) -> None:
    """Read the clock where one part of the daemon's path passes to the next."""
    look, read, put, send, append = Watcher._look, Recognizer.read, LaneTask.put, Link._send, Store.append

    async def noting_look(self: Watcher, frame: Frame) -> None:
        clocks.first_frame = True
        if "decide" not in clocks.ended_s:
            clocks.frame_s = frame.at_s
            clocks.note("hand-over")
        await look(self, frame)

    def noting_read(self: Recognizer, image: Image) -> list[LocatedRead]:
        clocks.note("hop out")
        found = read(self, image)
        clocks.note("recogniser")
        return found

    async def noting_hop(self: Watcher, image: Image) -> list[LocatedRead]:
        found = await hop(self, image)
        clocks.note("hop back")
        return found

    def noting_put(self: LaneTask, item: Input) -> list[Fact]:
        if isinstance(item, Presented):
            clocks.note("vote")
        if isinstance(item, Committed):
            clocks.note("back from disk")
        facts = put(self, item)
        if isinstance(item, Presented):
            clocks.note("decide")
        return facts

    def noting_send(self: Link, pulses: Sequence[Drive]) -> None:
        send(self, pulses)
        asked = self._codec._outstanding  # type: ignore[attr-defined]
        if asked is not None and asked.pulse is not None:
            clocks.note("pulse")

    async def noting_append(self: Store, facts: Sequence[tuple[datetime, Fact]]) -> range:
        rows = await append(self, facts)
        if any(isinstance(fact, Granted) for _, fact in facts):
            clocks.rows = rows
        return rows

    @contextmanager
    def noting_transaction(self: Database) -> Iterator[None]:
        before = log_of(self).stat().st_size
        clocks.note("to the disk's thread")
        with transaction(self):
            yield
            clocks.note("rows")
        clocks.note("commit")
        if not clocks.decided():
            clocks.log_bytes = log_of(self).stat().st_size - before

    hop, transaction = Watcher._read, Database.transaction
    Watcher._look, Watcher._read = noting_look, noting_hop  # type: ignore[method-assign]
    Recognizer.read, LaneTask.put, Link._send = noting_read, noting_put, noting_send  # type: ignore[method-assign]
    Store.append, Database.transaction = noting_append, noting_transaction  # type: ignore[method-assign]


def log_of(database: Database) -> Path:
    """SQLite's write-ahead log."""
    return database.path.with_name(f"{database.path.name}-wal")


class Mirror:
    """Writes to the bare database what the daemon wrote to its own, the deciding rows as one timed transaction."""

    def __init__(self, path: Path, outside: Outside) -> None:
        self._db, self._outside = sqlite3.connect(f"file:{path}?mode=ro", uri=True), outside
        self._through = 0

    async def commit(self, deciding: range) -> Commit:
        """What the deciding rows cost a bare program."""
        await asyncio.to_thread(self._outside.write, self._rows(self._through + 1, deciding.start))
        await asyncio.sleep(BARE_AFTER_S)
        self._through = deciding.stop - 1
        return await asyncio.to_thread(self._outside.write, self._rows(deciding.start, deciding.stop))

    def _rows(self, first: int, end: int) -> list[tuple[str, Row]]:
        return [
            (table, row)
            for table in ("journal", "personal")
            for row in self._db.execute(f"SELECT * FROM {table} WHERE seq >= ? AND seq < ?", (first, end))
        ]


def schema(path: Path) -> list[str]:
    """The statements that make the daemon's tables."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]


async def measure(folder: Path) -> list[Car]:
    """Run the daemon and drive the cars through; those that were read."""
    (folder / "list.csv").write_text(
        "external_id,plate\n" + "".join(f"user{n},{car.plate}\n" for n, car in enumerate(cars()))
    )
    clocks, database = Clocks(), folder / "slagboom.db"
    listen_in(clocks)
    store = await Store.open(database, lambda: "ledger")
    with Outside(folder, schema(database)) as outside:
        (folder / "site.toml").write_text(CONFIG.format(folder=folder, camera=outside.url))
        config = load_config(folder / "site.toml")
        listed = read_list(folder / "list.csv", config.tz()).allowlist
        site, standing = Site(listed, config.tz(), rules=config.rules()), StandingOrders(config, store)
        daemon = Daemon(config, "bench", store, site, keeper=None, standing=standing)
        work = asyncio.ensure_future(daemon.run())
        await until(lambda: clocks.first_frame or work.done())
        await asyncio.sleep(2.5)  # the boom is known, and the vote takes what comes now for arrivals
        mirror = Mirror(database, outside)
        driven = [
            await drive(car, clocks, outside, mirror)
            for car in track(cars(), "cars driven through", console=Console(stderr=True))
        ]
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    await store.close()
    return [car for car in driven if car is not None]


async def drive(car: Vehicle, clocks: Clocks, outside: Outside, mirror: Mirror) -> Car | None:
    """One car from the loop through the gate; None if it was not read."""
    clocks.ended_s.clear()
    board_had_it_s, drawn_at_s = await asyncio.to_thread(outside.car, car)
    if not board_had_it_s:
        return None
    bare = await mirror.commit(clocks.rows)
    camera_s = clocks.frame_s - max(at_s for at_s in drawn_at_s if at_s < clocks.frame_s)
    line_s = board_had_it_s - clocks.ended_s["pulse"]
    return Car(clocks.parts(), bare, clocks.log_bytes, camera_s, line_s)


async def until(met: Callable[[], bool]) -> None:
    """Look every 2 ms; TimeoutError after 20 s."""
    async with asyncio.timeout(20):
        while not met():
            await asyncio.sleep(0.002)


def cars() -> list[Vehicle]:
    """Dutch plates; Q and the vowels are not issued."""
    return [Vehicle((f"{10 + n}", "BDX"[n % 3] + "HK", f"{n % 9 + 1}"), "NL") for n in range(CARS)]


def show(screen: Console, driven: list[Car]) -> None:
    """The table of parts, and what stands beside it."""
    median = partial(median_of, driven)
    whole_s = median(lambda car: car.whole_s)
    table = Table("part", "median ms", "share", title=f"Frame to relay, {len(driven)} cars")
    for part in PARTS:
        seconds = part_s(driven, part)
        table.add_row(part, f"{1000 * seconds:.2f}", f"{seconds / whole_s:.1%}")
        if part == "commit":
            disk_s = median(lambda car: car.disk_s)
            table.add_row("  the disk's own", f"{1000 * disk_s:.2f}", f"{disk_s / whole_s:.1%}", style="dim")
    table.add_section()
    table.add_row("whole", f"{1000 * whole_s:.2f}", "")
    rest_s = median(lambda car: car.rest_share * car.whole_s)
    table.add_row("all but recogniser and disk", f"{1000 * rest_s:.2f}", f"{median(lambda c: c.rest_share):.1%}")
    screen.print(table)
    ours, bare = median(lambda car: car.log_bytes), median(lambda car: car.bare.log_bytes)
    screen.print(
        f"The commit adds {ours:.0f} bytes to the log, the bare one {bare:.0f}. Before the clock starts a picture "
        f"takes {1000 * median(lambda car: car.camera_s):.1f} ms to be encoded, sent and decoded; after it stops "
        f"the board has the pulse in {1000 * median(lambda car: car.line_s):.1f} ms."
    )


def part_s(driven: list[Car], part: str) -> float:
    """The median of a part over the cars."""
    return statistics.median(car.parts[part] for car in driven)


def median_of(driven: list[Car], figure: Callable[[Car], float]) -> float:
    """The median of a figure over the cars."""
    return statistics.median(map(figure, driven))


def main() -> int:
    """Print the table; 1 when the limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        logging.basicConfig(filename=f"{folder}/log", level=logging.INFO, format=LOG_FORMAT)
        driven = asyncio.run(measure(Path(folder)))
    if len(driven) < CARS_MIN:
        print(f"only {len(driven)} of {CARS} cars were read: the models do not read drawn plates")
        return 1
    show(console(), driven)
    share = median_of(driven, lambda car: car.rest_share)
    parts_ms = {part: 1000 * part_s(driven, part) for part in PARTS}
    bar = Bar("all but the recogniser and the disk's own commit", 100 * share, 100 * SHARE_MAX, "%")
    whole_ms = 1000 * median_of(driven, lambda car: car.whole_s)
    disk_ms = 1000 * median_of(driven, lambda car: car.disk_s)
    figures = {
        "cars": len(driven),
        "whole_ms": whole_ms,
        "disk_ms": disk_ms,
        "parts_ms": parts_ms,
        "each_car_ms": [{part: round(1000 * value, 3) for part, value in car.parts.items()} for car in driven],
    }
    return finish(Report("frame_to_relay", [bar], figures))


if __name__ == "__main__":
    sys.exit(main())
