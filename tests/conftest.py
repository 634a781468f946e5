"""What several packages' tests share: a real broker, and no deadlines for Hypothesis on slow machines."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hardware_sim.broker import free_port

settings.register_profile("slagboom", deadline=None)
settings.load_profile("slagboom")


class Mosquitto:
    """A Mosquitto of our own on 127.0.0.1, which forgets everything when it ends."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self._program, self._config = program, folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = subprocess.Popen([self._program, "-c", self._config], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"mosquitto took no connection on port {self.port} within 10 s")

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
