"""The list file of a site on its own: what changes on disk comes into force, and a bad file changes nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge import list_keeper
from edge.list_keeper import ListKeeper
from gate_controller.allowlist import Allowlist
from gate_controller.errors import ListFileError, StoreError
from gate_controller.plates import Plate
from sync.store import Store

TZ = ZoneInfo("Europe/Berlin")


class Site:
    """A list file, its keeper, and the list that its daemon would have in force."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.file, self.store = folder / "users.csv", store
        self.keeper = ListKeeper(self.file, TZ, store)
        self.lists: list[Allowlist] = []

    def write(self, *rows: str) -> None:
        """In place of the old one, as a spreadsheet saves."""
        new = self.file.with_suffix(".new")
        new.write_text("\n".join(["external_id,plate", *rows]) + "\n")
        new.replace(self.file)

    async def knows(self, plate: str) -> None:
        async with asyncio.timeout(60):
            while not (self.lists and self.lists[-1].find_plate(Plate.parse(plate)).user):
                await asyncio.sleep(0.02)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(list_keeper, "LOOK_EVERY_S", 0.05)
    store = await Store.open(tmp_path / "slagboom.db", lambda: "ledger")
    yield Site(tmp_path, store)
    await store.close()


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[None]:
    task = asyncio.ensure_future(site.keeper.run(site.lists.append))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_changed_file_is_in_force_and_on_disk(site: Site) -> None:
    site.write("anna,98-THD-4")
    await site.keeper.begin()
    (anna,) = (await site.store.allowlist()).users()
    async with running(site):
        site.write("anna,98-THD-4", "bert,AB-123-CD")
        await site.knows("AB-123-CD")
    cached = await site.store.allowlist()
    assert {user.external_id for user in cached.users()} == {"anna", "bert"}
    assert cached.user_by_external("anna") == anna
    assert len(site.lists) == 1


async def test_a_bad_file_changes_nothing_and_is_told_once_by_its_line(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.write("anna,98-THD-4")
    await site.keeper.begin()
    async with running(site):
        site.write("bert,AB-123-CD", "carl,?")
        async with asyncio.timeout(60):
            while "stays in force" not in caplog.text:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.4)
        assert site.lists == []
        assert caplog.text.count("stays in force") == 1
        assert "users.csv: line 3, column plate" in caplog.text
        site.file.unlink()
        async with asyncio.timeout(60):
            while "no such file" not in caplog.text:
                await asyncio.sleep(0.02)
        site.write("bert,AB-123-CD")
        await site.knows("AB-123-CD")
    assert "98" not in caplog.text.replace("1998", "")


async def test_a_user_under_another_id_is_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.write("anna,98-THD-4")
    await site.keeper.begin()
    site.file.write_text("external_id,plate,user_id\nanna,98-THD-4,u9\n")
    await site.keeper.begin()
    assert "line 2, column user_id: immutable_id" in caplog.text


async def test_a_disk_that_refuses_is_asked_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("anna,98-THD-4")
    await site.keeper.begin()
    refused = []
    really = Store.replace_list

    async def refuses_twice(self: Store, *args: object) -> None:
        if len(refused) < 2:
            refused.append(args)
            raise StoreError("slagboom.db: no space left on the disk")
        await really(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "replace_list", refuses_twice)
    async with running(site):
        site.write("bert,AB-123-CD")
        await site.knows("AB-123-CD")
    assert len(refused) == 2


async def test_without_any_list_a_bad_file_is_an_error(site: Site) -> None:
    with pytest.raises(ListFileError, match="no such file"):
        await site.keeper.begin()
