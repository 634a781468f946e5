"""Signals of boards and readers, and the lanes and desks that they are for: channels become roles here.

Not here: bytes (`link` and the codecs), and what a lane or a desk makes of an input.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from edge import clock
from edge.config import Config
from edge.desk_task import Desks
from edge.lane_task import LaneTask
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
    Signal,
)
from gate_controller.devices.codec import PulseUncertain as DevicePulseUncertain
from gate_controller.facts import AlarmRaised, Fact, LaneId
from gate_controller.lane import Contact, ContactsLost, Presented, PulseSent, PulseUncertain, Role
from gate_controller.moment import Moment

log = logging.getLogger(__name__)


class Wires:
    """What is wired to what, by the settings."""

    def __init__(
        self,
        config: Config,
        lanes: Mapping[LaneId, LaneTask],
        desks: Desks,
        record: Callable[[Sequence[Fact], Moment], None],
        read_pass: Callable[[str], PassRead | None],
    ) -> None:
        """`record` takes alarms; `read_pass` says what a scanned text is if the portal has signed it."""
        self._config, self._lanes, self._desks = config, lanes, desks
        self._record, self._read_pass = record, read_pass
        self._roles: dict[tuple[str, int], list[tuple[LaneTask, Role, bool]]] = defaultdict(list)
        for name, table in config.lanes.items():
            for role, channel in table.inputs.fitted().items():
                wired = (lanes[LaneId(name)], Role(role), Role(role) in table.inverted)
                self._roles[table.board, channel - 1].append(wired)

    def from_board(self, board: str, signal: Signal) -> None:
        """What a board says, to every lane and desk that is wired to it."""
        self._desks.from_board(board, signal)
        match signal:
            case ContactChanged(channel, on):
                for lane, role, inverted in self._roles[board, channel]:
                    lane.put(Contact(role, on is not inverted))
            case PulseDone(_, pulse):
                for lane in self._lanes_on(board):
                    lane.put(PulseSent(pulse))
            case DevicePulseUncertain(_, pulse, why):
                for lane in self._lanes_on(board):
                    lane.put(PulseUncertain(pulse, why))
            case DeviceSilent(why):
                for lane in self._lanes_on(board):
                    self._record([AlarmRaised(lane.setup.id, "board_silent", why)], clock.now())
                    lane.put(ContactsLost())
            case LevelRefused(channel, on, why):
                said = f"board {board}, output {channel + 1}: cannot be switched {'on' if on else 'off'}: {why}"
                for lane in self._lanes_on(board):
                    if channel + 1 in self._config.lanes[lane.setup.id].outputs.fitted().values():
                        self._record([AlarmRaised(lane.setup.id, "output_refused", said)], clock.now())
            case DeviceOnline():
                log.info("board %s: answers", board)
            case BadBytes(count, why):
                log.debug("board %s: %d bytes thrown away: %s", board, count, why)
            case CardRead() | LineRead():
                log.warning("board %s: something was read by a board without a reader", board)

    def from_reader(self, reader: str, signal: Signal) -> None:
        """What a reader says, to the desk or lane at which it stands."""
        if self._desks.from_reader(reader, signal):
            return
        match signal:
            case CardRead(bits, value):
                self._at(reader).put(Presented(BadgeRead.of(value, bits)))
            case LineRead(text):
                self._at(reader).put(Presented(self._read_pass(text) or CodeRead.of(text)))
            case DeviceSilent(why):
                log.warning("reader %s: silent: %s", reader, why)
            case DeviceOnline():
                log.info("reader %s: answers", reader)
            case BadBytes(count, why):
                log.warning("reader %s: %d bytes thrown away: %s", reader, count, why)
            case _:
                pass

    def _at(self, reader: str) -> LaneTask:
        return self._lanes[LaneId(self._config.readers[reader].lane)]

    def _lanes_on(self, board: str) -> list[LaneTask]:
        return [lane for name, lane in self._lanes.items() if self._config.lanes[name].board == board]
