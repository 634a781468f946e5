"""What goes over the wire: topics and typed messages. Facts and changes inside of them are `sync.codec`'s.

Boundary decoding of the link happens here and nowhere else: every payload becomes a typed value or one
`MalformedMessage`. Unknown fields are ignored, so that a newer peer is understood. What is signed, both ways, has
`Spoken` as its base: the envelope is `sync.signing`'s business, MQTT itself `sync.mqtt`'s.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from gate_controller.errors import ConfigError, MalformedMessage
from sync.orders import Request, SendPicture, SyncNow
from sync.roots import BUCKETS, SHORT_LEN
from sync.signing import Count, Signed, Spoken, Time

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
EVENT_LEN_MAX: Final = 16 * 1024
"""Bytes of an event that the portal reads; a longer one it only keeps for a person to look at."""
WINDOW: Final = 4
WINDOW_MAX: Final = 16
"""Batches that may be under way without an acknowledgement: usually, and at most."""
PAUSE_MS_MAX: Final = 60_000
"""The longest that the portal may have an edge wait with its rows."""
MISSING_LEN_MAX: Final = 16
"""Gaps told of in one acknowledgement."""
PICTURE_PARTS_MAX: Final = 12
"""Parts of one picture, each a message of at most `PART_LEN_MAX` bytes; a picture has some 10 KiB."""
CLAIM_LIVES: Final = timedelta(seconds=2)
"""How long a broker may keep a question for a place or its answer."""
ENROL_LIVES: Final = timedelta(minutes=10)
"""How long the answer to a desk counts; a desk that missed it asks again."""
CLOSES_LEN_MAX: Final = 64
"""Sessions that end with one passage."""
LEFT_LEN_MAX: Final = 64
"""Sessions told of in one message."""

ClaimName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""A hold of an edge: f"{lane}-{run}-{n}"."""

LedgerName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""The random name of a journal."""


class State(Spoken, frozen=True, kw_only=True):
    """What an edge says about itself; retained, and the will says the same with `status` offline.

    `conn` numbers the edge's connections, upwards for ever, and `told` its states since the program began, so that
    what arrives late cannot overwrite what came after it; of one connection, that it is over is the last word.
    `nonce` is this start of the program, for orders to echo. Of `ledger`, rows after `after` up to before
    `next_seq` exist, those up to `acked` are at the portal. `stale` says that the portal has not confirmed the list
    for too long, `list_at` when it last did. `said_at` is what the edge's clock shows as it says so, and so how far
    it is off; a will does not know when it is said. `trouble` says why the list cannot follow the portal's, so that
    an old one in force is no secret, or what is wrong with the edge's clock; empty when nothing is. `asks` says
    that the edge waits to be told what is here of its ledger.
    """

    kind: Literal["state"] = "state"
    status: Literal["online", "offline"]
    conn: Count
    told: Count = 0
    ledger: LedgerName
    after: Count = 0
    next_seq: Count
    acked: Count
    list: "Revision | None" = None
    list_at: Time | None = None
    said_at: Time | None = None
    stale: bool = False
    keyset: Count = 0
    nonce: Annotated[str, msgspec.Meta(max_length=64)] = ""
    sw: Annotated[str, msgspec.Meta(max_length=64)] = ""
    sqlite: Annotated[str, msgspec.Meta(max_length=64)] = ""
    trouble: Annotated[str, msgspec.Meta(max_length=200)] = ""
    asks: bool = True


class Revision(msgspec.Struct, frozen=True):
    """Which list: revisions only rise inside an epoch."""

    epoch: str
    rev: Count


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One journal row; `personal` is None once erased, or when there was nothing personal.

    `body` is a JSON object; null stands for one too long to be sent. `hist` says that the row was sent more than a
    minute after it was written.
    """

    seq: Count
    at: Time
    kind: Annotated[str, msgspec.Meta(max_length=64)]
    body: msgspec.Raw
    personal: dict[str, str] | None = None
    hist: bool = False


class EventBatch(Spoken, frozen=True, kw_only=True):
    """Consecutive journal rows of one ledger; an event's identity is (edge, ledger, seq).

    The rows of a ledger begin after `after`. `follows`, where there is one, names the ledger that this one
    continues since the portal was found to have other rows of it; those that are the same in both are the same
    events. `conn` is the connection (`State`) they are sent on.
    """

    kind: Literal["ev"] = "ev"
    conn: Count
    ledger: LedgerName
    after: Count = 0
    follows: LedgerName | None = None
    first: Count
    last: Count
    events: Annotated[list[Event], msgspec.Meta(min_length=1, max_length=BATCH_LEN_MAX)]


class Rows(msgspec.Struct, frozen=True):
    """Rows `first` to `last`, both included."""

    first: Count
    last: Count


class Tail(msgspec.Struct, frozen=True):
    """The last event stored of a ledger, by its number, and what it says, by `digest`."""

    seq: Count
    sum: Annotated[str, msgspec.Meta(max_length=64)]


