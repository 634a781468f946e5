"""Who pays for a scan: the word of the gate, and that of the portal, which knows every agreement. Pure.

A gate stamps who pays by the list that it has; one that is cut off cannot know that a delegation has ended. The
portal decides by the time of the scan alone, whenever the event arrives, and keeps both words apart. Refusals and
exits are never charged: nobody is kept in, and a scan that opened nothing is worth nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gate_controller.delegation import Device, billed_to
from gate_controller.facts import DeskGranted, Direction, Granted, Released
from hardware_sim.portal.journals.ledgers import PortalEvent

UNOPENED: Final = frozenset({Released.HELD_ELSEWHERE, Released.PORTAL_UNREACHABLE, Released.STORE_UNAVAILABLE})
"""Ends of a grant that was taken back before anything opened: to its driver it was a refusal."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A scan that counts: `said` is whom the gate stamped, `payer` who pays; `event` is the number of its arrival.

    "" is nobody in particular.
    """

    event: int
    edge: str
    device: str
    at: datetime
    said: str
    payer: str

    @property
    def degraded(self) -> bool:
        """Whether the gate could not know who pays, and was corrected."""
        return self.said != self.payer


def charge_of(event: PortalEvent, device: Device | None) -> Charge | None:
    """The charge for an event, None for one that costs nothing; `device` is where it happened, as listed now."""
    match event.fact:
        case Granted(lane=lane, direction=Direction.IN, billed_to=said) | DeskGranted(lane=lane, billed_to=said):
            # Nobody had the device at the scan, or it was taken off the list since: then the gate knew better.
            payer = billed_to(device, event.at) if device is not None and said else said
            return Charge(event.number, event.edge, lane, event.at, said, payer)
        case _:
            return None
