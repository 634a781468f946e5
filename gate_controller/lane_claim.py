"""A lane's wait for the portal: is this user's place free at the other edges of the site?

The question goes out beside the commit, and its answer is an input with a deadline. An answer counts once, only
for the hold it names and only while that hold waits for it: what comes late, twice or for an older hold changes
nothing. Where nobody answers, the site's policy decides. Exits never wait and are never refused here.

Not here: who has the place (`arbiter`), and the way to whoever knows it (`sync.claims`).
"""

from dataclasses import replace
from typing import Final

from gate_controller.facts import Claimed, HoldId, Refused, Released, Unarbitrated
from gate_controller.lane_input import (
    ClaimAnswered,
    ClaimFailed,
)
from gate_controller.lane_scan import Scan
from gate_controller.lane_state import (
    Grant,
)
from gate_controller.moment import Moment
from gate_controller.reasons import Reason
from gate_controller.site import ClaimPolicy, Site

CLOCK_ERR_MS: Final = 1000
"""How far a clock that is set by a network may be off."""
DRIFT_PPM: Final = 100
"""How fast a clock that nobody sets may go wrong: four times a common quartz's 25 ppm, for cold and heat."""


def settle(scan: Scan) -> None:
    """Act on an answer, and on its absence once the time for it is over."""
    lane, said = scan.lane, scan.said
    for grant in (*((lane.current,) if lane.current is not None else ()), *lane.queue):
        if grant.claimed:
            continue
        match said if said is not None and said.hold == grant.fact.hold else None:
            case ClaimAnswered(fence=None, holder=holder):
                _refuse(scan, grant, Released.HELD_ELSEWHERE, _held(grant), holder)
            case ClaimAnswered(fence=int(fence)):
                _believe(scan, grant, fence)
            case ClaimFailed(why=why):
                _unanswered(scan, grant, why)
            case _ if lane.now >= grant.at + lane.setup.claim_within_s:
                _unanswered(scan, grant, "no answer in time")


def _believe(scan: Scan, grant: Grant, fence: int) -> None:
    """A portal that counts backwards has lost what it knew, so that its word is worth nothing."""
    known = scan.site.occupancy.of_user(grant.fact.user_id or "")
    if any(session.fence is not None and session.fence >= fence for session in known):
        _unanswered(scan, grant, f"fence {fence} went back")
        return
    scan.facts.append(Claimed(scan.lane.setup.id, grant.fact.hold, fence))
    _claimed(scan, grant.fact.hold)


def _unanswered(scan: Scan, grant: Grant, why: str) -> None:
    fact, policy = grant.fact, scan.site.rules.claims
    if policy is ClaimPolicy.DENY:
        _refuse(scan, grant, Released.PORTAL_UNREACHABLE, Reason.PORTAL_UNREACHABLE)
    elif policy is ClaimPolicy.DENY_IF_LOCAL_SAYS_INSIDE and fact.closes:
        _refuse(scan, grant, Released.PORTAL_UNREACHABLE, _held(grant))
    else:
        err_ms = clock_err_ms(scan.site, scan.now)
        scan.facts.append(Unarbitrated(scan.lane.setup.id, fact.hold, fact.user_id, why, err_ms))
        _claimed(scan, fact.hold)


def _refuse(scan: Scan, grant: Grant, why: Released, reason: Reason, holder: str = "") -> None:
    """Give the place back and say so; the vehicle in front may ask again, but not at every frame of its camera."""
    fact, lane = grant.fact, scan.lane
    mine = lane.arrival is not None and lane.arrival.served == fact.hold
    scan.release(grant, why)
    refused = Refused(
        lane.setup.id,
        fact.direction,
        reason,
        fact.user_id,
        fact.external_id,
        fact.plate,
        fact.basis,
        holder,
        fact.payer,
    )
    if not mine:
        scan.facts.append(refused)
        return
    scan.tell(refused, fact.basis.as_matched)
    if scan.lane.arrival is not None:
        until = lane.now + lane.setup.claim_again_after_s
        scan.put(arrival=replace(scan.lane.arrival, elsewhere=(fact.user_id or "", until)))


def _held(grant: Grant) -> Reason:
    return Reason.ANOTHER_VEHICLE_PARKED if grant.fact.plate else Reason.ALREADY_INSIDE


def _claimed(scan: Scan, hold: HoldId) -> None:
    def marked(grant: Grant) -> Grant:
        return replace(grant, claimed=True) if grant.fact.hold == hold else grant

    lane = scan.lane
    current = marked(lane.current) if lane.current is not None else None
    scan.put(current=current, queue=tuple(map(marked, lane.queue)))


def clock_err_ms(site: Site, now: Moment) -> int:
    """How far this edge's clock may be off, by how long nobody has confirmed anything to it."""
    alone = site.list_age(now)
    return CLOCK_ERR_MS + (0 if alone is None else round(alone.total_seconds() * DRIFT_PPM / 1000))
