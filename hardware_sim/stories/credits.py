"""What follows from scans: credits, also for those that come late, notices to others, codes that a gate shows."""

import asyncio
import re
from datetime import timedelta
from typing import Final

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.facts import BoomOpenedManually, Granted, Passed, Refused
from gate_controller.reasons import Reason
from hardware_sim.garage import EDGE, ENTRY, EXIT, SITE, TENANT
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.page import qr
from hardware_sim.portal.webhooks.notices import KINDS
from hardware_sim.simulated_site import STEP_S, WITHIN_S
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.qr_reader import scan
from hardware_sim.stories.receiver import Receiver
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from hardware_sim.world import Vehicle
from sync import shown
from sync.device_key import device_key
from sync.onlooker import journal_of
from sync.signing import Signer

BERTS_CAR: Final = Vehicle(("KA", "RS", "290"), "D", speed_mps=6.0)
CARLAS_CAR: Final = Vehicle(("GR", "418", "N"), "NL", speed_mps=6.0)
DORAS_CAR: Final = Vehicle(("HB", "TU", "512"), "D", patience_s=90.0, speed_mps=6.0)
OWNERS: Final = {BERTS_CAR.plate: "bert", CARLAS_CAR.plate: "carla"}
ACMES_MAIL: Final = "office@acme.example.com"
TRIED_WITHIN_S: Final = 300.0
"""However often it was tried while nobody was there, and waits longer each time."""
OVER: Final = "This code is over"
USED: Final = "was used already"
HERE: Final = f"{TENANT}/{SITE}/{EDGE}"
GUARDS_MAIL: Final = "guard@acme.example.com"

STORY: Final = Story(
    "credits",
    "Credits metered and never in the way, notices to others, codes on a screen",
    (BERTS_CAR, CARLAS_CAR, DORAS_CAR),
)


async def granted(stage: Stage, car: Vehicle) -> Granted:
    """The car comes and is let in; it passes while the story goes on."""
    stage.site.world.arrive(ENTRY, car)
    return await stage.site.expect(Granted, ENTRY, external_id=OWNERS[car.plate])


async def until_inside(stage: Stage, car: Vehicle) -> None:
    """The car has parked."""
    await stage.site.until(lambda: car in stage.site.world.parked, f"{car.plate} inside")


async def scanned(stage: Stage, person: str) -> Shown:
    """Somebody's phone reads the code on the screen and opens what it says; the next one, if that was too slow."""
    while True:
        await stage.site.until(lambda: bool(stage.site.screen.qr), "a code on the screen")
        page = await stage.browser(person).open(scan(qr(stage.site.screen.qr)))
        if OVER not in page and USED not in page:
            return page
        await asyncio.sleep(STEP_S)


async def confirmed(stage: Stage, person: str) -> Shown:
    """Somebody scans and says that the gate is to open."""
    while True:
        await scanned(stage, person)
        page = await stage.browser(person).submit("Open")
        if OVER not in page:
            return page


async def account(stage: Stage, person: str) -> Shown:
    """Somebody looks at Acme's credits."""
    return await stage.browser(person).open(stage.notes["credits"])


async def left(stage: Stage, person: str = "ada") -> int:
    """How many credits the page says are left, once everything that the gate wrote is there."""
    await stage.site.until_delivered()
    (told,) = re.findall(r"(-?\d+) credits are left", (await account(stage, person)).text)
    return int(told)


