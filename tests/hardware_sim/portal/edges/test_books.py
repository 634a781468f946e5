"""The portal's tables of the list: its history, and what each edge needs of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest

from gate_controller.allowlist import Change, User, UserPut, UserRemoved
from gate_controller.errors import BadInput
from hardware_sim.portal.edges import books as books_module
from hardware_sim.portal.edges.books import Books, Changes, Mend, Part
from hardware_sim.portal.edges.cutting import cut_beside
from hardware_sim.portal.edges.letters import Letters
from hardware_sim.portal.edges.service import PORTAL
from sync.codec import decode_changes, encode_change
from sync.database import Database
from sync.messages import PART_LEN_MAX, PARTS_AHEAD, ListGet, Revision, Written
from sync.packing import unpacked
from sync.roots import Buckets, bucket_of
from sync.signing import Signer

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


class Shelf:
    """Books on a real database, each call one transaction."""

    def __init__(self, database: Database, books: Books) -> None:
        self.database, self.books = database, books

    async def change(self, from_rev: int, *changes: Change, now: datetime = T0) -> None:
        await self.database.write(self.books.change, "e", from_rev, changes, now)

    async def answer(
        self, have: Revision | None, whole: bool = False, written: Written | None = None
    ) -> Changes | list[Part]:
        answer = await self.ask(ListGet(have=have, whole=whole, written=written))
        assert not isinstance(answer, Mend)
        return answer

    async def ask(self, get: ListGet) -> Changes | Mend | list[Part]:
        return await self.database.write(self.books.answer, get)


async def a_shelf(path: Path) -> Shelf:
    database = await Database.open(path, PORTAL)
    return Shelf(database, await database.write(lambda: Books(database.sql, "e", T0)))


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    opened = await a_shelf(tmp_path / "portal.db")
    yield opened
    await opened.database.close()


def ops_of(part: Part) -> list[msgspec.Raw]:
    return unpacked(part.packed)


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
        assert decode_changes(ops_of(part)) == [put(number) for number in range(6)]


async def test_a_whole_list_is_cut_and_goes_on_where_an_edge_was(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hardware_sim.portal.edges.cutting.PART_BYTES_MAX", 120)
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
    assert {op.user.id for part in everything for op in decode_changes(ops_of(part))} == {
        f"u{n}" for n in range(40)
    }
    last = await shelf.answer(None, written=Written("e", 40, first[0].parts))
    assert isinstance(last, list)
    assert [part.part for part in last] == [first[0].parts - 1]


async def test_a_long_list_is_cut_beside_and_kept(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_module, "LONG_LEN_MIN", 3)
    get = ListGet()

    async def ask() -> Changes | Mend | list[Part]:
        return await shelf.database.write(shelf.books.answer, get, cut_long=False)

    await shelf.change(0, put(0), put(1))
    assert len(await ask()) == 1, "a short one is cut at once"  # type: ignore[arg-type]
    await shelf.change(1, put(2), put(3))
    assert await ask() == []
    cut = await asyncio.to_thread(cut_beside, shelf.database.path)
    await shelf.change(2, UserRemoved("u3"))
    await shelf.database.write(shelf.books.keep, cut)
    (part,) = await ask()  # type: ignore[misc]
    assert (part.rev, part.parts) == (2, 1)
    assert decode_changes(ops_of(part)) == [put(n) for n in range(4)]
    assert part.root != await shelf.database.run(shelf.books.root)
    since = await shelf.answer(Revision("e", 2))
    assert isinstance(since, Changes), "what came while it was cut leads on from it"
    assert decode_changes(since.ops) == [UserRemoved("u3")]


async def test_entries_that_pack_badly_fit_into_a_message_all_the_same(shelf: Shelf) -> None:
    chance, signer = Random(7), Signer.of(b"\2" * 32)
    users = [User(f"u{n:02}", f"x{n}", name=chance.randbytes(15_000).hex()) for n in range(20)]
    await shelf.change(0, *map(UserPut, users))
    said, parts = Letters("t/s", 2**52, lambda: T0), list[Part]()
    while not parts or parts[-1].part + 1 < parts[-1].parts:
        more = await shelf.answer(None, written=Written("e", 1, len(parts)) if parts else None)
        assert isinstance(more, list)
        parts += more
    assert max(len(signer.sign(said.part("e" * 64, part))) for part in parts) <= PART_LEN_MAX
    assert [op for part in parts for op in decode_changes(ops_of(part))] == [*map(UserPut, users)]


async def test_changes_are_kept_for_a_month_and_erased_with_the_list_that_they_lead_on_from(shelf: Shelf) -> None:
    await shelf.change(0, put(0))
    await shelf.answer(None)
    await shelf.change(1, UserRemoved("u0"))
    await shelf.change(2, put(2), now=T0 + timedelta(days=1))
    await shelf.database.write(shelf.books.forget, T0 + timedelta(days=30))
    assert isinstance(await shelf.answer(Revision("e", 0)), Changes)
    assert await _told_of(shelf, "x0")
    await shelf.database.write(shelf.books.forget, T0 + timedelta(days=30, seconds=1))
    assert not await _told_of(shelf, "x0"), "who has gone is named nowhere"
    assert isinstance(await shelf.answer(Revision("e", 2)), Changes)
    (part,) = await shelf.answer(Revision("e", 1))  # type: ignore[misc]
    assert part.rev == 3


async def _told_of(shelf: Shelf, text: str) -> bool:
    def look() -> bool:
        said = [ops for (ops,) in shelf.database.sql.execute("SELECT ops FROM delta")]
        for (data,) in shelf.database.sql.execute("SELECT packed FROM snapshot"):
            said += [bytes(op).decode() for op in unpacked(data)]
        return any(f'"{text}"' in ops for ops in said)

    return await shelf.database.run(look)


async def test_an_edge_that_drifted_gets_what_differs(shelf: Shelf) -> None:
    for number in range(40):
        await shelf.change(number, put(number))
    root = await shelf.database.run(shelf.books.root)
    drifted = Buckets()
    for number in range(39):
        drifted.add("user", f"u{number}", bytes(encode_change(put(number))).decode())
    drifted.add("user", "other", "{}")
    for have in (Revision("e", 40), Revision("e", 7)):
        mend = await shelf.ask(ListGet(have=have, buckets=drifted.short))
        assert isinstance(mend, Mend)
        assert (mend.rev, mend.root) == (40, root)
        assert mend.buckets == sorted({bucket_of("user", b"u39"), bucket_of("user", b"other")})
        assert put(39) in decode_changes(mend.ops)
        assert len(mend.ops) < 10
    drifted.take("user", "other", "{}")
    drifted.add("user", "u39", bytes(encode_change(put(39))).decode())
    mend = await shelf.ask(ListGet(have=Revision("e", 40), buckets=drifted.short))
    assert isinstance(mend, Mend)
    assert (mend.buckets, mend.ops) == ([], []), "an edge that is right is told so"


async def test_what_differs_too_much_or_of_another_list_is_the_whole_list(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        await shelf.change(number, put(number))
    short = Buckets().short
    assert isinstance(await shelf.ask(ListGet(have=Revision("e", 40), buckets=short)), Mend)
    for have in (None, Revision("another", 40), Revision("e", 41)):
        assert isinstance(await shelf.ask(ListGet(have=have, buckets=short)), list)
    assert isinstance(await shelf.ask(ListGet(have=Revision("e", 40), buckets=short, whole=True)), list)
    monkeypatch.setattr(books_module, "DELTA_BYTES_MAX", 2000)
    assert isinstance(await shelf.ask(ListGet(have=Revision("e", 40), buckets=short)), list)


async def test_changes_too_long_to_be_sent_are_not_kept_and_lead_to_the_whole_list(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books_module, "DELTA_BYTES_MAX", 200)
    many = [put(number) for number in range(8)]
    await shelf.change(0, *many)
    assert not await _told_of(shelf, "x0")
    (part,) = await shelf.answer(Revision("e", 0))  # type: ignore[misc]
    assert decode_changes(ops_of(part)) == many
    for number in (1, 2, 3, 4, 5):
        await shelf.change(number, put(10 + number))
    assert isinstance(await shelf.answer(Revision("e", 4)), Changes)
    for rev in (0, 1):
        assert isinstance(await shelf.answer(Revision("e", rev)), list), "one by one they are short, together long"


async def test_an_edge_that_cannot_follow_gets_the_newest_and_a_new_one_what_was_cut_already(shelf: Shelf) -> None:
    for number in range(5):
        await shelf.change(number, put(number))
    await shelf.answer(None)
    await shelf.change(5, put(5))
    for have, whole, rev in ((None, False, 5), (Revision("e", 5), True, 6)):
        answer = await shelf.answer(have, whole=whole)
        assert isinstance(answer, list)
        assert [part.rev for part in answer] == [rev]


async def test_a_list_that_has_grown_by_half_since_it_was_cut_is_cut_anew(shelf: Shelf) -> None:
    """An edge that joins with a list of its own must not have an empty one in force, were it for a moment."""
    (empty,) = await shelf.answer(None)  # type: ignore[misc]
    assert empty.rev == 0
    for number in range(5):
        await shelf.change(number, put(number))
    for rev in (5, 5, 9):
        (part,) = await shelf.answer(Revision("another", 9))  # type: ignore[misc]
        assert part.rev == rev
        newest = (await shelf.database.run(shelf.books.allowlist)).revision
        for number in range(newest, newest + 2):
            await shelf.change(number, put(number))


async def test_orders_are_numbered_upwards_also_from_a_backup(shelf: Shelf) -> None:
    first = await shelf.database.write(shelf.books.next_cseq, T0)
    assert await shelf.database.write(shelf.books.next_cseq, T0) == first + 1
    assert await shelf.database.write(shelf.books.next_cseq, T0 - timedelta(days=1)) == first + 2
    assert await shelf.database.write(shelf.books.next_cseq, T0 + timedelta(days=1)) > first + 1000


async def test_an_entry_that_fits_no_part_is_refused(shelf: Shelf) -> None:
    with pytest.raises(BadInput, match="longer"):
        await shelf.change(0, UserPut(User("u" * 40_000, "x")))
