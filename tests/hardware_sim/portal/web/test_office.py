"""The operator's pages: accounts and sites that two people change at once, codes told once, the mailbox."""

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web import office
from tests.hardware_sim.portal.web.web_rig import Served


async def test_an_account_is_added_and_its_code_told_once(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/accounts")
    await olga.follow("Add an account")
    page = await olga.submit(
        "Add the account",
        {
            "Name to log in with": "Frida@example.com",
            "Telephone": "+49 170 1234567",
            "Organisation": "acme",
            "Roles": ["fleet manager", "clerk"],
            "Sites": ["north"],
        },
    )
    assert "One-time code for frida@example.com" in page
    code = page.lines()[-2]
    made = await web.house.run(web.house.accounts.called, "frida@example.com")
    assert made is not None
    assert made.roles == {Role.FLEET_MANAGER, Role.CLERK}
    assert (made.sites, made.phone) == (("north",), "+491701234567")
    assert await web.house.log_in("frida@example.com", code) is not None


async def test_a_form_that_is_wrong_keeps_what_was_typed_and_does_nothing(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/accounts/new")
    page = await olga.submit("Add the account", {"E-mail address": "nowhere", "Organisation": "acme"})
    assert page.status == 422
    assert "Name to log in with is missing" in page
    page = await olga.submit("Add the account", {"Name to log in with": "olga", "E-mail address": ""})
    assert page.status == 422
    assert "Name to log in with is that of another account" in page
    assert [one.name for one in await web.house.run(web.house.accounts.all)] == ["olga"]


async def test_the_second_of_two_operators_is_told_and_nothing_is_lost(web: Served) -> None:
    olga, otto = await web.staff("olga", Role.OPERATOR), await web.staff("otto", Role.OPERATOR)
    account, _ = await web.house.add_account("test", "anna", "acme", [Role.CLERK])
    for browser in (olga, otto):
        await browser.open(f"/accounts/{account.id}")
    assert (await olga.submit("Save", {"E-mail address": "anna@example.com"})).path == "/accounts"
    page = await otto.submit("Save", {"Telephone": "+49 170 1234567"})
    assert page.status == 409
    assert "somebody else changed this account meanwhile" in page
    assert "+49 170 1234567" in page.html
    assert (await otto.submit("Save")).status == 409, "pressing again does not overwrite either"
    now = await web.house.run(web.house.accounts.get, account.id)
    assert (now.email, now.phone) == ("anna@example.com", None)


async def test_who_is_switched_off_or_reset_is_out_at_once(web: Served) -> None:
    olga, anna = await web.staff("olga", Role.OPERATOR), await web.staff("anna", Role.CLERK)
    account = await web.house.run(web.house.accounts.called, "anna")
    assert account is not None
    await olga.open(f"/accounts/{account.id}")
    page = await olga.submit("Make a new one-time code")
    assert "One-time code for anna" in page
    assert (await anna.open("/")).path == "/login"
    assert await web.house.log_in("anna", page.lines()[-2]) is not None
    await olga.open(f"/accounts/{account.id}")
    await olga.submit("Save", {"May log in": False})
    assert "switched off" in olga.page
    assert "anna is changed." in olga.page


async def test_sites_and_organisations_are_kept_alike(web: Served) -> None:
    olga, otto = await web.staff("olga", Role.OPERATOR), await web.staff("otto", Role.OPERATOR)
    await olga.open("/sites/new")
    page = await olga.submit("Save", {"Name": "South", "Time zone": "Mars"})
    assert "Time zone is no time zone" in page
    await olga.submit("Save", {"Time zone": "Europe/Paris", "E-mail address": "south@example.com"})
    for browser in (olga, otto):
        await browser.open("/sites")
        await browser.follow("South")
    await olga.submit("Save", {"Address": "1 Rue Haute"})
    assert (await otto.submit("Save", {"Address": "elsewhere"})).status == 409
    assert "1 Rue Haute" in await otto.open("/sites")
    await olga.open("/organisations/acme")
    await olga.submit("Save", {"Name": "Acme Parking"})
    kept = await web.house.run(web.house.organisations.get, "acme")
    assert (kept.name, kept.operator) == ("Acme Parking", True)


async def test_letters_are_read_with_their_picture(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await web.house.write(web.house.mailbox.mail, web.house.now(), "a@example.com", "Hello", "Body", "QR")
    await olga.open("/mailbox")
    page = await olga.follow("Hello")
    assert "Body" in page
    assert "<svg" in page.html


async def test_deeds_are_told(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    assert "account.added" in await olga.open("/audit")
    assert office.ROWS_MAX == 200
