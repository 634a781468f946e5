"""What goes over the wire and into the journal: topics, typed messages, facts and changes as JSON.

Boundary decoding of the link happens here and nowhere else: every payload becomes a typed value or one
`MalformedMessage`. Unknown fields are ignored, so that a newer peer is understood. Signatures, commands and
chunked snapshots are not here yet; MQTT itself is `sync.mqtt`'s business.
"""

import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_type_hints

import msgspec

from gate_controller.allowlist import Change
from gate_controller.errors import BadInput, ConfigError, MalformedMessage
from gate_controller.facts import PERSONAL, Fact

PROTOCOL_VERSION: Final = 1
PAYLOAD_LEN_MAX: Final = 32 * 1024 * 1024
"""Bytes; a whole list of 200,000 entries fits, a hostile flood does not."""
BATCH_LEN_MAX: Final = 100
"""Events in one upload."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

# 2**53 is what JSON readers of every language hold exactly, and fits SQLite's integers.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge says about itself; retained, and the will says the same with `status` offline.

    `conn` names the connection, so that a late will cannot overwrite a newer birth. `trouble` says why the list
    cannot follow the portal's, so that an old one in force is no secret; empty when it can.
    """

    status: Literal["online", "offline"]
    conn: str
    ledger: str
    next_seq: Count
    acked: Count
    list: "Revision | None" = None
    sw: str = ""
    sqlite: str = ""
    trouble: str = ""


class Revision(msgspec.Struct, frozen=True):
    """Which list: revisions only rise inside an epoch."""

    epoch: str
    rev: Count


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One journal row; `personal` is None once erased, or when there was nothing personal."""

    seq: Count
    at: datetime
    kind: str
    body: msgspec.Raw
    personal: dict[str, str] | None = None


class EventBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive journal rows of one ledger; an event's identity is (edge, ledger, seq)."""

    ledger: str
    first: Count
    last: Count
    events: list[Event]


class EventAck(msgspec.Struct, frozen=True, kw_only=True):
    """The portal has durably stored every row of `ledger` up to and including `through`."""

    ledger: str
    through: Count


class ListHead(msgspec.Struct, frozen=True, kw_only=True):
    """The newest revision of a site's list; retained, and only a hint.

    `conn` names the portal's connection: a new one means that what was under way to it may be lost.
    """

    epoch: str
    rev: Count
    conn: str = ""


class ListDelta(msgspec.Struct, frozen=True, kw_only=True):
    """Changes that lead from one revision to a later one of the same epoch."""

    epoch: str
    from_: Count = msgspec.field(name="from")
    to: Count
    ops: list[msgspec.Raw]


class ListGet(msgspec.Struct, frozen=True, kw_only=True):
    """An edge asks for its list and says which one it has."""

    have: Revision | None = None


class ListPart(msgspec.Struct, frozen=True, kw_only=True):
    """The whole list, as the changes that build it from nothing."""

    epoch: str
    rev: Count
    ops: list[msgspec.Raw]


Message = State | EventBatch | EventAck | ListHead | ListDelta | ListGet | ListPart
M = TypeVar("M", bound=msgspec.Struct)


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return msgspec.json.encode(message)


def decode(kind: type[M], payload: bytes) -> M:
    """The payload as a message of this kind; MalformedMessage says what is wrong with it."""
    if len(payload) > PAYLOAD_LEN_MAX:
        raise MalformedMessage(f"{kind.__name__}: {len(payload)} bytes are more than {PAYLOAD_LEN_MAX}")
    try:
        return msgspec.json.decode(payload, type=kind)
    except _UNREADABLE as error:
        raise MalformedMessage(f"{kind.__name__}: {error}") from error


# ---- topics ----

_SEGMENT = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an edge lives in the tree of topics. Raises ConfigError on a name that would not be one level."""

    tenant: str
    site: str
    edge: str

    def __post_init__(self) -> None:
        wrong = [
            f"portal.{name}: {value!r} must be 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-', and an edge not 'list'"
            for name, value in (("tenant", self.tenant), ("site", self.site), ("edge", self.edge))
            if not _SEGMENT.fullmatch(value) or (name == "edge" and value == "list")
        ]
        if wrong:
            raise ConfigError(wrong)

    @property
    def client_id(self) -> str:
        """The edge's name at the broker."""
        return f"{self.tenant}.{self.site}.{self.edge}"

    def site_topic(self, suffix: str) -> str:
        """Topic shared by the site's edges: `list/head`, `list/delta`."""
        return f"{topic_root(self.tenant, self.site)}/{suffix}"

    def topic(self, suffix: str) -> str:
        """Topic of this edge alone: `state`, `ev`, `ev/ack`, `list/get`, `list/part`."""
        return f"{topic_root(self.tenant, self.site)}/{self.edge}/{suffix}"


def topic_root(tenant: str, site: str) -> str:
    """What all topics of a site begin with."""
    return f"slagboom/{PROTOCOL_VERSION}/{tenant}/{site}"


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
_FACT_KINDS: Final[dict[type, str]] = {kind: name for name, kind in _FACTS.items()}


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
    return EncodedFact(_FACT_KINDS[type(fact)], msgspec.json.encode(body), personal or None)


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
    except (*_UNREADABLE, LookupError, TypeError, AttributeError):
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
_CHANGE_KINDS: Final[dict[type, str]] = {kind: name for name, kind in _CHANGES.items()}


def encode_change(change: Change) -> msgspec.Raw:
    """A change as one JSON object, its kind under `op`; what is None or empty is left out."""
    return msgspec.Raw(
        msgspec.json.encode({"op": _CHANGE_KINDS[type(change)], **_lean(msgspec.to_builtins(change))})
    )


def decode_changes(ops: Iterable[bytes | msgspec.Raw]) -> list[Change]:
    """The changes of a delta or a whole list; MalformedMessage if one cannot be read: half is worse than none."""
    return [_decode_change(op, place) for place, op in enumerate(ops)]


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lean(held) for name, held in value.items() if held is not None and held != ()}
    return [_lean(held) for held in value] if isinstance(value, tuple) else value


def _decode_change(op: bytes | msgspec.Raw, place: int) -> Change:
    try:
        values = msgspec.json.decode(op, type=dict[str, Any])
        return msgspec.convert(values, _CHANGES[values.pop("op")])
    except (*_UNREADABLE, BadInput, LookupError, TypeError) as error:
        raise MalformedMessage(f"ops[{place}]: {error or type(error).__name__}") from error
