"""The only place where the project reads a clock."""

import time
from datetime import UTC, datetime

from gate_controller.moment import Moment


def now() -> Moment:
    """The present instant, from the wall clock (UTC) and the monotonic clock."""
    return Moment(wall=datetime.now(UTC), mono_s=time.monotonic())
