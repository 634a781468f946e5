"""The counter at which a portal's operator asks: a socket beside the database while it runs, the folder while not.

One request a connection, one JSON line each way; only the portal's own account may open the socket. Every command
asks through `ask`, and does not know which way it went. What is done is in `people`, `gates` and `importing`.
"""

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from edge.control import listening
from gate_controller.errors import ConfigError, ListFileError, PortalError, SlagboomError
from hardware_sim.portal.operator.asked import Asked, Import, OrderEdge, Reply
from hardware_sim.portal.operator.folder import PortalFolder

if TYPE_CHECKING:
    from hardware_sim.portal.edges.service import Portal

REQUEST_BYTES_MAX: Final = 64 * 1024
REPLY_BYTES_MAX: Final = 256 * 1024 * 1024
"""A million users, told in full."""
REQUEST_WITHIN_S: Final = 5.0
REPLY_WITHIN_S: Final = 300.0
"""A list of a million users takes minutes; an order is answered within seconds or not at all."""
APPLIED_WITHIN_S: Final = 2.0
"""So long a change waits to tell on how many edges it is in force."""
LOOK_EVERY_S: Final = 0.05
CALLERS_MAX: Final = 16


async def serve(folder: PortalFolder, portal: "Portal") -> None:
    """Answer until cancelled. Raises ControlError when the socket cannot be made.

    The caller holds the database, so a socket that lies there is a dead portal's.
    """
    callers = asyncio.Semaphore(CALLERS_MAX)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with callers:
                async with asyncio.timeout(REQUEST_WITHIN_S):
                    line = await _line(reader)
                async with asyncio.timeout(REPLY_WITHIN_S):
                    writer.write(msgspec.json.encode(await _over_the_counter(folder, portal, line)) + b"\n")
                    await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(one, sock=listening(folder.socket), limit=REQUEST_BYTES_MAX)
    try:
        async with server:
            await server.serve_forever()
    finally:
        folder.socket.unlink(missing_ok=True)


def ask(folder: PortalFolder, asked: Asked) -> Reply:
    """Have it done, by the running portal or in the folder itself. Raises `SlagboomError` with what was wrong."""
    try:
        reply = _over_the_socket(folder, asked)
    except (FileNotFoundError, ConnectionRefusedError):
        reply = asyncio.run(_in_the_folder(folder, asked))
    return _without_problems(reply)


def ask_running(folder: PortalFolder, asked: Asked) -> Reply:
    """The same of a running portal only. Raises PortalError when none runs."""
    try:
        return _without_problems(_over_the_socket(folder, asked))
    except (FileNotFoundError, ConnectionRefusedError):
        raise _does_not_run(folder) from None


def _without_problems(reply: Reply) -> Reply:
    if len(reply.problems) > 1:
        raise ListFileError(reply.problems)
    if reply.problems:
        raise PortalError(reply.problems[0])
    return reply


def _does_not_run(folder: PortalFolder) -> PortalError:
    return PortalError(
        f"{folder.path}: the portal does not run; start it with `slagboom portal serve {folder.path}`"
    )


def _over_the_socket(folder: PortalFolder, asked: Asked) -> Reply:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(REPLY_WITHIN_S)
            connection.connect(str(folder.socket))
            connection.sendall(msgspec.json.encode(asked) + b"\n")
            with connection.makefile("rb") as lines:
                return msgspec.json.decode(lines.readline(REPLY_BYTES_MAX), type=Reply)
    except PermissionError:
        raise PortalError(
            f"{folder.socket}: only the account that runs the portal may ask it; use that one"
        ) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise
    except (OSError, msgspec.DecodeError) as error:
        raise PortalError(f"{folder.socket}: the portal did not answer: {error}") from None


async def _in_the_folder(folder: PortalFolder, asked: Asked) -> Reply:
    if isinstance(asked, OrderEdge):
        raise _does_not_run(folder)
    portal = await folder.open()
    try:
        return await answer(folder, portal, asked, running=False)
    finally:
        await portal.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        return b""  # longer than any request


async def _over_the_counter(folder: PortalFolder, portal: "Portal", line: bytes) -> Reply:
    try:
        asked: Asked = msgspec.json.decode(line, type=Asked)
    except msgspec.DecodeError as error:
        return Reply(problems=[f"not a request: {error}"])
    return await answer(folder, portal, asked, running=True)


async def answer(folder: PortalFolder, portal: "Portal", asked: Asked, *, running: bool) -> Reply:
    """What became of it; never an error of ours, whose text is in the reply instead."""
    from hardware_sim.portal.house import House
    from hardware_sim.portal.operator import evidence, gates, people, reception
    from hardware_sim.portal.operator.importing import import_list

    kind, revision = type(asked), portal.allowlist.revision
    try:
        if kind in gates.LOOKS:
            return _as_known(await gates.LOOKS[kind](portal, asked), running=running)
        if kind in reception.ASKED:
            return await reception.ASKED[kind](await House.open(portal, folder.tz.key), asked)
        if (other := (people.LOOKS | gates.DEEDS | evidence.ANSWERS).get(kind)) is not None:
            return await other(portal, asked)
        if isinstance(asked, Import):
            reply = await import_list(portal, asked, folder.tz)
        else:
            reply = await people.CHANGES[kind](portal, asked)
    except (ConfigError, ListFileError) as error:
        return Reply(problems=[*error.problems])
    except SlagboomError as error:
        return Reply(problems=[str(error)])
    return await _in_force(portal, reply, running=running, changed=portal.allowlist.revision != revision)


def _as_known(reply: Reply, *, running: bool) -> Reply:
    """A portal that does not run cannot know who is connected."""
    if running:
        return reply
    return Reply([{**row, "online": None} if "online" in row else row for row in reply.rows], reply.text)


async def _in_force(portal: "Portal", reply: Reply, *, running: bool, changed: bool) -> Reply:
    """The reply to a change, with the revision it made and where that is in force by now."""
    made = portal.allowlist.revision
    if not changed:
        return Reply(reply.rows, f"{reply.text}; the list stays at revision {made}")
    applied, edges = await (_soon_applied(portal) if running else portal.applied())
    rows = [{**row, "revision": made, "applied": applied, "edges": edges} for row in reply.rows]
    told = f"in force on {applied} of {edges} edges" if edges else "no edge has spoken yet"
    if not running:
        told = "the edges get it when the portal runs"
    return Reply(rows, f"{reply.text}; list revision {made}: {told}")


async def _soon_applied(portal: "Portal") -> tuple[int, int]:
    """On how many edges the list is in force, once every connected one has it, or `APPLIED_WITHIN_S` later."""
    for _ in range(int(APPLIED_WITHIN_S / LOOK_EVERY_S)):
        applied, edges = await portal.applied()
        if applied >= sum(edge.online for edge in await portal.edges()):
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return applied, edges
