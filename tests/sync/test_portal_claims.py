"""A question for a place on the wire: said at once, said again, answered by the portal alone and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gate_controller.facts import Basis, Direction, Granted, HoldId, HoldReleased, LaneId, Matched, Released
from gate_controller.lane import ClaimAnswered
from gate_controller.occupancy import Occupancy
from sync.messages import Claim
from sync.mqtt import Backoff, Connection, Endpoint, connect
from sync.orders import Answer
from sync.portal import PortalLink, Surroundings
from sync.signing import KeyRing, verify
from tests.sync.portal_side import DEVICE, EDGE, ONLINE, ROOT_KEY, THIEF, Clock, claim_reply, keyset, left
from tests.sync.samples import open_store

LANE = LaneId("in")
GRANT = Granted(LANE, Direction.IN, HoldId("in-1"), "u-ann", "1", "AB123CD", Basis("e", 1, Matched.EXACT))


class Side:
    """A link, what it told its daemon, and a portal played by hand."""

    def __init__(self, link: PortalLink, clock: Clock, portal: Connection) -> None:
        self.link, self.clock, self.portal = link, clock, portal
        self.answers: list[ClaimAnswered] = []
        self.gone: list[HoldId] = []

    async def heard(self) -> Claim:
        async with asyncio.timeout(60):
            message = await anext(self.portal.incoming())
        message.ack()
        return verify(message.payload, Claim, EDGE.audience, KeyRing.of_edge(DEVICE.public), 4096)[1]

    def say(self, payload: bytes, suffix: str = "claim/r") -> None:
        self.portal.publish(EDGE.topic(suffix), payload)

    async def until_refused(self, reason: str, count: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.link.refused[reason] < count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def a_side(folder: Path, port: int) -> AsyncIterator[Side]:
    clock, store = Clock(), await open_store(folder / "e1.db")
    async with connect(Endpoint("127.0.0.1", port, "portal"), None, [EDGE.topic("claim")]) as portal:
        side: list[Side] = []
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
            on_claim=lambda said: side[0].answers.append(said),
            on_left=lambda sessions: side[0].gone.extend(sessions),
        )
        side.append(Side(link, clock, portal))
        portal.publish(EDGE.site_topic("keys"), keyset(1, ONLINE), retain=True)
        task = asyncio.ensure_future(link.run())
        try:
            async with asyncio.timeout(60):
                while link._guard.keyset == 0:
                    await asyncio.sleep(0.02)
            yield side[0]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await store.close()


async def test_the_portal_s_word_counts_once_and_nobody_else_s(tmp_path: Path, mosquitto: Any) -> None:
    async with a_side(tmp_path, mosquitto.port) as side:
        assert side.link.ask_place(GRANT, side.clock())
        claim = await side.heard()
        assert (claim.claim_id, claim.action, claim.user) == ("in-1", "enter", "u-ann")
        side.say(claim_reply("in-1", 99, by=THIEF))
        side.say(claim_reply("in-2", 98))
        await side.until_refused("unknown_key")
        side.say(claim_reply("in-1", 7))
        side.say(claim_reply("in-1", None, holder="west"))
        await side.until_refused("answered_before", 2)
        assert side.answers == [ClaimAnswered(HoldId("in-1"), 7)]


async def test_a_question_is_asked_again_while_it_may_help(tmp_path: Path, mosquitto: Any) -> None:
    async with a_side(tmp_path, mosquitto.port) as side:
        side.link.ask_place(GRANT, side.clock())
        first = await side.heard()
        side.clock.passes(0.11)
        assert await side.heard() == first
        side.clock.passes(0.2)
        await asyncio.sleep(0.3)
        side.say(claim_reply("in-1", 7))
        await side.until_refused("answered_before")
        assert not side.answers


async def test_a_place_that_is_not_needed_is_given_back_at_once(tmp_path: Path, mosquitto: Any) -> None:
    async with a_side(tmp_path, mosquitto.port) as side:
        side.link.ask_place(GRANT, side.clock())
        await side.heard()
        side.link.happened(HoldReleased(LANE, GRANT.hold, Released.NO_ENTRY), Occupancy(), side.clock())
        while (claim := await side.heard()).action == "enter":
            pass
        assert (claim.claim_id, claim.action) == ("in-1", "cancel")


async def test_who_left_elsewhere_is_told_by_the_portal_alone(tmp_path: Path, mosquitto: Any) -> None:
    async with a_side(tmp_path, mosquitto.port) as side:
        side.say(left("in-9", by=THIEF), "claim/left")
        await side.until_refused("unknown_key")
        side.say(left("in-1", "in-2"), "claim/left")
        async with asyncio.timeout(60):
            while len(side.gone) < 2:
                await asyncio.sleep(0.02)
        assert side.gone == ["in-1", "in-2"]


async def test_without_a_connection_nobody_is_asked(tmp_path: Path, mosquitto: Any) -> None:
    async with a_side(tmp_path, mosquitto.port) as side:
        mosquitto.kill()
        async with asyncio.timeout(60):
            while side.link.ask_place(GRANT, side.clock()):
                await asyncio.sleep(0.05)
