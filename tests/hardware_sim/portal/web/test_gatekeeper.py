"""Who is let in where: pages that are not for somebody are not there, and no form counts that is not ours."""

import pytest

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.web.gatekeeper import HOUSE_ROLES, SEAL_COOKIE
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

SEEN = {
    Role.OPERATOR: {"/", "/users", "/journal", "/conflicts", "/accounts", "/mailbox", "/sites"},
    Role.FLEET_MANAGER: {"/", "/users", "/journal"},
    Role.CLERK: {"/", "/journal"},
    Role.DRIVER: {"/"},
    Role.PARTNER: {"/"},
}


@pytest.mark.parametrize("role", SEEN)
async def test_a_page_that_is_not_for_you_is_not_there(web: Served, role: Role) -> None:
    browser = await web.staff("anna", role)
    menu = {link.path for link in browser.page.links}
    for path in SEEN[Role.OPERATOR]:
        page = await browser.open(path)
        assert page.status == (200 if path in SEEN[role] else 404), path
        assert (path in menu) == (path in SEEN[role])
    assert (await browser.open("/accounts/new")).status == (200 if role is Role.OPERATOR else 404)


async def test_who_works_for_another_organisation_sees_nobody_on_the_list(web: Served) -> None:
    house = web.house
    anna = await house.portal.add_user("anna", ["98-THD-4"])
    await house.write(house.organisations.put, Organisation("cafe", "Café"))
    account, _ = await house.add_account("test", "fritz", "cafe", [*HOUSE_ROLES])
    await house.set_password(account, PASSWORD)
    fritz = web.browser()
    await fritz.open("/login")
    page = await fritz.submit("Log in", {"Name or e-mail address": "fritz", "Password or one-time code": PASSWORD})
    assert {link.path for link in page.links if link.path in SEEN[Role.OPERATOR]} <= {"/"}
    of_anna = (f"/users/{anna.id}", f"/users/{anna.id}/edit", f"/apps/{anna.id}", f"/desk/{anna.id}")
    elsewhere = ("/stays", "/stays.csv", "/permits", "/visitors", "/pool", "/desk", "/apps", "/viewing/cafe")
    for path in (*(SEEN[Role.OPERATOR] - {"/"}), *of_anna, *elsewhere):
        assert (await fritz.open(path)).status == 404, path
    await fritz.open("/")
    token = fritz.hidden("Log out")
    for deed in ("remove", "disable", "activate"):
        assert (await fritz.post(f"/users/{anna.id}/{deed}", token)).status == 404
    assert house.portal.allowlist.user(anna.id) == anna


FORM = {"name": "bert", "organisation": "acme"}


async def test_a_form_without_its_proof_does_nothing(web: Served) -> None:
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/accounts/new")
    proof = olga.hidden("Add the account")
    elsewhere = await web.staff("otto", Role.OPERATOR)
    await elsewhere.open("/accounts/new")
    for wrong in ({}, {"_csrf": ""}, {"_csrf": "x" * 64}, {"_csrf": "ü"}, elsewhere.hidden("Add the account")):
        page = await olga.post("/accounts/new", {**FORM, **wrong})
        assert page.status == 403
        assert "too old" in page
    assert (await olga.post("/accounts/new", {**FORM, "_csrf": [*proof.values(), *proof.values()]})).status == 403
    olga.client.headers["Origin"] = "http://evil.example"
    assert (await olga.post("/accounts/new", {**FORM, **proof})).status == 403
    del olga.client.headers["Origin"]
    assert {one.name for one in await web.house.run(web.house.accounts.all)} == {"olga", "otto"}
    assert (await olga.post("/accounts/new", {**FORM, **proof})).status == 200


async def test_a_broken_seal_is_replaced(web: Served) -> None:
    browser = web.browser()
    browser.client.cookies.set(SEAL_COOKIE, "broken", domain="127.0.0.1")
    await browser.open("/login")
    page = await browser.submit("Log in", {"Name or e-mail address": "x", "Password or one-time code": "y"})
    assert page.status == 401


async def test_another_name_for_the_portal_is_refused(web: Served) -> None:
    browser = web.browser()
    for host in ("evil.example", "[::1", ""):
        answer = await browser.client.get("/login", headers={"Host": host})
        assert answer.status_code == 400, host


_BROKEN_PART = b'--b\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n\xff\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"a=%ff"),
        ("application/x-www-form-urlencoded", b"a=1&" * 300),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nrubbish"),
        ("multipart/form-data; boundary=b", _BROKEN_PART),
        ("application/json", b"{"),
        ("text/plain", b"_csrf=1"),
        ("\xff", b""),
    ],
)  # fmt: skip
async def test_what_is_no_form_is_told_and_not_a_fault(web: Served, kind: str, body: bytes) -> None:
    browser = web.browser()
    answer = await browser.client.post("/login", content=body, headers={"Content-Type": kind.encode("latin-1")})
    assert answer.status_code in (400, 403), answer.text
