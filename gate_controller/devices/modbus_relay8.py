"""Board of eight inputs and eight relays speaking Modbus RTU, as Waveshare builds it (9600 8N1, address 1).

Inputs are polled with function 02. A pulse is one "flash on" write (function 05 at 0200h + channel, value in
units of 100 ms), so that the board itself ends it even if this program dies. Levels are coil writes. One
request is outstanding at a time and none is repeated by the transport: a lost pulse is reported, not sent
again; a lost poll is simply followed by the next poll.

Not here: the other functions of such boards, and boards sharing one bus.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gate_controller.devices.codec import (
    BadBytes,
    ContactChanged,
    DeviceOnline,
    DeviceSilent,
    Drive,
    Level,
    LevelRefused,
    Pulse,
    PulseDone,
    PulseUncertain,
    Signal,
)
from gate_controller.devices.debounce import DEBOUNCE_S, Debounce
from gate_controller.moment import Moment

ADDRESS = 1
CHANNELS = 8
POLL_EVERY_S = 0.1
REPLY_WITHIN_S = 0.2
# Modbus over serial line, 2.5.1.1: frames are 3.5 characters apart, 3.65 ms at 9600 baud.
QUIET_S = 0.004
MISSED_POLLS_MAX = 3
LEVEL_REFRESH_S = 1.0
LEVEL_FAILURES_MAX = 2
"""So many failed writes of one level in a row are told: one may be noise on the line, and the next mends it."""
PULSES_LEN_MAX = CHANNELS

READ_INPUTS = 0x02
WRITE_COIL = 0x05
EXCEPTION = 0x80
FLASH_ON = 0x0200
FLASH_UNIT_S = 0.1


def crc16(data: bytes | bytearray) -> bytes:
    """Modbus CRC of `data` as sent, low byte first (polynomial A001h reflected, initial FFFFh)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


def frame(function: int, address: int, value: int) -> bytes:
    """Eight bytes: a request of `function` for a 16-bit address and value, with its CRC."""
    body = bytes([ADDRESS, function]) + address.to_bytes(2) + value.to_bytes(2)
    return body + crc16(body)


POLL = frame(READ_INPUTS, 0, CHANNELS)


def flash(pulse: Pulse) -> bytes:
    """The write that makes the board close a relay and open it again by itself."""
    return frame(WRITE_COIL, FLASH_ON + pulse.channel, round(pulse.width_s / FLASH_UNIT_S))


def coil(level: Level) -> bytes:
    """The write that keeps a relay closed or open."""
    return frame(WRITE_COIL, level.channel, 0xFF00 if level.on else 0x0000)


@dataclass(frozen=True, slots=True)
class _Request:
    frame: bytes
    reply_by_s: float
    pulse: Pulse | None = None
    level: Level | None = None

    @property
    def is_poll(self) -> bool:
        return self.frame == POLL


def _reply_len(head: bytearray) -> int | None:
    """How long the reply beginning so is; None if no reply begins so. Undecided heads give the longest."""
    if head[0] != ADDRESS:
        return None
    if len(head) < 2:
        return 8
    match head[1]:
        case 0x02:
            return 6 if len(head) < 3 or head[2] == 1 else None
        case 0x05:
            return 8
        case 0x82 | 0x85:
            return 5
    return None


