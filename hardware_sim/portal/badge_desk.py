"""The portal's answers to desks that hand out badges: number, badge, contracts and permits in one change, or none.

The rule is `gate_controller.desk`'s, asked of the list as it is when the change is made, so that two desks cannot
give one badge twice. A question that comes again finds its own work done and gets the same answer. Who may stand
at a desk, and the checks of papers before, are not here.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from gate_controller.allowlist import Allowlist, Change, PermitPut, UserPut
from gate_controller.contracts import business, private
from gate_controller.credentials import Badge, BadgeRead
from gate_controller.desk import enrolled, may_enrol
from gate_controller.errors import BadgeError, ListRejected, MessageRefused
from gate_controller.reasons import Reason
from gate_controller.users import User
from hardware_sim.portal import newcomers
from hardware_sim.portal.ingest import Ingest
from hardware_sim.portal.keys import PortalKeys
from sync.messages import ENROL_LIVES, Address, Enrol, EnrolReply
from sync.portal import Surroundings
from sync.signing import Refusal

NUMBERS_FROM: Final = 10_000
"""User numbers begin here, so that all of them have as many digits for a long time."""


class _NotEnrolled(Exception):
    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class BadgeDesk:
    """Answers the desks of one site. Everything may raise StoreError."""

    def __init__(
        self,
        listed: Callable[[], Allowlist],
        change: Callable[[Callable[[Allowlist], list[Change]]], Awaitable[int]],
        ingest: Ingest,
        keys: PortalKeys,
        around: Surroundings,
        send: Callable[[str, bytes], None],
    ) -> None:
        """`listed` is the list in force, `change` the portal's way to the next one, `send` that to the edges."""
        self._listed, self._change, self._ingest = listed, change, ingest
        self._keys, self._around, self._send = keys, around, send

    async def on_enrol(self, edge: Address, payload: bytes) -> None:
        """Answer a desk, signed. Raises MessageRefused for what is not that edge's word, or no badge."""
        asked = await self._ingest.opened(edge, Enrol, payload)
        try:
            badge = Badge(asked.badge, asked.bits)
        except BadgeError as error:
            raise MessageRefused(Refusal.MALFORMED, f"enrol {asked.enrol_id}: {error}") from error
        number, reason = await self._enrol(asked.user, badge)
        now = self._around.clock().wall
        reply = EnrolReply(
            aud=edge.audience,
            iat=now,
            exp=now + ENROL_LIVES,
            enrol_id=asked.enrol_id,
            user_number=number,
            reason=reason,
        )
        self._send(edge.topic("enrol/r"), self._keys.sign(reply))

    async def _enrol(self, user_id: str, badge: Badge) -> tuple[str, str]:
        """The user's number, or the reason why there is none."""
        try:
            user = self._listed().user(user_id)
            if user is None or not _done(user, badge):
                await self._change(lambda listed: _changes(listed, user_id, badge))
                user = self._listed().user(user_id)
        except _NotEnrolled as refused:
            return "", refused.reason.value
        except ListRejected as rejected:
            return "", rejected.reason
        return (user.number or "" if user is not None else ""), ""


def _done(user: User, badge: Badge) -> bool:
    return user.number is not None and any((b.uid, b.bits) == (badge.uid, badge.bits) for b in user.badges)


def _changes(listed: Allowlist, user_id: str, badge: Badge) -> list[Change]:
    user = listed.user(user_id)
    match = listed.find_badge(BadgeRead(badge.uid, badge.bits))
    owner = match.user or next(iter(match.candidates), None)
    reason = may_enrol(user, owner)
    if reason is not None:
        raise _NotEnrolled(reason)
    assert user is not None, "nobody may not enrol"
    contracts = (
        business(f"{user.id}-business", user.customer),
        private(f"{user.id}-private", user.id, payable=False),
    )
    # Revisions only rise, so a number is never given twice, not even after its user was removed.
    permits = map(PermitPut, newcomers.subscribing(user.id))
    return [UserPut(enrolled(user, badge, str(NUMBERS_FROM + listed.revision), contracts)), *permits]
