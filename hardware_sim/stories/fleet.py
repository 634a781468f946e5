"""Fleet desk: from a mail address to a badge that is somebody's, at the portal's pages and the desk's reader."""

import asyncio
import os
import re
import sys
from datetime import timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from edge import clock
from edge.control import ask, socket_of
from gate_controller.allowlist import User
from gate_controller.contracts import ContractKind
from gate_controller.desk import LicenceStatus, Registration
from gate_controller.facts import DeskGranted, EnrolAnswered, EnrolAsked, Refused
from gate_controller.reasons import Note, Reason
from hardware_sim.desk import DESK
from hardware_sim.garage import EDGE, SITE, TIME_ZONE
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import PASSWORD, Stage, Story, must
from sync.onlooker import journal_of, look_in
from sync.orders import EnrolBadge

HARBOUR: Final = "harbour"
SAMS_MAIL: Final = "sam@example.com"
SAM, TESS, UMA = "Sam <b>Simon</b>", "Tess", "Uma"
BERTS_BADGE, SAMS_BADGE, TESS_BADGE, BERTS_NEXT = (f"0004{n}4CD7E" for n in range(1, 5))
PAGE_WITHIN_S: Final = 120.0
"""Generous: how long it took from the tap to the number is told, and measured where nothing else runs."""
LOOK_EVERY_S: Final = 0.1
LICENCE: Final = b"\xff\xd8\xff\xe0" + b"a licence of Sam, photographed" * 100

STORY: Final = Story("fleet", "Fleet desk: register, be checked in person, get a badge and a number", desk=True)


async def asks_for_the_link(stage: Stage, person: str, address: str) -> Shown:
    """Somebody types an address into the first page."""
    browser = stage.browser(person)
    await browser.open("/login")
    await browser.follow("Register for shared vehicles")
    return await browser.submit("Send me the link", {"E-mail address": address})


async def link_of(stage: Stage, address: str) -> str:
    """The link in the newest mail to an address."""
    letter = (await stage.letters(address))[0]
    stage.say("mail", f"to {letter.recipient}: {letter.subject}")
    (link,) = re.findall(r"http\S+/register/\S+", letter.body)
    return str(link)


def application(name: str, phone: str, site: str) -> dict[str, str | bool]:
    """The form as a person fills it in."""
    return {
        "Name": name,
        "Telephone": phone,
        "Address": "Rue Haute 5, 1000 Bruxelles",
        "Your car park": site,
        "New password": PASSWORD,
        "New password again": PASSWORD,
        "I accept the terms of use": True,
    }


@STORY.step("Nobody can register before a site has a manager and an address, and terms of use stand.")
async def prepared(stage: Stage) -> None:
    house = stage.house
    await stage.account("olga", Role.OPERATOR)
    await stage.log_in("olga")
    page = await asks_for_the_link(stage, "sam", SAMS_MAIL)
    must("Nobody can register" in page and not await stage.letters(SAMS_MAIL), "somebody registers for nowhere")
    olga = stage.browser("olga")
    await olga.open(f"/sites/{SITE}")
    await olga.submit("Save", {"Address": "Quai 7, 1000 Bruxelles", "Manager": "Mireille Martin"})
    harbour = SiteRecord(HARBOUR, "Harbour", None, "Europe/Brussels", "Port 1, Oostende", manager="Paul Peeters")
    await house.write(house.organisations.put_site, harbour)
    await olga.open("/terms/new")
    page = await olga.submit("Put them in force", {"Terms of use": "Bring it back clean.\nBring it back in time."})
    must("Bring it back in time." in page, "the terms are not shown")


@STORY.step("Sam writes his address and gets the steps by mail; who else has an account, nobody is told.", [61])
async def by_address(stage: Stage) -> None:
    page = await asks_for_the_link(stage, "sam", "sam at example")
    must("is no e-mail address" in page, "what is no address is taken")
    told = {
        (await asks_for_the_link(stage, "sam", one)).line_with("A mail")
        for one in (SAMS_MAIL, SAMS_MAIL, "olga@example.com")
    }
    must(len(told) == 1, f"the answers differ: {told}")
    stage.notes["sam"] = await link_of(stage, SAMS_MAIL)
    must((await stage.browser("thief").open("/register/guessed")).status == 404, "a guessed link opens the form")


