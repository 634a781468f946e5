"""A list file handed to the portal: the same file, with the same rules, that an edge without a portal reads.

All of it or nothing. A user whom the portal knows keeps its id; one that it does not know gets the file's, or the
one that every reader of such files derives from the external id: so an edge that ran on the file before it joined
recognises everybody, those inside too.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from gate_controller.allowlist import (
    Allowlist,
    Change,
    Permit,
    PermitPut,
    PermitRemoved,
    User,
    UserPut,
    UserRemoved,
)
from gate_controller.errors import ListFileError, ListRejected
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.operator.asked import Import, Reply
from sync.listfile import ListFile, derived_id, read_list


async def import_list(portal: Portal, asked: Import, tz: ZoneInfo) -> Reply:
    """Make the users of a file the portal's. Raises ListFileError with every problem by its line."""
    path = Path(asked.file)
    found = await asyncio.to_thread(read_list, path, tz)
    changes, added = await asyncio.to_thread(_changes, portal.allowlist, found, asked.whole)
    if changes:
        try:
            await portal.change(changes)
        except ListRejected as rejected:
            line = found.lines.get(rejected.external_id)
            place = f"{path}: line {line}" if line else str(path)
            raise ListFileError([f"{place}: {rejected}"]) from rejected
    removed = sum(isinstance(change, UserRemoved) for change in changes)
    users = len({change.user.id for change in changes if isinstance(change, UserPut)})
    row = {
        "file": asked.file,
        "added": added,
        "changed": users - added,
        "removed": removed,
        "warnings": len(found.problems),
    }
    told = f"{path.name}: {added} added, {users - added} changed, {removed} removed"
    if found.problems:
        told += f"; {len(found.problems)} warnings, `slagboom list check` shows them"
    return Reply([row], told)


def _changes(known: Allowlist, found: ListFile, whole: bool) -> tuple[list[Change], int]:
    """What leads from the portal's list to one that has the file's users; and how many of them are new."""
    before = {user.external_id: user for user in known.users()}
    permits = {permit.id: permit for permit in known.permits()}
    changes: list[Change] = []
    added = 0
    for wanted in found.allowlist.users():
        old = before.pop(wanted.external_id, None)
        added += old is None
        own = found.allowlist.permits_of(replace(wanted, groups=()))
        changes += _of_user(_with_id(wanted, old), old, own, known, permits)
    if whole:
        changes += [UserRemoved(user.id) for user in before.values()]
    return changes, added


def _with_id(wanted: User, old: User | None) -> User:
    """The portal's id, unless the file names one: then the list itself refuses another."""
    if old is None or wanted.id != derived_id(wanted.external_id):
        return wanted
    return replace(wanted, id=old.id)


def _of_user(
    user: User, old: User | None, own: tuple[Permit, ...], known: Allowlist, permits: dict[str, Permit]
) -> Iterator[Change]:
    wanted = [replace(permit, id=f"park-{user.id}", user_id=user.id) for permit in own]
    kept = {permit.id for permit in wanted}
    new = [permit for permit in wanted if permits.get(permit.id) != permit]
    gone = known.permits_of(replace(old, groups=())) if old is not None else ()
    gone = tuple(permit for permit in gone if permit.id not in kept)
    if user != old or new or gone:
        yield UserPut(user)
    yield from (PermitPut(permit) for permit in new)
    yield from (PermitRemoved(permit.id) for permit in gone)
