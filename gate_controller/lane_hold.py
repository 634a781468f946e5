"""When a lane may let go of its hold relay: the relay that keeps the boom up by order and in a fire.

The board keeps a relay as it was told last, whether or not this program lives. So a lane that has just started,
or whose board was silent, does not know whether the relay is on, and a vehicle may stand under the boom that it
holds. Until the lane may let go it says nothing about the relay, which leaves it as it is. No restart, no silence
and no fault lets go: only a release by a person, or a fire acknowledged, and either only beside a safety loop that
is known to be clear. A boom seen on its closed limit has nothing left to fall, so there the relay is let go of
anyway.

A lane without limits cannot see that its boom stands open. After each start and each silence of its board it calls
for a person (`doubt`), who looks, and releases it.

Not here: the order to hold (`lane_orders`), and the release of a boom that an order holds (`lane`).
"""

from typing import Final

from gate_controller.facts import AlarmRaised
from gate_controller.lane_scan import Scan
from gate_controller.lane_state import Phase, Role

BUSY: Final = frozenset(
    {Phase.AUTHORISING, Phase.OPENING, Phase.OPEN_WAIT, Phase.PASSING, Phase.CLEARED, Phase.HELD_OPEN, Phase.FIRE}
)
"""Phases in which a release waits: a vehicle is being let through, or the phase itself watches over the release."""


def let_go(scan: Scan) -> None:
    """Note whether the hold relay may be off now; whoever has it on may not let go by this alone."""
    lane = scan.lane
    if lane.held or lane.phase is Phase.FIRE:
        scan.put(let_go=False)
    elif lane.crossing is None and lane.off_for(Role.SAFETY, lane.setup.clear_for_s):
        down = lane.on_for(Role.CLOSED_LIMIT, lane.setup.stable_for_s) and not lane.on(Role.OPEN_LIMIT)
        released = lane.releasing and lane.phase not in BUSY
        if down or released:
            scan.put(let_go=True, releasing=lane.releasing and not released)


def doubt(scan: Scan) -> None:
    """Call for a person where no limit tells whether the relay still holds the boom up, and nobody released it."""
    lane = scan.lane
    if lane.setup.hold_fitted and not lane.let_go and not lane.releasing:
        detail = "no limit tells whether the boom is still held up; look, and release the lane"
        scan.facts.append(AlarmRaised(lane.setup.id, "hold_unknown", detail))
