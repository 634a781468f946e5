"""Simulated weeks in which nothing breaks, the same week twice, and bugs planted one by one that are all found.

A planted bug is an edit of the source, which must match exactly once, so that it cannot rot unnoticed. The whole
link is loaded anew from edited text; the rule that must notice is named.
"""

import importlib
import importlib.abc
import importlib.machinery
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.simulation.__main__ import meaning

ROOT = Path(__file__).resolve().parent.parent.parent
WEEKS = 100
"""Some five minutes of one processor; `python -m tests.simulation` plays any number."""
AT_A_TIME = 5
"""Weeks of one test, so that tests that run beside one another share them out."""
SEEDS_MAX = 40
"""Seeds within which a planted bug must show, should other code have changed what its own seed does."""
DAYS = 1.0
"""A planted bug's days have as many faults as the others' weeks."""
BUSY = 7.0
"""And, where double entries or old lists must come up, as much traffic."""


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=1000,
    )


@pytest.mark.parametrize("first", range(0, WEEKS, AT_A_TIME))
def test_whatever_happens_in_a_week_all_comes_right(first: int) -> None:
    done = simulate("--first", str(first), "--seeds", str(AT_A_TIME), "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{AT_A_TIME} seeds of 7 days, 0 failed; {AT_A_TIME} played now" in done.stdout


def test_a_run_goes_on_where_the_last_one_stopped_and_tells_of_what_failed(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    two = ("--seeds", "2", "--days", "0.1", "--results", str(results))
    done = simulate(*two)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results.read_text().splitlines()) == 2
    assert "0 played now" in simulate(*two).stdout
    row = json.loads(results.read_text().splitlines()[0])
    results.write_text(json.dumps({**row, "broken": "S1: planted"}) + "\n")
    told = simulate("--first", str(row["seed"]), "--seeds", "1", "--days", "0.1", "--results", str(results))
    assert told.returncode == 1
    assert f"again: python -m tests.simulation --first {row['seed']} --seeds 1 --days 0.1" in told.stdout


def test_what_a_seed_depends_on_is_what_a_game_loads() -> None:
    """A module that is loaded only while a game is played would not count."""
    code = (
        "import sys\n"
        "from tests.simulation.__main__ import files\n"
        "from tests.simulation.play import play\n"
        "before = files()\n"
        "assert play(0, 0.1).broken == ''\n"
        "new = [str(path) for path in files() if path not in before and path.name != '__init__.py']\n"
        "assert not new, new\n"
        "some = {'guard.py', 'service.py', 'daemon.py', 'watch.py', 'lane.py', '0001_portal.sql'}\n"
        "assert some <= {path.name for path in before}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=1000
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_said_of_the_code_counts_for_nothing_and_what_it_does_for_all(tmp_path: Path) -> None:
    texts = ("LIMIT = 3\n", 'LIMIT = (3)  # So many.\n"""Of them."""\n', "LIMIT = 4\n")
    plain, told, other = (tmp_path / f"{number}.py" for number in range(3))
    for path, text in zip((plain, told, other), texts, strict=True):
        path.write_text(text)
    assert meaning(plain) == meaning(told) != meaning(other)
    assert meaning(ROOT / "tests/simulation/watch.py") != meaning(plain)


@contextmanager
def busy() -> Iterator[None]:
    """As many processes as there are processors do nothing, as hard as they can."""
    count = len(os.sched_getaffinity(0))
    idlers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for idler in idlers:
            idler.kill()
            idler.wait()


def traces(results: Path, first: int, count: int, hash_seed: str) -> dict[int, int]:
    done = simulate(
        "--first", str(first), "--seeds", str(count), "--days", "1", "--jobs", "1", "--results", str(results),
        hash_seed=hash_seed,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    return {row["seed"]: row["trace"] for row in rows}


def test_a_seed_does_the_same_again_in_another_process_however_busy_the_machine_is(tmp_path: Path) -> None:
    # Daemons are told to stop in these days, so that groups cancel sets of tasks.
    quiet = traces(tmp_path / "quiet.jsonl", 4, 2, "1")
    with busy():
        # Another seed comes before: nothing of it may be left.
        loud = traces(tmp_path / "loud.jsonl", 3, 3, "2")
    assert quiet == {seed: loud[seed] for seed in quiet}
    assert len(set(loud.values())) == len(loud)


# ---- planted bugs ----


@dataclass(frozen=True)
class Bug:
    """Edits (module, old text, new text), the rules of which one must notice, and a seed that shows it."""

    edits: tuple[tuple[str, str, str], ...]
    breaks: str
    seed: int = 0
    pace: float = 1.0


CARRY_OUT = "        self._refuse_untimely(cmd)\n        return cmd"
PUT = "            self._list.put(epoch, from_rev, {}, changes, confirmed_at, ops, root)\n"

BUGS = {
    "what is sent counts as stored": Bug(
        (
            (
                "sync.uplink",
                "            publish(self._signer.sign(self._message(rows)))\n",
                "            publish(self._signer.sign(self._message(rows)))\n"
                "            await self._store.acked(rows[-1].seq)\n",
            ),
        ),
        "S1",
    ),
    "the portal does not notice what comes twice": Bug(
        (
            ("hardware_sim.portal.journals.ledgers", "case Event(seq=seq) if seq in known:", "case Event(seq=0):"),
            (
                "sync.database",
                '.read_text(encoding="utf-8")',
                '.read_text(encoding="utf-8").replace(",\\n    UNIQUE (edge, ledger, seq)", "")',
            ),
        ),
        "S7",
    ),
    "the portal acknowledges up to the newest row": Bug(
        (
            (
                "hardware_sim.portal.journals.ledgers",
                "return spans[0][1] if spans and spans[0][0] <= after + 1 else after",
                "return spans[-1][1] if spans else after",
            ),
        ),
        "S1",
        seed=1,
    ),
    "rows that were sent are not sent again": Bug(
        (("sync.outbox", "(f for f in self.flights if f.due_s <= now_s)", "(f for f in () if f.due_s <= now_s)"),),
        "C2",
    ),
    "rows of before are forgotten with the connection": Bug(
        (("sync.outbox", "joined([(acked + 1, newest)])", "()"),), "L[13]"
    ),
    "a change is applied to whatever list there is": Bug(
        (
            ("sync.replica", "if delta.from_ == have.rev and delta.to >= delta.from_:", "if delta.to > have.rev:"),
            ("sync.cached_list", "if at != (epoch, from_rev):", "if at[0] != epoch:"),
            ("sync.cached_list", "if root is not None and found != root:", "if False:"),
        ),
        "S3",
    ),
    "an older whole list replaces a newer one": Bug(
        (("sync.replica", "and part.rev < have.rev", "and part.rev < 0"),), "S2",
        seed=1,
    ),
    "the cursor is not written with the rows": Bug(
        (
            (
                "sync.store",
                PUT.format("to_rev") + "            if",
                PUT.format("from_rev") + "            if",
            ),
            (
                "sync.store",
                "        await self._write(write)\n\n    async def replace_list",
                "        await self._write(write)\n"
                "        await self._write(self._list.put, epoch, from_rev, to_rev, [], confirmed_at)\n\n"
                "    async def replace_list",
            ),
        ),
        "S3",
    ),
    "an order that comes again is carried out again": Bug(
        (
            ("sync.guard", "if cmd.cseq <= mark.cseq:", "if False:"),
            ("sync.guard", "if not fresh:", "if False:"),
        ),
        "S9",
    ),
    "an order is good for ever": Bug(
        (
            ("sync.guard", "self._refuse_untimely(cmd)\n        if cmd.nonce", "if cmd.nonce"),
            ("sync.guard", CARRY_OUT, "        return cmd"),
        ),
        "S9",
        seed=1,
    ),
    "an order waits for the disk however long": Bug(
        (("sync.guard", CARRY_OUT, "        return cmd"),), "S9",
        seed=1,
    ),
    "a portal that is told to stop waiting forgets": Bug(
        (
            (
                "hardware_sim.portal.edges.service",
                "return await asyncio.shield(self._change(changes, beside))",
                "return await self._change(changes, beside)",
            ),
        ),
        "L4",
    ),
    "what was being written at a stop is written again": Bug(
        (("edge.recorder", "batch, commit = self._under_way or self._begin()", "batch, commit = self._begin()"),),
        "S8",
    ),
    "the relay does not wait for the disk": Bug(
        (
            (
                "edge.recorder",
                "        self._under_way = batch, ",
                "        for fact in (fact for _, fact in batch if isinstance(fact, Granted)):\n"
                "            asyncio.get_running_loop().call_soon(self._on_committed, fact.lane, fact.hold)\n"
                "        self._under_way = batch, ",
            ),
        ),
        "S6",
        seed=1,
    ),
    "the occupancy is stored a transaction late": Bug(
        (("sync.journal", "(through, _json(self._next.occupancy))", "(through, _json(self.standing.occupancy))"),),
        "S5",
        seed=6,
    ),
}  # fmt: skip

BUGS |= {
    "the portal gives a place that is taken": Bug(
        (("gate_controller.arbiter", "if len(others) >= self.size:", "if len(others) > self.size:"),),
        "F1|E1",
        seed=1,
        pace=BUSY,
    ),
    "the portal counts its numbers for each user anew": Bug(
        (
            (
                "hardware_sim.portal.journals.stays",
                "fence = max(int(last) + 1, int(now.timestamp() * 1000))",
                "fence = 1 + max((place.fence or 0 for place in places.taken), default=0)",
            ),
        ),
        "F2",
        pace=BUSY,
    ),
    "an entry that nobody was asked about leaves no record beside one that was given": Bug(
        (
            (
                "gate_controller.conflicts",
                "return not home and (one.fence is None or other.fence is None)",
                "return not home and one.fence is None and other.fence is None",
            ),
        ),
        "E1",
        seed=1,
        pace=BUSY,
    ),
    "whoever had left is still counted": Bug(
        (
            ("gate_controller.conflicts", "or end >= stay.since - _slack(o, worst_ms)]", "or worst_ms >= 0]"),
            (
                "gate_controller.conflicts",
                "later.since - slack:\n        return False",
                "later.since - slack:\n        return True",
            ),
        ),
        "E2",
        seed=1,
        pace=BUSY,
    ),
    "a list never grows too old": Bug(
        (("gate_controller.site", "return max(ages)", "return min(ages)"),), "A1", seed=1, pace=BUSY
    ),
}  # fmt: skip

FAMILY = ("gate_controller", "sync", "hardware_sim.portal", "edge", "tests.simulation")


class Editor(importlib.abc.MetaPathFinder):
    """Finds the modules that a bug edits, and gives them their edited text."""

    def __init__(self, bug: Bug) -> None:
        self._bug = bug

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        edits = [(old, new) for module, old, new in self._bug.edits if module == name]
        spec = importlib.machinery.PathFinder.find_spec(name, path) if edits else None
        if spec is not None and spec.origin is not None:
            spec.loader = Edited(name, spec.origin, edits)
        return spec


class Edited(importlib.machinery.SourceFileLoader):
    """A source file with edits."""

    def __init__(self, name: str, path: str, edits: list[tuple[str, str]]) -> None:
        super().__init__(name, path)
        self._edits = edits

    def get_code(self, fullname: str) -> Any:
        text = Path(self.path).read_text()
        for old, new in self._edits:
            assert text.count(old) == 1, f"the edit of {fullname} no longer matches exactly once: {old!r}"
            text = text.replace(old, new)
        return compile(text, f"planted {fullname}", "exec")


@contextmanager
def planted(bug: Bug) -> Iterator[ModuleType]:
    """The game, loaded with the bug; afterwards everything is as it was."""
    taken = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith(FAMILY)}
    editor = Editor(bug)
    sys.meta_path.insert(0, editor)
    try:
        yield importlib.import_module("tests.simulation.play")
    finally:
        sys.meta_path.remove(editor)
        for name in [name for name in sys.modules if name.startswith(FAMILY)]:
            del sys.modules[name]
        sys.modules.update(taken)
        for name, module in taken.items():
            parent, _, child = name.rpartition(".")
            if parent:  # a package outside the family knows the planted one
                setattr(sys.modules[parent], child, module)


def test_a_planted_bug_is_gone_again() -> None:
    def known() -> tuple[object, object]:
        return sys.modules["hardware_sim.portal"], importlib.import_module("hardware_sim").portal

    importlib.import_module("hardware_sim.portal")
    before = known()
    with planted(next(iter(BUGS.values()))):
        assert known() != before
    assert known() == before


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_can_still_be_planted(name: str) -> None:
    for module in {module for module, _, _ in BUGS[name].edits}:
        found = Editor(BUGS[name]).find_spec(module, [str((ROOT / module.replace(".", "/")).parent)])
        assert found is not None, f"there is no {module} any more"
        assert isinstance(found.loader, Edited)
        found.loader.get_code(module)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    bug = BUGS[name]
    with planted(bug) as game:
        for seed in dict.fromkeys((bug.seed, *range(SEEDS_MAX))):
            broken = game.play(seed, DAYS, bug.pace).broken
            if broken:
                break
    assert broken, "no rule noticed"
    assert re.match(f"({bug.breaks}):", broken), broken


def test_the_days_without_a_bug_break_nothing() -> None:
    with planted(Bug((), "")) as game:
        for seed, pace in sorted({(bug.seed, bug.pace) for bug in BUGS.values()}):
            assert game.play(seed, DAYS, pace).broken == ""
