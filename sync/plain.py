"""Users and permits of a whole list as most of them are, read many at a time and in a fraction of the time.

Most users have plates and nothing else, most permits a holder and nothing else (`gate_controller.plain_rows`). Such
entries are read into light structures that carry every other attribute of `User` and `Permit` as its default and
refuse any field beyond their own, so that the list takes them for what they stand for. They are for building a list
alone: its rows are made of plain values, and these objects are gone with the part they came in. Whatever else there
is reads `sync.codec`.
"""

from collections.abc import Sequence
from dataclasses import fields
from types import FunctionType
from typing import Any, Final

import msgspec

from gate_controller.allowlist import Action, Change, Permit, PermitPut, User, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.plates import Plate
from sync.codec import CHANGE_KINDS, UNREADABLE, decode_changes


class _PlainPlate(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    key: str
    groups: tuple[str, ...] = ()
    country: str | None = None


class _PlainCredential(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    plate: _PlainPlate


class _PlainUser(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    id: str
    external_id: str
    customer: str = ""
    groups: tuple[str, ...] = ()
    name: str | None = None
    pool_size: int = 1
    plates: tuple[_PlainCredential, ...] = ()


class _PlainPermit(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    id: str
    action: Action
    user_id: str | None = None
    group_id: str | None = None
    device: str | None = None


class _Op(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag_field="op"):
    """A change as it is on the wire: its own one field, its kind under `op`."""


class PlainUserPut(_Op, frozen=True, tag=CHANGE_KINDS[UserPut]):
    """A user with nothing but plates, as what `UserPut` says."""

    user: _PlainUser


class PlainPermitPut(_Op, frozen=True, tag=CHANGE_KINDS[PermitPut]):
    """A permit with nothing but its holder, as what `PermitPut` says."""

    permit: _PlainPermit


def _stands_for(plain: type[msgspec.Struct], whole: type[Any]) -> None:
    """Give the light structure all that it has no field for: the defaults, and what is reckoned from fields."""
    held: dict[str, Any] = {
        name: value for name, value in vars(whole).items() if isinstance(value, property | FunctionType)
    }
    held |= {field.name: field.default for field in fields(whole)}
    for name in held.keys() - {*plain.__struct_fields__}:
        if not name.startswith("_"):
            setattr(plain, name, held[name])


_stands_for(_PlainPlate, Plate)
_stands_for(_PlainCredential, PlateCredential)
_stands_for(_PlainUser, User)
_stands_for(_PlainPermit, Permit)

_DECODE: Final = msgspec.json.Decoder(PlainUserPut | PlainPermitPut).decode
_DECODE_ALL: Final = msgspec.json.Decoder(list[PlainUserPut | PlainPermitPut]).decode

Body = bytes | msgspec.Raw
"""An entry as it is on the wire and on the disk."""
Read = PlainUserPut | PlainPermitPut | Change


def read_entries(ops: Sequence[Body], first: int = 0) -> Sequence[Read]:
    """What builds a list, plain where it can be; MalformedMessage if one cannot be read, counted from `first`."""
    return _all_plain(ops) or [_plain(op) or decode_changes([op], at)[0] for at, op in enumerate(ops, first)]


def _all_plain(ops: Sequence[Body]) -> list[PlainUserPut | PlainPermitPut] | None:
    """All of them at once; None if any is not plain."""
    try:
        found = _DECODE_ALL(b"[%b]" % b",".join(ops))
    except UNREADABLE:
        return None
    return found if len(found) == len(ops) else None


def _plain(op: Body) -> PlainUserPut | PlainPermitPut | None:
    """The entry, if it puts a plain user or permit; None for any other, also for one that cannot be read."""
    try:
        found: PlainUserPut | PlainPermitPut = _DECODE(op)
    except UNREADABLE:
        return None
    return found
