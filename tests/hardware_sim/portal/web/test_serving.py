"""The port of the pages: this machine's only, and told early if it cannot be had."""

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.web import serving
from tests.hardware_sim.portal.web.web_rig import Served


@pytest.mark.parametrize("host", ["0.0.0.0", "portal.example.net", "::"])
def test_nobody_elses_port_without_a_proxy(host: str) -> None:
    with pytest.raises(BadInput, match="--web"):
        serving.bound(host, 0)


def test_a_taken_port_is_told() -> None:
    with serving.bound("127.0.0.1", 0) as taken, pytest.raises(BadInput, match="choose another"):
        serving.bound("127.0.0.1", taken.getsockname()[1])


async def test_who_comes_through_a_proxy_counts_by_the_own_address(web: Served) -> None:
    browser = web.browser()
    await browser.open("/login")
    for n in range(31):
        browser.client.headers["X-Forwarded-For"] = "192.0.2.7" if n < 30 else "192.0.2.8"
        page = await browser.submit("Log in", {"Name or e-mail address": "x", "Password or one-time code": "y"})
        assert page.status == 401
    browser.client.headers["X-Forwarded-For"] = "192.0.2.7"
    page = await browser.submit("Log in", {"Name or e-mail address": "x", "Password or one-time code": "y"})
    assert page.status == 429
