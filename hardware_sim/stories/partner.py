"""Partner accounts: who is one, which devices are in its charge from when until when, who pays."""

import asyncio
import re
from itertools import groupby
from typing import Final

from gate_controller.facts import Granted, Refused
from gate_controller.reasons import DRIVER, Reason
from hardware_sim.broker import free_port
from hardware_sim.garage import ENTRY, EXIT
from hardware_sim.portal.edges.enrolment import Desk
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.simulated_site import SimulatedSite
from hardware_sim.stories import technician
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from hardware_sim.world import Vehicle
from sync.onlooker import journal_of

ANNAS_CAR: Final = Vehicle(("98", "THD", "4"), "NL", patience_s=60.0, speed_mps=6.0)
BERTS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", speed_mps=6.0)
DIRKS_CAR: Final = Vehicle(("M", "AX", "3074"), "D", speed_mps=6.0)
EMMAS_CAR: Final = Vehicle(("TX", "904", "B"), "NL", speed_mps=6.0)
USERS: Final = (
    ("anna", ANNAS_CAR),
    ("bert", BERTS_CAR),
    ("dirk", DIRKS_CAR),
    ("emma", EMMAS_CAR),
)
PLATES: Final = [car.plate for _, car in USERS]
CAFE, CLEAN = "cafe", "clean"
CAFE_NAME, CLEAN_NAME = "Café Noord", "Clean & Co"
CORAS_MAIL, PAULS_MAIL = "cora@cafe.example", "paul@clean.example"
YARD, SERIAL = "yard", "SB-2041"
EXITS_OUTPUT: Final = 4
"""The fifth of the board."""
_CODE: Final = re.compile(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b")

STORY: Final = Story("partner", "Partner accounts: links, devices in charge, and who pays", (ANNAS_CAR, BERTS_CAR))


async def works_for(stage: Stage, person: str, organisation: str, role: Role, email: str) -> None:
    """An account of another organisation, with a password already."""
    made, _ = await stage.house.add_account("story", person, organisation, [role], email=email)
    await stage.house.set_password(made, PASSWORD)


async def drives_in(stage: Stage, car: Vehicle, external_id: str) -> Granted:
    """The car is let in; the next one may queue behind it."""
    stage.site.world.arrive(ENTRY, car)
    return await stage.site.expect(Granted, ENTRY, external_id=external_id)


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
    "Olga adds the entry, which is new. Anna is on the list, and yet it opens only once Cora has claimed it.", [38]
)
async def unclaimed(stage: Stage) -> None:
    olga, portal = stage.browser("olga"), stage.site.portal
    for external_id, car in USERS:
        await portal.add_user(external_id, ["-".join(car.groups)])
    await olga.open("/devices")
    await olga.follow("Add a device")
    page = await olga.submit("Add the device", {"Name": ENTRY, "Kind": "gate", "Serial": SERIAL})
    (stage.notes["code"],) = _CODE.findall(page.text)
    await stage.site.until_in_force()
    pulses = stage.site.board.flashes.copy()
    stage.site.world.arrive(ENTRY, ANNAS_CAR)
    refused = await stage.site.expect(Refused, ENTRY)
    must(refused.reason is Reason.DEVICE_UNCLAIMED, f"refused for {refused.reason}")
    stage.say("display", DRIVER[refused.reason])
    must(stage.site.board.flashes == pulses, "an unclaimed gate moved its boom")
    await claims(stage)
    granted = await stage.site.expect(Granted, ENTRY, external_id="anna")
    must(granted.billed_to == CAFE, f"{granted.billed_to!r} pays at the café's gate")


async def claims(stage: Stage) -> None:
    """Cora tries a wrong code, the right one, and that a second time."""
    cora, told = stage.browser("cora"), set[str]()
    for serial, code in ((SERIAL, "ABCD-EFGH"), ("SB-0000", stage.notes["code"])):
        await cora.open("/devices/~claim")
        page = await cora.submit("Add it to our account", {"Serial": serial, "One-time code": code})
        told.add(page.line_with("do not go together"))
    await cora.open("/devices")
    await cora.follow("Claim a device")
    page = await cora.submit("Add it to our account", {"Serial": SERIAL, "One-time code": stage.notes["code"]})
    must("It is yours" in page and CAFE_NAME in page, f"serial and code do not give the device:\n{page.text}")
    await cora.open("/devices/~claim")
    page = await cora.submit("Add it to our account", {"Serial": SERIAL, "One-time code": stage.notes["code"]})
    told.add(page.line_with("do not go together"))
    must(len(told) == 1, f"refusals differ: {told}")


