"""A car park as physics alone: vehicles that drive, booms that travel, loops that feel metal.

Pure and seeded: nothing happens but in `step`, and the same seed and steps give the same story. What other
threads read (`contacts`, `scene`) is replaced whole at each step; what they write (`pulse`, `hold`) waits for
the next one. No plate is read, no badge or code checked and nothing decided here.

Along each lane x is metres; the boom is at 0, a vehicle comes from below and leaves above.
"""

import enum
import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

COMES_FROM_M: Final = -22.0
STOPS_AT_M: Final = -2.5
GONE_AT_M: Final = 9.0
ACCELERATION_MPS2: Final = 2.0

# Where the loops lie, as (first, last) metre.
APPROACH_M: Final = (-6.0, -2.0)
SAFETY_M: Final = (-0.8, 1.2)
FAR_M: Final = (3.5, 5.5)

BOOM_TRAVEL_S: Final = 1.5
CLOSES_AFTER_S: Final = 1.0
"""The barrier controller closes by itself so long after the safety loop was left,"""
PAUSE_S: Final = 22.0
"""and so long after it opened for nobody."""

HONEST_WAIT_S: Final = 2.5
QUEUE_LEN_MAX: Final = 20
GAP_M: Final = 1.5
SIGNALS_LEN_MAX: Final = 100


class Boom(enum.Enum):
    """What the barrier controller is doing."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


class Doing(enum.Enum):
    """What a driver is doing."""

    ARRIVING = "arriving"
    WAITING = "waiting"
    PASSING = "passing"
    REVERSING = "reversing"
    """gave up and backs out for good"""
    MAKING_ROOM = "making room"
    """backs out for one ahead who gave up, and comes again"""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle and its driver's story. `groups` are the plate's groups of characters as written on it.

    `shows` is what the driver scans or types, each with how long after stopping. A driver who `tailgates` follows
    through a boom that was opened for the one ahead; others let it close, or go on after `HONEST_WAIT_S` if it
    stays up.
    """

    groups: tuple[str, ...]
    country: str = "D"
    badge: str | None = None
    badge_after_s: float = 1.5
    shows: tuple[tuple[float, str], ...] = ()
    patience_s: float = 15.0
    length_m: float = 4.4
    speed_mps: float = 4.0
    stays_s: float | None = None
    tailgates: bool = False

    @property
    def plate(self) -> str:
        """The characters without their grouping."""
        return "".join(self.groups)


