"""What goes over the wire and into the journal: topics, typed messages, facts and changes as JSON.

Boundary decoding of the link happens here and nowhere else: every payload becomes a typed value or one
`MalformedMessage`. Unknown fields are ignored, so that a newer peer is understood. What comes down is signed:
the envelope is `sync.signing`'s business, MQTT itself `sync.mqtt`'s.
"""

import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_type_hints

import msgspec

from gate_controller.allowlist import Change
from gate_controller.errors import BadInput, ConfigError, MalformedMessage
from gate_controller.facts import PERSONAL, Fact
from sync.orders import ClearUser, LaneOrder, SyncNow
from sync.signing import Count, Signed, Time

PROTOCOL_VERSION: Final = 1
PAYLOAD_LEN_MAX: Final = 1024 * 1024
"""Bytes of any message."""
SMALL_LEN_MAX: Final = 4096
"""Bytes of a key set, a list head and an order."""
PART_LEN_MAX: Final = 64 * 1024
"""Bytes of one part of a whole list."""
PARTS_AHEAD: Final = 8
"""Parts that follow one question."""
LIST_LIVES: Final = timedelta(hours=2)
"""What the portal says of a list counts for so long; an edge that hears nothing newer calls its list stale."""
ORDER_LIVES: Final = timedelta(seconds=10)
"""The longest that an order from the portal may be carried out after it was given."""
BATCH_LEN_MAX: Final = 100
"""Events in one upload."""
CLAIM_LIVES: Final = timedelta(seconds=2)
"""How long a broker may keep a question for a place or its answer."""
CLOSES_LEN_MAX: Final = 64
"""Sessions that end with one passage."""
LEFT_LEN_MAX: Final = 64
"""Sessions told of in one message."""

ClaimName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""A hold of an edge: f"{lane}-{run}-{n}"."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge says about itself; retained, and the will says the same with `status` offline.

    `conn` names the connection, so that a late will cannot overwrite a newer birth; `nonce` this start of the
    program, for orders to echo. `told` counts the states since then, because a later one may overtake an earlier.
    `stale` says that the portal has not confirmed the list for too long. `trouble`
    says why the list cannot follow the portal's, so that an old one in force is no secret; empty when it can.
    """

    status: Literal["online", "offline"]
    conn: str
    told: Count = 0
    ledger: str
    next_seq: Count
    acked: Count
    list: "Revision | None" = None
    stale: bool = False
    keyset: Count = 0
    nonce: str = ""
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


class ListHead(Signed, frozen=True, kw_only=True):
    """The newest revision of a site's list; retained, and only a hint.

    `era` rises with every epoch, so that an old epoch cannot come back; `root` is the list's (`sync.roots`).
    `conn` names the portal's connection: a new one means that what was under way to it may be lost.
    """

    kind: Literal["list/head"] = "list/head"
    era: Count
    epoch: str
    rev: Count
    root: str
    conn: str = ""


class ListDelta(Signed, frozen=True, kw_only=True):
    """Changes that lead from one revision to a later one of the same epoch, and the root of the later one."""

    kind: Literal["list/delta"] = "list/delta"
    era: Count
    epoch: str
    from_: Count = msgspec.field(name="from")
    to: Count
    root: str
    ops: list[msgspec.Raw]


class Written(msgspec.Struct, frozen=True):
    """How far a whole list has come: the parts before `next` are written."""

    epoch: str
    rev: Count
    next: Count


class ListGet(msgspec.Struct, frozen=True, kw_only=True):
    """An edge asks for its list and says which one it has; with `whole`, for all of it, from `written` on."""

    have: Revision | None = None
    whole: bool = False
    written: Written | None = None


class ListPart(Signed, frozen=True, kw_only=True):
    """One of the parts of a whole list, as changes that build it from nothing; `root` is the whole list's."""

    kind: Literal["list/part"] = "list/part"
    era: Count
    epoch: str
    rev: Count
    root: str
    part: Count
    parts: Count
    ops: list[msgspec.Raw]


class Cmd(Signed, frozen=True, kw_only=True):
    """An order of the portal to one edge; `cseq` rises with each, `nonce` is the one of the edge's state."""

    kind: Literal["cmd"] = "cmd"
    cmd_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    cseq: Count
    nonce: str
    ask: LaneOrder | ClearUser | SyncNow


class CmdResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order: done, refused by the lane or daemon, or not believed."""

    cmd_id: str
    status: Literal["done", "refused"]
    detail: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An edge speaks of one of its holds: it asks for its user's place (`enter`), or gives it back.

    `cancel`: the vehicle did not pass; `leave`: it has left, under the `fence` it came in with. `closes` are
    sessions of this edge that end if the vehicle passes. The hold names the question, so that it may come twice.
    """

    claim_id: ClaimName
    action: Literal["enter", "cancel", "leave"]
    at: Time
    user: Annotated[str, msgspec.Meta(max_length=64)] = ""
    closes: Annotated[list[ClaimName], msgspec.Meta(max_length=CLOSES_LEN_MAX)] = []
    fence: Count | None = None


class ClaimReply(Signed, frozen=True, kw_only=True):
    """The portal's answer to `enter`: the place under `fence`, or None because the edge `holder` has it.

    It names its question, and that was asked once in the life of the edge: an old one answers nothing.
    """

    kind: Literal["claim/r"] = "claim/r"
    claim_id: ClaimName
    fence: Count | None
    holder: str = ""


class Left(Signed, frozen=True, kw_only=True):
    """These sessions of an edge ended, because their vehicles left through another edge."""

    kind: Literal["claim/left"] = "claim/left"
    sessions: Annotated[list[ClaimName], msgspec.Meta(max_length=LEFT_LEN_MAX)]


Message = State | EventBatch | EventAck | ListGet | CmdResult | Claim
"""What is sent as it is; the rest is signed."""
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
            f"portal.{name}: {value!r} must be 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'; an edge not 'list', 'keys'"
            for name, value in (("tenant", self.tenant), ("site", self.site), ("edge", self.edge))
            if not _SEGMENT.fullmatch(value) or (name == "edge" and value in ("list", "keys"))
        ]
        if wrong:
            raise ConfigError(wrong)

    @property
    def audience(self) -> str:
        """Whom an order to this edge is signed for."""
        return f"{self.tenant}/{self.site}/{self.edge}"

    @property
    def site_audience(self) -> str:
        """Whom the keys and the list are signed for."""
        return f"{self.tenant}/{self.site}"

    @property
    def client_id(self) -> str:
        """The edge's name at the broker."""
        return f"{self.tenant}.{self.site}.{self.edge}"

    def site_topic(self, suffix: str) -> str:
        """Topic shared by the site's edges: `keys`, `list/head`, `list/delta`."""
        return f"{topic_root(self.tenant, self.site)}/{suffix}"

    def topic(self, suffix: str) -> str:
        """Topic of this edge alone: `state`, `ev`, `ev/ack`, `list/get`, `list/part`, `cmd`, `claim`..."""
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
