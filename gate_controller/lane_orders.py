"""A lane's orders: what a person or the portal may ask of it, and why it sometimes will not.

An order has a unique id and an expiry, is executed once, and never closes a boom.
"""

from dataclasses import replace
from typing import Final, assert_never

from gate_controller.devices.codec import PulseId
from gate_controller.facts import BoomOpenedManually, CommandRefused, Released
from gate_controller.lane_input import (
    Command,
)
from gate_controller.lane_scan import Scan
from gate_controller.lane_state import (
    OPEN_TO_ALL,
    WAITING,
    Lane,
    Order,
    Phase,
    Role,
)

NOT_NOW: Final[dict[Order, dict[Phase, str]]] = {
    Order.OPEN: {
        Phase.UNKNOWN: "the position of the boom is unknown",
        Phase.AUTHORISING: "a vehicle is being let in",
        Phase.OPENING: "the boom is opening",
        Phase.OPEN_WAIT: "the boom is open",
        Phase.PASSING: "the boom is open",
        Phase.CLEARED: "the boom is open",
        Phase.FIRE: "fire holds the boom open",
    },
    Order.HOLD_OPEN: {
        Phase.UNKNOWN: "the position of the boom is unknown",
        Phase.FAULT: "the lane is in fault",
        Phase.FIRE: "fire holds the boom open",
    },
    Order.CLOSE_LANE: {Phase.FIRE: "fire holds the boom open"},
    Order.RELEASE: {Phase.FIRE: "fire holds the boom open"},
    Order.ACKNOWLEDGE: {},
}


def obey(scan: Scan) -> None:
    """Execute the order of this scan, or say why not."""
    command = scan.command
    if command is None:
        return
    why = _void(scan, command) or NOT_NOW[command.kind].get(scan.lane.phase) or _pointless(scan.lane, command)
    if why:
        scan.facts.append(CommandRefused(scan.lane.setup.id, command.id, why, command.by))
        return
    said = f"{command.by}: {command.reason}"
    match command.kind:
        case Order.OPEN:
            _open_by_order(scan, command)
        case Order.HOLD_OPEN:
            _hold_open(scan, said)
        case Order.CLOSE_LANE:
            scan.put(closed=said)
            if scan.lane.phase is Phase.HELD_OPEN:
                scan.put(releasing=True)
                scan.note(f"closed by {said}")
        case Order.RELEASE:
            _release(scan, f"released by {said}")
        case Order.ACKNOWLEDGE:
            scan.put(releasing=scan.lane.releasing or scan.lane.phase is Phase.FIRE)
            scan.enter(Phase.HELD_OPEN if scan.lane.phase is Phase.FORCED_OPEN else Phase.UNKNOWN, said)
        case _:
            assert_never(command.kind)


def clear(scan: Scan) -> None:
    """End the hold that a person has given up, or say why not; a vehicle that still stands there is asked anew."""
    asked, lane = scan.clearing, scan.lane
    if asked is None:
        return
    grants = (*((lane.current,) if lane.current else ()), *lane.queue)
    grant = next((grant for grant in grants if grant.fact.hold == asked.hold), None)
    if grant is None or (grant is lane.current and lane.phase is Phase.OPENING):
        why = "it has ended" if grant is None else "the boom is opening for it"
        scan.facts.append(CommandRefused(lane.setup.id, f"clear {asked.hold}", why, asked.by))
    else:
        scan.release(grant, Released.OPERATOR, asked.by, asked.reason)


def _void(scan: Scan, command: Command) -> str:
    """Why this order may not be executed at all; one that may is remembered until it would expire anyway."""
    lane = scan.lane
    if lane.now >= command.expires_mono_s:
        return "expired"
    if command.expires_mono_s > lane.now + lane.setup.command_ahead_max_s:
        return f"its expiry lies more than {lane.setup.command_ahead_max_s:g} s ahead"
    known = tuple((id, until) for id, until in lane.commands if until > lane.now)
    if any(id == command.id for id, _ in known):
        return "repeated"
    if len(known) >= lane.setup.commands_len_max:
        return "too many orders at once"
    scan.put(commands=(*known, (command.id, command.expires_mono_s)))
    return ""


def _pointless(lane: Lane, command: Command) -> str:
    match command.kind:
        case Order.OPEN:
            if not command.reason.strip():
                return "opening by hand needs a reason"
            if lane.held:
                return "the boom is held open"
            return "" if lane.complete() else "the board is silent"
        case Order.HOLD_OPEN:
            if not lane.setup.hold_fitted:
                return "no hold relay is wired"
            return "the lane is closed; release it first" if lane.closed is not None else ""
        case Order.CLOSE_LANE:
            return "the lane is closed already" if lane.closed is not None else ""
        case Order.RELEASE:
            return "" if _may_be_held(lane) or lane.closed is not None else "nothing to release"
        case Order.ACKNOWLEDGE:
            return _not_settled(lane)
        case _:
            assert_never(command.kind)


def _may_be_held(lane: Lane) -> bool:
    return lane.phase is Phase.HELD_OPEN or (lane.setup.hold_fitted and not lane.let_go)


def _not_settled(lane: Lane) -> str:
    if lane.phase is Phase.FORCED_OPEN:
        return ""
    if lane.phase not in (Phase.FAULT, Phase.FIRE):
        return "nothing to acknowledge"
    if not lane.complete():
        return "the board is silent"
    if lane.on(Role.FIRE):
        return "the fire contact is still on"
    if lane.phase is Phase.FAULT and (lane.on(Role.FAULT) or lane.contradicts()):
        return "the barrier still reports a fault"
    return ""


def _open_by_order(scan: Scan, command: Command) -> None:
    lane = scan.lane
    pulse = PulseId(scan.next_id())
    scan.facts.append(BoomOpenedManually(lane.setup.id, pulse, command.by, command.reason))
    scan.put(numbered=lane.numbered + 1, manual=pulse)
    scan.pulse(pulse, command.expires_mono_s)
    stays = lane.phase in OPEN_TO_ALL or lane.phase is Phase.FAULT
    if stays:
        return  # Limits that do not tell where the boom is would only end an opening as a fault.
    if lane.arrival is not None:
        scan.put(arrival=replace(lane.arrival, served=pulse))
    scan.enter(Phase.OPENING)


def _hold_open(scan: Scan, said: str) -> None:
    scan.unserve(scan.lane.manual)
    scan.put(held=True, releasing=False, pulse=None, manual=None)
    scan.enter(Phase.HELD_OPEN, said)


def _release(scan: Scan, said: str) -> None:
    waits = scan.lane.phase in WAITING
    scan.put(closed=None, releasing=_may_be_held(scan.lane))
    if waits:
        scan.enter(Phase.UNKNOWN, said)
    else:
        scan.note(said)
