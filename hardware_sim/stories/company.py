"""Company parking: a fleet manager's users, plates, permits, contracts and apps, from the pages to the gate."""

from dataclasses import replace
from typing import Final

from gate_controller.facts import Granted, Passed, Refused, VehicleLeft
from gate_controller.reasons import Reason
from hardware_sim.garage import ENTRY
from hardware_sim.portal.records.accounts import Role
from hardware_sim.scenarios import leaves, turned_away
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.qr_reader import scan
from hardware_sim.stories.story import Stage, Story, must
from hardware_sim.world import Vehicle

ANNAS_CAR: Final = Vehicle(("98", "THD", "4"), "NL", patience_s=3.0, speed_mps=6.0)
BERTS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", patience_s=3.0, speed_mps=6.0)
CARLAS_CAR: Final = Vehicle(("GR", "418", "N"), "NL", patience_s=3.0, speed_mps=6.0)
ANNAS_MAIL: Final = "anna@example.com"

STORY: Final = Story(
    "company", "Company parking: users, permits, contracts, apps", (ANNAS_CAR, BERTS_CAR, CARLAS_CAR)
)


async def adds(stage: Stage, **fill: str | bool) -> Shown:
    """Frida writes a user; labels with underscores for spaces."""
    frida = stage.browser("frida")
    await frida.open("/users/new")
    return await frida.submit("Add the user", {label.replace("_", " "): value for label, value in fill.items()})


async def edits(stage: Stage, person: str, page: str, **fill: str | bool) -> Shown:
    """Somebody changes a user by the page of its own."""
    await stage.browser(person).open(f"{page}/edit")
    return await stage.browser(person).submit("Save", {k.replace("_", " "): value for k, value in fill.items()})


async def drives_in(stage: Stage, car: Vehicle, external_id: str) -> Granted:
    """The car is let in and is inside."""
    stage.site.world.arrive(ENTRY, car)
    granted = await stage.site.expect(Granted, ENTRY, external_id=external_id)
    await stage.site.expect(Passed, ENTRY, hold=granted.hold)
    return granted


@STORY.step(
    "Frida adds Anna: what is missing is named, a name is not needed, an odd plate is looked at.", [4, 6, 8, 58]
)
async def anna_is_added(stage: Stage) -> None:
    await stage.account("frida", Role.FLEET_MANAGER)
    await stage.log_in("frida")
    page = await adds(stage, Number_plates="98-THD-4")
    must(
        "External id is missing" in page and "External id *" in page, "the mandatory field is not named and marked"
    )
    page = await adds(stage, External_id="A-17")
    must("at least one plate or badge is needed" in page, "a user without any credential is taken")
    page = await adds(stage, External_id="A-17", Number_plates="98 thd 4\nXX1XX1XX1")
    must("A-17 is added" in page, "Anna is not added")
    must("fits no known kind of plate" in page, "an odd plate is taken without a word")
    stage.notes["anna"] = page.path
    page = await adds(stage, External_id="A-17", Number_plates="M-AX 3074")
    must(page.status == 422 and "A-17" in page, "two users have one external id")
    stage.say("frida", "is told: " + page.line_with("A-17"))


@STORY.step("The page shows the plate as entered and as matched; Anna drives in by it at once.", [10, 11])
async def anna_drives_in(stage: Stage) -> None:
    page = await stage.browser("frida").open(stage.notes["anna"])
    must("98-THD-4" in page and "98THD4" in page, "entered and matched are not both shown")
    await stage.site.until_in_force()
    await drives_in(stage, ANNAS_CAR, "A-17")