class ModbusRelay8:
    """Codec of one board; alone on its port."""

    def __init__(self) -> None:
        self.lost()

    def lost(self) -> None:
        """Forget everything."""
        self._buffer = bytearray()
        self._news: list[Signal] = []
        self._outstanding: _Request | None = None
        self._pulses: deque[Pulse] = deque()
        self._levels: dict[int, bool] = {}
        self._level_due_s: dict[int, float] = {}
        self._level_failures: dict[int, int] = {}
        self._contacts: list[Debounce] = []
        self._online = False
        self._missed_polls = 0
        self._poll_due_s = 0.0
        self._quiet_until_s = 0.0
        self._must_poll = True

    def receive(self, data: bytes, now: Moment) -> list[Signal]:
        """Replies in these bytes, or the news that none came in time."""
        self._buffer += data
        thrown_away = 0
        while self._buffer:
            length = _reply_len(self._buffer)
            if length is not None and len(self._buffer) < length:
                break
            if length is None or crc16(self._buffer[: length - 2]) != self._buffer[length - 2 : length]:
                del self._buffer[0]
                thrown_away += 1
                continue
            reply = bytes(self._buffer[:length])
            del self._buffer[:length]
            self._take(reply, now)
        if self._outstanding and now.mono_s >= self._outstanding.reply_by_s:
            thrown_away += len(self._buffer)
            self._give_up(self._outstanding, now)
        if thrown_away:
            self._news.append(BadBytes(thrown_away, "no Modbus reply"))
        news, self._news = self._news, []
        return news

    def send(self, wanted: Sequence[Drive], now: Moment) -> bytes:
        """The next request, if the line is free: a pulse first, then the poll when due, then levels."""
        for drive in wanted:
            match drive:
                case Pulse():
                    self._offer(drive)
                case Level(channel, on):
                    if self._levels.get(channel) is not on:
                        self._levels[channel] = on
                        self._level_due_s[channel] = now.mono_s
        if self._outstanding or now.mono_s < self._quiet_until_s:
            return b""
        self._outstanding = self._next_request(now)
        return self._outstanding.frame if self._outstanding else b""

    def deadline(self) -> float | None:
        """When a reply is overdue, or else when the next request may go out."""
        if self._news:
            return 0.0
        if self._outstanding:
            return self._outstanding.reply_by_s
        due_s = self._poll_due_s
        if not self._must_poll:
            due_s = min([due_s, *self._level_due_s.values()])
            if self._pulses:
                due_s = 0.0
        return max(due_s, self._quiet_until_s)

    def _offer(self, pulse: Pulse) -> None:
        if not self._online:
            self._not_sent(pulse, "the board does not answer")
        elif len(self._pulses) >= PULSES_LEN_MAX:
            self._not_sent(pulse, "too many pulses wait")
        else:
            self._pulses.append(pulse)

    def _not_sent(self, pulse: Pulse, why: str) -> None:
        self._news.append(PulseUncertain(pulse.channel, pulse.id, f"not sent: {why}"))

    def _next_request(self, now: Moment) -> _Request | None:
        reply_by_s = now.mono_s + REPLY_WITHIN_S
        # After a timeout a late echo may still come: a poll in between keeps it from confirming a later pulse.
        while self._pulses and not self._must_poll:
            pulse = self._pulses.popleft()
            if now.mono_s < pulse.expires_s:
                return _Request(flash(pulse), reply_by_s, pulse)
            self._not_sent(pulse, "it expired while waiting")
        if now.mono_s >= self._poll_due_s:
            self._must_poll = False
            self._poll_due_s = now.mono_s + POLL_EVERY_S
            return _Request(POLL, reply_by_s)
        if self._must_poll:
            return None
        for channel, due_s in self._level_due_s.items():
            if now.mono_s >= due_s:
                self._level_due_s[channel] = now.mono_s + LEVEL_REFRESH_S
                level = Level(channel, self._levels[channel])
                return _Request(coil(level), reply_by_s, level=level)
        return None

    def _take(self, reply: bytes, now: Moment) -> None:
        asked = self._outstanding
        refused = reply[1] & EXCEPTION
        if asked is None or reply[1] & ~EXCEPTION != asked.frame[1]:
            self._news.append(BadBytes(len(reply), "reply to nothing asked"))
            return
        if not (refused or asked.is_poll or reply == asked.frame):
            self._news.append(BadBytes(len(reply), "echo of another write"))
            return
        self._outstanding = None
        self._quiet_until_s = now.mono_s + QUIET_S
        if refused:
            self._refused(asked, f"the board answered exception {reply[2]}")
        elif asked.is_poll:
            self._inputs(reply[3], now)
        elif asked.pulse:
            self._news.append(PulseDone(asked.pulse.channel, asked.pulse.id))
        elif asked.level:
            self._level_failures.pop(asked.level.channel, None)

    def _inputs(self, bits: int, now: Moment) -> None:
        self._missed_polls = 0
        states = [bool(bits >> channel & 1) for channel in range(CHANNELS)]
        if not self._online:
            self._online = True
            self._contacts = [Debounce(on) for on in states]
            self._news.append(DeviceOnline())
            self._news += [ContactChanged(channel, on) for channel, on in enumerate(states)]
            return
        for channel, contact in enumerate(self._contacts):
            if contact.see(states[channel], now.mono_s):
                self._news.append(ContactChanged(channel, contact.on))
        if any(contact.unsettled for contact in self._contacts):
            self._poll_due_s = min(self._poll_due_s, now.mono_s + DEBOUNCE_S)

    def _give_up(self, asked: _Request, now: Moment) -> None:
        self._outstanding = None
        self._buffer.clear()
        self._quiet_until_s = now.mono_s + QUIET_S
        self._must_poll = True
        self._refused(asked, f"no reply within {REPLY_WITHIN_S * 1000:.0f} ms")

    def _refused(self, asked: _Request, why: str) -> None:
        if asked.pulse:
            self._news.append(PulseUncertain(asked.pulse.channel, asked.pulse.id, why))
        if asked.level:
            self._level_failed(asked.level, why)
        if not asked.is_poll:
            return
        self._missed_polls += 1
        if self._missed_polls == MISSED_POLLS_MAX:
            self._online = False
            self._levels.clear()
            self._level_due_s.clear()
            self._news.append(DeviceSilent(f"{MISSED_POLLS_MAX} polls failed: {why}"))
            while self._pulses:
                self._not_sent(self._pulses.popleft(), "the board fell silent")

    def _level_failed(self, level: Level, why: str) -> None:
        failures = self._level_failures.get(level.channel, 0) + 1
        self._level_failures[level.channel] = failures
        if failures == LEVEL_FAILURES_MAX:
            self._news.append(LevelRefused(level.channel, level.on, why))
