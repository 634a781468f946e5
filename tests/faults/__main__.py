"""Play faults against real processes: `python -m tests.faults --each 200 --results build/faults.jsonl`.

With a results file a run goes on where the last one stopped. A block that breaks keeps its folder and is told with
the command that plays it again. Ends with 1 if any broke.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.faults.block import Round, play
from tests.faults.kinds import KINDS

BLOCK_FAULTS: Final = 50
ROUND_FAULTS: Final = 5

Todo = list[tuple[str, int, int]]
"""Kind, number of the block, faults."""


def rounds_of(kind: str, faults: int) -> list[tuple[str, int]]:
    """So many faults in rounds."""
    whole, rest = divmod(faults, ROUND_FAULTS)
    return [(kind, ROUND_FAULTS)] * whole + [(kind, rest)] * bool(rest)


def read(results: Path | None) -> list[dict[str, Any]]:
    """Every finished round so far, and every block that broke."""
    if results is None or not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines() if line.endswith("}")]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a kind."""
    lines = [f"{'fault':<12} {'faults':>6} {'broken':>6} {'healed in s: median':>20} {'most':>6}  counted"]
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        healed = [row["healed_s"] for row in own if "healed_s" in row] or [0.0]
        counts: Counter[str] = Counter()
        for row in own:
            counts.update(row.get("counts", {}))
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))
        faults = sum(row.get("faults", 0) for row in own)
        broken = sum("broken" in row for row in own)
        lines.append(
            f"{kind:<12} {faults:>6} {broken:>6} {statistics.median(healed):>20.2f} {max(healed):>6.2f}  {said}"
        )
    return "\n".join(lines)


def main() -> int:
    """Play, tell, remember."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--each", type=int, default=20, help="faults of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help="only these, with commas between")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--block", type=int, help="only this block of each kind, whatever is known of it")
    parser.add_argument("--results", type=Path, help="file to which results are appended, to go on later")
    asked = parser.parse_args()
    kinds = asked.kinds.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        parser.error(f"no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    rows = [row for row in read(asked.results) if row["seed"] == asked.seed and row["kind"] in kinds]
    for row in rows:
        if "broken" in row:
            _tell(asked, row)
    for kind, block, faults in _todo(asked, kinds, rows):
        rows += _play(asked, kind, block, faults)
    print(table(rows))
    return int(any("broken" in row for row in rows))


def _tell(asked: argparse.Namespace, row: dict[str, Any]) -> None:
    again = f"--seed {row['seed']} --kinds {row['kind']} --block {row['block']} --each {asked.each}"
    print(f"{row['kind']} {row['block']}: {row['broken']}\n    again: python -m tests.faults {again}", flush=True)


def _todo(asked: argparse.Namespace, kinds: Sequence[str], rows: Sequence[dict[str, Any]]) -> Todo:
    """Blocks that are to be played; every kind has its turn before the first comes again."""
    if asked.block is not None:
        return [(kind, asked.block, min(BLOCK_FAULTS, asked.each)) for kind in kinds]
    left = {kind: asked.each - sum(r.get("faults", 0) for r in rows if r["kind"] == kind) for kind in kinds}
    block = {kind: 1 + max((r["block"] for r in rows if r["kind"] == kind), default=-1) for kind in kinds}
    todo = []
    while any(count > 0 for count in left.values()):
        for kind in kinds:
            if left[kind] > 0:
                todo.append((kind, block[kind], min(BLOCK_FAULTS, left[kind])))
                block[kind] += 1
                left[kind] -= BLOCK_FAULTS
    return todo


def _play(asked: argparse.Namespace, kind: str, block: int, faults: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def remember(what: dict[str, Any]) -> None:
        rows.append({"seed": asked.seed, "kind": kind, "block": block, **what})
        if asked.results is not None:
            asked.results.parent.mkdir(parents=True, exist_ok=True)
            with asked.results.open("a") as file:
                # A line that a power cut tore off must not take this one with it.
                file.write("\n" + json.dumps(rows[-1]))
                file.flush()
                os.fsync(file.fileno())

    def told(played: Round) -> None:
        remember(asdict(played))

    begun_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="slagboom-faults-")) / "site"
    broken = asyncio.run(play(folder, f"{asked.seed} {kind} {block}", rounds_of(kind, faults), told))
    took_s = time.monotonic() - begun_s
    if broken:
        remember({"broken": broken})
        print(f"kept: {folder}")
        _tell(asked, rows[-1])
    else:
        folder.parent.rmdir()
        print(f"{kind} {block}: {faults} faults in {took_s:.0f} s", flush=True)
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
