"""Who is inside, who is on the way in, and whose record is in doubt: a fold over facts.

A grant takes a hold; only a confirmed passage turns it into a session, and anything else releases it. A user
whose movement was interrupted (fault, fire, power cut, manual opening) is neutral: the next movement is believed
and corrects the record. Nothing here refuses anyone; `access.decide` asks and judges.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from rapidfuzz.distance import Levenshtein

from gate_controller.facts import (
    Claimed,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    LogGap,
    Passed,
    Released,
    SessionClosed,
    Unarbitrated,
    Ungranted,
    UngrantedPassage,
)
from gate_controller.reasons import Note

DOUBTFUL: Final = frozenset(
    {Released.UNCONFIRMED, Released.FAULT, Released.FIRE, Released.OUTCOME_UNKNOWN, Released.OPERATOR}
)
"""Releases after which nobody knows whether the vehicle went through."""


NEAREST_CUTOFF: Final = 2
NEAREST_MARGIN: Final = 2
"""Edits: a misread exit pairs with a plate inside this near, and only if the next is this much farther."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A user's place, from grant to passage or release; `fence` is the portal's for it, if it was asked.

    `contract`, `payer`, `group` and `spends` are the grant's.
    """

    id: HoldId
    lane: LaneId
    direction: Direction
    user_id: str | None
    external_id: str
    plate: str
    credential: str
    closes: tuple[HoldId, ...]
    notes: tuple[Note, ...]
    fence: int | None = None
    contract: str = ""
    payer: str = ""
    group: str = ""
    spends: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParkingSession:
    """One vehicle inside, named by the hold of its grant.

    `plate` is "" when it entered by badge without a readable plate; `credential` is what it entered by, as it
    stands on the list, so that it can leave by it even after its user was deleted. `fence` is the portal's for the
    user's place, None where it was not asked or did not answer. What the user is called, the contract and who pays
    are those of the entry, whatever becomes of the user; `group` is whose quota the vehicle counts to.
    """

    id: HoldId
    user_id: str
    external_id: str
    plate: str
    credential: str
    lane: LaneId
    entered_at: datetime
    notes: tuple[Note, ...] = ()
    fence: int | None = None
    contract: str = ""
    payer: str = ""
    group: str = ""

    def closed(self, why: Closed, by: str = "", reason: str = "") -> SessionClosed:
        """The fact that ends this session without a passage of its own."""
        return SessionClosed(
            self.id, self.user_id, self.plate, why, by, reason, self.external_id, self.contract, self.payer
        )


@dataclass(frozen=True, slots=True)
class Occupancy:
    """All holds and sessions at one instant; `fold` gives the next.

    `anonymous` counts vehicles inside without a user (tailgates, unidentified exits make it negative, which
    means the record is behind). `neutral` holds the ids of users whose next movement is believed. `spent` holds
    what let somebody in and was good for that once, each until it is over anyway.
    """

    holds: Mapping[HoldId, Hold] = field(default_factory=dict)
    sessions: Mapping[str, tuple[ParkingSession, ...]] = field(default_factory=dict)
    neutral: frozenset[str] = frozenset()
    anonymous: int = 0
    spent: Mapping[str, datetime] = field(default_factory=dict)

    def of_user(self, user_id: str) -> tuple[ParkingSession, ...]:
        """The user's open sessions, oldest first."""
        return self.sessions.get(user_id, ())

    def holds_of(self, user_id: str) -> tuple[Hold, ...]:
        """The user's holds on the way in."""
        return tuple(h for h in self.holds.values() if h.user_id == user_id and h.direction is Direction.IN)

    def by_plate(self, plate: str) -> ParkingSession | None:
        """The open session of exactly this plate, if there is one."""
        return next((s for s in self.inside() if s.plate == plate), None)

    def by_credential(self, credential: str) -> ParkingSession | None:
        """The open session that was entered by exactly this credential."""
        return next((s for s in self.inside() if s.credential == credential), None)

    def used(self, credential: str) -> bool:
        """Whether a credential that lets in once has done so, or is about to."""
        return credential in self.spent or any(
            hold.credential == credential and hold.direction is Direction.IN for hold in self.holds.values()
        )

    def inside(self) -> Iterable[ParkingSession]:
        """Every open session."""
        return (s for sessions in self.sessions.values() for s in sessions)

    def taken(self) -> int:
        """Vehicles inside or on their way in: what a capacity is compared with."""
        inside = sum(len(s) for s in self.sessions.values())
        on_the_way = sum(1 for h in self.holds.values() if h.direction is Direction.IN)
        return max(0, inside + on_the_way + self.anonymous)

    def taken_of_group(self, group: str) -> int:
        """Vehicles inside or on their way in that count to the quota of a group."""
        inside = sum(1 for session in self.inside() if session.group == group)
        return inside + sum(1 for h in self.holds.values() if h.direction is Direction.IN and h.group == group)

    def nearest(self, plate: str) -> ParkingSession | None:
        """The one open session whose plate is nearest to a misread one, or None.

        It must lie within `NEAREST_CUTOFF` edits and be `NEAREST_MARGIN` edits nearer than any other plate
        inside. Only an exit may use this: a mistake there closes a wrong session, it never lets a stranger in.
        """
        reach = NEAREST_CUTOFF + NEAREST_MARGIN
        ranked = sorted(
            ((Levenshtein.distance(plate, s.plate, score_cutoff=reach), s) for s in self.inside() if s.plate),
            key=lambda pair: pair[0],
        )
        if not ranked or ranked[0][0] > NEAREST_CUTOFF:
            return None
        if len(ranked) > 1 and ranked[1][0] - ranked[0][0] < NEAREST_MARGIN:
            return None
        return ranked[0][1]

    def expired(self, now: datetime, after: timedelta) -> tuple[SessionClosed, ...]:
        """The facts that close every session older than `after`."""
        return tuple(s.closed(Closed.EXPIRED) for s in self.inside() if now - s.entered_at > after)

    def fold(self, fact: Fact, at: datetime) -> "Occupancy":
        """The occupancy after `fact`, which happened at wall time `at`."""
        match fact:
            case Granted():
                return self._hold(fact)
            case Claimed():
                return self._claim(fact)
            case Passed():
                return self._pass(fact, at)
            case HoldReleased():
                return self._release(fact)
            case SessionClosed():
                return self._gone_unseen(fact.user_id, (fact.session,))
            case LogGap():
                in_doubt = set() if fact.user_id is None else {fact.user_id}
                noted = self._noted(fact.hold, Note.LOG_GAP)
                return replace(noted, neutral=noted.neutral | in_doubt)
            case Unarbitrated():
                return self._noted(fact.hold, Note.DEGRADED)
            case UngrantedPassage():
                return self._ungranted(fact)
            case _:
                return self

    def _hold(self, fact: Granted) -> "Occupancy":
        hold = Hold(
            id=fact.hold,
            lane=fact.lane,
            direction=fact.direction,
            user_id=fact.user_id,
            external_id=fact.external_id,
            plate=fact.plate,
            credential=fact.basis.as_matched,
            closes=fact.closes,
            notes=fact.notes,
            contract=fact.contract,
            payer=fact.payer,
            group=fact.group,
            spends=fact.spends,
        )
        return replace(self, holds={**self.holds, hold.id: hold})

    def _claim(self, fact: Claimed) -> "Occupancy":
        hold = self.holds.get(fact.hold)
        if hold is None:
            return self
        return replace(self, holds={**self.holds, hold.id: replace(hold, fence=fact.fence)})

    def _without(self, hold_id: HoldId) -> tuple["Occupancy", Hold | None]:
        hold = self.holds.get(hold_id)
        if hold is None:
            return self, None
        return replace(self, holds={k: v for k, v in self.holds.items() if k != hold_id}), hold

    def _pass(self, fact: Passed, at: datetime) -> "Occupancy":
        rest, hold = self._without(fact.hold)
        if hold is None:
            return self
        if hold.user_id is None:
            return rest._counted(hold.direction)
        leaves = hold.direction is Direction.OUT
        rest = (rest._close if leaves else rest._gone_unseen)(hold.user_id, hold.closes)
        rest = replace(rest, neutral=rest.neutral - {hold.user_id})
        if leaves:
            return rest._left_without_session(hold.user_id) if not hold.closes else rest
        session = ParkingSession(
            id=hold.id,
            user_id=hold.user_id,
            external_id=hold.external_id,
            plate=hold.plate,
            credential=hold.credential,
            lane=hold.lane,
            entered_at=at,
            notes=hold.notes,
            fence=hold.fence,
            contract=hold.contract,
            payer=hold.payer,
            group=hold.group,
        )
        own = (*rest.of_user(hold.user_id), session)
        return replace(rest._spending(hold, at), sessions={**rest.sessions, hold.user_id: own})

    def _spending(self, hold: Hold, at: datetime) -> "Occupancy":
        if hold.spends is None:
            return self
        live = {credential: until for credential, until in self.spent.items() if until > at}
        return replace(self, spent={**live, hold.credential: hold.spends})

    def _left_without_session(self, user_id: str) -> "Occupancy":
        """A known user left by another vehicle than the books say: whichever is still inside is in doubt."""
        counted = self._counted(Direction.OUT)
        return replace(counted, neutral=counted.neutral | {user_id}) if self.of_user(user_id) else counted

    def _counted(self, direction: Direction) -> "Occupancy":
        """One vehicle more or fewer that belongs to nobody; the total inside never falls below zero."""
        if direction is Direction.IN:
            return replace(self, anonymous=self.anonymous + 1)
        return replace(self, anonymous=max(self.anonymous - 1, -sum(map(len, self.sessions.values()))))

    def _ungranted(self, fact: UngrantedPassage) -> "Occupancy":
        counted = self._counted(fact.direction)
        if fact.direction is Direction.IN or fact.kind is Ungranted.TAILGATE:
            return counted
        return replace(counted, neutral=counted.neutral | frozenset(self.sessions))

    def _release(self, fact: HoldReleased) -> "Occupancy":
        rest, hold = self._without(fact.hold)
        if hold is None or hold.user_id is None or fact.why not in DOUBTFUL:
            return rest
        return replace(rest, neutral=rest.neutral | {hold.user_id})

    def _noted(self, hold_id: HoldId, note: Note) -> "Occupancy":
        """What is learned of a grant after it was given, for the session that comes of it."""
        hold = self.holds.get(hold_id)
        if hold is None:
            return self
        return replace(self, holds={**self.holds, hold_id: replace(hold, notes=(*hold.notes, note))})

    def _close(self, user_id: str, ids: tuple[HoldId, ...]) -> "Occupancy":
        own = self.of_user(user_id)
        left = tuple(s for s in own if s.id not in ids)
        if len(left) == len(own):
            return self
        sessions = {k: v for k, v in self.sessions.items() if k != user_id}
        if left:
            sessions[user_id] = left
        return replace(self, sessions=sessions)

    def _gone_unseen(self, user_id: str, ids: tuple[HoldId, ...]) -> "Occupancy":
        """Sessions whose vehicles left without being recognised: their exits were counted as nobody's already."""
        rest = self._close(user_id, ids)
        ended = len(self.of_user(user_id)) - len(rest.of_user(user_id))
        return replace(rest, anonymous=min(rest.anonymous + ended, max(rest.anonymous, 0)))
