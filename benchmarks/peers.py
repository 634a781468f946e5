"""Programs that ours are measured beside, each in an environment of its own and never in the product's.

A peer is installed at its pinned version into `build/peers/NAME` when it is first wanted, and runs as a child
process of that environment: a script of `peer_scripts/`, which gets its data as a file and answers in one. Where it
cannot be installed, as without a network, the benchmark says so in one line and goes on.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks._report import ROOT

SCRIPTS: Final = Path(__file__).resolve().parent / "peer_scripts"
INSTALL_WITHIN_S: Final = 300
RUN_WITHIN_S: Final = 900
PIP: Final = (sys.executable, "-m", "pip")
INSTALL: Final = ("install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1")


class PeerMissing(Exception):
    """The peer cannot be had here; says why in one line."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A program by its name, what pip installs for it, and the script in `peer_scripts/` that runs it."""

    name: str
    requirements: tuple[str, ...]
    script: str

    @property
    def home(self) -> Path:
        """Its environment."""
        return ROOT / "build" / "peers" / self.name

    def installed(self) -> Path:
        """The peer's Python, installed now if it is not yet at this version. Raises `PeerMissing`."""
        python, mark = self.home / "bin" / "python", self.home / "installed"
        wanted = "\n".join(self.requirements)
        if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
            return python
        print(f"installing {' '.join(self.requirements)} into {self.home.relative_to(ROOT)} ...", flush=True)
        try:
            venv.create(self.home, clear=True, symlinks=True)  # without pip: ours installs into it, and sooner
            self._call([*PIP, "--python", python, *INSTALL, *self.requirements], INSTALL_WITHIN_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise PeerMissing(f"{self.name}: {_last_line(error)}") from None
        mark.write_text(wanted, encoding="utf-8")
        return python

    def run(self, data: Any) -> Any:
        """What the peer's script answers to this data, both as JSON. Raises `PeerMissing`, also if it fails."""
        python = self.installed()
        with tempfile.TemporaryDirectory() as folder:
            asks, answers = Path(folder) / "asks.json", Path(folder) / "answers.json"
            asks.write_text(json.dumps(data), encoding="utf-8")
            try:
                self._call([python, SCRIPTS / self.script, asks, answers], RUN_WITHIN_S)
            except (OSError, subprocess.SubprocessError) as error:
                raise PeerMissing(f"{self.name}: {_last_line(error)}") from None
            return json.loads(answers.read_text(encoding="utf-8"))

    def _call(self, command: Sequence[str | Path], within_s: int) -> None:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=within_s)


SYMSPELL: Final = Peer("symspellpy", ("symspellpy==6.10.1", "editdistpy==0.4.0"), "symspell.py")


def _last_line(error: Exception) -> str:
    """The end of what a failed program said, which is where it says why."""
    said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return said[-1].strip() if said else type(error).__name__


if __name__ == "__main__":
    for peer in (SYMSPELL,):
        try:
            print(peer.name, peer.installed())
        except PeerMissing as missing:
            print(f"peer not installed: {missing}")
            sys.exit(1)
