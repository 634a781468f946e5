"""Who pays for a scan: by its time alone, whatever the gate could know, and however late it is told."""

from datetime import timedelta

import pytest

from gate_controller.delegation import Delegated, Device, DeviceKind
from gate_controller.facts import (
    Basis,
    DeskGranted,
    Direction,
    Granted,
    HoldId,
    LaneId,
    Matched,
    Refused,
    VehicleLeft,
)
from gate_controller.reasons import Reason
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.partners.charges import charge_of
from sync.codec import UnknownFact
from tests.hardware_sim.portal.house_rig import BEGIN

HOUR = timedelta(hours=1)
SPAN = Delegated("clean", BEGIN + HOUR, BEGIN + 2 * HOUR)
ENTRY = Device("entry", DeviceKind.GATE, owner="cafe", delegations=(SPAN,))
BASIS = Basis("e", 1, Matched.EXACT)


def granted(hours: float, said: str, direction: Direction = Direction.IN) -> PortalEvent:
    fact = Granted(LaneId("entry"), direction, HoldId("h"), "u", "anna", "AB12", BASIS, billed_to=said)
    return PortalEvent(7, "gatehouse", "l", 3, BEGIN + hours * HOUR, fact)


@pytest.mark.parametrize(
    ("hours", "said", "payer"),
    [
        (0.5, "cafe", "cafe"),
        (1, "clean", "clean"),
        (1.5, "cafe", "clean"),
        (1.5, "clean", "clean"),
        (2, "clean", "cafe"),
        (2.5, "clean", "cafe"),
        (1.5, "", ""),
    ],
)
def test_the_time_of_the_scan_decides_and_what_the_gate_said_is_kept(hours: float, said: str, payer: str) -> None:
    charge = charge_of(granted(hours, said), ENTRY)
    assert charge is not None
    assert (charge.said, charge.payer, charge.degraded) == (said, payer, said != payer)
    assert (charge.event, charge.edge, charge.device, charge.at) == (7, "gatehouse", "entry", BEGIN + hours * HOUR)


def test_a_gate_that_is_listed_no_more_is_believed() -> None:
    charge = charge_of(granted(1.5, "clean"), None)
    assert charge is not None
    assert (charge.payer, charge.degraded) == ("clean", False)


def test_a_key_that_was_handed_out_counts_too() -> None:
    fact = DeskGranted(LaneId("entry"), HoldId("h"), "u", "a", "drive", "r", "v", 1, BASIS, billed_to="cafe")
    charge = charge_of(PortalEvent(7, "e", "l", 3, BEGIN + 1.5 * HOUR, fact), ENTRY)
    assert charge is not None
    assert (charge.said, charge.payer) == ("cafe", "clean")


def test_refusals_and_exits_and_all_else_cost_nothing() -> None:
    refused = Refused(LaneId("entry"), Direction.IN, Reason.FULL, None, "", "", BASIS)
    for fact in (refused, VehicleLeft(LaneId("entry")), UnknownFact("new", b"{}")):
        assert charge_of(PortalEvent(7, "e", "l", 3, BEGIN + HOUR, fact), ENTRY) is None
    assert charge_of(granted(1.5, "clean", Direction.OUT), ENTRY) is None
