"""Until when an order that stays in force does so: who spoke last counts."""

import pytest

from gate_controller.facts import LaneId
from gate_controller.standing_orders import Switched, Void, inactive_lanes

ENTRY, SIDE = LaneId("entry"), LaneId("side")


@pytest.mark.parametrize(
    ("setting", "order", "off"),
    [
        (True, None, False),
        (False, None, True),
        (True, Switched(ENTRY, False, True), True),
        (False, Switched(ENTRY, True, False), False),
        # The settings were changed after the order.
        (True, Switched(ENTRY, False, False), False),
        (False, Switched(ENTRY, True, True), True),
    ],
)
def test_an_order_counts_until_the_settings_are_changed(setting: bool, order: Switched | None, off: bool) -> None:
    ordered = [] if order is None else [order]
    assert inactive_lanes({ENTRY: setting, SIDE: True}, ordered) == (frozenset({ENTRY}) if off else frozenset())


def test_an_order_to_a_lane_that_is_gone_means_nothing() -> None:
    assert inactive_lanes({ENTRY: True}, [Switched(SIDE, False, True)]) == frozenset()


@pytest.mark.parametrize(
    ("epoch", "rev", "over"),
    [
        ("new", 6, False),
        ("new", 7, True),
        ("new", 8, True),
        # Still the list that was there when the order came, whatever its number.
        ("old", 99, False),
        # Begun anew since: it knows.
        ("newer", 1, True),
    ],
)
def test_a_void_is_over_once_the_list_has_it(epoch: str, rev: int, over: bool) -> None:
    assert Void("anna", "", "new", 7, instead_of="old").over(epoch, rev) is over


def test_a_void_of_the_list_in_force_waits_for_its_revision() -> None:
    void = Void("anna", "", "e", 7, instead_of="e")
    assert [void.over("e", rev) for rev in (6, 7)] == [False, True]
    assert void.over("f", 1)
