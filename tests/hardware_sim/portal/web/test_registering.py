"""The pages by which people come to the fleet; what they do is test_registering's, and the story's."""

import re
from dataclasses import replace

from hardware_sim.portal.fleet import registering
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.forms import FILE_BYTES_MAX
from hardware_sim.portal.web.login import WRONG_TRIES_MAX
from hardware_sim.portal.web.registering import PART
from hardware_sim.stories.browser import Browser
from tests.hardware_sim.portal.web.test_app_forms import Vandal
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

SAM = "sam@example.com"
FILL: dict[str, str | bool] = {
    "Name": "Sam",
    "Telephone": "+32 470 12 34 56",
    "Address": "Rue Haute 5",
    "Your car park": "north, Quai 7",
    "New password": PASSWORD,
    "New password again": PASSWORD,
    "I accept the terms of use": True,
}


async def at_the_form(web: Served) -> Browser:
    """Somebody who has followed the link of the mail."""
    (site,) = await web.house.run(web.house.organisations.sites)
    await web.house.write(web.house.organisations.put_site, replace(site, address="Quai 7", manager="Mireille"))
    await registering.publish_terms(web.house, "olga", "Bring it back <i>clean</i>.")
    browser = web.browser()
    await browser.open("/register")
    assert "on its way" in await browser.submit("Send me the link", {"E-mail address": SAM})
    (letter,) = await web.house.run(web.house.mailbox.letters, SAM)
    (link,) = re.findall(r"http\S+/register/\S+", letter.body)
    await browser.open(link)
    return browser


async def test_the_form_keeps_what_was_typed_but_the_password(web: Served) -> None:
    sam = await at_the_form(web)
    page = await sam.submit("Register", {**FILL, "New password again": "another one, sorry"})
    assert page.status == 422
    assert "is not the same" in page
    assert "Rue Haute 5" in page.html
    assert PASSWORD not in page.html
    page = await sam.submit("Register", FILL, picture=("x.jpg", b"\xff\xd8\xff" + bytes(FILE_BYTES_MAX)))
    assert page.status == 422
    assert "is larger than 4 MiB" in page
    page = await sam.submit("Register", FILL)
    assert "You are pre-registered" in page


async def test_far_too_large_a_file_is_told_too(web: Served) -> None:
    sam = await at_the_form(web)
    page = await sam.submit("Register", FILL, picture=("x.jpg", b"\xff\xd8\xff" + bytes(2 * FILE_BYTES_MAX)))
    assert page.status == 413


async def test_terms_that_changed_while_somebody_wrote_are_read_again(web: Served) -> None:
    sam = await at_the_form(web)
    await registering.publish_terms(web.house, "olga", "And full.")
    page = await sam.submit("Register", FILL)
    assert page.status == 409
    assert "terms of use have changed" in page


async def test_new_terms_are_shown_to_who_waits_and_accepted_there(web: Served) -> None:
    sam = await at_the_form(web)
    await sam.submit("Register", FILL)
    await sam.submit("Log in", {"Name or e-mail address": SAM, "Password or one-time code": PASSWORD})
    assert "have changed" not in await sam.open("/registration")
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/terms/new")
    page = await olga.submit("Put them in force", {"Terms of use": "<script>And full.</script>"})
    assert "<script" not in page.html
    page = await sam.open("/registration")
    assert "And full." in page
    assert "You have accepted" in await sam.submit("Accept the terms of use")
    assert "have changed" not in await sam.open("/registration")


async def test_staff_and_strangers_see_no_registration_of_theirs(web: Served) -> None:
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    assert (await frida.open("/registration")).status == 404
    stray = await web.staff("stray", Role.SUBSCRIBER)
    assert (await stray.open("/registration")).status == 404
    assert (await stray.open("/terms/new")).status == 404
    assert (await web.browser().open("/terms")).status == 404, "there are none yet"
    assert len(PART.entries) == 2


async def test_the_way_in_is_not_open_without_end(web: Served) -> None:
    browser = await at_the_form(web)
    await browser.open("/register")
    hidden = browser.hidden("Send me the link")
    told = [
        await browser.post("/register", {**hidden, "email": f"p{n}@example.com"}) for n in range(WRONG_TRIES_MAX)
    ]
    assert "on its way" in told[0]
    assert "Too many tries" in told[-1]
    letters = await web.house.run(web.house.mailbox.letters)
    assert 1 < len(letters) <= WRONG_TRIES_MAX, "nobody is mailed beyond that"


async def test_the_form_behind_the_link_is_no_way_to_break_anything(web: Served) -> None:
    sam = await at_the_form(web)
    vandal = Vandal(web, Role.SUBSCRIBER)
    await vandal.visit(sam.page.path, "Register", sam.page.path)
    assert vandal.tried > 50
    page = await sam.submit("Register", FILL)
    assert "You are pre-registered" in page, "the link still counts"
