"""A thousand edges, one portal, one broker: the broker is killed and comes back, and all return at once with rows.

Everything is real: Mosquitto, which keeps nothing; the reference portal on one SQLite database, each part of it
timed; an edge's link, journal and list a thousand times, in four processes. When all have their list the broker is
killed, each edge writes rows meanwhile, and the broker returns. Measured is when each edge is connected again and
when its last row is acknowledged, whether any had to wait much longer than others, and what had no time left. The
edges' databases lie in memory where there is room: a thousand edges have a thousand disks, this machine has one,
and it is the portal's. `python -m benchmarks.storm --edges 100 --rows 8` is a smaller one.
"""

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks._report import ROOT, Bar, Report, console, finish
from benchmarks._storm_plot import draw
from benchmarks._storm_seen import History, Portal, Work
from hardware_sim.broker import free_port
from hardware_sim.portal.trust.mosquitto import QUEUE_BYTES_MAX, QUEUE_LEN_MAX

PROCESSES: Final = 4
AWAY_S: Final = 6.0
WITHIN_S: Final = 600.0
MEMORY: Final = Path("/dev/shm")
EDGE_BYTES: Final = 2**20
"""Room that an edge's database and its log take, generously."""
LAST_OVER_MEDIAN_MAX: Final = 5.0
OWN_MAX: Final = 4.0
"""Of a median below a second, a second counts."""


@dataclass
class Crowd:
    """The processes, and the processor seconds that each had used at each look."""

    folder: Path
    disks: Path
    port: int
    edges: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    history: History = field(default_factory=History)

    def start_broker(self) -> None:
        """Mosquitto on loopback, with the settings that the portal writes for it, but for TLS and rights."""
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            f"max_queued_messages {QUEUE_LEN_MAX}\nmax_queued_bytes {QUEUE_BYTES_MAX}\n"
        )
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            sys.exit("mosquitto is not installed; `make test` installs it")
        self.running["broker"] = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)

    def start(self, name: str, role: str, *what: object) -> None:
        """A process of `_crowd`."""
        command = [sys.executable, "-m", "benchmarks._crowd", role, *map(str, what)]
        self.running[name] = subprocess.Popen(command, cwd=ROOT)

    def kill(self, name: str) -> None:
        """As a power cut would."""
        child = self.running.pop(name)
        child.kill()
        child.wait()

    def end(self) -> None:
        """End everything that was started."""
        for name in [*self.running]:
            self.kill(name)

    def until(self, what: str, holds: Callable[[], bool], shown: Callable[[], object] = lambda: "") -> None:
        """Look every half second until it holds; ends the program if it does not, or a process has ended."""
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            if time.monotonic() > deadline:
                sys.exit(f"storm: waited {WITHIN_S:.0f} s in vain: {what} {shown()}")
            gone = [name for name, child in self.running.items() if child.poll() is not None]
            if gone:
                sys.exit(f"storm: {', '.join(gone)} ended while waiting: {what}")
            if sys.stderr.isatty():
                print(f"\r{what}: {shown()}   ", end="", file=sys.stderr, flush=True)
            self.work.look({name: child.pid for name, child in self.running.items()})
            time.sleep(0.5)
            self.history.read(self.folder)
        print(f"\r{what}", file=sys.stderr)


def main() -> int:
    """Play the storm, print the tables, draw the plot."""
    options = argparse.ArgumentParser()
    options.add_argument("--edges", type=int, default=1000)
    options.add_argument("--rows", type=int, default=40)
    asked = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-")))
        roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > asked.edges * EDGE_BYTES
        disks = stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-", dir=MEMORY if roomy else None))
        crowd = Crowd(folder, Path(disks), free_port(), asked.edges)
        stack.callback(crowd.end)
        return finish(_play(crowd, asked.rows))