@STORY.step("The form names what is missing and takes no file but a picture; then Sam is pre-registered.", [61])
async def by_form(stage: Stage) -> None:
    sam = stage.browser("sam")
    page = await sam.open(stage.notes["sam"])
    must(f"{SAMS_MAIL} is confirmed" in page and "Terms" not in page.path, "the form is not there")
    page = await sam.submit("Register", {"Name": "Sam"})
    for label in ("Telephone", "Address", "Your car park", "New password", "I accept the terms of use"):
        must(f"{label} is missing" in page or f"{label} must be ticked" in page, f"nothing is said of {label}")
    fill = application(SAM, "+32 470 12 34 56", f"{SITE}, Quai 7, 1000 Bruxelles")
    page = await sam.submit("Register", fill, picture=("licence.exe", b"MZ\x90 and so on"))
    must("is neither JPEG, PNG nor PDF" in page, "a program is taken for a licence")
    stage.say("sam", "is told: " + page.line_with("is neither"))
    page = await sam.submit("Register", fill, picture=("licence.jpg", LICENCE))
    must("You are pre-registered" in page, f"Sam is not pre-registered:\n{page.text}")
    must((await sam.open(stage.notes["sam"])).status == 404, "the link counts twice")


@STORY.step("A mail names the site's manager and the place to go to; Sam logs in and sees how things stand.", [21])
async def where_to_go(stage: Stage) -> None:
    letter = (await stage.letters(SAMS_MAIL))[0]
    for words in ("Mireille Martin", "Quai 7, 1000 Bruxelles", SAM):
        must(words in letter.body, f"{words} is not in the mail:\n{letter.body}")
    stage.say("mail", f"to {letter.recipient}: {letter.subject}")
    await stage.log_in("sam", SAMS_MAIL)
    page = await stage.browser("sam").open("/registration")
    must("pre-registered; go to your car park" in page and "Mireille Martin" in page, page.text)
    must("<b>Simon" not in page.html, "a name becomes part of the page")
    stage.say("sam", "sees: " + page.line_with("pre-registered"))


@STORY.step("The picture of the licence stays at the portal: the edge knows that it is to be looked at.", [19])
async def picture_stays(stage: Stage) -> None:
    await stage.site.until_in_force()
    files = [one for one in stage.site.folder.glob(f"{stage.site.database.name}*") if one.is_file()]
    kept = b"".join(one.read_bytes() for one in files)
    must(b'"pending"' in kept, "the edge does not know that there is a licence")
    at_portal = b"".join(one.read_bytes() for one in stage.site.folder.glob("portal.db*") if one.is_file())
    must(b"photographed" not in at_portal, "the portal keeps the picture in clear")
    for secret in (b"photographed", b"Rue Haute", b"470123456", SAMS_MAIL.encode()):
        must(secret not in kept, f"the edge has {secret!r}")


# ---- at the desk ----


async def pre_registers(stage: Stage, name: str, phone: str, site: str) -> str:
    """Somebody else comes the whole way; the mail address."""
    person = name.casefold()
    address = f"{person}@example.com"
    await asks_for_the_link(stage, person, address)
    await stage.browser(person).open(await link_of(stage, address))
    page = await stage.browser(person).submit("Register", application(name, phone, site))
    must("You are pre-registered" in page, f"{name} is not pre-registered:\n{page.text}")
    return address


async def at_the_desk(stage: Stage, name: str, clerk: str = "mia") -> Shown:
    """A clerk opens somebody's page by the list."""
    browser = stage.browser(clerk)
    await browser.open("/desk")
    return await browser.follow(name)


async def is_checked(stage: Stage, name: str, outcome: str, until: str = "") -> Shown:
    """Mia finds the contact data right, then looks at the licence."""
    mia = stage.browser("mia")
    await at_the_desk(stage, name)
    await mia.submit("These are right")
    return await mia.submit("Write it down", {"The licence": outcome, "Counts until": until})


def user_called(stage: Stage, name: str) -> User:
    """The user as the portal's list has it now."""
    (found,) = [user for user in stage.house.portal.allowlist.users() if user.name == name]
    return found


async def asked_of_the_desk(stage: Stage, name: str) -> str:
    """What the desk itself says to an order for a badge, whatever the pages would say."""
    order = EnrolBadge(DESK, user_called(stage, name).external_id, "mia")
    result = await stage.house.portal.command(EDGE, order)
    must(result.status == "refused", "the desk does as it is told")
    return result.detail


async def taken_without_portal(stage: Stage, external_id: str) -> None:
    """A clerk has the desk take a badge, by its own machine's socket, until it says that the portal is away."""
    told: list[str] = []

    def is_away() -> bool:
        told.append(ask(socket_of(stage.site.database), EnrolBadge(DESK, external_id, "mia")).text)
        return "the portal is away: no rights until it answers" in told[-1]

    await stage.site.until(is_away, "a desk that knows that the portal is away")
    stage.say("desk", told[-1])


