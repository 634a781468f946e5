"""One hash that stands for a whole list, kept up to date change by change on both sides: pure.

Each entry falls into one of 256 buckets by the first byte of its key's SHA-256; a bucket is the sum modulo 2^256
of the SHA-256 of its entries, so adding and taking away cost one hash, in any order. The root is the SHA-256 over
all buckets. It finds drift, not forgery: that is the signature's part.
"""

from hashlib import sha256
from typing import Final

BUCKETS: Final = 256
SUM_BYTES: Final = 32
MODULUS: Final = 1 << (8 * SUM_BYTES)


class Buckets:
    """The sums of one list; `blob` is how they are stored. Raises ValueError for a blob of another length."""

    def __init__(self, blob: bytes | None = None) -> None:
        blob = blob or bytes(BUCKETS * SUM_BYTES)
        if len(blob) != BUCKETS * SUM_BYTES:
            raise ValueError(f"{len(blob)} bytes are not {BUCKETS} sums")
        self._blob = bytearray(blob)

    @property
    def blob(self) -> bytes:
        """All sums, big-endian, one after the other."""
        return bytes(self._blob)

    @property
    def root(self) -> str:
        """The root, in hex."""
        return sha256(self._blob).hexdigest()

    def add(self, kind: str, key: str, body: str) -> None:
        """An entry joins the list."""
        self._move(kind, key, _hashed(kind, key, body))

    def take(self, kind: str, key: str, body: str) -> None:
        """An entry that was in the list leaves it."""
        self._move(kind, key, -_hashed(kind, key, body))

    def _move(self, kind: str, key: str, by: int) -> None:
        at = sha256(f"{kind}\0{key}".encode()).digest()[0] * SUM_BYTES
        there = int.from_bytes(self._blob[at : at + SUM_BYTES], "big")
        self._blob[at : at + SUM_BYTES] = ((there + by) % MODULUS).to_bytes(SUM_BYTES, "big")


def _hashed(kind: str, key: str, body: str) -> int:
    return int.from_bytes(sha256(f"{kind}\0{key}\0{body}".encode()).digest(), "big")
