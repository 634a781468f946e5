"""A screen in the settings: what it needs, and each mistake by its path."""

from pathlib import Path

import pytest

from edge.config import load_config, wiring
from edge.display_table import URL_LEN_MAX, DisplayTable
from gate_controller.errors import ConfigError

SITE = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
[boards.gate]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"
[lanes.entry]
direction = "in"
board = "gate"
camera = "rtsp://camera/1"
inputs = { approach = 1, safety = 2, closed_limit = 3 }
outputs = { open = 1 }
[lanes.exit]
direction = "out"
board = "gate"
camera = "rtsp://camera/2"
inputs = { approach = 4, safety = 5, closed_limit = 6 }
outputs = { open = 2 }
"""
PORTAL = f"""
[portal]
host = "127.0.0.1"
root_key = "{"0" * 64}"
"""
SCREEN = """
[displays.screen]
port = "/dev/ttyUSB1"
lane = "entry"
pages = "https://portal.example.net"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(SITE + text)
    return path


def test_a_screen_stands_at_its_entry(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, PORTAL + SCREEN))
    assert config.displays == {"screen": DisplayTable("/dev/ttyUSB1", "entry", "https://portal.example.net")}
    rows = wiring(config)
    assert ("entry", "display screen", "https://portal.example.net", "/dev/ttyUSB1") in rows
    assert len([row for row in rows if row[1].startswith("display")]) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SCREEN, "displays.screen: only a portal can say who may pass"),
        (PORTAL + SCREEN.replace('"entry"', '"exit"'), 'displays.screen.lane: no lane exit with direction "in"'),
        (PORTAL + SCREEN.replace('"entry"', '"gate"'), "displays.screen.lane: no lane gate"),
        (PORTAL + SCREEN.replace("https:", "ftp:"), "displays.screen.pages: is no address"),
        (PORTAL + SCREEN.replace("example.net", "example.net/?a=b"), "displays.screen.pages: is no address"),
        (PORTAL + SCREEN.replace("https://portal", "https://[portal"), "displays.screen.pages: is no address"),
        (PORTAL + SCREEN.replace("example", "x" * URL_LEN_MAX), "displays.screen.pages"),
        (
            PORTAL + SCREEN.replace("ttyUSB1", "ttyUSB0"),
            "displays.screen.port: /dev/ttyUSB0 is another device's port",
        ),
        (PORTAL + SCREEN + SCREEN.replace("screen]", "other]"), "displays.other.port: /dev/ttyUSB1 is another"),
        (PORTAL + SCREEN + "kind = 'x'\n", "displays.screen.kind: unknown key"),
        (PORTAL + "[displays.screen]\n", "displays.screen.port: missing"),
    ],
)
def test_mistakes_are_named_by_their_path(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as found:
        load_config(written(tmp_path, text))
    assert told in str(found.value)