async def at_the_machine(stage: Stage, *words: str) -> str:
    """What a command at the desk's own machine prints."""
    config = stage.site.folder / "site.toml"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge.cli", "operate", *words, "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    told, _ = await child.communicate()
    stage.say("mia", f"$ slagboom operate {' '.join(words)}")
    for line in told.decode().splitlines():
        stage.say("desk", line.rstrip())
    return told.decode()


@STORY.step(
    "Mia's desk lists who is pre-registered, her own site's first; who only asked for the link is not.", [17, 18]
)
async def desk_lists(stage: Stage) -> None:
    await pre_registers(stage, TESS, "+32 470 12 34 57", "Harbour, Port 1, Oostende")
    await asks_for_the_link(stage, "rita", "rita@example.com")
    await stage.account("mia", Role.CLERK)
    await stage.log_in("mia")
    page = await stage.browser("mia").open("/desk")
    rows = [line for line in page.lines() if " S-" in line]
    must([SAM in row for row in rows] == [True, False] and TESS in rows[1], f"the order differs: {rows}")
    must("rita" not in page.text, "somebody is listed who was never there")
    rita = await stage.house.run(stage.house.accounts.called, "rita@example.com")
    must(rita is None, "there is an account before the address is confirmed")
    for row in rows:
        stage.say("mia", "sees: " + row)
    must((await stage.browser("sam").open("/desk")).status == 404, "subscribers see the desk's list")


@STORY.step(
    "Without the check in person there is no badge: contact data first, then the licence, each by a clerk.", [22]
)
async def checked_in_person(stage: Stage) -> None:
    mia, olga = stage.browser("mia"), stage.browser("olga")
    page = await at_the_desk(stage, SAM)
    must("The contact data come first" in page, "the licence comes first")
    must(not [form for form in page.forms if "Enrol" in form.button], "a badge is offered before the check")
    must("not_checked" in await asked_of_the_desk(stage, SAM), "the desk takes a badge before the check")
    await at_the_desk(stage, SAM, "olga")
    page = await mia.submit(
        "These are right", {"Telephone": "+32 470 99 88 77", "Address": "Rue Basse 9, Bruxelles"}
    )
    must("Checked by mia" in page, f"nobody checked:\n{page.text}")
    page = await olga.submit("These are right", {"Address": "somewhere else"})
    must(page.status == 409 and "was not written" in page, "Olga undoes what Mia did")
    picture = await mia.open(f"{mia.page.path}/picture")
    must(picture.body == LICENCE and picture.headers["content-type"] == "image/jpeg", "the copy differs")
    await at_the_desk(stage, SAM)
    page = await mia.submit("Write it down", {"The licence": "is good", "Counts until": "2020-01-01"})
    must("is past" in page, "a licence that is over is good")
    page = await mia.submit("Write it down", {"Counts until": "2031-05-31"})
    for deed in ("mia contact.checked", "mia licence.validated until 2031-05-31", "mia licence.seen"):
        must(deed in " ".join(page.text.split()), f"{deed} is not written down:\n{page.text}")
        stage.say("mia", "wrote: " + deed)
    await stage.site.until_in_force()
    listed = look_in(stage.site.database).allowlist.user(user_called(stage, SAM).id)
    must(listed is not None and listed.licence == user_called(stage, SAM).licence, "the edge does not know of it")


@STORY.step("The terms change: no badge for Sam at any desk before he has accepted them at his page.", [20])
async def terms_first(stage: Stage) -> None:
    olga, mia, sam = stage.browser("olga"), stage.browser("mia"), stage.browser("sam")
    await at_the_desk(stage, SAM)
    await olga.open("/terms/new")
    await olga.submit("Put them in force", {"Terms of use": "Bring it back clean, full and in time."})
    page = await mia.submit("Enrol", {"Desk": DESK})
    must("terms_not_accepted" in page, "the portal asks for a badge without the terms")
    await stage.site.until_in_force()
    must("terms_not_accepted" in await asked_of_the_desk(stage, SAM), "the desk takes a badge without the terms")
    await stage.log_in("tess", "tess@example.com")
    for browser in (sam, stage.browser("tess")):
        page = await browser.open("/registration")
        must("clean, full and in time" in page, "the terms cannot be read")
        must("You have accepted" in await browser.submit("Accept the terms of use"), "the terms are not accepted")
    await stage.site.until_in_force()


