"""The lane: one barrier, one vehicle at a time, as a Moore machine.

The theory, in one page.

**A scan, like a programmable controller's.** `step` first absorbs its one input into what the lane remembers
(levels of contacts, a credential, an order), then asks, then obeys, then moves from phase to phase until nothing
changes. Phases look at levels, never at edges: the safety loop may be covered before the boom rises, and a
contact that came while another phase was on must count all the same. Nothing waits inside; `deadline` says when
to call again.

**Only `outputs` moves the boom.** An opening is a pulse with an id and an expiry, shown until the codec confirms
it, doubts it, or it grows too old. A grant has one pulse in its life; the id of the pulse is the id of the hold.
A doubted pulse is never repeated: limits tell the outcome, and a lane without limits goes to FAULT. There is no
output that closes: the barrier's own controller closes behind the vehicle, and its hard-wired loop, beam and
force limit are the safety, never this program.

**A grant is asked for before it is given.** `decide` grants, which takes the user's place (a hold); AUTHORISING
waits for the disk, or for its 100 ms and the lane's policy, and at an entry of a site of several edges for the
portal's word that the user's place is free there too, or for its 300 ms and the site's policy; only then the pulse.
Every hold ends in exactly one
`Passed` or `HoldReleased`. Presence changes with `Passed`, never with a grant.

**One vehicle, one question.** An arrival is a vehicle on the approach loop. Until it is served every credential
is asked about, so that a list that changes admits it at its next read; each refusal is told once. Once it is
served, whatever the camera still reads of it is ignored. The next vehicle may queue while the first one is under
way.

**Who wins.** Fire over everything; then silence of the board, which makes the position unknown and voids pulse,
holds and orders to stand open; then a fault. FIRE and FAULT stay, even through silence, until a person
acknowledges. A lane closed by order stays closed through all of them until it is released.

`step` never changes the site. It grants at most once, and before anything else could end a hold in the same
step, so that the site it was given is the truth it decides on; the caller folds the facts before the next step.

**A boom that is held stays held.** Only a person lets go of the hold relay, and only beside a clear safety loop;
where the lane cannot know whether the relay is on, it leaves it alone (`lane_hold`).

Deadlines use monotonic seconds only. Not here: who may pass (`access`), bytes (`devices`), the words
(`lane_state`, `lane_input`), what an input changes (`lane_absorb`), which credential is asked about (`lane_ask`),
the wait for the portal (`lane_claim`), orders (`lane_orders`), the moves that phases share (`lane_scan`), what is
shown (`lane_outputs`).
"""

from dataclasses import replace
from typing import Final, assert_never

from gate_controller.devices.codec import PulseId
from gate_controller.facts import (
    Direction,
    Fact,
    LaneStarted,
    Released,
    Ungranted,
)
from gate_controller.lane_absorb import absorb, expire
from gate_controller.lane_ask import ask
from gate_controller.lane_hold import doubt, let_go
from gate_controller.lane_input import (
    ClaimAnswered,
    ClaimFailed,
    ClearHold,
    Command,
    CommitFailed,
    Committed,
    Contact,
    ContactsLost,
    Input,
    Presented,
    PulseSent,
    PulseUncertain,
    Tick,
)
from gate_controller.lane_orders import clear, obey
from gate_controller.lane_outputs import deadline, outputs
from gate_controller.lane_scan import Crossed, Scan
from gate_controller.lane_state import (
    Lane,
    LaneSetup,
    Order,
    Outputs,
    Phase,
    Pulse,
    Role,
    StorePolicy,
)
from gate_controller.moment import Moment
from gate_controller.site import Site

__all__ = [
    "ClaimAnswered",
    "ClaimFailed",
    "ClearHold",
    "Command",
    "CommitFailed",
    "Committed",
    "Contact",
    "ContactsLost",
    "Input",
    "Lane",
    "LaneSetup",
    "Order",
    "Outputs",
    "Phase",
    "Presented",
    "Pulse",
    "PulseSent",
    "PulseUncertain",
    "Role",
    "StorePolicy",
    "Tick",
    "deadline",
    "outputs",
    "start",
    "step",
]

