"""What every device speaks: signals up, drives down, and the contract of a codec.

A codec turns the bytes of one kind of board or reader into signals about channels, and drives of channels
into bytes. It knows no lane and no role: whoever wires the site says which channel is which loop. It opens
no port and reads no clock: bytes and moments are handed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol

from gate_controller.moment import Moment

PulseId = NewType("PulseId", str)

PULSE_WIDTH_MIN_S = 0.1
PULSE_WIDTH_MAX_S = 10.0


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """An input channel is now on or off, after debouncing; also sent for every channel after a return."""

    channel: int
    on: bool


@dataclass(frozen=True, slots=True)
class CardRead:
    """A card was presented: its width in bits, its number, and the number as hexadecimal text."""

    bits: int
    value: int
    text: str


@dataclass(frozen=True, slots=True)
class LineRead:
    """A line was scanned or typed: 1 to 512 printable ASCII characters, kept out of logs as a password is."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PulseDone:
    """The device confirmed that it began this pulse."""

    channel: int
    id: PulseId


@dataclass(frozen=True, slots=True)
class PulseUncertain:
    """This pulse was not confirmed and is never tried again; `why` begins with "not sent" if that is sure."""

    channel: int
    id: PulseId
    why: str


@dataclass(frozen=True, slots=True)
class LevelRefused:
    """The device does not take the level of this output, which may stand otherwise; told once until it does."""

    channel: int
    on: bool
    why: str


@dataclass(frozen=True, slots=True)
class DeviceOnline:
    """The device answers; its contacts follow at once."""


@dataclass(frozen=True, slots=True)
class DeviceSilent:
    """The device stopped answering or its port went: whatever it said before is void."""

    why: str


@dataclass(frozen=True, slots=True)
class BadBytes:
    """So many bytes were thrown away, and why."""

    count: int
    why: str


Signal = (
    ContactChanged
    | CardRead
    | LineRead
    | PulseDone
    | PulseUncertain
    | LevelRefused
    | DeviceOnline
    | DeviceSilent
    | BadBytes
)


@dataclass(frozen=True, slots=True)
class Pulse:
    """Close output `channel` once for `width_s`, unless monotonic time has reached `expires_s`.

    The width lies within 0.1 s and 10 s; `ValueError` otherwise. A channel is driven by pulses or by a
    level, never by both.
    """

    channel: int
    id: PulseId
    width_s: float
    expires_s: float

    def __post_init__(self) -> None:
        if not PULSE_WIDTH_MIN_S <= self.width_s <= PULSE_WIDTH_MAX_S:
            raise ValueError(f"pulse of {self.width_s} s is outside {PULSE_WIDTH_MIN_S}..{PULSE_WIDTH_MAX_S} s")


@dataclass(frozen=True, slots=True)
class Level:
    """Keep output `channel` on or off; asserted again after every return of the device."""

    channel: int
    on: bool


Drive = Pulse | Level


class Codec(Protocol):
    """Bytes of one kind of device, both ways.

    The caller: hands `receive` no bytes when the port opens; hands over bytes as they come; at the deadline
    calls `receive` without bytes and then `send` with the levels still wanted; calls `lost` when the port
    goes; names each pulse once. A deadline in the past means at once.
    """

    def receive(self, data: bytes, now: Moment) -> list[Signal]:
        """What these bytes, or their absence until now, mean. Never raises, whatever the bytes."""

    def send(self, wanted: Sequence[Drive], now: Moment) -> bytes:
        """What to write now. A pulse that is named once is written at most once, and never once expired."""

    def deadline(self) -> float | None:
        """Monotonic seconds at which to call again though nothing happened; None if never."""

    def lost(self) -> None:
        """The port went: forget all that is pending. A pulse not yet written never will be."""
