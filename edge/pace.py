"""How a process that must answer in time shares its interpreter out among its threads.

A grant's row is written by a thread of its own, which needs the interpreter some ten times for it. Not here: what
runs in which thread, and in what order the database is written (`sync.database`).
"""

import gc
import sys
from typing import Final

SWITCH_AFTER_S: Final = 0.0005
"""After so long a thread that computes lets in one that waits. Of Python's own 5 ms a row waited for ten."""


def keep_pace() -> None:
    """Let in soon whoever waits, and keep the collector from looking through the program itself, which stays.

    To be called once, before the work begins. A full collection while a list of 100,000 comes takes a fifth then.
    """
    sys.setswitchinterval(SWITCH_AFTER_S)
    gc.collect()
    gc.freeze()
