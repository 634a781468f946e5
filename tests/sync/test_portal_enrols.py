"""A desk's badge on the wire: asked while offline, over a restart, and answered once by the portal alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sync.messages import Enrol, EnrolReply
from sync.mqtt import Backoff, Connection, Endpoint, connect
from sync.orders import Answer
from sync.portal import PortalLink, Surroundings
from sync.signing import KeyRing, Signer, verify
from tests.sync.portal_side import DEVICE, EDGE, ONLINE, ROOT_KEY, THIEF, Clock, keyset
from tests.sync.samples import T0, open_store

ASKED = Enrol(enrol_id="desk-1", desk="desk", user="u1", badge="04A22F1B", bits=32, clerk="mia", at=T0)


def reply(enrol_id: str, number: str, by: Signer = ONLINE) -> bytes:
    times = {"iat": T0, "exp": T0 + timedelta(minutes=1)}
    return by.sign(EnrolReply(aud=EDGE.audience, enrol_id=enrol_id, user_number=number, **times))


class Side:
    """A link and a portal played by hand; `told` is what the desk heard."""

    def __init__(self, portal: Connection) -> None:
        self.portal = portal
        self.told: list[tuple[Enrol, EnrolReply]] = []

    async def heard(self) -> Enrol:
        async with asyncio.timeout(60):
            message = await anext(self.portal.incoming())
        message.ack()
        return verify(message.payload, Enrol, EDGE.audience, KeyRing.of_edge(DEVICE.public), 4096)[1]


@asynccontextmanager
async def a_link(folder: Path, port: int, side: Side) -> AsyncIterator[tuple[PortalLink, Clock]]:
    """A link that runs until the end of the block, as between two starts of the program."""
    clock, store = Clock(), await open_store(folder / "e1.db")
    link = PortalLink(
        store,
        Endpoint("127.0.0.1", port, "edge", backoff=Backoff(0.05, 0.2)),
        EDGE,
        ROOT_KEY.public,
        DEVICE,
        await store.allowlist(),
        lambda allowlist, confirmed_at: None,
        lambda request, valid_for_s: Answer(True, ""),
        Surroundings(clock, lambda: 0.5, lambda: "x"),
        on_enrolled=lambda asked, reply: side.told.append((asked, reply)),
    )
    try:
        yield link, clock
    finally:
        await store.close()


async def test_a_badge_is_asked_about_until_the_portal_answers(tmp_path: Path, mosquitto: Any) -> None:
    async with connect(Endpoint("127.0.0.1", mosquitto.port, "portal"), None, [EDGE.topic("enrol")]) as portal:
        side = Side(portal)
        portal.publish(EDGE.site_topic("keys"), keyset(1, ONLINE), retain=True)
        async with a_link(tmp_path, mosquitto.port, side) as (link, _):
            assert not await link.enrol(ASKED), "nobody runs the link: it waits on the disk"
        async with a_link(tmp_path, mosquitto.port, side) as (link, clock):
            running = asyncio.ensure_future(link.run())
            try:
                first = await side.heard()
                assert (first.enrol_id, first.user, first.badge, first.clerk) == ("desk-1", "u1", "04A22F1B", "mia")
                clock.passes(11.0)
                link.reconnect("a cut")
                assert await side.heard() == first
                for said in (reply("desk-1", "1", THIEF), reply("desk-2", "2"), reply("desk-1", "10042")):
                    portal.publish(EDGE.topic("enrol/r"), said)
                portal.publish(EDGE.topic("enrol/r"), reply("desk-1", "10042"))
                async with asyncio.timeout(60):
                    while link.refused["answered_before"] < 2:
                        await asyncio.sleep(0.02)
                assert [(asked.clerk, told.user_number) for asked, told in side.told] == [("mia", "10042")]
                assert link.refused["unknown_key"] == 1
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        store = await open_store(tmp_path / "e1.db")
        assert await store.enrols() == []
        await store.close()
