"""Play many seeds: `python -m tests.simulation --seeds 5000 --results build/simulation.jsonl`.

With a results file a run goes on where the last one stopped; lines of other code than today's do not count. A
seed that fails is told with the command that plays it again. Ends with 1 if any failed.
"""

import argparse
import ast
import hashlib
import json
import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

from tests.simulation.play import DAYS, Result, play

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMAS = ("sync/schema", "hardware_sim/portal/schema")
WEEKS_A_PROCESS = 50
"""A process grows by some 2 MB a week, and makes room for a new one before that is much."""


def files() -> list[Path]:
    """What a seed's result depends on: the modules that the game has loaded, and the tables that they make."""
    loaded = [getattr(module, "__file__", None) for module in sys.modules.values()]
    modules = {Path(name).resolve() for name in loaded if name} - {Path(__file__).resolve()}
    tables = {path for schema in SCHEMAS for path in (ROOT / schema).glob("*.sql")}
    return sorted(tables | {path for path in modules if _is_ours(path)})


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(ROOT) and "site-packages" not in path.parts and not path.name.startswith("test_")


def fingerprint() -> str:
    """Of the code that a seed's result depends on."""
    digest = hashlib.blake2b(digest_size=8)
    for path in files():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + meaning(path) + b"\0")
    return digest.hexdigest()


def meaning(path: Path) -> bytes:
    """A table as it is written; of a module what it does, whatever is said of it in comments and docstrings."""
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_said(line)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_said(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def known(results: Path, code: str, days: float) -> dict[int, str]:
    """Seeds already played by this code, each with what broke."""
    lines = results.read_text().splitlines() if results.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return {row["seed"]: row["broken"] for row in found if (row["code"], row["days"]) == (code, days)}


def main() -> int:
    """Play, tell, remember."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--days", type=float, default=DAYS, help="virtual days of each")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--results", type=Path, help="file to which results are appended, to go on later")
    asked = parser.parse_args()
    code = fingerprint()
    done = known(asked.results, code, asked.days) if asked.results else {}
    wanted = range(asked.first, asked.first + asked.seeds)
    todo = [seed for seed in wanted if seed not in done]
    failed = {seed: broken for seed, broken in done.items() if seed in wanted and broken}
    for seed, broken in failed.items():
        _tell(seed, broken, asked.days)
    totals: dict[str, int] = {}
    begun = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(asked.jobs, maxtasksperchild=WEEKS_A_PROCESS) as pool:
        for result in pool.imap_unordered(partial(play, days=asked.days), todo):
            if asked.results:
                _remember(asked.results, result, code, asked.days)
            for what, count in result.counts.items():
                totals[what] = totals.get(what, 0) + count
            if result.broken:
                failed[result.seed] = result.broken
                _tell(result.seed, result.broken, asked.days)
    took_s = time.perf_counter() - begun
    print(f"{len(wanted)} seeds of {asked.days:g} days, {len(failed)} failed; {len(todo)} played now", end="")
    print(f" in {took_s:.0f} s: {len(todo) / took_s:.2f} a second on {asked.jobs} processes")
    print("faults:", ", ".join(f"{count} {what}" for what, count in sorted(totals.items())))
    return 1 if failed else 0


def _tell(seed: int, broken: str, days: float) -> None:
    again = f"python -m tests.simulation --first {seed} --seeds 1" + (f" --days {days:g}" if days != DAYS else "")
    print(f"seed {seed}: {broken}\n    again: {again}", flush=True)


def _remember(results: Path, result: Result, code: str, days: float) -> None:
    results.parent.mkdir(parents=True, exist_ok=True)
    row = {"seed": result.seed, "code": code, "days": days, "broken": result.broken, "trace": result.trace}
    with results.open("a") as out:
        out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
