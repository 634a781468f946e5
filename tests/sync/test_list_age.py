"""The age of a list outlives the program, and belongs to one confirmation alone."""

from datetime import timedelta
from pathlib import Path

from sync.list_age import ListAge
from tests.sync.samples import T0, open_store


async def test_an_age_is_kept_for_its_confirmation_alone(path: Path) -> None:
    store = await open_store(path)
    assert isinstance(store._list_age, ListAge)
    assert await store.list_age(T0) == 0.0
    await store.note_list_age(T0, 100.0)
    await store.note_list_age(T0, 700.5)
    await store.close()
    store = await open_store(path)
    assert await store.list_age(T0) == 700.5
    assert await store.list_age(T0 + timedelta(seconds=1)) == 0.0
    await store.close()
