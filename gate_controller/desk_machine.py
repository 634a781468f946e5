"""A fleet desk as a pure machine: a badge is tapped, and becomes somebody's, or frees a key, or is refused by name.

A desk stands idle or, for half a minute after a clerk chose a user, enrolling: the next badge is that user's. An
idle desk asks `access.decide` for driving, or for riding along where the user is a passenger now. A grant moves
the cabinet only once it is on disk, by a pulse that is named once and soon expires, so that no restart frees a key.
Whether keys hang in their slots is learned from contacts alone; a key that went without a grant is an alarm.

Not here: which badge may become whose (`desk.may_enrol`), boards and readers, and the portal's answer on its way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gate_controller.access import Ask, decide, device_reason
from gate_controller.allowlist import Action, User
from gate_controller.credentials import BadgeRead
from gate_controller.desk import (
    ENROL_WITHIN_S,
    Reservation,
    ReservationState,
    Role,
    clash,
    late_by,
    may_enrol,
    reservation_now,
    riding_now,
)
from gate_controller.facts import (
    AlarmRaised,
    Basis,
    DeskGranted,
    Direction,
    EnrolAnswered,
    EnrolAsked,
    Fact,
    HoldId,
    KeyReturned,
    KeyTaken,
    LaneId,
    Matched,
    PhaseEntered,
    Refused,
)
from gate_controller.moment import Moment
from gate_controller.reasons import Note, Reason
from gate_controller.site import Site

COMMIT_WITHIN_S: Final = 2.0
"""For how long a grant waits for the disk; a key is no car before a barrier, so then it is refused."""
PULSE_EXPIRES_S: Final = 3.0
"""After the grant stands on disk: a slot that could not be freed by then stays locked."""
PULSE_WIDTH_S: Final = 1.0
TAKE_WITHIN_S: Final = 60.0
"""After a slot was freed, for how long a key that goes is that grant's."""
PENDING_LEN_MAX: Final = 8
"""Grants that wait for the disk at one desk; further taps are refused."""


@dataclass(frozen=True, slots=True)
class DeskSetup:
    """`slots` are those that an output frees, `watched` those whose key a contact sees; both count from 1."""

    id: LaneId
    slots: frozenset[int] = frozenset()
    watched: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Enrolling:
    """The next badge is this user's, until monotonic `until_s`."""

    user_id: str
    clerk: str
    until_s: float


@dataclass(frozen=True, slots=True)
class SlotPulse:
    """Free a slot once, unless monotonic time has reached `expires_s`."""

    slot: int
    id: HoldId
    expires_s: float


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a desk remembers; made by `start`, changed by `step`.

    `pending` are grants not on disk yet, each with the moment it is given up; `pulses` may still be sent; `freed`
    are grants whose key may be taken, until then; `present` says of each watched slot whether its key hangs there,
    and `out` for what it was taken.
    """

    setup: DeskSetup
    run: str
    count: int = 0
    enrolling: Enrolling | None = None
    pending: tuple[tuple[DeskGranted, float], ...] = ()
    pulses: tuple[SlotPulse, ...] = ()
    freed: tuple[tuple[DeskGranted, float], ...] = ()
    present: Mapping[int, bool] = field(default_factory=dict)
    out: Mapping[int, DeskGranted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tapped:
    """A badge was held to the desk's reader; `online` says whether the portal can be asked just now."""

    badge: BadgeRead
    online: bool = True


@dataclass(frozen=True, slots=True)
class Choose:
    """A clerk chose a user: the next badge is that user's."""

    user_id: str
    clerk: str


@dataclass(frozen=True, slots=True)
class KeyContact:
    """The contact of a slot: its key is there, or not."""

    slot: int
    there: bool


@dataclass(frozen=True, slots=True)
class CabinetLost:
    """The cabinet's board is silent: what it said of keys may be old by the time it returns."""


