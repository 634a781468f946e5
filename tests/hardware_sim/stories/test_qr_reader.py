import pytest

from hardware_sim.portal.web.page import qr
from hardware_sim.simulated_site import StoryFailed
from hardware_sim.stories.qr_reader import scan


@pytest.mark.parametrize("text", ["https://portal.example/activate/K7M2", "SB1:" + "RRQT 9P60GO0$+AWKB3/:*" * 12])
def test_what_a_page_draws_is_scanned(text: str) -> None:
    assert scan(f"<p>Your pass</p>{qr(text)}") == text


@pytest.mark.parametrize("html", ["<p>nothing</p>", str(qr("x")).replace("h7", "h1")])
def test_a_page_without_a_readable_code_says_so(html: str) -> None:
    with pytest.raises(StoryFailed, match="QR code"):
        scan(html)
