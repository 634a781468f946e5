"""The portal slows its edges down when it falls behind, with real messages over a real broker."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.journals.metering import EACH_MS, NARROW_AT_LEN, PAUSE_AT_LEN, Load
from sync.messages import PAUSE_MS_MAX, WINDOW
from sync.mqtt import Endpoint, connect
from tests.hardware_sim.portal.journals.test_ingest import DEVICE, EDGE, NOW, QUICK, opened, rows


def test_the_more_waits_the_slower_and_never_beyond_what_may_be_asked() -> None:
    said = [(Load(waiting).window, Load(waiting).pause_ms) for waiting in (0, NARROW_AT_LEN - 1, NARROW_AT_LEN)]
    assert said == [(WINDOW, 0), (WINDOW, 0), (1, 0)]
    assert [Load(waiting).pause_ms for waiting in (PAUSE_AT_LEN - 1, PAUSE_AT_LEN)] == [0, PAUSE_AT_LEN * EACH_MS]
    assert Load(1_000_000).pause_ms == PAUSE_MS_MAX


async def test_edges_are_told_to_wait_while_the_portal_is_behind_and_no_longer(
    mosquitto: Any, tmp_path: Path
) -> None:
    portal = await Portal.open(tmp_path / "portal.db", "t", "s", NOW)
    await portal.register("g", DEVICE.public)
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port, QUICK))
    free, many = threading.Event(), PAUSE_AT_LEN + 50
    endpoint = Endpoint("127.0.0.1", mosquitto.port, "edge", receive_max=1000)
    async with connect(endpoint, None, [EDGE.topic("ev/ack")]) as edge, asyncio.timeout(60):
        while portal.connection is None:
            await asyncio.sleep(0.02)
        # A disk that takes its time: everything waits behind this.
        slow = asyncio.ensure_future(portal.database.run(free.wait))
        for seq in range(1, many + 1):
            edge.publish(EDGE.topic("ev"), rows(seq, seq))
        while portal.load.waiting < many - 1:
            await asyncio.sleep(0.02)
        free.set()
        await slow
        acks = []
        async for message in edge.incoming():
            message.ack()
            acks.append(opened(message.payload, portal.keys))
            if len(acks) == many:
                break
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await portal.close()
    behind = range(many - 1, -1, -1)
    assert [ack.pause_ms for ack in acks] == [Load(waiting).pause_ms for waiting in behind]
    assert [ack.window for ack in acks] == [Load(waiting).window for waiting in behind]
    assert (acks[0].window, acks[-1].window, acks[-1].pause_ms) == (1, WINDOW, 0)
    assert acks[0].pause_ms > 0
