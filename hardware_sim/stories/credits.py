"""Credits: what scans cost, also those that come late, and that nothing is lost and nobody kept in without any."""

import re
from typing import Final

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.facts import Granted, Passed
from gate_controller.reasons import Reason
from hardware_sim.portal.accounts import Role
from hardware_sim.scenarios import turned_away
from hardware_sim.simulated_site import ENTRY, EXIT
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from hardware_sim.world import Vehicle

BERTS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", speed_mps=6.0)
CARLAS_CAR: Final = Vehicle(("GR", "418", "N"), "NL", speed_mps=6.0)
STRANGERS_CAR: Final = Vehicle(("TX", "904", "B"), "NL", patience_s=2.0, speed_mps=6.0)
OWNERS: Final = {BERTS_CAR.plate: "bert", CARLAS_CAR.plate: "carla"}
ACMES_MAIL: Final = "office@acme.example.com"

STORY: Final = Story(
    "credits", "Credits: metered, warned of, and never in the way", (BERTS_CAR, CARLAS_CAR, STRANGERS_CAR)
)


async def granted(stage: Stage, car: Vehicle) -> Granted:
    """The car comes and is let in; it passes while the story goes on."""
    stage.site.world.arrive(ENTRY, car)
    return await stage.site.expect(Granted, ENTRY, external_id=OWNERS[car.plate])


async def until_inside(stage: Stage, car: Vehicle) -> None:
    """The car has parked."""
    await stage.site.until(lambda: car in stage.site.world.parked, f"{car.plate} inside")


async def account(stage: Stage, person: str) -> Shown:
    """Somebody looks at Acme's credits."""
    return await stage.browser(person).open(stage.notes["credits"])


async def left(stage: Stage, person: str = "ada") -> int:
    """How many credits the page says are left, once everything that the gate wrote is there."""
    await stage.site.until_delivered()
    (told,) = re.findall(r"(-?\d+) credits are left", (await account(stage, person)).text)
    return int(told)


@STORY.step(
    "Olga adds the customer Acme; its account begins with 100 credits, which Ada of Acme sees.", proves=[67]
)
async def acme_begins(stage: Stage) -> None:
    await stage.account("olga", Role.OPERATOR)
    await stage.log_in("olga")
    olga = stage.browser("olga")
    await olga.open("/organisations/new")
    await olga.submit("Save", {"Name": "Acme", "E-mail address": ACMES_MAIL, "Customer: owns devices": True})
    page = await olga.open("/credits")
    (link,) = [one for one in page.links if one.text == "Acme"]
    stage.notes["credits"], stage.notes["acme"] = link.path, link.path.rsplit("/", 1)[1]
    ada, _ = await stage.house.add_account("olga", "ada", stage.notes["acme"], [Role.ADMINISTRATOR])
    await stage.house.set_password(ada, PASSWORD)
    await stage.log_in("ada")
    must(await left(stage) == 100, "the account does not begin with 100 credits")
    must((await stage.browser("ada").open("/credits")).path == link.path, "Ada sees more than her own account")
    must((await stage.browser("ada").open(f"/credits/{stage.house.tenant}")).status == 404, "Ada sees another's")


@STORY.step(
    "Ada wants to be warned at 99 left; a word is no number, and nothing is mailed before it is so.", proves=[67]
)
async def warned_at(stage: Stage) -> None:
    ada = stage.browser("ada")
    await account(stage, "ada")
    page = await ada.submit("Save", {"Warn when so many are left": "many"})
    must("is no whole number" in page, "a word is taken for a number")
    await account(stage, "ada")
    await ada.submit("Save", {"Warn when so many are left": "99"})
    must(not await stage.letters(ACMES_MAIL), "a mail went out too early")