@dataclass(frozen=True, slots=True)
class DeskCommitted:
    """The grant with this hold is on disk."""

    hold: HoldId


@dataclass(frozen=True, slots=True)
class DeskCommitFailed:
    """The grant with this hold cannot be written."""

    hold: HoldId


@dataclass(frozen=True, slots=True)
class Answered:
    """The portal's answer to an enrolment that this edge asked for, of a user by a clerk."""

    enrol: str
    user_id: str
    clerk: str
    user_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """Time has passed."""


DeskInput = Tapped | Choose | KeyContact | CabinetLost | DeskCommitted | DeskCommitFailed | Answered | Later
Stepped = tuple[Desk, list[Fact]]


def start(setup: DeskSetup, run: str) -> Stepped:
    """A desk that has just begun; `run` is unique to this start of the program. Nothing before it frees a key."""
    return Desk(setup, run), [PhaseEntered(setup.id, "idle")]


def step(desk: Desk, item: DeskInput, site: Site, now: Moment) -> Stepped:
    """The desk after this input and the time until it, and what happened."""
    desk, facts = _expired(desk, now)
    match item:
        case Tapped():
            desk, more = _tapped(desk, item, site, now)
        case Choose():
            desk, more = _chosen(desk, item, site, now)
        case KeyContact():
            desk, more = _contact(desk, item, site, now)
        case CabinetLost():
            desk, more = replace(desk, pulses=()), []
        case DeskCommitted(hold):
            desk, more = _committed(desk, hold, now)
        case DeskCommitFailed(hold):
            desk, more = _given_up(desk, hold)
        case Answered(enrol, user_id, clerk, number, why):
            more = [EnrolAnswered(desk.setup.id, enrol, number, why, user_id, clerk)]
        case Later():
            more = []
    return desk, facts + more


def deadline(desk: Desk) -> float | None:
    """Monotonic seconds at which to step with `Later`; None when only an input can change anything."""
    due = [until_s for _, until_s in (*desk.pending, *desk.freed)] + [pulse.expires_s for pulse in desk.pulses]
    return min([*due, *([desk.enrolling.until_s] if desk.enrolling is not None else [])], default=None)


# ---- time ----


def _expired(desk: Desk, now: Moment) -> Stepped:
    facts: list[Fact] = []
    for grant, until_s in desk.pending:
        if until_s <= now.mono_s:
            desk, more = _given_up(desk, grant.hold)
            facts += more
    if desk.enrolling is not None and desk.enrolling.until_s <= now.mono_s:
        desk = replace(desk, enrolling=None)
        facts.append(PhaseEntered(desk.setup.id, "idle", "nobody tapped a badge"))
    freed = tuple((grant, until_s) for grant, until_s in desk.freed if until_s > now.mono_s)
    pulses = tuple(pulse for pulse in desk.pulses if pulse.expires_s > now.mono_s)
    return replace(desk, freed=freed, pulses=pulses), facts


def _given_up(desk: Desk, hold: HoldId) -> Stepped:
    grant = next((grant for grant, _ in desk.pending if grant.hold == hold), None)
    if grant is None:
        return desk, []
    desk = replace(desk, pending=tuple(held for held in desk.pending if held[0].hold != hold))
    return desk, [
        _refused(desk, Reason.STORE_UNAVAILABLE, grant.user_id, grant.external_id, grant.basis, grant.payer)
    ]


# ---- enrolment ----


def _chosen(desk: Desk, asked: Choose, site: Site, now: Moment) -> Stepped:
    user = site.allowlist.user(asked.user_id)
    reason = device_reason(site, desk.setup.id) or may_enrol(user, None) or _busy_with(desk.enrolling, asked)
    if reason is not None:
        return desk, [replace(_refused_user(desk, reason, user, _basis(site)), clerk=asked.clerk)]
    assert user is not None, "nobody may not enrol"
    enrolling = Enrolling(user.id, asked.clerk, now.mono_s + ENROL_WITHIN_S)
    why = f"{user.external_id}, by {asked.clerk}"
    return replace(desk, enrolling=enrolling), [PhaseEntered(desk.setup.id, "enrolling", why)]


