"""Credits at the pages: one's own account and no other's, booked by the operator alone, and strict forms."""

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from hardware_sim.portal.partners.credits import Level
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.web.credits import LEVELS
from hardware_sim.stories.browser import Browser
from tests.hardware_sim.portal.event_rig import arrives, granted
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

AT = "/credits/cafe"


async def of_the_cafe(web: Served, *roles: Role) -> Browser:
    if not any(one.id == "cafe" for one in await web.house.run(web.house.organisations.all)):
        await web.house.write(web.house.organisations.put, Organisation("cafe", "<b>Café"))
    account, _ = await web.house.add_account("test", roles[0].value, "cafe", roles)
    await web.house.set_password(account, PASSWORD)
    browser = web.browser()
    await browser.open("/login")
    await browser.submit("Log in", {"Name or e-mail address": account.name, "Password or one-time code": PASSWORD})
    return browser


async def test_everybody_sees_the_own_account_alone(web: Served) -> None:
    for role in (Role.ADMINISTRATOR, Role.PARTNER):
        ada = await of_the_cafe(web, role)
        page = await ada.open("/credits")
        assert (page.path, "100 credits are left" in page) == (AT, True)
        assert "<b>" not in page.html
        assert (await ada.open("/credits/acme")).status == 404
        assert (await ada.open("/credits/acme/use.csv")).status == 404
        assert (await ada.post("/credits/acme/warning", {})).status in (403, 404)
        await ada.open(AT)
        assert [one.button for one in ada.page.forms] == ["Log out", "Save"]
    clara = await of_the_cafe(web, Role.CLERK)
    assert (await clara.open("/credits")).status == 404
    assert (await clara.open(AT)).status == 404


async def test_the_operator_sees_all_and_support_only_looks(web: Served) -> None:
    await of_the_cafe(web, Role.ADMINISTRATOR)
    olga, sven = await web.staff("olga", Role.OPERATOR), await web.staff("sven", Role.SUPPORT)
    for staff in (olga, sven):
        page = await staff.open("/credits")
        assert ("acme 100" in page, "<b>Café 100" in page) == (True, True)
        await staff.follow("<b>Café")
    assert [one.button for one in olga.page.forms] == ["Log out", "Save", "Book the credits"]
    assert [one.button for one in sven.page.forms] == ["Log out"]
    for path in (f"{AT}/book", f"{AT}/warning"):
        assert (await sven.post(path, {"_csrf": "x"})).status in (403, 404)
    assert (await olga.open("/credits/nobody")).status == 404


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"amount": "", "words": "x"}, "Credits is missing"),
        ({"amount": "5", "words": ""}, "What for is missing"),
        ({"amount": "five", "words": "x"}, "is no whole number"),
        ({"amount": "1e6", "words": "x"}, "is no whole number"),
        ({"amount": "0", "words": "x"}, "and not 0"),
        ({"amount": "10000000", "words": "x"}, "must be from"),
        ({"amount": ["5", "6"], "words": "x"}, "came twice"),
        ({"amount": "5", "words": "x" * 101}, "100 are the most"),
        ({"amount": "5", "words": "\u200b"}, "cannot be seen"),
        ({"amount": "5", "words": "x", "organisation": "acme"}, "does not have"),
    ],
)
async def test_a_booking_that_is_none_is_told_and_nothing_is_booked(
    web: Served, fields: dict[str, str | list[str]], told: str
) -> None:
    await of_the_cafe(web, Role.ADMINISTRATOR)
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open(AT)
    page = await olga.post(f"{AT}/book", {**olga.hidden("Book the credits"), **fields})
    assert (page.status, told in page) == (422, True), page.text
    assert "100 credits are left" in await olga.open(AT)


async def test_two_operators_at_one_account_and_words_that_would_be_a_formula(web: Served) -> None:
    await of_the_cafe(web, Role.ADMINISTRATOR)
    olga, otto = await web.staff("olga", Role.OPERATOR), await web.staff("otto", Role.OPERATOR)
    await otto.open(AT)
    await olga.open(AT)
    page = await olga.submit("Book the credits", {"Credits": "-5", "What for": "=1+1<script>"})
    assert "-5 credits are booked" in page
    assert "<script>" not in page.html
    page = await otto.submit("Book the credits", {"Credits": "7", "What for": "seven"})
    assert (page.status, "was not written" in page) == (409, True)
    file = (await olga.open(f"{AT}/use.csv")).body.decode("utf-8-sig")
    assert ";'=1+1<script>;-5;95;" in file
    assert "seven" not in file


async def test_what_the_gate_billed_otherwise_is_told_and_a_warning_too(web: Served) -> None:
    ada = await of_the_cafe(web, Role.ADMINISTRATOR)
    await web.house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="cafe"))])
    await ada.open(AT)
    await ada.submit("Save", {"Warn when so many are left": "99"})
    assert "when 99 are left" in ada.page
    await arrives(web.house, granted(billed_to="clean"))
    page = await ada.open(AT)
    assert "the gate had billed clean" in page
    assert LEVELS[Level.LOW] in page
    assert "98THD4" not in page
