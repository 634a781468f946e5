"""The one decision order of a lane or desk: who may do it, or the first reason why not.

Entries go through the whole order, first failure wins. Exits go through a short one, because a car must get out:
no status, schedule, contract, credit, capacity or age of the list is looked at. A desk asks for driving and
carpooling, which take no place. The answer is a fact, ready for the journal; a desk puts it in its own words.
Placing the hold, moving the boom and waiting for the disk are the lane's business.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gate_controller.allowlist import Action, Allowlist, Match, MatchKind, Permit, User
from gate_controller.contracts import Contract, chosen
from gate_controller.credentials import BadgeRead, CodeRead, PassRead, Shown
from gate_controller.delegation import DeviceState, billed_to
from gate_controller.desk import Reservation, licence_reason, reservation_now
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched, Refused
from gate_controller.moment import Moment
from gate_controller.occupancy import ParkingSession
from gate_controller.plates import PlateRead, fold
from gate_controller.reasons import Note, Reason
from gate_controller.rights import credential_reason, one_permit, pass_reason, permit_reason
from gate_controller.site import Site


class ExitPolicy(StrEnum):
    """What an exit does for a vehicle it cannot identify after the bounded read attempt."""

    ANY_VEHICLE = "any_vehicle"
    KNOWN_ONLY = "known_only"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to the rules: may this credential pass this lane, now?

    `hold` is the id that a grant would get. `present` says that a vehicle stands on the approach loop.
    `read_over` says that an exit has waited long enough for a better credential. `seen` is the plate that was
    read of the vehicle, whatever credential is shown: one that entered by badge can then leave by its plate.
    `action` is what the permit must permit; `lane` is the desk's name where it is a desk that asks.
    """

    lane: LaneId
    direction: Direction
    credential: PlateRead | Shown | None
    hold: HoldId
    present: bool
    exit_policy: ExitPolicy = ExitPolicy.ANY_VEHICLE
    read_over: bool = False
    seen: PlateRead | None = None
    action: Action = Action.PARK


def decide(ask: Ask, site: Site, now: Moment) -> Granted | Refused:
    """Grant or refuse with exactly one reason; pure, so `slagboom why` and replay ask the same function."""
    basis = _seen(ask.credential, site.allowlist)
    reason = device_reason(site, ask.lane)
    if reason is not None:
        return _refuse(ask, reason, basis)
    if not ask.present:
        return _refuse(ask, Reason.NO_PRESENCE, basis)
    if ask.direction is Direction.OUT:
        answer = _decide_exit(ask, site, basis)
    else:
        answer = _decide_entry(ask, site, now, basis)
    if isinstance(answer, Refused):
        return answer
    payer = billed_to(site.allowlist.device(ask.lane), now.wall)
    return replace(answer, billed_to=payer) if payer else answer


def device_reason(site: Site, name: str) -> Reason | None:
    """Why this lane or desk decides nothing, None if it does; one that is not on the list is active."""
    if name in site.inactive:
        return Reason.DEVICE_INACTIVE
    device = site.allowlist.device(name)
    if device is None or device.state is DeviceState.ACTIVE:
        return None
    return Reason.DEVICE_UNCLAIMED if device.state is DeviceState.UNCLAIMED else Reason.DEVICE_INACTIVE


def vouched_reason(user: User, lane: LaneId, site: Site, now: Moment) -> Reason | None:
    """Why a user is not let in here whose identity the portal itself has seen to, None if nothing is in the way.

    No credential is asked, nor who is inside, nor how old the list is: whoever asks has the newest.
    """
    ask = Ask(lane, Direction.IN, None, HoldId(""), present=True)
    return device_reason(site, lane) or _may(ask, site, user, Match(MatchKind.NONE, user), now).reason


# ---- entry ----


def _decide_entry(ask: Ask, site: Site, now: Moment, basis: Basis) -> Granted | Refused:
    if ask.credential is None:
        return _refuse(ask, Reason.UNREADABLE_PLATE, basis)
    match = site.allowlist.find(ask.credential)
    basis = _matched(basis, match)
    if match.kind is MatchKind.AMBIGUOUS:
        return _refuse(ask, Reason.AMBIGUOUS_PLATE, basis)
    if match.user is None:
        return _refuse(ask, _unknown(ask.credential), basis)
    may = _may(ask, site, match.user, match, now)
    if may.reason is not None:
        return _refuse(ask, may.reason, basis, match.user, may.contract)
    if ask.action is not Action.PARK:
        place, group, reason = _Place(), "", _age_reason(site, now, _temporary(match, may.permits))
    else:
        place, group, reason = _room(ask, site, match, may.permits, now)
    if reason is not None:
        return _refuse(ask, reason, basis, match.user, may.contract)
    notes = (*((Note.LOOK_ALIKE,) if match.kind is MatchKind.LOOK_ALIKE else ()), *place.notes)
    plate = match.plate or (ask.seen.plate if ask.seen else None)
    grant = _grant(ask, basis, match.user.id, match.user.external_id, plate.key if plate else "", notes=notes)
    return replace(
        grant,
        closes=tuple(session.id for session in place.closes),
        contract=may.contract.id if may.contract else "",
        payer=_payer(match.user, may.contract),
        group=group,
        spends=ask.credential.valid_to if isinstance(ask.credential, PassRead) and ask.credential.once else None,
    )


@dataclass(frozen=True, slots=True)
class _May:
    """Whether the user may do it at all: why not, else by which permits and under which contract."""

    reason: Reason | None = None
    permits: tuple[Permit, ...] = ()
    contract: Contract | None = None


def _may(ask: Ask, site: Site, user: User, match: Match, now: Moment) -> _May:
    """What does not depend on who else is inside."""
    contract = chosen(user.contracts, user.default_contract)
    reason = (
        pass_reason(ask.credential, site, now.wall)
        or credential_reason(match, now.wall)
        or (Reason.CREDENTIAL_REVOKED if _is_void(match, site) else None)
        or (Reason.USER_INACTIVE if not user.active or site.is_void(user.id) else None)
    )
    if reason is not None:
        return _May(reason, contract=contract)
    local = now.wall.astimezone(site.tz)
    permits = _permits(ask, site, user)
    fit = tuple(permit for permit in permits if permit.covers(ask.lane) and one_permit(permit, local) is None)
    if not fit:
        return _May(permit_reason(permits, ask.lane, local), contract=contract)
    if ask.action is Action.DRIVE:
        trip = trip_of(user, site, now.wall)
        if isinstance(trip, Reason):
            return _May(trip, contract=contract)
        contract = chosen(user.contracts, trip.contract_id, user.default_contract)
    if contract is not None and not contract.payable:
        return _May(Reason.NO_PAYMENT_PROFILE, contract=contract)
    return _May(None, fit, contract)


def _permits(ask: Ask, site: Site, user: User) -> tuple[Permit, ...]:
    """The user's permits; a guest of whom the list does not know yet may park, by word of the pass alone."""
    read = ask.credential
    if isinstance(read, PassRead) and site.allowlist.user(user.id) is None:
        permit = Permit("", Action.PARK, user.id, valid_from=read.valid_from, valid_to=read.valid_to)
        return (permit,) if ask.action is Action.PARK else ()
    return site.allowlist.permits_of(user, ask.action)


def trip_of(user: User, site: Site, at: datetime) -> Reservation | Reason:
    """The reservation by which a user may drive from this site now, or why the user may not."""
    return licence_reason(user.licence, at) or reservation_now(site.allowlist.reservations_of(user), site.name, at)


def _payer(user: User, contract: Contract | None = None) -> str:
    contract = contract or chosen(user.contracts, user.default_contract)
    return user.customer if contract is None else contract.payer


def _unknown(credential: PlateRead | Shown) -> Reason:
    if isinstance(credential, CodeRead) and credential.activation:
        return Reason.NOT_AN_ACCESS_PASS
    mistyped = isinstance(credential, CodeRead) and credential.code is not None
    return Reason.CODE_WRONG if mistyped else Reason.UNKNOWN_CREDENTIAL


def _is_void(match: Match, site: Site) -> bool:
    user, credential = match.user, match.credential
    return user is not None and credential is not None and site.is_void(user.id, credential.text)


@dataclass(frozen=True, slots=True)
class _Place:
    reason: Reason | None = None
    closes: tuple[ParkingSession, ...] = ()
    notes: tuple[Note, ...] = ()


def _place(user: User, plate: str, site: Site, at: datetime) -> _Place:
    """Whether the user has a place left, and which sessions were missed exits if this vehicle passes.

    The same plate inside is a missed exit. A neutral user, or a session past the site's grace, is forgiven, but
    only as far as needed to make room. A hold is a car on its way in: it is never forgiven.
    """
    sessions = site.occupancy.of_user(user.id)
    closes = [s for s in sessions if plate and s.plate == plate]
    others = [s for s in sessions if s not in closes]
    neutral = user.id in site.occupancy.neutral
    surplus = len(others) + len(site.occupancy.holds_of(user.id)) + 1 - user.pool_size
    forgivable = others if neutral else [s for s in others if _past_grace(s, site, at)]
    if surplus > len(forgivable):
        return _Place(Reason.ANOTHER_VEHICLE_PARKED if plate else Reason.ALREADY_INSIDE)
    forgiven = forgivable[: max(0, surplus)]
    notes = ((Note.EXIT_MISSED,) if closes or forgiven else ()) + ((Note.NEUTRAL,) if forgiven and neutral else ())
    return _Place(None, (*closes, *forgiven), notes)


def _room(
    ask: Ask, site: Site, match: Match, permits: tuple[Permit, ...], now: Moment
) -> tuple[_Place, str, Reason | None]:
    """The user's place, the group whose quota it counts to, and why there is none."""
    assert match.user is not None, "nobody else may pass"
    place = _place(match.user, match.plate.key if match.plate else "", site, now.wall)
    if place.reason is not None:
        return place, "", place.reason
    group = _group(permits, site, place)
    capacity = site.rules.capacity
    full = capacity is not None and site.occupancy.taken() - len(place.closes) >= capacity
    if group is None or full:
        return place, "", Reason.FULL
    return place, group, _age_reason(site, now, _temporary(match, permits))


def _group(permits: tuple[Permit, ...], site: Site, place: _Place) -> str | None:
    """Whose quota the vehicle counts to: "" if a permit has none, else a group's with room; None if none has."""
    if any(permit.quota is None for permit in permits):
        return ""
    for permit in permits:
        group = permit.group_id or ""
        leaving = sum(1 for session in place.closes if session.group == group)
        if site.occupancy.taken_of_group(group) - leaving < (permit.quota or 0):
            return group
    return None


def _past_grace(session: ParkingSession, site: Site, at: datetime) -> bool:
    grace = site.rules.missed_exit_grace
    return grace is not None and at - session.entered_at > grace


def is_temporary(match: Match, site: Site, place: str, at: datetime) -> bool:
    """Whether what lets this user in at `place` has an end: the credential, or every permit that fits."""
    if match.user is None:
        return True
    local = at.astimezone(site.tz)
    permits = site.allowlist.permits_of(match.user)
    return _temporary(match, tuple(p for p in permits if p.covers(place) and one_permit(p, local) is None))


def _temporary(match: Match, fit: tuple[Permit, ...]) -> bool:
    by_credential = match.credential is not None and match.credential.valid_to is not None
    return by_credential or all(permit.valid_to is not None for permit in fit)


def _age_reason(site: Site, now: Moment, temporary: bool) -> Reason | None:
    oldest, age = site.list_max_age(temporary), site.list_age(now)
    return Reason.LIST_TOO_OLD if oldest is not None and age is not None and age > oldest else None


# ---- exit ----


def _decide_exit(ask: Ask, site: Site, basis: Basis) -> Granted | Refused:
    session, matched = _session_of(ask.credential, site)
    if session is None and ask.read_over and isinstance(ask.credential, PlateRead):
        session, matched = _misread(ask.credential, site), Matched.NEAREST
    if session is not None:
        basis = replace(basis, matched=matched, as_matched=session.plate or session.credential)
        grant = _grant(ask, basis, session.user_id, session.external_id, session.plate)
        return replace(grant, closes=(session.id,), contract=session.contract, payer=session.payer)
    return _exit_without_session(ask, site, basis)


def _misread(read: PlateRead, site: Site) -> ParkingSession | None:
    """The session of a misread plate; a read that is itself a listed plate was not misread."""
    if site.allowlist.exact(read.plate.key) is not None:
        return None
    return site.occupancy.nearest(read.plate.key)


def _exit_without_session(ask: Ask, site: Site, basis: Basis) -> Granted | Refused:
    """A known user without a session missed the entry, or came in at another edge of the site.

    Anybody else is judged by the lane's policy.
    """
    user, elsewhere = None, False
    if ask.credential is not None:
        match = site.allowlist.find(ask.credential)
        basis, user = _matched(basis, match), match.user
        elsewhere = site.rules.claims is not None and match.kind is MatchKind.EXACT
    if not ask.read_over and not isinstance(ask.credential, Shown) and not elsewhere:
        return _refuse(ask, Reason.NOT_INSIDE, basis, user)
    in_doubt = user is not None and (user.id in site.occupancy.neutral or site.rules.claims is not None)
    if ask.exit_policy is ExitPolicy.KNOWN_ONLY and not in_doubt:
        return _refuse(ask, Reason.NOT_INSIDE, basis, user)
    plate = ask.credential.plate.key if isinstance(ask.credential, PlateRead) else ""
    if user is None:
        return _grant(ask, basis, None, "", plate, notes=(Note.EXIT_UNIDENTIFIED,))
    grant = _grant(ask, basis, user.id, user.external_id, plate, notes=(Note.NEUTRAL,))
    return replace(grant, payer=_payer(user))


def _session_of(credential: PlateRead | Shown | None, site: Site) -> tuple[ParkingSession | None, Matched]:
    """The open session that this credential belongs to, however its user stands today."""
    match credential:
        case PlateRead():
            return _session_of_plate(credential, site)
        case BadgeRead():
            session = site.occupancy.by_credential(credential.text)
            if session is None and (user := site.allowlist.find_badge(credential).user) is not None:
                session = next(iter(site.occupancy.of_user(user.id)), None)
            return session, Matched.BADGE
        case CodeRead():
            return _session_of_code(credential, site)
        case PassRead():
            session = site.occupancy.by_credential(credential.text)
            own = site.occupancy.of_user(credential.user_id)
            return session or next(iter(own), None), Matched.SIGNED_PASS
    return None, Matched.NONE


def _session_of_code(read: CodeRead, site: Site) -> tuple[ParkingSession | None, Matched]:
    match = site.allowlist.find_code(read)
    session = next((s for text in read.texts if (s := site.occupancy.by_credential(text)) is not None), None)
    if session is None and match.user is not None:
        session = next(iter(site.occupancy.of_user(match.user.id)), None)
    # A user who was deleted while inside leaves by what was entered with; then only its length tells what it is.
    unlisted = Matched.QR_PASS if read.code is None else Matched.GUEST_CODE
    return session, _MATCHED[match.kind] if match.user is not None else unlisted


def _session_of_plate(read: PlateRead, site: Site) -> tuple[ParkingSession | None, Matched]:
    session = site.occupancy.by_plate(read.plate.key)
    if session is not None:
        return session, Matched.EXACT
    folded = fold(read.plate.key)
    alike = [s for s in site.occupancy.inside() if s.plate and fold(s.plate) == folded]
    if len(alike) == 1:
        return alike[0], Matched.LOOK_ALIKE
    user = site.allowlist.find_plate(read).user
    badge_only = [s for s in site.occupancy.of_user(user.id) if not s.plate] if user else []
    return (badge_only[0], Matched.EXACT) if badge_only else (None, Matched.NONE)


# ---- common ----


def _seen(credential: PlateRead | Shown | None, allowlist: Allowlist) -> Basis:
    basis = Basis(allowlist.epoch, allowlist.revision, Matched.NONE)
    match credential:
        case PlateRead():
            return replace(
                basis,
                as_read=credential.plate.display(),
                confidence=credential.confidence,
                weakest=credential.weakest,
                votes=credential.votes,
                evidence=credential.evidence,
            )
        case BadgeRead() | CodeRead() | PassRead():
            return replace(basis, as_read=credential.text)
    return replace(basis, confidence=0.0, weakest=0.0, votes=0)


_MATCHED = {
    MatchKind.EXACT: Matched.EXACT,
    MatchKind.LOOK_ALIKE: Matched.LOOK_ALIKE,
    MatchKind.BADGE: Matched.BADGE,
    MatchKind.QR_PASS: Matched.QR_PASS,
    MatchKind.GUEST_CODE: Matched.GUEST_CODE,
    MatchKind.SIGNED_PASS: Matched.SIGNED_PASS,
    MatchKind.AMBIGUOUS: Matched.NONE,
    MatchKind.NONE: Matched.NONE,
}


def _matched(basis: Basis, match: Match) -> Basis:
    as_matched = match.plate.key if match.plate else (match.credential.text if match.credential else "")
    return replace(basis, matched=_MATCHED[match.kind], as_matched=as_matched)


def _refuse(
    ask: Ask, reason: Reason, basis: Basis, user: User | None = None, contract: Contract | None = None
) -> Refused:
    plate = ask.credential.plate.key if isinstance(ask.credential, PlateRead) else ""
    return Refused(
        lane=ask.lane,
        direction=ask.direction,
        reason=reason,
        user_id=user.id if user else None,
        external_id=user.external_id if user else "",
        plate=plate,
        basis=basis,
        payer=_payer(user, contract) if user else "",
    )


def _grant(
    ask: Ask,
    basis: Basis,
    user_id: str | None,
    external_id: str,
    plate: str,
    *,
    notes: tuple[Note, ...] = (),
) -> Granted:
    return Granted(
        lane=ask.lane,
        direction=ask.direction,
        hold=ask.hold,
        user_id=user_id,
        external_id=external_id,
        plate=plate,
        basis=basis,
        notes=notes,
    )
