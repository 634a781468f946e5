"""The socket for a person's orders: who may call, what is answered, and what nonsense does."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edge.control import ask, serve, socket_of
from gate_controller.errors import ControlError
from gate_controller.lane import Order
from sync.orders import Answer, ClearUser, LaneOrder, Request

OPEN = LaneOrder("entry", Order.OPEN, "joris", "ambulance")


@asynccontextmanager
async def listening(path: Path, heard: list[Request]) -> AsyncIterator[None]:
    async def handle(request: Request) -> Answer:
        heard.append(request)
        return Answer(True, "under way")

    task = asyncio.ensure_future(serve(path, handle))
    await asyncio.sleep(0.05)
    if task.done():
        task.result()
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_requests_arrive_whole_and_are_answered(tmp_path: Path) -> None:
    heard: list[Request] = []
    path = socket_of(tmp_path / "slagboom.db")
    async with listening(path, heard):
        assert await asyncio.to_thread(ask, path, OPEN) == Answer(True, "under way")
        clear = ClearUser("A-1", "joris", "left at noon")
        await asyncio.to_thread(ask, path, clear)
    assert heard == [OPEN, clear]
    assert not path.exists()


async def test_only_the_owner_may_open_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with listening(path, []):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_dead_daemon_s_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="no daemon listens"):
        ask(path, OPEN)
    async with listening(path, []):
        assert (await asyncio.to_thread(ask, path, OPEN)).done


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b'{"type": "lane"}\n',
        b'{"type":"lane","lane":"entry","kind":"explode","by":"x","reason":"y"}\n',
        b'{"type":"lane","lane":"entry","kind":"open","by":"x","reason":""}\n',
        b"\xff\xfe\n",
        b"x" * 100_000 + b"\n",
    ],
)
async def test_nonsense_is_answered_and_does_nothing(tmp_path: Path, line: bytes) -> None:
    heard: list[Request] = []
    path = tmp_path / "s"
    async with listening(path, heard):
        reader, writer = await asyncio.open_unix_connection(path)
        with suppress(OSError):
            writer.write(line)
            await writer.drain()
            assert b'"done":false' in await reader.readline()
        writer.close()
        assert (await asyncio.to_thread(ask, path, OPEN)).done
    assert heard == [OPEN]


async def test_a_place_that_cannot_hold_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no socket for orders"):
        await serve(tmp_path / ("x" * 200), lambda request: Answer(True, ""))
