"""The first page and what staff look at."""

from gate_controller.allowlist import User, UserPut
from gate_controller.facts import BoomOpenedManually
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.page import USERS_MAX
from hardware_sim.portal.web.start import MANAGERS, STAFF
from tests.hardware_sim.portal.event_rig import ENTRY, arrives, granted
from tests.hardware_sim.portal.web.web_rig import Served


async def test_staff_see_how_the_list_stands(web: Served) -> None:
    await web.house.portal.add_user("anna", ["98-THD-4", "AB-123-CD"], groups=["staff"])
    frida = await web.staff("frida", Role.FLEET_MANAGER)
    assert "List revision 1 with 1 users, applied on 0 of 0 edges." in await frida.open("/")
    assert "anna active 2 0 staff" in (await frida.open("/users")).text.replace("\n", " ")
    assert "Nothing yet." in await frida.open("/journal")


async def test_conflicts_name_users_and_are_for_those_who_settle_them(web: Served) -> None:
    for role, status in ((Role.OPERATOR, 200), (Role.SUPPORT, 200), (Role.FLEET_MANAGER, 404), (Role.CLERK, 404)):
        page = await (await web.staff(role.value, role)).open("/conflicts")
        assert (page.status, "Nothing yet." in page) == (status, status == 200), role


async def test_of_very_many_users_a_page_has_the_first_and_those_that_are_looked_for(web: Served) -> None:
    users = [User(f"u-{number}", f"N-{number:04}") for number in range(USERS_MAX)]
    await web.house.portal.change([*map(UserPut, users), UserPut(User("u-last", "Z-1"))])
    olga = await web.staff("olga", Role.OPERATOR)
    for path in ("/users", "/apps"):
        page = await olga.open(path)
        assert f"These are the first {USERS_MAX} of {USERS_MAX + 1}" in page, path
        assert ("N-0499" in page, "Z-1" in page) == (True, False), path
        page = await olga.open(f"{path}?begins=Z")
        assert ("N-0499" in page, "Z-1" in page, "These are" in page) == (False, True, False), path


async def test_managers_do_not_see_whom_private_use_lets_in(web: Served) -> None:
    own = granted("b", external_id="B-3", payer="u-2", user_id="u-2")
    by_code = BoomOpenedManually(ENTRY, "p", "D-4", "code shown at entry 7")
    await arrives(web.house, granted("a"), own, by_code)
    for role, seen in ((Role.FLEET_MANAGER, False), (Role.TRAVEL_MANAGER, False), (Role.OPERATOR, True)):
        page = await (await web.staff(role.value, role)).open("/journal")
        assert ("A-17" in page, "B-3" in page, "D-4" in page) == (True, seen, seen)


async def test_a_driver_sees_nothing_of_the_site(web: Served) -> None:
    dirk = await web.staff("dirk", Role.DRIVER)
    assert "You are logged in as dirk of acme." in dirk.page
    assert "revision" not in dirk.page


def test_managers_are_staff() -> None:
    assert set(MANAGERS) <= set(STAFF)
