"""One scan of a lane in progress, and the moves that several phases share.

A scan is the only mutable thing of a lane: it lives for one `lane.step`, which reads the lane and the facts out of
it at the end. Each move keeps the books straight: a hold that ends says so exactly once, a phase that matters to a
technician is a fact, and what a phase leaves behind (pulse, arrival, queue) goes where it belongs.
"""

from dataclasses import replace
from enum import Enum, auto
from typing import Any, Final

from gate_controller.devices.codec import PulseId
from gate_controller.facts import (
    AlarmRaised,
    Direction,
    Fact,
    Granted,
    HoldReleased,
    Opened,
    Passed,
    PhaseEntered,
    Refused,
    Released,
    Ungranted,
    UngrantedPassage,
    VehicleArrived,
    VehicleLeft,
)
from gate_controller.lane_input import (
    ClaimAnswered,
    ClaimFailed,
    ClearHold,
    Command,
)
from gate_controller.lane_state import (
    COMMITTED_TO_OPEN,
    DEAF,
    OPEN_TO_ALL,
    TOLD_LEN_MAX,
    UNDER_WAY,
    WAITING,
    Arrival,
    Credential,
    Crossing,
    Grant,
    Lane,
    Level,
    Phase,
    Pulse,
    Role,
    Seen,
    changed,
)
from gate_controller.moment import Moment
from gate_controller.site import Site

NOTABLE: Final = frozenset(
    {Phase.UNKNOWN, Phase.HELD_OPEN, Phase.CLOSED_LANE, Phase.FORCED_OPEN, Phase.FAULT, Phase.FIRE}
)
"""Phases whose coming and going is a fact of its own."""


class Crossed(Enum):
    """How a vehicle left the safety loop."""

    THROUGH = auto()
    ASSUMED = auto()
    BACK = auto()


UNCLAIMED: Final = frozenset({Released.HELD_ELSEWHERE, Released.PORTAL_UNREACHABLE})
"""Ends of a hold that never was to open: they do not count against the vehicle in front."""

GONE_LEN_MAX: Final = 4
"""Vehicles remembered after their passage; a further one comes too late to be taken for the first."""


