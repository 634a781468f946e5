"""Stays and invoices at the pages: for managers, in one file each, and without what users pay themselves."""

from dataclasses import replace
from datetime import timedelta

from gate_controller.facts import Direction, HoldId, Passed
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web.stays import INTRO
from tests.hardware_sim.portal.event_rig import ENTRY, arrives, granted
from tests.hardware_sim.portal.web.web_rig import Served


async def test_managers_see_what_the_company_pays(web: Served) -> None:
    entered, left = web.house.now() - timedelta(minutes=90), web.house.now()
    await arrives(web.house, granted("a"), Passed(ENTRY, Direction.IN, HoldId("a")), at=entered)
    own = granted("b", external_id="B-3", payer="u-2", user_id="u-2")
    await arrives(web.house, own, Passed(ENTRY, Direction.IN, HoldId("b")), at=entered, first=3)
    out = granted("c", Direction.OUT)
    out = replace(out, closes=(HoldId("a"),))
    await arrives(web.house, out, Passed(ENTRY, Direction.OUT, HoldId("c")), at=left, first=5)
    for role in (Role.FLEET_MANAGER, Role.TRAVEL_MANAGER):
        manager = await web.staff(role.value, role)
        for path in ("/stays", "/invoices"):
            page = await manager.open(path)
            assert INTRO in page, path
            assert "A-17" in page, path
            assert "B-3" not in page, path
            await manager.follow("As a spreadsheet")
        file = (await manager.open("/invoices.csv")).body.decode("utf-8-sig")
        assert file.splitlines()[1] == f"{left:%Y-%m};A-17;;1;90,0;0"
        assert "B-3" not in (await manager.open("/stays.csv")).body.decode()
    clerk = await web.staff("clara", Role.CLERK)
    for path in ("/stays", "/stays.csv", "/invoices", "/invoices.csv"):
        assert (await clerk.open(path)).status == 404, path
