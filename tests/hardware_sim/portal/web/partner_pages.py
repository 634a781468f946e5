"""People of a partner and of its customer who are logged in at the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hardware_sim.portal.partners.partners import Partners
from hardware_sim.portal.records.accounts import Role
from hardware_sim.stories.browser import Browser
from tests.hardware_sim.portal.partner_rig import people_it
from tests.hardware_sim.portal.web.web_rig import PASSWORD, Served, served


@dataclass
class Cast:
    """Sven of support, Cora of the customer `cafe`, Paul of the partner `clean`, Fritz who manages a fleet."""

    web: Served
    partners: Partners
    sven: Browser
    cora: Browser
    paul: Browser
    fritz: Browser


async def entered(web: Served, name: str) -> Browser:
    """Logs in an account that there is already."""
    account = await web.house.run(web.house.accounts.called, name)
    assert account is not None
    await web.house.set_password(account, PASSWORD)
    browser = web.browser()
    await browser.open("/login")
    await browser.submit("Log in", {"Name or e-mail address": name, "Password or one-time code": PASSWORD})
    return browser


@asynccontextmanager
async def a_cast(folder: Path) -> AsyncIterator[Cast]:
    async with served(folder) as web:
        partners = await people_it(web.house)
        sven = await web.staff("sven", Role.SUPPORT)
        yield Cast(web, partners, sven, *[await entered(web, one) for one in ("cora", "paul", "fritz")])