@STORY.step(
    "Another's badge is refused by name, and makes no contract; the next one is Sam's, by one tap.", [24, 63]
)
async def one_tap(stage: Stage) -> None:
    olga, mia = stage.browser("olga"), stage.browser("mia")
    await olga.open("/users/new")
    await olga.submit("Add the user", {"External id": "B-1", "Badges": BERTS_BADGE})
    await stage.site.until_in_force()
    await at_the_desk(stage, SAM)
    page = await mia.submit("Enrol", {"Desk": DESK})
    must(f"Hold the badge to the reader of {DESK}" in page, f"the desk does not wait:\n{page.text}")
    stage.site.desk.tap(BERTS_BADGE)
    refused = await stage.site.expect(Refused, DESK, reason=Reason.BADGE_ALREADY_ASSIGNED)
    must(refused.clerk == "mia", "the refusal does not say who asked")
    page = await mia.open(page.path)
    must("badge_already_assigned" in page, f"Mia is not told:\n{page.text}")
    stage.say("mia", "is told: " + page.line_with("badge_already_assigned"))
    must(not user_called(stage, SAM).contracts, "there is a contract without a badge")
    begun_s = clock.now().mono_s
    stage.site.desk.tap(SAMS_BADGE)
    number = await shows_a_number(stage, "mia", page.path)
    stage.say("mia", f"reads user number {number}, {clock.now().mono_s - begun_s:.2f} s after the tap")
    asked = await stage.site.expect(EnrolAsked, DESK)
    answer = await stage.site.expect(EnrolAnswered, DESK, enrol=asked.enrol)
    must((asked.clerk, answer.clerk) == ("mia", "mia"), "an event does not say who stood at the desk")
    must(answer.user_number == number and not asked.provisional, "the edge has another number")
    sam = user_called(stage, SAM)
    kinds = [(one.kind, one.payer) for one in sam.contracts]
    must(kinds == [(ContractKind.BUSINESS, sam.customer), (ContractKind.PRIVATE, sam.id)], f"contracts: {kinds}")


async def shows_a_number(stage: Stage, person: str, path: str) -> str:
    """The user number, as soon as the page shows it; it looks again by itself."""
    async with asyncio.timeout(PAGE_WITHIN_S):
        while True:
            found = re.findall(r"user number (\d+)", (await stage.browser(person).open(path)).text)
            if found:
                return str(found[0])
            await asyncio.sleep(LOOK_EVERY_S)


@STORY.step("Now Sam is registered, at the edge too, and not before; Tess's licence is not accepted.", [22, 27])
async def registered(stage: Stage) -> None:
    await stage.site.until_in_force()
    listed = look_in(stage.site.database).allowlist
    sam = listed.user(user_called(stage, SAM).id)
    assert sam is not None
    must(sam.registration is Registration.REGISTERED and len(sam.badges) == 1, "the edge does not know Sam's badge")
    page = await stage.browser("sam").open("/registration")
    must(f"registered, user number {sam.number}" in page, f"Sam sees something else:\n{page.text}")
    must(SAM not in (await stage.browser("mia").open("/desk")).text, "Sam still waits")
    page = await is_checked(stage, TESS, "is not accepted, or was not shown")
    must("mia licence.rejected" in " ".join(page.text.split()), "it is not written down")
    must([form for form in page.forms if "Enrol" in form.button], "the licence hinders the badge")


@STORY.step("The portal is away: at the machine badges are taken, without rights, and everybody is told so.", [24])
async def cut_off(stage: Stage) -> None:
    await pre_registers(stage, UMA, "+32 470 12 34 58", f"{SITE}, Quai 7, 1000 Bruxelles")
    await is_checked(stage, UMA, "is good", "2031-05-31")
    await stage.site.until_in_force()
    mia = stage.browser("mia")
    await at_the_desk(stage, UMA)
    await stage.site.unplug_broker()
    page = await mia.submit("Enrol", {"Desk": DESK})
    must("At the desk's own machine it works all the same" in page, f"Mia is not told:\n{page.text}")
    stage.say("mia", "is told: " + page.line_with("slagboom operate enrol"))
    for name, badge in ((TESS, TESS_BADGE), (UMA, BERTS_NEXT)):
        await taken_without_portal(stage, user_called(stage, name).external_id)
        stage.site.desk.tap(badge)
        await stage.site.until(partial(has_tapped, stage, name), f"{name}'s badge in the journal")
    told = await at_the_machine(stage, "waiting")
    must(told.count("no rights until the portal answers") == 2, f"it is not told who waits:\n{told}")
    await stage.site.desk.take_away()
    stage.site.desk.tap(TESS_BADGE)
    await stage.site.until(lambda: has_no_rights(stage), "a badge without rights refused")
    olga = stage.browser("olga")
    await olga.open("/users")
    await olga.follow("B-1")
    await olga.follow("Edit")
    await olga.submit("Save", {"Badges": f"{BERTS_BADGE}\n{BERTS_NEXT}"})


