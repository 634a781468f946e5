"""Badges over a real broker: one change or none, one answer however often it is asked, and a reason for each no."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gate_controller.allowlist import Action, User, UserPut
from gate_controller.contracts import ContractKind
from gate_controller.credentials import Badge
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.moment import Moment
from hardware_sim.portal.edges.badge_desk import NUMBERS_FROM
from hardware_sim.portal.edges.service import Portal
from sync.messages import Address, Enrol, EnrolReply
from sync.mqtt import Backoff, Connection, Endpoint, connect
from sync.portal import Surroundings
from sync.signing import KeyRing, KeySet, Signer, verify
from tests.sync.portal_side import DEVICE, THIEF

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
EDGE = Address("t", "s", "desk-edge")
BADGE = Badge.parse("04A22F1B")
ANN = User(
    "u1",
    "ann",
    "acme",
    registration=Registration.PRE_REGISTERED,
    terms_accepted_at=T0,
    licence=Licence(LicenceStatus.REJECTED, T0),
)
BOB = User("u2", "bob", "acme", badges=(Badge.parse("0499AABB"),))


@asynccontextmanager
async def a_site(folder: Path, port: int) -> AsyncIterator[tuple[Portal, Connection]]:
    """A portal at work, and a connection that hears what the edge would."""
    portal = await Portal.open(folder / "portal.db", "t", "s", NOW)
    await portal.register(EDGE.edge, DEVICE.public)
    await portal.change([UserPut(ANN), UserPut(BOB)])
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", port, Backoff(0.05, 0.2)))
    try:
        topics = [EDGE.topic("enrol/r"), EDGE.site_topic("list/head")]
        async with connect(Endpoint("127.0.0.1", port, "edge"), None, topics) as edge:
            await hear(edge, EDGE.site_topic("list/head"))  # the portal has come, and listens
            yield portal, edge
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await portal.close()


async def hear(edge: Connection, topic: str) -> bytes:
    """The next message on this topic."""
    async with asyncio.timeout(60):
        async for heard in edge.incoming():
            heard.ack()
            if heard.topic == topic:
                return heard.payload
    raise AssertionError("the connection ended")


def asked(user: str = "u1", badge: str = BADGE.uid, by: Signer = DEVICE) -> bytes:
    said = Enrol(
        aud=EDGE.audience, enrol_id="desk-1", desk="desk", user=user, badge=badge, bits=32, clerk="mia", at=T0
    )
    return by.sign(said)


async def answer(portal: Portal, edge: Connection, payload: bytes) -> tuple[str, str]:
    edge.publish(EDGE.topic("enrol"), payload)
    payload = await hear(edge, EDGE.topic("enrol/r"))
    _, keys = verify(portal.keys.keyset, KeySet, "t/s", KeyRing.of_root(portal.keys.root_key), 4096)
    reply = verify(payload, EnrolReply, EDGE.audience, KeyRing.of_set(keys), 4096)[1]
    assert reply.enrol_id == "desk-1"
    return reply.user_number, reply.reason


async def test_one_tap_makes_number_badge_and_both_contracts(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, edge):
        number, reason = await answer(portal, edge, asked())
        assert (number, reason) == (str(NUMBERS_FROM + 1), "")
        user = portal.allowlist.user("u1")
        assert user is not None
        assert (user.number, user.badges, user.registration) == (number, (BADGE,), Registration.REGISTERED)
        assert [c.kind for c in user.contracts] == [ContractKind.BUSINESS, ContractKind.PRIVATE]
        assert [c.payer for c in user.contracts] == ["acme", "u1"]
        for action in (Action.DRIVE, Action.CARPOOL):
            assert portal.allowlist.permits_of(user, action), action
        revision = portal.allowlist.revision
        assert await answer(portal, edge, asked()) == (number, ""), "asked again, it is answered again"
        assert portal.allowlist.revision == revision, "and nothing is made twice"
        assert await answer(portal, edge, asked(badge="04A22F1C")) == ("", "not_pre_registered")


async def test_a_no_has_its_reason_and_changes_nothing(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, edge):
        before = portal.allowlist.revision
        assert await answer(portal, edge, asked(badge="0499AABB")) == ("", "badge_already_assigned")
        assert await answer(portal, edge, asked(user="nobody")) == ("", "not_pre_registered")
        assert portal.allowlist.revision == before
        await portal.change([UserPut(replace(ANN, terms_accepted_at=None))])
        assert await answer(portal, edge, asked()) == ("", "terms_not_accepted")


async def test_what_is_not_the_edge_s_word_is_refused(tmp_path: Path, mosquitto: Any) -> None:
    async with a_site(tmp_path, mosquitto.port) as (portal, edge):
        for payload in (asked(by=THIEF), b"", b"{", asked(badge="none"), asked(user="u" * 65)):
            edge.publish(EDGE.topic("enrol"), payload)
        assert await answer(portal, edge, asked()) == (str(NUMBERS_FROM + 1), "")
        assert portal.refused.total() == 5