@STORY.step("A new gatehouse gets keys, by which it may believe a list, with serial and one-time code alone.", [38])
async def enrolled(stage: Stage) -> None:
    enrolment, folder = stage.site.portal.enrolment, stage.site.folder / "annex"
    technician.prepare(folder)
    invited = await enrolment.register("annex", technician.SERIAL)
    host = "127.0.0.1"
    desk = Desk(host, free_port(), [host], host, stage.site.broker.port)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(enrolment.serve(desk))
        for code, right in (("ABCD-EFGH-JKMN-PQRS", False), (invited.code, True)):
            done, said = await technician.enrols(folder, desk, code, invited.fingerprint)
            stage.say("annex", said.splitlines()[0])
            must((done == 0) is right, f"enrol ends with {done}: {said}")
            must(bool(technician.keys_of(folder)) is right, "it is not the claim that gives the keys")
        serving.cancel()


@STORY.step("Cora hands the entry over. Until Paul accepts, the café pays for Bert's scan.", [33])
async def handed_over(stage: Stage) -> None:
    cora = stage.browser("cora")
    await cora.open(stage.notes["link"])
    await cora.follow("Hand devices over")
    must("are missing" in await cora.submit("Ask the partner"), "no device at all can be handed over")
    page = await cora.submit("Ask the partner", {"Devices": [ENTRY]})
    must(f"{ENTRY} requested" in page, f"the partner is asked about something else:\n{page.text}")
    must((await stage.browser("paul").open(f"/devices/{ENTRY}")).status == 404, "Paul sees it before he accepts")
    await stage.site.until_in_force()
    granted = await drives_in(stage, BERTS_CAR, "bert")
    must(granted.billed_to == CAFE, f"{granted.billed_to!r} pays before the partner has accepted")


@STORY.step(
    "Paul is mailed, logs in by the link and accepts; the gate knows at once who pays from then on.", [33, 66]
)
async def accepted(stage: Stage) -> None:
    (link,) = await mailed_links(stage, PAULS_MAIL)
    page = await logs_in_by_mail(stage, "paul's phone", link, "paul")
    must("Until the partner accepts, the owner pays" in page, "he is not asked")
    stage.notes["delegation"] = page.path
    page = await stage.browser("paul's phone").submit("Accept")
    must("It is accepted" in page, "it is not accepted")
    page = await stage.browser("paul").open(f"/devices/{ENTRY}")
    must(scans(page) == [], f"Paul sees what happened before it was in his charge: {scans(page)}")


@STORY.step("She hands over all that there are now; a copy that is made later is not among them.", [32])
async def all_of_them(stage: Stage) -> None:
    cora, paul, olga = stage.browser("cora"), stage.browser("paul"), stage.browser("olga")
    await olga.open(f"/viewing/{CAFE}/device/{ENTRY}")
    await olga.submit("Make its token")
    await copies(stage, ENTRY, YARD)
    await cora.open(f"{stage.notes['link']}/devices")
    page = await cora.submit("Ask the partner", {"All that there are now": True})
    must(f"asked about {YARD}." in page, f"not asked about what is free:\n{page.text}")
    (link,) = await mailed_links(stage, PAULS_MAIL)
    await copies(stage, ENTRY, EXIT)
    await paul.open(link)
    await paul.submit("Accept")
    charged = [one.id for one in stage.site.portal.allowlist.devices() if one.delegations]
    must(sorted(charged) == [ENTRY, YARD], f"Paul has charge of {charged}")
    await paul.open(link)
    must("It has ended" in await paul.submit("End it now"), "the partner cannot stop it")


async def copies(stage: Stage, device: str, name: str) -> None:
    """Cora copies one of her devices."""
    cora = stage.browser("cora")
    await cora.open(f"/devices/{device}")
    await cora.follow("Copy it")
    page = await cora.submit("Copy it", {"Name": name})
    must(f"This is a copy of {device}" in page and "State inactive" in page, f"there is no copy:\n{page.text}")


