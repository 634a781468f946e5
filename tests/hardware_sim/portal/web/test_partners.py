"""Links and handing devices over at the pages: of support and of the customer."""

from pathlib import Path

from hardware_sim.portal.partners.partners import Word
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.web.partners import HAND_OVER, LINK
from hardware_sim.stories.browser import Browser, Shown
from tests.hardware_sim.portal.partner_rig import linked
from tests.hardware_sim.portal.web.partner_pages import a_cast

ASK, HAND = LINK.button, HAND_OVER.button


async def sent(browser: Browser, path: str, button: str, fields: dict[str, str | list[str]]) -> Shown:
    """What no form of ours would send, from the page that has the form."""
    await browser.open(path)
    return await browser.post(path, {**browser.hidden(button), **fields})


async def test_support_asks_and_the_customer_accepts_and_hands_over(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        await cast.sven.open("/partnerships/new")
        page = await cast.sven.submit(ASK, {"Partner": "Clean & Co", "Customer": "Café Ünal"})
        assert "requested" in page.line_with("Clean & Co")
        await cast.cora.open("/partners")
        page = await cast.cora.follow("Clean & Co")
        assert "the partner knows nothing of it" in page
        assert "Hand devices over" not in page
        assert "It is accepted" in await cast.cora.submit("Accept")
        await cast.cora.follow("Clean & Co")
        await cast.cora.follow("Hand devices over")
        page = await cast.cora.submit(HAND, {"All that there are now": True})
        assert "asked about entry, exit" in page
        await cast.cora.follow("entry")
        assert "It has ended" in await cast.cora.submit("End it now")
        await cast.cora.open("/partners")
        await cast.cora.follow("Clean & Co")
        assert "It has ended" in await cast.cora.submit("End it now")
        assert not (await cast.cora.follow("Clean & Co")).forms[1:], "what has ended is not ended again"


WRONG_LINKS: list[tuple[dict[str, str | list[str]], str]] = [
    ({}, "Partner is missing"),
    ({"partner": "clean"}, "Customer is missing"),
    ({"partner": ["clean", "fresh"], "customer": "cafe"}, "fill it in once"),
    ({"partner": "clean", "customer": "c" * 5000}, "Customer"),
    ({"partner": "' OR 1=1 --", "customer": "cafe"}, "is none of the choices"),
    ({"partner": "cafe", "customer": "cafe"}, "is none of the choices"),
    ({"partner": "fresh", "customer": "fresh"}, "is the partner itself"),
    ({"partner": "clean", "customer": "cafe", "stage": "accepted"}, "does not have"),
]


async def test_a_link_that_cannot_be_is_told_and_not_asked_for(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        for fields, told in WRONG_LINKS:
            page = await sent(cast.sven, "/partnerships/new", ASK, fields)
            assert (page.status, told in page) == (422, True), f"{fields}:\n{page.text}"
        assert await cast.web.house.run(cast.partners.books.partnerships, "") == []


WRONG_DEVICES: list[tuple[dict[str, str | list[str]], str]] = [
    ({}, "are missing"),
    ({"devices": "strange"}, "is none of the choices"),
    ({"devices": ["entry", "<script>"]}, "is none of the choices"),
    ({"devices": "e" * 5000}, "Devices"),
    ({"devices": "entry", "all": ["yes", "yes"]}, "fill it in once"),
    ({"devices": "entry", "partner": "fresh"}, "does not have"),
]


async def test_what_cannot_be_handed_over_is_told_and_nothing_is(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        link = await linked(cast.partners)
        for fields, told in WRONG_DEVICES:
            page = await sent(cast.cora, f"/partners/{link.id}/devices", HAND, fields)
            assert (page.status, told in page) == (422, True), f"{fields}:\n{page.text}"
        assert await cast.partners.delegations("cafe") == []


async def test_whoever_cannot_be_mailed_is_to_be_told_otherwise(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        house = cast.web.house
        for one in (Organisation("mute", "Mute", partner=True), Organisation("dumb", "Dumb")):
            await house.write(house.organisations.put, one)
        hint = "was not mailed: tell it yourself"
        for customer, told in (("Dumb", True), ("Café Ünal", False)):
            await cast.sven.open("/partnerships/new")
            page = await cast.sven.submit(ASK, {"Partner": "Mute", "Customer": customer})
            assert (hint in page) is told
        (asked,) = await cast.partners.partnerships("cafe")
        await cast.partners.answer("cora", "cafe", asked.id, Word.ACCEPT, "requested")
        await cast.cora.open(f"/partners/{asked.id}/devices")
        assert hint in await cast.cora.submit(HAND, {"Devices": ["entry"]})


async def test_the_second_of_two_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        asked = await cast.partners.ask_for("sven", "clean", "cafe")
        await cast.cora.open(f"/partners/{asked.id}")
        await cast.partners.answer("carl", "cafe", asked.id, Word.ACCEPT, "requested")
        page = await cast.cora.submit("Refuse")
        assert page.status == 409
        assert "accepted meanwhile" in page
        await cast.cora.open(f"/partners/{asked.id}/devices")
        await cast.partners.delegate("carl", "cafe", asked.id, ["entry"])
        page = await cast.cora.submit(HAND, {"Devices": ["entry", "exit"]})
        assert "delegated already, or asked about" in page
        assert [one.device for one in await cast.partners.delegations("cafe")] == ["entry"]


async def test_pages_of_support_and_customers_are_not_there_for_others(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        link = await linked(cast.partners)
        for browser in (cast.paul, cast.cora, cast.fritz):
            for path in ("/partnerships", "/partnerships/new"):
                assert (await browser.open(path)).status == 404
        for browser in (cast.paul, cast.sven, cast.fritz):
            for path in ("/partners", f"/partners/{link.id}", f"/partners/{link.id}/devices"):
                assert (await browser.open(path)).status == 404
        for path in ("/partners/nothing", "/partners/nothing/devices", "/partners/%27--"):
            assert (await cast.cora.open(path)).status == 404


async def test_names_are_shown_as_they_are_and_run_nowhere(tmp_path: Path) -> None:
    async with a_cast(tmp_path) as cast:
        house, name = cast.web.house, "<script>alert(1)</script>"
        await house.write(house.organisations.put, Organisation("evil", name, partner=True, customer=False))
        await cast.partners.ask_for("sven", "evil", "cafe")
        page = await cast.cora.open("/partners")
        assert name in page
        assert "<script" not in page.html
