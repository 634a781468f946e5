"""What an input changes in a lane's memory, before any phase is looked at, and what grows old in it.

Not here: what a phase makes of it (`lane`), credentials (`lane_ask`) and orders (`lane_orders`), which a scan only
carries from here to there.
"""

from dataclasses import replace
from typing import assert_never

from gate_controller.facts import Direction, LogGap, Refused, Released
from gate_controller.lane_claim import settle
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
from gate_controller.lane_scan import Scan
from gate_controller.lane_state import (
    DEAF,
    OPEN_TO_ALL,
    Grant,
    Level,
    Phase,
    Role,
    StorePolicy,
)
from gate_controller.reasons import Reason


def absorb(scan: Scan, input: Input) -> None:
    """Remember what one input says; nothing moves yet but a doubted pulse."""
    match input:
        case Contact():
            _contact(scan, input)
        case ContactsLost():
            scan.put(levels={}, pulse=None, crossing=None, leaving=None, let_go=False, releasing=False)
        case Presented():
            scan.credential = input.credential
        case Committed():
            _mark(scan, input.hold, failed=False)
        case CommitFailed():
            _mark(scan, input.hold, failed=True)
        case ClaimAnswered() | ClaimFailed():
            scan.said = input
        case PulseSent():
            if scan.lane.pulse is not None and scan.lane.pulse.id == input.pulse:
                scan.put(pulse=None)
        case PulseUncertain():
            if scan.lane.pulse is not None and scan.lane.pulse.id == input.pulse:
                _doubt(scan, input.why)
        case Command():
            scan.command = input
        case ClearHold():
            scan.clearing = input
        case Tick():
            pass
        case _:
            assert_never(input)


def _contact(scan: Scan, contact: Contact) -> None:
    lane = scan.lane
    known = lane.levels.get(contact.role)
    if not lane.fitted(contact.role) or (known is not None and known.on == contact.on):
        return
    scan.put(levels={**lane.levels, contact.role: Level(contact.on, lane.now)})
    if contact.role is lane.leaving:
        scan.put(leaving=None)
    standing_open = lane.phase in OPEN_TO_ALL | DEAF and lane.crossing is None and lane.arrival is None
    if lane.setup.direction is None and standing_open and contact.on:
        if contact.role is Role.APPROACH:
            scan.put(side=Direction.IN)
        elif contact.role is Role.FAR:
            scan.put(side=Direction.OUT)


def _mark(scan: Scan, hold: str, failed: bool) -> None:
    def marked(grant: Grant) -> Grant:
        if grant.fact.hold != hold or grant.committed:
            return grant
        return replace(grant, failed=True) if failed else replace(grant, committed=True)

    lane = scan.lane
    current = marked(lane.current) if lane.current is not None else None
    scan.put(current=current, queue=tuple(marked(g) for g in lane.queue))


def _doubt(scan: Scan, why: str) -> None:
    """Limits will tell whether the boom moves; without them the outcome stays unknown."""
    lane = scan.lane
    scan.put(pulse=None)
    if lane.phase in (Phase.OPENING, Phase.OPEN_WAIT) and not lane.fitted(Role.CLOSED_LIMIT):
        scan.stand_down(Phase.FAULT, f"opening pulse: {why}", Released.OUTCOME_UNKNOWN)


def expire(scan: Scan) -> None:
    """What grows old in any phase: an unsent pulse, a grant unwritten or unclaimed, a queued one."""
    lane = scan.lane
    if lane.pulse is not None and lane.now >= lane.pulse.expires_mono_s:
        _doubt(scan, "not confirmed in time")
    for grant in (*((scan.lane.current,) if scan.lane.current else ()), *scan.lane.queue):
        late = lane.now >= grant.at + lane.setup.commit_within_s
        if not grant.committed and (grant.failed or late):
            _unwritten(scan, grant)
    settle(scan)
    for grant in scan.lane.queue:
        if lane.now >= grant.at + lane.setup.queued_for_s:
            scan.release(grant, Released.EXPIRED)


def _unwritten(scan: Scan, grant: Grant) -> None:
    """The lane's policy for a grant that the disk did not take; nobody is kept inside by a disk."""
    fact, setup = grant.fact, scan.lane.setup
    if setup.store_policy is StorePolicy.PASS or fact.direction is Direction.OUT:
        scan.facts.append(LogGap(setup.id, fact.hold, fact.user_id))
        _mark(scan, fact.hold, failed=False)
        return
    scan.release(grant, Released.STORE_UNAVAILABLE)
    scan.facts.append(
        Refused(
            setup.id,
            fact.direction,
            Reason.STORE_UNAVAILABLE,
            fact.user_id,
            fact.external_id,
            fact.plate,
            fact.basis,
            payer=fact.payer,
        )
    )
    if scan.lane.arrival is not None:
        scan.put(arrival=replace(scan.lane.arrival, refusal=Reason.STORE_UNAVAILABLE))