@STORY.step("Frida calls her otherwise and adds a plate; the stay keeps the id it began with.", [5, 9])
async def anna_is_renamed(stage: Stage) -> None:
    page = await edits(
        stage,
        "frida",
        stage.notes["anna"],
        External_id="A-18",
        Number_plates="98-THD-4\nGR-418-N",
        **{"E-mail_address": ANNAS_MAIL},
    )
    must("Saved, and in force at once" in page, "the change was not taken")
    await stage.site.until_in_force()
    page = await stage.browser("frida").open("/stays")
    must("A-17" in page and "A-18" not in page, "a later edit rewrites the stay")
    stage.site.world.arrive(ENTRY, CARLAS_CAR)
    await stage.site.expect(Refused, ENTRY, reason=Reason.ANOTHER_VEHICLE_PARKED, external_id="A-18")
    await stage.site.expect(VehicleLeft, ENTRY)


@STORY.step("Two managers edit Anna: the second is told, and nothing of the first is lost.")
async def overtaken(stage: Stage) -> None:
    await stage.account("fred", Role.FLEET_MANAGER)
    await stage.log_in("fred")
    await stage.browser("fred").open(f"{stage.notes['anna']}/edit")
    await edits(stage, "frida", stage.notes["anna"], Name="Anna Bakker", Number_plates="98-THD-4")
    page = await stage.browser("fred").submit("Save", {"Name": "A. Bakker"})
    must(page.status == 409 and "was not written" in page, "Fred undoes what Frida did")
    must("Anna Bakker" in await stage.browser("fred").open(stage.notes["anna"]), "Frida's change is lost")


@STORY.step("Anna is disabled while inside: she gets out, and in no more until she is enabled again.", [12])
async def disabled(stage: Stage) -> None:
    frida = stage.browser("frida")
    await frida.open(stage.notes["anna"])
    await frida.submit("Disable")
    await stage.site.until_in_force()
    await leaves(stage.site, ANNAS_CAR)
    await turned_away(stage.site, ANNAS_CAR, Reason.USER_INACTIVE)
    await frida.open(stage.notes["anna"])
    must("in force at once" in await frida.submit("Enable"), "Anna stays disabled")


@STORY.step(
    "Tom, who manages travel, has the activation mailed to Anna alone; plates are not his to edit.", [14, 59]
)
async def activation(stage: Stage) -> None:
    await stage.account("tom", Role.TRAVEL_MANAGER)
    await stage.log_in("tom")
    tom, house = stage.browser("tom"), stage.house
    garage = await house.run(house.organisations.site, house.site)
    await house.write(house.organisations.put_site, replace(garage, email="garage@example.com"))
    await stage.site.until_in_force()
    must((await tom.open(f"{stage.notes['anna']}/edit")).status == 404, "a travel manager edits plates")
    await tom.open(stage.notes["anna"])
    beside = tom.hidden("Send the activation")
    for deed in ("edit", "disable", "remove"):
        must(
            (await tom.post(f"{stage.notes['anna']}/{deed}", beside)).status == 404, f"a travel manager may {deed}"
        )
    await tom.open(stage.notes["anna"])
    page = await tom.submit("Send the activation")
    must("mailed to the user alone" in page, "the activation was not sent")
    (letter,) = await stage.letters(ANNAS_MAIL)
    must([one.recipient for one in await stage.letters("")] == [ANNAS_MAIL], "somebody else was mailed")
    assert letter.qr is not None, "the letter has a QR code"
    must(letter.qr in letter.body, "the QR code is not the link")
    must(letter.qr not in page, "the manager sees the link")
    stage.notes["link"] = letter.qr
    stage.say("mail", f"to {letter.recipient}: {letter.subject}")


