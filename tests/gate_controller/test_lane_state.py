"""The words of a lane: a changed lane is what `dataclasses.replace` makes of it."""

from dataclasses import fields, replace

import pytest

from gate_controller.facts import Direction, LaneId
from gate_controller.lane import deadline
from gate_controller.lane_state import Lane, LaneSetup, Phase, Role, changed
from tests.gate_controller.lane_rig import Rig, setup

SETUP = LaneSetup(LaneId("entry"), Direction.IN, frozenset({Role.APPROACH, Role.SAFETY}))
LANE = Lane(SETUP, "run", Phase.IDLE, 1.0, 2.0, Direction.IN)


def test_a_changed_lane_is_a_replaced_one() -> None:
    after = changed(LANE, phase=Phase.ARMED, now=3.0, held=True)
    assert after == replace(LANE, phase=Phase.ARMED, now=3.0, held=True)
    assert LANE.phase is Phase.IDLE
    assert [getattr(after, field.name) for field in fields(Lane)][2:5] == [Phase.ARMED, 1.0, 3.0]


def test_a_field_that_a_lane_has_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        changed(LANE, phases=Phase.ARMED)


@pytest.mark.parametrize("role", [Role.APPROACH, Role.FAR])
def test_a_vehicle_that_stands_still_wakes_nobody(role: Role) -> None:
    rig = Rig(setup(Direction.IN))
    rig.on(role)
    rig.wait(60.0)
    lane = rig.lanes["entry"]
    assert deadline(lane) is None
    # In a lane of one direction its far loop says nothing by the clock at all.
    rig.off(role)
    at = deadline(rig.lanes["entry"])
    assert at == (rig.t + lane.setup.leave_after_s if role is Role.APPROACH else None)
