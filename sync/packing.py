"""The entries of one part of a whole list, packed for the way: a JSON array of changes in zlib's format (RFC 1950).

Entries of a list say much the same, so that a twelfth is left of most. Pure. How long a packed part may be, and
what is in it, are its makers' business.
"""

import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

from gate_controller.errors import MalformedMessage

UNPACKED_LEN_MAX: Final = 512 * 1024
"""Bytes of the array; an edge makes no more room than this for what is signed."""


def packed(ops: Iterable[bytes | msgspec.Raw]) -> bytes:
    """Changes, each JSON already, as they travel."""
    return zlib.compress(b"[%b]" % b",".join(ops))


def unpacked(data: bytes) -> list[msgspec.Raw]:
    """The changes again, each as JSON; MalformedMessage if it is not what `packed` makes, or is too long."""
    inflating = zlib.decompressobj()
    try:
        array = inflating.decompress(data, UNPACKED_LEN_MAX)
        if not inflating.eof or inflating.unused_data:
            raise MalformedMessage(f"packed: cut off, followed by something, or above {UNPACKED_LEN_MAX} bytes")
        return msgspec.json.decode(array, type=list[msgspec.Raw])
    except (zlib.error, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MalformedMessage(f"packed: {error}") from error
