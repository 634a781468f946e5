"""What a benchmark found beside what it must hold: printed, and left in `build/bench/` for whoever joins them."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "build" / "bench"
JOINED_BY: Final = "SLAGBOOM_BENCHMARKS"
"""Set in the environment where the limits of several benchmarks are shown together at the end."""
WIDTH: Final = 116
LOAD_MAX: Final = 1.5
"""Processes that want to run at a time, averaged over a minute; above it times are others' as much as ours."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stated limit: `measured` at most `limit`, or at least where `at_least` says so; `unit` for people."""

    what: str
    measured: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def held(self) -> bool:
        """Whether the limit holds."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Report:
    """A benchmark's result: `figures` have no limit, `notes` a reader must know, `timed` where load counts."""

    name: str
    bars: list[Bar]
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    timed: bool = True


def finish(report: Report) -> int:
    """Write the report to its file, print limits and notes; 1 if a limit was missed."""
    load = os.getloadavg()[0]
    notes = report.notes + ([busy(load)] if report.timed and load > LOAD_MAX else [])
    FOLDER.mkdir(parents=True, exist_ok=True)
    held = all(bar.held for bar in report.bars)
    added = {"notes": notes, "held": held, "machine": machine(), "at": now(), "load": round(load, 2)}
    whole = {**asdict(report), **added}
    (FOLDER / f"{report.name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    screen = console()
    if report.bars and JOINED_BY not in os.environ:
        screen.print(bars_table({report.name: report.bars}))
    for note in notes:
        screen.print(f"[yellow]{note}")
    return int(not held)


def bars_table(bars: Mapping[str, list[Bar]]) -> Table:
    """One row a limit."""
    table = Table("benchmark", "what", "measured", "limit", "", title="Limits")
    for name, of_one in bars.items():
        for bar in of_one:
            side = "at least" if bar.at_least else "at most"
            mark = "[green]held" if bar.held else "[red]MISSED"
            limit = f"{side} {number(bar.limit, bar.unit)}"
            table.add_row(name, bar.what, number(bar.measured, bar.unit), limit, mark)
    return table


def number(value: float, unit: str) -> str:
    """With as many digits as tell something."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def read(name: str) -> dict[str, Any]:
    """The last report of a benchmark, with what `finish` added."""
    whole: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return whole


def console() -> Console:
    """Standard output, wide enough for the tables also where it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def busy(load: float) -> str:
    """What a load says of the times."""
    return f"load average {load:.1f}: others were at work and times say little; measure anew on an idle machine"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
    }
