"""What was seen of a storm: each edge's changes, the processors' work, and how long the portal worked at what.

Read from the files that the processes of `_crowd` write, and from /proc; all times are `time.monotonic`.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
FULL: Final = 0.75
"""A share of its time from which on something has none left, measured in tenths of seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one edge at a time."""

    at: float
    revision: int
    connected: bool
    waiting: int


@dataclass
class History:
    """Every change of every edge, read a file at a time from where it was left."""

    looks: dict[int, list[Look]] = field(default_factory=lambda: defaultdict(list))
    until: float = 0.0
    _read: dict[Path, int] = field(default_factory=dict)

    def read(self, folder: Path) -> None:
        """What the edges have written since."""
        for path in folder.glob("edges-*.jsonl"):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            for line in whole.splitlines():
                at, edge, revision, connected, waiting = json.loads(line)
                self.looks[edge].append(Look(at, revision, connected, waiting))
                self.until = max(self.until, at)

    @property
    def connected(self) -> int:
        """How many are connected now."""
        return sum(looks[-1].connected for looks in self.looks.values())

    @property
    def listed(self) -> int:
        """How many have a list of the portal."""
        return sum(looks[-1].revision > 0 for looks in self.looks.values())

    @property
    def waiting(self) -> int:
        """Rows that are not acknowledged."""
        return sum(looks[-1].waiting for looks in self.looks.values())

    def connected_again(self, back: float) -> list[float]:
        """By edge, when it was first connected after this time."""
        return [
            next(look.at for look in self.looks[edge] if look.at >= back and look.connected)
            for edge in sorted(self.looks)
        ]

    def drained(self, back: float) -> list[float]:
        """By edge, when nothing waited any more, the last time that this began after this time."""
        return [self._drained(self.looks[edge], back) for edge in sorted(self.looks)]

    def _drained(self, looks: list[Look], back: float) -> float:
        ends = [after.at for before, after in pairwise(looks) if before.waiting and not after.waiting]
        return max([back, *ends])

    def counts(self, holds: str) -> list[tuple[float, int]]:
        """How many edges are `connected`, or `drained`, at each time at which that changed."""
        steps = []
        for looks in self.looks.values():
            before = False
            for look in looks:
                now = look.connected if holds == "connected" else look.revision > 0 and not look.waiting
                if now != before:
                    steps.append((look.at, 1 if now else -1))
                before = now
        count, line = 0, []
        for at, step in sorted(steps):
            count += step
            line.append((at, count))
        return line


@dataclass
class Work:
    """Processor seconds of every process at each look."""

    looks: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def look(self, pids: Mapping[str, int]) -> None:
        """Note what each has used until now; those of one kind, named by their first word, together."""
        used: dict[str, float] = defaultdict(float)
        for name, pid in pids.items():
            used[name.split()[0]] += _cpu_s(pid)
        self.looks.append((time.monotonic(), dict(used)))

    @property
    def used(self) -> dict[str, float]:
        """What each kind had used at the last look."""
        return {name: round(seconds, 1) for name, seconds in self.looks[-1][1].items()}

    def shares(self, start: float, end: float) -> dict[str, float]:
        """Share of a core that each kind had between two times."""
        looks = [look for look in self.looks if start <= look[0] <= end]
        if len(looks) < 2:
            return {}
        (at, before), (until, after) = looks[0], looks[-1]
        return {name: (used - before.get(name, 0.0)) / (until - at) for name, used in after.items()}

    def line(self, name: str, since: float) -> list[tuple[float, float]]:
        """Share of a core between each look and the next."""
        return [
            (until, (after[name] - before[name]) / (until - at))
            for (at, before), (until, after) in pairwise(self.looks)
            if at >= since and name in before and name in after and after[name] >= before[name]
        ]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the portal had spent until a time: processor seconds of its two threads, calls and seconds by part."""

    at: float
    loop_s: float
    disk_thread_s: float
    spent: dict[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What the portal spent between two moments."""

    first: Moment
    last: Moment

    def part(self, name: str) -> tuple[int, float]:
        """Calls and seconds of a part."""
        (calls, seconds), (before, earlier) = (one.spent.get(name, (0, 0.0)) for one in (self.last, self.first))
        return calls - before, seconds - earlier

    def shares(self) -> dict[str, float]:
        """Of each second: the portal's threads, its line of messages, and what in that line takes how much."""
        whole = max(self.last.at - self.first.at, 1e-9)
        return {
            "portal's event loop": (self.last.loop_s - self.first.loop_s) / whole,
            "portal's database thread": (self.last.disk_thread_s - self.first.disk_thread_s) / whole,
            "a message in hand": self.part("line")[1] / whole,
            "of which commits": self.part("commit")[1] / whole,
            "signatures verified": self.part("verify")[1] / whole,
            "signed": self.part("sign")[1] / whole,
        }

    def milliseconds(self) -> dict[str, float]:
        """Of one call of each part."""
        names = {"line": "messages", "commit": "commits", "verify": "verified", "sign": "signed"}
        return {text: 1000 * self.part(name)[1] / max(1, self.part(name)[0]) for name, text in names.items()}

    def times(self) -> dict[str, int]:
        """How many there were."""
        names = {"line": "messages", "commit": "commits", "verify": "verified", "sign": "signed"}
        return {text: self.part(name)[0] for name, text in names.items()}

    def limiting(self, others: Mapping[str, float], cores: int) -> str:
        """What had no time left."""
        shares = self.shares()
        processors = shares["portal's event loop"] + shares["portal's database thread"] + sum(others.values())
        if shares["a message in hand"] >= FULL:
            if shares["of which commits"] >= shares["a message in hand"] / 2:
                return "the portal's disk: messages are handled one after the other, and most of that is commits"
            return "the portal: messages are handled one after the other, and most of that is its processor's"
        if processors >= FULL * cores:
            return "the machine's processors, edges included"
        return "nothing of the portal: the edges' own spread waits before they connect"


@dataclass(frozen=True, slots=True)
class Portal:
    """Everything that the portal said of its work."""

    moments: list[Moment]

    @classmethod
    def read(cls, file: Path) -> "Portal":
        """From its file."""
        return cls([Moment(*json.loads(line)) for line in file.read_text().splitlines()])

    def between(self, start: float, end: float) -> Spent:
        """What it spent between two times."""
        inside = [moment for moment in self.moments if start <= moment.at <= end] or self.moments
        return Spent(inside[0], inside[-1])

    def line(self, part: str, since: float, every_s: float) -> list[tuple[float, float]]:
        """Share of each stretch of time that a part took."""
        points, first = [], None
        for moment in self.moments:
            if moment.at < since:
                continue
            if first is None:
                first = moment
            elif moment.at - first.at >= every_s:
                points.append((moment.at, Spent(first, moment).part(part)[1] / (moment.at - first.at)))
                first = moment
        return points


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS
