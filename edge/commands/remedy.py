"""What would have to change for a refused credential to pass, in sentences for the person at the desk.

Here: one answer a reason, made from the same site that was asked. Not here: the decision itself (`access`), nor
the sentences that are the same for everybody (`reasons`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rapidfuzz.distance import Levenshtein

from gate_controller.access import Ask, decide, is_temporary
from gate_controller.allowlist import Match, Permit
from gate_controller.facts import Granted, Refused
from gate_controller.moment import Moment
from gate_controller.plates import PlateRead
from gate_controller.reasons import Reason
from gate_controller.rights import permit_reason
from gate_controller.site import Site

NEAR_EDITS_MAX: Final = 2
NEAR_LEN_MAX: Final = 3
"""Listed plates within two edits that are shown beside an unknown one: for a person's eye, never for a match."""


@dataclass(frozen=True, slots=True)
class Case:
    """The question with everything that the answer is made from."""

    site: Site
    ask: Ask
    at: datetime

    def answer(self) -> Granted | Refused:
        """What the gate would say."""
        return decide(self.ask, self.site, Moment(self.at, self.at.timestamp()))

    def found(self) -> Match:
        """Whom the list has for the credential."""
        credential = self.ask.credential
        assert credential is not None
        return self.site.allowlist.find(credential)


def changes(reason: Reason, case: Case, match: Match, permits: tuple[Permit, ...]) -> Iterator[str]:
    """What to do so that the case would pass this reason, as sentences for an operator."""
    who = match.user.external_id if match.user else ""
    match reason:
        case Reason.DEVICE_INACTIVE:
            yield f"Switch the lane on: `slagboom operate activate {case.ask.lane}`, or `active` in its settings."
        case Reason.CREDENTIAL_REVOKED | Reason.USER_INACTIVE if _is_void(case, match):
            yield f"An order of the portal made it void; let its newest list come, which decides on user {who}."
        case Reason.UNKNOWN_CREDENTIAL | Reason.CODE_WRONG:
            yield "Add it to a user of the list."
            yield from _near(case)
        case Reason.AMBIGUOUS_PLATE:
            users = " and ".join(user.external_id for user in match.candidates)
            yield f"Users {users} both qualify: list their plates with separators, or give one of them a badge."
        case Reason.CREDENTIAL_PENDING:
            yield f"Activate this credential of user {who}."
        case Reason.CREDENTIAL_SUSPENDED | Reason.CREDENTIAL_REVOKED:
            yield f"Make this credential of user {who} active again, or list another one."
        case Reason.USER_INACTIVE:
            yield f"Activate user {who}."
        case Reason.NO_PERMIT:
            yield f"Give user {who}, or a group of the user, a permit for {case.ask.lane}."
        case Reason.OUTSIDE_SCHEDULE:
            soonest = _next_time(case, permits)
            come = f"Come from {soonest:%a %Y-%m-%d %H:%M}, or" if soonest else "No time of the coming week fits;"
            yield f"{come} widen the schedule."
        case Reason.NOT_YET_VALID | Reason.EXPIRED:
            yield from _validity(reason, case, match, permits)
        case Reason.ANOTHER_VEHICLE_PARKED | Reason.ALREADY_INSIDE:
            yield from _occupied(case, who)
        case Reason.FULL:
            yield f"A vehicle must leave: {case.site.occupancy.taken()} of {case.site.rules.capacity} are inside."
        case Reason.LIST_TOO_OLD if (confirmed := case.site.list_confirmed_at) is not None:
            yield f"Let the portal be reached; it last confirmed the list at {_local(confirmed, case)}."
            if is_temporary(match, case.site, case.ask.lane, case.at) and case.site.list_max_age(False) is None:
                yield "A permit without an end, and a credential without one, would count all the same."
        case Reason.NOT_INSIDE:
            yield "Let an operator open, or set the lane's exit_policy to any_vehicle."


def _is_void(case: Case, match: Match) -> bool:
    user, credential = match.user, match.credential
    return user is not None and (
        case.site.is_void(user.id) or (credential is not None and case.site.is_void(user.id, credential.text))
    )


def _near(case: Case) -> Iterator[str]:
    if not isinstance(case.ask.credential, PlateRead):
        return
    key = case.ask.credential.plate.key
    near = []
    for user in case.site.allowlist.users():
        for credential in user.plates:
            edits = Levenshtein.distance(key, credential.plate.key, score_cutoff=NEAR_EDITS_MAX)
            if edits <= NEAR_EDITS_MAX:
                near.append((edits, credential.plate.display(), user.external_id))
    for edits, plate, who in sorted(near)[:NEAR_LEN_MAX]:
        yield f"Near it is {plate} of user {who} ({edits} of its characters off); nearness never opens."


def _next_time(case: Case, permits: tuple[Permit, ...]) -> datetime | None:
    """The next minute of the coming week at which a permit allows the lane."""
    start = case.at.astimezone(UTC).replace(second=0, microsecond=0)
    for minutes in range(1, 7 * 24 * 60 + 1):
        # Through UTC, because local minutes are missing or come twice when summer time changes.
        local = (start + timedelta(minutes=minutes)).astimezone(case.site.tz)
        if permit_reason(permits, case.ask.lane, local) is None:
            return local
    return None


def _validity(reason: Reason, case: Case, match: Match, permits: tuple[Permit, ...]) -> Iterator[str]:
    own = [match.credential] if match.credential else []
    for what in (*own, *permits):
        name = f"Permit {what.id}" if isinstance(what, Permit) else "The credential"
        if reason is Reason.NOT_YET_VALID and what.valid_from is not None:
            yield f"{name} begins at {_local(what.valid_from, case)}."
        if reason is Reason.EXPIRED and what.valid_to is not None:
            yield f"{name} ended at {_local(what.valid_to, case)}; extend it."


def _occupied(case: Case, who: str) -> Iterator[str]:
    user_id = case.answer().user_id
    if user_id is None:
        return
    for session in case.site.occupancy.of_user(user_id):
        yield (
            f"{session.plate or 'The vehicle'} must leave; it is inside since {_local(session.entered_at, case)}. "
            "If it left unseen, close its session."
        )
    for hold in case.site.occupancy.holds_of(user_id):
        yield f"{hold.plate or 'A vehicle'} of user {who} is on its way in at {hold.lane}."


def _local(at: datetime, case: Case) -> str:
    return f"{at.astimezone(case.site.tz):%Y-%m-%d %H:%M}"
