"""A house with a partner, a customer and the customer's gates."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Delegation, Device, DeviceKind, Partnership
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.partners import Partners, Word
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from tests.hardware_sim.portal.house_rig import Clock, a_house

GATES = tuple(Device(name, DeviceKind.GATE, owner="cafe") for name in ("entry", "exit"))
STRANGE = Device("strange", DeviceKind.GATE, owner="acme")


async def people_it(house: House) -> Partners:
    """Organisations, accounts with addresses, devices."""

    def organisations() -> None:
        house.organisations.put(Organisation("clean", "Clean & Co", partner=True, customer=False))
        house.organisations.put(Organisation("fresh", "Fresh", "office@fresh.example", partner=True))
        house.organisations.put(Organisation("cafe", "Café Ünal"))

    await house.write(organisations)
    await house.add_account("test", "paul", "clean", [Role.PARTNER], email="paul@clean.example")
    await house.add_account("test", "cora", "cafe", [Role.ADMINISTRATOR], email="cora@cafe.example")
    await house.add_account("test", "fritz", "cafe", [Role.FLEET_MANAGER], email="fritz@cafe.example")
    await house.portal.change([DevicePut(one) for one in (*GATES, STRANGE)])
    return Partners(house)


@asynccontextmanager
async def a_partner(folder: Path, clock: Clock | None = None) -> AsyncIterator[tuple[House, Partners]]:
    async with a_house(folder, clock) as house:
        yield house, await people_it(house)


async def linked(partners: Partners, partner: str = "clean") -> Partnership:
    """Requested by support, accepted by the customer."""
    asked = await partners.ask_for("sven", partner, "cafe")
    return await partners.answer("cora", "cafe", asked.id, Word.ACCEPT, "requested")


async def in_charge_of(partners: Partners, link: Partnership, device: str = "entry") -> Delegation:
    """Asked for by the owner, accepted by the partner."""
    (asked,) = await partners.delegate("cora", "cafe", link.id, [device])
    return await partners.respond("paul", link.partner, asked.id, Word.ACCEPT, "requested")
