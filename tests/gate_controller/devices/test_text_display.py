"""A screen: a page once when it changes, again when the screen comes back, and never a line of its own."""

from datetime import UTC, datetime

from gate_controller.devices.text_display import LINE_LEN_MAX, Sheet, TextDisplay
from gate_controller.moment import Moment

NOW = Moment(datetime(2026, 3, 2, tzinfo=UTC), 0.0)


def test_a_page_is_written_once_and_again_when_the_screen_was_away() -> None:
    display = TextDisplay()
    assert display.send([], NOW) == b""
    display.show(Sheet(("Scan this",), "https://p.example/open/x"))
    page = b"CLEAR\r\nQR https://p.example/open/x\r\nTEXT Scan this\r\n"
    assert display.send([], NOW) == page
    assert display.send([], NOW) == b""
    display.show(Sheet(("Scan this",), "https://p.example/open/x"))
    assert display.send([], NOW) == b"", "it stands there already"
    display.lost()
    assert display.send([], NOW) == page
    display.show(Sheet(("Out of service",)))
    assert display.send([], NOW) == b"CLEAR\r\nTEXT Out of service\r\n"


def test_no_text_makes_a_line_of_its_own_or_a_long_one() -> None:
    display = TextDisplay()
    display.show(Sheet(("a\r\nQR https://evil.example", "ü", "x" * 1000)))
    lines = display.send([], NOW).decode("ascii").split("\r\n")
    assert lines[:3] == ["CLEAR", "TEXT a??QR https://evil.example", "TEXT ?"]
    assert len(lines[3]) == LINE_LEN_MAX


def test_it_hears_nothing_and_wants_nothing() -> None:
    display = TextDisplay()
    assert display.receive(b"\x00noise", NOW) == []
    assert display.deadline() is None
