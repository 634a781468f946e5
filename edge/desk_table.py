"""`[desks.NAME]` of the settings: a fleet desk with its badge reader, and the key cabinet beside it if it has one.

A reader says where it stands, at a lane or at a desk, so a desk names only its cabinet. Not here: the rest of the
file, and what a desk does (`gate_controller.desk_machine`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from edge.tables import Channel, Text
from gate_controller.desk_machine import DeskSetup
from gate_controller.facts import LaneId


class DeskTable(Struct, forbid_unknown_fields=True):
    """`[desks.NAME]`: where badges are handed out, and keys."""

    board: Text | None = None
    slots: tuple[Channel, ...] = ()
    contacts: tuple[Channel, ...] = ()

    def setup(self, name: str) -> DeskSetup:
        """The desk as the core takes it."""
        slots, watched = range(1, len(self.slots) + 1), range(1, len(self.contacts) + 1)
        return DeskSetup(LaneId(name), frozenset(slots), frozenset(watched))


def problems(
    desks: Mapping[str, DeskTable],
    boards: Collection[str],
    readers_at: Collection[str],
    lanes: Collection[str],
    used: Iterable[tuple[str, str, int]],
) -> Iterator[str]:
    """What is wrong with desks, each problem by its path.

    `readers_at` are the places that readers name, `used` what lanes have wired: inputs or outputs, board, channel.
    """
    taken = dict.fromkeys(used, "a lane's")
    for name, desk in desks.items():
        at = f"desks.{name}"
        if name in lanes:
            yield f"{at}: a lane has that name; give the desk another"
        if name not in readers_at:
            yield f"{at}: no reader names it, and nobody could tap a badge; add a reader with lane = {name!r}"
        if desk.board is None and (desk.slots or desk.contacts):
            yield f"{at}.board: missing; name the board that the slots are wired to"
        if desk.board is not None and desk.board not in boards:
            yield f"{at}.board: no table [boards.{desk.board}]; there are {', '.join(sorted(boards)) or 'none'}"
        if len(desk.contacts) > len(desk.slots):
            yield f"{at}.contacts: {len(desk.contacts)} for {len(desk.slots)} slots; one a slot, in the same order"
        for key, channels in (("outputs", desk.slots), ("inputs", desk.contacts)):
            for channel in channels:
                wire = (key, desk.board or "", channel)
                before = taken.setdefault(wire, f"{at}'s")
                if before != f"{at}'s" or channels.count(channel) > 1:
                    here = "slots" if key == "outputs" else "contacts"
                    yield f"{at}.{here}: channel {channel} of {desk.board} is {before} already; give each its own"


def wiring(name: str, desk: DeskTable, port: str) -> list[tuple[str, str, str, str]]:
    """Rows of (desk, what, wired to, where) for the technician's table."""
    rows = [(name, f"slot {n}", f"{desk.board} out {channel}", port) for n, channel in enumerate(desk.slots, 1)]
    return rows + [
        (name, f"key contact {n}", f"{desk.board} in {channel}", port) for n, channel in enumerate(desk.contacts, 1)
    ]