async def until_it_reads(stage: Stage, words: str) -> None:
    """Ada looks at the page of the webhook until it says this."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            page = await stage.browser("ada").open(stage.notes["webhook"])
            if re.search(words, page.text):
                return
            await asyncio.sleep(STEP_S)


def openings(stage: Stage) -> list[BoomOpenedManually]:
    """Openings by order in the gate's own journal."""
    facts = (row.fact() for row in journal_of(stage.site.database))
    return [fact for fact in facts if isinstance(fact, BoomOpenedManually)]


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
    "Ada has events go to a system of Acme's: to a host that Olga allows, signed with a secret that is shown once.",
    proves=[68],
)
async def webhook(stage: Stage) -> None:
    receiver = stage.notes["receiver"] = Receiver()
    await receiver.start()
    stage.on_close(receiver.stop)
    ada, olga, url = stage.browser("ada"), stage.browser("olga"), f"http://127.0.0.1:{receiver.port}/gates"
    await ada.open("/notices/new/webhook")
    fill = {"Web address": "http://acme.example.com/", "Events": [KINDS["granted"], KINDS["refused"]]}
    page = await ada.submit("Add the webhook", fill)
    must("would be read by others" in page, "a message goes unencrypted to another machine")
    page = await ada.submit("Add the webhook", {"Web address": url})
    must("does not allow" in page, "messages go to where nobody allowed it")
    must((await ada.open("/notices/hosts")).status == 404, "Ada allows hosts herself")
    await olga.open("/notices/hosts")
    await olga.submit("Allow these", {"Hosts": f"127.0.0.1:{receiver.port}"})
    await ada.open("/notices/new/webhook")
    page = await ada.submit("Add the webhook", {**fill, "Web address": url})
    (receiver.secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]{20,}", page.text)
    page = await ada.follow("To its deliveries")
    stage.notes["webhook"] = page.path
    must("whsec_" not in page.text, "the secret is shown twice")
    await ada.open("/notices/new/mail")
    await ada.submit("Add the mail rule", {"E-mail address": GUARDS_MAIL, "Events": [KINDS["refused"]]})


@STORY.step(
    "Bert's granted scan costs Acme one credit, Dora's refused one nothing; one mail warns, and the page.",
    proves=[67],
)
async def one_scan(stage: Stage) -> None:
    owner = stage.notes["acme"]
    gates = [DevicePut(Device(name, DeviceKind.GATE, owner=owner)) for name in (ENTRY, EXIT)]
    await stage.site.portal.change(gates)
    for car in (BERTS_CAR, CARLAS_CAR):
        await stage.site.portal.add_user(OWNERS[car.plate], [car.plate], country=car.country)
    dora = await stage.site.portal.add_user("dora", badges=["000414CD7E"])
    await stage.account("dora", Role.DRIVER, user_id=dora.id)
    await stage.site.until_in_force()
    grant = await granted(stage, BERTS_CAR)
    must(grant.billed_to == owner, f"the gate bills {grant.billed_to!r}")
    stage.site.world.arrive(ENTRY, DORAS_CAR)
    await stage.site.expect(Refused, ENTRY, reason=Reason.UNKNOWN_CREDENTIAL, plate=DORAS_CAR.plate)
    must(await left(stage) == 99, "an entry and a refusal did not cost one credit")
    page = await account(stage, "ada")
    must("Few credits are left" in page, "the page does not warn")
    must(page.line_with("-1").split()[2:5] == [ENTRY, "-1", "99"], "the use is not on the page")
    must("512" not in page and "290" not in page, "the page of use has plates")
    file = await stage.browser("ada").open(f"{stage.notes['credits']}/use.csv")
    must(f";{ENTRY};-1;99;" in file.body.decode("utf-8-sig"), f"the spreadsheet says {file.body!r}")
    (letter,) = await stage.letters(ACMES_MAIL)
    must("99 credits" in letter.body, f"the mail says {letter.body}")
    stage.say("acme", "reads: " + letter.subject)


@STORY.step(
    "Acme's system has heard of both, and the guard of the refusal; nobody else's plate is told.", proves=[68]
)
async def told(stage: Stage) -> None:
    receiver: Receiver = stage.notes["receiver"]
    await stage.site.until(lambda: bool(receiver.told("granted") and receiver.told("refused")), "two webhooks")
    must(all(one.genuine for one in receiver.came), "a webhook is not signed with the secret")
    granted, refused = receiver.told("granted")[0], receiver.told("refused")[0]
    must(granted.body["device"] == ENTRY, f"it says {granted.body}")
    must(refused.body["data"]["reason"] == Reason.UNKNOWN_CREDENTIAL, f"it says {refused.body}")
    said = f"{granted.body} {refused.body}"
    must(DORAS_CAR.plate not in said and BERTS_CAR.plate not in said, f"a plate is told: {said}")
    must("bert" not in said, "somebody who is no user of Acme's is named to Acme")
    letter = (await stage.letters(GUARDS_MAIL))[0]
    must("refused" in letter.subject.lower() and DORAS_CAR.plate not in letter.body, f"mailed: {letter}")
    await until_it_reads(stage, r"(?s)delivered 1 200 OK.*delivered 1 200 OK")
    stage.say("acme", f"hears: {refused.body}")
    await receiver.stop()


