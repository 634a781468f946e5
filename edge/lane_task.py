"""One lane of the daemon: inputs in, facts recorded, outputs driven, woken at its deadlines.

Everything happens in the event loop's thread and at once, so there is no inbox that could overflow: a contact is
a level and overwrites, a credential is judged when it comes, and the lane's own queue of grants is bounded.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edge import clock
from gate_controller.devices.codec import Drive, Level
from gate_controller.devices.codec import Pulse as PulseDrive
from gate_controller.facts import Fact
from gate_controller.lane import Input, LaneSetup, Tick, deadline, outputs, start, step
from gate_controller.lane_state import DEAF
from gate_controller.moment import Moment
from gate_controller.site import Site

log = logging.getLogger(__name__)


class House(Protocol):
    """What a lane needs of the daemon: the site as it is now, and somewhere to put facts."""

    site: Site

    def record(self, facts: Sequence[Fact], now: Moment) -> None:
        """Fold the facts into the site and queue them for the journal."""


class LaneTask:
    """Runs the pure lane against the clock."""

    def __init__(
        self,
        setup: LaneSetup,
        run: str,
        house: House,
        channels: Mapping[str, int],
        drive: Callable[[Sequence[Drive]], None],
    ) -> None:
        """`channels` maps the outputs open, hold, green, red to the board's channels, counted from 0."""
        self.setup = setup
        self._house = house
        self._channels = channels
        self._drive = drive
        self._timer: asyncio.TimerHandle | None = None
        now = clock.now()
        self._lane, facts = start(setup, run, now)
        house.record(facts, now)

    @property
    def vehicle_waits(self) -> bool:
        """Whether a vehicle waits to be identified: the camera then reads at full rate."""
        arrival = self._lane.arrival
        return arrival is not None and arrival.served is None

    @property
    def free(self) -> bool:
        """Whether the lane is sure that no vehicle stands before it."""
        return self._lane.phase not in DEAF and self._lane.arrival is None

    def put(self, item: Input) -> list[Fact]:
        """Take one input now; what happened at once."""
        now = clock.now()
        self._lane, facts = step(self._lane, item, self._house.site, now)
        self._house.record(facts, now)
        self._drive(self.drives())
        self._arm()
        return facts

    def drives(self) -> list[Drive]:
        """The lane's outputs as drives of its board; a relay that must stay as it is, is not named."""
        wanted = outputs(self._lane)
        levels = {"hold": wanted.hold, "green": wanted.green, "red": wanted.red}
        drives: list[Drive] = [
            Level(self._channels[role], on)
            for role, on in levels.items()
            if on is not None and role in self._channels
        ]
        if wanted.pulse is not None:
            pulse = wanted.pulse
            drives.append(PulseDrive(self._channels["open"], pulse.id, pulse.width_s, pulse.expires_mono_s))
        return drives

    def stop(self) -> None:
        """No more waking."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self.stop()
        due_s = deadline(self._lane)
        if due_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(loop.time() + max(0.0, due_s - clock.now().mono_s), self.put, Tick())
