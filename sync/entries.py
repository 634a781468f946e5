"""Entries of a list between the wire and the disk: read once, for their changes, rows and sums together.

Pure. The rows are `sync.cached_list`'s, the sums `sync.roots`', and what the changes build is the allowlist's.
"""

from collections.abc import Sequence
from typing import Any, Final

from gate_controller.allowlist import (
    DevicePut,
    PermitPut,
    ReservationPut,
    UserPut,
    ViewCodePut,
    WholeList,
)
from gate_controller.errors import ListRejected
from sync.plain import Body, PlainPermitPut, PlainUserPut, read_entries
from sync.roots import Buckets

Row = tuple[str, str, str | None, str]
"""Kind, key, owner and body of an entry."""
KINDS: Final = ("user", "permit", "device", "reservation", "view_code")
"""In the order in which a whole list is built."""


class Entries:
    """Some entries that were read."""

    def __init__(self, ops: Sequence[Body], first: int = 0) -> None:
        """Read them; MalformedMessage if one cannot be read, counted from `first`."""
        self._ops, self._read = ops, read_entries(ops, first)

    def onto(self, whole: WholeList) -> None:
        """They join a list in the making; ListRejected if they cannot."""
        users: list[Any] = [one.user for one in self._read if type(one) is PlainUserPut]
        permits: list[Any] = [one.permit for one in self._read if type(one) is PlainPermitPut]
        whole.add_plain(users, permits)
        if len(users) + len(permits) < len(self._read):
            whole.add(one for one in self._read if not isinstance(one, PlainUserPut | PlainPermitPut))

    def rows(self) -> list[Row]:
        """Their rows; ListRejected for a change that is none."""
        rows: list[Row] = []
        for one, op in zip(self._read, self._ops, strict=True):
            body = str(op, "utf-8")
            # Asked by type, and not matched: that alone would be a tenth of reading an entry.
            if type(one) is PlainUserPut:
                rows.append(("user", one.user.id, None, body))
            elif type(one) is PlainPermitPut:
                rows.append(("permit", one.permit.id, one.permit.user_id, body))
            else:
                rows.append(row_of(one, body))
        return rows


class Gathered:
    """Entries of a whole list that were read and are not written yet."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.sums = Buckets()

    def read(self, ops: Sequence[Body], first: int = 0) -> Entries:
        """Read some more, counted from `first`; MalformedMessage or ListRejected if one is no entry."""
        entries = Entries(ops, first)
        rows = entries.rows()
        self.sums.add_rows(rows, ops)
        self.rows += rows
        return entries


def row_of(change: Any, body: str) -> Row:
    """The row of an entry; ListRejected for a change that is none."""
    match change:
        case UserPut(user):
            return "user", user.id, None, body
        case PermitPut(permit):
            return "permit", permit.id, permit.user_id, body
        case DevicePut(device):
            return "device", device.id, None, body
        case ReservationPut(reservation):
            return "reservation", reservation.id, reservation.user_id, body
        case ViewCodePut(code):
            return "view_code", code.id, None, body
    raise ListRejected("malformed", "a whole list is made of what is put on it, and removes nothing")
