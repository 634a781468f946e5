"""Fleet desk: from a mail address to a badge that is somebody's, at the portal's pages and the desk's reader."""

import re
from typing import Final

from hardware_sim.portal.accounts import Role
from hardware_sim.portal.organisations import SiteRecord
from hardware_sim.simulated_site import SITE
from hardware_sim.stories.browser import Shown
from hardware_sim.stories.story import PASSWORD, Stage, Story, must

HARBOUR: Final = "harbour"
SAM, TESS = "sam@example.com", "tess@example.com"
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
    page = await asks_for_the_link(stage, "sam", SAM)
    must("Nobody can register" in page and not await stage.letters(SAM), "somebody registers for nowhere")
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
        (await asks_for_the_link(stage, "sam", one)).line_with("A mail") for one in (SAM, SAM, "olga@example.com")
    }
    must(len(told) == 1, f"the answers differ: {told}")
    must(len(await stage.letters(SAM)) == 1, "the address is flooded")
    stage.notes["sam"] = await link_of(stage, SAM)
    must((await stage.browser("thief").open("/register/guessed")).status == 404, "a guessed link opens the form")


@STORY.step("The form names what is missing and takes no file but a picture; then Sam is pre-registered.", [61])
async def by_form(stage: Stage) -> None:
    sam = stage.browser("sam")
    page = await sam.open(stage.notes["sam"])
    must(f"{SAM} is confirmed" in page and "Terms" not in page.path, "the form is not there")
    page = await sam.submit("Register", {"Name": "Sam"})
    for label in ("Telephone", "Address", "Your car park", "New password", "I accept the terms of use"):
        must(f"{label} is missing" in page or f"{label} must be ticked" in page, f"nothing is said of {label}")
    fill = application("Sam <b>Simon</b>", "+32 470 12 34 56", f"{SITE}, Quai 7, 1000 Bruxelles")
    page = await sam.submit("Register", fill, picture=("licence.exe", b"MZ\x90 and so on"))
    must("is neither JPEG, PNG nor PDF" in page, "a program is taken for a licence")
    stage.say("sam", "is told: " + page.line_with("is neither"))
    page = await sam.submit("Register", fill, picture=("licence.jpg", LICENCE))
    must("You are pre-registered" in page, f"Sam is not pre-registered:\n{page.text}")
    must((await sam.open(stage.notes["sam"])).status == 404, "the link counts twice")


@STORY.step("A mail names the site's manager and the place to go to; Sam logs in and sees how things stand.", [21])
async def where_to_go(stage: Stage) -> None:
    letter = (await stage.letters(SAM))[0]
    for words in ("Mireille Martin", "Quai 7, 1000 Bruxelles", "Sam <b>Simon</b>"):
        must(words in letter.body, f"{words} is not in the mail:\n{letter.body}")
    stage.say("mail", f"to {letter.recipient}: {letter.subject}")
    await stage.log_in("sam", SAM)
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
    for secret in (b"photographed", b"Rue Haute", b"470123456", SAM.encode()):
        must(secret not in kept, f"the edge has {secret!r}")
