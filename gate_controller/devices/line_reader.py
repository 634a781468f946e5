"""Readers that send one line of text a read: QR scanners, keypads that send a whole code, badge converters.

A line ends with any byte of a set, so CR, LF and CR LF are one end; one that does not go on is given up after a
pause, so that its rest is not taken for the beginning of the next. What a line holds is hostile: at most 512
printable ASCII characters are passed on, anything else is thrown away up to the next end and counted, for one
reason a line. A badge converter's line has no checksum, so its number must have all its digits. Not here: keypads
that send each key as it is pressed, and telling a scanner to beep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gate_controller.devices.codec import BadBytes, CardRead, DeviceOnline, Drive, LineRead, Signal
from gate_controller.moment import Moment

LINE_LEN_MAX = 512
IDLE_FLUSH_S = 0.08
"""A byte takes 1 ms at 9600 baud and a USB adapter keeps some back for 16 ms: after this no line goes on."""
SAME_LINE_WINDOW_S = 2.0
CARD_BITS = 32


_DIGITS = {"hex": frozenset("0123456789ABCDEFabcdef"), "decimal": frozenset("0123456789")}


class LineFormat(StrEnum):
    """What a line means."""

    CODE = "code"
    HEX = "hex"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class Lines:
    """How a reader writes: what its lines begin with, which bytes end them, and what stands between.

    `bits` is the width of the badge number that a line in hexadecimal or decimal is.
    """

    format: LineFormat = LineFormat.CODE
    bits: int = CARD_BITS
    start: bytes = b""
    ends: bytes = b"\r\n"

    @property
    def digits(self) -> int:
        """How many digits a badge number of this width has, leading zeros included."""
        return -(-self.bits // 4) if self.format is LineFormat.HEX else len(str((1 << self.bits) - 1))


class LineReader:
    """Says each line once while the same one comes again and again, until it was away for two seconds."""

    def __init__(self, lines: Lines = Lines()) -> None:
        self._lines = lines
        self._room = LINE_LEN_MAX + len(lines.start)
        self._line = bytearray()
        self._overflow = 0
        self._last_byte_s = 0.0
        self._online = False
        self._said: bytes | None = None
        self._said_s = 0.0

    def receive(self, data: bytes, now: Moment) -> list[Signal]:
        """Lines in these bytes; what is none is counted, and the next line is read again."""
        signals: list[Signal] = []
        if not self._online:
            self._online = True
            signals.append(DeviceOnline())
        due_s = self.deadline()
        # Only without new bytes: those that a busy machine handed over late go on with the line.
        if not data and due_s is not None and now.mono_s >= due_s:
            signals.append(BadBytes(self._drop(), "no end of the line"))
        for byte in data:
            if byte in self._lines.ends:
                signals += self._ended(now)
            elif len(self._line) < self._room:
                self._line.append(byte)
            else:
                self._overflow += 1
        if data:
            self._last_byte_s = now.mono_s
        return signals

    def send(self, wanted: Sequence[Drive], now: Moment) -> bytes:
        """Nothing, ever: a reader has no outputs."""
        return b""

    def deadline(self) -> float | None:
        """When a line that was begun is given up; None between lines."""
        return self._last_byte_s + IDLE_FLUSH_S if self._line else None

    def lost(self) -> None:
        """Forget half a line; the line last seen stays known, so that a loose plug does not repeat it."""
        self._drop()
        self._online = False

    def _drop(self) -> int:
        count = len(self._line) + self._overflow
        self._line.clear()
        self._overflow = 0
        return count

    def _ended(self, now: Moment) -> list[Signal]:
        line, overflow = bytes(self._line), self._overflow
        count = self._drop()
        if not line:
            return []
        if overflow:
            return [BadBytes(count, f"a line longer than {LINE_LEN_MAX} characters")]
        noise, start, text = line.rpartition(self._lines.start) if self._lines.start else (b"", b"", line)
        if self._lines.start and not start:
            return [BadBytes(count, "a line without its beginning")]
        signals: list[Signal] = [BadBytes(len(noise), "bytes before a line")] if noise else []
        found = self._meant(text)
        if isinstance(found, str):
            return [*signals, BadBytes(len(start) + len(text), found)]
        fresh = text != self._said or now.mono_s - self._said_s > SAME_LINE_WINDOW_S
        self._said, self._said_s = text, now.mono_s
        return [*signals, found] if fresh else signals

    def _meant(self, text: bytes) -> Signal | str:
        """What a line says, or why it says nothing."""
        if not text or any(not 0x20 <= byte <= 0x7E for byte in text):
            return "a line that is no printable ASCII"
        line = text.decode("ascii")
        if self._lines.format is LineFormat.CODE:
            return LineRead(line)
        if len(line) != self._lines.digits or not _DIGITS[self._lines.format].issuperset(line):
            return f"a line that is not {self._lines.digits} {self._lines.format} digits"
        value = int(line, 16 if self._lines.format is LineFormat.HEX else 10)
        if value >> self._lines.bits:
            return f"a number of more than {self._lines.bits} bits"
        return CardRead(self._lines.bits, value, f"{value:0{-(-self._lines.bits // 4)}X}")
