"""Guests at the pages, the page behind a guest's link, and the pass on a user's phone."""

import re
from dataclasses import replace

from gate_controller.allowlist import UserPut
from gate_controller.credentials import CredentialState
from hardware_sim.portal.codes.passes import PHONE_PASS_EVERY_S
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.visitors import HOSTS, PART
from hardware_sim.stories.browser import Browser
from hardware_sim.stories.qr_reader import scan
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served

FILLED = {"Name": "Gina <b>", "From": "2026-03-02T09:00", "Until": "2026-03-02T12:00", "Number plate": "HB-TU 512"}


async def test_a_guest_is_expected_seen_and_called_off(web: Served) -> None:
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    await frida.open("/visitors/new")
    page = await frida.submit("Expect the guest", FILLED)
    assert page.status == 200
    assert "<b>" not in page.html
    (link,) = re.findall(r"http\S+/visit/\S+", page.text)
    guest = web.browser()
    page = await guest.open(link)
    assert scan(page.html).startswith("SB1:")
    assert "from 2026-03-02 09:00:00 until 2026-03-02 12:00:00" in page
    await frida.open("/visitors")
    await frida.follow("Gina <b>")
    assert "is called off" in await frida.submit("Call the visit off")
    assert (await guest.open(link)).status == 404
    assert (await frida.open("/visitors/g-nobody")).status == 200
    assert "over or was called off already" in await frida.submit("Call the visit off")


async def test_what_is_wrong_with_a_visit_is_told_at_its_field(web: Served) -> None:
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    for wrong, told in (
        ({"Until": ""}, "Until is missing"),
        ({"Until": "2026-03-02T08:00"}, "is over before the visit begins"),
        ({"Until": "2027-03-02T08:00"}, "is more than 31 days later"),
        ({"Number plate": "§§§"}, "plate"),
        ({"E-mail address": "nonsense"}, "E-mail address"),
    ):
        await frida.open("/visitors/new")
        page = await frida.submit("Expect the guest", {**FILLED, **wrong})
        assert page.status == 422
        assert told in page
    assert not [*web.house.portal.allowlist.users()]


async def test_guests_are_for_hosts_and_a_link_is_hard_to_guess(web: Served) -> None:
    driver = await web.staff("dirk", Role.DRIVER)
    assert (await driver.open("/visitors")).status == 404
    assert (await driver.open("/visitors/new")).status == 404
    assert (await web.browser().open("/visit/guess")).status == 404


async def test_a_driver_s_pass_is_new_each_time_and_nobody_else_s(web: Served) -> None:
    anna = await web.house.portal.add_user("anna", ["98-THD-4"])
    account, _ = await web.house.add_account("test", "anna", "acme", [Role.DRIVER], user_id=anna.id)
    await web.house.set_password(account, PASSWORD)
    phone: Browser = web.browser()
    await phone.open("/login")
    await phone.submit("Log in", {"Name or e-mail address": "anna", "Password or one-time code": PASSWORD})
    assert "app is not active" in await phone.open("/pass")
    await web.house.portal.change([UserPut(replace(anna, app=CredentialState.ACTIVE))])
    first, second = [scan((await phone.open("/pass")).html) for _ in range(2)]
    assert first != second
    assert f'http-equiv="refresh" content="{PHONE_PASS_EVERY_S}"' in phone.page.html
    assert (await (await web.staff("dirk", Role.DRIVER)).open("/pass")).status == 404
    assert (await (await web.staff("frida", Role.FLEET_MANAGER)).open("/pass")).status == 404


def test_the_menu_names_guests_for_their_hosts() -> None:
    assert [entry.path for entry in PART.entries if entry.seen_by is HOSTS] == ["/visitors"]
