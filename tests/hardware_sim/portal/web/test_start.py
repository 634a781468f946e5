"""The first page and what staff look at."""

from hardware_sim.portal.accounts import Role
from hardware_sim.portal.web.start import MANAGERS, STAFF
from tests.hardware_sim.portal.web.web_rig import Served


async def test_staff_see_how_the_list_stands(web: Served) -> None:
    await web.house.portal.add_user("anna", ["98-THD-4", "AB-123-CD"], groups=["staff"])
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    assert "List revision 1 with 1 users, applied on 0 of 0 edges." in await frida.open("/")
    assert "anna active 2 0 staff" in (await frida.open("/users")).text.replace("\n", " ")
    assert "Nothing yet." in await frida.open("/journal")
    assert "Nothing yet." in await frida.open("/conflicts")


async def test_a_driver_sees_nothing_of_the_site(web: Served) -> None:
    dirk = await web.staff("dirk", Role.DRIVER)
    assert "You are logged in as dirk of acme." in dirk.page
    assert "revision" not in dirk.page


def test_managers_are_staff() -> None:
    assert set(MANAGERS) <= set(STAFF)
