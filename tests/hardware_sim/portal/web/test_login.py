"""Logging in over real HTTP: the first time, after that, wrongly, with a link, and for which site."""

import re

import pytest

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web import login
from hardware_sim.portal.web.login import ON_TO_COOKIE, WRONG_TRIES_MAX
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

NAME, WORD = "Name or e-mail address", "Password or one-time code"


async def test_who_came_with_a_code_sees_nothing_before_a_password_is_set(web: Served) -> None:
    _, code = await web.house.add_account("olga", "anna@example.com", "acme", [Role.OPERATOR])
    anna = web.browser()
    await anna.open("/")
    page = await anna.submit("Log in", {NAME: "anna@example.com", WORD: code})
    assert (page.path, page.status) == ("/password", 200)
    for path in ("/", "/users", "/accounts", "/mailbox"):
        assert (await anna.open(path)).path == "/password"
    assert "Accounts" not in anna.page.text
    page = await anna.submit("Set the password", {"New password": "short", "New password again": "short"})
    assert page.status == 422
    assert "is shorter than 10 characters" in page
    page = await anna.submit("Set the password", {"New password": PASSWORD, "New password again": PASSWORD + "x"})
    assert "New password again is not the same" in page
    page = await anna.submit("Set the password", {"New password": PASSWORD, "New password again": PASSWORD})
    assert page.path == "/login?said=password"
    assert "Log in with it now" in page
    assert (await anna.open("/users")).path == "/login"
    page = await anna.submit("Log in", {NAME: "anna@example.com", WORD: PASSWORD})
    assert (page.path, page.status) == ("/", 200)
    assert "Accounts" in page


async def test_changing_the_password_asks_for_the_current_one(web: Served) -> None:
    anna = await web.staff("anna", Role.CLERK)
    await anna.open("/password")
    new = {"New password": "five loud herons", "New password again": "five loud herons"}
    assert (await anna.submit("Set the password", {"Current password": "wrong", **new})).status == 422
    assert "Current password is not right" in anna.page
    assert (
        await anna.submit("Set the password", {"Current password": PASSWORD, **new})
    ).path == "/login?said=password"
    assert await web.house.log_in("anna", PASSWORD) is None
    assert await web.house.log_in("anna", "five loud herons") is not None


async def test_logged_out_is_logged_out_also_for_a_copied_cookie(web: Served) -> None:
    anna = await web.staff("anna", Role.OPERATOR)
    copied = dict(anna.client.cookies)
    page = await anna.submit("Log out")
    assert page.path == "/login?said=out"
    thief = web.browser()
    thief.client.cookies.update(copied)
    assert (await thief.open("/users")).path == "/login"


async def test_every_refused_login_says_the_same(web: Served) -> None:
    account, code = await web.house.add_account("olga", "anna", "acme", [])
    await web.house.add_account("olga", "bert", "acme", [])
    browser, told = web.browser(), set()
    for name, word in (("anna", "wrong"), ("nobody", code), ("bert", code), ("anna@example.com", "x")):
        await browser.open("/login")
        page = await browser.submit("Log in", {NAME: name, WORD: word})
        assert page.status == 401
        told.add(re.sub(r'value="[^"]*"', "", page.html))
    assert len(told) == 1
    assert login.REFUSED in page.text
    assert account.must_change


async def test_one_address_is_wrong_only_so_often(web: Served) -> None:
    _, code = await web.house.add_account("olga", "anna", "acme", [])
    browser = web.browser()
    await browser.open("/login")
    for n in range(WRONG_TRIES_MAX):
        assert (await browser.submit("Log in", {NAME: f"nobody{n}", WORD: "x"})).status == 401
    page = await browser.submit("Log in", {NAME: "anna", WORD: code})
    assert (page.status, login.WAIT in page.text) == (429, True)
    web.clock.pass_(seconds=61)
    assert (await browser.submit("Log in", {NAME: "anna", WORD: code})).path == "/password"


async def test_missing_fields_are_named(web: Served) -> None:
    browser = web.browser()
    page = await browser.open("/login")
    assert f"{NAME} *" in page
    page = await browser.submit("Log in", {NAME: "anna"})
    assert page.status == 422
    assert f"{WORD} is missing" in page
    assert 'value="anna"' in page.html


async def test_a_link_by_mail_sets_a_new_password_once(web: Served) -> None:
    account, _ = await web.house.add_account("olga", "anna", "acme", [], email="anna@example.com")
    await web.house.set_password(account, PASSWORD)
    anna = web.browser()
    await anna.open("/login")
    await anna.follow("Forgotten your password?")
    for name in ("nobody", "Anna@example.com"):
        await anna.open("/forgotten")
        page = await anna.submit("Send the link", {NAME: name})
        assert "If there is such an account" in page
    (letter,) = await web.house.run(web.house.mailbox.letters)
    (link,) = re.findall(r"http\S+", letter.body)
    await anna.open(link)
    new = "five quiet grey geese"
    page = await anna.submit("Set the password", {"New password": new, "New password again": new})
    assert page.path == "/login?said=password"
    assert (await anna.open(link)).status == 422
    assert "counts no more" in anna.page
    await anna.open("/login")
    assert (await anna.submit("Log in", {NAME: "anna", WORD: PASSWORD})).status == 401
    assert (await anna.submit("Log in", {NAME: "anna", WORD: new})).path == "/"


async def test_who_has_several_sites_chooses_one_first(web: Served) -> None:
    from hardware_sim.portal.records.organisations import SiteRecord

    for one in ("south", "east"):
        await web.house.write(web.house.organisations.put_site, SiteRecord(one, one.title(), None, "UTC", ""))
    cleo = await web.staff("cleo", Role.CLERK, sites=["north", "south"])
    assert cleo.page.path == "/site"
    assert (await cleo.open("/journal")).path == "/site"
    (control,) = [one for form in cleo.page.forms for one in form.controls if one.kind == "select"]
    assert sorted(value for value, _ in control.choices) == ["", "north", "south"]
    forged = await cleo.post("/site", {**cleo.hidden("Choose this site"), "site": "east"})
    assert forged.status == 422
    page = await cleo.submit("Choose this site", {"Site": "South"})
    assert page.path == "/"
    assert "You work for this site now." in page
    assert "cleo, south" in page
    assert (await cleo.open("/journal")).status == 200
    assert "You work for this site now." not in cleo.page


@pytest.mark.parametrize("path", ["/", "/users", "/mailbox/1", "/accounts/x", "/site", "/password"])
async def test_a_stranger_is_led_to_the_login(web: Served, path: str) -> None:
    assert (await web.browser().open(path)).path == "/login"


async def test_whoever_came_by_a_mail_goes_on_to_where_it_leads_once(web: Served) -> None:
    await web.staff("paul", Role.PARTNER)
    browser = web.browser()
    assert (await browser.open("/delegations/id-7")).path == "/login"
    fill = {NAME: "paul", WORD: PASSWORD}
    assert (await browser.submit("Log in", fill)).path == "/delegations/id-7"
    await browser.open("/")
    await browser.submit("Log out")
    await browser.open("/login")
    assert (await browser.submit("Log in", fill)).path == "/"


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a?b", "/a\r\nb"]
)
async def test_nobody_is_led_away_after_the_login(web: Served, path: str) -> None:
    await web.staff("paul", Role.PARTNER)
    browser = web.browser()
    await browser.open("/login")
    browser.client.cookies.set(ON_TO_COOKIE, f'"{path}"'.replace("\r\n", "%0d%0a"), path="/login")
    fill = {NAME: "paul", WORD: PASSWORD}
    assert (await browser.submit("Log in", fill)).path == "/"
