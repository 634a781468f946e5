"""A user or credential that is revoked: in the list, and by order at every edge that is there.

The order is for an edge whose list cannot follow; what it means is `gate_controller.standing_orders`'.
"""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from gate_controller.credentials import Badge, CredentialState, PlateCredential
from gate_controller.errors import BadInput
from gate_controller.users import User, UserStatus
from sync.messages import CmdResult
from sync.orders import Revoke

if TYPE_CHECKING:
    from hardware_sim.portal.edges.service import Portal


async def revoke(portal: "Portal", external_id: str, credential: str, by: str, reason: str) -> list[str]:
    """Take a user, or where it is not "" this plate or badge of it, out of the list and out of force, now.

    Returns the edges that said that it is done; the others have the list's word when it comes. Raises BadInput.
    """
    user = portal.user(external_id)
    if revoked(user, credential) != user:
        await portal.edit(external_id, lambda user: revoked(user, credential))
    order = Revoke(user.id, external_id, credential, portal.allowlist.epoch, portal.allowlist.revision, by, reason)
    there = [edge.name for edge in await portal.edges() if edge.online]
    results = await asyncio.gather(*(portal.command(edge, order) for edge in there), return_exceptions=True)
    answered = zip(there, results, strict=True)
    return [edge for edge, result in answered if isinstance(result, CmdResult) and result.status == "done"]


def revoked(user: User, credential: str) -> User:
    """The user switched off, or only this plate or badge of it where that is not "". Raises BadInput."""
    if not credential:
        return replace(user, status=UserStatus.INACTIVE)
    off = CredentialState.REVOKED
    without = replace(
        user,
        plates=tuple(replace(one, state=off) if one.text == credential else one for one in user.plates),
        badges=tuple(replace(one, state=off) if one.text == credential else one for one in user.badges),
    )
    if all(one.text != credential for one in user.plates) and all(one.text != credential for one in user.badges):
        raise BadInput(f"{user.external_id} has no such plate or badge; `slagboom portal user show` tells")
    return without


def given_plate(user: User, plate: PlateCredential) -> User:
    """One more plate, or again one that was revoked."""
    rest = (one for one in user.plates if one.text != plate.text or one.state is not CredentialState.REVOKED)
    return replace(user, plates=(*rest, plate))


def given_badge(user: User, badge: Badge) -> User:
    """One more badge, or again one that was revoked."""
    rest = (one for one in user.badges if one.text != badge.text or one.state is not CredentialState.REVOKED)
    return replace(user, badges=(*rest, badge))
