"""Users and permits that have nothing unusual about them, put on a list many at a time.

Plain is a user with plates that are simply active and nothing else but groups, a name and a pool's size; and a
permit without schedule, validity and quota. What such entries could break, they break by meeting one another or
somebody who is there, and that is asked of all of them at once; where one does, nothing is put. Not here: what is
wrong then, and all that is not plain; both are `changes`' business, one entry after the other.
"""

from collections.abc import Sequence
from typing import Any

from gate_controller.layers import Draft
from gate_controller.look_alikes import skeletons
from gate_controller.plates import all_usable
from gate_controller.users import Permit, User, external_key, plain_permit_row, plain_user_row


def put_users(
    users: Sequence[User],
    by_id: Draft[str],
    by_external: Draft[str],
    plates: Draft[str],
    by_skeleton: Draft[bytes],
    removed: Draft[str],
) -> bool:
    """Put plain users into these tables; whether it was done: false, and nothing is, if any meets anybody."""
    ids = [user.id for user in users]
    keys = [credential.plate.key for user in users for credential in user.plates]
    if not all_usable(keys) or removed.meets(ids):
        return False
    rows = [*map(plain_user_row, users)]
    called = [external_key(user.customer, user.external_id) for user in users]
    tables: list[tuple[Draft[str], list[str], Sequence[Any]]] = [
        (by_id, ids, rows), (by_external, called, ids), (plates, keys, [row for row in rows for _ in row[7]]),
    ]  # fmt: skip
    fresh = [dict(zip(names, values, strict=True)) for _, names, values in tables]
    for (table, names, _), one in zip(tables, fresh, strict=True):
        if len(one) < len(names) or table.meets(one):
            return False
    for (table, _, _), one in zip(tables, fresh, strict=True):
        table.put_all(one)
    by_skeleton.add_all(zip(skeletons(keys), keys, strict=True))
    return True


def put_permits(permits: Sequence[Permit], by_id: Draft[str], by_user: Draft[str], by_group: Draft[str]) -> bool:
    """Put plain permits into these tables; whether it was done: false, and nothing is, if any is there already."""
    rows = [*map(plain_permit_row, permits)]
    fresh = {row[0]: row for row in rows}
    if len(fresh) < len(rows) or by_id.meets(fresh) or any((row[1] is None) == (row[2] is None) for row in rows):
        return False
    by_id.put_all(fresh)
    by_user.add_all((row[1], row) for row in rows if row[1] is not None)
    by_group.add_all((row[2], row) for row in rows if row[1] is None)
    return True
