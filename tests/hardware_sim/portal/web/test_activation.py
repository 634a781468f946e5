"""The pages of apps: who sees them, what their forms refuse, and nobody reaches another's app."""

import pytest

from hardware_sim.portal.company import activation
from hardware_sim.portal.company.company import contacts_of
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import NAME_LEN_MAX
from hardware_sim.portal.records.organisations import SiteRecord
from hardware_sim.portal.web.activation import ASK
from hardware_sim.stories.browser import Browser
from tests.hardware_sim.portal.app_rig import MAIL, PHONE, a_user, asked_for, make_ready, newest_code, says
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

FILL = {"E-mail address": MAIL, "Telephone": PHONE}


async def dialog(web: Served, name: str = "cleo") -> tuple[Browser, str]:
    """A clerk before the dialog of Mara, whom the gate knows."""
    await make_ready(web.house)
    user = await a_user(web.house)
    cleo = await web.staff(name, Role.CLERK)
    path = f"/apps/{user.id}"
    await cleo.open(path)
    return cleo, path


async def driver(web: Served) -> Browser:
    """Mara, with a password, before the first step of her app."""
    await make_ready(web.house)
    user = await a_user(web.house)
    code = await asked_for(web.house, user)
    mara = web.browser()
    for secret in (code, PASSWORD):
        await mara.open("/login")
        await mara.submit("Log in", {"Name or e-mail address": MAIL, "Password or one-time code": secret})
        if secret == code:
            await mara.submit("Set the password", {"New password": PASSWORD, "New password again": PASSWORD})
    return mara


