"""Channels of boards become roles of lanes, and reads go to where their reader stands."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.config import Config, load_config
from edge.desk_task import Desks
from edge.wires import Wires
from gate_controller.credentials import BadgeRead, CodeRead, PassRead
from gate_controller.devices.codec import (
    BadBytes,
    CardRead,
    ContactChanged,
    DeviceOnline,
    DeviceSilent,
    LevelRefused,
    LineRead,
    PulseDone,
    PulseId,
)
from gate_controller.devices.codec import PulseUncertain as DevicePulseUncertain
from gate_controller.facts import AlarmRaised, Fact, LaneId
from gate_controller.lane import Contact, ContactsLost, Presented, PulseSent, PulseUncertain, Role
from gate_controller.moment import Moment

SITE = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"

[boards.main]
kind = "modbus_relay8"
port = "a"

[boards.yard]
kind = "modbus_relay8"
port = "b"

[readers.badge]
kind = "rdm6300"
port = "c"
lane = "in"

[lanes.in]
direction = "in"
board = "main"
inverted = ["safety"]
inputs = { approach = 1, safety = 2, fire = 8 }
outputs = { open = 1, hold = 2 }

[lanes.out]
direction = "out"
board = "main"
camera = "x"
inputs = { approach = 3, safety = 4, fire = 8 }
outputs = { open = 3, hold = 4 }

[lanes.yard]
direction = "in"
board = "yard"
camera = "y"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }
"""
SIGNED = PassRead("guest-1", "e1", datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))


class Depot:
    """The wires of a site whose lanes only listen."""

    def __init__(self, config: Config) -> None:
        self.facts: list[Fact] = []
        self.heard: dict[str, list[Any]] = {name: [] for name in config.lanes}
        lanes = {
            LaneId(name): SimpleNamespace(setup=table.setup(name), put=self.heard[name].append)
            for name, table in config.lanes.items()
        }
        desks = Desks(config, "run", cast(Any, self), {}, None)
        self.wires = Wires(config, cast(Any, lanes), desks, self.record, {"signed": SIGNED}.get)

    def record(self, facts: Sequence[Fact], _now: Moment) -> None:
        self.facts += facts


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    (tmp_path / "site.toml").write_text(SITE)
    return Depot(load_config(tmp_path / "site.toml"))


def test_a_channel_is_the_role_it_is_wired_to_on_its_own_board(depot: Depot) -> None:
    depot.wires.from_board("main", ContactChanged(0, True))
    depot.wires.from_board("main", ContactChanged(2, False))
    depot.wires.from_board("main", ContactChanged(6, True))
    depot.wires.from_board("yard", ContactChanged(1, True))
    assert depot.heard == {
        "in": [Contact(Role.APPROACH, True)],
        "out": [Contact(Role.APPROACH, False)],
        "yard": [Contact(Role.SAFETY, True)],
    }


def test_an_inverted_contact_is_turned_and_a_fire_is_every_lanes(depot: Depot) -> None:
    depot.wires.from_board("main", ContactChanged(1, True))
    depot.wires.from_board("main", ContactChanged(7, True))
    assert depot.heard["in"] == [Contact(Role.SAFETY, False), Contact(Role.FIRE, True)]
    assert depot.heard["out"] == [Contact(Role.FIRE, True)]


def test_what_became_of_a_pulse_is_told_to_the_lanes_of_the_board(depot: Depot) -> None:
    depot.wires.from_board("yard", PulseDone(0, PulseId("p1")))
    depot.wires.from_board("yard", DevicePulseUncertain(0, PulseId("p2"), "no answer"))
    assert depot.heard == {
        "in": [],
        "out": [],
        "yard": [PulseSent(PulseId("p1")), PulseUncertain(PulseId("p2"), "no answer")],
    }


def test_a_silent_board_is_an_alarm_of_each_of_its_lanes(depot: Depot) -> None:
    depot.wires.from_board("main", DeviceSilent("unplugged"))
    assert depot.facts == [AlarmRaised(LaneId(name), "board_silent", "unplugged") for name in ("in", "out")]
    assert depot.heard == {"in": [ContactsLost()], "out": [ContactsLost()], "yard": []}


def test_an_output_that_is_refused_is_an_alarm_of_its_own_lane(depot: Depot) -> None:
    depot.wires.from_board("main", LevelRefused(3, True, "coil"))
    assert depot.facts == [
        AlarmRaised(LaneId("out"), "output_refused", "board main, output 4: cannot be switched on: coil")
    ]


def test_what_is_read_goes_to_the_lane_of_its_reader(depot: Depot) -> None:
    depot.wires.from_reader("badge", CardRead(32, 0x04A22F1B, "04A22F1B"))
    depot.wires.from_reader("badge", LineRead("K7M2-PX94"))
    depot.wires.from_reader("badge", LineRead("signed"))
    assert depot.heard["in"] == [
        Presented(BadgeRead.of(0x04A22F1B, 32)),
        Presented(CodeRead.of("K7M2-PX94")),
        Presented(SIGNED),
    ]
    assert depot.heard["out"] == depot.heard["yard"] == []


def test_what_concerns_no_lane_is_only_said(depot: Depot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    depot.wires.from_board("main", DeviceOnline())
    depot.wires.from_board("main", LineRead("x"))
    depot.wires.from_reader("badge", DeviceSilent("unplugged"))
    depot.wires.from_reader("badge", BadBytes(3, "noise"))
    assert not any(depot.heard.values())
    assert depot.facts == []
    assert caplog.messages == [
        "board main: answers",
        "board main: something was read by a board without a reader",
        "reader badge: silent: unplugged",
        "reader badge: 3 bytes thrown away: noise",
    ]