@STORY.step(
    "Bert's granted scan costs Acme one credit, a stranger's nothing; one mail warns, and the page.", proves=[67]
)
async def one_scan(stage: Stage) -> None:
    owner = stage.notes["acme"]
    gates = [DevicePut(Device(name, DeviceKind.GATE, owner=owner)) for name in (ENTRY, EXIT)]
    await stage.site.portal.change(gates)
    for car in (BERTS_CAR, CARLAS_CAR):
        await stage.site.portal.add_user(OWNERS[car.plate], [car.plate], country=car.country)
    await stage.site.until_in_force()
    grant = await granted(stage, BERTS_CAR)
    must(grant.billed_to == owner, f"the gate bills {grant.billed_to!r}")
    await turned_away(stage.site, STRANGERS_CAR, Reason.UNKNOWN_CREDENTIAL)
    must(await left(stage) == 99, "an entry and a refusal did not cost one credit")
    page = await account(stage, "ada")
    must("Few credits are left" in page, "the page does not warn")
    must(page.line_with("-1").split()[2:5] == [ENTRY, "-1", "99"], "the use is not on the page")
    must("904" not in page and "290" not in page, "the page of use has plates")
    file = await stage.browser("ada").open(f"{stage.notes['credits']}/use.csv")
    must(f";{ENTRY};-1;99;" in file.body.decode("utf-8-sig"), f"the spreadsheet says {file.body!r}")
    (letter,) = await stage.letters(ACMES_MAIL)
    must("99 credits" in letter.body, f"the mail says {letter.body}")
    stage.say("acme", "reads: " + letter.subject)


@STORY.step("One credit is left and the gate is cut off: Carla enters and Bert leaves all the same.", proves=[40])
async def cut_off(stage: Stage) -> None:
    olga = stage.browser("olga")
    await account(stage, "olga")
    await olga.submit("Book the credits", {"Credits": "-98", "What for": "Booked twice in January"})
    must(await left(stage) == 1, "what was booked is not on the account")
    await stage.site.unplug_broker()
    await until_inside(stage, BERTS_CAR)
    stage.site.world.leave(BERTS_CAR, EXIT)
    stage.site.world.arrive(ENTRY, CARLAS_CAR)
    await until_inside(stage, CARLAS_CAR)
    await stage.site.until(lambda: BERTS_CAR not in stage.site.world.parked, "Bert on his way out")
    must(stage.site.tell_how_stale() > 0, "nothing waits at the gate")
    must("1 credits are left" in await account(stage, "ada"), "the portal knows what it cannot know")


@STORY.step(
    "The gate is back: the late scan is charged once, the exit is not, and one mail tells.", proves=[40, 67]
)
async def back_again(stage: Stage) -> None:
    await stage.site.plug_broker_in()
    must(await left(stage) == 0, "a late scan and a late exit did not cost one credit")
    must("No credits are left" in await account(stage, "ada"), "the page does not warn")
    letters = [one.subject for one in await stage.letters(ACMES_MAIL)]
    must(letters == ["No credits are left", "Few credits are left"], f"mailed: {letters}")
    await stage.site.expect(Passed, EXIT)


@STORY.step(
    "Without any credit Bert is let in and Carla out: the account goes below zero, and nothing is lost.", [40]
)
async def goes_on(stage: Stage) -> None:
    stage.site.world.leave(CARLAS_CAR, EXIT)
    await granted(stage, BERTS_CAR)
    await stage.site.expect(Passed, EXIT)
    must(await left(stage) == -1, "the scan without credit is not on the account")
    must(len(await stage.letters(ACMES_MAIL)) == 2, "it is mailed at every scan")


@STORY.step("Olga books new credits; whoever booked beside her is told. Ada sees what for.", proves=[67])
async def booked(stage: Stage) -> None:
    olga = stage.browser("olga")
    await account(stage, "olga")
    beside = {**olga.hidden("Book the credits"), "amount": "5", "words": "Beside her"}
    await olga.submit("Book the credits", {"Credits": "200", "What for": "Invoice 2026-031"})
    page = await olga.post(f"{stage.notes['credits']}/book", beside)
    must(page.status == 409 and "was not written" in page, "it is booked on top")
    page = await account(stage, "ada")
    must("199 credits are left" in page and "Invoice 2026-031" in page, "what was booked is not there")
    must("No credits are left" not in page, "the page still warns")
    must(not [one for one in page.forms if one.button == "Book the credits"], "customers book themselves")
