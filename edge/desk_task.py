"""The desks of the daemon: taps and key contacts in, facts recorded, slots freed, the portal asked for numbers.

Everything happens in the event loop's thread and at once, as with lanes. What goes to the portal is put into a
bounded queue, which one task empties onto the disk and the wire. Not here: what a desk decides
(`gate_controller.desk_machine`) and how a question travels (`sync.enrols`).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from edge import clock
from edge.config import Config
from edge.desk_table import DeskTable
from edge.lane_task import House
from gate_controller.credentials import BadgeRead
from gate_controller.desk_machine import (
    PULSE_WIDTH_S,
    Answered,
    CabinetLost,
    Choose,
    DeskCommitFailed,
    DeskCommitted,
    DeskInput,
    KeyContact,
    Later,
    Tapped,
    deadline,
    start,
    step,
)
from gate_controller.devices.codec import (
    CardRead,
    ContactChanged,
    DeviceSilent,
    Drive,
    LineRead,
    Pulse,
    PulseDone,
    PulseId,
    PulseUncertain,
    Signal,
)
from gate_controller.errors import StoreError
from gate_controller.facts import AlarmRaised, EnrolAsked, Fact, HoldId, LaneId, PhaseEntered, Refused
from gate_controller.reasons import DRIVER
from sync.messages import Enrol, EnrolReply
from sync.orders import Answer, EnrolBadge

QUEUE_LEN_MAX: Final = 64
"""Questions between a tap and the disk."""

log = logging.getLogger(__name__)


class Asks(Protocol):
    """What a desk needs of the link to the portal."""

    @property
    def connected(self) -> bool:
        """Whether there is a way to the portal now."""

    async def enrol(self, asked: Enrol) -> bool:
        """Ask until there is an answer; raises StoreError if that cannot be kept."""


class DeskTask:
    """Runs one pure desk against the clock."""

    def __init__(
        self, name: str, table: DeskTable, run: str, house: House, drive: Callable[[Sequence[Drive]], None] | None
    ) -> None:
        """`drive` takes what the cabinet's board is to do; None without a cabinet."""
        self.board = table.board
        self._table, self._house, self._drive = table, house, drive
        self._timer: asyncio.TimerHandle | None = None
        self._slot_of = {channel - 1: slot for slot, channel in enumerate(table.contacts, 1)}
        self._desk, facts = start(table.setup(name), run)
        house.record(facts, clock.now())

    @property
    def id(self) -> LaneId:
        return self._desk.setup.id

    def put(self, item: DeskInput) -> list[Fact]:
        """Take one input now; what happened at once."""
        now = clock.now()
        self._desk, facts = step(self._desk, item, self._house.site, now)
        self._house.record(facts, now)
        if self._drive is not None:
            self._drive(self._drives())
        self._arm()
        return facts

    def from_board(self, signal: Signal) -> None:
        """What the cabinet's board says."""
        match signal:
            case ContactChanged(channel, on) if channel in self._slot_of:
                self.put(KeyContact(self._slot_of[channel], on))
            case PulseDone(_, pulse):
                log.debug("%s: slot freed by %s", self.id, pulse)
            case PulseUncertain(_, pulse, why) if pulse.startswith(f"{self.id}-"):
                self._house.record([AlarmRaised(self.id, "slot_uncertain", why)], clock.now())
            case DeviceSilent(why):
                self._house.record([AlarmRaised(self.id, "board_silent", why)], clock.now())
                self.put(CabinetLost())

    def stop(self) -> None:
        """No more waking."""
        if self._timer is not None:
            self._timer.cancel()

    def _drives(self) -> list[Drive]:
        return [
            Pulse(self._table.slots[pulse.slot - 1] - 1, PulseId(pulse.id), PULSE_WIDTH_S, pulse.expires_s)
            for pulse in self._desk.pulses
        ]

    def _arm(self) -> None:
        self.stop()
        due_s = deadline(self._desk)
        if due_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(loop.time() + max(0.0, due_s - clock.now().mono_s), self.put, Later())


