"""The demo garage: its names, the settings of its daemon, and how its board is wired to the world.

The channels of the settings are those of `board`. Not here: running any of it (`simulated_site`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hardware_sim.peers import BoardPeer
from hardware_sim.world import World

ENTRY, EXIT = "entry", "exit"
LANES: Final = {ENTRY: "in", EXIT: "out"}
TENANT, SITE, EDGE = "demo", "garage", "gatehouse"
TIME_ZONE: Final = "Europe/Amsterdam"

CONFIG: Final = """\
[site]
name = "Demo garage"
time_zone = "Europe/Amsterdam"
capacity = 20

[store]
path = "slagboom.db"

[portal]
host = "127.0.0.1"
root_key = "{root_key}"
port = {broker_port}
tenant = "demo"
site = "garage"
edge = "gatehouse"

# One board serves both lanes: inputs 1 to 5 the entry, 6 to 8 the exit.
[boards.gatehouse]
kind = "modbus_relay8"
port = "{board}"

[readers.entry_badges]
kind = "rdm6300"
port = "{reader}"
lane = "entry"

[readers.entry_codes]
kind = "line_reader"
port = "{scanner}"
lane = "entry"

[lanes.entry]
direction = "in"
board = "gatehouse"
camera = "{entry_camera}"

[lanes.entry.inputs]
approach = 1
safety = 2
far = 3
closed_limit = 4
open_limit = 5

[lanes.entry.outputs]
open = 1
green = 2
red = 3

[lanes.exit]
direction = "out"
board = "gatehouse"
camera = "{exit_camera}"

[lanes.exit.inputs]
approach = 6
safety = 7
closed_limit = 8

[lanes.exit.outputs]
open = 5
green = 6
red = 7
"""


def settings(
    broker_port: int, root_key: str, board: Path, reader: Path, scanner: Path, cameras: Mapping[str, str]
) -> str:
    """The settings file; paths are those of ports, `cameras` the addresses of the lanes' streams."""
    return CONFIG.format(
        broker_port=broker_port,
        root_key=root_key,
        board=board,
        reader=reader,
        scanner=scanner,
        entry_camera=cameras[ENTRY],
        exit_camera=cameras[EXIT],
    )


def board(path: Path, world: World) -> BoardPeer:
    """The far side of the one board, on a pseudo terminal at `path`."""

    def contacts() -> list[bool]:
        entry, leaving = world.contacts(ENTRY), world.contacts(EXIT)
        return [
            entry.approach,
            entry.safety,
            entry.far,
            entry.closed,
            entry.opened,
            leaving.approach,
            leaving.safety,
            leaving.closed,
        ]

    opens = {0: ENTRY, 4: EXIT}
    return BoardPeer(path, contacts, flash=lambda channel, _: world.pulse(opens[channel]))
