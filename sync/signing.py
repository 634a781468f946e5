"""Why portal and edge believe each other: one envelope over exact bytes, and the keys that may sign.

An envelope is a JSON object: `kid` names the key, `sig` is Ed25519 over the very bytes of `body` as they stand in
the message, behind a word that names this protocol. Nothing of a body is decoded before its signature holds, and
each refusal has exactly one `Refusal`. An offline root key signs the key set, which says what keys sign what comes
down; rotation is a key set of a higher version. What goes up is signed by the edge's own key (`sync.device_key`).

Pure apart from `cryptography`: no clock, no disk. What was seen before (counters, floor of time) is `sync.guard`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gate_controller.errors import MessageRefused

CONTEXT: Final = b"slagboom/1 signed\0"
"""Before every signed body, so that no signature made for another purpose with the same key fits."""
AHEAD_MAX: Final = timedelta(seconds=10)
"""How far ahead of the edge's clock an order may have been signed: quartz drifts, and orders live as long."""
ROOT: Final = "root"
"""The key id under which the root key signs key sets; no key of a set may have it."""
KEYS_MAX: Final = 8
"""Keys in one set."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Refusal(StrEnum):
    """Why a message changed nothing: the first check that failed."""

    RETAINED = "retained"
    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_KIND = "wrong_kind"
    WRONG_AUDIENCE = "wrong_audience"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    TOO_LONG_LIVED = "too_long_lived"
    WRONG_NONCE = "wrong_nonce"
    ROLLED_BACK = "rolled_back"
    REPLAYED = "replayed"
    LIST_REJECTED = "list_rejected"
    ROOT_MISMATCH = "root_mismatch"
    ANOTHER_LEDGER = "another_ledger"
    IMPOSSIBLE_ACK = "impossible_ack"
    UNREGISTERED = "unregistered"
    UNASKED = "unasked"


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """What every signed body says of itself: what it is, and for whom, or by which edge, it is meant."""

    kind: str
    aud: str


class Signed(Spoken, frozen=True, kw_only=True):
    """A body whose time matters: when it was signed, and until when it counts."""

    iat: Time
    exp: Time


class KeySet(Signed, frozen=True, kw_only=True):
    """The portal's keys of now, signed by the root key: raw Ed25519 public keys by their id.

    `keys` sign messages; `passes` sign what a scanner reads (`sync.passes`), and no message.
    """

    kind: Literal["keys"] = "keys"
    version: Count
    keys: Annotated[dict[str, bytes], msgspec.Meta(max_length=KEYS_MAX)]
    passes: Annotated[dict[str, bytes], msgspec.Meta(max_length=KEYS_MAX)] = msgspec.field(default_factory=dict)


class Envelope(msgspec.Struct, frozen=True):
    """The outside of every signed message."""

    kid: str
    sig: bytes
    body: msgspec.Raw


S = TypeVar("S", bound=Spoken)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs; `kid` follows from the public key, or is `ROOT`."""

    key: Ed25519PrivateKey
    kid: str

    @classmethod
    def of(cls, secret: bytes, kid: str | None = None) -> "Signer":
        """From the 32 secret bytes."""
        key = Ed25519PrivateKey.from_private_bytes(secret)
        return cls(key, kid or key_id(key.public_key().public_bytes_raw()))

    @property
    def public(self) -> bytes:
        """The 32 public bytes."""
        return self.key.public_key().public_bytes_raw()

    def sign(self, message: Spoken) -> bytes:
        """The message in its envelope."""
        body = msgspec.json.encode(message)
        return msgspec.json.encode(Envelope(self.kid, self.key.sign(CONTEXT + body), msgspec.Raw(body)))


