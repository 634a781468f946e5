"""Runs the benchmarks, each in a process of its own, and ends on one table: `python -m benchmarks [NAME...]`.

A benchmark is a module of this folder that prints its table when run, leaves a report in `build/bench/`, and ends
with 1 when a limit it states is missed. Here they are joined in `build/bench.json`. `--list` names them.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks import _report
from benchmarks._report import Bar

HERE: Final = Path(__file__).resolve().parent
JOINED: Final = _report.ROOT / "build" / "bench.json"

BENCHMARKS: Final = (
    "lookup", "rules", "false_opens", "plate_free", "readers", "clips", "frame_to_relay", "sync", "million",
    "storm",
)  # fmt: skip
"""In the order in which they run."""


def about(name: str) -> str:
    """The first line of what a benchmark says of itself, without importing it."""
    text = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0]


def main(arguments: list[str]) -> int:
    """Run the wanted benchmarks, or all: 0 if every limit held, 1 if not, 2 for a name that is none."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Runs the benchmarks, all or those named.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    asked = parser.parse_args(arguments)
    if asked.list:
        for name in BENCHMARKS:
            print(f"{name:16} {about(name)}")
        return 0
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    return run(asked.names or list(BENCHMARKS))


def run(names: list[str]) -> int:
    """Each of them in turn, then the table of all limits."""
    console, begun_s, load = _report.console(), time.perf_counter(), os.getloadavg()[0]
    if load > _report.LOAD_MAX:
        console.print(f"[yellow]{_report.busy(load)}")
    reports: dict[str, dict[str, Any]] = {}
    broken = []
    for place, name in enumerate(names, 1):
        console.print(f"\n[bold]{place}/{len(names)} {name}[/]: {about(name)}", highlight=False)
        start_s = time.perf_counter()
        (_report.FOLDER / f"{name}.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        done = subprocess.run(command, cwd=_report.ROOT, env={**os.environ, _report.JOINED_BY: "1"}, check=False)
        took_s = time.perf_counter() - start_s
        console.print(f"{name}: {took_s:.0f} s", style="dim", highlight=False)
        if (_report.FOLDER / f"{name}.json").exists():
            reports[name] = {**_report.read(name), "took_s": round(took_s, 1)}
        else:
            broken.append(f"{name}: ended with status {done.returncode} and no result")
    return conclude(console, reports, broken, time.perf_counter() - begun_s)


def conclude(console: Console, reports: dict[str, dict[str, Any]], broken: list[str], took_s: float) -> int:
    """The last table, and the joined file."""
    JOINED.parent.mkdir(exist_ok=True)
    whole = {"at": _report.now(), "machine": _report.machine(), "took_s": round(took_s, 1), "benchmarks": reports}
    JOINED.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    bars = {name: [Bar(**bar) for bar in report["bars"]] for name, report in reports.items()}
    if bars:
        console.print()
        console.print(_report.bars_table(bars))
    notes = [f"{name}: {note}" for name, report in reports.items() for note in report["notes"]]
    for line in broken + notes:
        console.print(f"[yellow]{line}", highlight=False)
    missed = [name for name, of_one in bars.items() if not all(bar.held for bar in of_one)]
    verdict = f"a limit was missed in: {', '.join(missed)}" if missed else "every limit that was measured held"
    where = os.path.relpath(JOINED, _report.ROOT)
    console.print(f"{verdict}; {took_s:.0f} s in all, written to {where}", highlight=False)
    return int(bool(missed or broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
