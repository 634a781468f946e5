"""Named stories: what people do at a gate, and what the gate must then do.

A story is a function over a running site. It sends vehicles, expects facts, and fails in words when one does not
come. The same stories run in the demo, by name in the simulator, and as tests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from edge import clock
from gate_controller.facts import Granted, HoldReleased, Passed, Refused, Released, VehicleLeft
from gate_controller.reasons import DRIVER, Reason
from hardware_sim.garage import ENTRY, EXIT
from hardware_sim.simulated_site import SimulatedSite, StoryFailed
from hardware_sim.world import Vehicle

ANNAS_CAR: Final = Vehicle(("98", "THD", "4"), "NL", speed_mps=6.0)
ANNAS_OTHER_CAR: Final = Vehicle(("AB", "123", "CD"), "F", patience_s=3.0, speed_mps=6.0)
STRANGER: Final = Vehicle(("ZG", "4821", "KP"), "HR", patience_s=3.0, speed_mps=6.0)
BERTS_RENTAL: Final = Vehicle(("XK", "507", "RT"), "F", badge="000414CD7E", badge_after_s=2.0, speed_mps=6.0)
DIRKS_CAR: Final = Vehicle(("M", "AX", "3074"), "D", patience_s=3.0, speed_mps=6.0)
EMMAS_CAR: Final = Vehicle(("GR", "418", "N"), "NL", patience_s=90.0, speed_mps=6.0)
GINAS_CAR: Final = Vehicle(("HB", "TU", "512"), "D", shows=((0.3, "Q1.visitor.7f3a9c01d2"),), speed_mps=6.0)
HANS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", shows=((0.3, "K7M2-PX95"), (1.5, "k7m2 px94")), speed_mps=6.0)
FRITS_CAR: Final = Vehicle(("TX", "904", "B"), "NL", patience_s=3.0, speed_mps=6.0)

CARS: Final = (
    ANNAS_CAR,
    ANNAS_OTHER_CAR,
    STRANGER,
    BERTS_RENTAL,
    DIRKS_CAR,
    EMMAS_CAR,
    GINAS_CAR,
    HANS_CAR,
    FRITS_CAR,
)

VISIT: Final = timedelta(hours=2)
WIRE_EMPTIES_S: Final = 0.5
"""A pulse that the daemon wrote just before it died may still be on its way to the board."""

Story = Callable[[SimulatedSite], Awaitable[None]]


async def people(site: SimulatedSite) -> None:
    """The users every story knows; those of an earlier run stay as they are."""
    if site.portal.allowlist.user_by_external("anna") is None:
        await site.portal.add_user("anna", ["98-THD-4", "AB-123-CD"])
    if site.portal.allowlist.user_by_external("bert") is None:
        await site.portal.add_user("bert", badges=["000414CD7E"])


async def second_car(site: SimulatedSite) -> None:
    """One user, two plates, one place: the second car waits until the first has left."""
    site.say("story", "Anna owns two cars, but only one may be parked at a time.")
    await enters(site, ANNAS_CAR, "anna")
    await turned_away(site, ANNAS_OTHER_CAR, Reason.ANOTHER_VEHICLE_PARKED)
    await leaves(site, ANNAS_CAR)
    await enters(site, ANNAS_OTHER_CAR, "anna")
    await leaves(site, ANNAS_OTHER_CAR)


async def stranger(site: SimulatedSite) -> None:
    """A plate that nobody listed is refused by name of the reason, and the boom stays down."""
    site.say("story", "A car that nobody registered.")
    await turned_away(site, STRANGER, Reason.UNKNOWN_CREDENTIAL)


async def badge(site: SimulatedSite) -> None:
    """A rental car is not on the list, but its driver's badge is."""
    site.say("story", "Bert drives a rental today; his badge opens.")
    await enters(site, BERTS_RENTAL, "bert")
    await leaves(site, BERTS_RENTAL)


async def new_user(site: SimulatedSite) -> None:
    """A user added at the portal is admitted at the next car; removed again, the car inside is not locked in."""
    site.say("story", "Dirk comes before anybody registered him.")
    await turned_away(site, DIRKS_CAR, Reason.UNKNOWN_CREDENTIAL)
    site.say("portal", "the fleet manager adds dirk with plate M-AX 3074")
    await site.portal.add_user("dirk", ["M-AX 3074"])
    await enters(site, DIRKS_CAR, "dirk")
    await site.portal.remove_user("dirk")


async def power_cut(site: SimulatedSite) -> None:
    """The daemon dies between grant and passage: no boom moves, and the user's next movement is believed."""
    site.say("story", "The power fails just after Anna was granted entry.")
    site.world.arrive(ENTRY, ANNAS_CAR)
    granted = await site.expect(Granted, ENTRY, external_id="anna")
    await site.kill_daemon()
    await asyncio.sleep(WIRE_EMPTIES_S)
    pulses = site.board.flashes.copy()
    await site.start_daemon()
    await site.expect(HoldReleased, ENTRY, hold=granted.hold, why=Released.OUTCOME_UNKNOWN)
    await site.until_ready()
    if site.board.flashes != pulses:
        raise StoryFailed("the restart moved a boom")
    await site.until(lambda: not site.world.scene(ENTRY).vehicles, "an empty entry")


