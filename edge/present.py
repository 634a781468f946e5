"""How commands speak: tables and progress for people, one JSON object a line for programs, errors for both.

Answers go to stdout; errors and progress go to stderr, so that a pipe holds answers only. Not here: what is
said, and logging. Rich is imported where it is used, so that a command which prints JSON never waits for it.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from gate_controller.errors import ConfigError, ListFileError, SlagboomError

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH: Final = 160
"""Columns of a table that goes into a file or a pipe, which has no width of its own."""

PROBLEMS_LEN_MAX: Final = 50
"""Of one file's problems this many are printed; who has more must mend the file's making, not its rows."""

STYLES: Final = {"granted": "green", "denied": "red", "error": "bold red", "warning": "yellow"}


def json_line(value: Mapping[str, Any]) -> None:
    """One object on one line of stdout, at once, in UTF-8 whatever the terminal's encoding."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, stderr: bool = False) -> None:
    """A table. Cells are text as it is; "granted", "denied" and their like are coloured."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, title=Text(title, "bold") if title else None, title_justify="left")
    for row in rows:
        cells = ["" if cell is None else str(cell) for cell in row]
        drawn.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in cells))
    _console(stderr=stderr).print(drawn)


def say(text: str, *, style: str = "", stderr: bool = False) -> None:
    """A line of plain text."""
    _console(stderr=stderr).print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)


def error(text: str) -> None:
    """A line on stderr, `error: PLACE: WHAT; FIX`."""
    _marked("error", text)


def warning(text: str) -> None:
    """A line on stderr about something that was used all the same."""
    _marked("warning", text)


def failure(cause: SlagboomError) -> None:
    """An error as its lines: one a problem, the first fifty and how many more."""
    problems = cause.problems if isinstance(cause, ConfigError | ListFileError) else (str(cause),)
    for problem in problems[:PROBLEMS_LEN_MAX]:
        error(problem)
    if len(problems) > PROBLEMS_LEN_MAX:
        error(f"and {len(problems) - PROBLEMS_LEN_MAX} more; mend these first")


class Bar(Protocol):
    """A progress bar, or nothing where none is wanted."""

    def __call__(self, text: str = "", *, done: float = 1) -> None:
        """`done` more units are done; `text` says what is worked on."""


@contextmanager
def progress(label: str, total: float | None, *, lines: bool) -> Iterator[Bar]:
    """A bar on a terminal's stderr. None is drawn elsewhere, or where `lines` go to the same terminal meanwhile."""
    if not sys.stderr.isatty() or (lines and sys.stdout.isatty()):
        yield lambda text="", *, done=1: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    label_column = TextColumn("{task.description}", markup=False)
    columns = (label_column, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as drawn:
        task = drawn.add_task(label, total=total)

        def bar(text: str = "", *, done: float = 1) -> None:
            drawn.update(task, advance=done, description=f"{label} {text}" if text else None)

        yield bar


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """What C libraries write to stderr meanwhile is dropped: our own line names the file and the fix."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH)


def _marked(word: str, text: str) -> None:
    if sys.stderr.isatty():
        from rich.text import Text

        _console(stderr=True).print(Text.assemble((f"{word}: ", STYLES[word]), text), soft_wrap=True)
    else:
        print(f"{word}: {text}", file=sys.stderr, flush=True)
