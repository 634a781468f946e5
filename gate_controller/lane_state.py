"""The words of a lane: how it is fitted, what it remembers, what it shows. What reaches it is in `lane_input`.

Only frozen values and questions about them. The rules that move a lane from one of these values to the next are
in `lane`; who may pass is decided in `access`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from gate_controller.access import ExitPolicy
from gate_controller.credentials import Shown
from gate_controller.devices.codec import PulseId
from gate_controller.facts import Direction, Granted, HoldId, LaneId
from gate_controller.plates import PlateRead
from gate_controller.reasons import Reason

Credential = PlateRead | Shown


class Role(StrEnum):
    """What an input channel of a board means to a lane; `on` is vehicle present, limit reached, alarm active."""

    APPROACH = "approach"
    SAFETY = "safety"
    FAR = "far"
    CLOSED_LIMIT = "closed_limit"
    OPEN_LIMIT = "open_limit"
    FIRE = "fire"
    FAULT = "fault"
    MANUAL = "manual"


class Phase(StrEnum):
    """Where a lane stands; the table is in `docs/lane.md`."""

    UNKNOWN = "unknown"
    IDLE = "idle"
    ARMED = "armed"
    AUTHORISING = "authorising"
    OPENING = "opening"
    OPEN_WAIT = "open_wait"
    PASSING = "passing"
    CLEARED = "cleared"
    CLOSING = "closing"
    HELD_OPEN = "held_open"
    CLOSED_LANE = "closed_lane"
    FORCED_OPEN = "forced_open"
    FAULT = "fault"
    FIRE = "fire"


DEAF: Final = frozenset({Phase.UNKNOWN, Phase.FAULT, Phase.FIRE})
"""Phases in which nobody is asked for a credential."""

WAITING: Final = frozenset({Phase.IDLE, Phase.ARMED, Phase.CLOSED_LANE})
"""Phases in which a grant is served at once."""

OPEN_TO_ALL: Final = frozenset({Phase.HELD_OPEN, Phase.FORCED_OPEN})
"""Phases in which a grant needs no pulse, because the boom stands open."""

COMMITTED_TO_OPEN: Final = frozenset({Phase.OPENING, Phase.OPEN_WAIT, Phase.PASSING, Phase.CLEARED}) | OPEN_TO_ALL
"""Phases in which the current grant's vehicle may already be under the boom."""


UNDER_WAY: Final = frozenset({Phase.PASSING, Phase.FAULT, Phase.FIRE}) | OPEN_TO_ALL
"""Phases in which a vehicle may be on its way over the safety loop."""


class Order(StrEnum):
    """What a person or the portal may ask of a lane. There is no order to close the boom."""

    OPEN = "open"
    HOLD_OPEN = "hold_open"
    CLOSE_LANE = "close_lane"
    RELEASE = "release"
    ACKNOWLEDGE = "acknowledge"


class StorePolicy(StrEnum):
    """What an entry does with an authorised vehicle whose grant could not be written; an exit always opens."""

    PASS = "pass"
    REFUSE = "refuse"