async def power_cut_with_a_car_waiting(site: SimulatedSite) -> None:
    """The daemon dies while a car stands at the loop: started again, it reads the car that nobody saw come."""
    site.say("story", "Emma waits at the boom for her manager to register her, and the power fails.")
    site.world.arrive(ENTRY, EMMAS_CAR)
    await site.expect(Refused, ENTRY, reason=Reason.UNKNOWN_CREDENTIAL)
    await site.kill_daemon()
    pulses = len(site.board.flashes)
    site.say("portal", "the fleet manager adds emma with plate GR-418-N")
    await site.portal.add_user("emma", ["GR-418-N"])
    await site.start_daemon()
    granted = await site.expect(Granted, ENTRY, external_id="emma")
    await site.expect(Passed, ENTRY, hold=granted.hold)
    if len(site.board.flashes) != pulses + 1:
        raise StoryFailed("the restart moved a boom")
    await leaves(site, EMMAS_CAR)
    await site.portal.remove_user("emma")


async def qr_guest(site: SimulatedSite) -> None:
    """Two visitors: a QR pass opens, a guest code typed wrong does not, and typed right it does."""
    site.say("portal", "the reception sends Gina a QR pass and Hans the guest code K7M2-PX94, for two hours")
    until = clock.now().wall + VISIT
    await site.portal.add_guest("gina", qr_pass="Q1.visitor.7f3a9c01d2", valid_to=until)
    await site.portal.add_guest("hans", code="K7M2-PX94", valid_to=until)
    site.say("story", "Gina holds her pass to the scanner; Hans, behind her, mistypes his code.")
    site.world.arrive(ENTRY, GINAS_CAR)
    site.world.arrive(ENTRY, HANS_CAR)
    await site.expect(Granted, ENTRY, external_id="gina")
    await site.expect(Refused, ENTRY, reason=Reason.CODE_WRONG)
    site.say("display", DRIVER[Reason.CODE_WRONG])
    granted = await site.expect(Granted, ENTRY, external_id="hans")
    await site.expect(Passed, ENTRY, hold=granted.hold)
    for guest in ("gina", "hans"):
        await site.portal.remove_user(guest)


async def broker_unplugged(site: SimulatedSite) -> None:
    """The broker dies: known cars come and go as ever, and what was missed, both ways, arrives when it is back."""
    site.say("story", "The broker is unplugged. Anna comes home and leaves again.")
    await site.unplug_broker()
    site.world.arrive(ENTRY, ANNAS_CAR)
    await site.until(lambda: ANNAS_CAR in site.world.parked, "Anna inside, without broker and portal")
    site.say("portal", "the fleet manager adds frits with plate TX-904-B; no gate hears of it")
    await site.portal.add_user("frits", ["TX-904-B"])
    site.world.leave(ANNAS_CAR, EXIT)
    await site.until(lambda: ANNAS_CAR.plate not in site.plates_inside(), "Anna gone, without broker and portal")
    if not site.tell_how_stale():
        raise StoryFailed("the portal cannot have heard of what happened without a broker")
    site.say("story", "The broker is plugged in again; it has forgotten everything.")
    await site.plug_broker_in()
    for lane in (ENTRY, EXIT):
        granted = await site.expect(Granted, lane, external_id="anna")
        await site.expect(Passed, lane, hold=granted.hold)
    await site.until_delivered()
    await site.until_in_force()
    rows = len(await site.portal.events(limit=1_000_000))
    site.say("site", f"nothing is missing: journal rows at the gate {site.journal_length()}, at the portal {rows}")
    await enters(site, FRITS_CAR, "frits")
    await site.portal.remove_user("frits")


STORIES: Final[dict[str, Story]] = {
    "second-car": second_car,
    "stranger": stranger,
    "badge": badge,
    "qr-guest": qr_guest,
    "new-user": new_user,
    "broker-unplugged": broker_unplugged,
    "power-cut": power_cut,
    "power-cut-waiting": power_cut_with_a_car_waiting,
}

PROVES: Final[dict[str, frozenset[int]]] = {"second-car": frozenset({7}), "new-user": frozenset({11})}
"""Requirements that these stories prove from end to end."""


async def enters(site: SimulatedSite, car: Vehicle, external_id: str) -> None:
    """The car comes, is granted and passes; then it is inside."""
    site.world.arrive(ENTRY, car)
    granted = await site.expect(Granted, ENTRY, external_id=external_id)
    await site.expect(Passed, ENTRY, hold=granted.hold)


async def leaves(site: SimulatedSite, car: Vehicle) -> None:
    """The car leaves; its own session ends."""
    await site.until(lambda: car in site.world.parked, f"{car.plate} parked")
    site.world.leave(car, EXIT)
    granted = await site.expect(Granted, EXIT)
    await site.expect(Passed, EXIT, hold=granted.hold)


async def turned_away(site: SimulatedSite, car: Vehicle, reason: Reason) -> None:
    """The car is refused for this reason and drives away."""
    site.world.arrive(ENTRY, car)
    await site.expect(Refused, ENTRY, reason=reason)
    site.say("display", DRIVER[reason])
    await site.expect(VehicleLeft, ENTRY)