ROUNDS_MAX: Final = 16
"""Phases that one scan may go through; more would be a circle, which is a bug."""


def start(setup: LaneSetup, run: str, now: Moment) -> tuple[Lane, list[Fact]]:
    """A lane that knows nothing yet. `run` is unique to this start of the program: ids are f"{lane}-{run}-{n}"."""
    side = setup.direction or Direction.IN
    lane = Lane(setup=setup, run=run, phase=Phase.UNKNOWN, since=now.mono_s, now=now.mono_s, side=side)
    return lane, [LaneStarted(setup.id)]


def step(lane: Lane, input: Input, site: Site, now: Moment) -> tuple[Lane, list[Fact]]:
    """The lane after one input, and what happened, in order. `now` never goes back."""
    scan = Scan(lane, site, now)
    absorb(scan, input)
    _overrule(scan)
    scan.watch()
    ask(scan)
    obey(scan)
    clear(scan)
    for _ in range(ROUNDS_MAX):
        before = scan.lane
        _overrule(scan)
        expire(scan)
        _advance(scan)
        let_go(scan)
        scan.watch()
        if scan.lane == before:
            return scan.lane, scan.facts
    raise AssertionError(f"lane {lane.setup.id} does not settle in {scan.lane.phase}")


# ---- what overrules every phase ----


def _overrule(scan: Scan) -> None:
    lane = scan.lane
    if lane.on(Role.FIRE):
        if lane.phase is not Phase.FIRE:
            scan.stand_down(Phase.FIRE, "fire contact", Released.FIRE)
    elif lane.phase in (Phase.FIRE, Phase.FAULT):
        return
    elif not lane.complete():
        if lane.phase is not Phase.UNKNOWN:
            scan.stand_down(Phase.UNKNOWN, "the board is silent", Released.FAULT)
        scan.put(since=lane.now)
    elif lane.on(Role.FAULT):
        scan.stand_down(Phase.FAULT, "the barrier reports a fault", Released.FAULT)
    elif lane.contradicts():
        scan.stand_down(Phase.FAULT, "both limits at once", Released.FAULT)


# ---- advance: one row of the table at a time ----


def _advance(scan: Scan) -> None:
    phase = scan.lane.phase
    match phase:
        case Phase.UNKNOWN:
            _unknown(scan)
        case Phase.IDLE:
            _idle(scan)
        case Phase.ARMED:
            _armed(scan)
        case Phase.AUTHORISING:
            _authorising(scan)
        case Phase.OPENING:
            _opening(scan)
        case Phase.OPEN_WAIT:
            _open_wait(scan)
        case Phase.PASSING:
            _passing(scan)
        case Phase.CLEARED:
            _cleared(scan)
        case Phase.CLOSING:
            _closing(scan)
        case Phase.HELD_OPEN:
            _held_open(scan)
        case Phase.CLOSED_LANE:
            _closed_lane(scan)
        case Phase.FORCED_OPEN:
            _forced_open(scan)
        case Phase.FAULT:
            _follow(scan, Ungranted.MANUAL if scan.lane.manual else Ungranted.FORCED)
        case Phase.FIRE:
            _follow(scan, Ungranted.FIRE)
        case _:
            assert_never(phase)


def _unknown(scan: Scan) -> None:
    lane, setup = scan.lane, scan.lane.setup
    if not lane.complete():
        return
    if not lane.fitted(Role.CLOSED_LIMIT):
        if lane.after(setup.unknown_for_s):
            scan.enter(Phase.IDLE, "no limits fitted")
            doubt(scan)
    elif lane.on_for(Role.CLOSED_LIMIT, setup.stable_for_s) and not lane.on(Role.OPEN_LIMIT):
        scan.enter(Phase.IDLE, "the boom is closed")
    elif lane.on_for(Role.OPEN_LIMIT, setup.stable_for_s) and not lane.on(Role.CLOSED_LIMIT):
        scan.enter(Phase.HELD_OPEN, "the boom was found open")
    elif lane.off(Role.CLOSED_LIMIT) and lane.after(setup.close_within_s):
        if lane.on(Role.OPEN_LIMIT):
            return
        if lane.fitted(Role.OPEN_LIMIT):
            scan.stand_down(Phase.FAULT, "the boom stands between its limits", Released.FAULT)
        else:
            scan.enter(Phase.HELD_OPEN, "the boom was found open")


