"""Orders that name nobody; what lanes do with the others is seen in `test_daemon`."""

from collections.abc import Sequence
from datetime import UTC, datetime

from edge import orders
from gate_controller.facts import (
    Basis,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    LaneId,
    Matched,
    Passed,
    SessionClosed,
)
from gate_controller.lane import Order
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from sync.orders import Answer, ClearUser, LaneOrder

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
ENTRY = LaneId("entry")


def test_a_lane_that_is_not_there_is_named_with_those_that_are() -> None:
    answer = orders.give({}, LaneOrder("side", Order.OPEN, "joris", "ambulance"), 10.0)
    assert answer == Answer(False, "no lane side; there are ")


def test_sessions_of_one_user_are_ended_and_nobody_elses() -> None:
    occupancy = Occupancy()
    for name in ("anna", "bert"):
        basis = Basis("e", 1, Matched.EXACT)
        for fact in (
            Granted(ENTRY, Direction.IN, HoldId(name), f"u-{name}", name, f"P{name}", basis),
            Passed(ENTRY, Direction.IN, HoldId(name)),
        ):
            occupancy = occupancy.fold(fact, T0)
    recorded: list[Fact] = []

    def record(facts: Sequence[Fact], _: Moment) -> None:
        recorded.extend(facts)

    done = orders.clear({}, occupancy, record, ClearUser("anna", "joris", "left at noon"))
    assert done == Answer(True, "anna: 1 open sessions and 0 open grants ended")
    assert recorded == [
        SessionClosed(HoldId("anna"), "u-anna", "Panna", Closed.OPERATOR, "joris", "left at noon", "anna")
    ]
    assert not orders.clear({}, occupancy, record, ClearUser("nobody", "joris", "x")).done
