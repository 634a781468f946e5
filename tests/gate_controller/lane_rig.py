"""A lane, or two, on one real site: facts folded as the daemon folds them, time that moves only when told to."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from gate_controller import lane as machine
from gate_controller.allowlist import Action, Allowlist, Change, Permit, PermitPut, User, UserPut
from gate_controller.credentials import Badge, BadgeRead, PlateCredential, Shown
from gate_controller.facts import Direction, Fact, Granted, LaneId
from gate_controller.lane import (
    Command,
    Committed,
    Contact,
    Input,
    Lane,
    LaneSetup,
    Order,
    Outputs,
    Phase,
    Presented,
    PulseSent,
    Role,
    Tick,
    deadline,
    outputs,
)
from gate_controller.moment import Moment
from gate_controller.plates import Plate, PlateRead
from gate_controller.site import Site

A, S, X = Role.APPROACH, Role.SAFETY, Role.FAR
LC, LO = Role.CLOSED_LIMIT, Role.OPEN_LIMIT
ALL = frozenset(Role)
LOOPS = frozenset({A, S, X})
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BADGE = Badge.parse("000414CD7E")

Of = TypeVar("Of")
ROUNDS_MAX = 2000
ROUNDING_S = 1e-6
"""Sums of decimal seconds do not meet exactly."""


def user(name: str, *plates: str, **more: object) -> tuple[Change, ...]:
    own = tuple(PlateCredential(Plate.parse(p)) for p in plates)
    person = User(id=f"u-{name}", external_id=name, plates=own, **more)  # type: ignore[arg-type]
    return UserPut(person), PermitPut(Permit(f"p-{name}", Action.PARK, user_id=person.id))


ANNA = user("anna", "AB-123-CD", "98-TH-D4", badges=(BADGE,))
BORIS = user("boris", "KL-55-MN")
CARLA = user("carla", "XY-777-Z")


def site(*changes: Change) -> Site:
    return Site(Allowlist.empty("epoch").apply(changes or (*ANNA, *BORIS, *CARLA), 7), UTC)


def plate(text: str, confidence: float = 0.97) -> PlateRead:
    key = Plate.parse(text).key
    return PlateRead(Plate.parse(text), confidence, tuple(((char, confidence),) for char in key), votes=5)


def badge(text: str = BADGE.uid) -> BadgeRead:
    return BadgeRead(text, 4 * len(text))


def setup(
    direction: Direction | None = Direction.IN,
    fitted: frozenset[Role] = ALL,
    id: str = "entry",
    **more: object,
) -> LaneSetup:
    return LaneSetup(LaneId(id), direction, fitted, **more)  # type: ignore[arg-type]


class Rig:
    """Lanes of one site under one clock.

    `auto` answers as a healthy disk and a healthy board would: grants are committed, pulses confirmed.
    """

    def __init__(
        self, *setups: LaneSetup, site_: Site | None = None, auto: bool = True, ready: bool = True
    ) -> None:
        self.site = site_ or site()
        self.t = 100.0
        self.auto = auto
        self.runs = 0
        self.facts: list[Fact] = []
        self.pulses: list[str] = []
        self.lanes: dict[str, Lane] = {}
        self.commands = 0
        for one in setups or (setup(),):
            self.start(one)
        if ready:
            for name in self.lanes:
                self.ready(name)

    # ---- time ----

    @property
    def now(self) -> Moment:
        return Moment(MONDAY + timedelta(seconds=self.t), self.t)

    def wait(self, seconds: float) -> list[Fact]:
        """Let time pass; every lane is stepped at its deadlines. Returns what happened meanwhile."""
        before, end = len(self.facts), round(self.t + seconds, 3)
        for _ in range(ROUNDS_MAX):
            due = [(at, name) for name, lane in self.lanes.items() if (at := deadline(lane)) is not None]
            at, name = min(due, default=(end + 1, ""))
            if at > end + ROUNDING_S:
                break
            self.t = max(self.t, at)
            self.say(Tick(), lane=name)
        else:
            raise AssertionError("deadlines never come to rest")
        self.t = max(self.t, end)
        return self.facts[before:]

    # ---- words ----

    def start(self, one: LaneSetup) -> None:
        self.runs += 1
        lane, facts = machine.start(one, f"r{self.runs}", self.now)
        self.lanes[one.id] = lane
        self._took_place(facts)

    def ready(self, name: str) -> None:
        """All contacts quiet, the boom closed, the lane settled."""
        fitted = self.lanes[name].setup.fitted
        for role in sorted(fitted):
            self.say(Contact(role, role is LC), lane=name)
        self.wait(2.0)
        assert self.lanes[name].phase is Phase.IDLE

    def say(self, *inputs: Input, lane: str | None = None) -> list[Fact]:
        """Hand inputs to a lane one after the other; the facts of all of them."""
        before = len(self.facts)
        for input in inputs:
            self._step(input, lane or next(iter(self.lanes)))
        return self.facts[before:]

    def _step(self, input: Input, name: str) -> None:
        lane, facts = machine.step(self.lanes[name], input, self.site, self.now)
        self.lanes[name] = lane
        self._took_place(facts)
        pulse = outputs(lane).pulse
        if pulse is not None and pulse.id not in self.pulses:
            self.pulses.append(pulse.id)
        if not self.auto:
            return
        for fact in facts:
            if isinstance(fact, Granted):
                self._step(Committed(fact.hold), name)
        pulse = outputs(self.lanes[name]).pulse
        if pulse is not None:
            self._step(PulseSent(pulse.id), name)

    def _took_place(self, facts: Iterable[Fact]) -> None:
        self.facts += facts
        occupancy = self.site.occupancy
        for fact in facts:
            occupancy = occupancy.fold(fact, self.now.wall)
        self.site = replace(self.site, occupancy=occupancy)

    def on(self, *roles: Role, lane: str | None = None) -> list[Fact]:
        return self.say(*(Contact(role, True) for role in roles), lane=lane)

    def off(self, *roles: Role, lane: str | None = None) -> list[Fact]:
        return self.say(*(Contact(role, False) for role in roles), lane=lane)

    def show(self, credential: PlateRead | Shown, lane: str | None = None) -> list[Fact]:
        return self.say(Presented(credential), lane=lane)

    def arrive(self, credential: PlateRead | Shown | None = None, lane: str | None = None) -> list[Fact]:
        """A vehicle comes onto the approach loop, and shows what it has."""
        facts = [*self.on(A, lane=lane), *self.wait(0.3)]
        return facts if credential is None else [*facts, *self.show(credential, lane=lane)]

    def rise(self, lane: str | None = None) -> list[Fact]:
        """The boom goes up."""
        facts = self.off(LC, lane=lane)
        return [*facts, *self.wait(1.5), *self.on(LO, lane=lane)]

    def fall(self, lane: str | None = None) -> list[Fact]:
        """The boom comes down."""
        facts = self.off(LO, lane=lane)
        return [*facts, *self.wait(1.5), *self.on(LC, lane=lane)]

    def drive_through(self, lane: str | None = None, first: Role = A, last: Role = X) -> list[Fact]:
        """The vehicle goes over safety and far loop and away."""
        facts = [*self.on(S, lane=lane), *self.wait(1.0), *self.off(first, lane=lane), *self.on(last, lane=lane)]
        facts += [*self.wait(0.5), *self.off(S, lane=lane), *self.wait(1.0), *self.off(last, lane=lane)]
        return facts

    def order(self, kind: Order, lane: str | None = None, id: str | None = None, **more: object) -> list[Fact]:
        self.commands += 1
        fields = {"by": "clerk", "reason": "delivery", "expires_mono_s": self.t + 10.0} | more
        return self.say(Command(id or f"c{self.commands}", kind, **fields), lane=lane)  # type: ignore[arg-type]

    # ---- questions ----

    @property
    def lane(self) -> Lane:
        return next(iter(self.lanes.values()))

    @property
    def phase(self) -> Phase:
        return self.lane.phase

    @property
    def shown(self) -> Outputs:
        return outputs(self.lane)

    def inside(self) -> set[str]:
        return {s.plate or s.user_id for sessions in self.site.occupancy.sessions.values() for s in sessions}

    def of(self, kind: type[Of], facts: Sequence[Fact] | None = None) -> list[Of]:
        return [f for f in (self.facts if facts is None else facts) if isinstance(f, kind)]
