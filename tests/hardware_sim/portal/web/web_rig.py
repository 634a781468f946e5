"""The pages of a portal's house on a real port, and people who log in there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.web import serving
from hardware_sim.stories.browser import Browser
from tests.hardware_sim.portal.house_rig import Clock, a_house

PASSWORD = "four quiet grey geese"


@dataclass
class Served:
    """A running house; `staff` is somebody who is logged in with these roles."""

    house: House
    clock: Clock
    browsers: list[Browser] = field(default_factory=list)

    def browser(self) -> Browser:
        made = Browser(self.house.url)
        self.browsers.append(made)
        return made

    async def staff(self, name: str, *roles: Role, sites: Sequence[str] = ()) -> Browser:
        account, _ = await self.house.add_account("test", name, "acme", roles, sites=sites)
        await self.house.set_password(account, PASSWORD)
        browser = self.browser()
        await browser.open("/login")
        page = await browser.submit(
            "Log in", {"Name or e-mail address": name, "Password or one-time code": PASSWORD}
        )
        assert page.status == 200, page.text
        return browser


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Served]:
    clock = Clock()
    async with a_house(folder, clock) as house:
        listening = serving.bound("127.0.0.1", 0)
        house.url = serving.url_of(listening)
        rig = Served(house, clock)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serving.serve(house, ZoneInfo("Europe/Amsterdam"), listening))
            try:
                yield rig
            finally:
                for browser in rig.browsers:
                    await browser.client.aclose()
                task.cancel()
