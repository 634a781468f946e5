"""A portal's desk for certificates that runs beside a test: a real port, a real database, a clock that is set."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from gate_controller.moment import Moment
from hardware_sim.broker import free_port
from hardware_sim.portal.edges.enrolment import Desk, Enrolment, Invitation
from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.trust.authority import Authority
from hardware_sim.portal.trust.mosquitto import access_list, write_broker_folder
from sync.database import Database
from sync.identity import TlsFiles, key_pem, new_key, signing_request, write_whole

ROOT_KEY = bytes(range(32))

T = TypeVar("T")


class SetClock:
    """The real clock, set forward or back by what a test wants."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> Moment:
        return Moment(datetime.now(UTC) + self.ahead, time.monotonic())


class RunningDesk:
    """The desk at `address`; `enrolment` is called through `call`, in the thread that it lives in."""

    def __init__(self, folder: Path, broker_port: int = 8883) -> None:
        self.folder, self.clock = folder, SetClock()
        self.desk = Desk("127.0.0.1", free_port(), ("127.0.0.1", "portal.example.net"), "127.0.0.1", broker_port)
        self.address = f"https://127.0.0.1:{self.desk.port}"
        self.enrolment: Enrolment
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._work: asyncio.Task[None]
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def invite(self, edge: str = "gatehouse", serial: str = "SB-2041") -> Invitation:
        return self.call(self.enrolment.register(edge, serial))

    def files(self, folder: Path, edge: str, begins: timedelta = timedelta()) -> TlsFiles:
        """An edge's certificate, made `begins` from now, without any enrolment."""
        return self.files_of(folder, edge, f"acme.north.{edge}", begins)

    def files_of(self, folder: Path, edge: str, name: str, begins: timedelta = timedelta()) -> TlsFiles:
        """The same under any name."""
        key = new_key()
        csr, at = signing_request(key, name), datetime.now(UTC) + begins
        pem, _ = self.enrolment.authority.client(name, csr, at)
        (folder / f"{edge}.pem").write_bytes(key_pem(key) + pem.encode())
        (folder / "ca.pem").write_text(self.enrolment.authority.pem)
        return TlsFiles(folder / "ca.pem", folder / f"{edge}.pem", folder / f"{edge}.pem")

    async def _run(self) -> None:
        database = await Database.open(self.folder / "portal.db", PORTAL)
        try:
            self.enrolment = Enrolment(database, self.folder / "keys", "acme", "north", ROOT_KEY, self.clock)
            async with asyncio.TaskGroup() as group:
                self._work = group.create_task(self.enrolment.serve(self.desk))
                while not self._work.done() and not await _listens(self.desk.port):
                    await asyncio.sleep(0.01)
                self._ready.set()
        finally:
            self._ready.set()
            await database.close()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join(20)
        self._loop.close()


@contextmanager
def running_desk(folder: Path, broker_port: int = 8883) -> Iterator[RunningDesk]:
    folder.mkdir(parents=True, exist_ok=True)
    desk = RunningDesk(folder, broker_port)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class TlsMosquitto:
    """A real Mosquitto from the folder that the portal writes for it."""

    def __init__(self, authority: Authority, folder: Path, edges: Sequence[str]) -> None:
        self.port, self.folder = free_port(), folder
        config = write_broker_folder(
            folder,
            authority,
            "127.0.0.1",
            self.port,
            "127.0.0.1",
            access_list("acme", "north", edges),
            datetime.now(UTC),
        )
        if os.geteuid() == 0:
            # Otherwise it becomes another user, who may not look into a test's folder.
            config.write_text(f"user root\n{config.read_text()}")
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        assert program is not None, (
            "mosquitto is missing: these tests need a real broker; install the package mosquitto"
        )
        self._command = [program, "-c", str(config)]
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._child = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"mosquitto took no connection on port {self.port} within 60 s")

    def grant(self, *edges: str) -> None:
        """Write the access list anew and have it read, as an operator does."""
        assert self._child is not None
        write_whole(self.folder / "acl", access_list("acme", "north", edges).encode())
        self._child.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None