async def drives_in_unheard(site: SimulatedSite, car: Vehicle, external_id: str) -> None:
    """The car is let in by a gate that nobody hears, as its own journal has it."""

    def granted() -> bool:
        facts = [row.fact() for row in journal_of(site.database)]
        return any(isinstance(one, Granted) and one.external_id == external_id for one in facts)

    site.world.arrive(ENTRY, car)
    await site.until(granted, f"{external_id} let in")


@STORY.step(
    "The gate is cut off. Dirk comes; Cora ends it; Emma comes. Late as it is told, the time decides.", [34, 36]
)
async def ended_while_cut_off(stage: Stage) -> None:
    site, cora = stage.site, stage.browser("cora")
    await site.until_in_force()
    await site.unplug_broker()
    await drives_in_unheard(site, DIRKS_CAR, "dirk")
    await cora.open(stage.notes["delegation"])
    must("It has ended" in await cora.submit("End it now"), "the owner cannot stop it")
    page = await cora.open(f"/devices/{ENTRY}")
    must("in force at 0 of 1 edges" in page, "nobody is told that the gate cannot know yet")
    stage.say("cora", "is told: " + page.line_with("The newest list"))
    await drives_in_unheard(site, EMMAS_CAR, "emma")
    await site.plug_broker_in()
    for external_id in ("dirk", "emma"):
        granted = await site.expect(Granted, ENTRY, external_id=external_id)
        must(granted.billed_to == CLEAN, f"the gate, cut off since Paul accepted, names {granted.billed_to!r}")


@STORY.step(
    "Cora sees all: who pays, what the gate named, what cost nothing. Paul sees what was in his charge.", [34, 35]
)
async def overseen(stage: Stage) -> None:
    page = await stage.browser("cora").open(f"/devices/{ENTRY}")
    must(payers(page) == [CAFE_NAME, CLEAN_NAME, CAFE_NAME, ""], f"other payers: {scans(page)}")
    must("refused: device unclaimed" in scans(page)[-1], "the refusal is not in view")
    late = next(line for line in scans(page) if "degraded" in line)
    both = f"{CAFE_NAME} degraded: the gate could not know, and named {CLEAN_NAME}"
    must(late.endswith(both), f"one word is lost: {late}")
    stage.say("cora", f"sees: {late}")
    page = await stage.browser("paul").open(f"/devices/{ENTRY}")
    must(payers(page) == [CLEAN_NAME], f"Paul sees what he should not: {scans(page)}")
    must(not [one for one in ("anna", "bert", "dirk", "emma", *PLATES) if one in page.text], "people are in view")


@STORY.step("The copy at the exit has no secret, decides nothing and costs nothing before Cora activates it.", [37])
async def copied(stage: Stage) -> None:
    site, cora = stage.site, stage.browser("cora")
    listed = site.portal.allowlist.device(EXIT)
    assert listed is not None
    original = site.portal.allowlist.device(ENTRY)
    assert original is not None
    must(original.token and original.delegations, "there is nothing that a copy could have taken along")
    must((listed.copied_from, listed.token, listed.delegations) == (ENTRY, None, ()), f"it is {listed}")
    await site.until_in_force()
    await site.until(lambda: ANNAS_CAR in site.world.parked, "Anna parked")
    site.world.leave(ANNAS_CAR, EXIT)
    refused = await site.expect(Refused, EXIT)
    must(refused.reason is Reason.DEVICE_INACTIVE, f"refused for {refused.reason}")
    must(EXITS_OUTPUT not in [channel for channel, _ in site.board.flashes], "an inactive gate moved its boom")
    page = await cora.open(f"/devices/{EXIT}")
    must("refused: device inactive" in scans(page)[0], "the refusal is not in view")
    must(payers(page) == [""], "a refused scan is paid for")
    must("decides from now on" in await cora.submit("Activate"), "it is not activated")
    await site.expect(Granted, EXIT, external_id="anna")


def scans(page: Shown) -> list[str]:
    """The lines of scans, the newest first."""
    return [line for line in page.lines() if re.search(r" (granted|refused)\b", line, re.IGNORECASE)]


def payers(page: Shown) -> list[str]:
    """Who paid, the last first, each once for scans in a row; "" for refusals."""
    found = [re.search(r"(?i: granted) (.*?)(?: degraded: .*)?$", line) for line in scans(page)]
    return [name for name, _ in groupby(one[1] if one else "" for one in found)]
