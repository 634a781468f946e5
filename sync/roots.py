"""One hash that stands for a whole list, kept up to date change by change on both sides: pure.

Each entry falls into one of 256 buckets by the first byte of its key's SHA-256; a bucket is the sum modulo 2^256
of the SHA-256 of its entries, so adding and taking away cost one hash, in any order. The root is the SHA-256 over
all buckets. It finds drift, not forgery: that is the signature's part. Short sums, a few bytes of each
bucket's, tell two sides which buckets differ.
"""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

BUCKETS: Final = 256
SUM_BYTES: Final = 32
MODULUS: Final = 1 << (8 * SUM_BYTES)
SHORT_BYTES: Final = 8
"""Of a bucket's sum, to be compared: enough for drift, and the root is compared after."""
SHORT_LEN: Final = BUCKETS * SHORT_BYTES


class Buckets:
    """The sums of one list; `blob` is how they are stored. Raises ValueError for a blob of another length."""

    def __init__(self, blob: bytes | None = None) -> None:
        # What is added and taken waits beside the blob: a change reads and writes the few sums that it touches.
        self._blob = bytearray(blob or bytes(BUCKETS * SUM_BYTES))
        if len(self._blob) != BUCKETS * SUM_BYTES:
            raise ValueError(f"{len(self._blob)} bytes are not {BUCKETS} sums")
        self._sums: defaultdict[int, int] = defaultdict(int)

    @property
    def blob(self) -> bytes:
        """All sums, big-endian, one after the other."""
        for at, by in self._sums.items():
            place = slice(at * SUM_BYTES, (at + 1) * SUM_BYTES)
            total = int.from_bytes(self._blob[place], "big") + by
            self._blob[place] = (total % MODULUS).to_bytes(SUM_BYTES, "big")
        self._sums.clear()
        return bytes(self._blob)

    @property
    def root(self) -> str:
        """The root, in hex."""
        return sha256(self.blob).hexdigest()

    @property
    def short(self) -> bytes:
        """The last `SHORT_BYTES` of each sum, `SHORT_LEN` bytes in all."""
        blob = self.blob
        return b"".join(blob[end - SHORT_BYTES : end] for end in range(SUM_BYTES, len(blob) + 1, SUM_BYTES))

    def differing(self, short: bytes) -> frozenset[int]:
        """The buckets whose short sums are others than these."""
        mine = self.short
        places = [slice(at, at + SHORT_BYTES) for at in range(0, SHORT_LEN, SHORT_BYTES)]
        return frozenset(number for number, place in enumerate(places) if mine[place] != short[place])

    def add(self, kind: str, key: str, body: str) -> None:
        """An entry joins the list."""
        at, by = _hashed(kind, key, body)
        self._sums[at] += by

    def add_rows(self, rows: Iterable[tuple[str, str, str | None, str]], bodies: Iterable[Any]) -> None:
        """Rows of a list (`sync.entries`) join the list; their bodies once more, as bytes of any kind."""
        sums, number = self._sums, int.from_bytes
        for (kind, key, _, _), body in zip(rows, bodies, strict=True):
            # `_hashed`, without a call for each of a whole list's.
            sha = sha256(f"{kind}\0{key}".encode())
            at = sha.digest()[0]
            sha.update(b"\0")
            sha.update(body)
            sums[at] += number(sha.digest(), "big")

    def add_read(self, kind: str, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Entries of a kind join the list as a disk has them, whatever became of them: key and body of each."""
        for key, body in entries:
            sha = sha256(kind.encode() + b"\0" + key)
            at = sha.digest()[0]
            sha.update(b"\0" + body)
            self._sums[at] += int.from_bytes(sha.digest(), "big")

    def take(self, kind: str, key: str, body: str) -> None:
        """An entry that was in the list leaves it."""
        at, by = _hashed(kind, key, body)
        self._sums[at] -= by

    def join(self, others: "Buckets") -> None:
        """All entries of another list join this one."""
        blob = others.blob
        for at in range(BUCKETS):
            self._sums[at] += int.from_bytes(blob[at * SUM_BYTES : (at + 1) * SUM_BYTES], "big")


def bucket_of(kind: str, key: bytes) -> int:
    """The bucket of an entry."""
    return sha256(kind.encode() + b"\0" + key).digest()[0]


def _hashed(kind: str, key: str, body: str) -> tuple[int, int]:
    """The entry's bucket, and its hash: that of the key goes on to be that of the whole entry."""
    sha = sha256(f"{kind}\0{key}".encode())
    at = sha.digest()[0]
    sha.update(f"\0{body}".encode())
    return at, int.from_bytes(sha.digest(), "big")