@STORY.step("At the gate the letter's code is no pass; on the phone it shows what is known, and counts once.", [15])
async def activated(stage: Stage) -> None:
    await stage.site.until_in_force()
    link = stage.notes["link"]
    stage.site.world.arrive(ENTRY, replace(CARLAS_CAR, patience_s=5.0, shows=((0.3, link),)))
    await stage.site.expect(Refused, ENTRY, reason=Reason.NOT_AN_ACCESS_PASS)
    await stage.site.expect(VehicleLeft, ENTRY)
    phone = stage.browser("anna")
    page = await phone.open(link)
    must("A-18" in page and "Anna Bakker" in page and "98-THD-4" in page, "what is known is not filled in")
    must("is active" in await phone.submit("Activate the app"), "the app is not activated")
    must((await phone.open(link)).status == 404, "the activation counts twice")
    must("App: active" in await stage.browser("frida").open(stage.notes["anna"]), "the page does not know of it")
    account = await stage.account("anna", Role.DRIVER, user_id=stage.notes["anna"].rsplit("/", 1)[-1])
    must(account.user_id, "the account is nobody's")
    await stage.log_in("anna")
    must(scan((await phone.open("/pass")).html).startswith("SB1:"), "the app shows no pass")


@STORY.step(
    "Bert parks privately: not before he has a payment profile, and his employer sees nothing of it.", [2, 13, 16]
)
async def privately(stage: Stage) -> None:
    fill: dict[str, str | bool] = {
        "Parks_privately:_the_user_pays": True,
        "Customer_number_of_an_account_elsewhere": "F-20391",
    }
    page = await adds(stage, External_id="B-3", Number_plates="KA-RS 290", **fill)
    must("B-3 is added" in page, "Bert is not added")
    await stage.site.until_in_force()
    await turned_away(stage.site, BERTS_CAR, Reason.NO_PAYMENT_PROFILE)
    must("F-20391" in (await stage.browser("frida").open(f"{page.path}/edit")).html, "the number elsewhere is lost")
    await edits(stage, "frida", page.path, **{"The_private_payment_profile_is_complete": True})
    await stage.site.until_in_force()
    granted = await drives_in(stage, BERTS_CAR, "B-3")
    must(granted.payer and granted.payer == page.path.rsplit("/", 1)[-1], f"{granted.payer!r} pays")
    page = await stage.browser("frida").open("/stays")
    must("A-17" in page and "B-3" not in page, "a private stay is shown to the employer")
    file = await stage.browser("frida").open("/stays.csv")
    must(
        file.body.startswith(b"\xef\xbb\xbf") and b"A-17;" in file.body and b"B-3" not in file.body,
        "the file differs",
    )
    file = await stage.browser("frida").open("/invoices.csv")
    must(b";A-17;" in file.body and b"B-3" not in file.body, "the invoice differs")
    page = await stage.browser("frida").open("/journal")
    must("A-17" in page and "B-3" not in page, "the journal shows the employer who parks privately")


@STORY.step("Carla's group may park at another lane only, then at this one, two at a time.", [1, 60])
async def groups(stage: Stage) -> None:
    frida = stage.browser("frida")
    await edits(stage, "frida", stage.notes["anna"], Number_plates="98-THD-4")
    await adds(stage, External_id="C-9", Number_plates="GR-418-N", Groups="visitors of the lab")
    await frida.open("/permits/new")
    page = await frida.submit(
        "Give the permit", {"Group": "visitors of the lab", "Lane": "side", "Schedule": "never"}
    )
    must("write it like" in page, "a schedule that is none is taken")
    await frida.submit("Give the permit", {"Schedule": ""})
    await stage.site.until_in_force()
    await turned_away(stage.site, CARLAS_CAR, Reason.NO_PERMIT)
    await frida.open("/permits/new")
    await frida.submit("Give the permit", {"Group": "visitors of the lab", "Places": "2"})
    await stage.site.until_in_force()
    granted = await drives_in(stage, CARLAS_CAR, "C-9")
    must(granted.group == "visitors of the lab", "the group's places are not counted")


@STORY.step("Carla is deleted while inside, and gets out all the same.", [12])
async def deleted(stage: Stage) -> None:
    frida = stage.browser("frida")
    await frida.open("/users")
    await frida.follow("C-9")
    await frida.submit("Delete")
    await stage.site.until_in_force()
    await leaves(stage.site, CARLAS_CAR)
