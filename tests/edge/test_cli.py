"""The command itself: help, exit codes, and that every failure is one line and never a traceback."""

import importlib.metadata
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import cli
from gate_controller.errors import ConfigError, DeviceError, ListFileError, StoreError

ROOT = Path(cli.__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "edge.cli")


def really(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with buffered output as people have it."""
    settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "cwd": ROOT, **options}
    settings["env"] = {**settings.get("env", os.environ), "PYTHONUNBUFFERED": ""}
    return subprocess.run([*COMMAND, *args], check=False, **settings)


COMMANDS = ("read", "replay", "list", "list check", "why", "check-config", "run", "demo", "sim")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_helps_with_an_example(slagboom: Callable[..., Any], command: str) -> None:
    said = slagboom(*command.split(), "--help")
    assert said.code == 0
    assert f"slagboom {command}".strip() in said.out
    if command not in ("", "list"):
        assert f"Example: slagboom {command} " in said.out


def test_help_answers_without_loading_models_or_pictures() -> None:
    probe = (
        "import sys, edge.cli\n"
        "try: edge.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'cv2', 'onnxruntime', 'numpy', 'fast_plate_ocr', 'aiosqlite', 'torch'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "Usage" in done.stdout
    assert done.stderr.strip() == "[]"


def test_the_version_is_printed(slagboom: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"9.9 of {name}")
    assert slagboom("--version").out == "slagboom 9.9 of slagboom\n"

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert slagboom("--version").out == "slagboom from a checkout\n"


def test_a_shell_can_be_taught_to_complete() -> None:
    any_shell = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = really("--show-completion", "bash", env=any_shell)
    assert done.returncode == 0
    assert "_SLAGBOOM_COMPLETE" in done.stdout
    words = {**os.environ, "_SLAGBOOM_COMPLETE": "complete_bash", "COMP_WORDS": "slagboom re", "COMP_CWORD": "1"}
    assert really(env=words).stdout.split() == ["read", "replay"]


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("reed",), "reed"),
        (("read",), "IMAGE"),
        (("read", "--jsn", "x.jpg"), "--jsn"),
        (("replay", "x.avi"), "--list"),
        (("why", "X-1"), "--lane"),
        (("replay", "x.avi", "--list", "l.csv", "--direction", "up"), "up"),
    ],
)
def test_a_wrong_call_names_the_word_and_ends_with_2(
    slagboom: Callable[..., Any], args: tuple[str, ...], word: str
) -> None:
    said = slagboom(*args)
    assert said.code == 2
    assert word in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (StoreError("a.db: damaged; move it away"), ["error: a.db: damaged; move it away"]),
        (ConfigError(["a: one", "b: two"]), ["error: a: one", "error: b: two"]),
        (
            ListFileError([f"l.csv: line {n}: bad" for n in range(1, 53)]),
            [*(f"error: l.csv: line {n}: bad" for n in range(1, 51)), "error: and 2 more; mend these first"],
        ),
        (
            ExceptionGroup("", [StoreError("x"), ExceptionGroup("", [DeviceError("y")])]),
            ["error: x", "error: y"],
        ),
        (OSError(28, "No space left on device", "v.db"), ["error: v.db: No space left on device; free space or "
                                                          "choose another place"]),
    ],
    ids=["one", "several", "too many", "from tasks", "the machine"],
)  # fmt: skip
def test_an_error_is_lines_of_text_and_exit_code_2(
    slagboom: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception, lines: list[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("edge.commands.check_config.check", fail)
    said = slagboom("check-config", "x.toml")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == lines


@pytest.mark.parametrize("error", [ValueError("a bug"), ExceptionGroup("", [StoreError("x"), ValueError("a bug")])])
def test_a_bug_is_not_dressed_up_as_bad_input(
    slagboom: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("edge.commands.check_config.check", fail)
    with pytest.raises((ValueError, ExceptionGroup)) as raised:
        cli.main(["check-config", "x.toml"])
    left = raised.value.exceptions if isinstance(raised.value, ExceptionGroup) else (raised.value,)
    assert [str(bug) for bug in left] == ["a bug"]


def test_an_interruption_ends_with_130(slagboom: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edge.commands.check_config.check", interrupt)
    said = slagboom("check-config", "x.toml")
    assert said.code == 130
    assert "Traceback" not in said.err


def users(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "users.csv"
    # Plates of no known layout: each gives one line of warning.
    rows = "".join(f"u{n},QQ{n:05}QQ\n" for n in range(count))
    path.write_text("external_id,plate\n" + rows)
    return path


def test_whoever_stops_reading_our_answers_ends_us_quietly(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "list", "check", str(users(tmp_path, 90)), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(30) == 1


@pytest.mark.parametrize("as_json", [True, False])
def test_answers_that_find_no_space_are_an_error(tmp_path: Path, as_json: bool) -> None:
    with Path("/dev/full").open("w") as full:
        done = really(
            "list", "check", str(users(tmp_path, 3)), *(["--json"] if as_json else []),
            stdout=full, stderr=subprocess.PIPE, capture_output=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: output: No space left on device; free space or choose another place\n"


def test_a_file_limit_is_an_error_too(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    with (tmp_path / "out").open("w") as out:
        done = really(
            "list", "check", str(users(tmp_path, 3)), "--json",
            stdout=out, stderr=subprocess.PIPE, capture_output=False, preexec_fn=limit,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: output: File too large; free space or choose another place\n"


def test_answers_are_utf_8_whatever_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("external_id,plate\nu1,TÖL-SL 123456\n", "utf-8")
    done = really("list", "check", str(path), "--json", env={**os.environ, "PYTHONIOENCODING": "ascii"}, text=False)
    assert done.returncode == 0
    assert "TÖL SL 123456" in done.stdout.decode()
    plain = really("list", "check", str(path), env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert plain.returncode == 0, plain.stderr
    assert "can be used: 1 users" in plain.stdout
