"""The rules of the house, each shown to bite: imports, purity, mirrored tests, sizes, shipped binaries, clean text.

A rule that only ever passes proves nothing, so every scanner here is also run over text in which the offence is
planted. What the rules mean is told in `docs/ARCHITECTURE.md`.
"""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("edge", "gate_controller", "recognition", "sync", "hardware_sim")
BIN = Path(sys.executable).parent


def tracked() -> list[Path]:
    """Every file of the checkout as git lists it, or as it lies there where git is not to be had."""
    if shutil.which("git"):
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
        if listing.returncode == 0:
            return [
                path for name in listing.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()
            ]
    made = re.compile(r"(?:^|/)(?:\.(?!ci/|gitignore)|__pycache__/|build/|dist/|checkpoints/)")
    return [path for path in ROOT.rglob("*") if path.is_file() and not made.search(str(path.relative_to(ROOT)))]


def modules() -> list[Path]:
    """Every Python file of the five packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


# Imports


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts over the packages in a folder."""
    command = [str(BIN / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages and their contracts, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        ignore = shutil.ignore_patterns("__pycache__", "*.onnx", "*.npz")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    return tmp_path


def test_import_contracts_hold(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


ARROWS = [
    ("gate_controller/access.py", "import recognition.frame"),
    ("gate_controller/access.py", "import sync.messages"),
    ("gate_controller/access.py", "import edge.config"),
    ("recognition/frame.py", "import sync.messages"),
    ("sync/messages.py", "import recognition.frame"),
    ("recognition/frame.py", "import edge.config"),
    ("sync/messages.py", "def late():\n    import edge.config"),
    ("edge/config.py", "import hardware_sim.world"),
    ("edge/cli.py", "import hardware_sim.world"),
    ("edge/config.py", "import recognition.training.draw"),
    ("sync/messages.py", "import recognition.training.draw"),
    ("hardware_sim/portal/records/audit.py", "import hardware_sim.portal.house"),
    ("hardware_sim/portal/fleet/pool.py", "import hardware_sim.portal.devices.viewing"),
]


@pytest.mark.parametrize(("file", "line"), ARROWS)
def test_an_import_against_an_arrow_breaks_a_contract(copy: Path, file: str, line: str) -> None:
    with (copy / file).open("a") as out:
        out.write(f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout
    importer, target = file.removesuffix(".py").replace("/", "."), line.split()[-1]
    assert re.search(rf"{importer} -> {target}", done.stdout), done.stdout


def test_every_forbidden_module_is_barred_from_the_core(copy: Path) -> None:
    """One planted import a forbidden module; all must be named."""
    forbidden = {
        "asyncio",
        "socket",
        "ssl",
        "sqlite3",
        "threading",
        "subprocess",
        "time",
        "random",
        "os",
        "pathlib",
    }
    for name in forbidden:
        (copy / "gate_controller" / f"planted_{name}.py").write_text(f"import {name}\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    named = set(re.findall(r"gate_controller\.planted_(\w+) ->", done.stdout))
    assert named == forbidden, done.stdout


# Purity: what imports cannot show

PURE_IMPORTS = {"__future__", "abc", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "enum"}
PURE_IMPORTS |= {
    "functools",
    "hashlib",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
    "struct",
    "types",
    "typing",
    "unicodedata",
}
IMPURE_CALLS = {
    "open",
    "print",
    "input",
    "eval",
    "exec",
    "compile",
    "breakpoint",
    "__import__",
    "globals",
    "hash",
    "id",
}
CLOCK_READS = {"now", "utcnow", "today"}
MUTATORS = {
    "append",
    "extend",
    "insert",
    "add",
    "update",
    "setdefault",
    "pop",
    "popitem",
    "clear",
    "remove",
    "discard",
}
UNBOUNDED = {"cache", "cached_property"}


def impurities(source: str) -> Iterator[str]:
    """Each offence against the core's purity in a module's text, as "line: what"."""
    tree = ast.parse(source)
    shared = _module_names(tree)
    for node in ast.walk(tree):
        what = _impurity(node, shared)
        if what:
            yield f"{getattr(node, 'lineno', 0)}: {what}"


def _module_names(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _impurity(node: ast.AST, shared: set[str]) -> str | None:
    match node:
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "waits"
        case ast.Global():
            return f"global {', '.join(node.names)}"
        case ast.Import():
            foreign = [alias.name for alias in node.names if not _is_pure(alias.name)]
            return f"imports {foreign[0]}" if foreign else None
        case ast.ImportFrom(module=str() as name, level=0) if not _is_pure(name):
            return f"imports {name}"
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
            return f"calls {name}()"
        case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK_READS:
            return f"reads the clock: {name}()"
        case ast.Call(func=ast.Attribute(attr="astimezone"), args=[], keywords=[]):
            return "reads the machine's time zone: astimezone()"
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
            owner in shared and name in MUTATORS
        ):
            return f"changes module state: {owner}.{name}()"
        case ast.Subscript(value=ast.Name(id=owner), ctx=ast.Store() | ast.Del()) if owner in shared:
            return f"changes module state: {owner}[...]"
        case ast.FunctionDef(decorator_list=marks):
            memos = [text for mark in marks if (text := ast.unparse(mark).removeprefix("functools.")) in UNBOUNDED]
            return f"keeps state without bound: {memos[0]}" if memos else None
    return None


def _is_pure(name: str) -> bool:
    return name in PURE_IMPORTS or name.split(".")[0] in ("rapidfuzz", "gate_controller")


def test_the_core_is_pure() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for path in (ROOT / "gate_controller").rglob("*.py")
        for what in impurities(path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "planted",
    [
        "async def f(): pass",
        "async def f():\n    await g()",
        "import os",
        "from pathlib import Path",
        "import numpy as np",
        "from zoneinfo import ZoneInfo",
        "def f():\n    return open('x')",
        "def f():\n    print('x')",
        "def f():\n    return datetime.now(UTC)",
        "def f():\n    return date.today()",
        "def f(t):\n    return t.astimezone()",
        "SEEN = {}\ndef f(x):\n    SEEN[x] = 1",
        "SEEN: dict[str, int] = {}\ndef f(x):\n    del SEEN[x]",
        "SEEN = []\ndef f(x):\n    SEEN.append(x)",
        "COUNT = 0\ndef f():\n    global COUNT\n    COUNT += 1",
        "@functools.cache\ndef f(): pass",
        "from functools import cached_property\nclass A:\n    @cached_property\n    def f(self): pass",
        "def f(x):\n    return hash(x)",
    ],
)
def test_a_planted_impurity_is_found(planted: str) -> None:
    assert list(impurities(planted))


def test_pure_text_is_left_alone() -> None:
    source = (
        "from dataclasses import dataclass\nfrom rapidfuzz import fuzz\nTABLE = {'a': 1}\n"
        "def f(x, t, tz):\n    seen = []\n    seen.append(TABLE[x])\n    return seen, t.astimezone(tz)\n"
    )
    assert not list(impurities(source))


def unfrozen(source: str) -> list[str]:
    """Names of the dataclasses that are not both frozen and slotted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for mark in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            if not ast.unparse(mark).startswith(("dataclass", "dataclasses.dataclass")):
                continue
            given = {key.arg for key in getattr(mark, "keywords", ()) if ast.unparse(key.value) == "True"}
            if not {"frozen", "slots"} <= given:
                found.append(getattr(node, "name", "?"))
    return found


def test_values_of_the_core_are_frozen_and_slotted() -> None:
    core = (ROOT / "gate_controller").glob("*.py")
    found = [f"{path.name}: {name}" for path in core for name in unfrozen(path.read_text())]
    assert not found
    assert unfrozen("@dataclass(frozen=True)\nclass A: pass\n@dataclass\nclass B: pass") == ["A", "B"]


# Bans that ruff holds


@pytest.mark.parametrize(
    ("file", "source", "banned"),
    [
        ("edge/daemon.py", "import datetime\n\nx = datetime.datetime.now()\n", True),
        ("sync/store.py", "from datetime import datetime\n\nx = datetime.utcnow()\n", True),
        ("gate_controller/lane.py", "import time\n\nx = time.time()\n", True),
        ("hardware_sim/world.py", "from time import monotonic\n\nx = monotonic()\n", True),
        ("edge/daemon.py", "import asyncio\n\nx = asyncio.create_task(f())\n", True),
        ("edge/clock.py", "import time\n\nx = time.monotonic()\n", False),
    ],
)
def test_clock_reads_and_loose_tasks_are_banned(file: str, source: str, banned: bool) -> None:
    command = [str(BIN / "ruff"), "check", "--select", "TID251", "--no-cache", "--stdin-filename", file, "-"]
    done = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False, timeout=60)
    assert ("TID251" in done.stdout) is banned, done.stdout + done.stderr


# A test file for each module

NO_TEST_OF_ITS_OWN = {
    "gate_controller/errors.py": "the error tree: classes without behaviour",
    "gate_controller/moment.py": "a value without behaviour",
    "gate_controller/site.py": "values without behaviour",
    "sync/orders.py": "values without behaviour",
    "recognition/training": "needs torch, which is not installed where the tests run; its drawing is tested",
}
TESTED_THROUGH = {
    "gate_controller/lane_absorb.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_ask.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_hold.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_orders.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_outputs.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_scan.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_input.py": "tests/gate_controller/test_lane.py",
    "gate_controller/lane_state.py": "tests/gate_controller/test_lane.py",
    "sync/cached_list.py": "tests/sync/test_cached_list.py",
}
"""Parts of one whole, which nobody calls by themselves: the lane is driven through `step`, a list by its store."""
NO_MODULE_OF_ITS_OWN = tuple(
    f"tests/{name}" for name in ("stories", "fixtures", "faults", "simulation", "fuzz", "model")
)


def mirror_of(module: Path) -> Path:
    """Where the test file of a module lies."""
    return Path("tests") / module.parent / f"test_{module.name}"


def excused(path: Path, table: dict[str, str]) -> bool:
    """Whether a path, or a folder above it, is listed with a reason."""
    return any(path.as_posix() == name or Path(name) in path.parents for name in table)


def imports(test: Path, module: Path) -> bool:
    """Whether a test file names the module in an import; the command line's also count by their command."""
    dotted = module.with_suffix("").as_posix().replace("/", ".")
    parent, stem = dotted.rsplit(".", 1)
    text = test.read_text() if test.is_file() else ""
    return bool(re.search(rf"{re.escape(dotted)}\b|from {re.escape(parent)} import .*\b{stem}\b", text))


def test_every_module_has_its_test_file() -> None:
    missing = []
    for path in modules():
        module = path.relative_to(ROOT)
        if module.name == "__init__.py" or excused(module, NO_TEST_OF_ITS_OWN | TESTED_THROUGH):
            continue
        if not imports(ROOT / mirror_of(module), module):
            missing.append(f"{mirror_of(module)} (of {module})")
    assert not missing, "no test file, or one that does not import its module:\n" + "\n".join(missing)


def test_every_test_file_has_its_module() -> None:
    """`test_lane.py` is of `lane.py`; so is `test_lane_invariants.py`, one side of it."""
    orphans = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        test = path.relative_to(ROOT)
        if test.parent == Path("tests") or test.as_posix().startswith(NO_MODULE_OF_ITS_OWN):
            continue
        words = test.stem.removeprefix("test_").split("_")
        folder = ROOT / Path(*test.parts[1:-1])
        stems = ["_".join(words[: count + 1]) for count in range(len(words))]
        if not any((folder / f"{stem}.py").is_file() or (folder / stem).is_dir() for stem in stems):
            orphans.append(test.as_posix())
    assert not orphans


def test_excuses_name_what_exists() -> None:
    named = (*NO_TEST_OF_ITS_OWN, *LONG_MODULES, *TESTED_THROUGH, *TESTED_THROUGH.values())
    assert not [name for name in named if not (ROOT / name).exists()]


# Sizes

MODULE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
LONG_MODULES = {
    "gate_controller/layouts.py": "a table: the plate layouts of European countries, each with its source",
}
LONG_FUNCTIONS: dict[str, str] = {}


def long_functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and lines of each function over the limit."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.name, lines


def test_no_module_or_function_grows_past_reading() -> None:
    long = []
    for path in modules():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text()
        lines = text.count("\n")
        if lines > MODULE_LINES_MAX and name not in LONG_MODULES:
            long.append(f"{name}: {lines} lines")
        for function, length in long_functions(text):
            if f"{name}:{function}" not in LONG_FUNCTIONS:
                long.append(f"{name}:{function}: {length} lines")
    assert not long, "split it, or list it with a reason:\n" + "\n".join(long)
    assert list(long_functions("def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX)) == [
        ("f", FUNCTION_LINES_MAX + 1)
    ]


# What is shipped


def is_binary(path: Path) -> bool:
    """Whether a file holds bytes that no text has."""
    return b"\0" in path.read_bytes()[:8192]


def unlisted(binaries: list[str], notice: str) -> list[str]:
    """The binaries that the notice does not name by their path."""
    return [name for name in binaries if name not in notice]


def test_notice_names_every_binary() -> None:
    binaries = [path.relative_to(ROOT).as_posix() for path in tracked() if is_binary(path)]
    assert any(name.endswith(".onnx") for name in binaries), "the models are missing"
    assert not unlisted(binaries, (ROOT / "NOTICE").read_text())
    assert unlisted(["a/b.onnx"], "a/c.onnx") == ["a/b.onnx"]


def test_notice_names_no_binary_that_is_gone() -> None:
    named = re.findall(r"^  ((?:\w+/)+[\w.-]+)$", (ROOT / "NOTICE").read_text(), re.MULTILINE)
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]


# Clean text: nothing in the project names the machine it was made on, or where packages come from.
# The words are written apart here, so that this file does not find itself.

FOREIGN = re.compile(
    "|".join(
        (
            r"(?<![\w.])/" + r"(?:(?:work|root|mnt)/|opt/(?!slagboom\b))\w",
            r"(?<![\w.])/" + r"home/\w",
            "pypi" + r"\.org",
            "pythonhosted" + r"\.org",
            "npmjs" + r"\.(?:org|com)",
            "deb" + r"\.debian\.org",
            "--(?:extra-)?index" + "-url",
            "--find" + "-links",
            r"\b[\w.-]+\." + r"internal\b",
        )
    )
)


def foreign(text: str) -> list[str]:
    """Every machine path and registry named in a text."""
    return [match.group() for match in FOREIGN.finditer(text)]


def test_no_machine_path_or_registry_is_named() -> None:
    found = []
    for path in tracked():
        if is_binary(path):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found += [f"{path.relative_to(ROOT)}:{number}: {what}" for what in foreign(line)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "planted",
    [
        "see /" + "work/shared/a.md",
        'open("/' + 'root/x")',
        "/" + "home/anna/site.toml",
        "https://py" + "pi.org/simple",
        "--index" + "-url http://x",
        "files.python" + "hosted.org",
    ],
)
def test_a_planted_path_or_registry_is_found(planted: str) -> None:
    assert foreign(planted)


def test_everyday_paths_are_left_alone() -> None:
    assert not foreign(
        "/etc/slagboom/site.toml and /var/lib/slagboom, /dev/ttyUSB0, docs/work/x, https://www.apache.org/"
    )


# Dependencies


def requirements() -> dict[str, list[str]]:
    """Each named list of requirements in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"base": project["dependencies"], **project["optional-dependencies"]}


def plain_name(requirement: str) -> str:
    """A requirement's package, as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~;@ ]", requirement)[0]).lower()


def test_base_dependencies_are_few_and_each_has_its_reason() -> None:
    base = [requirement for requirement in requirements()["base"] if plain_name(requirement) != "slagboom"]
    assert len(base) <= 14
    comments = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("#")]
    for requirement in base:
        assert any(re.search(rf"\b{re.escape(plain_name(requirement))}\b", line) for line in comments), requirement


def pins(text: str) -> dict[str, tuple[str, int]]:
    """Package to (version, number of hashes) of a constraints file."""
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    found = {}
    for entry in entries:
        pinned = re.match(r"([\w.-]+)==(\S+)", entry)
        assert pinned, entry
        found[plain_name(pinned.group(1))] = (pinned.group(2), entry.count("--hash=sha256:"))
    return found


def test_every_requirement_is_pinned_with_hashes() -> None:
    from packaging.requirements import Requirement

    pinned = pins((ROOT / "constraints.txt").read_text())
    wanted = [Requirement(text) for kind in ("base", "demo", "dev") for text in requirements()[kind]]
    loose = [
        str(need) for need in wanted if not need.specifier.contains(pinned.get(plain_name(need.name), ("0", 0))[0])
    ]
    assert not loose, "run `make lock`"
    assert all(hashes for _, hashes in pinned.values())
    assert "torch" not in pinned
