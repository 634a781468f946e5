"""`slagboom list check`: bad rows by their line, plates worth a look, plates that could open for each other."""

import re
from pathlib import Path
from typing import Any, Final

from edge import present
from edge.commands.when import local_zone
from gate_controller.errors import ListFileError
from sync.listfile import read_list

_PLACE: Final = re.compile(r"(?:line (?P<line>\d+)(?:, column (?P<column>\w+))?: )?(?P<message>.*)", re.DOTALL)


def check_list(path: Path, *, as_json: bool) -> int:
    """Print what is wrong or worth a look: 2 if the list cannot be used, 0 if it can."""
    try:
        found = read_list(path, local_zone())
    except ListFileError as refused:
        if not as_json:
            raise
        for problem in refused.problems:
            present.json_line(_object(path, problem.removeprefix(f"{path}: "), "error"))
        return 2
    users = found.allowlist.users_len
    plates = sum(len(user.plates) for user in found.allowlist.users())
    if as_json:
        for warning in found.problems:
            present.json_line(_object(path, str(warning), warning.severity))
        return 0
    if found.problems:
        rows = [(warning.line or "", warning.column, warning.message) for warning in found.problems]
        present.table("Worth a look", ("Line", "Column", "What"), rows)
    present.say(f"{path}: can be used: {users} users, {plates} plates, {len(found.problems)} warnings")
    return 0


def _object(path: Path, problem: str, severity: str) -> dict[str, Any]:
    """A problem as its line, column and message, from the one form in which lists name their problems."""
    place = _PLACE.fullmatch(problem)
    assert place is not None
    line = place["line"]
    return {
        "file": str(path),
        "line": int(line) if line else None,
        "column": place["column"],
        "severity": severity,
        "message": place["message"],
    }
