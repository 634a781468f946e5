"""Full disks, locks, and files that are damaged, newer or not ours."""

import os
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest

from gate_controller.errors import StoreError
from gate_controller.facts import HoldId
from hardware_sim.portal.edges.service import PORTAL
from sync.database import Blueprint, Database
from sync.store import EDGE, Store
from tests.sync.samples import T0, at, grant, open_store, passed


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more_is_one_clear_error(path: Path, store: Store) -> None:
    await store.append(at(grant(1), passed(1)))
    before = await store.occupancy()
    with no_file_larger_than(path.with_name("gate.db-wal").stat().st_size + 100):
        with pytest.raises(StoreError, match=rf"{path}.*free space"):
            await store.append(at(grant(2)))
        assert await store.occupancy() == before
        assert [row.seq for row in await store.rows(0, 10)] == [1, 2]
    await store.replace_list("e", 1, [])
    assert store.next_seq == 3
    assert await store.append(at(grant(3))) == range(3, 4)
    assert set((await store.occupancy()).holds) == {HoldId("in3")}


async def test_a_full_database_keeps_its_rows_and_works_again(path: Path, store: Store) -> None:
    await store.append(at(grant(1)))
    pages = await store._database.run(lambda: store._database.sql.execute("PRAGMA page_count").fetchone()[0])
    await store._database.run(lambda: store._database.sql.execute(f"PRAGMA max_page_count = {pages + 1}"))
    with pytest.raises(StoreError, match="no space left on the disk"):
        await _append_until_refused(store)
    written = store.next_seq - 1
    assert written > 1
    await store.acked(1)
    assert len((await store.occupancy()).holds) == written
    await store._database.run(lambda: store._database.sql.execute("PRAGMA max_page_count = 1000000"))
    assert await store.append(at(grant(3000))) == range(written + 1, written + 2)
    assert len((await store.occupancy()).holds) == written + 1


async def _append_until_refused(store: Store) -> None:
    for number in range(2, 2000):
        await store.append(at(grant(number)))


async def test_a_full_disk_at_the_first_start_is_one_clear_error(path: Path) -> None:
    with no_file_larger_than(2000), pytest.raises(StoreError, match="free space"):
        await open_store(path)
    store = await open_store(path)
    await store.append(at(grant(1)))
    await store.close()


async def test_a_second_daemon_is_refused(path: Path, store: Store) -> None:
    with pytest.raises(StoreError, match="another slagboom runs on this database"):
        await open_store(path)
    await store.append(at(grant(1)))


async def test_the_lock_ends_with_close(path: Path) -> None:
    await (await open_store(path)).close()
    await (await open_store(path)).close()


async def test_a_reader_may_look_in_while_the_daemon_writes(path: Path, store: Store) -> None:
    await store.append(at(grant(1)))
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert reader.execute("SELECT count(*) FROM journal").fetchone()[0] == 1
    reader.close()


async def test_text_is_no_database(path: Path) -> None:
    path.write_text("external_id,plate\n" * 500)
    with pytest.raises(StoreError, match=rf"{path}: this is not a database"):
        await open_store(path)
    assert path.read_text().startswith("external_id")


async def test_a_damaged_database_says_so(path: Path) -> None:
    store = await open_store(path)
    await store.append([(T0, grant(number)) for number in range(300)])
    await store.close()
    content = bytearray(path.read_bytes())
    for page in range(4, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = os.urandom(200)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="the database is damaged"):
        await open_store(path)


async def test_a_newer_schema_is_left_alone(path: Path) -> None:
    await (await open_store(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 9999")
    with pytest.raises(StoreError, match=r"newer slagboom.*9999"):
        await open_store(path)


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreError, match="another program"):
        await open_store(path)
    with sqlite3.connect(path) as raw:
        assert [name for (name,) in raw.execute("SELECT name FROM sqlite_master")] == ["recipes"]


async def test_places_where_no_database_can_be(tmp_path: Path) -> None:
    threads = threading.active_count()
    with pytest.raises(StoreError, match="does not exist; create it"):
        await open_store(tmp_path / "missing" / "gate.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreError, match=r"folder\.db: the file cannot be opened"):
        await open_store(tmp_path / "folder.db")
    assert threading.active_count() <= threads + 1  # the event loop's thread stays, the database's does not
    with pytest.raises(StoreError, match="cannot write to its directory"):
        await open_store(Path("/proc/gate.db"))


async def test_two_kinds_of_database_are_not_confused(path: Path) -> None:
    await (await open_store(path)).close()
    with pytest.raises(StoreError, match="another program"):
        await Database.open(path, Blueprint(0x11111111, "sync.schema"))


async def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    database = await Database.open(path, EDGE)

    def half() -> None:
        database.sql.execute("INSERT INTO journal VALUES (1, '', 'k', '{}')")
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError):
        await database.write(half)
    assert await database.run(lambda: database.sql.execute("SELECT count(*) FROM journal").fetchone()[0]) == 0
    await database.close()


@pytest.mark.parametrize("schema", [EDGE.schema, PORTAL.schema])
def test_migrations_are_numbered_from_one_without_a_hole_or_a_double(schema: str) -> None:
    """A database keeps the number of its last one: what is put in below it is never run there."""
    names = sorted(file.name for file in resources.files(schema).iterdir() if file.name.endswith(".sql"))
    assert [name[:5] for name in names] == [f"{number:04}_" for number in range(1, len(names) + 1)]
