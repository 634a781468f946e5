"""A list is cut as it was at one moment, whatever is written meanwhile."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.allowlist import User, UserPut
from gate_controller.errors import StoreError
from hardware_sim.portal.edges import cutting
from hardware_sim.portal.edges.books import Books
from hardware_sim.portal.edges.cutting import cut_beside, cut_of
from hardware_sim.portal.edges.service import PORTAL
from sync.cached_list import CachedList
from sync.codec import decode_changes
from sync.database import Database
from sync.packing import unpacked

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
PUTS = [UserPut(User(f"u{n:03}", f"x{n}")) for n in range(60)]


async def test_what_is_cut_beside_is_what_would_be_cut_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "PART_BYTES_MAX", 500)
    database = await Database.open(tmp_path / "portal.db", PORTAL)
    books = await database.write(lambda: Books(database.sql, "e", T0))
    empty = await asyncio.to_thread(cut_beside, database.path)
    assert (empty.rev, [length for length, _ in empty.parts]) == (0, [0])
    await database.write(books.change, "e", 0, PUTS, T0)

    def while_a_change_is_half_made() -> None:
        books.change("e", 1, [UserPut(User("u999", "later"))], T0)
        cut = cut_beside(database.path)
        assert (cut.rev, len(cut.parts) > 5) == (1, True)
        assert [one for _, data in cut.parts for one in decode_changes(unpacked(data))] == PUTS

    await database.write(while_a_change_is_half_made)
    here = await database.run(cut_of, CachedList(database.sql))
    assert here == await asyncio.to_thread(cut_beside, database.path)
    assert here.rev == 2
    assert here.root == await database.run(books.root)
    assert sum(length for length, _ in here.parts) == sum(
        len(bytes(op)) for _, data in here.parts for op in unpacked(data)
    )
    await database.close()


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        cut_beside(tmp_path / "none.db")
