"""Codes that a device shows: whether one that somebody brings is genuine, fresh and unused, and the order to open.

The code says where its bringer stands, the login who that is; the rules for who may pass are the gates' own. Then
the lane is ordered to open, once, by the signed order that everything else uses: no code opens by itself. Such an
opening stands in the gate's journal as one by order, with who and which code; it takes no place and begins no stay.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gate_controller.access import vouched_reason
from gate_controller.errors import PortalError
from gate_controller.facts import BoomOpenedManually, LaneId
from gate_controller.lane import Order
from gate_controller.reasons import Reason
from gate_controller.site import Site
from gate_controller.users import User
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import Ledgers, PortalEvent
from hardware_sim.portal.journals.stays import Stays
from sync import shown
from sync.messages import CmdResult
from sync.orders import LaneOrder
from sync.shown import Shown
from sync.signing import AHEAD_MAX

GOOD_FOR: Final = timedelta(seconds=60)
"""From when it was first shown: a screen shows one for 20 s, and a person needs some to look at a page."""
KEPT_FOR: Final = timedelta(days=90)
"""So long an edge may be alone with a journal that tells of the opening."""
_REASON: Final = "code shown at "
_NUMBER_LEN_MAX: Final = 15
"""Milliseconds until the year 33,658; an operator may give any words as a reason."""

SAID: Final[dict[Reason, str]] = {
    Reason.CODE_WRONG: "This is no code of one of our gates. Scan the one on its screen.",
    Reason.WRONG_SITE: "This code is from a gate of another place.",
    Reason.PASS_EXPIRED: "This code is over. Scan the one that is on the screen now.",
    Reason.PASS_REPLAYED: "This code was used already. Scan the next one on the screen.",
    Reason.ALREADY_INSIDE: "Your place is taken: a vehicle of yours is inside.",
}
"""Of reasons that mean something else at a gate's reader; all others are told in the gates' own words."""


class NotOpened(PortalError):
    """The lane was not ordered to open; `reason` says why, and `detail` says it to whoever reads the audit."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Door:
    """A lane that may be opened for this user by this code."""

    edge: str
    code: Shown
    user: User


def by_code(fact: object) -> bool:
    """Whether this is an opening by a shown code, as far as its words tell; who it was for stands in it."""
    return isinstance(fact, BoomOpenedManually) and fact.reason.startswith(_REASON)


class ShownCodes:
    """The codes that devices of one house showed."""

    def __init__(self, house: House) -> None:
        self._house, self._db = house, house.portal.database.sql

    async def door(self, text: str, user_id: str | None) -> Door:
        """What a code leads to for a user; nothing is used up by looking. Raises NotOpened."""
        code = shown.read(text)
        if code is None:
            raise NotOpened(Reason.CODE_WRONG, "no code of a gate")
        edge = await self._proven(code)
        if await self._house.run(self._is_used, edge, code):
            raise _replayed(edge, code)
        self._fresh(code)
        user = self._house.portal.allowlist.user(user_id or "")
        if user is None:
            raise NotOpened(Reason.NO_PERMIT, f"{edge}/{code.lane}: no user of the list")
        await self._may(code, user, edge)
        return Door(edge, code, user)

    async def open(self, actor: str, text: str, user_id: str | None) -> CmdResult:
        """Order the lane to open, and what became of that. The code is used up whatever becomes of it.

        Raises NotOpened, and PortalError where the gate is not there or says nothing.
        """
        try:
            found = await self.door(text, user_id)
            await self._house.write(self._use, found)
        except NotOpened as error:
            await self._house.write(self._note, actor, "code.refused", error.detail, error.reason.value)
            raise
        order = LaneOrder(found.code.lane, Order.OPEN, found.user.external_id, f"{_REASON}{_name(found.code)}")
        try:
            result = await self._house.portal.command(found.edge, order)
        except PortalError as error:
            await self._house.write(self._note, actor, "code.unanswered", _name(found.code), str(error))
            raise
        await self._house.write(self._note, actor, f"code.{result.status}", _name(found.code), result.detail)
        return result

    def opened_by(self, event: PortalEvent) -> str | None:
        """The user for whom this event is an opening by a code of that gate, None if it is none.

        On the database connection's own thread.
        """
        fact = event.fact
        if not isinstance(fact, BoomOpenedManually) or not by_code(fact):
            return None
        lane, _, number = fact.reason.removeprefix(_REASON).rpartition(" ")
        if lane != fact.lane or not number.isdecimal() or len(number) > _NUMBER_LEN_MAX:
            return None
        found = self._db.execute(
            "SELECT user_id FROM shown_code WHERE edge = ? AND lane = ? AND number = ?",
            (event.edge, lane, int(number)),
        ).fetchone()
        return None if found is None else str(found[0])

    # ---- inside ----

    async def _proven(self, code: Shown) -> str:
        site, _, edge = code.audience.rpartition("/")
        if site != self._house.portal.keys.audience:
            raise NotOpened(Reason.WRONG_SITE, f"shown at {code.audience[:100]!r}")
        public = await self._house.run(Ledgers(self._db).key, edge)
        if public is None or not code.is_by(public):
            raise NotOpened(Reason.CODE_WRONG, f"not signed by {edge[:40]!r}")
        return edge

    def _fresh(self, code: Shown) -> None:
        now = self._house.now()
        if code.at > now + AHEAD_MAX:
            raise NotOpened(Reason.PASS_EXPIRED, f"{_name(code)}: made at {code.at}, which is to come")
        if now - code.at > GOOD_FOR:
            raise NotOpened(Reason.PASS_EXPIRED, f"{_name(code)}: made at {code.at}")

    async def _may(self, code: Shown, user: User, edge: str) -> None:
        house = self._house
        (here,) = [one for one in await house.run(house.organisations.sites) if one.id == house.site]
        site = Site(house.portal.allowlist, ZoneInfo(here.time_zone), name=house.site)
        reason = vouched_reason(user, LaneId(code.lane), site, house.portal.around.clock())
        if reason is None and not await house.run(Stays(self._db).has_place, user.id):
            reason = Reason.ALREADY_INSIDE
        if reason is not None:
            raise NotOpened(reason, f"{edge}/{_name(code)}: {user.external_id}")

    def _is_used(self, edge: str, code: Shown) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM shown_code WHERE edge = ? AND lane = ? AND number = ?", (edge, code.lane, code.number)
        )
        return found.fetchone() is not None

    def _use(self, door: Door) -> None:
        now = self._house.now()
        self._db.execute("DELETE FROM shown_code WHERE used_at < ?", (_text(now - KEPT_FOR),))
        done = self._db.execute(
            "INSERT INTO shown_code VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (door.edge, door.code.lane, door.code.number, _text(now), door.user.id),
        )
        if not done.rowcount:
            raise _replayed(door.edge, door.code)

    def _note(self, actor: str, deed: str, about: str, detail: str) -> None:
        self._house.audit.note(self._house.now(), actor, deed, about, detail)


def _replayed(edge: str, code: Shown) -> NotOpened:
    return NotOpened(Reason.PASS_REPLAYED, f"{edge}/{_name(code)}")


def _name(code: Shown) -> str:
    return f"{code.lane} {code.number}"


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