@dataclass(frozen=True, slots=True)
class Contacts:
    """What the loops and limit switches of a lane say."""

    approach: bool
    safety: bool
    far: bool
    closed: bool
    opened: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A vehicle somewhere in a lane: the metre its front is at, and what its driver does.

    `followed` while the open boom may have been opened for the one ahead.
    """

    vehicle: Vehicle
    front_m: float
    speed_mps: float = 0.0
    doing: Doing = Doing.ARRIVING
    waited_s: float = 0.0
    followed: bool = False

    @property
    def rear_m(self) -> float:
        """The metre its rear is at."""
        return self.front_m - self.vehicle.length_m

    def over(self, loop: tuple[float, float]) -> bool:
        """Whether any of it is above the loop."""
        return self.rear_m < loop[1] and self.front_m > loop[0]


@dataclass(frozen=True, slots=True)
class Scene:
    """One lane at one instant: enough to draw it. `raised` is 0 for a closed boom and 1 for an open one."""

    lane: str
    at_s: float
    boom: Boom
    raised: float
    vehicles: tuple[Placed, ...]
    held: bool = False

    @property
    def contacts(self) -> Contacts:
        """The loops and limits of this instant."""
        return Contacts(
            approach=any(placed.over(APPROACH_M) for placed in self.vehicles),
            safety=any(placed.over(SAFETY_M) for placed in self.vehicles),
            far=any(placed.over(FAR_M) for placed in self.vehicles),
            closed=self.boom is Boom.CLOSED,
            opened=self.boom is Boom.OPEN,
        )


@dataclass(frozen=True, slots=True)
class Happened:
    """Something a bystander would tell: `what` is arrived, badge, code, passed, gave_up or left."""

    at_s: float
    lane: str
    vehicle: Vehicle
    what: str
    shown: str = ""


class World:
    """Lanes that lead in and out of one car park. `step` is called by one thread only."""

    def __init__(self, lanes: Mapping[str, str], seed: int = 1, parked: Sequence[Vehicle] = ()) -> None:
        """`lanes` maps each lane's name to "in" or "out"."""
        self._random = random.Random(seed)
        self._directions = dict(lanes)
        self._at_s = 0.0
        self._scenes = {name: Scene(name, 0.0, Boom.CLOSED, 0.0, ()) for name in lanes}
        self._idle_s = dict.fromkeys(lanes, 0.0)
        self._queues: dict[str, deque[Vehicle]] = {name: deque(maxlen=QUEUE_LEN_MAX) for name in lanes}
        self._pulses: deque[str] = deque(maxlen=SIGNALS_LEN_MAX)
        self._holds: dict[str, bool] = dict.fromkeys(lanes, False)
        self._leaves: list[tuple[float, Vehicle]] = []
        self._parked: tuple[Vehicle, ...] = ()
        for vehicle in parked:
            self._park(vehicle)

    @property
    def at_s(self) -> float:
        """Seconds since the world began."""
        return self._at_s

    @property
    def parked(self) -> tuple[Vehicle, ...]:
        """The vehicles inside."""
        return self._parked

    def scene(self, lane: str) -> Scene:
        """A lane as it is; safe from any thread."""
        return self._scenes[lane]

    def contacts(self, lane: str) -> Contacts:
        """A lane's loops and limits; safe from any thread."""
        return self._scenes[lane].contacts

    def pulse(self, lane: str) -> None:
        """Touch the barrier controller's OPEN terminal; safe from any thread."""
        if lane not in self._scenes:
            raise KeyError(lane)
        self._pulses.append(lane)

    def hold(self, lane: str, on: bool) -> None:
        """Keep OPEN touched, or let go; safe from any thread."""
        self._holds[lane] = on

    def arrive(self, lane: str, vehicle: Vehicle) -> None:
        """Send a vehicle to a lane; it comes into view when there is room. `ValueError` if the queue is full."""
        queue = self._queues[lane]
        if len(queue) >= QUEUE_LEN_MAX:
            raise ValueError(f"lane {lane}: {QUEUE_LEN_MAX} vehicles queue already")
        queue.append(vehicle)

    def leave(self, vehicle: Vehicle, lane: str) -> None:
        """Send a parked vehicle to an exit lane. `ValueError` if it is not parked."""
        if vehicle not in self._parked:
            raise ValueError(f"{vehicle.plate} is not parked")
        self._parked = tuple(other for other in self._parked if other is not vehicle)
        self._leaves = [(due_s, other) for due_s, other in self._leaves if other is not vehicle]
        self.arrive(lane, vehicle)

    def step(self, dt_s: float) -> list[Happened]:
        """Let `dt_s` seconds pass, at most a tenth of one; what happened in them."""
        if not 0 < dt_s <= 0.1:
            raise ValueError(f"a step of {dt_s} s would jump over things; take 0 to 0.1 s")
        self._at_s += dt_s
        opens = set(self._pulses) | {lane for lane, on in self._holds.items() if on}
        self._pulses.clear()
        self._send_leavers()
        happened: list[Happened] = []
        for name in self._scenes:
            scene = self._boom(replace(self._scenes[name], at_s=self._at_s), name in opens, dt_s)
            vehicles = self._drive(scene, dt_s, happened)
            self._scenes[name] = replace(scene, vehicles=vehicles, held=self._holds[name])
        return happened

    def _park(self, vehicle: Vehicle) -> None:
        self._parked = (*self._parked, vehicle)
        if vehicle.stays_s is not None:
            self._leaves.append((self._at_s + vehicle.stays_s, vehicle))

    def _send_leavers(self) -> None:
        exits = [name for name, direction in self._directions.items() if direction == "out"]
        for due_s, vehicle in list(self._leaves):
            if exits and self._at_s >= due_s:
                self.leave(vehicle, self._random.choice(exits))

    def _boom(self, scene: Scene, open_touched: bool, dt_s: float) -> Scene:
        """The barrier controller: opens when told, closes by itself, never onto a vehicle."""
        blocked = scene.contacts.safety
        self._idle_s[scene.lane] += dt_s
        travel = dt_s / BOOM_TRAVEL_S
        match scene.boom:
            case Boom.CLOSED:
                return replace(scene, boom=Boom.OPENING) if open_touched else scene
            case Boom.OPENING:
                raised = min(1.0, scene.raised + travel)
                self._idle_s[scene.lane] = CLOSES_AFTER_S - PAUSE_S
                return replace(scene, raised=raised, boom=Boom.OPEN if raised == 1.0 else Boom.OPENING)
            case Boom.OPEN:
                if open_touched:
                    self._idle_s[scene.lane] = CLOSES_AFTER_S - PAUSE_S
                if blocked:
                    self._idle_s[scene.lane] = 0.0
                return replace(scene, boom=Boom.CLOSING) if self._idle_s[scene.lane] >= CLOSES_AFTER_S else scene
            case Boom.CLOSING:
                if open_touched or blocked:
                    return replace(scene, boom=Boom.OPENING)
                raised = max(0.0, scene.raised - travel)
                return replace(scene, raised=raised, boom=Boom.CLOSED if raised == 0.0 else Boom.CLOSING)

    def _drive(self, scene: Scene, dt_s: float, happened: list[Happened]) -> tuple[Placed, ...]:
        staying: list[Placed] = []
        queue = self._queues[scene.lane]
        backing = False
        for placed in scene.vehicles:
            ahead_m = staying[-1].rear_m if staying else None
            if backing and placed.doing is not Doing.REVERSING:
                placed = replace(placed, doing=Doing.MAKING_ROOM)
            moved = self._move(placed, scene, ahead_m, dt_s, happened)
            backing = moved.doing in _BACKWARDS
            if moved.rear_m > GONE_AT_M:
                self._gone(scene.lane, moved.vehicle, happened)
            elif not backing or moved.front_m > COMES_FROM_M:
                staying.append(moved)
            elif moved.doing is Doing.MAKING_ROOM:
                queue.appendleft(moved.vehicle)
        if queue and (not staying or (not backing and staying[-1].rear_m > COMES_FROM_M + GAP_M)):
            vehicle = queue.popleft()
            staying.append(Placed(vehicle, COMES_FROM_M, vehicle.speed_mps, followed=bool(staying)))
            happened.append(Happened(self._at_s, scene.lane, vehicle, "arrived"))
        return tuple(staying)

    def _gone(self, lane: str, vehicle: Vehicle, happened: list[Happened]) -> None:
        entering = self._directions[lane] == "in"
        happened.append(Happened(self._at_s, lane, vehicle, "passed" if entering else "left"))
        if entering:
            self._park(vehicle)

    def _move(
        self, placed: Placed, scene: Scene, ahead_m: float | None, dt_s: float, happened: list[Happened]
    ) -> Placed:
        """One vehicle for one step: drives up, waits at the boom, passes when it is up, or gives up."""
        vehicle = placed.vehicle
        if placed.doing in _BACKWARDS:
            return replace(placed, front_m=placed.front_m - vehicle.speed_mps / 2 * dt_s)
        committed = placed.front_m > STOPS_AT_M + 0.5
        followed = placed.followed and (ahead_m is not None or scene.boom is Boom.OPEN)
        honest = not followed or vehicle.tailgates or placed.waited_s >= HONEST_WAIT_S
        free = committed or (scene.boom is Boom.OPEN and honest)
        until_m = GONE_AT_M + vehicle.length_m + 1 if free else STOPS_AT_M
        if ahead_m is not None:
            until_m = min(until_m, ahead_m - GAP_M)
        speed_mps = _speed(placed, until_m - placed.front_m, dt_s)
        front_m = placed.front_m + speed_mps * dt_s
        placed = replace(placed, front_m=front_m, speed_mps=speed_mps, followed=followed)
        if free and front_m > STOPS_AT_M + 0.5:
            return replace(placed, doing=Doing.PASSING)
        if speed_mps > 0.05 or front_m < STOPS_AT_M - 0.2:
            return placed
        return self._wait(placed, scene.lane, dt_s, happened)

    def _wait(self, placed: Placed, lane: str, dt_s: float, happened: list[Happened]) -> Placed:
        """At the stop line. Drivers differ: each is a little slower than the story says."""
        vehicle, before_s = placed.vehicle, placed.waited_s
        if placed.doing is not Doing.WAITING:
            before_s = -self._random.uniform(0.0, 0.5)
        waited_s = before_s + dt_s
        if vehicle.badge is not None and before_s < vehicle.badge_after_s <= waited_s:
            happened.append(Happened(self._at_s, lane, vehicle, "badge"))
        for after_s, text in vehicle.shows:
            if before_s < after_s <= waited_s:
                happened.append(Happened(self._at_s, lane, vehicle, "code", text))
        if waited_s >= vehicle.patience_s:
            happened.append(Happened(self._at_s, lane, vehicle, "gave_up"))
            return replace(placed, doing=Doing.REVERSING)
        return replace(placed, doing=Doing.WAITING, waited_s=waited_s)


_BACKWARDS: Final = frozenset({Doing.REVERSING, Doing.MAKING_ROOM})


def _speed(placed: Placed, room_m: float, dt_s: float) -> float:
    """As fast as the driver likes and can still stop within `room_m`."""
    if room_m <= 0.02:
        return 0.0
    brakes_at_mps = math.sqrt(2 * ACCELERATION_MPS2 * room_m)
    return min(placed.vehicle.speed_mps, placed.speed_mps + ACCELERATION_MPS2 * dt_s, brakes_at_mps, room_m / dt_s)
