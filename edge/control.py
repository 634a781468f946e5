"""Orders from a person at the machine, over a socket beside the database that only its owner may open.

One request a connection, one JSON line each way. What an order does is the lane's and the daemon's business; here
is only how it gets there. Orders are for now: nothing is queued or repeated.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from gate_controller.errors import ControlError
from sync.orders import Answer, Request

LINE_BYTES_MAX: Final = 4096
ANSWER_WITHIN_S: Final = 5.0
CALLERS_MAX: Final = 8

Handle = Callable[[Request], Awaitable[Answer]]


def socket_of(database: Path) -> Path:
    """Where the daemon of a database listens."""
    return database.with_name(f"{database.name}.control")


async def serve(path: Path, handle: Handle) -> None:
    """Take requests until cancelled. Raises `ControlError` when the socket cannot be made.

    The caller holds the database, so a socket that lies there is a dead daemon's.
    """
    server = await asyncio.start_unix_server(
        lambda reader, writer: _answer(reader, writer, handle), sock=listening(path), limit=LINE_BYTES_MAX
    )
    try:
        async with server:
            await server.serve_forever()
    finally:
        _remove(path)


def listening(path: Path) -> socket.socket:
    """A socket that only this account may open, in place of a dead process's. Raises `ControlError`."""
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        _remove(path)
        listener.bind(str(path))
        listener.listen(CALLERS_MAX)
    except OSError as error:
        listener.close()
        why = error.strerror or error
        raise ControlError(
            f"{path}: no socket for orders can be made here ({why}); give the database a shorter path"
        ) from None
    finally:
        os.umask(before)
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def ask(path: Path, request: Request) -> Answer:
    """Put one request to the daemon. Raises `ControlError` when none listens or it says nothing in time."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_WITHIN_S)
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(request) + b"\n")
            with connection.makefile("rb") as lines:
                return msgspec.json.decode(lines.readline(LINE_BYTES_MAX), type=Answer)
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"{path}: no daemon listens here; start it with `slagboom run`") from None
    except PermissionError:
        raise ControlError(f"{path}: only the account that runs the daemon may give orders; use that one") from None
    except (OSError, msgspec.DecodeError) as error:
        raise ControlError(f"{path}: the daemon did not answer: {error}") from None


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_WITHIN_S):
            try:
                request: Request = msgspec.json.decode(await reader.readline(), type=Request)
                answer = await handle(request)
            except (ValueError, msgspec.DecodeError) as error:  # ValueError: a line longer than the limit
                answer = Answer(False, f"not a request: {error}")
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
    writer.close()
