"""What several packages' tests share: a real broker, the command as people call it, and a patient Hypothesis."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

from edge.cli import main
from hardware_sim.broker import free_port

# The same examples every time, so that a verdict is the code's and not the day's; `make fuzz` and `make model` look
# for new ones.
settings.register_profile("slagboom", deadline=None, derandomize=True, database=None)
settings.register_profile("model", deadline=None, database=None, print_blob=True)
settings.register_profile("fuzz", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "slagboom"))


LONGEST_FIRST: Final = (
    "simulation/test_weeks.py",
    "stories/test_systems.py",
    "hardware_sim/test_scenarios.py",
    "hardware_sim/portal/web/test_app_forms.py",
    "hardware_sim/test_cli.py",
    "recognition/test_recognizer_bad_input.py",
    "test_portal_page.py",
)
"""Files that take minutes: begun early, so that the others are not waited for at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the rest as it was."""
    place = {Path(__file__).parent / name: index for index, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What proves a requirement passes or fails; skipped would look proven."""
    report = yield
    if report.skipped and item.get_closest_marker("proves") is not None:
        report.outcome, report.longrepr = "failed", "it proves a requirement and was skipped"
    return report


class Mosquitto:
    """A Mosquitto of our own on 127.0.0.1, which forgets everything when it ends."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self._program, self._config = program, folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = subprocess.Popen([self._program, "-c", self._config], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"mosquitto took no connection on port {self.port} within 60 s")

    def kill(self) -> None:
        """As a power cut would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


@pytest.fixture
def idle_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that is not started yet."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.fail("mosquitto is missing: these tests need a real broker; install the package mosquitto")
    broker = Mosquitto(program, tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def mosquitto(idle_mosquitto: Mosquitto) -> Mosquitto:
    """A running broker."""
    idle_mosquitto.start()
    return idle_mosquitto


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
