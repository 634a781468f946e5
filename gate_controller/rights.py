"""Whether a credential and a permit count at this moment: state, validity, schedule, what a pass says of itself.

Not here: the order in which this is asked (`access`), who is inside (`occupancy`).
"""

from datetime import datetime

from gate_controller.allowlist import Match, Permit
from gate_controller.credentials import CredentialState, PassRead, Shown
from gate_controller.plates import PlateRead
from gate_controller.reasons import Reason
from gate_controller.site import Site


def pass_reason(read: PlateRead | Shown | None, site: Site, at: datetime) -> Reason | None:
    """Why a signed pass does not count here and now; None for any other credential."""
    if not isinstance(read, PassRead):
        return None
    if read.elsewhere:
        return Reason.WRONG_SITE
    if at >= read.valid_to:
        return Reason.PASS_EXPIRED
    return Reason.PASS_REPLAYED if read.once and site.occupancy.used(read.text) else None


def credential_reason(match: Match, at: datetime) -> Reason | None:
    """Why the credential that was found may not be used."""
    credential = match.credential
    if credential is None:
        return None
    match credential.state:
        case CredentialState.PENDING:
            return Reason.CREDENTIAL_PENDING
        case CredentialState.SUSPENDED:
            return Reason.CREDENTIAL_SUSPENDED
        case CredentialState.REVOKED:
            return Reason.CREDENTIAL_REVOKED
    return _validity_reason(credential.valid_from, credential.valid_to, at)


def _validity_reason(valid_from: datetime | None, valid_to: datetime | None, at: datetime) -> Reason | None:
    if valid_from is not None and at < valid_from:
        return Reason.NOT_YET_VALID
    if valid_to is not None and at >= valid_to:
        return Reason.EXPIRED
    return None


def permit_reason(permits: tuple[Permit, ...], place: str, local: datetime) -> Reason | None:
    """Why none of the permits lets a vehicle park at `place` at this local time, or None if one does.

    Of several permits the one that comes nearest to fitting gives the reason.
    """
    reasons = [one_permit(permit, local) for permit in permits if permit.covers(place)]
    if not reasons:
        return Reason.NO_PERMIT
    if None in reasons:
        return None
    order = (Reason.OUTSIDE_SCHEDULE, Reason.NOT_YET_VALID, Reason.EXPIRED)
    return min((r for r in reasons if r is not None), key=order.index)


def one_permit(permit: Permit, local: datetime) -> Reason | None:
    """Why this permit does not count at this local time."""
    reason = _validity_reason(permit.valid_from, permit.valid_to, local)
    if reason is None and permit.schedule is not None and not permit.schedule.allows(local):
        return Reason.OUTSIDE_SCHEDULE
    return reason
