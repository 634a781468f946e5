"""Partner accounts: who is one, which devices are in its charge from when until when, who pays."""

import re
from typing import Final

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.facts import Granted, Passed
from hardware_sim.portal.accounts import Role
from hardware_sim.portal.organisations import Organisation
from hardware_sim.simulated_site import ENTRY
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from hardware_sim.world import Vehicle

ANNAS_CAR: Final = Vehicle(("98", "THD", "4"), "NL", speed_mps=6.0)
BERTS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", speed_mps=6.0)
CAFE, CLEAN = "cafe", "clean"
CAFE_NAME, CLEAN_NAME = "Café Noord", "Clean & Co"
CORAS_MAIL, PAULS_MAIL = "cora@cafe.example", "paul@clean.example"
YARD: Final = "yard"

STORY: Final = Story("partner", "Partner accounts: links, devices in charge, and who pays", (ANNAS_CAR, BERTS_CAR))


async def works_for(stage: Stage, person: str, organisation: str, role: Role, email: str) -> None:
    """An account of another organisation, with a password already."""
    made, _ = await stage.house.add_account("story", person, organisation, [role], email=email)
    await stage.house.set_password(made, PASSWORD)


async def drives_in(stage: Stage, car: Vehicle, external_id: str) -> Granted:
    """The car is let in and is inside."""
    stage.site.world.arrive(ENTRY, car)
    granted = await stage.site.expect(Granted, ENTRY, external_id=external_id)
    await stage.site.expect(Passed, ENTRY, hold=granted.hold)
    return granted


async def mailed_links(stage: Stage, to: str) -> list[str]:
    """The links of the newest letter to somebody; none if there is no letter."""
    letters = await stage.letters(to)
    return re.findall(r"http\S+", letters[0].body) if letters else []


async def logs_in_by_mail(stage: Stage, screen: str, link: str, person: str) -> Shown:
    """Somebody follows the link of a mail, logs in, and is where it leads."""
    browser = stage.browser(screen)
    must((await browser.open(link)).path == "/login", "the link of a mail shows something before the login")
    fill = {"Name or e-mail address": person, "Password or one-time code": PASSWORD}
    page = await browser.submit("Log in", fill)
    must(link.endswith(page.path), f"the login leads to {page.path} and not on to {link}")
    return page


@STORY.step(
    "Paul's firm is no partner: the page of customers is not there, until Olga, the operator, grants it.", [29, 65]
)
async def granted_by_the_operator(stage: Stage) -> None:
    house = stage.house

    def organisations() -> None:
        house.organisations.put(Organisation(CAFE, CAFE_NAME, CORAS_MAIL))
        house.organisations.put(Organisation(CLEAN, CLEAN_NAME, customer=False))

    await house.write(organisations)
    await works_for(stage, "cora", CAFE, Role.ADMINISTRATOR, CORAS_MAIL)
    await works_for(stage, "paul", CLEAN, Role.PARTNER, PAULS_MAIL)
    await stage.account("olga", Role.OPERATOR)
    for person in ("olga", "paul"):
        await stage.log_in(person)
    paul = stage.browser("paul")
    nothing = {(await paul.open(path)).status for path in ("/customers", "/customers/1", "/delegations/1")}
    answer = await paul.client.get("/customers", headers={"Accept": "application/json"})
    must({*nothing, answer.status_code} == {404}, f"pages of a partner answer {nothing}, {answer.status_code}")
    must("Customers" not in await paul.open("/"), "the menu has what is not there")
    for path in ("/organisations", f"/organisations/{CLEAN}", "/partnerships/new"):
        must((await paul.open(path)).status == 404, f"Paul may open {path}")
    olga = stage.browser("olga")
    await olga.open("/organisations")
    await olga.follow(CLEAN_NAME)
    await olga.submit("Save", {"Partner: may take charge of customers' devices": True})
    await paul.open("/")
    page = await paul.follow("Customers")
    must(page.status == 200 and "Nothing yet" in page, "the page of customers is not there, or not empty")
    must("Customers" not in await olga.open("/"), "the page of customers is for others than partners")


@STORY.step(
    "Support asks to link the café with Paul's firm; he learns nothing before Cora, the café's, accepts.",
    [30, 31, 64],
)
async def linked(stage: Stage) -> None:
    await stage.account("sven", Role.SUPPORT)
    await stage.log_in("sven")
    sven, paul = stage.browser("sven"), stage.browser("paul")
    await sven.open("/partnerships")
    await sven.follow("Link a customer with a partner")
    page = await sven.submit("Ask the customer", {"Partner": CLEAN_NAME})
    must("Customer is missing" in page, "a link without a customer is taken")
    page = await sven.submit("Ask the customer", {"Customer": CAFE_NAME})
    must("requested" in page.line_with(CLEAN_NAME), "the link is not asked for")
    must(not await stage.letters(PAULS_MAIL), "the partner was told")
    must(CAFE_NAME not in await paul.open("/customers"), "the partner sees a customer who was not asked")
    (link,) = await mailed_links(stage, CORAS_MAIL)
    must((await paul.open(link.replace("/partners/", "/customers/"))).status == 404, "the partner sees the request")
    page = await logs_in_by_mail(stage, "cora", link, "cora")
    must(CLEAN_NAME in page and "requested" in page, "Cora is not asked")
    stage.notes["link"] = page.path
    await stage.browser("cora").submit("Accept")
    page = await paul.open("/customers")
    must(CAFE_NAME in page, "the customer who accepted is not listed")
    stage.say("paul", "sees: " + page.line_with(CAFE_NAME))
    stage.notes["customer"] = (await paul.follow(CAFE_NAME)).path


@STORY.step(
    "Cora hands the entry over, one device of two. Until Paul accepts, the café pays for Anna's scan.", [33]
)
async def handed_over(stage: Stage) -> None:
    portal = stage.site.portal
    await portal.add_user("anna", ["98-THD-4"])
    await portal.add_user("bert", ["KA-RS 290"])
    await portal.change([DevicePut(Device(one, DeviceKind.GATE, owner=CAFE)) for one in (ENTRY, YARD)])
    cora = stage.browser("cora")
    await cora.open(stage.notes["link"])
    await cora.follow("Hand devices over")
    must("are missing" in await cora.submit("Ask the partner"), "no device at all can be handed over")
    page = await cora.submit("Ask the partner", {"Devices": [ENTRY]})
    must(
        f"{ENTRY} requested" in page and YARD not in page,
        f"the partner is asked about something else:\n{page.text}",
    )
    await stage.site.until_in_force()
    granted = await drives_in(stage, ANNAS_CAR, "anna")
    must(granted.billed_to == CAFE, f"{granted.billed_to!r} pays before the partner has accepted")


@STORY.step("Paul is mailed, logs in by the link and accepts: from then on Clean & Co pays at the scan.", [33, 66])
async def accepted(stage: Stage) -> None:
    (link,) = await mailed_links(stage, PAULS_MAIL)
    page = await logs_in_by_mail(stage, "paul's phone", link, "paul")
    must("Until the partner accepts, the owner pays" in page, "he is not asked")
    stage.notes["delegation"] = page.path
    page = await stage.browser("paul's phone").submit("Accept")
    must("It is accepted" in page, "it is not accepted")
    await stage.site.until_in_force()
    granted = await drives_in(stage, BERTS_CAR, "bert")
    must(granted.billed_to == CLEAN, f"{granted.billed_to!r} pays, and not the partner")
