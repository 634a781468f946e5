"""A fleet desk for a simulated site: a badge reader, and a cabinet of keys on a board of its own.

The cabinet is the far side of the same board as a lane's: a pulse unlocks a slot for as long as a person needs to
take its key, and a contact sees whether the key hangs there. Nobody can take a key from a locked slot.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gate_controller.devices.rdm6300 import SAME_CARD_WINDOW_S
from hardware_sim.peers import BadgeReaderPeer, BoardPeer

DESK: Final = "front"
SLOTS: Final = 3
AWAY_S: Final = SAME_CARD_WINDOW_S + 0.2

CONFIG: Final = """
[boards.keys]
kind = "modbus_relay8"
port = "{cabinet}"

[readers.front_badges]
kind = "rdm6300"
port = "{reader}"
lane = "front"

[desks.front]
board = "keys"
slots = [1, 2, 3]
contacts = [1, 2, 3]
"""


class SimulatedDesk:
    """What a person at the desk sees and does; made by `simulated_desk`."""

    def __init__(self, reader: BadgeReaderPeer, cabinet: BoardPeer, hanging: list[bool], freed: list[int]) -> None:
        self.cabinet = cabinet
        """The cabinet's board, with faults to switch on."""
        self.freed = freed
        """Slots in the order in which they were unlocked."""
        self._reader, self._hanging = reader, hanging
        self._unlocked_before = [0] * SLOTS

    def tap(self, badge: str) -> None:
        """Hold a badge to the reader; ten hexadecimal characters."""
        self._reader.present(badge)

    async def take_away(self) -> None:
        """Take the badge away for so long that the reader takes the same one for another tap."""
        await asyncio.sleep(AWAY_S)

    def unlocked(self, slot: int) -> bool:
        """Whether the slot has been unlocked since its key was last taken."""
        return self.freed.count(slot) > self._unlocked_before[slot - 1]

    def take(self, slot: int) -> bool:
        """Take the key of a slot; false if there is none, or it is locked."""
        if not self._hanging[slot - 1] or not self.unlocked(slot):
            return False
        self._unlocked_before[slot - 1] = self.freed.count(slot)
        self._hanging[slot - 1] = False
        return True

    def put_back(self, slot: int) -> None:
        """Hang the key back."""
        self._hanging[slot - 1] = True

    def config(self) -> str:
        """The tables of the site's settings that belong to it."""
        return CONFIG.format(cabinet=self.cabinet.path, reader=self._reader.path)


@contextmanager
def simulated_desk(folder: Path) -> Iterator[SimulatedDesk]:
    """A desk whose devices hang on pseudo terminals in `folder`, with every key in its slot."""
    hanging, freed = [True] * SLOTS, list[int]()

    def contacts() -> list[bool]:
        return [*hanging, *[False] * (8 - SLOTS)]

    with (
        BadgeReaderPeer(folder / "desk_reader") as reader,
        BoardPeer(folder / "cabinet", contacts, flash=lambda channel, _: freed.append(channel + 1)) as cabinet,
    ):
        yield SimulatedDesk(reader, cabinet, hanging, freed)
