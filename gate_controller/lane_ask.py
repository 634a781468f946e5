"""A lane's questions: which credential is put to `access.decide`, when, and what becomes of the answer.

Not here: the answer itself (`access`), and the opening that may follow (`lane`).
"""

from dataclasses import replace

from gate_controller.access import Ask, decide
from gate_controller.credentials import BadgeRead, CodeRead, PassRead, Shown
from gate_controller.facts import AlarmRaised, CredentialDropped, Direction, Granted, HoldId, Refused
from gate_controller.lane_scan import Scan
from gate_controller.lane_state import DEAF, OPEN_TO_ALL, WAITING, Credential, Lane, Stray
from gate_controller.lane_tries import limited
from gate_controller.plates import PlateRead
from gate_controller.reasons import Reason


def ask(scan: Scan) -> None:
    """Put to the rules what this scan brought, or the end of the time for it; at most one grant comes of it."""
    lane = scan.lane
    if lane.phase in DEAF:
        return
    if lane.arrival is None:
        _before_arrival(scan)
        return
    credential = scan.credential or _fresh_stray(scan)
    scan.put(stray=None)
    arrival = lane.arrival
    due = lane.read_due()
    over = due or arrival.over
    if arrival.served is not None or (credential is None and not due):
        return
    if lane.full():
        _drop(scan, credential)
        return
    best = _better(arrival.best, credential)
    seen = _surest(arrival.seen, credential)
    scan.put(arrival=replace(arrival, best=best, seen=seen, over=over))
    if arrival.voided >= lane.setup.voided_max and not isinstance(credential, Shown):
        _call_for_help(scan)
        # A camera would open an entry for a parked car all day; its driver may show something or come anew. At an
        # exit there is nowhere else to go, as when the street is full, so there the lane goes on.
        if arrival.direction is Direction.IN:
            return
    if due and (best is None or arrival.direction is Direction.OUT):
        credential = best
    elif credential is None:
        return
    _judge(scan, credential, over)


def _call_for_help(scan: Scan) -> None:
    """Once for each vehicle, whatever phases the lane goes through while it stands there."""
    arrival = scan.lane.arrival
    if arrival is not None and not arrival.dawdled:
        detail = f"{arrival.voided} openings came to nothing"
        scan.facts.append(AlarmRaised(scan.lane.setup.id, "dawdling", detail))
        scan.put(arrival=replace(arrival, dawdled=True))


def _before_arrival(scan: Scan) -> None:
    """A read on the way up is kept for the arrival; a badge or code without a vehicle is refused there and then."""
    lane, credential = scan.lane, scan.credential
    if credential is None or lane.phase not in WAITING | OPEN_TO_ALL:
        return
    again = _fresh_stray(scan)
    scan.put(stray=Stray(credential, lane.now))
    repeated = again is not None and _text(again) == _text(credential)
    if isinstance(credential, Shown) and lane.phase in WAITING and not repeated:
        question = Ask(lane.setup.id, lane.side, credential, _hold(scan), False, lane.setup.exit_policy, False)
        verdict = decide(question, scan.site, scan.now)
        if isinstance(verdict, Refused):
            scan.facts.append(verdict)


def _judge(scan: Scan, credential: Credential | None, over: bool) -> None:
    lane, arrival = scan.lane, scan.lane.arrival
    assert arrival is not None
    question = Ask(
        lane.setup.id, arrival.direction, credential, _hold(scan), True, lane.setup.exit_policy, over, arrival.seen
    )
    verdict = decide(question, scan.site, scan.now)
    if isinstance(credential, PlateRead) and _same_vehicle(lane, verdict):
        return
    if isinstance(credential, CodeRead):
        verdict = limited(scan, credential, verdict)
    if lane.closed is not None:
        verdict = _closed_to(verdict)
    if isinstance(verdict, Granted):
        if arrival.elsewhere is None or verdict.user_id != arrival.elsewhere[0] or lane.now >= arrival.elsewhere[1]:
            scan.grant(verdict)
        return
    early = arrival.direction is Direction.OUT and not over and isinstance(credential, PlateRead)
    if not (early and verdict.reason is Reason.NOT_INSIDE):
        scan.tell(verdict, _text(credential))


def _closed_to(verdict: Granted | Refused) -> Granted | Refused:
    """A closed lane still lets out whoever has an open session, and nobody else."""
    if isinstance(verdict, Granted) and verdict.direction is Direction.OUT and verdict.closes:
        return verdict
    return Refused(
        verdict.lane,
        verdict.direction,
        Reason.LANE_CLOSED,
        verdict.user_id,
        verdict.external_id,
        verdict.plate,
        verdict.basis,
        payer=verdict.payer,
    )


def _same_vehicle(lane: Lane, verdict: Granted | Refused) -> bool:
    """Whether this is a vehicle already granted here, or the tail of one that just went through.

    Of plates only: a badge that comes again with another vehicle was handed back, and that is to be told.
    """
    grants = (*((lane.current,) if lane.current else ()), *lane.queue)
    known = [(g.fact.plate, g.fact.basis.as_read) for g in grants]
    known += [(g.plate, g.as_read) for g in lane.gone if g.until > lane.now]
    plate, text = verdict.plate, verdict.basis.as_read
    return any((plate and plate == p) or (text and text == t) for p, t in known)


def _drop(scan: Scan, credential: Credential | None) -> None:
    arrival = scan.lane.arrival
    if credential is None or arrival is None or arrival.dropped:
        return
    kind = {BadgeRead: "badge", CodeRead: "code", PassRead: "pass"}.get(type(credential), "plate")
    scan.facts.append(CredentialDropped(scan.lane.setup.id, kind))
    scan.put(arrival=replace(arrival, dropped=True))


def _hold(scan: Scan) -> HoldId:
    return HoldId(scan.next_id())


def _fresh_stray(scan: Scan) -> Credential | None:
    stray = scan.lane.stray
    if stray is None or scan.lane.now >= stray.at + scan.lane.setup.read_for_s:
        return None
    return stray.credential


def _text(credential: Credential | None) -> str:
    if credential is None:
        return ""
    return credential.plate.key if isinstance(credential, PlateRead) else credential.text


def _surest(seen: PlateRead | None, new: Credential | None) -> PlateRead | None:
    if not isinstance(new, PlateRead) or (seen is not None and seen.confidence > new.confidence):
        return seen
    return new


def _better(best: Credential | None, new: Credential | None) -> Credential | None:
    """The credential to judge an exit by when its time is over: the surest plate, or what was shown after it."""
    if isinstance(best, PlateRead) and isinstance(new, PlateRead):
        return _surest(best, new)
    return new if new is not None else best
