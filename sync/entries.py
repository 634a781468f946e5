"""Entries of a list between the wire and the disk: read once, for their changes, rows and sums together.

Pure. The rows are `sync.cached_list`'s, the sums `sync.roots`', and what the changes build is the allowlist's.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from gate_controller.allowlist import Change, DevicePut, PermitPut, ReservationPut, UserPut, ViewCodePut
from gate_controller.errors import ListRejected
from sync.plain import entries_of
from sync.roots import Buckets

Row = tuple[str, str, str | None, str]
"""Kind, key, owner and body of an entry."""
KINDS: Final = ("user", "permit", "device", "reservation", "view_code")
"""In the order in which a whole list is built."""


class Gathered:
    """Entries of a whole list that were read and are not written yet."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.sums = Buckets()

    def read(self, ops: Sequence[bytes | msgspec.Raw], first: int = 0) -> list[Change]:
        """Read some more, counted from `first`; MalformedMessage or ListRejected if one is no entry."""
        changes = entries_of(ops, first)
        rows = [row_of(change, str(op, "utf-8")) for change, op in zip(changes, ops, strict=True)]
        self.sums.add_all([(kind, key, body) for kind, key, _, body in rows])
        self.rows += rows
        return changes


def row_of(change: Change, body: str) -> Row:
    """The row of an entry; ListRejected for a change that is none."""
    # Asked by type, and not matched: that alone would be a tenth of reading an entry.
    if type(change) is UserPut:
        return "user", change.user.id, None, body
    if type(change) is PermitPut:
        return "permit", change.permit.id, change.permit.user_id, body
    match change:
        case DevicePut(device):
            return "device", device.id, None, body
        case ReservationPut(reservation):
            return "reservation", reservation.id, reservation.user_id, body
        case ViewCodePut(code):
            return "view_code", code.id, None, body
    raise ListRejected("malformed", "a whole list is made of what is put on it, and removes nothing")
