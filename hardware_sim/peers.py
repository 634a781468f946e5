"""The far side of each codec on a real pseudo terminal: a board, a badge reader and a scanner one can unplug.

Written from the devices' manuals, not from the codecs, so that a codec's mistake is not mirrored here. A thread
per peer answers, so that a busy event loop does not delay it. Not here: what the contacts mean (`world`).
"""

import contextlib
import os
import select
import threading
import tty
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

CHANNELS: Final = 8
REMEMBERED_MAX: Final = 1000
READ_BYTES_MAX: Final = 4096


class PtyPeer:
    """One end of a serial cable at a fixed path; `unplug` and `plug` as often as wanted.

    A context manager: it is plugged on entry, and leaves neither thread nor path behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._master = self._slave = self._stop_read = self._stop_write = -1

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        """Make the port appear at `path`."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._stop_read, self._stop_write = os.pipe()
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))
        self._thread = threading.Thread(target=self._serve, name=f"peer {self.path.name}", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Make the port vanish, as a pulled cable does; nothing happens if it is not plugged."""
        if self._thread is None:
            return
        os.write(self._stop_write, b"x")
        self._thread.join()
        self._thread = None
        self.path.unlink(missing_ok=True)
        with self._lock:
            for descriptor in (self._master, self._slave, self._stop_read, self._stop_write):
                os.close(descriptor)
            self._master = -1

    def emit(self, data: bytes) -> None:
        """Put bytes on the wire; they are lost while unplugged or while nobody reads."""
        with self._lock, contextlib.suppress(OSError):
            if self._master >= 0 and data:
                os.write(self._master, data)

    def _serve(self) -> None:
        while True:
            readable, _, _ = select.select([self._master, self._stop_read], [], [])
            if self._stop_read in readable:
                return
            try:
                data = os.read(self._master, READ_BYTES_MAX)
            except OSError:
                return
            self.emit(self._answer(data))

    def _answer(self, data: bytes) -> bytes:
        """What to say to these bytes."""
        return b""


class BadgeReaderPeer(PtyPeer):
    """An RDM6300 over which badges are held."""

    def present(self, number: str, times: int = 3) -> None:
        """Hold a badge there for so many frames; `number` is ten hexadecimal characters."""
        digits = f"{int(number, 16):010X}"
        checksum = 0
        for index in range(0, 10, 2):
            checksum ^= int(digits[index : index + 2], 16)
        self.emit(f"\x02{digits}{checksum:02X}\x03".encode("ascii") * times)


class LineReaderPeer(PtyPeer):
    """A QR scanner before which passes are held, or a keypad that sends a whole code; lines end with CR LF."""

    def present(self, text: str) -> None:
        """Scan or type this; it is sent once."""
        self.emit(f"{text}\r\n".encode())


class BoardPeer(PtyPeer):
    """A Modbus RTU board of eight inputs and eight relays at address 1, with faults to switch on.

    `contacts` gives the eight inputs; `relay(channel, on)` hears levels, `flash(channel, width_s)` pulses. All
    three are called in the peer's own thread.
    """

    def __init__(
        self,
        path: Path,
        contacts: Callable[[], Sequence[bool]],
        flash: Callable[[int, float], None] = lambda channel, width_s: None,
        relay: Callable[[int, bool], None] = lambda channel, on: None,
    ) -> None:
        super().__init__(path)
        self._contacts, self._flash, self._relay = contacts, flash, relay
        self._buffer = b""
        self.silent = False
        self.lose_replies = 0
        self.polls = 0
        """How often the inputs were read."""
        self.flashes: deque[tuple[int, float]] = deque(maxlen=REMEMBERED_MAX)

    def _answer(self, data: bytes) -> bytes:
        if self.silent:
            self._buffer = b""
            return b""
        self._buffer += data
        answers = b""
        while len(self._buffer) >= 8:
            request, crc = self._buffer[:6], self._buffer[6:8]
            if _crc(request) != crc:
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[8:]
            reply = self._execute(request)
            if self.lose_replies > 0:
                self.lose_replies -= 1
            elif reply:
                answers += reply + _crc(reply)
        return answers

    def _execute(self, request: bytes) -> bytes:
        """The reply without its CRC; empty for another station's request."""
        function = request[1]
        address, value = int.from_bytes(request[2:4]), int.from_bytes(request[4:6])
        if request[0] != 1:
            return b""
        if function == 2:
            if address + value > CHANNELS or value == 0:
                return bytes([1, 0x82, 2])
            self.polls += 1
            wanted = list(self._contacts())[address : address + value]
            return bytes([1, 2, 1, sum(on << bit for bit, on in enumerate(wanted))])
        if function != 5:
            return bytes([1, 0x80 | function, 1])
        if address < CHANNELS and value in (0x0000, 0xFF00):
            self._relay(address, value == 0xFF00)
        elif 0x0200 <= address < 0x0200 + CHANNELS and 0 < value <= 0x7FFF:
            self.flashes.append((address - 0x0200, value / 10))
            self._flash(address - 0x0200, value / 10)
        else:
            return bytes([1, 0x85, 2])
        return request


def _crc(data: bytes) -> bytes:
    crc = 0xFFFF
    for bit in (byte >> shift & 1 for byte in data for shift in range(8)):
        crc = crc >> 1 ^ (0xA001 if crc & 1 ^ bit else 0)
    return crc.to_bytes(2, "little")
