"""The edge's side of asking the portal for a user's place: what to say of what happened, and what to repeat.

Pure, handed the time. A question is named by its hold, so that repeating it is harmless; it is repeated until it is
answered or its time is over, and never after. Nothing is kept for later: the journal tells the portal everything
else, only not as soon. When the wait is over is the lane's business, and what follows then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gate_controller.facts import Direction, Fact, Granted, HoldId, HoldReleased, Passed, SessionClosed
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from sync.messages import Claim

AGAIN_AFTER_S: Final = 0.1
"""Before a question is repeated."""
ASK_WITHIN_S: Final = 0.3
"""For how long a question is repeated; the lane waits no longer."""
WAITING_LEN_MAX: Final = 64
"""Questions waiting for an answer; a site has fewer lanes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question under way: repeated at `again_s`, no longer at `until_s`."""

    claim: Claim
    again_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Claims:
    """`waiting` are questions without an answer, `known` holds that the portal may believe to have a place."""

    waiting: Mapping[HoldId, Asked] = field(default_factory=dict)
    known: frozenset[HoldId] = frozenset()

    def ask(self, fact: Granted, now: Moment) -> tuple["Claims", Claim]:
        """A grant that needs its user's place."""
        claim = Claim(
            claim_id=fact.hold, action="enter", user=fact.user_id or "", at=now.wall, closes=list(fact.closes)
        )
        asked = Asked(claim, now.mono_s + AGAIN_AFTER_S, now.mono_s + ASK_WITHIN_S)
        kept = dict([*self.waiting.items()][1 - WAITING_LEN_MAX :])
        return replace(self, waiting={**kept, fact.hold: asked}, known=self.known | {fact.hold}), claim

    def happened(self, fact: Fact, before: Occupancy, now: Moment) -> tuple["Claims", list[Claim]]:
        """What to tell at once of a fact that gives a place back; `before` is the occupancy without it."""
        match fact:
            case HoldReleased(hold=hold) if hold in self.known:
                return self._without(hold), [Claim(claim_id=hold, action="cancel", at=now.wall)]
            case Passed(direction=Direction.IN, hold=hold):
                return self._without(hold), []
            case Passed(direction=Direction.OUT, hold=hold) if hold in before.holds:
                return self, self._left(before.holds[hold].closes, before, now)
            case SessionClosed(session=session):
                return self, self._left((session,), before, now)
        return self, []

    def answered(self, hold: HoldId) -> "Claims | None":
        """An answer came; None if nobody waits for it."""
        if hold not in self.waiting:
            return None
        return replace(self, waiting={key: asked for key, asked in self.waiting.items() if key != hold})

    def due(self, now_s: float) -> tuple["Claims", list[Claim]]:
        """What is to be asked once more by now; what has waited too long is forgotten."""
        if not self.waiting:
            return self, []
        waiting: dict[HoldId, Asked] = {}
        again: list[Claim] = []
        for hold, asked in self.waiting.items():
            if asked.until_s <= now_s:
                continue
            if asked.again_s <= now_s:
                again.append(asked.claim)
                asked = replace(asked, again_s=now_s + AGAIN_AFTER_S)
            waiting[hold] = asked
        return replace(self, waiting=waiting), again

    def deadline_s(self) -> float | None:
        """When `due` will next have something to do; None while nothing waits."""
        return min((min(a.again_s, a.until_s) for a in self.waiting.values()), default=None)

    def _without(self, hold: HoldId) -> "Claims":
        return replace(self.answered(hold) or self, known=self.known - {hold})

    def _left(self, sessions: tuple[HoldId, ...], before: Occupancy, now: Moment) -> list[Claim]:
        inside = {session.id: session for session in before.inside() if session.id in sessions}
        return [
            Claim(claim_id=id, action="leave", user=session.user_id, at=now.wall, fence=session.fence)
            for id, session in inside.items()
        ]
