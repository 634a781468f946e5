"""What an operator asks of a portal about people: users, their credentials, groups, permits and guests.

Every change goes through `Portal.change`, so that the list's own rules refuse it. Not here: edges and keys
(`gates`), and whole list files (`importing`).
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from heapq import nsmallest
from typing import Any, Final

from gate_controller.allowlist import Allowlist, Permit, User, UserPut, UserStatus
from gate_controller.credentials import Badge, PlateCredential
from gate_controller.errors import BadInput
from gate_controller.plates import Plate
from gate_controller.users import ListedCredential
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.edges.revocation import revoke as revoked_now
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.operator.asked import (
    AddCredential,
    AddGuest,
    AddUser,
    PermitGroup,
    Permits,
    RemoveCredential,
    RemovePermit,
    RemoveUser,
    Reply,
    RevokeUser,
    SetGroups,
    ShowUser,
    SwitchUser,
    Users,
)

Row = dict[str, Any]


async def users(portal: Portal, asked: Users) -> Reply:
    found, _ = beginning(portal.allowlist, asked.begins, sys.maxsize)
    return Reply([*map(_summary, found)])


def beginning(listed: Allowlist, begins: str, limit: int) -> tuple[list[User], int]:
    """Users whose external id begins so, the first of them by it, and how many there are.

    Takes a while with very many users: for another thread.
    """
    found = [user for user in listed.users() if user.external_id.startswith(begins)]
    return nsmallest(limit, found, key=lambda user: user.external_id), len(found)


async def show_user(portal: Portal, asked: ShowUser) -> Reply:
    user = portal.user(asked.external_id)
    held: list[ListedCredential] = [*user.plates, *user.badges, *user.secrets]
    credentials = [_credential(one) for one in held]
    permits = [_permit(permit) for permit in portal.allowlist.permits_of(user)]
    return Reply([{**_summary(user), "credentials": credentials, "permits": permits}])


async def add_user(portal: Portal, asked: AddUser) -> Reply:
    _named(asked.external_id, "external id")
    if asked.places < 1:
        raise BadInput(f"places: {asked.places}; write how many vehicles may be inside at once, 1 or more")
    user = await portal.add_user(
        asked.external_id,
        asked.plates,
        asked.badges,
        asked.groups,
        country=asked.country,
        pool_size=asked.places,
        schedule=asked.schedule,
    )
    return Reply([_summary(user)], f"{user.external_id} added")


async def switch_user(portal: Portal, asked: SwitchUser) -> Reply:
    await portal.set_status(asked.external_id, UserStatus.ACTIVE if asked.on else UserStatus.INACTIVE)
    word = "enabled" if asked.on else "disabled"
    return Reply([_summary(portal.user(asked.external_id))], f"{asked.external_id} {word}")


async def remove_user(portal: Portal, asked: RemoveUser) -> Reply:
    await portal.remove_user(asked.external_id)
    return Reply([{"external_id": asked.external_id}], f"{asked.external_id} removed")


async def add_credential(portal: Portal, asked: AddCredential) -> Reply:
    if asked.plate:
        await portal.add_plate(asked.external_id, asked.plate, asked.country)
    else:
        await portal.add_badge(asked.external_id, asked.badge)
    what = "plate" if asked.plate else "badge"
    return Reply([_summary(portal.user(asked.external_id))], f"{asked.external_id} has one more {what}")


async def remove_credential(portal: Portal, asked: RemoveCredential) -> Reply:
    user = portal.user(asked.external_id)
    if asked.plate:
        key = Plate.parse(asked.plate).key
        rest = replace(user, plates=tuple(one for one in user.plates if one.plate.key != key))
    else:
        uid = Badge.parse(asked.badge).uid
        rest = replace(user, badges=tuple(one for one in user.badges if one.uid != uid))
    what = "plate" if asked.plate else "badge"
    if rest == user:
        raise BadInput(
            f"{asked.external_id} has no {what} {asked.plate or asked.badge}; `slagboom portal user show` tells"
        )
    await portal.change([UserPut(rest)])
    return Reply([_summary(rest)], f"{asked.external_id} has that {what} no more")


async def revoke(portal: Portal, asked: RevokeUser) -> Reply:
    credential = Plate.parse(asked.plate).key if asked.plate else ""
    credential = Badge.parse(asked.badge).text if asked.badge else credential
    void_on = await revoked_now(portal, asked.external_id, credential, asked.by, asked.reason)
    what = f"plate {asked.plate}" if asked.plate else f"badge {asked.badge}" if asked.badge else "user"
    edges = f"void by order on {', '.join(void_on)}" if void_on else "no edge was there to be ordered"
    row = {**_summary(portal.user(asked.external_id)), "void_on": void_on}
    return Reply([row], f"{asked.external_id}: {what} revoked; {edges}")


async def set_groups(portal: Portal, asked: SetGroups) -> Reply:
    for group in asked.groups:
        _named(group, "group")
    await portal.set_groups(asked.external_id, tuple(dict.fromkeys(asked.groups)))
    user = portal.user(asked.external_id)
    return Reply([_summary(user)], f"{user.external_id} is in {', '.join(user.groups) or 'no group'}")


async def permits(portal: Portal, _: Permits) -> Reply:
    found = [permit for permit in portal.allowlist.permits() if permit.group_id is not None]
    return Reply([_permit(permit) for permit in sorted(found, key=lambda permit: permit.id)])


async def permit_group(portal: Portal, asked: PermitGroup) -> Reply:
    _named(asked.group, "group")
    if asked.lane is not None:
        _named(asked.lane, "lane")
    permit = await portal.permit_group(asked.group, asked.schedule, asked.lane)
    where, when = asked.lane or "everywhere", asked.schedule or "at any time"
    return Reply([_permit(permit)], f"group {asked.group} may park: {where}, {when}")


async def remove_permit(portal: Portal, asked: RemovePermit) -> Reply:
    if all(permit.id != asked.permit_id for permit in portal.allowlist.permits()):
        raise BadInput(
            f"no permit {asked.permit_id}; `slagboom portal permit list` and `user show` tell their names"
        )
    await portal.remove_permit(asked.permit_id)
    return Reply([{"permit": asked.permit_id}], f"permit {asked.permit_id} removed")


async def add_guest(portal: Portal, asked: AddGuest) -> Reply:
    _named(asked.external_id, "external id")
    made = "" if asked.code or asked.qr_pass else newcomers.new_guest_code()
    guest = await portal.add_guest(
        asked.external_id, qr_pass=asked.qr_pass, code=asked.code or made, valid_to=asked.until
    )
    # The one time that it is told: the list keeps a digest.
    row = {**_summary(guest), "code": made or None, "until": _utc(asked.until)}
    return Reply([row], f"{guest.external_id} added" + (f"; guest code {made}, told this once" if made else ""))


def _named(text: str, what: str) -> None:
    if not text.strip() or text != text.strip() or not text.isprintable() or len(text) > 100:
        raise BadInput(f"{what} {text[:40]!r}: write 1 to 100 printable characters, without spaces around them")


def _summary(user: User) -> Row:
    return {
        "external_id": user.external_id,
        "status": user.status.value,
        "plates": len(user.plates),
        "badges": len(user.badges),
        "passes": len(user.passes),
        "codes": len(user.codes),
        "groups": list(user.groups),
        "places": user.pool_size,
        "user_id": user.id,
    }


def _credential(one: ListedCredential) -> Row:
    """A pass or code is told by its kind only: the list has no more than its digest."""
    text = one.plate.display() if isinstance(one, PlateCredential) else one.uid if isinstance(one, Badge) else None
    return {
        "kind": one.kind.value,
        "text": text,
        "country": one.plate.country if isinstance(one, PlateCredential) else None,
        "state": one.state.value,
        "valid_from": _utc(one.valid_from),
        "valid_to": _utc(one.valid_to),
    }


def _permit(permit: Permit) -> Row:
    return {
        "permit": permit.id,
        "action": permit.action.value,
        "group": permit.group_id,
        "lane": permit.device,
        "schedule": permit.schedule.text if permit.schedule else None,
        "valid_from": _utc(permit.valid_from),
        "valid_to": _utc(permit.valid_to),
    }


def _utc(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at is not None else None


Answer = Callable[[Portal, Any], Awaitable[Reply]]

LOOKS: Final[dict[type, Answer]] = {Users: users, ShowUser: show_user, Permits: permits}
CHANGES: Final[dict[type, Answer]] = {
    AddUser: add_user,
    SwitchUser: switch_user,
    RemoveUser: remove_user,
    AddCredential: add_credential,
    RemoveCredential: remove_credential,
    RevokeUser: revoke,
    SetGroups: set_groups,
    PermitGroup: permit_group,
    RemovePermit: remove_permit,
    AddGuest: add_guest,
}
"""Those that make a new revision of the list."""