def _play(crowd: Crowd, rows: int) -> Report:
    load, begun = os.getloadavg()[0], time.monotonic()
    crowd.start_broker()
    crowd.start("portal", "portal", crowd.folder, crowd.port, crowd.edges)
    crowd.until("the portal opens", (crowd.folder / "root.hex").exists)
    each = -(-crowd.edges // PROCESSES)
    firsts = range(0, crowd.edges, each)
    for first in firsts:
        count = min(each, crowd.edges - first)
        crowd.start(f"edges {first}", "edges", crowd.folder, crowd.disks, crowd.port, first, count)
    seen = crowd.history
    crowd.until(
        "all have their list", lambda: seen.listed == seen.connected == crowd.edges,
        lambda: (seen.connected, seen.listed),
    )  # fmt: skip
    before: dict[str, Any] = {"load_before": load, "joined_s": time.monotonic() - begun}
    before["joined_processor_s"] = crowd.work.used
    gone = time.monotonic()
    crowd.kill("broker")
    (crowd.folder / "backlog").write_text(str(rows))
    crowd.until("rows are written", lambda: len([*crowd.folder.glob("written-*")]) == len(firsts))
    time.sleep(max(0.0, gone + AWAY_S - time.monotonic()))
    back = time.monotonic()
    crowd.start_broker()
    crowd.until("all rows are acknowledged", lambda: seen.waiting == 0, lambda: seen.waiting)
    stored = _stored(crowd.folder / "portal.db")
    whole = sum(stored.get(f"e{number}") == (rows, rows) for number in range(crowd.edges))
    return _report(crowd, rows, whole, before, gone, back)


def _stored(file: Path) -> dict[str, tuple[int, int]]:
    """By edge, how many events the portal has, and how many different ones."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        found = db.execute("SELECT edge, count(*), count(DISTINCT seq) FROM event GROUP BY edge")
        return {edge: (all_, different) for edge, all_, different in found}


def _report(crowd: Crowd, rows: int, whole: int, before: dict[str, Any], gone: float, back: float) -> Report:
    connected, drained = crowd.history.connected_again(back), crowd.history.drained(back)
    waits = sorted(at - back for at in drained)
    own = sorted(done - came for came, done in zip(connected, drained, strict=True))
    median, own_p50, last = statistics.median(waits), statistics.median(own), waits[-1]
    end = back + waits[int(0.95 * len(waits))]
    busy = {name: share for name, share in crowd.work.shares(back, end).items() if name != "portal"}
    parts = Portal.read(crowd.folder / "portal.jsonl")
    spent = parts.between(back, end)
    figures: dict[str, Any] = {
        "edges": crowd.edges,
        "rows_an_edge": rows,
        **before,
        "connected_p50_s": statistics.median(connected) - back,
        "connected_last_s": max(connected) - back,
        "drained_p50_s": median,
        "drained_p95_s": end - back,
        "drained_last_s": last,
        "own_p50_s": own_p50,
        "own_last_s": own[-1],
        "rows_a_second": crowd.edges * rows / last,
        "shares": {**spent.shares(), **busy},
        "milliseconds": spent.milliseconds(),
        "times": spent.times(),
    }
    picture = ROOT / "build" / "bench" / "storm.svg"
    draw(picture, crowd.history, crowd.work, parts, gone, back, crowd.edges, rows)
    console().print(f"plot: {picture.relative_to(ROOT)}", highlight=False)
    return Report(
        "storm",
        [
            Bar("edges all of whose rows are at the portal, once each", whole, crowd.edges, at_least=True),
            Bar("last edge's wait since the broker's return / median", last / median, LAST_OVER_MEDIAN_MAX),
            Bar("longest from an edge's connection to its last row / median", own[-1] / max(own_p50, 1.0), OWN_MAX),
        ],
        {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()},
        _notes(figures, spent.limiting(busy, os.cpu_count() or 1)),
    )


def _notes(found: dict[str, Any], limiting: str) -> list[str]:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found["shares"].items())
    milliseconds = ", ".join(
        f"{name} {found['times'][name]:,} of {ms:.2f} ms" for name, ms in found["milliseconds"].items()
    )
    return [
        f"{found['edges']:,} edges with {found['rows_an_edge']} rows each: connected again within "
        f"{found['connected_last_s']:.1f} s (half {found['connected_p50_s']:.1f} s), all rows stored within "
        f"{found['drained_last_s']:.1f} s (half {found['drained_p50_s']:.1f} s), "
        f"{found['rows_a_second']:,.0f} rows a second. "
        f"From an edge's connection to its last row: half {found['own_p50_s']:.2f} s, longest "
        f"{found['own_last_s']:.1f} s. All had their first list after {found['joined_s']:.0f} s.",
        f"Limiting: {limiting}. Shares of one second until 95 % were done: {shares}.",
        f"At the portal: {milliseconds}. Load average before: {found['load_before']:.1f}.",
    ]


if __name__ == "__main__":
    sys.exit(main())
