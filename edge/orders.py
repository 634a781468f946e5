"""Orders to the lanes of a site, and about who is inside: what becomes of each, as a sentence.

Not here: how an order gets to the daemon (`control`, `sync.portal`), and those that stay in force (`standing`).
"""

import secrets
from collections.abc import Callable, Mapping, Sequence

from edge import clock
from edge.lane_task import LaneTask
from gate_controller.facts import Closed, CommandRefused, Fact, HoldReleased, LaneId, Released
from gate_controller.lane import ClearHold, Command
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from sync.orders import Answer, ClearUser, LaneOrder

Lanes = Mapping[LaneId, LaneTask]


def give(lanes: Lanes, order: LaneOrder, valid_for_s: float) -> Answer:
    """Give a lane an order that it may begin within `valid_for_s`; the lane says whether it will."""
    lane = lanes.get(LaneId(order.lane))
    if lane is None:
        return Answer(False, f"no lane {order.lane}; there are {', '.join(lanes)}")
    name = secrets.token_hex(8)
    expires_s = clock.now().mono_s + valid_for_s
    facts = lane.put(Command(name, order.kind, order.by, order.reason, expires_s))
    refused = [fact.why for fact in facts if isinstance(fact, CommandRefused)]
    return Answer(not refused, refused[0] if refused else f"{order.lane}: {order.kind.value} is under way")


def clear(
    lanes: Lanes, occupancy: Occupancy, record: Callable[[Sequence[Fact], Moment], None], request: ClearUser
) -> Answer:
    """End a user's open sessions, recorded by `record`, and those of its grants that their lanes let go."""
    own = [s for s in occupancy.inside() if s.external_id == request.external_id]
    closed = [session.closed(Closed.OPERATOR, request.by, request.reason) for session in own]
    record(closed, clock.now())
    facts = [
        fact
        for hold in occupancy.holds.values()
        if hold.external_id == request.external_id
        for fact in lanes[hold.lane].put(ClearHold(hold.id, request.by, request.reason))
    ]
    released = [f for f in facts if isinstance(f, HoldReleased) and f.why is Released.OPERATOR]
    refused = "".join(f"; a grant stays: {f.why}" for f in facts if isinstance(f, CommandRefused))
    said = f"{request.external_id}: {len(own)} open sessions and {len(released)} open grants ended{refused}"
    return Answer(bool(own or released), said)