def _busy_with(enrolling: Enrolling | None, asked: Choose) -> Reason | None:
    """One clerk's user must not get the badge that another clerk holds out; a clerk may choose anew."""
    if enrolling is None or enrolling.clerk == asked.clerk or enrolling.user_id == asked.user_id:
        return None
    return Reason.DESK_BUSY


def _enrol(desk: Desk, enrolling: Enrolling, tapped: Tapped, site: Site) -> Stepped:
    badge, user = tapped.badge, site.allowlist.user(enrolling.user_id)
    match = site.allowlist.find_badge(badge)
    reason = device_reason(site, desk.setup.id) or may_enrol(user, match.user or next(iter(match.candidates), None))
    if reason is not None:
        # The clerk takes another badge: the window stays open.
        refused = _refused_user(desk, reason, user, replace(_basis(site), as_read=badge.text))
        return desk, [replace(refused, clerk=enrolling.clerk)]
    assert user is not None, "nobody may not enrol"
    desk, name = _named(replace(desk, enrolling=None))
    asked = EnrolAsked(
        desk.setup.id,
        name,
        user.id,
        user.external_id,
        badge.uid,
        badge.bits,
        enrolling.clerk,
        provisional=not tapped.online,
    )
    return desk, [asked, PhaseEntered(desk.setup.id, "idle")]


# ---- keys out ----


def _tapped(desk: Desk, tapped: Tapped, site: Site, now: Moment) -> Stepped:
    if desk.enrolling is not None:
        return _enrol(desk, desk.enrolling, tapped, site)
    desk, name = _named(desk)
    user = site.allowlist.find_badge(tapped.badge).user
    ride = riding_now(site.allowlist.reservations_of(user), site.name, now.wall) if user is not None else None
    action = Action.DRIVE if ride is None else Action.CARPOOL
    ask = Ask(desk.setup.id, Direction.IN, tapped.badge, HoldId(name), True, action=action)
    answer = decide(ask, site, now)
    # Reservations change by the hour: without the portal nobody knows of the latest.
    notes = () if tapped.online else (Note.DEGRADED,)
    if isinstance(answer, Refused):
        return desk, [replace(answer, notes=notes)]
    assert user is not None, "nobody else is granted anything here"
    trip = ride or reservation_now(site.allowlist.reservations_of(user), site.name, now.wall)
    assert isinstance(trip, Reservation), "driving was granted by it"
    slot = trip.slot or 0 if trip.role is Role.DRIVER else 0
    reason = _slot_reason(desk, slot, trip) or _not_yet(trip, site, now)
    if reason is not None:
        return desk, [replace(_refused_user(desk, reason, user, answer.basis, answer.payer), notes=notes)]
    granted = DeskGranted(
        desk.setup.id,
        HoldId(name),
        user.id,
        user.external_id,
        action.value,
        trip.id,
        trip.vehicle,
        slot,
        answer.basis,
        answer.contract,
        answer.payer,
        answer.billed_to,
        notes,
    )
    return replace(desk, pending=(*desk.pending, (granted, now.mono_s + COMMIT_WITHIN_S))), [granted]


def _slot_reason(desk: Desk, slot: int, trip: Reservation) -> Reason | None:
    if len(desk.pending) >= PENDING_LEN_MAX:
        return Reason.STORE_UNAVAILABLE
    if slot == 0:
        return None
    out = desk.out.get(slot)
    gone = desk.present.get(slot) is False and (out is None or out.reservation != trip.id)
    return Reason.KEY_NOT_THERE if slot not in desk.setup.slots or gone else None


