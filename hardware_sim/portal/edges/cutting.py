"""The whole list of one revision, cut into packed parts as they are sent.

A long list is cut from a connection of its own, which sees it as it was at one moment: nothing that edges ask
meanwhile waits for that, least of all a driver's place. Keeping the parts is `books`' business.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync.cached_list import CachedList
from sync.database import one_instant
from sync.packing import packed

PART_BYTES_MAX: Final = 256 * 1024
"""Changes in one part of the whole list, before they are packed: some 2,000."""
PACKED_BYTES_MAX: Final = 44 * 1024
"""The same, packed; as text in its envelope it fits into `PART_LEN_MAX`."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A revision and its root; of each part how long its changes were, and those packed."""

    rev: int
    root: str
    parts: list[tuple[int, bytes]]


def cut_of(kept: CachedList) -> Cut:
    """The list as it is."""
    cursor = kept.cursor()
    assert cursor is not None, "there is a list from the first opening on"
    return Cut(cursor.rev, kept.root(), [*_parted(kept.entries())])


def cut_beside(path: Path) -> Cut:
    """The list as it is now, read beside everything else; takes as long as it is large. Raises StoreError."""
    with one_instant(path) as db:
        return cut_of(CachedList(db))


def _parted(entries: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """One part at least."""
    some: list[bytes] = []
    room = PART_BYTES_MAX
    for entry in entries:
        if some and len(entry) + 1 > room:
            yield from _packed(some)
            some, room = [], PART_BYTES_MAX
        some.append(entry)
        room -= len(entry) + 1
    yield from _packed(some)


def _packed(some: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """One part, or more of changes that pack badly."""
    data = packed(some)
    if len(data) > PACKED_BYTES_MAX and len(some) > 1:
        for half in (some[: len(some) // 2], some[len(some) // 2 :]):
            yield from _packed(half)
    else:
        yield sum(map(len, some)), data
