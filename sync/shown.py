"""Codes that a device shows: which edge and lane, and when, signed with the edge's own key, for a web address.

A person who stands before the lane brings such a code to the portal, which so knows where and when, and nothing
more: whether the person may pass is settled there, and only the portal's order opens. A code is no pass, and no
reader takes it for one.

Pure apart from `cryptography` and `cbor2`: no clock, no disk. Which key is an edge's is the portal's business.
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sync.signing import Signer

CONTEXT: Final = b"slagboom/1 shown\0"
"""Before every signed code, so that no signature made for another purpose with the same key fits."""
PATH: Final = "open"
"""Where the portal's pages take a code: its address, this, the code."""
TEXT_LEN_MAX: Final = 400
_SIGNATURE_LEN: Final = 64
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a code says; `audience` is tenant, site and edge. Nobody's word until `is_by` says so."""

    audience: str
    lane: str
    at: datetime
    _signed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)

    def is_by(self, public: bytes) -> bool:
        """Whether the owner of this public key showed it. Never raises."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(self._signature, CONTEXT + self._signed)
        except (InvalidSignature, ValueError):
            return False
        return True

    @property
    def number(self) -> int:
        """What tells it from all others of its lane: when it was made, in milliseconds."""
        return (self.at - _EPOCH) // _MS


def issue(signer: Signer, audience: str, lane: str, at: datetime) -> str:
    """The text of the code that is shown from this moment on."""
    signed = cbor2.dumps([audience, lane, (at - _EPOCH) // _MS])
    signature = signer.key.sign(CONTEXT + signed)
    return base64.urlsafe_b64encode(signature + signed).decode().rstrip("=")


def read(text: str) -> Shown | None:
    """What a text says if it is such a code at all, whoever made it. Never raises."""
    if len(text) > TEXT_LEN_MAX or not text.isascii():
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, signed = data[:_SIGNATURE_LEN], data[_SIGNATURE_LEN:]
        said: Any = cbor2.loads(signed)
        match said:
            case [str(audience), str(lane), int(number)]:
                return Shown(audience, lane, _EPOCH + number * _MS, signed, signature)
    except (binascii.Error, cbor2.CBORError, RecursionError, *_WRONG):
        pass
    return None


_WRONG: Final = (ValueError, TypeError, OverflowError, AttributeError, MemoryError, OSError)
"""What hostile bytes make of the steps above."""