def _left_closed_limit(scan: Scan) -> bool:
    """The boom rose without us: by hand (then people know), or by force."""
    lane = scan.lane
    if not lane.off(Role.CLOSED_LIMIT):
        return False
    if lane.on(Role.MANUAL):
        scan.enter(Phase.HELD_OPEN, "opened by hand")
    else:
        scan.enter(Phase.FORCED_OPEN, "the boom left its closed limit")
    return True


def _idle(scan: Scan) -> None:
    lane = scan.lane
    if lane.queue:
        head, *rest = lane.queue
        scan.put(current=head, queue=tuple(rest))
        scan.enter(Phase.AUTHORISING)
    elif _left_closed_limit(scan):
        return
    elif lane.closed is not None:
        scan.enter(Phase.CLOSED_LANE, lane.closed)
    elif lane.arrival is not None:
        scan.enter(Phase.ARMED)


def _armed(scan: Scan) -> None:
    if _left_closed_limit(scan):
        return
    if scan.lane.closed is not None or scan.lane.arrival is None:
        scan.enter(Phase.IDLE)


def _authorising(scan: Scan) -> None:
    lane = scan.lane
    if lane.current is None:
        scan.enter(Phase.ARMED if lane.arrival else Phase.IDLE)
    elif lane.current.settled:
        scan.put(current=None, queue=(lane.current, *lane.queue))
        scan.serve(Phase.OPENING)
    elif lane.arrival is None:
        scan.release(lane.current, Released.EXPIRED)
        scan.enter(Phase.IDLE)


def _opening(scan: Scan) -> None:
    lane = scan.lane
    if lane.on(Role.OPEN_LIMIT):
        scan.opened(assumed=False)
    elif lane.on(Role.SAFETY):
        scan.enter(Phase.PASSING)
    elif lane.after(lane.setup.open_within_s):
        if lane.fitted(Role.OPEN_LIMIT) or lane.on(Role.CLOSED_LIMIT):
            scan.stand_down(Phase.FAULT, "the boom did not open", Released.FAULT)
        else:
            scan.opened(assumed=True)


def _open_wait(scan: Scan) -> None:
    lane = scan.lane
    limit = lane.levels.get(Role.CLOSED_LIMIT)
    came_down = limit is not None and limit.since >= lane.since
    closed_again = came_down and lane.on_for(Role.CLOSED_LIMIT, lane.setup.stable_for_s)
    if lane.on(Role.SAFETY):
        scan.enter(Phase.PASSING)
    elif (closed_again or lane.after(lane.setup.enter_within_s)) and lane.off(Role.SAFETY):
        if lane.current is not None:
            scan.release(lane.current, Released.NO_ENTRY)
        _close(scan)


def _passing(scan: Scan) -> None:
    crossed, crossing = scan.cross(), scan.lane.crossing
    if crossed is None or crossing is None:
        if scan.lane.on_for(Role.SAFETY, scan.lane.setup.obstructed_after_s):
            scan.alarm("obstructed", "a vehicle stands under the boom")
    elif crossed is Crossed.BACK:
        scan.turned_back(crossing)
        _close(scan)
    else:
        kind = Ungranted.MANUAL if scan.lane.manual else Ungranted.TAILGATE
        scan.went_through(crossing, kind, assumed=crossed is Crossed.ASSUMED)
        scan.enter(Phase.CLEARED)


def _close(scan: Scan, why: str = "") -> None:
    """Wait for the barrier's own controller to close; nothing here makes it."""
    scan.withdraw(scan.lane.manual)
    scan.unserve(scan.lane.manual)
    scan.put(manual=None)
    scan.enter(Phase.CLOSING, why)


def _cleared(scan: Scan) -> None:
    lane = scan.lane
    if lane.queue:
        if lane.queue[0].settled:
            down = lane.on(Role.CLOSED_LIMIT) or (lane.fitted(Role.OPEN_LIMIT) and lane.off(Role.OPEN_LIMIT))
            scan.serve(Phase.OPENING if down else Phase.OPEN_WAIT)
    elif lane.on(Role.SAFETY):
        scan.enter(Phase.PASSING)
    else:
        _close(scan)


