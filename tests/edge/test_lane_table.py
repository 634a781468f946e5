"""Lanes in the settings, with their boards and readers: what they make, and what could not work."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.config import wiring
from edge.lane_table import LaneTable, without_secret
from gate_controller.access import ExitPolicy
from gate_controller.devices.codec import CardRead, LineRead
from gate_controller.devices.rdm6300 import Rdm6300
from gate_controller.moment import Moment
from tests.edge.test_config import GOOD, load, problems, swapped


def problem_of(tmp_path: Path, text: str) -> str:
    (problem,) = problems(tmp_path, text)
    return problem


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("green = 2, hold = 5", "green = 2", r"lanes\.entry\.outputs\.hold: missing; in a fire"),
        (
            "safety = 2, fire",
            "safety = 2, open_limit = 5, fire",
            r"lanes\.entry\.inputs: an open limit without a closed",
        ),
        ('"in"', '"both"', r"lanes\.entry\.inputs: a shared two-way lane needs a far loop"),
    ],
)
def test_a_lane_that_could_not_work_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert re.match(expected, problem_of(tmp_path, swapped(old, new)))


def test_a_lane_is_set_up_as_its_table_says(tmp_path: Path) -> None:
    table = load(tmp_path, GOOD).lanes["exit"]
    assert isinstance(table, LaneTable)
    setup = table.setup("exit")
    assert (setup.id, setup.direction, setup.exit_policy) == ("exit", "out", ExitPolicy.KNOWN_ONLY)
    assert setup.fitted == {"approach", "safety", "fire"}


def test_an_inverted_input_must_be_wired_and_is_shown(tmp_path: Path) -> None:
    assert problem_of(tmp_path, swapped('direction = "in"', 'direction = "in"\ninverted = ["far"]')) == (
        "lanes.entry.inverted: far is not among the inputs; wire it or leave it out here"
    )
    rows = wiring(load(tmp_path, swapped('direction = "in"', 'direction = "in"\ninverted = ["safety"]')))
    assert ("entry", "input safety", "main in 2 inverted", "/dev/ttyUSB0") in rows


CAMERA = 'camera = "rtsp://camera/1"'
WEDGE = "[[0.2, 0.3], [0.8, 0.3], [1, 1], [0, 1]]"


def test_what_of_a_cameras_picture_counts_is_shown(tmp_path: Path) -> None:
    config = load(tmp_path, swapped(CAMERA, f"{CAMERA}\nregion = {WEDGE}\nplate_width_min_px = 80"))
    assert config.lanes["entry"].region == ((0.2, 0.3), (0.8, 0.3), (1.0, 1.0), (0.0, 1.0))
    told = "region of 4 corners, 56% of the picture, plates from 80 px"
    assert ("entry", "camera", "rtsp://camera/1", told) in wiring(config)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("region = [[0.2, 0.3], [0.8, 0.3]]", "region: 2 corners; give 3 to 16, one after the other"),
        (
            "region = [[0.2, 0.3], [0.8, 0.3], [0.5, 0.3]]",
            "region: next to nothing of the picture; give",
        ),
        (
            "region = [[0.2, 0.3], [80, 30], [0, 1]]",
            "region: a list given; expected a list in brackets",
        ),
        (
            "region = [0.2, 0.3, 0.8]",
            "region: a list given; expected a list in brackets, each two num",
        ),
        ("plate_width_min_px = 5", "plate_width_min_px: 5 given; expected"),
    ],
)
def test_a_region_that_cannot_be_one_is_named(tmp_path: Path, line: str, expected: str) -> None:
    problem = problem_of(tmp_path, swapped(CAMERA, f"{CAMERA}\n{line}"))
    assert problem.startswith(f"lanes.entry.{expected}")


def test_a_region_is_a_cameras(tmp_path: Path) -> None:
    assert problems(tmp_path, swapped(CAMERA, f"region = {WEDGE}\nplate_width_min_px = 80")) == [
        "lanes.entry.region: this lane has no camera; leave it out",
        "lanes.entry.plate_width_min_px: this lane has no camera; leave it out",
    ]


def test_a_line_reader_is_told_how_its_lines_are_written(tmp_path: Path) -> None:
    told = '"line_reader"\nformat = "hex"\nbits = 40\nstart = [2, 82]\nends = [4]'
    config = load(tmp_path, swapped('"rdm6300"', told))
    assert ("entry", "reader badge", "line_reader hex", "/dev/ttyUSB1") in wiring(config)
    now = Moment(datetime(2026, 1, 1, tzinfo=UTC), 1.0)
    (_, card) = config.readers["badge"].codec().receive(b"\x02R1D37FA4B02\x04", now)
    assert card == CardRead(40, 0x1D37FA4B02, "1D37FA4B02")
    plain = load(tmp_path, swapped('"rdm6300"', '"line_reader"')).readers["badge"].codec()
    assert plain.receive(b"Q1.abc\r\n", now)[1:] == [LineRead("Q1.abc")]
    assert isinstance(load(tmp_path, GOOD).readers["badge"].codec(), Rdm6300)


def test_an_address_is_shown_without_its_password() -> None:
    assert without_secret("rtsp://user:secret@camera/1") == "rtsp://camera/1"
    assert without_secret("exit.avi") == "exit.avi"
