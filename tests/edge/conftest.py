"""The command as a person calls it, in this process: its exit code and what it wrote."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from edge.cli import main


@dataclass(frozen=True, slots=True)
class Said:
    """What one call of the command came to."""

    code: int
    out: str
    err: str

    def objects(self) -> list[dict[str, Any]]:
        """The lines of stdout as JSON objects."""
        return [json.loads(line) for line in self.out.splitlines()]


Slagboom = Callable[..., Said]


@pytest.fixture
def slagboom(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Slagboom:
    """Calls `slagboom` with these arguments; the machine's time zone is Berlin's."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*args: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(arg) for arg in args])
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    return call
