"""A thousand edges, one portal, one broker on this machine: what happens when the broker dies and comes back.

Everything is real: Mosquitto without persistence, the reference portal on one SQLite database, an edge's link and
database a thousand times. After all are connected the broker is killed; each edge writes rows meanwhile; the broker
returns. Measured is when the last edge is back and when its last row is acknowledged, how evenly that fell, and
which process had no time left. `python -m benchmarks.storm --edges 100 --rows 5` is a smaller one.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks._plot import Line, Plot
from benchmarks._report import ROOT, Bar, Report, finish
from hardware_sim.broker import free_port

EDGES_A_PROCESS: Final = 125
AWAY_S: Final = 5.0
CALM_WITHIN_S: Final = 900.0
DRAINED_WITHIN_S: Final = 900.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Crowd:
    """The processes, and the processor seconds that each had used at each look."""

    folder: Path
    port: int
    edges: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    used: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def start_broker(self) -> None:
        """Mosquitto on loopback, with as many connections as it likes, keeping nothing."""
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 1000\n"
        )
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            sys.exit("mosquitto is not installed; `make test` installs it")
        self.running["broker"] = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)

    def start(self, name: str, role: str, *numbers: int) -> None:
        """A process of `_crowd`."""
        command = [sys.executable, "-m", "benchmarks._crowd", role, str(self.folder), str(self.port)]
        self.running[name] = subprocess.Popen([*command, *map(str, numbers)], cwd=ROOT)

    def kill(self, name: str) -> None:
        """As a power cut would."""
        child = self.running.pop(name)
        child.kill()
        child.wait()

    def look(self) -> None:
        """Note what every process has used."""
        now = {name: _cpu_s(child.pid) for name, child in self.running.items() if child.poll() is None}
        self.used.append((time.monotonic(), now))

    def end(self) -> None:
        """End everything that was started."""
        for name in [*self.running]:
            self.kill(name)

    def online(self) -> tuple[int, int]:
        """How many edges the portal sees online, and on how many its newest list is in force."""
        lines = (self.folder / "portal.jsonl").read_text().splitlines()
        return tuple(json.loads(lines[-1])[1:]) if lines else (0, 0)

    def waiting(self) -> dict[int, list[tuple[float, int]]]:
        """By edge: when it had how many rows that the portal had not acknowledged."""
        found: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for file in self.folder.glob("edges-*.jsonl"):
            for line in file.read_text().splitlines():
                at, edge, rows = json.loads(line)
                found[edge].append((at, rows))
        return found


def main() -> int:
    """Play the storm, print the table, draw the plot."""
    options = argparse.ArgumentParser()
    options.add_argument("--edges", type=int, default=1000)
    options.add_argument("--rows", type=int, default=20)
    asked = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-")))
        crowd = Crowd(folder, free_port(), asked.edges)
        stack.callback(crowd.end)
        return finish(_play(crowd, asked.rows))


def _play(crowd: Crowd, rows: int) -> Report:
    begun = time.monotonic()
    crowd.start_broker()
    crowd.start("portal", "portal", crowd.edges)
    _until(crowd, lambda: (crowd.folder / "portal.jsonl").exists(), CALM_WITHIN_S, "the portal opens")
    for first in range(0, crowd.edges, EDGES_A_PROCESS):
        crowd.start(f"edges {first}", "edges", first, min(EDGES_A_PROCESS, crowd.edges - first))
    _until(
        crowd, lambda: crowd.online() == (crowd.edges, crowd.edges), CALM_WITHIN_S, "all connected", crowd.online
    )
    calm_s = time.monotonic() - begun
    crowd.kill("broker")
    (crowd.folder / "backlog").write_text(str(rows))
    parts = -(-crowd.edges // EDGES_A_PROCESS)
    _until(crowd, lambda: len([*crowd.folder.glob("written-*")]) == parts, CALM_WITHIN_S, "rows written")
    time.sleep(AWAY_S)
    back = time.monotonic()
    crowd.start_broker()
    _until(crowd, lambda: _drained(crowd), DRAINED_WITHIN_S, "all rows acknowledged", lambda: _left(crowd))
    return _report(crowd, rows, calm_s, back)


def _left(crowd: Crowd) -> int:
    return sum(looks[-1][1] for looks in crowd.waiting().values())


def _drained(crowd: Crowd) -> bool:
    waiting = crowd.waiting()
    return len(waiting) == crowd.edges and _left(crowd) == 0


def _until(
    crowd: Crowd, holds: Callable[[], bool], within_s: float, what: str, shown: Callable[[], object] = lambda: ""
) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"storm: waited {within_s:.0f} s in vain: {what} {shown()}")
        gone = [name for name, child in crowd.running.items() if child.poll() is not None]
        if gone:
            sys.exit(f"storm: {', '.join(gone)} ended while waiting: {what}")
        print(f"\r{what}: {shown()}   ", end="", file=sys.stderr, flush=True)
        crowd.look()
        time.sleep(1.0)
    print(f"\r{what}", file=sys.stderr)


def _report(crowd: Crowd, rows: int, calm_s: float, back: float) -> Report:
    times = {edge: looks[-1][0] - back for edge, looks in crowd.waiting().items()}
    ordered = sorted(times.values())
    median, last = statistics.median(ordered), ordered[-1]
    busy = _busy(crowd, back, back + last)
    limiting = max(busy, key=lambda name: busy[name])
    _draw(crowd, back, ordered, rows)
    return Report(
        "storm",
        [
            Bar("edges whose rows all arrived", float(len(ordered)), float(crowd.edges), at_least=True),
            Bar("last edge's wait over the median one's", last / median, 5.0),
        ],
        {
            "edges": crowd.edges,
            "rows_an_edge": rows,
            "first_connection_of_all_s": round(calm_s, 1),
            "drained_p50_s": round(median, 1),
            "drained_p95_s": round(ordered[int(0.95 * len(ordered))], 1),
            "drained_last_s": round(last, 1),
            "events_a_second": round(crowd.edges * rows / last),
            "processor_shares": {name: round(share, 2) for name, share in busy.items()},
        },
        [
            f"{crowd.edges} edges with {rows} rows each: drained in {last:.1f} s after the broker's return "
            f"(half of them in {median:.1f} s), {crowd.edges * rows / last:,.0f} events a second.",
            f"Busiest: {limiting}, {busy[limiting]:.0%} of a core; all: "
            + ", ".join(f"{name} {share:.0%}" for name, share in busy.items()),
        ],
    )


def _busy(crowd: Crowd, start: float, end: float) -> dict[str, float]:
    """Share of a core that portal, broker and all edges together had between two times."""
    looks = [look for look in crowd.used if start <= look[0] <= end]
    if len(looks) < 2:
        return {"portal": 0.0}
    (at, before), (until, after) = looks[0], looks[-1]
    shares: dict[str, float] = defaultdict(float)
    for name, used in after.items():
        shares[name.split()[0]] += (used - before.get(name, 0.0)) / (until - at)
    return dict(shares)


def _draw(crowd: Crowd, back: float, ordered: list[float], rows: int) -> None:
    drained = [(0.0, 0.0), *((s, 100 * (n + 1) / len(ordered)) for n, s in enumerate(ordered))]
    busy = {name: _busy_line(crowd, back, name) for name in ("portal", "broker")}
    plot = Plot(
        f"{crowd.edges} edges reconnect, {rows} rows each",
        "seconds after the broker's return",
        "per cent",
        [Line("edges drained", drained), *(Line(f"{name}, of a core", line) for name, line in busy.items())],
    )
    file = ROOT / "build" / "bench" / "storm.svg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(plot.svg(), encoding="utf-8")
    print(f"plot: {file.relative_to(ROOT)}")


def _busy_line(crowd: Crowd, back: float, name: str) -> list[tuple[float, float]]:
    """Per cent of a core that a process had, between each look and the next."""
    return [
        (until - back, 100 * (after[name] - before[name]) / (until - at))
        for (at, before), (until, after) in pairwise(crowd.used)
        if at >= back and name in before and name in after
    ]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    sys.exit(main())
