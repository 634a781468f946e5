"""The demo garage: what its board says of the world, and does to it, is what its settings take it for."""

from pathlib import Path

import pytest
import serial

from edge.config import Config, load_config
from hardware_sim import garage
from hardware_sim.garage import ENTRY, EXIT
from hardware_sim.world import Contacts, World

POLL = bytes.fromhex("01 02 00 00 00 08 79 CC")
FLASHES = {0: bytes.fromhex("01 05 02 00 00 0A 4C 75"), 4: bytes.fromhex("01 05 02 04 00 0A 0D B4")}
READ_WITHIN_S = 60.0


class Watched(World):
    """A world in which one contact is on, and pulses are written down."""

    def __init__(self) -> None:
        super().__init__(garage.LANES)
        self.on = ("", "")
        self.pulsed: list[str] = []

    def contacts(self, lane: str) -> Contacts:
        at, contact = self.on
        names = ("approach", "safety", "far", "closed", "opened")
        return Contacts(*(lane == at and contact == name for name in names))

    def pulse(self, lane: str) -> None:
        self.pulsed.append(lane)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    cameras = {ENTRY: "http://127.0.0.1:1/entry", EXIT: "http://127.0.0.1:1/exit"}
    ports = [tmp_path / name for name in ("board", "reader", "scanner")]
    (tmp_path / "site.toml").write_text(garage.settings(1883, "ab" * 32, *ports, cameras))
    return load_config(tmp_path / "site.toml")


def test_every_lane_and_its_camera_are_in_the_settings(config: Config) -> None:
    assert {name: lane.direction for name, lane in config.lanes.items()} == garage.LANES
    assert [lane.camera for lane in config.lanes.values()] == [
        "http://127.0.0.1:1/entry",
        "http://127.0.0.1:1/exit",
    ]
    assert config.portal is not None
    address = config.portal.address()
    assert (address.tenant, address.site, address.edge) == (garage.TENANT, garage.SITE, garage.EDGE)
    assert config.site.time_zone == garage.TIME_ZONE


def test_a_contact_is_on_the_channel_that_the_settings_name(config: Config, tmp_path: Path) -> None:
    world = Watched()
    with (
        garage.board(tmp_path / "board", world) as board,
        serial.Serial(str(board.path), 9600, timeout=READ_WITHIN_S, exclusive=True) as port,
    ):
        for name, lane in config.lanes.items():
            for role, channel in lane.inputs.fitted().items():
                world.on = name, {"closed_limit": "closed", "open_limit": "opened"}.get(role, role)
                port.write(POLL)
                assert port.read(6)[3] == 1 << (channel - 1), (name, role)


def test_the_opening_output_opens_its_own_lane(config: Config, tmp_path: Path) -> None:
    world = Watched()
    with (
        garage.board(tmp_path / "board", world) as board,
        serial.Serial(str(board.path), 9600, timeout=READ_WITHIN_S, exclusive=True) as port,
    ):
        for lane in config.lanes.values():
            request = FLASHES[lane.outputs.open - 1]
            port.write(request)
            assert port.read(8) == request
    assert world.pulsed == [ENTRY, EXIT]
