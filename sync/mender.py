"""A list whose root is not the portal's, mended: what its rows sum up to, and it with the portal's buckets.

What stays is read from the disk and not from memory, because that is where it may have rotted. Everything goes in
slices: no grant waits for it. When to ask, and what for, is `sync.follower`'s business.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gate_controller.allowlist import WholeList
from gate_controller.errors import ListRejected
from sync.entries import KINDS, Entries, Gathered, Row
from sync.messages import ListMend
from sync.roots import Buckets, bucket_of
from sync.store import Store

READ_ROWS: Final = 1000
"""Entries read from the disk at once, so that no grant waits longer than about 20 ms behind it."""
READ_SLICE_LEN: Final = 100
"""Entries decoded between two looks at what else there is to do: about 1 ms."""


@dataclass(frozen=True, slots=True)
class Mended:
    """The list as it becomes: whole, for the memory; and of the rows, those to go, those to come, and all sums."""

    whole: WholeList
    stale: Sequence[tuple[str, bytes]]
    rows: Sequence[Row]
    sums: Buckets


async def sums_of(store: Store) -> Buckets:
    """The sums of the rows of the list in force, as the disk has them."""
    sums = Buckets()
    for kind in KINDS:
        after: bytes | None = b""
        while after is not None:
            after = await store.sum_list_rows(sums, kind, after)
    return sums


async def mended(store: Store, mend: ListMend, reader_bits: Sequence[int]) -> Mended:
    """The list in force with these buckets; nothing is written.

    ListRejected if it then has another root than the mend says, or is no list; MalformedMessage for an entry that
    cannot be read.
    """
    came, entries = await _came(mend)
    whole, sums, stale = WholeList(reader_bits), Buckets(), list[tuple[str, bytes]]()
    replaced = frozenset(mend.buckets)
    for kind in KINDS:
        after = b""
        while found := await store.list_rows(kind, after, READ_ROWS):
            after = found[-1][0]
            stale += [(kind, key) for key, _ in found if bucket_of(kind, key) in replaced]
            stays = [entry for entry in found if bucket_of(kind, entry[0]) not in replaced]
            for at in range(0, len(stays), READ_SLICE_LEN):
                some = stays[at : at + READ_SLICE_LEN]
                sums.add_read(kind, some)
                Entries([body for _, body in some]).onto(whole)
                await asyncio.sleep(0)
    for one in entries:
        one.onto(whole)
        await asyncio.sleep(0)
    sums.join(came.sums)
    if sums.root != mend.root:
        raise ListRejected("root_mismatch", f"with the buckets of revision {mend.rev} it is another list still")
    return Mended(whole, stale, came.rows, sums)


async def read_back(store: Store, reader_bits: Sequence[int]) -> WholeList:
    """The list on its way, as the disk has it."""
    whole = WholeList(reader_bits)
    for kind in KINDS:
        after = ""
        while found := await store.shadow_bodies(kind, after, READ_ROWS):
            after = found[-1][0]
            for at in range(0, len(found), READ_SLICE_LEN):
                Entries([body for _, body in found[at : at + READ_SLICE_LEN]]).onto(whole)
                await asyncio.sleep(0)
    return whole


async def _came(mend: ListMend) -> tuple[Gathered, list[Entries]]:
    """What came: as rows, and as it was read."""
    came, entries = Gathered(), list[Entries]()
    for at in range(0, len(mend.ops), READ_SLICE_LEN):
        entries.append(came.read(mend.ops[at : at + READ_SLICE_LEN], at))
        await asyncio.sleep(0)
    return came, entries
