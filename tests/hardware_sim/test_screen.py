"""A simulated screen shows what it was last told, however the bytes come, and says how it is wired."""

import tomllib
from pathlib import Path

import serial

from edge.display_table import DisplayTable
from hardware_sim.screen import SimulatedScreen


def test_it_shows_what_it_was_last_told_also_in_pieces(tmp_path: Path) -> None:
    screen = SimulatedScreen(tmp_path / "screen")
    for data in (b"CLEAR\r\nQR https://p", b"/x\r\nTEXT a\r", b"\nTEXT b\r\nNOISE\r\n"):
        assert screen._answer(data) == b""
    assert (screen.qr, screen.text) == ("https://p/x", ["a", "b"])
    screen._answer(b"CLEAR\r\nTEXT c\r\n")
    assert (screen.qr, screen.text) == ("", ["c"])


def test_it_is_a_port_and_a_table_of_the_settings(tmp_path: Path) -> None:
    with SimulatedScreen(tmp_path / "screen") as screen, serial.Serial(str(screen.path), 9600) as port:
        assert port.is_open
        settings = tomllib.loads(screen.config("http://127.0.0.1:8080"))["displays"]["entry_screen"]
        assert DisplayTable(**settings) == DisplayTable(str(screen.path), "entry", "http://127.0.0.1:8080")