@STORY.step(
    "It is back: Tess's badge counts from now on; the one that became Bert's meanwhile is not Uma's.",
    [18, 24, 27, 63],
)
async def back(stage: Stage) -> None:
    tess, uma = user_called(stage, TESS), user_called(stage, UMA)
    await stage.site.plug_broker_in()
    answers: dict[str, EnrolAnswered] = {}
    while not answers.keys() >= {tess.id, uma.id}:
        answer = await stage.site.expect(EnrolAnswered, DESK)
        answers[answer.user_id] = answer
    told, refused = answers[tess.id], answers[uma.id]
    tess, uma = user_called(stage, TESS), user_called(stage, UMA)
    must(tess.number and told.user_number == tess.number, "Tess has no number")
    must(tess.registration is Registration.REGISTERED and len(tess.contracts) == 2, "Tess is half-way registered")
    must(tess.licence is not None and tess.licence.status is LicenceStatus.REJECTED, "her licence is good by now")
    must(refused.reason == Reason.BADGE_ALREADY_ASSIGNED, "Bert's badge is Uma's")
    must(not uma.contracts and uma.registration is Registration.PRE_REGISTERED, "Uma is half-way registered")
    mia = stage.browser("mia")
    page = await mia.open("/desk")
    must(UMA in page and TESS not in page, "the desk lists somebody else")
    page = await mia.open(f"/desk/{tess.id}")
    stage.say("mia", "reads: " + page.line_with("badge.handed_over"))
    await stage.site.until_in_force()
    stage.site.desk.tap(TESS_BADGE)
    await stage.site.expect(Refused, DESK, reason=Reason.LICENCE_NOT_VALIDATED, user_id=tess.id)


@STORY.step(
    "Sam has two contracts, and his reservation names the one that pays; the company's is the usual one.", [26]
)
async def who_pays(stage: Stage) -> None:
    olga, sam = stage.browser("olga"), user_called(stage, SAM)
    work, home = sam.contracts
    must(sam.default_contract == work.id, "who pays usually is not the company")
    await olga.open("/pool/new")
    vehicle = {
        "Name": "DACIA-1",
        "Model": "Dacia Spring",
        "Number plate": "GR-418-N",
        "Site": SITE,
        "Key slot": "1",
    }
    must("DACIA-1 is added" in await olga.submit("Add the vehicle", vehicle), "there is no vehicle")
    page = await reserves_privately(stage)
    must("has no payment profile yet" in page, "a contract that cannot pay is taken")
    await olga.open(f"/users/{sam.id}/edit")
    page = await olga.submit("Save", {"The private payment profile is complete": True})
    must("in force at once" in page, f"Sam cannot pay:\n{page.text}")
    must("is reserved for you" in await reserves_privately(stage), "Sam cannot reserve")
    await stage.site.until_in_force()
    stage.site.desk.tap(SAMS_BADGE)
    granted = await stage.site.expect(DeskGranted, DESK, user_id=sam.id)
    must((granted.contract, granted.payer) == (home.id, sam.id), f"{granted.payer!r} pays by {granted.contract}")
    await stage.site.until(lambda: stage.site.desk.take(1), "the key of slot 1 in Sam's hand")


async def reserves_privately(stage: Stage) -> Shown:
    """Sam wants the car for an hour from now, on his own account."""
    sam, now = stage.browser("sam"), stage.house.now().astimezone(ZoneInfo(TIME_ZONE))
    await sam.open("/reservations/new")
    times = {"From": f"{now:%Y-%m-%dT%H:%M}", "Until": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}"}
    vehicle = "DACIA-1, Dacia Spring, GR-418-N, at garage"
    return await sam.submit("Reserve", {"Vehicle": vehicle, **times, "Who pays": "you, privately"})


def has_tapped(stage: Stage, name: str) -> bool:
    """Whether the desk took somebody's badge while the portal was away."""
    user_id = user_called(stage, name).id
    facts = [row.fact() for row in journal_of(stage.site.database)]
    return any(isinstance(one, EnrolAsked) and one.user_id == user_id and one.provisional for one in facts)


def has_no_rights(stage: Stage) -> bool:
    """Whether the desk knows nobody of a badge, and says that the portal may know better."""
    facts = [row.fact() for row in journal_of(stage.site.database)]
    unknown = [one for one in facts if isinstance(one, Refused) and one.reason is Reason.UNKNOWN_CREDENTIAL]
    return any(one.lane == DESK and Note.DEGRADED in one.notes for one in unknown)