@STORY.step(
    "Erik, without a permit, scans the screen and is told so; for Dora, whose plate is on no list, it opens.",
    [39],
)
async def code_on_the_screen(stage: Stage) -> None:
    erik = await stage.site.portal.add_user("erik", badges=["000414CD7F"], groups=["nowhere"])
    await stage.account("erik", Role.DRIVER, user_id=erik.id)
    await stage.log_in("erik")
    must("You have no permit" in await scanned(stage, "erik"), "a code opens for somebody without a permit")
    page = await scanned(stage, "dora")
    must(page.path == "/login", "somebody who is not logged in sees a gate")
    page = await stage.log_in("dora")
    must(page.path.startswith("/open/"), f"having logged in, Dora is at {page.path}")
    must(not openings(stage), "it opens for a look")
    page = await confirmed(stage, "dora")
    must("The gate opens" in page, f"the gate does not open: {page.text}")
    opened = await stage.site.expect(BoomOpenedManually, ENTRY)
    must(opened.by == "dora" and opened.reason.startswith("code shown at entry"), f"the journal says {opened}")
    must(await left(stage) == 98, "a code that was scanned cost nothing")
    stage.notes["code"] = page.path
    stage.say("journal", f"opened for {opened.by}: {opened.reason}")


@STORY.step("Used, old, forged and foreign codes open nothing, and each is told why.", proves=[39])
async def worthless_codes(stage: Stage) -> None:
    now, key = stage.house.now(), device_key(stage.site.folder)
    stranger = Signer.of(bytes(32))
    worthless = {
        USED: stage.notes["code"].removeprefix("/open/"),
        OVER: shown.issue(key, HERE, ENTRY, now - timedelta(minutes=2)),
        "no code of one of our gates": shown.issue(stranger, HERE, ENTRY, now),
        "of another place": shown.issue(key, f"{TENANT}/harbour/{EDGE}", ENTRY, now),
    }
    dora = stage.browser("dora")
    for told, code in worthless.items():
        page = await dora.open(f"/open/{code}")
        must(told in page, f"not {told!r}, but {page.text}")
        stage.say("dora", "reads: " + page.line_with(told))
    await stage.site.until_delivered()
    must(len(openings(stage)) == 1, "something else was opened")


@STORY.step("One credit is left and the gate is cut off: Carla enters and Bert leaves all the same.", [39, 40])
async def cut_off(stage: Stage) -> None:
    olga = stage.browser("olga")
    await account(stage, "olga")
    await olga.submit("Book the credits", {"Credits": "-97", "What for": "Booked twice in January"})
    must(await left(stage) == 1, "what was booked is not on the account")
    now, key = stage.house.now(), device_key(stage.site.folder)
    await stage.browser("dora").open(f"/open/{shown.issue(key, HERE, ENTRY, now)}")
    await stage.site.unplug_broker()
    page = await stage.browser("dora").submit("Open")
    must("cannot be reached" in page or OVER in page, "a code opens a gate that is cut off")
    await stage.site.until(lambda: not stage.site.screen.qr, "a screen without a code")
    must("this gate is cut off." in stage.site.screen.text, f"the screen says {stage.site.screen.text}")
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
    "Acme's system is dead: what it is to hear waits, and nothing else does. It comes back and hears it.",
    proves=[68],
)
async def dead_receiver(stage: Stage) -> None:
    receiver = stage.notes["receiver"]
    await until_it_reads(stage, r"waiting \d+ not reached")
    stage.say("ada", "sees: " + stage.browser("ada").page.line_with("not reached"))
    await receiver.start()
    await stage.site.until(lambda: len(receiver.told("granted")) > 1, "the webhook that waited", TRIED_WITHIN_S)
    must(receiver.told("granted")[1].genuine, "it is not signed")


@STORY.step("Somebody at Acme lost a message; Ada has it sent again, and it is the same one.", proves=[68])
async def replayed(stage: Stage) -> None:
    receiver, ada = stage.notes["receiver"], stage.browser("ada")
    wanted = receiver.told("refused")[0]
    before = receiver.came.count(wanted)
    await ada.open(stage.notes["webhook"])
    (number,) = [one.path for one in ada.page.links if one.text == KINDS["refused"]][-1:]
    page = await ada.open(number)
    must(wanted.id in page, "the page does not say which message it is")
    await ada.submit("Send it again")
    await stage.site.until(lambda: receiver.came.count(wanted) > before, "the same webhook again", TRIED_WITHIN_S)


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
