"""Facts and changes of the list as JSON: what the journal holds, and what goes over the wire inside of messages.

A fact of another version is kept as it is (`UnknownFact`); a change of one spoils all that came with it, because
half a list is worse than none. The messages themselves are `sync.messages`'.
"""

import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, Final, Union, get_args, get_type_hints

import msgspec

from gate_controller.allowlist import Change
from gate_controller.errors import BadInput, MalformedMessage
from gate_controller.facts import PERSONAL, Fact

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises for bytes that are no such JSON."""

# ---- rows ----


def instant_text(at: datetime) -> str:
    """UTC with microseconds, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def digest(at: str, kind: str, body: bytes) -> str:
    """What a row says, erased or not, as 32 hex digits; `at` as `instant_text` writes it."""
    return sha256(b"\0".join((at.encode(), kind.encode(), body))).hexdigest()[:32]


# ---- facts: kind, body without personal fields, personal fields ----


@dataclass(frozen=True, slots=True)
class UnknownFact:
    """A fact this version cannot read: of a kind it does not know, or with fields it does not know how to."""

    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class EncodedFact:
    """A fact as the journal and the wire hold it; `personal` maps dotted paths to text, None when empty."""

    kind: str
    body: bytes
    personal: dict[str, str] | None


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_FACTS: Final[dict[str, Any]] = {_snake(kind.__name__): kind for kind in get_args(Fact)}
FACT_KINDS: Final[dict[type, str]] = {kind: name for name, kind in _FACTS.items()}


def is_known(kind: str) -> bool:
    """Whether this version has a fact of this kind."""
    return kind in _FACTS


def encode_fact(fact: Fact) -> EncodedFact:
    """Kind, JSON body without the personal fields, and those fields."""
    body = msgspec.to_builtins(fact)
    known: Any = type(fact)
    personal: dict[str, str] = {}
    for path in PERSONAL.get(known, ()):
        holder, name = _at(body, path)
        value = holder.pop(name)
        if value != _erased(known, path):
            personal[path] = value
    return EncodedFact(FACT_KINDS[type(fact)], msgspec.json.encode(body), personal or None)


def decode_fact(kind: str, body: bytes, personal: dict[str, str] | None) -> Fact | UnknownFact:
    """The fact again; erased fields read as "" or None. Never raises: what cannot be read is `UnknownFact`."""
    known = _FACTS.get(kind)
    if known is None:
        return UnknownFact(kind, body)
    try:
        values = msgspec.json.decode(body, type=dict[str, Any])
        for path in PERSONAL.get(known, ()):
            holder, name = _at(values, path)
            holder[name] = (personal or {}).get(path, _erased(known, path))
        fact: Fact = msgspec.convert(values, known)
        return fact
    except (*UNREADABLE, LookupError, TypeError, AttributeError):
        return UnknownFact(kind, body)


def _at(values: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *outer, name = path.split(".")
    for step in outer:
        values = values[step]
    return values, name


@cache
def _erased(kind: Any, path: str) -> Any:
    *outer, name = path.split(".")
    for step in outer:
        kind = get_type_hints(kind)[step]
    default = next(field.default for field in fields(kind) if field.name == name)
    return "" if default is MISSING else default


# ---- changes of the allowlist ----

_CHANGES: Final[dict[str, type[Change]]] = {_snake(kind.__name__): kind for kind in get_args(Change)}
CHANGE_KINDS: Final[dict[type, str]] = {kind: name for name, kind in _CHANGES.items()}


class _Op(msgspec.Struct, frozen=True, gc=False):
    """A change as it is on the wire: its own one field, its kind under `op`. Typed, so that C reads all of it."""


def _op_of(name: str, kind: type[Change]) -> Any:
    ((field, annotation),) = get_type_hints(kind).items()
    namespace = {"change": lambda op: kind(getattr(op, field))}
    return msgspec.defstruct(
        f"_{kind.__name__}", [(field, annotation)],
        bases=(_Op,), namespace=namespace, tag_field="op", tag=name, frozen=True, gc=False,
    )  # fmt: skip


_OPS: Final = msgspec.json.Decoder[Any](Union[tuple(_op_of(*change) for change in _CHANGES.items())])  # noqa: UP007


def encode_change(change: Change) -> msgspec.Raw:
    """A change as one JSON object, its kind under `op`; what is as its default says is left out."""
    return msgspec.Raw(msgspec.json.encode({"op": CHANGE_KINDS[type(change)], **_lean(change)}))


def decode_changes(ops: Iterable[bytes | msgspec.Raw], first: int = 0) -> list[Change]:
    """The changes of a delta or a whole list; MalformedMessage if one cannot be read: half is worse than none.

    They are counted from `first` when one is told of.
    """
    changes: list[Change] = []
    try:
        changes.extend(_OPS.decode(op).change() for op in ops)
    except (*UNREADABLE, BadInput) as error:
        raise MalformedMessage(f"ops[{first + len(changes)}]: {error}") from error
    return changes


def _lean(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_lean(held) for held in value]
    if not is_dataclass(value):
        return value
    kind: Any = type(value)
    told = ((name, getattr(value, name), default) for name, default in _defaults(kind))
    return {name: _lean(held) for name, held, default in told if held != default}


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in fields(kind))
