"""The counter: the same answer from a running portal and from its folder, and nonsense that does nothing."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gate_controller.errors import ListFileError, PortalError
from hardware_sim.portal.operator.asked import About, AddUser, Edges, Import, OrderEdge, RemoveUser, Users
from hardware_sim.portal.operator.counter import ask, ask_running, serve
from hardware_sim.portal.operator.folder import PortalFolder
from sync.orders import SyncNow


@pytest.fixture
def folder(tmp_path: Path) -> PortalFolder:
    return PortalFolder.create(tmp_path / "p", "acme", "north", "Europe/Berlin")


@asynccontextmanager
async def running(folder: PortalFolder) -> AsyncIterator[None]:
    portal = await folder.open()
    task = asyncio.ensure_future(serve(folder, portal))
    try:
        while not folder.socket.exists():
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await portal.close()


async def test_a_running_portal_does_what_the_folder_alone_would(folder: PortalFolder) -> None:
    await asyncio.to_thread(ask, folder, AddUser("anna", ("98-THD-4",)))
    async with running(folder):
        assert stat.S_IMODE(folder.socket.stat().st_mode) == 0o600
        added = await asyncio.to_thread(ask, folder, AddUser("bert"))
        assert added.rows[0]["revision"] == 2
        assert added.text == "bert added; list revision 2: no edge has spoken yet"
        with pytest.raises(PortalError, match="duplicate_external_id"):
            await asyncio.to_thread(ask, folder, AddUser("anna"))
        with pytest.raises(PortalError, match="is not connected"):
            await asyncio.to_thread(ask, folder, OrderEdge("barn", SyncNow()))
    assert not folder.socket.exists()
    reply = await asyncio.to_thread(ask, folder, Users())
    assert [row["external_id"] for row in reply.rows] == ["anna", "bert"]


async def test_several_problems_come_one_by_one(folder: PortalFolder, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("external_id,plate\nanna,\nbert,?\n")
    async with running(folder):
        with pytest.raises(ListFileError) as found:
            await asyncio.to_thread(ask, folder, Import(str(file)))
    assert [problem.split(": ")[1] for problem in found.value.problems] == [
        "line 2, column plate",
        "line 3, column plate",
    ]


async def test_a_dead_portal_s_socket_is_no_portal(folder: PortalFolder) -> None:
    async with running(folder):
        folder.socket.rename(folder.path / "dead")
        await asyncio.to_thread((folder.path / "dead").rename, folder.socket)
    folder.socket.touch()
    assert (await asyncio.to_thread(ask, folder, About())).rows[0]["revision"] == 0
    with pytest.raises(PortalError, match="does not run"):
        await asyncio.to_thread(ask_running, folder, Edges())


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b'{"type":"RemoveUser"}\n', b"\xff\n", b"x" * 100_000 + b"\n"])
async def test_nonsense_changes_nothing(folder: PortalFolder, line: bytes) -> None:
    await asyncio.to_thread(ask, folder, AddUser("anna"))
    async with running(folder):
        reader, writer = await asyncio.open_unix_connection(folder.socket)
        with suppress(OSError):
            writer.write(line)
            await writer.drain()
            assert b"not a request" in await reader.readline()
        writer.close()
        assert (await asyncio.to_thread(ask, folder, RemoveUser("anna"))).rows[0]["revision"] == 2
