"""One edge: the real store, recorder, link, desk and rules; only lanes with their loops and booms are left out.

A vehicle's question is put to `access.decide` as a lane would put it, the portal is asked for its user's place, and
what came of it becomes facts. A vehicle that was granted waits at the boom until it passes or backs out.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import ZoneInfo

from edge.config import Config
from edge.desk_table import DeskTable
from edge.desk_task import Desks
from edge.recorder import Recorder
from gate_controller.access import Ask, decide
from gate_controller.allowlist import Allowlist
from gate_controller.credentials import PassRead, Shown
from gate_controller.devices.codec import CardRead, ContactChanged, Drive, Pulse
from gate_controller.facts import (
    Claimed,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    LaneStarted,
    Passed,
    Refused,
    Released,
    Unarbitrated,
)
from gate_controller.lane import ClaimAnswered
from gate_controller.lane_claim import clock_err_ms
from gate_controller.lane_scan import needs_claim
from gate_controller.moment import Moment
from gate_controller.plates import PlateRead
from gate_controller.reasons import Reason
from gate_controller.site import ClaimPolicy, Rules, Site
from sync.device_key import device_key
from sync.messages import Address
from sync.mqtt import Endpoint
from sync.orders import Answer, EnrolBadge, Request
from sync.portal import PortalLink
from sync.store import Store

if TYPE_CHECKING:
    from tests.model.world import World

ANSWERED_WITHIN_S: Final = 0.4
"""Longer than a lane waits for the portal."""
TEMPORARY_MAX: Final = timedelta(hours=72)
PERMANENT_MAX: Final = timedelta(days=10)
ZONE: Final = ZoneInfo("Europe/Amsterdam")
DESK: Final = "desk"
SLOTS: Final = 2
RULES: Final = Rules(
    permanent_list_max_age=PERMANENT_MAX, temporary_list_max_age=TEMPORARY_MAX, claims=ClaimPolicy.GRANT_AND_REPORT
)


class Gate:
    """An edge with an entry, an exit and maybe a desk; `site` and `record` are what a desk needs of it."""

    site: Site

    def __init__(self, world: "World", name: str, folder: Path, *, desk: bool) -> None:
        self.world, self.name, self._folder, self._desk = world, name, folder, desk
        self.entry, self.exit = LaneId(f"{name}-in"), LaneId(f"{name}-out")
        self.waiting: dict[LaneId, Granted] = {}
        """The vehicle at each open boom."""
        self.left: list[HoldId] = []
        """Sessions that the portal has since said to have left elsewhere; whoever looks at them clears it."""
        self.freed: list[int] = []
        """Slots that the cabinet was told to free."""
        self.facts: list[tuple[datetime, Fact]] = []
        """All that it has ever recorded."""
        self._answers: dict[HoldId, ClaimAnswered] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._starts = self._asked = 0

    # ---- power ----

    def start(self) -> None:
        """Power on."""
        self._starts += 1
        self.world.loop.do(self._started())

    def stop(self) -> None:
        """Power off: nobody is told."""
        for task in self._tasks:
            task.cancel()
        self._desks.stop()
        self.world.loop.quiet()
        self._tasks.clear()
        self.waiting.clear()
        self.world.loop.do(self.store.close())

    def failed(self) -> BaseException | None:
        """What broke here."""
        return next((task.exception() for task in self._tasks if task.done() and not task.cancelled()), None)

    async def _started(self) -> None:
        world = self.world
        address = Address(world.tenant, world.site, self.name)
        self.store = await Store.open(self._folder / "edge.db", world.around.new_id)
        cursor = await self.store.list_cursor()
        self.site = Site(
            allowlist=await self.store.allowlist(),
            tz=ZONE,
            occupancy=await self.store.occupancy(),
            rules=RULES,
            list_confirmed_at=cursor.confirmed_at if cursor else None,
            name=world.site,
        )
        self._recorder = Recorder(self.store, self._committed, lambda *_: None)
        self.link = PortalLink(
            self.store,
            Endpoint("courier", 1883, address.client_id),
            address,
            world.root_key,
            device_key(self._folder),
            self.site.allowlist,
            self._list_in_force,
            self._order,
            world.around,
            on_claim=self._claim_answered,
            on_left=self._left_elsewhere,
            on_enrolled=lambda asked, reply: self._desks.answered(asked, reply),
        )
        now = world.now()
        held = self.site.occupancy.holds.values()
        self.record([HoldReleased(h.lane, h.id, Released.OUTCOME_UNKNOWN) for h in held], now)
        self.record([LaneStarted(self.entry), LaneStarted(self.exit)], now)
        channels = tuple(range(1, SLOTS + 1))
        config = SimpleNamespace(
            desks={DESK: DeskTable("cabinet", channels, channels)} if self._desk else {},
            readers={"reader": SimpleNamespace(lane=DESK)} if self._desk else {},
        )
        self._desks = Desks(cast(Config, config), self._run, self, {"cabinet": self._drive}, self.link)
        for work in (self._recorder.run(), self.link.run(), self._desks.run()):
            self._tasks.append(world.loop.create_task(cast(Coroutine[Any, Any, None], work)))

    @property
    def _run(self) -> str:
        return f"{self.name}{self._starts}"

    # ---- what happens ----

    def record(self, facts: Sequence[Fact], now: Moment) -> None:
        """Fold facts into the site at once, queue them for the journal, and tell the portal of places."""
        occupancy = self.site.occupancy
        for fact in self._recorder.record(facts, now.wall):
            self.facts.append((now.wall, fact))
            self.link.happened(fact, occupancy, now)
            if isinstance(fact, Granted) and needs_claim(fact, self.site):
                self.link.ask_place(fact, now)
            occupancy = occupancy.fold(fact, now.wall)
        self.site = replace(self.site, occupancy=occupancy)

    def arrive(self, lane: LaneId, credential: PlateRead | Shown | None, seen: PlateRead | None) -> list[Fact]:
        """A vehicle stands before the boom and has shown this; what is decided of it."""
        self._asked += 1
        now, direction = self.world.now(), Direction.IN if lane == self.entry else Direction.OUT
        hold = HoldId(f"{lane}-{self._run}-{self._asked}")
        verdict = decide(Ask(lane, direction, credential, hold, True, read_over=True, seen=seen), self.site, now)
        said: list[Fact] = [verdict]
        self.world.loop.call(self.record, said, now)
        if isinstance(verdict, Granted):
            self.waiting[lane] = verdict
            if needs_claim(verdict, self.site):
                said += self._settled(verdict)
        return said

    def _settled(self, grant: Granted) -> list[Fact]:
        """What the portal's answer, or its silence, makes of a grant: as a lane does it."""
        if grant.hold not in self._answers:
            self.world.loop.pass_(ANSWERED_WITHIN_S)
        answer, now = self._answers.pop(grant.hold, None), self.world.now()
        facts: list[Fact]
        known = [one.fence for one in self.site.occupancy.of_user(grant.user_id or "") if one.fence is not None]
        back = answer is not None and answer.fence is not None and any(one >= answer.fence for one in known)
        if answer is None or back:
            err_ms = clock_err_ms(self.site, now)
            facts = [Unarbitrated(grant.lane, grant.hold, grant.user_id, "no answer in time", err_ms)]
        elif answer.fence is not None:
            facts = [Claimed(grant.lane, grant.hold, answer.fence)]
        else:
            del self.waiting[grant.lane]
            reason = Reason.ANOTHER_VEHICLE_PARKED if grant.plate else Reason.ALREADY_INSIDE
            who = (grant.user_id, grant.external_id, grant.plate, grant.basis, answer.holder, grant.payer)
            facts = [
                HoldReleased(grant.lane, grant.hold, Released.HELD_ELSEWHERE),
                Refused(grant.lane, grant.direction, reason, *who),
            ]
        self.world.loop.call(self.record, facts, now)
        return facts

    def leave(self, lane: LaneId, *, passes: bool) -> Granted | None:
        """The vehicle at the boom goes through, or backs out."""
        grant = self.waiting.pop(lane, None)
        if grant is not None:
            fact = (
                Passed(lane, grant.direction, grant.hold)
                if passes
                else HoldReleased(lane, grant.hold, Released.BACK_OUT)
            )
            self.world.loop.call(self.record, [fact], self.world.now())
        return grant

    def read_pass(self, text: str) -> PassRead | None:
        """What a scanner makes of a text here."""
        return self.link.read_pass(text)

    # ---- the desk ----

    def choose(self, external_id: str, clerk: str) -> Answer:
        """A clerk chose a user."""
        return self.world.loop.call(self._desks.choose, EnrolBadge(DESK, external_id, clerk))

    def tap(self, uid: str) -> list[Fact]:
        """A badge is held to the desk's reader; what happened at once."""
        return self._said(self._desks.from_reader, "reader", CardRead(4 * len(uid), int(uid, 16), uid))

    def key(self, slot: int, *, there: bool) -> list[Fact]:
        """A key is hung into its slot or taken out; what happened at once."""
        return self._said(self._desks.from_board, "cabinet", ContactChanged(slot - 1, there))

    def _said(self, function: Callable[..., object], *args: object) -> list[Fact]:
        before = len(self.facts)

        def at_once() -> list[Fact]:
            function(*args)
            return [fact for _, fact in self.facts[before:]]

        return self.world.loop.call(at_once)

    def _drive(self, drives: Sequence[Drive]) -> None:
        self.freed += [one.channel + 1 for one in drives if isinstance(one, Pulse)]

    # ---- inside ----

    def _committed(self, lane: LaneId, hold: HoldId) -> None:
        self._desks.committed(lane, hold)

    def _list_in_force(self, allowlist: Allowlist, confirmed_at: datetime) -> None:
        self.site = replace(self.site, allowlist=allowlist, list_confirmed_at=confirmed_at)

    async def _order(self, _request: Request, _left_s: float) -> Answer:
        return Answer(False, "nobody orders anything here")

    def _claim_answered(self, said: ClaimAnswered) -> None:
        self._answers[said.hold] = said

    def _left_elsewhere(self, sessions: list[HoldId]) -> None:
        inside = [session for session in self.site.occupancy.inside() if session.id in sessions]
        self.left += [session.id for session in inside]
        self.record([session.closed(Closed.LEFT_ELSEWHERE) for session in inside], self.world.now())
