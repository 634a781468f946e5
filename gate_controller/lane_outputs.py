"""What a lane shows the world, and when it wants to be called again. Both are functions of the lane alone."""

from collections.abc import Iterator
from typing import Final

from gate_controller.lane_state import Lane, Outputs, Phase, Role
from gate_controller.reasons import DRIVER, Reason

SENTENCES: Final[dict[Phase, str]] = {
    Phase.UNKNOWN: "One moment, please.",
    Phase.IDLE: "",
    Phase.ARMED: "One moment, please.",
    Phase.AUTHORISING: "One moment, please.",
    Phase.OPENING: "The barrier is opening.",
    Phase.OPEN_WAIT: "Please drive on.",
    Phase.PASSING: "Please drive on.",
    Phase.CLEARED: "Please wait.",
    Phase.CLOSING: "Please wait.",
    Phase.HELD_OPEN: "Please drive on.",
    Phase.CLOSED_LANE: DRIVER[Reason.LANE_CLOSED],
    Phase.FORCED_OPEN: "Please wait.",
    Phase.FAULT: "Out of order. Please call for help.",
    Phase.FIRE: "Please leave now.",
}
"""What the driver reads when no refusal is to be told."""

GO: Final = frozenset({Phase.OPEN_WAIT, Phase.PASSING, Phase.HELD_OPEN, Phase.FIRE})
TELLING: Final = frozenset({Phase.IDLE, Phase.ARMED, Phase.CLOSED_LANE, Phase.CLOSING})
"""Phases in which the vehicle on the approach loop is told why it was refused."""


def outputs(lane: Lane) -> Outputs:
    """What the hardware should show now: a pulse with its id, and levels to assert again and again."""
    held = lane.phase is Phase.FIRE or (lane.phase is Phase.HELD_OPEN and lane.held)
    green = _may_go(lane)
    arrival = lane.arrival
    reason = arrival.refusal if arrival is not None and lane.phase in TELLING else None
    return Outputs(
        pulse=lane.pulse,
        hold=True if held else False if lane.let_go else None,
        green=green,
        red=not green,
        display=DRIVER[reason] if reason else SENTENCES[lane.phase],
        reason=reason,
    )


def _may_go(lane: Lane) -> bool:
    if lane.phase is Phase.FIRE and not lane.setup.hold_fitted:
        return lane.off(Role.CLOSED_LIMIT)
    return lane.phase in GO and not lane.on(Role.CLOSED_LIMIT)


def deadline(lane: Lane) -> float | None:
    """Monotonic seconds at which to step with `Tick`, None when only an input can change anything.

    It may come early, never late. A deadline of `lane.now` means at once.
    """
    if (lane.arrival is not None and lane.stray is not None) or lane.read_due():
        return lane.now
    return min((at for at in _times(lane) if at > lane.now), default=None)


def _times(lane: Lane) -> Iterator[float]:
    setup = lane.setup
    match lane.phase:
        case Phase.UNKNOWN:
            yield lane.since + setup.unknown_for_s
            yield lane.since + setup.close_within_s
        case Phase.OPENING:
            yield lane.since + setup.open_within_s
        case Phase.OPEN_WAIT:
            yield lane.since + setup.enter_within_s
        case Phase.CLOSING:
            yield lane.since + setup.close_within_s
        case Phase.HELD_OPEN:
            yield lane.since + setup.open_within_s
            yield lane.since + setup.held_open_alarm_after_s
        case Phase.FORCED_OPEN:
            yield lane.since + setup.forced_open_alarm_after_s
        case _:
            pass
    yield from _level_times(lane)
    yield from _grant_times(lane)
    if lane.arrival is not None:
        yield lane.arrival.at + setup.read_for_s
    if lane.pulse is not None:
        yield lane.pulse.expires_mono_s


def _level_times(lane: Lane) -> Iterator[float]:
    setup = lane.setup
    for role, level in lane.levels.items():
        match role:
            case Role.APPROACH | Role.FAR:
                wait_s = _loop_wait_s(lane, role, level.on)
                if wait_s is not None:
                    yield level.since + wait_s
            case Role.SAFETY if level.on:
                yield level.since + setup.obstructed_after_s
            case Role.SAFETY:
                yield level.since + setup.clear_for_s
                yield level.since + setup.confirm_within_s
            case Role.CLOSED_LIMIT | Role.OPEN_LIMIT:
                yield level.since + setup.stable_for_s
            case _:
                pass


def _loop_wait_s(lane: Lane, role: Role, on: bool) -> float | None:
    """How long a loop must stay as it is to say something: that somebody came, or that who came is gone."""
    arrival = lane.arrival
    if arrival is None:
        noticed = role is Role.APPROACH or lane.setup.direction is None
        return lane.setup.arrive_after_s if on and noticed else None
    if on or role is not lane.setup.approach(arrival.direction):
        return None
    return lane.setup.arrive_after_s if lane.moved_on() else lane.setup.leave_after_s


def _grant_times(lane: Lane) -> Iterator[float]:
    setup = lane.setup
    grants = (*((lane.current,) if lane.current is not None else ()), *lane.queue)
    for grant in grants:
        if not grant.committed:
            yield grant.at + setup.commit_within_s
        if not grant.claimed:
            yield grant.at + setup.claim_within_s
        yield grant.at + setup.enter_within_s
        yield grant.at + setup.queued_for_s
