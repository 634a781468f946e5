"""What is urgent comes first; everything is handled once, acknowledged after, and nothing is lost with the line."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from gate_controller.errors import PortalError, StoreError
from hardware_sim.portal.edges import inbox
from hardware_sim.portal.journals.metering import Load
from sync.mqtt import Connection, Incoming


class Line:
    """A connection that brings these messages and then ends."""

    def __init__(self, *topics: str) -> None:
        self.topics, self.acked = topics, list[str]()

    async def incoming(self) -> AsyncIterator[Incoming]:
        for topic in self.topics:
            yield Incoming(topic, b"", lambda topic=topic: self.acked.append(topic))  # type: ignore[misc]
        raise PortalError("gone")


async def done(line: Line, slow_s: float = 0.02, sick: str = "", in_turn: bool = False) -> list[str]:
    handled: list[str] = []

    async def handle(message: Incoming) -> None:
        if message.topic == sick:
            raise StoreError("the disk is full")
        if not message.topic.endswith("claim"):
            await asyncio.sleep(slow_s)
        assert message.topic not in line.acked
        handled.append(message.topic)

    connection = cast(Connection, line)
    load = Load()
    chosen = inbox.work(connection, handle, load, *(() if in_turn else (lambda topic: topic.endswith("claim"),)))
    with pytest.raises(PortalError, match="full" if sick else "gone"):
        await chosen
    assert load.waiting == 0, "what went with the connection waits no more"
    return handled


async def test_what_is_urgent_does_not_wait_behind_a_backlog() -> None:
    line = Line("ev1", "ev2", "ev3", "x/claim")
    assert await done(line) == ["x/claim", "ev1", "ev2", "ev3"]
    assert sorted(line.acked) == ["ev1", "ev2", "ev3", "x/claim"]


async def test_a_disk_that_refuses_ends_the_connection_and_the_message_comes_again() -> None:
    line = Line("ev1", "ev2", "ev3")
    assert await done(line, 0.0, sick="ev2") == ["ev1"]
    assert line.acked == ["ev1"]


async def test_a_worker_takes_them_as_they_come() -> None:
    line = Line("ev1", "x/claim")
    assert await done(line, in_turn=True) == ["ev1", "x/claim"]
    assert await done(Line("ev1"), sick="ev1", in_turn=True) == []