class Desks:
    """All desks of one edge, found by their names, readers and boards."""

    def __init__(
        self,
        config: Config,
        run: str,
        house: House,
        drives: Mapping[str, Callable[[Sequence[Drive]], None]],
        portal: Asks | None,
    ) -> None:
        """`drives` maps a board to what it is told by."""
        self._house, self._portal = house, portal
        self._desks = {
            LaneId(name): DeskTask(name, table, run, house, drives.get(table.board or ""))
            for name, table in config.desks.items()
        }
        self._readers = {
            name: LaneId(table.lane) for name, table in config.readers.items() if table.lane in config.desks
        }
        self._queue: asyncio.Queue[Enrol] = asyncio.Queue(QUEUE_LEN_MAX)

    def from_reader(self, reader: str, signal: Signal) -> bool:
        """What was read at this reader; false if it stands at no desk, or nothing was read."""
        name = self._readers.get(reader)
        match signal:
            case CardRead(bits, value) if name is not None:
                self._tapped(name, BadgeRead.of(value, bits))
            case LineRead() if name is not None:
                log.warning("reader %s: a desk takes badges and no codes", reader)
            case _:
                return False
        return True

    def _tapped(self, name: LaneId, badge: BadgeRead) -> None:
        online = self._portal is None or self._portal.connected
        for fact in self._desks[name].put(Tapped(badge, online)):
            if isinstance(fact, EnrolAsked):
                self._ask(fact)

    def choose(self, order: EnrolBadge) -> Answer:
        """A clerk chose a user: the next badge at the desk is that user's."""
        desk = self._desks.get(LaneId(order.desk))
        if desk is None:
            return Answer(False, f"no desk {order.desk}; there are {', '.join(self._desks) or 'none'}")
        if self._portal is None:
            return Answer(False, "only a portal gives user numbers, and this site has none")
        user = self._house.site.allowlist.user_by_external(order.user, order.customer)
        for fact in desk.put(Choose(user.id if user is not None else "", order.by)):
            if isinstance(fact, Refused):
                return Answer(False, f"{order.user}: {fact.reason}: {DRIVER[fact.reason]}")
            if isinstance(fact, PhaseEntered) and fact.phase == "enrolling":
                away = "" if self._portal.connected else "; the portal is away: no rights until it answers"
                return Answer(True, f"{order.desk}: tap the badge of {order.user} within 30 s{away}")
        return Answer(False, f"{order.desk}: nothing came of it")

    def answered(self, asked: Enrol, reply: EnrolReply) -> None:
        """The portal's answer to what was asked; a desk that is gone since hears nothing."""
        desk = self._desks.get(LaneId(asked.desk))
        if desk is not None:
            desk.put(Answered(reply.enrol_id, asked.user, asked.clerk, reply.user_number, reply.reason))

    def committed(self, desk: LaneId, hold: HoldId) -> None:
        """The grant of this hold is on disk."""
        if desk in self._desks:
            self._desks[desk].put(DeskCommitted(hold))

    def commit_failed(self, desk: LaneId, hold: HoldId) -> None:
        """The grant of this hold cannot be written."""
        if desk in self._desks:
            self._desks[desk].put(DeskCommitFailed(hold))

    def from_board(self, board: str, signal: Signal) -> None:
        """What a board says, to the desks whose cabinet it is."""
        for desk in self._desks.values():
            if desk.board == board:
                desk.from_board(signal)

    async def run(self) -> None:
        """Carry questions to the disk and the portal, for ever."""
        while True:
            asked = await self._queue.get()
            if self._portal is None:
                continue
            try:
                if not await self._portal.enrol(asked):
                    log.warning("%s: the portal is away; the badge waits for it and has no rights yet", asked.desk)
            except StoreError as error:
                self._house.record([AlarmRaised(LaneId(asked.desk), "enrol_lost", str(error))], clock.now())

    def stop(self) -> None:
        """No more waking."""
        for desk in self._desks.values():
            desk.stop()

    def _ask(self, fact: EnrolAsked) -> None:
        asked = Enrol(
            enrol_id=fact.enrol,
            desk=fact.lane,
            user=fact.user_id,
            badge=fact.badge,
            bits=fact.bits,
            clerk=fact.clerk,
            at=clock.now().wall,
        )
        try:
            self._queue.put_nowait(asked)
        except asyncio.QueueFull:
            self._house.record([AlarmRaised(fact.lane, "enrol_lost", "too many badges at once")], clock.now())
