"""What happened at a device, for its owner always and for a partner as long as the device was in its charge.

The time of an event decides, not that of its arrival: what a gate tells late is seen by whoever might have seen it
then. Nobody's plate or id is told. Beside each scan that counts stands who pays, and whom the gate had named where
it could not know better.
"""

from dataclasses import dataclass
from typing import Final

from gate_controller.delegation import Device, sees
from hardware_sim.portal.devices.viewing import seen
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.partners.charges import Charge, charge_of

PAGE: Final = 1000
"""Events of the whole site that are looked through for a page."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A line about a device; `charge` is there for a scan that counts."""

    at: str
    what: str
    charge: Charge | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Lines with the newest first; what happened before the event `older` is on another page, if there is any."""

    lines: list[Happened]
    older: int | None


async def overview(house: House, organisation: str | None, device: Device, before: int | None = None) -> Overview:
    """What an organisation sees of a device, None for the operator, who sees all."""
    end = (await house.run(_newest, house) + 1) if before is None else before
    found = await house.portal.events(max(0, end - 1 - PAGE), PAGE)
    lines = [
        Happened(one.at.isoformat(), seen(one).what, charge_of(one, device))
        for one in found
        if one.number < end and _at(one, device) and (organisation is None or sees(organisation, device, one.at))
    ]
    return Overview(lines[::-1], end - PAGE if end - PAGE > 1 else None)


def _at(event: PortalEvent, device: Device) -> bool:
    return getattr(event.fact, "lane", None) == device.id


def _newest(house: House) -> int:
    return int(house.portal.database.sql.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()[0])