def _closing(scan: Scan) -> None:
    lane = scan.lane
    if lane.queue:
        if lane.queue[0].settled:
            scan.serve(Phase.OPENING)
    elif lane.on(Role.SAFETY):
        scan.enter(Phase.PASSING)
    elif lane.on(Role.CLOSED_LIMIT):
        scan.enter(Phase.IDLE)
    elif lane.after(lane.setup.close_within_s):
        if lane.fitted(Role.CLOSED_LIMIT):
            scan.stand_down(Phase.FAULT, "the boom did not close", Released.FAULT)
        else:
            scan.enter(Phase.IDLE)


def _held_open(scan: Scan) -> None:
    by_hand = scan.lane.on(Role.MANUAL) or scan.lane.manual is not None
    _follow(scan, Ungranted.MANUAL if by_hand else Ungranted.HELD_OPEN)
    _serve_open(scan)
    lane = scan.lane
    shut = lane.on_for(Role.CLOSED_LIMIT, lane.setup.stable_for_s)
    if lane.releasing and lane.crossing is None and lane.off(Role.SAFETY):
        scan.requeue()
        scan.put(held=False, releasing=False, let_go=True)
        _close(scan, "released")
    elif lane.held:
        if lane.on(Role.CLOSED_LIMIT) and lane.after(lane.setup.open_within_s):
            scan.stand_down(Phase.FAULT, "the boom did not open", Released.FAULT)
    elif shut and lane.pulse is None:
        _come_down(scan)
    elif lane.after(lane.setup.held_open_alarm_after_s):
        scan.alarm("held_open", "the boom stands open and nobody ordered it")


def _closed_lane(scan: Scan) -> None:
    _left_closed_limit(scan)


def _forced_open(scan: Scan) -> None:
    _follow(scan, Ungranted.MANUAL if scan.lane.manual else Ungranted.FORCED)
    _serve_open(scan)
    lane = scan.lane
    shut = lane.on_for(Role.CLOSED_LIMIT, lane.setup.stable_for_s)
    if shut and lane.pulse is None:
        _come_down(scan)
    elif lane.after(lane.setup.forced_open_alarm_after_s):
        scan.alarm("forced_open", "the boom is off its closed limit and nobody opened it, or the limit is broken")


def _come_down(scan: Scan) -> None:
    scan.requeue()
    scan.put(manual=None)
    scan.enter(Phase.IDLE, "the boom is closed")


def _serve_open(scan: Scan) -> None:
    """While the boom stands open a grant needs no pulse, but still its own vehicle.

    An exit gets its pulse all the same, see `_pulse_out`.
    """
    lane = scan.lane
    current = lane.current
    late = current is not None and lane.now >= current.at + lane.setup.enter_within_s
    if current is not None and late and lane.crossing is None:
        scan.release(current, Released.NO_ENTRY)
    elif current is None and lane.queue:
        scan.put(current=replace(lane.queue[0], at=lane.now), queue=lane.queue[1:])
    _pulse_out(scan)


def _pulse_out(scan: Scan) -> None:
    """A closed limit whose wire is broken says open of a boom that is shut; nobody is kept inside by a wire."""
    lane, current = scan.lane, scan.lane.current
    if current is None or current.fact.direction is Direction.IN or not current.settled or current.pulsed:
        return
    seen_open = lane.held or lane.on(Role.OPEN_LIMIT) or lane.crossing is not None
    if not seen_open and lane.pulse is None:
        scan.put(current=replace(current, pulsed=True))
        scan.pulse(PulseId(current.fact.hold))


def _follow(scan: Scan, kind: Ungranted) -> None:
    """Count who crosses while the boom stands open to all."""
    crossed, crossing = scan.cross(), scan.lane.crossing
    if crossed is None or crossing is None:
        return
    if crossed is Crossed.BACK:
        scan.turned_back(crossing)
    else:
        scan.went_through(crossing, kind, assumed=crossed is Crossed.ASSUMED)
