"""The pages of pool vehicles; what they do is test_pool's of the portal, and the story's."""

from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.pool import PART
from tests.hardware_sim.portal.web.web_rig import Served

DACIA = {"Name": "DACIA-1", "Model": "<b>Dacia</b>", "Number plate": "gr 418 n", "Site": "north", "Key slot": "1"}


async def test_a_vehicle_is_added_edited_and_taken_out_again(web: Served) -> None:
    frida, fred = await web.staff("frida", Role.FLEET_MANAGER), await web.staff("fred", Role.FLEET_MANAGER)
    await frida.open("/pool/new")
    page = await frida.submit("Add the vehicle", DACIA)
    assert "DACIA-1 is added" in page
    assert "<b>" not in page.html
    await frida.open("/pool/new")
    page = await frida.submit("Add the vehicle", DACIA)
    assert (page.status, "is that of another vehicle or user" in page) == (422, True)
    await fred.open("/pool/DACIA-1")
    await frida.open("/pool/DACIA-1")
    assert "Saved" in await frida.submit("Save", {"Key slot": "3"})
    page = await fred.submit("Save", {"Model": "Spring"})
    assert (page.status, "was not written" in page, "Spring" in page.html) == (409, True, True)
    await fred.open("/pool/DACIA-1")
    await frida.submit("Save", {"Key slot": "4"})
    assert (await fred.submit("Take it out of the pool")).status == 409
    await fred.open("/pool/DACIA-1")
    assert "DACIA-1 is out of the pool" in await fred.submit("Take it out of the pool")


async def test_the_pool_is_the_fleet_manager_s(web: Served) -> None:
    assert [entry.path for entry in PART.entries] == ["/pool"]
    for role in (Role.TRAVEL_MANAGER, Role.CLERK, Role.SUBSCRIBER):
        other = await web.staff(role.value, role)
        for path in ("/pool", "/pool/new", "/pool/reservations"):
            assert (await other.open(path)).status == 404, path
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    assert (await frida.open("/pool/NONE")).status == 404
    await frida.open("/pool/new")
    fill = frida.hidden("Add the vehicle")
    for path in ("/pool/NONE", "/pool/NONE/remove"):
        assert (await frida.post(path, fill)).status == 404
