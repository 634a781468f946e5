"""The byte pump between one serial port and its codec; the same for every device.

A thread per port reads and hands the bytes to the event loop; everything else happens in the loop's thread, so
the codec needs no lock. The port is opened exclusively and reopened with a growing pause. Nothing here knows
what the bytes mean, and nothing is written twice: a pulse reaches the codec at most once, and one that finds
the port closed is reported and forgotten.
"""

import asyncio
import contextlib
import logging
import os
import termios
import threading
from collections.abc import Callable, Sequence
from typing import Final

import serial

from edge import clock
from gate_controller.devices.codec import (
    Codec,
    DeviceSilent,
    Drive,
    Level,
    Pulse,
    PulseId,
    PulseUncertain,
    Signal,
)

log = logging.getLogger(__name__)

BAUD: Final = 9600
READ_FOR_S: Final = 0.2
REOPEN_FIRST_S: Final = 0.2
REOPEN_MAX_S: Final = 5.0
INBOX_BYTES_MAX: Final = 65_536
WAKE_MIN_S: Final = 0.001
SPENT_LEN_MAX: Final = 1024


class _Reader:
    """The thread of one open port: bytes in, at most `INBOX_BYTES_MAX` of them waiting, the newest kept."""

    def __init__(self, port: serial.Serial, wake: Callable[[], None]) -> None:
        self._port = port
        self._wake = wake
        self._lock = threading.Lock()
        self._inbox = bytearray()
        self._stopping = False
        self.lost: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"read {port.name}", daemon=True)
        self._thread.start()

    def take(self) -> bytes:
        """What came since the last call."""
        with self._lock:
            data = bytes(self._inbox)
            self._inbox.clear()
        return data

    def stop(self) -> None:
        """End the thread; returns within `READ_FOR_S`, usually at once."""
        self._stopping = True
        with contextlib.suppress(OSError, termios.error):
            self._port.cancel_read()
        self._thread.join(2 * READ_FOR_S)

    def _run(self) -> None:
        try:
            while not self._stopping:
                data = self._port.read(max(1, self._port.in_waiting))
                if data:
                    with self._lock:
                        self._inbox += data
                        del self._inbox[:-INBOX_BYTES_MAX]
                    self._wake()
        except (OSError, TypeError, termios.error) as error:  # TypeError: closed under its feet
            self.lost = str(error)
            self._wake()


class _SpentPulses:
    """Remembers which pulses were wanted, so that no codec sees one twice; keeps the newest 1024."""

    def __init__(self) -> None:
        self._ids: dict[PulseId, None] = {}

    def first(self, pulse: PulseId) -> bool:
        """True exactly once for each id."""
        if pulse in self._ids:
            return False
        self._ids[pulse] = None
        if len(self._ids) > SPENT_LEN_MAX:
            del self._ids[next(iter(self._ids))]
        return True


class Link:
    """One port and its codec. Run `run` in a task group; it ends only by being cancelled."""

    def __init__(self, port: str, codec: Codec, on_signal: Callable[[Signal], None]) -> None:
        """`port` is a device path; signals come in the event loop's thread."""
        self._port = port
        self._codec = codec
        self._on_signal = on_signal
        self._spent = _SpentPulses()
        self._levels: dict[int, Level] = {}
        self._open: serial.Serial | None = None
        self._write_failed: str | None = None
        self._answered = False
        self._wake = asyncio.Event()

    def drive(self, wanted: Sequence[Drive]) -> None:
        """Write what is wanted, now if the device is free. Levels stay wanted; channels not named stay as they are.

        A pulse is taken at its first sight only, so naming it again is harmless. Never raises for a dead port.
        """
        pulses: list[Drive] = []
        for drive in wanted:
            match drive:
                case Level():
                    self._levels[drive.channel] = drive
                case Pulse() if self._spent.first(drive.id):
                    pulses.append(drive)
        if self._open is not None:
            self._send(pulses)
            self._wake.set()
            return
        for pulse in pulses:
            if isinstance(pulse, Pulse):
                asyncio.get_running_loop().call_soon(
                    self._on_signal, PulseUncertain(pulse.channel, pulse.id, "not sent: the port is closed")
                )

    async def run(self) -> None:
        """Open the port, pump bytes, reopen when it goes; says so once each way."""
        pause_s, gone = REOPEN_FIRST_S, False
        while True:
            self._answered = False
            try:
                port = await self._opened()
                if gone:
                    log.info("port %s: back", self._port)
                gone = False
                try:
                    await self._pump(port)
                finally:
                    self._close(port)
            # A SerialException is an OSError; termios has its own, for a device that goes while it is opened.
            except (OSError, ValueError, termios.error) as error:
                if not gone:
                    gone = True
                    log.warning("port %s: gone (%s); trying again until it returns", self._port, error)
                    self._tell(DeviceSilent(f"port {self._port}: {error}"))
            pause_s = REOPEN_FIRST_S if self._answered else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, REOPEN_MAX_S)

    async def _opened(self) -> serial.Serial:
        """Open in a thread: a driver may take its time."""
        opening = asyncio.ensure_future(
            asyncio.to_thread(serial.Serial, self._port, BAUD, timeout=READ_FOR_S, exclusive=True)
        )
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda done: done.exception() or done.result().close())
            raise

    def _close(self, port: serial.Serial) -> None:
        self._open = None
        self._codec.lost()
        with contextlib.suppress(OSError, termios.error):
            port.close()

    async def _pump(self, port: serial.Serial) -> None:
        """Until the port goes; raises `OSError` saying why."""
        loop = asyncio.get_running_loop()
        reader = _Reader(port, lambda: wake_from_thread(loop, self._wake))
        self._write_failed, self._open = None, port
        try:
            while True:
                self._wake.clear()
                data = reader.take()
                self._answered = self._answered or bool(data)
                for signal in self._codec.receive(data, clock.now()):
                    self._tell(signal)
                self._send([])
                if why := reader.lost or self._write_failed:
                    raise OSError(why)
                await self._until_due()
        finally:
            reader.stop()

    def _tell(self, signal: Signal) -> None:
        """Pass a signal on. What was wanted of a silent device is void; who still wants it says so again."""
        if isinstance(signal, DeviceSilent):
            self._levels.clear()
        self._on_signal(signal)

    async def _until_due(self) -> None:
        due_s = self._codec.deadline()
        wait_s = None if due_s is None else max(WAKE_MIN_S, due_s - clock.now().mono_s)
        # Not wait_for: in Python 3.11 it forgets a cancellation that comes together with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    def _send(self, pulses: Sequence[Drive]) -> None:
        data = self._codec.send([*pulses, *self._levels.values()], clock.now())
        if not data or self._open is None or self._write_failed:
            return
        try:
            # Straight to the descriptor, which pyserial opens non-blocking: a stuck adapter must not stop the loop.
            written = os.write(self._open.fileno(), data)
        except OSError as error:
            self._write_failed = str(error)
        else:
            if written < len(data):
                self._write_failed = "it takes no more bytes"
        if self._write_failed:
            self._wake.set()


def wake_from_thread(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    """Set an event of this loop from another thread; nothing happens if the loop has ended."""
    with contextlib.suppress(RuntimeError):  # the loop is closing
        loop.call_soon_threadsafe(wake.set)
