"""The one value in which time reaches the core; nothing here reads a clock."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as the two clocks of a machine show it.

    `wall` is timezone-aware and decides permits and schedules. `mono_s` is monotonic seconds and decides
    every deadline, because a box without a clock chip jumps when network time arrives.
    """

    wall: datetime
    mono_s: float
