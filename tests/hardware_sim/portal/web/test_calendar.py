"""The calendar: a week from any day, told in the site's hours; what is others' is taken, and says not by whom."""

import pytest

from hardware_sim.portal.fleet.reservations import reserve
from hardware_sim.portal.web.calendar import PART
from tests.hardware_sim.portal.pool_rig import a_pool, wanted
from tests.hardware_sim.portal.web.test_reservations import subscriber
from tests.hardware_sim.portal.web.web_rig import Served


@pytest.mark.parametrize("day", ["nonsense", "0001-01-01", "9999-12-31", "2026-03-02T10:00"])
async def test_a_day_that_is_none_is_today(web: Served, day: str) -> None:
    await a_pool(web.house, "sofie")
    sofie = await subscriber(web, "sofie")
    assert "Mon 02.03." in await sofie.open(f"/reservations/calendar?day={day}")


async def test_days_are_the_site_s_and_others_are_nameless(web: Served) -> None:
    await a_pool(web.house, "sofie", "lena")
    sofie, lena = await subscriber(web, "sofie"), await subscriber(web, "lena")
    await reserve(web.house, "sofie", "u-sofie", wanted("sofie", 14.5, 16))
    page = await sofie.open("/reservations/calendar")
    assert "23:30–24:00 yours" in page, "half past ten in UTC is half past eleven at the site"
    assert "00:00–01:00 yours" in page
    page = await lena.open("/reservations/calendar")
    assert "23:30–24:00 taken" in page
    assert "sofie" not in page
    await lena.follow("Later")
    assert "Mon 09.03." in lena.page
    await lena.open("/reservations/calendar?day=2026-02-23")
    assert not [link for link in lena.page.links if link.text == "reserve"], "what is past is not offered"
    assert not PART.entries
