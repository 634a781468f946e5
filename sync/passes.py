"""Signed passes: what a phone or a sheet of paper shows a scanner, verified without the portal.

A pass is a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052) in Base45 (RFC 9285) behind a word that names it, as the
European health certificates are; without their compression, which would make so short a thing longer. A key of its
own signs passes, which the key set names, so that neither this key can give an order nor the other make a pass.

Pure apart from `cryptography` and `cbor2`: no clock, no disk. Whether the pass may open anything, now, and whether
it was used before, is `gate_controller.access`'s.
"""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gate_controller.credentials import PASS_LEN_MAX, PassRead
from gate_controller.errors import BadInput
from sync.signing import Signer

PREFIX: Final = "SB1:"
"""What the text of a signed pass begins with; a scanner's line that does not is no signed pass."""
COSE_SIGN1: Final = 18
_ALG, _EDDSA, _KID = 1, -8, 4
_SUB, _AUD, _EXP, _NBF, _CTI = 2, 3, 4, 5, 7
_ONCE, _GUEST = -65537, -65538
"""Private claims: a pass for one entry; what a guest who may not be on the list yet is called."""
NUMBER_LEN: Final = 16
"""Bytes that tell passes apart."""
_BASE45: Final = f"{string.digits}{string.ascii_uppercase} $%*+-./:"


def issue(signer: Signer, audience: str, told: PassRead) -> str:
    """The text of a pass, for a QR code. Raises BadInput for one that would be too long for a scanner's line."""
    claims: dict[int, object] = {
        _SUB: told.user_id,
        _AUD: audience,
        _NBF: int(told.valid_from.timestamp()),
        _EXP: int(told.valid_to.timestamp()),
        _CTI: bytes.fromhex(told.number),
    }
    if told.once:
        claims[_ONCE] = True
    if told.guest:
        claims[_GUEST] = told.guest
    protected = cbor2.dumps({_ALG: _EDDSA, _KID: bytes.fromhex(signer.kid)})
    payload = cbor2.dumps(claims)
    signature = signer.key.sign(_signed(protected, payload))
    text = PREFIX + base45(cbor2.dumps(cbor2.CBORTag(COSE_SIGN1, [protected, {}, payload, signature])))
    if len(text) > PASS_LEN_MAX:
        raise BadInput(f"a pass of {len(text)} characters: at most {PASS_LEN_MAX}; give the guest a shorter name")
    return text


def read(text: str, keys: Mapping[str, Ed25519PublicKey], audience: str) -> PassRead | None:
    """The pass that this text is, if one of the keys signed it; None for anything else. Never raises.

    One for another site is told as such (`elsewhere`), so that its holder hears more than that it is unknown.
    """
    try:
        return _read(text, keys, audience)
    except (InvalidSignature, cbor2.CBORError, RecursionError, *_WRONG):
        return None


_WRONG: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, MemoryError)
"""What hostile bytes of the right signature's length or none make of the steps below."""


def _read(text: str, keys: Mapping[str, Ed25519PublicKey], audience: str) -> PassRead | None:
    if not text.startswith(PREFIX) or len(text) > PASS_LEN_MAX:
        return None
    envelope = cbor2.loads(unbase45(text.removeprefix(PREFIX)))
    if envelope.tag != COSE_SIGN1:
        return None
    protected, _, payload, signature = envelope.value
    header = cbor2.loads(protected)
    if header[_ALG] != _EDDSA:
        return None
    keys[header[_KID].hex()].verify(signature, _signed(protected, payload))
    claims = cbor2.loads(payload)
    number: bytes = claims[_CTI]
    if not isinstance(number, bytes) or len(number) != NUMBER_LEN:
        return None
    return PassRead(
        user_id=_text(claims[_SUB]),
        number=number.hex(),
        valid_from=datetime.fromtimestamp(claims[_NBF], UTC),
        valid_to=datetime.fromtimestamp(claims[_EXP], UTC),
        once=claims.get(_ONCE) is True,
        guest=_text(claims.get(_GUEST, "")),
        elsewhere=claims[_AUD] != audience,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _signed(protected: bytes, payload: bytes) -> bytes:
    """What the signature is made over (RFC 9052, section 4.4)."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


def base45(data: bytes) -> str:
    """RFC 9285: two bytes are three characters, which a QR code holds in 16.5 bits."""
    out = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            out.append(_BASE45[digit])
    return "".join(out)


def unbase45(text: str) -> bytes:
    """The bytes again. Raises ValueError for a text that is none."""
    out = bytearray()
    for at in range(0, len(text), 3):
        digits = [_BASE45.index(character) for character in text[at : at + 3]]
        value = sum(digit * 45**place for place, digit in enumerate(digits))
        if len(digits) == 1:
            raise ValueError("a single character is left over")
        out += value.to_bytes(len(digits) - 1, "big")
    return bytes(out)
