"""The clerk's pages; what they do is test_desk_checks's of the portal, and the story's."""

from dataclasses import replace

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind
from hardware_sim.portal.fleet import registering
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.desk import PART
from tests.hardware_sim.portal.fleet.test_registering import FORM, JPEG, opened, token_for
from tests.hardware_sim.portal.web.test_app_forms import Vandal, as_staff
from tests.hardware_sim.portal.web.web_rig import Served


async def test_a_clerk_sees_who_waits_and_others_do_not(web: Served) -> None:
    await opened(web.house)
    await registering.pre_register(
        web.house, await token_for(web.house), replace(FORM, name="<i>Sam</i>", picture=JPEG)
    )
    mia = await web.staff("mia", Role.CLERK)
    assert "<i>Sam</i>" in await mia.open("/desk")
    page = await mia.follow("<i>Sam</i>")
    assert "<i>" not in page.html
    assert [form.button for form in page.forms] == ["Log out", "These are right"]
    copy = await mia.open(f"{page.path}/picture")
    assert (copy.body, copy.headers["x-content-type-options"]) == (JPEG, "nosniff")
    for role in (Role.SUBSCRIBER, Role.FLEET_MANAGER, Role.PARTNER):
        other = await web.staff(role.value, role)
        for path in ("/desk", page.path, f"{page.path}/picture", f"{page.path}/badge"):
            assert (await other.open(path)).status == 404, (role, path)
    assert [entry.path for entry in PART.entries] == ["/desk", "/licences"]


async def test_what_is_missing_or_nobody_s_is_told(web: Served) -> None:
    await opened(web.house)
    user = await registering.pre_register(web.house, await token_for(web.house), FORM)
    mia = await web.staff("mia", Role.CLERK)
    path = f"/desk/{user.id}"
    await mia.open(path)
    page = await mia.submit("These are right", {"Name": " ", "Telephone": "call me"})
    assert page.status == 422
    assert "Name is missing" in page
    await mia.open(path)
    await mia.submit("These are right")
    page = await mia.submit("Write it down", {"The licence": "is good"})
    assert "is missing" in page
    page = await mia.submit("Write it down", {"Counts until": "2031-05-31"})
    assert "written down, in force at once" in page
    await web.house.portal.change([DevicePut(Device("front", DeviceKind.DESK))])
    page = await mia.open(path)
    (badge,) = [form for form in page.forms if form.button == "Enrol"]
    assert [one.value for one in badge.controls if one.name == "desk"] == ["front"]
    page = await mia.submit("Enrol")
    assert "no edge is connected" in page
    for gone in ("/desk/u-nobody", "/desk/u-nobody/badge", "/desk/u-nobody/picture", f"{path}/picture"):
        assert (await mia.open(gone)).status == 404, gone


async def test_licences_that_end_soon_are_listed_and_their_owners_told(web: Served) -> None:
    await opened(web.house)
    user = await registering.pre_register(web.house, await token_for(web.house), FORM)
    mia = await web.staff("mia", Role.CLERK)
    await mia.open(f"/desk/{user.id}")
    await mia.submit("These are right")
    for end, listed in (("2026-05-01", False), ("2026-03-20", True)):
        await mia.submit("Write it down", {"The licence": "is good", "Counts until": end})
        assert (user.external_id in await mia.open("/licences")) is listed
        await mia.open(f"/desk/{user.id}")
    (letter, *_) = await web.house.run(web.house.mailbox.letters)
    assert letter.subject == "Your driving licence is to be looked at again"


async def test_no_form_of_the_desk_is_a_way_to_break_anything(web: Served) -> None:
    await opened(web.house)
    user = await registering.pre_register(web.house, await token_for(web.house), FORM)
    vandal = Vandal(web, Role.CLERK)
    await as_staff(web, vandal.browser, Role.CLERK)
    path = f"/desk/{user.id}"
    await vandal.visit(path, "These are right", f"{path}/contact")
    await vandal.browser.open(path)
    fill = {"Name": "Sam", "Telephone": "+32 470 12 34 56", "Address": "Rue Haute 5"}
    await vandal.browser.submit("These are right", fill)
    await vandal.visit(path, "Write it down", f"{path}/licence")
    await vandal.browser.open(path)
    await vandal.browser.submit("Write it down", {"The licence": "is good", "Counts until": "2031-05-31"})
    await vandal.visit(path, "Enrol", f"{path}/badge")
    assert vandal.tried > 50