def _not_yet(trip: Reservation, site: Site, now: Moment) -> Reason | None:
    """A key is ready early only where nobody else has the vehicle until then."""
    if trip.role is not Role.DRIVER or trip.start <= now.wall:
        return None
    early = replace(trip, start=now.wall, end=trip.start)
    return Reason.TOO_EARLY if clash(early, site.allowlist.reservations()) is not None else None


def _committed(desk: Desk, hold: HoldId, now: Moment) -> Stepped:
    grant = next((grant for grant, _ in desk.pending if grant.hold == hold), None)
    if grant is None:
        return desk, []  # too late: it was refused, and stays so
    desk = replace(desk, pending=tuple(held for held in desk.pending if held[0].hold != hold))
    if grant.slot == 0:
        return desk, []
    pulse = SlotPulse(grant.slot, hold, now.mono_s + PULSE_EXPIRES_S)
    freed = [held for held in desk.freed if held[0].slot != grant.slot]
    return replace(desk, pulses=(*desk.pulses, pulse), freed=(*freed, (grant, now.mono_s + TAKE_WITHIN_S))), []


# ---- keys back ----


def _contact(desk: Desk, contact: KeyContact, site: Site, now: Moment) -> Stepped:
    slot, before = contact.slot, desk.present.get(contact.slot)
    desk = replace(desk, present={**desk.present, slot: contact.there})
    if before is contact.there or (before is None and contact.there):
        return desk, []
    if contact.there:
        return _returned(desk, slot, site, now)
    grant = next((grant for grant, _ in desk.freed if grant.slot == slot), None)
    if grant is None:
        # At the start it says only what is so: the key may have been out for days.
        alarm = AlarmRaised(desk.setup.id, "key_taken_unasked", f"slot {slot}")
        return desk, [] if before is None else [alarm]
    freed = tuple(held for held in desk.freed if held[0].hold != grant.hold)
    taken = KeyTaken(desk.setup.id, slot, grant.hold, grant.reservation, grant.user_id)
    return replace(desk, freed=freed, out={**desk.out, slot: grant}), [taken]


def _returned(desk: Desk, slot: int, site: Site, now: Moment) -> Stepped:
    grant = desk.out.get(slot)
    desk = replace(desk, out={key: held for key, held in desk.out.items() if key != slot})
    trip = site.allowlist.reservation(grant.reservation) if grant is not None else _last_of(slot, site, now)
    late_s = late_by(trip, now.wall).total_seconds() if trip is not None else 0.0
    named = (grant.reservation, grant.user_id) if grant else (trip.id, trip.user_id) if trip else ("", "")
    return desk, [KeyReturned(desk.setup.id, slot, *named, late_s)]


def _last_of(slot: int, site: Site, now: Moment) -> Reservation | None:
    """What a key was out for that was taken before this program began.

    The trip from its slot that the portal knows to be out, else the last one to begin that may be.
    """
    here = [
        one
        for one in site.allowlist.reservations()
        if one.slot == slot and one.site == site.name and one.role is Role.DRIVER
    ]
    out = [one for one in here if one.state is ReservationState.OUT]
    begun = [one for one in here if one.state is ReservationState.BOOKED and one.start <= now.wall]
    return max(out or begun, key=lambda one: one.start, default=None)


# ---- common ----


def _named(desk: Desk) -> tuple[Desk, str]:
    desk = replace(desk, count=desk.count + 1)
    return desk, f"{desk.setup.id}-{desk.run}-{desk.count}"


def _basis(site: Site) -> Basis:
    return Basis(site.allowlist.epoch, site.allowlist.revision, Matched.NONE)


def _refused_user(desk: Desk, reason: Reason, user: User | None, basis: Basis, payer: str = "") -> Refused:
    return _refused(desk, reason, user.id if user else None, user.external_id if user else "", basis, payer)


def _refused(
    desk: Desk, reason: Reason, user_id: str | None, external_id: str, basis: Basis, payer: str
) -> Refused:
    return Refused(desk.setup.id, Direction.IN, reason, user_id, external_id, "", basis, payer=payer)
