"""Notices at the pages: one's own alone, strict forms, secrets shown once, hosts, and what is sent again."""

import re

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from gate_controller.facts import Refused
from gate_controller.reasons import Reason
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.notices import NEW, Means
from hardware_sim.portal.webhooks.notices import KINDS
from hardware_sim.stories.browser import Browser, Shown
from tests.hardware_sim.portal.event_rig import ENTRY, arrives, granted
from tests.hardware_sim.portal.web.test_credits import of_the_cafe
from tests.hardware_sim.portal.web.web_rig import Served

HOOK = "https://hooks.example.com/gates"
GRANTED = KINDS["granted"]


async def allowed(web: Served, *hosts: str) -> Browser:
    olga = await web.staff("olga", Role.OPERATOR)
    await olga.open("/notices/hosts")
    page = await olga.submit("Allow these", {"Hosts": "\n".join(hosts)})
    assert "may go to these" in page
    return olga


async def add(browser: Browser, target: str = HOOK, *kinds: str) -> Shown:
    await browser.open("/notices/new/webhook")
    return await browser.submit("Add the webhook", {"Web address": target, "Events": [*(kinds or (GRANTED,))]})


async def test_a_secret_is_shown_once_and_another_takes_its_place(web: Served) -> None:
    await allowed(web, "hooks.example.com")
    ada = await of_the_cafe(web, Role.ADMINISTRATOR)
    (first,) = re.findall(r"whsec_[\w+/=]{20,}", (await add(ada)).text)
    page = await ada.follow("To its deliveries")
    assert "whsec_" not in page
    (second,) = re.findall(r"whsec_[\w+/=]{20,}", (await ada.submit("Make a new secret")).text)
    assert second != first
    rows = web.house.portal.database.sql
    sealed = await web.house.run(lambda: rows.execute("SELECT sealed FROM subscription").fetchone()[0])
    assert second.encode() not in sealed


async def test_nobody_sees_or_changes_what_is_anothers(web: Served) -> None:
    await allowed(web, "hooks.example.com")
    ada = await of_the_cafe(web, Role.ADMINISTRATOR)
    await add(ada)
    path = (await ada.follow("To its deliveries")).path
    olga = await web.staff("otto", Role.OPERATOR)
    assert HOOK not in await olga.open("/notices")
    for way in ("", "/secret", "/remove", "/1"):
        assert (await olga.post(f"{path}{way}", {})).status in (403, 404, 405)
    await olga.open("/notices")
    token = olga.hidden("Log out")
    for way in ("", "/secret", "/remove", "/1"):
        assert (await olga.post(f"{path}{way}", token)).status == 404
    assert (await ada.open("/notices/hosts")).status == 404
    fritz = await of_the_cafe(web, Role.FLEET_MANAGER)
    assert (await fritz.open("/notices")).status == 404


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Web address is missing"),
        ({"target": HOOK}, "Events is missing"),
        ({"target": HOOK, "events": "everything"}, "none of the choices"),
        ({"target": HOOK, "events": ["granted", "granted"]}, ""),
        ({"target": [HOOK, HOOK], "events": "granted"}, "came twice"),
        ({"target": HOOK, "events": "granted", "device": "elsewhere"}, "none of the choices"),
        ({"target": "https://hooks.example.com/" + "x" * 500, "events": "granted"}, "500 are the most"),
        ({"target": "hooks.example.com", "events": "granted"}, "is no web address"),
        ({"target": "ftp://hooks.example.com", "events": "granted"}, "is no web address"),
        ({"target": "javascript:alert(1)", "events": "granted"}, "is no web address"),
        ({"target": "http://hooks.example.com/", "events": "granted"}, "would be read by others"),
        ({"target": "https://anna:pw@hooks.example.com/", "events": "granted"}, "name or password"),
        ({"target": "https://169.254.169.254/latest", "events": "granted"}, "does not allow"),
        ({"target": "https://hooks.example.com:8443/", "events": "granted"}, "does not allow"),
        ({"target": "https://hooks.example.com.evil.example/", "events": "granted"}, "does not allow"),
        ({"target": HOOK, "events": "granted", "sealed": "x"}, "does not have"),
    ],
)
async def test_a_webhook_that_is_none_is_told(web: Served, fields: dict[str, str | list[str]], told: str) -> None:
    await allowed(web, "hooks.example.com")
    ada = await of_the_cafe(web, Role.ADMINISTRATOR)
    await ada.open("/notices/new/webhook")
    page = await ada.post("/notices/new/webhook", {**ada.hidden("Add the webhook"), **fields})
    if told:
        assert (page.status, told in page) == (422, True), page.text
        assert "Nothing yet" in await ada.open("/notices")
    else:
        assert "whsec_" in page, "one that is ticked twice is ticked"


