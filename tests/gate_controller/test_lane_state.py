"""The words of a lane: a changed lane is what `dataclasses.replace` makes of it."""

from dataclasses import fields, replace

import pytest

from gate_controller.facts import Direction, LaneId
from gate_controller.lane_state import Lane, LaneSetup, Phase, Role, changed

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