class Scan:
    """The lane as it stands within one step, the facts so far, and what this step brought."""

    __slots__ = ("clearing", "command", "credential", "facts", "lane", "now", "said", "site")

    def __init__(self, lane: Lane, site: Site, now: Moment) -> None:
        self.lane = changed(lane, now=now.mono_s)
        self.site = site
        self.now = now
        self.facts: list[Fact] = []
        self.credential: Credential | None = None
        self.command: Command | None = None
        self.said: ClaimAnswered | ClaimFailed | None = None
        self.clearing: ClearHold | None = None

    def put(self, **changes: Any) -> None:
        """Replace fields of the lane."""
        self.lane = changed(self.lane, **changes)

    def enter(self, phase: Phase, why: str = "") -> None:
        """Go to a phase and start its clock."""
        if phase in NOTABLE or self.lane.phase in NOTABLE:
            self.facts.append(PhaseEntered(self.lane.setup.id, phase.value, why))
        crossing = self.lane.crossing if phase in UNDER_WAY else None
        self.put(phase=phase, since=self.lane.now, alarmed=False, crossing=crossing)
        if phase in DEAF:
            self.put(arrival=None, stray=None)

    def note(self, why: str) -> None:
        """Journal something about the present phase that does not end it yet."""
        self.facts.append(PhaseEntered(self.lane.setup.id, self.lane.phase.value, why))

    def alarm(self, name: str, detail: str = "") -> None:
        """Call for a person, once per stay in a phase."""
        if not self.lane.alarmed:
            self.facts.append(AlarmRaised(self.lane.setup.id, name, detail))
            self.put(alarmed=True)

    def next_id(self) -> str:
        """The id that the next hold or pulse will get; it is used up by whoever gives it out."""
        return f"{self.lane.setup.id}-{self.lane.run}-{self.lane.numbered + 1}"

    # ---- the approach ----

    def watch(self) -> None:
        """Notice who comes onto an approach loop and who goes away from it."""
        lane = self.lane
        if lane.phase in DEAF:
            return
        if lane.arrival is None:
            self._notice()
            return
        loop = lane.setup.approach(lane.arrival.direction)
        if lane.moved_on() and lane.off_for(loop, lane.setup.arrive_after_s):
            self.put(arrival=None)
        elif lane.off_for(loop, lane.setup.leave_after_s):
            self.facts.append(VehicleLeft(lane.setup.id))
            self.put(arrival=None)

    def _notice(self) -> None:
        lane = self.lane
        for direction in self._may_arm():
            loop = lane.setup.approach(direction)
            if loop is not lane.leaving and lane.on_for(loop, lane.setup.arrive_after_s):
                self.facts.append(VehicleArrived(lane.setup.id, direction))
                self.put(arrival=Arrival(direction, lane.now), side=direction)
                return

    def _may_arm(self) -> tuple[Direction, ...]:
        """A shared lane keeps its direction until nobody has business in it any more."""
        lane = self.lane
        if lane.setup.direction is not None:
            return (lane.setup.direction,)
        waiting = lane.phase in WAITING | OPEN_TO_ALL and lane.crossing is None
        free = waiting and lane.current is None and not lane.queue
        return (Direction.IN, Direction.OUT) if free else (lane.side,)

    def tell(self, refused: Refused, text: str) -> None:
        """Journal a refusal once for each text and reason of the vehicle in front; the driver sees the latest."""
        arrival = self.lane.arrival
        assert arrival is not None
        key = (text, refused.reason)
        told = arrival.told if key in arrival.told else (*arrival.told, key)[-TOLD_LEN_MAX:]
        if key not in arrival.told:
            self.facts.append(refused)
        self.put(arrival=replace(arrival, told=told, refusal=refused.reason))

    # ---- grants ----

    def grant(self, fact: Granted) -> None:
        """Take a hold: serve it now, or behind those who came before."""
        lane = self.lane
        self.facts.append(fact)
        grant = Grant(fact, lane.now, claimed=not needs_claim(fact, self.site))
        arrival = replace(lane.arrival, served=fact.hold, refusal=None) if lane.arrival else None
        self.put(numbered=lane.numbered + 1, arrival=arrival)
        if lane.phase in WAITING:
            self.put(current=grant)
            self.enter(Phase.AUTHORISING)
        elif lane.phase in OPEN_TO_ALL and lane.current is None:
            self.put(current=grant)
        else:
            self.put(queue=(*lane.queue, grant))

    def release(self, grant: Grant, why: Released, by: str = "", reason: str = "") -> None:
        """End a grant without passage."""
        lane = self.lane
        self.facts.append(HoldReleased(lane.setup.id, grant.fact.hold, why, by, reason))
        if lane.current is not None and lane.current.fact.hold == grant.fact.hold:
            self.put(current=None)
        self.put(queue=tuple(g for g in lane.queue if g.fact.hold != grant.fact.hold))
        self.withdraw(grant.fact.hold)
        self.unserve(grant.fact.hold, voided=why not in UNCLAIMED)

    def unserve(self, served: str | None, voided: bool = True) -> None:
        """The opening for the vehicle in front came to nothing; if it still stands there it is asked anew."""
        arrival = self.lane.arrival
        if arrival is not None and served is not None and arrival.served == served:
            again = replace(arrival, served=None, voided=arrival.voided + voided, at=self.lane.now, over=False)
            self.put(arrival=again)

    def stand_down(self, phase: Phase, why: str, opened: Released) -> None:
        """Drop everything that could still move the boom and go to a phase that is nobody's turn.

        The hold under the boom ends as `opened`; the others have expired, save in a fire: then the boom stands
        open to them too and nobody knows.
        """
        lane = self.lane
        waiting = Released.FIRE if phase is Phase.FIRE else Released.EXPIRED
        if lane.current is not None:
            self.release(lane.current, opened if lane.phase in COMMITTED_TO_OPEN else waiting)
        for grant in lane.queue:
            self.release(grant, waiting)
        self.put(pulse=None, manual=None, held=False, releasing=False)
        self.enter(phase, why)

    def serve(self, phase: Phase) -> None:
        """Open for the grant at the head of the queue, with its one pulse."""
        head, *rest = self.lane.queue
        self.put(current=replace(head, pulsed=True), queue=tuple(rest))
        self.pulse(PulseId(head.fact.hold))
        self.enter(phase)

    def pulse(self, pulse: PulseId, expires: float | None = None) -> None:
        """Show an opening pulse until it is sent, doubtful or too old."""
        setup = self.lane.setup
        latest = self.lane.now + setup.pulse_valid_for_s
        expires = latest if expires is None else min(expires, latest)
        self.put(pulse=Pulse(pulse, setup.pulse_width_s, expires))

    def withdraw(self, pulse: str | None) -> None:
        """Stop showing a pulse whose vehicle no longer needs it."""
        if self.lane.pulse is not None and self.lane.pulse.id == pulse:
            self.put(pulse=None)

    def opened(self, assumed: bool) -> None:
        """The boom is up."""
        hold = self.lane.current.fact.hold if self.lane.current else None
        self.facts.append(Opened(self.lane.setup.id, hold, assumed))
        self.enter(Phase.OPEN_WAIT)

    def requeue(self) -> None:
        """Put the current grant back in front, if it still has its pulse; otherwise it ends here."""
        current = self.lane.current
        if current is None:
            return
        if current.pulsed:
            self.release(current, Released.NO_ENTRY)
        else:
            self.put(current=None, queue=(current, *self.lane.queue))

    # ---- the boom line ----

    def cross(self) -> Crossed | None:
        """Follow a vehicle over the safety loop; how it left, once it has. The caller then closes its account."""
        lane, setup = self.lane, self.lane.setup
        crossing = lane.crossing
        if crossing is None:
            if lane.on(Role.SAFETY):
                grant = lane.current.fact if lane.current else None
                way = grant.direction if grant else lane.side
                self.put(crossing=Crossing(way, grant.hold if grant else None, lane.now))
            return None
        far = setup.far(crossing.direction)
        if far is not None and not crossing.far_seen and _turned_on(lane.levels.get(far), crossing.since):
            crossing = replace(crossing, far_seen=True)
            self.put(crossing=crossing)
        confirmed = crossing.far_seen or far is None
        if not lane.off_for(Role.SAFETY, setup.clear_for_s if confirmed else setup.confirm_within_s):
            return None
        if not confirmed:
            return Crossed.BACK
        return Crossed.ASSUMED if far is None else Crossed.THROUGH

    def went_through(self, crossing: Crossing, kind: Ungranted, assumed: bool) -> None:
        """The vehicle is through: on its grant if it has one, otherwise on none."""
        lane = self.lane
        grant = self._grant_of(crossing)
        if grant is None:
            self.facts.append(UngrantedPassage(lane.setup.id, crossing.direction, kind))
            self.withdraw(lane.manual)
            self._was_it(lane.manual)
            self._doubt_grants_since(crossing)
        else:
            self.facts.append(Passed(lane.setup.id, crossing.direction, grant.fact.hold, assumed))
            until = lane.now + lane.setup.same_vehicle_for_s
            seen = Seen(grant.fact.plate, grant.fact.basis.as_read, until)
            self.withdraw(grant.fact.hold)
            self.put(current=None, gone=(*(g for g in lane.gone if g.until > lane.now), seen)[-GONE_LEN_MAX:])
            self._was_it(grant.fact.hold)
        far = lane.setup.far(crossing.direction)
        leaving = far if far is not None and lane.on(far) else None
        self.put(crossing=None, manual=None, leaving=leaving)

    def _doubt_grants_since(self, crossing: Crossing) -> None:
        """A grant given while a vehicle crossed on none is void if nobody is left on the approach loop.

        It was that vehicle's, or one's that drove off behind it. Either way there is nobody to open for, and the
        user is neutral.
        """
        lane = self.lane
        if lane.on(lane.setup.approach(crossing.direction)):
            return
        for grant in (*((lane.current,) if lane.current else ()), *lane.queue):
            if grant.at >= crossing.since and not grant.pulsed:
                self.release(grant, Released.UNCONFIRMED)
        self._was_it(None)

    def turned_back(self, crossing: Crossing) -> None:
        """The vehicle left the safety loop, and nothing saw it beyond."""
        grant = self._grant_of(crossing)
        if grant is not None:
            on_approach = self.lane.on(self.lane.setup.approach(crossing.direction))
            self.release(grant, Released.BACK_OUT if on_approach else Released.UNCONFIRMED)
        self.put(crossing=None)

    def _grant_of(self, crossing: Crossing) -> Grant | None:
        current = self.lane.current
        return current if current is not None and current.fact.hold == crossing.hold else None

    def _was_it(self, served: str | None) -> None:
        """Whoever stood on the approach loop for this grant does so no longer; what is there now is the next."""
        arrival = self.lane.arrival
        if arrival is None:
            return
        mine = served is not None and arrival.served == served
        unserved_and_gone = arrival.served is None and self.lane.off(self.lane.setup.approach(arrival.direction))
        if mine or unserved_and_gone:
            self.put(arrival=None)


def needs_claim(fact: Granted, site: Site) -> bool:
    """Whether another edge of the site might have given this user's place away; an exit asks nobody."""
    return site.rules.claims is not None and fact.direction is Direction.IN and fact.user_id is not None


def _turned_on(level: Level | None, since: float) -> bool:
    """A loop that was covered all along tells nothing about this vehicle."""
    return level is not None and level.on and level.since >= since