# ---- configuration ----


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """How a lane is built and timed; the defaults are this project's choice, not a device's.

    `direction` None is a shared two-way lane: the approach loop lies outside, the far loop inside, and each arms
    its own direction. Raises `ValueError` for a lane that could not tell a passage or its own position.
    """

    id: LaneId
    direction: Direction | None
    fitted: frozenset[Role]
    exit_policy: ExitPolicy = ExitPolicy.ANY_VEHICLE
    store_policy: StorePolicy = StorePolicy.PASS
    hold_fitted: bool = True
    arrive_after_s: float = 0.3
    leave_after_s: float = 3.0
    read_for_s: float = 3.0
    commit_within_s: float = 0.1
    claim_within_s: float = 0.3
    claim_again_after_s: float = 10.0
    pulse_width_s: float = 0.5
    pulse_valid_for_s: float = 2.0
    stable_for_s: float = 0.5
    unknown_for_s: float = 2.0
    open_within_s: float = 8.0
    enter_within_s: float = 20.0
    clear_for_s: float = 1.0
    confirm_within_s: float = 3.0
    obstructed_after_s: float = 180.0
    close_within_s: float = 10.0
    held_open_alarm_after_s: float = 120.0
    forced_open_alarm_after_s: float = 10.0
    queued_for_s: float = 60.0
    same_vehicle_for_s: float = 10.0
    command_ahead_max_s: float = 60.0
    commands_len_max: int = 32
    queue_len_max: int = 2
    voided_max: int = 3

    def __post_init__(self) -> None:
        for role in (Role.APPROACH, Role.SAFETY):
            if role not in self.fitted:
                raise ValueError(f"lane {self.id}: no {role} loop; without it nobody knows who stands there")
        if self.direction is None and Role.FAR not in self.fitted:
            raise ValueError(f"lane {self.id}: a shared two-way lane needs a far loop to arm its other side")
        if Role.OPEN_LIMIT in self.fitted and Role.CLOSED_LIMIT not in self.fitted:
            raise ValueError(f"lane {self.id}: an open limit without a closed limit; wire the closed limit first")

    def approach(self, direction: Direction) -> Role:
        """The loop on which a vehicle of this direction arrives."""
        return Role.FAR if self.direction is None and direction is Direction.OUT else Role.APPROACH

    def far(self, direction: Direction) -> Role | None:
        """The loop that confirms a passage in this direction, None if there is none."""
        if self.direction is None and direction is Direction.OUT:
            return Role.APPROACH
        return Role.FAR if Role.FAR in self.fitted else None


# ---- what a lane remembers ----


@dataclass(frozen=True, slots=True)
class Level:
    """An input as last seen, and since when (monotonic seconds)."""

    on: bool
    since: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """One vehicle on an approach loop, asked for a credential since `at`.

    `served` names the hold or pulse that was given for it, `voided` counts those that came to nothing. `over`
    says that its read attempt was judged, `best` is its best credential so far, `seen` its surest plate. `dawdled`
    says that too many openings for it came to nothing, and that somebody was called. `told` holds the refusals
    already journaled, `refusal` the latest. `elsewhere` is the user whose place the portal did not give to it, and
    until when that is not asked again.
    """

    direction: Direction
    at: float
    served: str | None = None
    voided: int = 0
    best: Credential | None = None
    seen: PlateRead | None = None
    over: bool = False
    dropped: bool = False
    dawdled: bool = False
    told: tuple[tuple[str, Reason], ...] = ()
    refusal: Reason | None = None
    elsewhere: tuple[str, float] | None = None


TOLD_LEN_MAX: Final = 32
"""Refusals remembered of one vehicle; a camera that reads a new text every frame forgets the oldest."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A credential that came before its vehicle reached the loop."""

    credential: Credential
    at: float


@dataclass(frozen=True, slots=True)
class Grant:
    """A hold of this lane: asked for at `at`, on disk (or excused from it) once `committed`.

    `claimed` says that its user's place is its own, or that it needs nobody's word for that. `pulsed` says that its
    one opening pulse has been given out.
    """

    fact: Granted
    at: float
    committed: bool = False
    failed: bool = False
    claimed: bool = True
    pulsed: bool = False

    @property
    def settled(self) -> bool:
        """Whether everything that an opening waits for is there or excused."""
        return self.committed and self.claimed


@dataclass(frozen=True, slots=True)
class Crossing:
    """A vehicle on the safety loop, the grant it drove in on, and whether the far loop saw it come through.

    A grant given meanwhile is another vehicle's: nobody can see which of two is which.
    """

    direction: Direction
    hold: HoldId | None
    since: float
    far_seen: bool = False


@dataclass(frozen=True, slots=True)
class Pulse:
    """One opening pulse: `width_s` long, sent at most once and never at or after `expires_mono_s`."""

    id: PulseId
    width_s: float
    expires_mono_s: float


