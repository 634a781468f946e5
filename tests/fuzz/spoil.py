"""Ways to spoil a message: cut, flipped, spliced, too long, its fields twisted, signed by whoever is at hand."""

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sync.signing import CONTEXT, Envelope, Signer

EVIL: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 1, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63), 1e308, 0.5, "", "x", "\0", "\ud7ff",
    "x" * 5000, "../..", "'; DROP TABLE event; --", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59",
    "2026-02-30T00:00:00Z", "1970-01-01T00:00:00Z", "2026-03-01T07:00:00", [], {}, [[]], [{}], {"x": {"x": {}}},
    ["x"] * 2000, "+", "#", "$SYS",
)  # fmt: skip
PADDED_LEN: Final = 2_000_000
"""Longer than any message may be."""


def spoilt(chance: random.Random, payload: bytes) -> bytes:
    """Its bytes changed anyhow."""
    at = chance.randrange(len(payload) or 1)
    match chance.randrange(8):
        case 0:
            return payload[:at]
        case 1:
            return (
                payload[:at]
                + bytes([(payload[at : at + 1] or b"\0")[0] ^ chance.randrange(1, 256)])
                + payload[at + 1 :]
            )
        case 2:
            return payload[:at] + chance.randbytes(chance.randrange(1, 20)) + payload[at:]
        case 3:
            return payload[:at] + payload[chance.randrange(len(payload) or 1) :]
        case 4:
            return chance.randbytes(chance.randrange(200))
        case 5:
            return chance.choice((b"[", b'{"a":', b'{"kid":')) * chance.choice((10, 3000))
        case 6:
            return payload.replace(
                b'"body":', b'"body":' + json.dumps(chance.choice(EVIL)).encode() + b',"body":', 1
            )
        case _:
            return payload + b" " * (PADDED_LEN if chance.random() < 0.02 else 7)


def twisted(chance: random.Random, payload: bytes, signer: Signer) -> bytes:
    """Its body with some fields changed, and signed anew."""
    body = msgspec.json.decode(msgspec.json.decode(payload, type=Envelope).body)
    for _ in range(chance.choice((1, 1, 2, 5))):
        _twist(chance, body)
    raw = json.dumps(body, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return msgspec.json.encode(Envelope(signer.kid, signer.key.sign(CONTEXT + raw), msgspec.Raw(raw)))


def _twist(chance: random.Random, value: Any) -> None:
    while isinstance(value, dict | list) and value:
        place = chance.choice([*value] if isinstance(value, dict) else [*range(len(value))])
        if not (isinstance(value[place], dict | list) and chance.random() < 0.7):
            break
        value = value[place]
    else:
        return
    match chance.randrange(4):
        case 0 if isinstance(value, dict):
            del value[place]
        case 1 if isinstance(value, dict):
            value[str(chance.choice(EVIL))[:100]] = deepcopy(chance.choice(EVIL))
        case 2 if isinstance(value[place], int) and not isinstance(value[place], bool):
            value[place] += chance.choice((-1, 1, 1000, 2**40))
        case _:
            value[place] = deepcopy(chance.choice(EVIL))


def genuine(payload: bytes, signers: Sequence[Signer]) -> bool:
    """Whether it is, by chance, still what one of these signed."""
    try:
        envelope = msgspec.json.decode(payload, type=Envelope)
        keys = [signer.public for signer in signers if signer.kid == envelope.kid]
        for public in keys:
            Ed25519PublicKey.from_public_bytes(public).verify(envelope.sig, CONTEXT + bytes(envelope.body))
    except (msgspec.MsgspecError, UnicodeError, RecursionError, InvalidSignature):
        return False
    return bool(keys)
