"""A desk in the settings: what it needs, and each mistake by its path."""

from pathlib import Path

import pytest

from edge.config import load_config, wiring
from edge.desk_table import DeskTable
from gate_controller.errors import ConfigError
from gate_controller.facts import LaneId

SITE = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
"""
CABINET = """
[boards.keys]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"
"""
READER = """
[readers.tap]
kind = "rdm6300"
port = "/dev/ttyUSB1"
lane = "front"
"""
DESK = """
[desks.front]
board = "keys"
slots = [3, 1]
contacts = [4]
"""
LANE = """
[lanes.entry]
direction = "in"
board = "keys"
camera = "rtsp://camera/1"
inputs = { approach = 4, safety = 2 }
outputs = { open = 1 }
"""


def load(folder: Path, text: str) -> object:
    path = folder / "site.toml"
    path.write_text(SITE + text)
    return load_config(path)


def test_an_edge_may_be_a_desk_alone(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE + CABINET + READER + DESK)
    config = load_config(path)
    setup = config.desks["front"].setup("front")
    assert (setup.id, setup.slots, setup.watched) == (LaneId("front"), {1, 2}, {1})
    rows = [row[:3] for row in wiring(config)]
    assert rows == [
        ("front", "slot 1", "keys out 3"),
        ("front", "slot 2", "keys out 1"),
        ("front", "key contact 1", "keys in 4"),
    ]
    assert load(tmp_path, READER + "[desks.front]\n"), "a desk without a cabinet hands out badges"
    assert DeskTable().setup("x").slots == frozenset()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CABINET + DESK, "desks.front: no reader names it"),
        (READER + DESK, "desks.front.board: no table [boards.keys]"),
        (READER + CABINET + DESK.replace('board = "keys"\n', ""), "desks.front.board: missing"),
        (READER + CABINET + DESK.replace("[4]", "[4, 5, 6]"), "desks.front.contacts: 3 for 2 slots"),
        (READER + CABINET + DESK.replace("[3, 1]", "[3, 3]"), "desks.front.slots: channel 3 of keys"),
        (READER + CABINET + DESK.replace("[3, 1]", "[9]"), "desks.front.slots"),
        (READER + CABINET + DESK + LANE, "desks.front.slots: channel 1 of keys is a lane's already"),
        (READER + CABINET + DESK + LANE, "desks.front.contacts: channel 4 of keys is a lane's already"),
        (READER + CABINET + DESK + LANE.replace("entry", "front"), "desks.front: a lane has that name"),
        (READER.replace("front", "frnt") + CABINET + DESK, "readers.tap.lane: no table [lanes.frnt]"),
        (READER + CABINET + DESK + "tea = true\n", "desks.front.tea"),
    ],
)
def test_a_mistake_is_told_by_its_path(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert any(told in problem for problem in error.value.problems), error.value.problems
