"""How fast edges may send their rows: as fast as the portal stores them, told with each acknowledgement.

What an acknowledgement says is pure arithmetic over how many messages wait; `inbox` counts them. A broker's queue
is no place for the rest, because it drops what does not fit: rows that were not sent yet wait in their journals.
"""

from dataclasses import dataclass
from typing import Final

from sync.messages import PAUSE_MS_MAX, WINDOW

NARROW_AT_LEN: Final = 50
"""So many messages wait, and each edge may have one batch under way instead of `WINDOW`."""
PAUSE_AT_LEN: Final = 200
"""So many, and edges wait until they are worked off."""
EACH_MS: Final = 2
"""For each that waits: what a state or a few rows take on two shared x86 cores; a batch of 100 takes 8 to 16.

After an outage most are births, and a portal that is done and waits for its edges is worse than one with a batch of
each before it.
"""


@dataclass(slots=True)
class Load:
    """Messages that came to one portal, over all of its connections, and wait to be handled."""

    waiting: int = 0

    @property
    def window(self) -> int:
        """Batches that an edge may have under way."""
        return WINDOW if self.waiting < NARROW_AT_LEN else 1

    @property
    def pause_ms(self) -> int:
        """How long an edge may send none."""
        return min(self.waiting * EACH_MS, PAUSE_MS_MAX) if self.waiting >= PAUSE_AT_LEN else 0
