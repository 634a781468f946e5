"""What a clerk does with a subscriber who has come: contact data first, licence second, and then the badge.

Each step is written down with the clerk, and refuses to undo what another clerk did meanwhile. What came of the
licence hinders no badge. Not here: the tap itself and the number (`badge_desk`), and which rule says no (`desk`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gate_controller.allowlist import User, UserPut
from gate_controller.desk import ENROL_WITHIN_S, Licence, LicenceStatus, may_enrol, waiting
from gate_controller.errors import BadInput, PortalError
from gate_controller.facts import EnrolAnswered, EnrolAsked, PhaseEntered, Refused
from gate_controller.reasons import OPERATOR, Reason
from hardware_sim.portal.company.company import by_id, put_phone
from hardware_sim.portal.fleet import licences
from hardware_sim.portal.fleet.registering import books_of, pre_registered
from hardware_sim.portal.fleet.subscriber_books import BadgeOrder, Subscriber
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import WrongField, line
from sync.orders import EnrolBadge

EVENTS_MAX: Final = 1000
"""So many of the events since a desk was told are looked through: it is half a minute."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a badge has come; `over` says that nothing more will happen by itself."""

    text: str
    over: bool


async def listed_at(house: House, site: str) -> list[User]:
    """Those who wait for a badge, the site's own first."""
    known = await house.run(books_of(house).user_ids)
    listed = house.portal.allowlist
    return await asyncio.to_thread(lambda: waiting(pre_registered(listed, known), site))


# ---- checks ----


async def check_contact(house: House, clerk: str, wanted: Subscriber) -> None:
    """The contact data are right as they are now. Raises WrongField, Overtaken."""
    user, name = by_id(house, wanted.user_id), line(wanted.name, "name")

    def beside() -> None:
        books = books_of(house)
        before = _known(books.get(wanted.user_id))
        after = books.put(replace(wanted, terms=before.terms, checked_by=clerk, checked_at=house.now()))
        put_phone(house, wanted.user_id, after.phone)
        fields = ("name", "phone", "address")
        changed = ", ".join(field for field in fields if getattr(before, field) != getattr(after, field))
        detail = f"changed: {changed}" if changed else "as written"
        house.audit.note(house.now(), clerk, "contact.checked", user.external_id, detail)

    if user.name == name:
        await house.write(beside)
    else:
        await house.portal.change(lambda _: [UserPut(replace(by_id(house, user.id), name=name))], beside)


async def check_licence(
    house: House, clerk: str, user_id: str, version: int, status: LicenceStatus, last_day: date | None, tz: ZoneInfo
) -> None:
    """What came of looking at the licence; `last_day` is the last on which it counts, where it was validated.

    Raises BadInput before the contact data were checked, WrongField for a day that is past, and Overtaken.
    """
    user, now = by_id(house, user_id), house.now()
    until = _until(status, last_day, now, tz)

    def beside() -> None:
        books = books_of(house)
        known = _known(books.get(user_id))
        books.put(replace(known, version=version))
        if known.checked_at is None:
            raise BadInput("The contact data come first: check them, then the licence")
        detail = f"until {last_day}" if until is not None else ""
        house.audit.note(now, clerk, f"licence.{status.value}", user.external_id, detail)
        licences.tell(house, replace(user, licence=licence))

    licence = Licence(status, now, until)
    await house.portal.change(lambda _: [UserPut(replace(by_id(house, user_id), licence=licence))], beside)


def _until(status: LicenceStatus, last_day: date | None, now: datetime, tz: ZoneInfo) -> datetime | None:
    if status is not LicenceStatus.VALIDATED:
        return None
    if last_day is None:
        raise WrongField("valid_until", "is missing; it is on the licence, or when it is to be looked at again")
    if last_day < now.astimezone(tz).date():
        raise WrongField("valid_until", "is past; a licence that is over is not accepted")
    if last_day.year >= date.max.year:
        raise WrongField("valid_until", "is too far away")
    return datetime.combine(last_day + timedelta(days=1), time(), tz)


def _known(subscriber: Subscriber | None) -> Subscriber:
    if subscriber is None:
        raise BadInput("This subscriber was deleted")
    return subscriber


# ---- the badge ----


async def take_badge(house: House, clerk: str, user_id: str, desk: str) -> str:
    """Tell a desk that the next badge is this user's; what it says. Raises BadInput, PortalError."""
    user = by_id(house, user_id)
    reason = may_enrol(user, None)
    if reason is not None:
        raise BadInput(f"{reason}: {OPERATOR[reason]}")
    after = await house.run(books_of(house).last_event)
    said = await _told(house, EnrolBadge(line(desk, "desk"), user.external_id, clerk, user.customer))

    def deed() -> None:
        books_of(house).put_badge_order(user_id, BadgeOrder(desk, clerk, house.now(), after))
        house.audit.note(house.now(), clerk, "badge.begun", user.external_id, f"desk {desk}")

    await house.write(deed)
    return said


async def _told(house: House, order: EnrolBadge) -> str:
    """The first edge that has this desk; desks are called by one name at a site."""
    away, refused = "no edge is connected; an order is never kept for later", ""
    for edge in [one.name for one in await house.portal.edges() if one.online]:
        try:
            result = await house.portal.command(edge, order)
        except PortalError as error:
            away = str(error)
            continue
        if result.status == "done":
            return result.detail
        refused = refused if result.detail.startswith("no desk") and refused else result.detail
    at_hand = f"At the desk's own machine it works all the same: slagboom operate enrol {order.desk} {order.user}"
    raise PortalError(refused or f"{away}. {at_hand}")


async def progress(house: House, user_id: str) -> Progress:
    """How far the badge has come that a desk was told to take."""
    user = by_id(house, user_id)
    if user.number:
        return Progress(f"The badge is {user.external_id}'s, user number {user.number}. Hand it over.", True)
    order = await house.run(books_of(house).badge_order, user_id)
    if order is None:
        return Progress("No desk was told to take a badge.", True)
    facts = [event.fact for event in await house.portal.events(order.after, EVENTS_MAX)]
    if (told := _told_by(facts, user, order.desk)) is not None:
        return told
    if (house.now() - order.at).total_seconds() < ENROL_WITHIN_S:
        return Progress(f"Hold the badge to the reader of {order.desk} now.", False)
    return Progress("Nobody tapped a badge in time; begin again.", True)


def _told_by(facts: Sequence[object], user: User, desk: str) -> Progress | None:
    """What journals tell of this user's badge; once it was tapped, whom a desk waits for next does not matter."""
    told, tapped = None, False
    for fact in facts:
        match fact:
            case PhaseEntered(lane=lane, phase="enrolling", why=why) if lane == desk and not tapped:
                mine = why.startswith(f"{user.external_id}, ")
                told = None if mine else Progress(f"{desk} waits for another's badge by now; begin again.", True)
            case EnrolAsked(user_id=user.id, provisional=away):
                told, tapped = Progress(_TAPPED_AWAY if away else _TAPPED, False), True
            case EnrolAnswered(user_id=user.id, reason=reason) if reason:
                told = Progress(f"Refused: {reason}: {_sentence(reason)}", True)
            case Refused(user_id=user.id, reason=reason, clerk=clerk) if clerk:
                told = Progress(f"Refused: {reason}: {OPERATOR[reason]} The desk still takes another.", False)
    return told


_TAPPED: Final = "The badge was tapped; the number is on its way."
_TAPPED_AWAY: Final = "The badge was tapped while the portal was away; it has no rights yet."


def _sentence(reason: str) -> str:
    return OPERATOR[Reason(reason)] if reason in {*Reason} else "the portal's list says so."
