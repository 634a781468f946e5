"""Orders that stay in force over restarts: a lane that was switched on or off, a user or credential that is void.

Each stands until somebody who knows better has spoken: the lane's settings, or the portal's list. Here is until
when; where they are kept is `sync.standing_orders`', what they mean for a vehicle `access`'.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gate_controller.facts import LaneId


@dataclass(frozen=True, slots=True)
class Switched:
    """A lane was ordered to be `active`, when its settings said `setting`; settings that changed since count."""

    lane: LaneId
    active: bool
    setting: bool


@dataclass(frozen=True, slots=True)
class Void:
    """A user, or one `credential` of it where that is not "", counts no more before the list itself says so.

    The list says so from revision `rev` of `epoch` on. `instead_of` is the list that was in force when the order
    came: if neither is any more, a list that was begun anew has come since, and knows.
    """

    user_id: str
    credential: str
    epoch: str
    rev: int
    instead_of: str

    def over(self, epoch: str, rev: int) -> bool:
        """Whether the list that is in force has taken its place."""
        return rev >= self.rev if epoch == self.epoch else epoch != self.instead_of


def inactive_lanes(settings: Mapping[LaneId, bool], switched: Iterable[Switched]) -> frozenset[LaneId]:
    """The lanes that are off; `settings` says of each whether it is active there. Who spoke last counts."""
    ordered = {order.lane: order.active for order in switched if settings.get(order.lane) is order.setting}
    return frozenset(lane for lane, active in settings.items() if not ordered.get(lane, active))