class EventAck(Spoken, frozen=True, kw_only=True):
    """What the portal has durably stored of a ledger, just now or long ago; also its answer to a birth.

    It has every row up to and including `through`, every one up to `upto` that is not in `missing`, and those of
    the `batch` that it answers; it says nothing of others. `tail` lets the edge see whether these are its own rows.
    `window` is how many batches may be under way, and for `pause_ms` none may be sent. An edge on a
    connection (`State`) below `conn` has lost count of them, and is not believed to be there.
    """

    kind: Literal["ev/ack"] = "ev/ack"
    ledger: LedgerName
    conn: Count = 0
    through: Count
    upto: Count = 0
    missing: Annotated[list[Rows], msgspec.Meta(max_length=MISSING_LEN_MAX)] = msgspec.field(default_factory=list)
    batch: Rows | None = None
    tail: Tail | None = None
    window: Annotated[int, msgspec.Meta(ge=1, le=WINDOW_MAX)] = WINDOW
    pause_ms: Annotated[int, msgspec.Meta(ge=0, le=PAUSE_MS_MAX)] = 0


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
    """How far a whole list has come: the parts before `next` are here or on their way."""

    epoch: str
    rev: Count
    next: Count


class ListGet(msgspec.Struct, frozen=True, kw_only=True):
    """An edge asks for its list and says which one it has; with `whole`, for all of it, from `written` on.

    `keyset` is the version of the keys that it believes: without the newest no answer is of use to it. With
    `buckets`, the short sums of its entries (`sync.roots`), it asks for those that differ: its root is not the
    portal's.
    """

    keyset: Count = 0
    have: Revision | None = None
    whole: bool = False
    written: Written | None = None
    buckets: Annotated[bytes, msgspec.Meta(min_length=SHORT_LEN, max_length=SHORT_LEN)] | None = None


class ListPart(Signed, frozen=True, kw_only=True):
    """One of the parts of a whole list, as changes that build it from nothing; `root` is the whole list's.

    `packed` is a JSON array of changes, such as the `ops` of a delta, in zlib's format.
    """

    kind: Literal["list/part"] = "list/part"
    era: Count
    epoch: str
    rev: Count
    root: str
    part: Count
    parts: Count
    packed: bytes


class ListMend(Signed, frozen=True, kw_only=True):
    """All entries of some buckets of a revision, as changes, in place of those that an edge has there.

    `root` is the whole list's, and what the edge's must come to; an edge that it does not takes the whole list.
    """

    kind: Literal["list/mend"] = "list/mend"
    era: Count
    epoch: str
    rev: Count
    root: str
    buckets: Annotated[list[Annotated[int, msgspec.Meta(ge=0, lt=BUCKETS)]], msgspec.Meta(max_length=BUCKETS)]
    ops: list[msgspec.Raw]


class Cmd(Signed, frozen=True, kw_only=True):
    """An order of the portal to one edge; `cseq` rises with each, `nonce` is the one of the edge's state."""

    kind: Literal["cmd"] = "cmd"
    cmd_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    cseq: Count
    nonce: str
    ask: Request | SyncNow | SendPicture


class CmdResult(Spoken, frozen=True, kw_only=True):
    """What became of an order: done, or refused by the lane or the daemon."""

    kind: Literal["cmd/r"] = "cmd/r"
    cmd_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    status: Literal["done", "refused"]
    detail: str


class PicturePart(Spoken, frozen=True, kw_only=True):
    """One of the parts, from 0 on, of the JPEG that decided row `seq` of `ledger`; an answer to an order alone.

    `erase_at` is when the edge deletes it, and so must whoever got it.
    """

    kind: Literal["evidence"] = "evidence"
    ledger: LedgerName
    seq: Count
    part: Annotated[int, msgspec.Meta(ge=0, lt=PICTURE_PARTS_MAX)]
    parts: Annotated[int, msgspec.Meta(ge=1, le=PICTURE_PARTS_MAX)]
    erase_at: Time
    data: bytes


class Claim(Spoken, frozen=True, kw_only=True):
    """An edge speaks of one of its holds: it asks for its user's place (`enter`), or gives it back.

    `cancel`: the vehicle did not pass; `leave`: it has left, under the `fence` it came in with. `closes` are
    sessions of this edge that end if the vehicle passes. The hold names the question, so that it may come twice.
    `aud` is filled in by whoever sends it.
    """

    kind: Literal["claim"] = "claim"
    aud: str = ""
    claim_id: ClaimName
    action: Literal["enter", "cancel", "leave"]
    at: Time
    user: Annotated[str, msgspec.Meta(max_length=64)] = ""
    closes: Annotated[list[ClaimName], msgspec.Meta(max_length=CLOSES_LEN_MAX)] = msgspec.field(
        default_factory=list
    )
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


class Enrol(Spoken, frozen=True, kw_only=True):
    """A badge was tapped at a desk for a user whom a clerk had chosen; asked again until it is answered.

    `user` is the user's id, `clerk` who stood at the desk. Until the portal's answer the badge has no rights.
    `aud` is filled in by whoever sends it.
    """

    kind: Literal["enrol"] = "enrol"
    aud: str = ""
    enrol_id: ClaimName
    desk: Annotated[str, msgspec.Meta(max_length=64)]
    user: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    badge: Annotated[str, msgspec.Meta(max_length=20)]
    bits: Annotated[int, msgspec.Meta(ge=1, le=80)]
    clerk: Annotated[str, msgspec.Meta(max_length=200)]
    at: Time


class EnrolReply(Signed, frozen=True, kw_only=True):
    """The portal's answer: the user's number, and the list with badge and contracts follows; or the `reason`."""

    kind: Literal["enrol/r"] = "enrol/r"
    enrol_id: ClaimName
    user_number: Annotated[str, msgspec.Meta(max_length=64)] = ""
    reason: Annotated[str, msgspec.Meta(max_length=64)] = ""


Message = ListGet
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
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
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
