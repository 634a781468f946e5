"""The order in which a portal looks at what comes: a driver's 300 ms do not wait behind a backlog of events."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from gate_controller.errors import PortalError, StoreError
from hardware_sim.portal.journals.metering import Load
from sync.mqtt import Connection, Incoming

RECEIVE_MAX: Final = 8000
"""Messages of all edges that may be under way at once: what a thousand send when they come back together.

Beyond that the socket stays unread, and with it the broker's word on what the portal itself has sent.
"""

Handle = Callable[[Incoming], Awaitable[None]]


@contextlib.contextmanager
def as_lost() -> Iterator[None]:
    """A disk that refuses ends the connection: what was not stored comes again on the next one."""
    try:
        yield
    except StoreError as error:
        raise PortalError(str(error)) from error


async def work(
    connection: Connection, handle: Handle, load: Load, urgent: Callable[[str], bool] = lambda _: False
) -> None:
    """Handle messages until the connection ends, with PortalError; at once what is urgent by its topic.

    Everything else is handled one after the other, and counts to the `load` until then. A message is acknowledged
    when it has been handled.
    """
    backlog: asyncio.Queue[Incoming] = asyncio.Queue(RECEIVE_MAX)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_work_off(backlog, handle, load))
            # Here and not as a second task: a group that fails while it only waits stays marked as cancelled.
            await _receive(connection, urgent, handle, backlog, load)
    except* (PortalError, StoreError) as failed:
        why: BaseException = failed
        while isinstance(why, BaseExceptionGroup):
            why = why.exceptions[0]
        lost = PortalError(str(why))
    else:
        return
    finally:
        load.waiting -= backlog.qsize()
    raise lost


async def _receive(
    connection: Connection,
    urgent: Callable[[str], bool],
    handle: Handle,
    backlog: asyncio.Queue[Incoming],
    load: Load,
) -> None:
    try:
        async for message in connection.incoming():
            if urgent(message.topic):
                await handle(message)
                message.ack()
            else:
                await backlog.put(message)
                load.waiting += 1
    except PortalError:
        # What has come is handled, even if nobody can be told any more.
        await backlog.join()
        raise


async def _work_off(backlog: asyncio.Queue[Incoming], handle: Handle, load: Load) -> None:
    while True:
        message = await backlog.get()
        load.waiting -= 1
        await handle(message)
        message.ack()
        backlog.task_done()
