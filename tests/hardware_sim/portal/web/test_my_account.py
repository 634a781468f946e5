"""The page of the own account; what it does is test_my_account's of the portal, and the story's."""

from hardware_sim.portal.fleet.subscriber_books import Subscriber, SubscriberBooks
from hardware_sim.portal.web.my_account import PART
from tests.hardware_sim.portal.pool_rig import a_pool
from tests.hardware_sim.portal.web.test_reservations import subscriber
from tests.hardware_sim.portal.web.web_rig import Served


async def test_it_is_edited_by_whoever_it_is_and_in_one_window_at_a_time(web: Served) -> None:
    await a_pool(web.house, "sofie", "lena")
    known = Subscriber("u-sofie", "<b>Sofie</b>", "+31612345678", "Kade 1", 1)
    await web.house.write(SubscriberBooks(web.house.portal.database.sql).put, known)
    sofie = await subscriber(web, "sofie")
    second = web.browser()
    second.client.cookies.update(sofie.client.cookies)
    page = await sofie.open("/my-account")
    assert "<b>Sofie" not in page.html
    await second.open("/my-account")
    page = await sofie.submit("Save", {"Number plates of your own": "98 thd 4", "Car park": "north"})
    assert "Saved, and in force at once" in page
    page = await second.submit("Save", {"Address": "Kade 2", "Car park": "north"})
    assert (page.status, "Kade 2" in page.html) == (409, True)
    page = await sofie.submit("Save", {"Telephone": "none"})
    assert (page.status, "Telephone is no telephone number" in page) == (422, True)
    assert (await (await subscriber(web, "lena")).open("/my-account")).status == 404, "she never filled in the form"
    assert [entry.path for entry in PART.entries] == ["/my-account"]
