"""What a person's browser sees of a page: words, labels, choices, links; nothing that is not offered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardware_sim.stories.browser import Browser, NotOnThePage
from tests.hardware_sim.portal.web.web_rig import Served, served


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running


async def test_a_person_finds_what_is_there_and_nothing_else(web: Served) -> None:
    browser: Browser = web.browser()
    page = await browser.open("/login")
    assert "Log in" in page
    assert page.line_with("Forgotten") == "Forgotten your password?"
    with pytest.raises(NotOnThePage, match="no link says"):
        await browser.follow("Sell everything")
    with pytest.raises(NotOnThePage, match="no form has the button"):
        await browser.submit("Sell everything")
    with pytest.raises(NotOnThePage, match="no field is called"):
        await browser.submit("Log in", {"Colour": "red"})
    with pytest.raises(NotOnThePage, match="no line has"):
        page.line_with("Sell everything")
    assert (await browser.follow("Forgotten your password?")).path == "/forgotten"
    assert [*browser.hidden("Send the link")] == ["_csrf"]
