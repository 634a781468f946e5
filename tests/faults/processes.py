"""The processes of a block: broker, portal and daemons, each of which can be killed and started at any instant.

A process that ends without having been told to is remembered as a mistake, and so is a traceback in its log.
"""

import asyncio
import ctypes
import itertools
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from hardware_sim.broker import free_port

ROOT: Final = Path(__file__).resolve().parent.parent.parent
READY_WITHIN_S: Final = 60.0
ANSWER_WITHIN_S: Final = 15.0
PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
LOG_LINES_SHOWN: Final = 15
DISK_REFUSES: Final = ("no space left on the disk", "the disk refused")


class Broken(Exception):
    """A rule is broken; the text says which and how."""


class Broker:
    """A Mosquitto that keeps nothing, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if found is None:
            raise Broken("mosquitto is missing: install the package mosquitto")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._command = [found, "-c", str(self._config)]
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it takes connections; its port may be another's for a moment while it is away."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline_s:
            if self._child is None or self._child.returncode is not None:
                self._child = await asyncio.create_subprocess_exec(
                    *self._command, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent
                )
            await asyncio.sleep(0.02)
            with socket.socket() as probe:
                if self._child.returncode is None and probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
        raise Broken(f"mosquitto took no connection within {READY_WITHIN_S:.0f} s")

    async def kill(self) -> None:
        """As a power cut would; what it kept in memory is gone."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()
        self._child = None


class Process:
    """One Python process, started and killed any number of times."""

    def __init__(self, name: str, module: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.mistakes: list[str] = []
        self.starts = 0
        self.connected = False
        """Whether its log told of a connection to the broker since its last start."""
        self.failing = False
        """Whether its journal waits for its disk, by its own word."""
        self.refusals = 0
        """Times that its log told of a disk that took nothing."""
        self._command = [sys.executable, "-m", module, *arguments]
        self._log: IO[str] = (folder / f"{name}.log").open("a")
        self._child: asyncio.subprocess.Process | None = None
        self._told: set[int] = set()
        self._tail: list[str] = []
        self._readers: set[asyncio.Future[None]] = set()

    @property
    def pid(self) -> int:
        """Of the running child."""
        assert self._child is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether there is a child that has not ended."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start it; it may not be ready yet."""
        self.starts += 1
        self.connected = self.failing = False
        self._child = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            preexec_fn=end_with_parent,
        )
        reader = asyncio.ensure_future(self._follow(self._child))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def kill(self) -> None:
        """As a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """In good order, at the end; nothing of it may be left."""
        await self._end(signal.SIGTERM)
        if self._readers:
            await asyncio.wait(self._readers)
        self._log.close()

    def said(self, line: str) -> None:
        """A line of stdout."""

    async def _end(self, number: signal.Signals) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        self._told.add(child.pid)
        child.send_signal(number)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await child.wait()
        except TimeoutError:
            self.mistakes.append(f"{self.name} did not end within {READY_WITHIN_S:.0f} s")
            child.kill()
            await child.wait()

    async def _follow(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        assert child.stderr is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(child.stdout))
            group.create_task(self._read_log(child, child.stderr))
        await child.wait()
        if child.pid not in self._told:
            shown = "\n    ".join(self._tail)
            self.mistakes.append(f"{self.name} ended by itself with {child.returncode}:\n    {shown}")

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.said(line.decode())

    async def _read_log(self, child: asyncio.subprocess.Process, stream: asyncio.StreamReader) -> None:
        while data := await stream.readline():
            line = data.decode(errors="replace").rstrip()
            self._tail = [*self._tail, line][-LOG_LINES_SHOWN:]
            self._log.write(f"{time.time():.3f} {line}\n")
            self._log.flush()
            self.connected |= child is self._child and "connected to broker" in line
            refused = any(text in line for text in DISK_REFUSES)
            self.refusals += refused
            self.failing = "writing again" not in line and (self.failing or (refused and "journal:" in line))
            if "Traceback" in line or "never retrieved" in line:
                self.mistakes.append(f"{self.name}: a traceback in its log")


class PortalProcess(Process):
    """The portal; `ask` puts a request to it."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__("portal", "tests.faults.run_portal", [str(folder), str(port)], folder)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._ready = asyncio.Event()

    async def start(self) -> None:
        self._ready.clear()
        await super().start()

    async def until_ready(self) -> None:
        """Until it takes requests."""
        async with asyncio.timeout(READY_WITHIN_S):
            await self._ready.wait()

    async def ask(self, do: str, name: str, text: str = "") -> str | None:
        """None when it was done, otherwise why not; what a killed portal did is for its database to tell."""
        if not self.running or self._child is None or self._child.stdin is None:
            return "not running"
        number = next(self._numbers)
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._child.stdin.write(
                json.dumps({"id": number, "do": do, "name": name, "text": text}).encode() + b"\n"
            )
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await answer
        except (TimeoutError, OSError) as error:
            return f"no answer ({type(error).__name__})"
        finally:
            self._waiting.pop(number, None)

    async def kill(self) -> None:
        await super().kill()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result("killed")

    def said(self, line: str) -> None:
        with suppress(json.JSONDecodeError):
            answer: dict[str, Any] = json.loads(line)
            if "ready" in answer:
                self._ready.set()
            waiting = self._waiting.get(answer.get("id", 0))
            if waiting is not None and not waiting.done():
                waiting.set_result(answer["error"])


def end_with_parent() -> None:
    """In the child, before it begins: the kernel ends it when its parent dies, even by kill -9."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