async def test_staff_see_apps_and_drivers_their_own(web: Served) -> None:
    cleo, path = await dialog(web)
    assert "M-1 not set up" in (await cleo.open("/apps")).text.replace("\n", " ")
    for other in ("/phone", "/apps/u-nobody"):
        assert (await cleo.open(other)).status == 404
    await cleo.open(path)
    assert (await cleo.post(f"{path}/nonsense", cleo.hidden(ASK.button))).status == 404
    pat = await web.staff("pat", Role.PARTNER)
    for closed in ("/apps", path):
        assert (await pat.open(closed)).status == 404
    assert (await pat.open("/app")).status == 200
    assert (await web.browser().open(path)).path == "/login"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"phone": ""}, "Telephone is missing"),
        ({"email": ""}, "E-mail address is missing"),
        ({"sites": []}, "Sites that serve this user is missing"),
        ({"sites": ["elsewhere"]}, "is none of the choices"),
        ({"sites": ["north", "north"]}, "has more than there is to choose"),
        ({"phone": [PHONE, PHONE]}, "Telephone came twice"),
        ({"phone": "1" * (NAME_LEN_MAX + 1)}, "characters"),
        ({"phone": "soon"}, "is no telephone number"),
        ({"phone": "+31 6 1234\x00"}, "cannot be seen"),
        ({"email": "'; DROP TABLE app; --"}, "is no e-mail address"),
        ({"email": "<script>@example.com"}, "is no e-mail address"),
        ({"users": "u-1"}, "a field that this form does not have"),
        ({"_version": "somebody else's"}, "changed this user meanwhile"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_done(
    web: Served, wrong: dict[str, str | list[str]], told: str
) -> None:
    cleo, path = await dialog(web)
    right = {**cleo.hidden(ASK.button), "email": MAIL, "phone": PHONE, "sites": "north"}
    page = await cleo.post(path, {**right, **wrong})
    assert page.status in (409, 422)
    assert told in page, page.text
    assert "<script>" not in page.html
    assert await web.house.run(web.house.mailbox.letters) == []
    assert (await cleo.post(path, right)).status == 200, "the right one is taken"


async def test_a_second_manager_is_told_with_what_was_typed(web: Served) -> None:
    cleo, path = await dialog(web)
    fred = await web.staff("fred", Role.FLEET_MANAGER)
    await fred.open(path)
    assert "The app is asked for" in await cleo.submit(ASK.button, FILL)
    page = await fred.submit(ASK.button, {**FILL, "Telephone": "+31 6 87654321"})
    assert page.status == 409
    assert "+31 6 87654321" in page.html
    seen = await activation.look(web.house, path.removeprefix("/apps/"))
    assert seen.kept.phone == PHONE


async def test_a_name_that_is_a_script_is_shown_as_text(web: Served) -> None:
    await make_ready(web.house)
    user = await a_user(web.house, "<script>alert(1)</script>")
    cleo = await web.staff("cleo", Role.CLERK)
    for path in ("/apps", f"/apps/{user.id}"):
        page = await cleo.open(path)
        assert "<script>" not in page.html
        assert "<script>alert(1)</script>" in page


async def test_without_an_address_the_way_is_shown_and_not_mailed(web: Served) -> None:
    cleo, path = await dialog(web)
    page = await cleo.submit("Mail how to set it up")
    assert "Nothing is mailed" in page
    assert "nothing is mailed: let the driver scan this" in page
    await web.house.write(contacts_of(web.house).put, path.removeprefix("/apps/"), MAIL)
    page = await cleo.open(path)
    assert "It is mailed to" in page
    assert "It is mailed." in await cleo.submit("Mail how to set it up")
    (letter,) = await web.house.run(web.house.mailbox.letters)
    assert letter.recipient == MAIL


async def test_the_driver_goes_step_by_step_and_is_offered_own_sites(web: Served) -> None:
    mara = await driver(web)
    await web.house.write(
        web.house.organisations.put_site, SiteRecord("depot", "Depot", "d@example.com", "UTC", "")
    )
    page = await mara.open("/phone")
    assert "pending" in page
    assert [form.button for form in page.forms if form.button != "Log out"] == ["I agree"]
    hidden = mara.hidden("I agree")
    page = await mara.post("/phone/site", {**hidden, "site": "north"})
    assert "privacy notice" in page
    page = await mara.post("/phone/consent", {**hidden, "news": "yes"})
    assert "must be ticked" in page
    await mara.post("/phone/consent", {**hidden, "privacy": "yes"})
    page = await mara.post("/phone/site", {**hidden, "site": "depot"})
    assert "is none of the choices" in page
    page = await mara.open("/phone")
    (site,) = [one for form in page.forms for one in form.controls if one.kind == "select"]
    assert [value for value, _ in site.choices if value] == ["north"]
    page = await mara.submit("Choose this site", {"Site": "North"})
    assert "Your app is set up" in page
    assert "Not every gate knows of it yet" in page
    await says(web.house)
    assert "Not every gate" not in await mara.open("/phone")
    assert (await mara.open("/pass")).status == 200
    assert (await mara.post("/phone/consent/life", mara.hidden("Log out"))).status == 404


async def test_a_withdrawn_app_says_so_and_offers_nothing(web: Served) -> None:
    mara = await driver(web)
    await mara.open("/phone")
    hidden = mara.hidden("I agree")
    (user,) = web.house.portal.allowlist.users()
    cleo = await web.staff("cleo", Role.CLERK)
    await cleo.open(f"/apps/{user.id}")
    assert "The app is withdrawn" in await cleo.submit("Withdraw the app")
    assert (await mara.post("/phone/consent", {**hidden, "privacy": "yes"})).path.startswith("/login")
    await mara.open("/login")
    page = await mara.submit("Log in", {"Name or e-mail address": MAIL, "Password or one-time code": PASSWORD})
    page = await mara.open("/phone")
    assert "withdrawn" in page
    assert [form.button for form in page.forms if form.button != "Log out"] == []
    assert (await mara.open("/pass")).status == 422


async def test_another_code_is_sent_by_a_button(web: Served) -> None:
    cleo, _ = await dialog(web)
    assert "Send another code" not in cleo.page
    await cleo.submit(ASK.button, FILL)
    first = await newest_code(web.house)
    page = await cleo.submit("Send another code")
    assert "0 of 5 wrong tries" in page
    assert await newest_code(web.house) != first
    assert await newest_code(web.house) not in page
