"""The portal's tables: events once, acknowledgements without gaps, and what each edge needs of the list."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate_controller.allowlist import Change, User, UserPut, UserRemoved
from gate_controller.errors import BadInput
from hardware_sim.portal import books as books_module
from hardware_sim.portal.books import Books, Changes, Part
from hardware_sim.portal.service import PORTAL
from sync.database import Database
from sync.messages import (
    PARTS_AHEAD,
    Event,
    EventBatch,
    ListGet,
    Revision,
    State,
    UnknownFact,
    Written,
    decode_changes,
)

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


class Shelf:
    """Books on a real database, each call one transaction."""

    def __init__(self, database: Database, books: Books) -> None:
        self.database, self.books = database, books

    async def change(self, from_rev: int, *changes: Change) -> None:
        await self.database.write(self.books.change, "e", from_rev, changes)

    async def answer(
        self, have: Revision | None, whole: bool = False, written: Written | None = None
    ) -> Changes | list[Part]:
        get = ListGet(have=have, whole=whole, written=written)
        return await self.database.write(self.books.answer, get)

    async def ingest(self, first: int, last: int, edge: str = "g", ledger: str = "L", kind: str = "k") -> int:
        return await self.database.write(self.books.ingest, edge, batch(first, last, ledger, kind))

    async def see(self, state: State) -> None:
        await self.database.write(self.books.see, "g", state, T0)

    async def seqs(self) -> list[int]:
        return [event.seq for event in await self.database.run(self.books.events, 0, 10_000)]


def batch(first: int, last: int, ledger: str, kind: str) -> EventBatch:
    rows = range(first, last + 1)
    events = [Event(seq=n, at=T0 + timedelta(seconds=n), kind=kind, body=msgspec.Raw(b"{}")) for n in rows]
    return EventBatch(ledger=ledger, first=first, last=last, events=events)


async def a_shelf(path: Path) -> Shelf:
    database = await Database.open(path, PORTAL)
    return Shelf(database, await database.write(lambda: Books(database.sql, "e", T0)))


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    opened = await a_shelf(tmp_path / "portal.db")
    yield opened
    await opened.database.close()


def put(number: int) -> UserPut:
    return UserPut(User(f"u{number}", f"x{number}"))


async def test_an_edge_gets_the_changes_that_it_lacks(shelf: Shelf) -> None:
    for number in range(4):
        await shelf.change(number, put(number))
    await shelf.change(4, UserRemoved("u0"))
    answer = await shelf.answer(Revision("e", 3))
    assert isinstance(answer, Changes)
    assert (answer.from_, answer.to, decode_changes(answer.ops)) == (3, 5, [put(3), UserRemoved("u0")])
    nothing_new = await shelf.answer(Revision("e", 5))
    assert isinstance(nothing_new, Changes)
    assert (nothing_new.from_, nothing_new.to, nothing_new.ops) == (5, 5, [])


async def test_an_edge_gets_everything_when_changes_would_not_do(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books_module, "DELTAS_KEPT_MAX", 3)
    for number in range(6):
        await shelf.change(number, put(number))
    assert isinstance(await shelf.answer(Revision("e", 3)), Changes)
    for have in (None, Revision("e", 2), Revision("another", 5), Revision("e", 7)):
        answer = await shelf.answer(have)
        assert isinstance(answer, list)
        (part,) = answer
        assert (part.rev, part.part, part.parts) == (6, 0, 1)
        assert part.root == await shelf.database.run(shelf.books.root)
        assert decode_changes(part.ops) == [put(number) for number in range(6)]


async def test_a_whole_list_is_cut_and_goes_on_where_an_edge_was(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books_module, "PART_BYTES_MAX", 200)
    for number in range(40):
        await shelf.change(number, put(number))
    first = await shelf.answer(None)
    assert isinstance(first, list)
    assert [part.part for part in first] == [*range(PARTS_AHEAD)]
    assert first[0].parts > 2 * PARTS_AHEAD
    # The list goes on changing; the parts stay those of one revision.
    await shelf.change(40, put(40))
    everything = [*first]
    while everything[-1].part < first[0].parts - 1:
        written = Written("e", 40, everything[-1].part + 1)
        more = await shelf.answer(None, written=written)
        assert isinstance(more, list)
        everything += more
    assert [part.part for part in everything] == [*range(first[0].parts)]
    assert {op.user.id for part in everything for op in decode_changes(part.ops)} == {f"u{n}" for n in range(40)}
    last = await shelf.answer(None, written=Written("e", 40, first[0].parts))
    assert isinstance(last, list)
    assert [part.part for part in last] == [first[0].parts - 1]


async def test_an_edge_that_cannot_follow_gets_the_newest_and_a_new_one_what_was_cut_already(shelf: Shelf) -> None:
    await shelf.change(0, put(0))
    await shelf.answer(None)
    await shelf.change(1, put(1))
    for have, whole, rev in ((None, False, 1), (Revision("e", 1), True, 2)):
        answer = await shelf.answer(have, whole=whole)
        assert isinstance(answer, list)
        assert [part.rev for part in answer] == [rev]


async def test_orders_are_numbered_upwards_also_from_a_backup(shelf: Shelf) -> None:
    first = await shelf.database.write(shelf.books.next_cseq, T0)
    assert await shelf.database.write(shelf.books.next_cseq, T0) == first + 1
    assert await shelf.database.write(shelf.books.next_cseq, T0 - timedelta(days=1)) == first + 2
    assert await shelf.database.write(shelf.books.next_cseq, T0 + timedelta(days=1)) > first + 1000


async def test_an_entry_that_fits_no_part_is_refused(shelf: Shelf) -> None:
    with pytest.raises(BadInput, match="longer"):
        await shelf.change(0, UserPut(User("u" * 40_000, "x")))


async def test_events_are_stored_once_and_acknowledged_without_gaps(shelf: Shelf) -> None:
    assert await shelf.ingest(1, 3) == 3
    assert await shelf.ingest(1, 3) == 3
    assert await shelf.ingest(2, 5) == 5
    # One batch overtook another: stored, and not yet acknowledged.
    assert await shelf.ingest(9, 10) == 5
    assert await shelf.ingest(6, 8) == 10
    assert sorted(await shelf.seqs()) == list(range(1, 11))


async def test_ledgers_and_edges_are_counted_apart(shelf: Shelf) -> None:
    assert await shelf.ingest(1, 3) == 3
    assert await shelf.ingest(1, 2, ledger="another") == 2
    assert await shelf.ingest(2, 2, edge="other") == 0
    assert len(await shelf.seqs()) == 6


async def test_an_event_of_a_newer_gate_is_kept(shelf: Shelf) -> None:
    await shelf.ingest(1, 1, kind="teleported")
    (event,) = await shelf.database.run(shelf.books.events, 0, 10)
    assert event.fact == UnknownFact("teleported", b"{}")
    assert event.at == T0 + timedelta(seconds=1)


async def test_what_was_acknowledged_survives_a_restart(tmp_path: Path) -> None:
    shelf = await a_shelf(tmp_path / "portal.db")
    await shelf.ingest(1, 3)
    await shelf.database.close()
    again = await a_shelf(tmp_path / "portal.db")
    assert await again.ingest(5, 5) == 3
    assert await again.ingest(4, 4) == 5
    await again.database.close()


async def test_a_late_will_does_not_hide_a_gate_that_is_back(shelf: Shelf) -> None:
    state = State(status="online", conn="old", ledger="L", next_seq=5, acked=4, list=Revision("e", 7), sw="1.0")
    await shelf.see(state)
    await shelf.see(msgspec.structs.replace(state, conn="new"))
    await shelf.see(msgspec.structs.replace(state, conn="old", status="offline"))
    (seen,) = await shelf.database.run(shelf.books.edges)
    assert (seen.online, seen.revision, seen.next_seq, seen.software) == (True, Revision("e", 7), 5, "1.0")
    await shelf.see(msgspec.structs.replace(state, conn="new", status="offline"))
    (seen,) = await shelf.database.run(shelf.books.edges)
    assert not seen.online


async def test_a_word_that_a_later_one_overtook_is_passed_over(shelf: Shelf) -> None:
    state = State(
        status="online", conn="c", told=2, ledger="L", next_seq=5, acked=4, list=Revision("e", 7), nonce="n"
    )
    await shelf.see(state)
    for late in (1, 0):
        await shelf.see(msgspec.structs.replace(state, told=late, conn=f"c{late}", list=Revision("e", 6)))
        (seen,) = await shelf.database.run(shelf.books.edges)
        assert seen.revision == Revision("e", 7)
    await shelf.see(msgspec.structs.replace(state, status="offline", told=0))
    await shelf.see(msgspec.structs.replace(state, told=3))
    (seen,) = await shelf.database.run(shelf.books.edges)
    assert not seen.online
    # Another start of the program counts from the beginning.
    await shelf.see(msgspec.structs.replace(state, conn="d", told=1, nonce="m"))
    (seen,) = await shelf.database.run(shelf.books.edges)
    assert seen.online


@settings(max_examples=20)
@given(ranges=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 8)), max_size=25))
async def test_through_is_always_the_end_of_the_first_unbroken_run(
    tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[int, int]]
) -> None:
    shelf, have = await a_shelf(tmp_path_factory.mktemp("books") / "portal.db"), set[int]()
    for first, more in ranges:
        have.update(range(first, first + more + 1))
        through = await shelf.ingest(first, first + more)
        assert set(range(1, through + 1)) <= have
        assert through + 1 not in have
    assert sorted(await shelf.seqs()) == sorted(have)
    await shelf.database.close()
