"""A pool of two vehicles and the subscribers who share them."""

from datetime import datetime, timedelta

from gate_controller.allowlist import Change, PermitPut, User, UserPut
from gate_controller.contracts import business, private
from gate_controller.desk import Licence, LicenceStatus, Registration
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.fleet import pool
from hardware_sim.portal.fleet.pool import Vehicle
from hardware_sim.portal.fleet.reservations import Wanted
from hardware_sim.portal.house import House
from tests.hardware_sim.portal.house_rig import BEGIN

HOUR = timedelta(hours=1)


def subscriber(name: str, *, payable: bool = False) -> User:
    user_id = f"u-{name}"
    both = (business(f"{user_id}-b", ""), private(f"{user_id}-p", user_id, payable=payable))
    licence = Licence(LicenceStatus.VALIDATED, BEGIN, BEGIN + timedelta(days=90))
    return User(user_id, name, registration=Registration.REGISTERED, licence=licence, contracts=both)


async def a_pool(house: House, *names: str) -> None:
    """DACIA-1 with its key in slot 1, ZOE-2 with two seats; the subscribers have permits."""
    await pool.add(house, "frida", Vehicle("DACIA-1", "Dacia Spring", "north", 1, 5), "GR-418-N")
    await pool.add(house, "frida", Vehicle("ZOE-2", "Renault Zoe", "north", 2, 2), "TX-904-B")
    changes: list[Change] = []
    for name in names:
        changes += [UserPut(subscriber(name)), *map(PermitPut, newcomers.subscribing(f"u-{name}"))]
    await house.portal.change(changes)


def wanted(
    name: str,
    begins: float = 0.0,
    ends: float = 2.0,
    vehicle: str = "DACIA-1",
    at: datetime = BEGIN,
    *,
    shared: bool = False,
) -> Wanted:
    """A trip of this subscriber, in hours from `at`."""
    return Wanted(vehicle, at + begins * HOUR, at + ends * HOUR, f"u-{name}-b", shared)