@dataclass(frozen=True, slots=True)
class Seen:
    """The plate and the text of a vehicle that went through, so that its tail is not taken for the next one."""

    plate: str
    as_read: str
    until: float


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything a lane knows at one instant; times are monotonic seconds.

    `current` is the grant being served, `queue` those behind it. `manual` names the pulse of an opening by order.
    `held` is an order to stand open, `releasing` its end while a vehicle is still in the way. `let_go` says that
    the hold relay is off or may be; until then it may be on, from before. `closed` tells who closed the lane and
    why. `side` is the way the next vehicle is expected to go, `leaving` the loop on which the last vehicle still
    stands. `numbered` counts the hold and pulse ids given out in this run, `wrong_codes` are the latest times at
    which a guest code was wrong.
    """

    setup: LaneSetup
    run: str
    phase: Phase
    since: float
    now: float
    side: Direction
    levels: Mapping[Role, Level] = field(default_factory=dict)
    numbered: int = 0
    arrival: Arrival | None = None
    stray: Stray | None = None
    current: Grant | None = None
    queue: tuple[Grant, ...] = ()
    pulse: Pulse | None = None
    crossing: Crossing | None = None
    manual: PulseId | None = None
    held: bool = False
    releasing: bool = False
    let_go: bool = False
    closed: str | None = None
    alarmed: bool = False
    leaving: Role | None = None
    commands: tuple[tuple[str, float], ...] = ()
    gone: tuple[Seen, ...] = ()
    wrong_codes: tuple[float, ...] = ()

    def on(self, role: Role) -> bool:
        """Whether the input is known to be on."""
        level = self.levels.get(role)
        return level is not None and level.on

    def off(self, role: Role) -> bool:
        """Whether the input is known to be off; a lost safety loop is not off, so it counts as occupied."""
        level = self.levels.get(role)
        return level is not None and not level.on

    def on_for(self, role: Role, seconds: float) -> bool:
        """Whether the input has been on for so long."""
        level = self.levels.get(role)
        return level is not None and level.on and self.now >= level.since + seconds

    def off_for(self, role: Role, seconds: float) -> bool:
        """Whether the input has been off for so long."""
        level = self.levels.get(role)
        return level is not None and not level.on and self.now >= level.since + seconds

    def fitted(self, role: Role) -> bool:
        """Whether the lane has this input at all."""
        return role in self.setup.fitted

    def complete(self) -> bool:
        """Whether every fitted input has been heard of since the board came (back)."""
        return self.setup.fitted <= self.levels.keys()

    def contradicts(self) -> bool:
        """Whether both limits have been reached at once for longer than a bounce."""
        both = (Role.CLOSED_LIMIT, Role.OPEN_LIMIT)
        return all(self.on_for(role, self.setup.stable_for_s) for role in both)

    def full(self) -> bool:
        """Whether a further grant would have no place to wait."""
        return self.phase not in WAITING and len(self.queue) >= self.setup.queue_len_max

    def moved_on(self) -> bool:
        """Whether the vehicle in front may go without being missed: it was served."""
        return self.arrival is not None and self.arrival.served is not None and self.phase is not Phase.AUTHORISING

    def read_due(self) -> bool:
        """Whether the time for a credential of the vehicle in front is over and was not judged yet."""
        arrival = self.arrival
        if arrival is None or arrival.served is not None or arrival.over or self.full():
            return False
        return self.now >= arrival.at + self.setup.read_for_s

    def after(self, seconds: float) -> bool:
        """Whether the present phase has lasted so long."""
        return self.now >= self.since + seconds


_FIELDS: Final = tuple(field.name for field in fields(Lane))
_INDEX: Final = {name: index for index, name in enumerate(_FIELDS)}
_values_of: Final = attrgetter(*_FIELDS)


def changed(lane: Lane, **changes: Any) -> Lane:
    """`dataclasses.replace` for lanes in half its time; a scan makes a dozen on the way to the boom."""
    values = list(_values_of(lane))
    for name, value in changes.items():
        values[_INDEX[name]] = value
    return Lane(*values)


@dataclass(frozen=True, slots=True)
class Outputs:
    """All that the world may see of a lane. A boom is moved by `pulse` and `hold` alone; nothing here closes it.

    `hold` is None where nobody may say whether the relay is on: it is not to be touched (`lane_hold`). `display` is
    the sentence for the driver, `reason` the refusal behind it if there is one.
    """

    pulse: Pulse | None
    hold: bool | None
    green: bool
    red: bool
    display: str
    reason: Reason | None
