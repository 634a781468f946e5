"""Company parking's pages; what they do is test_company's of the portal, and the story's."""

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.company import BUTTONS, PART
from tests.hardware_sim.portal.web.web_rig import Served

ANNA = {"External id": "A-17", "Number plates": "98-THD-4"}


async def test_a_fleet_manager_edits_and_a_travel_manager_looks(web: Served) -> None:
    frida, tom = await web.staff("frida", Role.FLEET_MANAGER), await web.staff("tom", Role.TRAVEL_MANAGER)
    await frida.open("/users")
    await frida.follow("Add a user")
    page = await frida.submit("Add the user", {**ANNA, "Name": "<i>Anna</i>"})
    assert "A-17 is added" in page
    assert "<i>" not in page.html
    path = page.path
    page = await tom.open(path)
    assert [form.button for form in page.forms if form.button != "Log out"] == [BUTTONS["activate"].button]
    assert "Add a user" not in await tom.open("/users")
    for closed in ("/users/new", "/permits", f"{path}/edit"):
        assert (await tom.open(closed)).status == 404
    await frida.open(path)
    token = frida.hidden("Delete")
    assert (await frida.post(f"{path}/nonsense", token)).status == 404
    await tom.open(path)
    assert (await tom.post(f"{path}/remove", tom.hidden("Send the activation"))).status == 404
    assert (await frida.open("/users/u-nobody")).status == 404


async def test_an_edit_that_was_overtaken_keeps_what_was_typed(web: Served) -> None:
    frida, fred = await web.staff("frida", Role.FLEET_MANAGER), await web.staff("fred", Role.FLEET_MANAGER)
    await frida.open("/users/new")
    path = (await frida.submit("Add the user", ANNA)).path
    await fred.open(f"{path}/edit")
    await frida.open(f"{path}/edit")
    assert "Saved" in await frida.submit("Save", {"Name": "Anna"})
    page = await fred.submit("Save", {"Name": "A. Bakker"})
    assert page.status == 409
    assert "A. Bakker" in page.html


async def test_permits_of_groups(web: Served) -> None:
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    await frida.open("/permits/new")
    page = await frida.submit(
        "Give the permit", {"Group": "staff", "Schedule": "Mo-Fr 06:00-20:00", "Places": "12"}
    )
    assert "staff park everywhere Mo-Fr 06:00-20:00 12" in page.text.replace("\n", " ")
    assert any(entry.path == "/permits" for entry in PART.entries)


async def test_a_guessed_activation_is_not_there(web: Served) -> None:
    assert (await web.browser().open("/activate/AAAA-AAAA-AAAA-AAAA")).status == 404
