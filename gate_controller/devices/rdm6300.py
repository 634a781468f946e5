"""RDM6300 and its kin: EM4100 badges as framed hexadecimal text at 9600 8N1, one way only.

A frame is 02, ten hexadecimal characters, two more for the XOR of the five bytes, 03; readers of the ID-20
family put CR LF before the 03. The frame repeats while the badge is held there. This reader has no outputs,
so drives are ignored, and it cannot be asked whether it lives.
"""

import re
from collections.abc import Sequence

from gate_controller.devices.codec import BadBytes, CardRead, DeviceOnline, Drive, Signal
from gate_controller.moment import Moment

CARD_BITS = 40
SAME_CARD_WINDOW_S = 2.0

_START = 0x02
_FRAME = re.compile(rb"\x02([0-9A-Fa-f]{10})([0-9A-Fa-f]{2})(?:\r\n)?\x03")
_BEGUN = re.compile(rb"\x02[0-9A-Fa-f]{0,12}|\x02[0-9A-Fa-f]{12}\r\n?")


class Rdm6300:
    """Reads badges; says one `CardRead` while the same badge stays, until it was away for two seconds."""

    def __init__(self) -> None:
        self._buffer = b""
        self._online = False
        self._card: bytes | None = None
        self._card_seen_s = 0.0

    def receive(self, data: bytes, now: Moment) -> list[Signal]:
        """Badges in these bytes; what fits no frame is thrown away up to the next start byte."""
        signals: list[Signal] = []
        if not self._online:
            self._online = True
            signals.append(DeviceOnline())
        self._buffer += data
        bad = 0
        while self._buffer:
            frame = _FRAME.match(self._buffer)
            if frame is None:
                if _BEGUN.fullmatch(self._buffer):
                    break
                bad += self._skip()
                continue
            self._buffer = self._buffer[frame.end() :]
            signals += self._card_in(frame, now)
        if bad:
            signals.append(BadBytes(bad, "no RDM6300 frame"))
        return signals

    def send(self, wanted: Sequence[Drive], now: Moment) -> bytes:
        """Nothing, ever: a reader has no outputs."""
        return b""

    def deadline(self) -> float | None:
        """None: nothing here waits."""
        return None

    def lost(self) -> None:
        """Forget half a frame; the badge last seen stays known, so that a loose plug does not repeat it."""
        self._buffer = b""
        self._online = False

    def _skip(self) -> int:
        """Drop up to the next start byte after the first byte; how many went."""
        start = self._buffer.find(_START, 1)
        dropped = len(self._buffer) if start < 0 else start
        self._buffer = self._buffer[dropped:]
        return dropped

    def _card_in(self, frame: re.Match[bytes], now: Moment) -> list[Signal]:
        number = bytes.fromhex(frame[1].decode("ascii"))
        checksum = 0
        for byte in number:
            checksum ^= byte
        if checksum != int(frame[2], 16):
            return [BadBytes(len(frame[0]), "wrong checksum")]
        fresh = number != self._card or now.mono_s - self._card_seen_s > SAME_CARD_WINDOW_S
        self._card, self._card_seen_s = number, now.mono_s
        return [CardRead(CARD_BITS, int.from_bytes(number), number.hex().upper())] if fresh else []
