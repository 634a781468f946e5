"""What an edge remembers of each key, across restarts."""

from datetime import timedelta
from pathlib import Path

from sync.marks import EXECUTED_KEPT, Mark
from sync.store import Store
from tests.sync.samples import T0, open_store

MINUTE = timedelta(minutes=1)


def test_a_mark_only_rises() -> None:
    mark = Mark(T0, 2, 7, 5)
    assert mark.raised(T0 - MINUTE, 1, 99, 4) == mark
    assert mark.raised(T0 - MINUTE, 2, 6) == mark
    assert mark.raised(T0 + MINUTE, 2, 8, 6) == Mark(T0 + MINUTE, 2, 8, 6)
    assert mark.raised(T0, 3, 1) == Mark(T0, 3, 1, 5)


async def test_marks_and_keys_outlive_the_program(path: Path) -> None:
    store = await open_store(path)
    assert await store.keyset() is None
    await store.put_mark("k1", Mark(T0, 1, 2, 3))
    await store.put_keyset(b"{}", ["k1"])
    await store.close()
    store = await open_store(path)
    assert await store.marks() == {"k1": Mark(T0, 1, 2, 3)}
    assert await store.keyset() == b"{}"
    await store.close()


async def test_a_key_that_is_taken_away_leaves_no_mark(store: Store) -> None:
    await store.put_mark("stolen", Mark(T0 + timedelta(days=9000), 9, 9, 9))
    await store.put_mark("kept", Mark(T0))
    await store.put_keyset(b"{}", ["kept", "new"])
    assert await store.marks() == {"kept": Mark(T0)}


async def test_an_order_is_noted_once_and_forgotten_when_it_is_long_void(store: Store) -> None:
    assert await store.execute("k", Mark(T0, cseq=1), "c1")
    assert not await store.execute("k", Mark(T0, cseq=2), "c1")
    assert not await store.execute("other", Mark(T0, cseq=9), "c1")
    assert (await store.marks())["k"].cseq == 2
    assert await store.execute("k", Mark(T0 + EXECUTED_KEPT + MINUTE, cseq=3), "c2")
    count = await store._database.run(lambda: store._database.sql.execute("SELECT cmd_id FROM executed").fetchall())
    assert count == [("c2",)]


async def test_a_mark_is_raised_from_where_it_is_and_never_lowered(store: Store) -> None:
    await store.replace_list("e", 1, [])
    await store.put_mark("k", Mark(T0, 1, 1, 9))
    later = T0 + timedelta(days=1)
    await store.put_changes("e", 1, 2, [], mark=("k", later, 1, 2))
    assert await store.marks() == {"k": Mark(later, 1, 2, 9)}
    await store.put_changes("e", 2, 3, [], mark=("k", T0, 0, 7))
    assert await store.marks() == {"k": Mark(later, 1, 2, 9)}
