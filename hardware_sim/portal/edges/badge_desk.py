"""The portal's answers to desks that hand out badges: number, badge, contracts and permits in one change, or none.

The rule is `gate_controller.desk`'s, asked of the list as it is when the change is made, so that two desks cannot
give one badge twice. A question that comes again finds its own work done and gets the same answer. Who may stand
at a desk, and the checks of papers before, are not here.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Final

from gate_controller.allowlist import Allowlist, Change, PermitPut, UserPut
from gate_controller.contracts import both
from gate_controller.credentials import Badge, BadgeRead
from gate_controller.desk import enrolled, may_enrol
from gate_controller.errors import BadgeError, ListRejected, MessageRefused
from gate_controller.users import User
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.journals.ingest import Ingest
from hardware_sim.portal.records.audit import Audit
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import ENROL_LIVES, Address, Enrol, EnrolReply
from sync.portal import Surroundings
from sync.signing import Refusal

NUMBERS_FROM: Final = 10_000
"""User numbers begin here, so that all of them have as many digits for a long time."""


class _Settled(Exception):
    """Nothing is to be changed: the user has this badge and a number, or may not have it."""

    def __init__(self, number: str, reason: str) -> None:
        self.number, self.reason = number, reason


class BadgeDesk:
    """Answers the desks of one site. Everything may raise StoreError."""

    def __init__(
        self,
        change: Callable[[Callable[[Allowlist], list[Change]], Callable[[], None]], Awaitable[int]],
        database: Database,
        ingest: Ingest,
        keys: PortalKeys,
        around: Surroundings,
        send: Callable[[str, bytes], None],
    ) -> None:
        """`change` is the portal's way to the next list, `send` that to the edges."""
        self._change, self._ingest = change, ingest
        self._keys, self._around, self._send, self._audit = keys, around, send, Audit(database.sql)

    async def on_enrol(self, edge: Address, payload: bytes) -> None:
        """Answer a desk, signed. Raises MessageRefused for what is not that edge's word, or no badge."""
        asked = await self._ingest.opened(edge, Enrol, payload)
        try:
            badge = Badge(asked.badge, asked.bits)
        except BadgeError as error:
            raise MessageRefused(Refusal.MALFORMED, f"enrol {asked.enrol_id}: {error}") from error
        number, reason = await self._enrol(asked, badge)
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

    async def _enrol(self, asked: Enrol, badge: Badge) -> tuple[str, str]:
        """The user's number, or the reason why there is none."""
        put: list[User] = []

        def changes(listed: Allowlist) -> list[Change]:
            put.append(_enrolled(listed, asked.user, badge))
            return [UserPut(put[-1]), *map(PermitPut, newcomers.subscribing(asked.user))]

        def beside() -> None:
            # Of a desk that was cut off, the tap is older than the hand-over that counts.
            at = f"{asked.at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
            what = f"user number {put[-1].number}, desk {asked.desk}, tapped {at}"
            now = self._around.clock().wall
            self._audit.note(now, asked.clerk, "badge.handed_over", put[-1].external_id, what)

        try:
            await self._change(changes, beside)
        except _Settled as settled:
            return settled.number, settled.reason
        except ListRejected as rejected:
            return "", rejected.reason
        return put[-1].number or "", ""


def _enrolled(listed: Allowlist, user_id: str, badge: Badge) -> User:
    user = listed.user(user_id)
    if user is not None and user.number and any((b.uid, b.bits) == (badge.uid, badge.bits) for b in user.badges):
        raise _Settled(user.number, "")
    match = listed.find_badge(BadgeRead(badge.uid, badge.bits))
    owner = match.user or next(iter(match.candidates), None)
    reason = may_enrol(user, owner)
    if reason is not None:
        raise _Settled("", reason.value)
    assert user is not None, "nobody may not enrol"
    contracts = both(user.contracts, user.id, user.customer)
    # Revisions only rise, so a number is never given twice, not even after its user was removed.
    return enrolled(user, badge, str(NUMBERS_FROM + listed.revision), contracts)