async def test_a_mail_rule_needs_an_address_and_pages_of_no_kind_are_not_there(web: Served) -> None:
    ada = await of_the_cafe(web, Role.ADMINISTRATOR)
    assert (await ada.open("/notices/new/pigeon")).status == 404
    await ada.open("/notices/new/mail")
    page = await ada.submit(NEW[Means.MAIL].button, {"E-mail address": "anna"})
    assert "is no e-mail address" in page or "Events is missing" in page
    page = await ada.submit(NEW[Means.MAIL].button, {"E-mail address": "anna", "Events": [GRANTED]})
    assert "is no e-mail address" in page
    page = await ada.submit(NEW[Means.MAIL].button, {"E-mail address": "anna@cafe.example", "Events": [GRANTED]})
    assert "is added" in page
    await ada.open("/notices/new/mail")
    page = await ada.submit(NEW[Means.MAIL].button, {"E-mail address": "anna@cafe.example", "Events": [GRANTED]})
    assert "told of this device already" in page
    assert (await ada.open("/notices/nothing")).status == 404


async def test_two_who_edit_and_two_who_allow_hosts(web: Served) -> None:
    olga = await allowed(web, "hooks.example.com")
    otto, ada = await web.staff("otto", Role.OPERATOR), await of_the_cafe(web, Role.ADMINISTRATOR)
    await add(ada)
    path = (await ada.follow("To its deliveries")).path
    paul = await of_the_cafe(web, Role.PARTNER)
    await paul.open(path)
    assert "Saved" in await ada.submit("Save", {"Events": [KINDS["refused"]]})
    page = await paul.submit("Save", {"Is on": False})
    assert (page.status, "was not written" in page) == (409, True)
    assert KINDS["refused"] in await paul.open("/notices")
    await otto.open("/notices/hosts")
    await olga.open("/notices/hosts")
    await olga.submit("Allow these", {"Hosts": "hooks.example.com\nother.example.com:8443"})
    page = await otto.submit("Allow these", {"Hosts": ""})
    assert (page.status, "meanwhile" in page) == (409, True)
    for wrong in ("http://x.example.com", "x.example.com/path", "a@b", "x:99999", "<b>", "é.example"):
        await olga.open("/notices/hosts")
        assert "is no host" in await olga.submit("Allow these", {"Hosts": wrong}), wrong
    assert "Nothing goes to" in await _removed(ada, path)


async def _removed(browser: Browser, path: str) -> Shown:
    await browser.open(path)
    return await browser.submit("Take it away")


async def test_what_became_of_each_is_shown_and_sent_again_by_hand(web: Served) -> None:
    ada = await of_the_cafe(web, Role.ADMINISTRATOR)
    await web.house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="cafe"))])
    await ada.open("/notices/new/mail")
    fill = {"E-mail address": "guard@cafe.example", "Events": [KINDS["refused"]], "Device": "entry"}
    page = await ada.submit(NEW[Means.MAIL].button, fill)
    path, grant = page.path, granted()
    no = Refused(ENTRY, grant.direction, Reason.UNKNOWN_CREDENTIAL, None, "", "<i>X1</i>", grant.basis)
    await arrives(web.house, grant, no)
    page = await ada.open(path)
    assert "delivered 1 in the mailbox as number 1" in page
    page = await ada.follow(KINDS["refused"])
    assert '"reason":"unknown_credential"' in page
    assert "X1" not in page
    assert "is sent again" in await ada.submit("Send it again")
    assert "delivered 2 in the mailbox as number 2" in ada.page
    assert (await ada.open(f"{path}/99")).status == 404
    letters = await web.house.run(web.house.mailbox.letters, "guard@cafe.example")
    assert len(letters) == 2
    assert "X1" not in letters[0].body
