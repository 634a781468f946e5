"""One hash that stands for a whole list, kept up to date change by change on both sides: pure.

Each entry falls into one of 256 buckets by the first byte of its key's SHA-256; a bucket is the sum modulo 2^256
of the SHA-256 of its entries, so adding and taking away cost one hash, in any order. The root is the SHA-256 over
all buckets. It finds drift, not forgery: that is the signature's part.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

BUCKETS: Final = 256
SUM_BYTES: Final = 32
MODULUS: Final = 1 << (8 * SUM_BYTES)


class Buckets:
    """The sums of one list; `blob` is how they are stored. Raises ValueError for a blob of another length."""

    def __init__(self, blob: bytes | None = None) -> None:
        # What is added and taken waits beside the blob: a change reads and writes the few sums that it touches.
        self._blob = bytearray(blob or bytes(BUCKETS * SUM_BYTES))
        if len(self._blob) != BUCKETS * SUM_BYTES:
            raise ValueError(f"{len(self._blob)} bytes are not {BUCKETS} sums")
        self._sums = [0] * BUCKETS

    @property
    def blob(self) -> bytes:
        """All sums, big-endian, one after the other."""
        for at, by in enumerate(self._sums):
            if by:
                place = slice(at * SUM_BYTES, (at + 1) * SUM_BYTES)
                total = int.from_bytes(self._blob[place], "big") + by
                self._blob[place] = (total % MODULUS).to_bytes(SUM_BYTES, "big")
        self._sums = [0] * BUCKETS
        return bytes(self._blob)

    @property
    def root(self) -> str:
        """The root, in hex."""
        return sha256(self.blob).hexdigest()

    def add(self, kind: str, key: str, body: str) -> None:
        """An entry joins the list."""
        self.add_all([(kind, key, body)])

    def add_all(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Entries join the list: kind, key and body of each."""
        sums, number = self._sums, int.from_bytes
        for kind, key, body in entries:
            # `_hashed`, without a call for each of a whole list's.
            sha = sha256(f"{kind}\0{key}".encode())
            at = sha.digest()[0]
            sha.update(f"\0{body}".encode())
            sums[at] += number(sha.digest(), "big")

    def take(self, kind: str, key: str, body: str) -> None:
        """An entry that was in the list leaves it."""
        at, by = _hashed(kind, key, body)
        self._sums[at] -= by

    def join(self, others: "Buckets") -> None:
        """All entries of another list join this one."""
        blob = others.blob
        for at in range(BUCKETS):
            self._sums[at] += int.from_bytes(blob[at * SUM_BYTES : (at + 1) * SUM_BYTES], "big")


def _hashed(kind: str, key: str, body: str) -> tuple[int, int]:
    """The entry's bucket, and its hash: that of the key goes on to be that of the whole entry."""
    sha = sha256(f"{kind}\0{key}".encode())
    at = sha.digest()[0]
    sha.update(f"\0{body}".encode())
    return at, int.from_bytes(sha.digest(), "big")
