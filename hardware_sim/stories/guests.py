"""Guests: expected at the portal, let in by signed pass, code or plate, also by a gate that is cut off."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gate_controller.allowlist import UserPut
from gate_controller.credentials import CredentialState
from gate_controller.facts import Granted, Matched, Passed, Refused, VehicleLeft
from gate_controller.reasons import Reason
from hardware_sim.garage import ENTRY
from hardware_sim.portal.records.accounts import Role
from hardware_sim.scenarios import leaves
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.qr_reader import scan
from hardware_sim.stories.story import Stage, Story, must
from hardware_sim.world import Vehicle

GINAS_CAR: Final = Vehicle(("HB", "TU", "512"), "D", speed_mps=6.0)
HANS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", speed_mps=6.0)
IDAS_CAR: Final = Vehicle(("GR", "418", "N"), "NL", speed_mps=6.0)
JANS_CAR: Final = Vehicle(("TX", "904", "B"), "NL", patience_s=6.0, speed_mps=6.0)
VISIT: Final = timedelta(hours=3)
SCANS_AFTER_S: Final = 0.3

STORY: Final = Story(
    "guests", "Guests by signed pass, code and plate, and a phone's pass", (GINAS_CAR, HANS_CAR, IDAS_CAR, JANS_CAR)
)


async def expects(stage: Stage, name: str, plate: str = "") -> tuple[str, str]:
    """Frida expects somebody; the link and the code that she is shown."""
    frida = stage.browser("frida")
    await frida.open("/visitors/new")
    until = (stage.house.now() + VISIT).astimezone(ZoneInfo("Europe/Amsterdam"))
    page = await frida.submit(
        "Expect the guest", {"Name": name, "Until": f"{until:%Y-%m-%dT%H:%M}", "Number plate": plate}
    )
    (link,) = re.findall(r"http\S+/visit/\S+", page.text)
    (code,) = re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", page.text)
    return link, code


async def pass_on(stage: Stage, person: str, path: str) -> str:
    """What the scanner reads from somebody's phone."""
    page: Shown = await stage.browser(person).open(path)
    must(page.status == 200, f"{path} answers {page.status}")
    return scan(page.html)


async def shows(stage: Stage, car: Vehicle, text: str) -> Granted:
    """The car comes and its driver shows this; it is let in, and is inside."""
    stage.site.world.arrive(ENTRY, replace(car, shows=((SCANS_AFTER_S, text),)))
    granted = await stage.site.expect(Granted, ENTRY)
    await stage.site.expect(Passed, ENTRY, hold=granted.hold)
    return granted


def is_parked(stage: Stage, car: Vehicle) -> bool:
    """Whether a vehicle with this plate stands inside, whatever its driver held out."""
    return any(one.plate == car.plate for one in stage.site.world.parked)


async def drives_out(stage: Stage, car: Vehicle) -> None:
    """The car of this plate leaves."""
    await stage.site.until(lambda: is_parked(stage, car), f"{car.plate} parked")
    (parked,) = [one for one in stage.site.world.parked if one.plate == car.plate]
    await leaves(stage.site, parked)


@STORY.step("Frida expects Gina; what she forgets to say is named.")
async def gina_is_expected(stage: Stage) -> None:
    await stage.account("frida", Role.FLEET_MANAGER)
    await stage.log_in("frida")
    frida = stage.browser("frida")
    await frida.open("/visitors")
    await frida.follow("Expect a guest")
    page = await frida.submit("Expect the guest", {"Name": "Gina"})
    must("Until is missing" in page, "a missing end of the visit is not named")
    stage.notes["gina"], _ = await expects(stage, "Gina")
    await stage.site.until_in_force()


@STORY.step("Gina shows the page on her phone; a copy of it lets no second car in while she is inside.")
async def gina_comes(stage: Stage) -> None:
    text = await pass_on(stage, "gina", stage.notes["gina"])
    granted = await shows(stage, GINAS_CAR, text)
    must(granted.basis.matched is Matched.SIGNED_PASS, f"matched by {granted.basis.matched}")
    stage.site.world.arrive(ENTRY, replace(JANS_CAR, shows=((SCANS_AFTER_S, text),)))
    await stage.site.expect(Refused, ENTRY, reason=Reason.ALREADY_INSIDE)
    await stage.site.expect(VehicleLeft, ENTRY)
    await drives_out(stage, GINAS_CAR)


@STORY.step("Hans is expected with his plate: the camera lets him in for that day.")
async def hans_comes(stage: Stage) -> None:
    await expects(stage, "Hans", "KA-RS 290")
    await stage.site.until_in_force()
    stage.site.world.arrive(ENTRY, HANS_CAR)
    granted = await stage.site.expect(Granted, ENTRY)
    must(granted.basis.matched is Matched.EXACT, f"matched by {granted.basis.matched}")
    await stage.site.expect(Passed, ENTRY, hold=granted.hold)
    await drives_out(stage, HANS_CAR)


@STORY.step("The gate is cut off. Ida is expected meanwhile: no list has her, but her pass is signed.", proves=[39])
async def ida_comes(stage: Stage) -> None:
    await stage.site.unplug_broker()
    stage.notes["ida"], _ = await expects(stage, "Ida")
    text = stage.notes["pass"] = await pass_on(stage, "ida", stage.notes["ida"])
    stage.site.world.arrive(ENTRY, replace(IDAS_CAR, shows=((SCANS_AFTER_S, text),)))
    await stage.site.until(lambda: is_parked(stage, IDAS_CAR), "Ida inside")
    await stage.site.plug_broker_in()
    granted = await stage.site.expect(Granted, ENTRY)
    must(granted.external_id.startswith("guest-"), f"granted to {granted.external_id}")
    await stage.site.until_in_force()


@STORY.step("Ida's visit is called off while she is inside: she gets out, and not in again.")
async def ida_is_called_off(stage: Stage) -> None:
    frida = stage.browser("frida")
    await frida.open("/visitors")
    await frida.follow("Ida")
    page = await frida.submit("Call the visit off")
    must("The visit is called off" in page and "Ida" not in page, "the visit goes on")
    must((await stage.browser("ida").open(stage.notes["ida"])).status == 404, "the pass is still shown")
    await stage.site.until_in_force()
    await drives_out(stage, IDAS_CAR)
    stage.site.world.arrive(ENTRY, replace(IDAS_CAR, patience_s=3.0, shows=((SCANS_AFTER_S, stage.notes["pass"]),)))
    await stage.site.expect(Refused, ENTRY, reason=Reason.UNKNOWN_CREDENTIAL)
    await stage.site.expect(VehicleLeft, ENTRY)


@STORY.step("Jan has the app: its pass changes all the time, and each is good for one entry.", proves=[39])
async def jan_comes(stage: Stage) -> None:
    user = await stage.site.portal.add_user("jan", [])
    await stage.site.portal.change([UserPut(replace(user, app=CredentialState.ACTIVE))])
    await stage.account("jan", Role.DRIVER, user_id=user.id)
    await stage.log_in("jan")
    await stage.site.until_in_force()
    text = await pass_on(stage, "jan", "/pass")
    await shows(stage, JANS_CAR, text)
    await drives_out(stage, JANS_CAR)
    stage.say("story", "Somebody photographed it over Jan's shoulder.")
    stage.site.world.arrive(ENTRY, replace(JANS_CAR, shows=((SCANS_AFTER_S, text),)))
    await stage.site.expect(Refused, ENTRY, reason=Reason.PASS_REPLAYED)
    await stage.site.expect(VehicleLeft, ENTRY)
    must(await pass_on(stage, "jan", "/pass") != text, "the pass does not change")