def key_id(public: bytes) -> str:
    """The name of a key: the first 8 bytes of its SHA-256, in hex."""
    return sha256(public).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that may sign now. `version` is the key set's; 0 before the first, when only the root key counts."""

    version: int = 0
    keys: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    passes: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)

    @classmethod
    def of_root(cls, public: bytes) -> "KeyRing":
        """A ring on which only key sets can be verified. Raises ValueError for what is no key."""
        return cls(0, {ROOT: Ed25519PublicKey.from_public_bytes(public)})

    @classmethod
    def of_edge(cls, public: bytes) -> "KeyRing":
        """The ring of one edge. Raises ValueError for what is no key."""
        return cls(0, {key_id(public): Ed25519PublicKey.from_public_bytes(public)})

    @classmethod
    def of_set(cls, keys: KeySet) -> "KeyRing":
        """The ring of a verified key set. Raises MessageRefused for a key that is none or has a wrong name."""
        return cls(keys.version, _public_keys(keys.keys), _public_keys(keys.passes))


def _public_keys(told: Mapping[str, bytes]) -> dict[str, Ed25519PublicKey]:
    ring = {}
    for kid, public in told.items():
        if kid != key_id(public):
            raise MessageRefused(Refusal.MALFORMED, f"keys: {kid!r} is not that key's name")
        try:
            ring[kid] = Ed25519PublicKey.from_public_bytes(public)
        except ValueError as error:
            raise MessageRefused(Refusal.MALFORMED, f"keys: {kid}: {error}") from error
    return ring


def verify(payload: bytes, kind: type[S], audience: str, ring: KeyRing, bytes_max: int) -> tuple[str, S]:
    """Who signed it, and the message; MessageRefused with its one reason. Time is `in_time`'s business."""
    if len(payload) > bytes_max:
        raise MessageRefused(Refusal.OVERSIZED, f"{len(payload)} bytes are more than {bytes_max}")
    envelope = _decode(payload, Envelope)
    key = ring.keys.get(envelope.kid)
    if key is None:
        raise MessageRefused(Refusal.UNKNOWN_KEY, repr(envelope.kid[:32]))
    try:
        key.verify(envelope.sig, CONTEXT + bytes(envelope.body))
    except InvalidSignature:
        raise MessageRefused(Refusal.BAD_SIGNATURE, envelope.kid) from None
    claims = _decode(envelope.body, Spoken)
    if claims.kind != _kind_of(kind):
        raise MessageRefused(Refusal.WRONG_KIND, f"{claims.kind[:32]!r} where {_kind_of(kind)!r} belongs")
    if claims.aud != audience:
        raise MessageRefused(Refusal.WRONG_AUDIENCE, repr(claims.aud[:200]))
    return envelope.kid, _decode(envelope.body, kind)


def in_time(message: Signed, now: datetime, lives_max: timedelta | None = None) -> None:
    """Raise MessageRefused for a message that is over; with `lives_max` also for one from the future.

    Without `lives_max` a message from the future moves the floor of time instead: its signature proves that it is
    at least that late. An order is not believed then, because nobody knows how long ago it was given.
    """
    if lives_max is not None:
        not_ahead(message, now)
        if message.exp - message.iat > lives_max:
            raise MessageRefused(Refusal.TOO_LONG_LIVED, f"from {message.iat} to {message.exp}")
    if message.exp <= max(now, message.iat):
        raise MessageRefused(Refusal.EXPIRED, f"at {message.exp}, it is {now}")


def not_ahead(message: Signed, now: datetime) -> None:
    """Raise MessageRefused for a message that was signed later than it is now, give or take `AHEAD_MAX`."""
    if message.iat > now + AHEAD_MAX:
        raise MessageRefused(Refusal.NOT_YET, f"signed {message.iat}, it is {now}")


@cache
def _kind_of(kind: type[Spoken]) -> str:
    (default,) = (f.default for f in msgspec.structs.fields(kind) if f.name == "kind")
    return str(default)


T = TypeVar("T")


def _decode(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MessageRefused(Refusal.MALFORMED, f"{kind.__name__}: {error}") from error
