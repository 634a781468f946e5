"""Runs every benchmark, each in a process of its own; `python -m benchmarks NAME...` runs some.

A benchmark is a module of this folder that prints its table when run and ends with 1 when a limit it states is
missed. What each measures and against what is told in `README.md` beside this file.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """The benchmarks of this folder; a leading underscore marks what they share."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    """Run the wanted benchmarks, or all; the number of those that missed a limit."""
    unknown = [name for name in wanted if name not in names()]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    missed = []
    for name in wanted or names():
        print(f"\n== {name}", flush=True)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False)
        print(f"   ({time.perf_counter() - start:.0f} s)", flush=True)
        if done.returncode:
            missed.append(name)
    print(f"\n{'every limit held' if not missed else 'a limit was missed in: ' + ', '.join(missed)}")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
