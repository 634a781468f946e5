"""A real Mosquitto with the settings and rights that the portal writes: what one edge can do to another."""

import asyncio
import contextlib
import inspect
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge import clock
from gate_controller.errors import PortalError
from hardware_sim.portal.trust.mosquitto import EDGE_READS, EDGE_WRITES, SITE_READS, access_list
from sync import mqtt
from sync import portal as portal_module
from sync.messages import Address
from sync.mqtt import Connection, Endpoint, Will, connect
from sync.orders import Answer
from sync.portal import PortalLink, Surroundings
from sync.signing import Signer
from sync.store import Store
from tests.portal_desk import RunningDesk, TlsMosquitto, running_desk

ROOT = "slagboom/1/acme/north"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    with running_desk(tmp_path_factory.mktemp("portal")) as running:
        yield running


@pytest.fixture
def broker(desk: RunningDesk, tmp_path: Path) -> Iterator[TlsMosquitto]:
    """It knows the edges `gate` and `annex`."""
    running = TlsMosquitto(desk.enrolment.authority, tmp_path / "broker", ["gate", "annex"])
    running.start()
    yield running
    running.stop()


class People:
    """Everybody's endpoints at one broker."""

    def __init__(self, desk: RunningDesk, broker: TlsMosquitto, folder: Path) -> None:
        self._desk, self._broker, self._folder = desk, broker, folder

    def edge(self, name: str, *, client_id: str | None = None, begins: timedelta = timedelta()) -> Endpoint:
        files = self._desk.files(self._folder, name, begins)
        return Endpoint("127.0.0.1", self._broker.port, client_id or f"acme.north.{name}", tls=files)

    def portal(self) -> Endpoint:
        files = self._desk.enrolment.portal_files()
        return Endpoint("127.0.0.1", self._broker.port, "acme.north.portal", tls=files)


@pytest.fixture
def people(desk: RunningDesk, broker: TlsMosquitto, tmp_path: Path) -> People:
    return People(desk, broker, tmp_path)


async def heard_until(connection: Connection, last: bytes) -> list[tuple[str, bytes]]:
    """What comes, up to a message with this payload."""
    heard: list[tuple[str, bytes]] = []
    async with asyncio.timeout(60):
        async for message in connection.incoming():
            message.ack()
            if message.payload == last:
                return heard
            heard.append((message.topic, message.payload))
    raise AssertionError


async def test_an_edge_speaks_on_its_own_topics_and_on_no_others(people: People) -> None:
    async with (
        connect(people.portal(), None, [f"{ROOT}/#"]) as portal,
        connect(people.edge("gate"), None, [f"{ROOT}/gate/cmd"]) as gate,
    ):
        for suffix in EDGE_WRITES:
            gate.publish(f"{ROOT}/gate/{suffix}", b"own")
        for suffix in EDGE_WRITES:
            gate.publish(f"{ROOT}/annex/{suffix}", b"forged")
        for topic in (
            *(f"{ROOT}/gate/{suffix}" for suffix in EDGE_READS),
            *(f"{ROOT}/{suffix}" for suffix in SITE_READS),
            f"{ROOT}/gate",
            f"{ROOT}/gate/state/x",
            "slagboom/1/acme/south/gate/state",
            "other",
            "$SYS/x",
        ):
            gate.publish(topic, b"forged", retain=True)
        gate.publish(f"{ROOT}/gate/state", b"end")
        heard = await heard_until(portal, b"end")
    assert sorted(heard) == sorted((f"{ROOT}/gate/{suffix}", b"own") for suffix in EDGE_WRITES)


async def test_an_edge_hears_its_own_and_its_sites_topics_and_no_others(people: People) -> None:
    wishes = ["#", "slagboom/#", f"{ROOT}/+/+", f"{ROOT}/annex/cmd", f"{ROOT}/annex/ev", "$share/x/slagboom/#"]
    own = [f"{ROOT}/gate/{suffix}" for suffix in EDGE_READS] + [f"{ROOT}/{suffix}" for suffix in SITE_READS]
    async with connect(people.portal(), None, [f"{ROOT}/x"]) as portal:
        portal.publish(f"{ROOT}/annex/list/part", b"kept for annex", retain=True)
        async with connect(people.edge("gate"), None, [*wishes, *own]) as gate:
            for topic in own:
                portal.publish(topic, b"mine")
            for suffix in (*EDGE_READS, *EDGE_WRITES):
                portal.publish(f"{ROOT}/annex/{suffix}", b"of annex")
            for topic in (f"{ROOT}/gate/state", f"{ROOT}/list/other", f"{ROOT}/x"):
                portal.publish(topic, b"of the portal")
            portal.publish(f"{ROOT}/keys", b"end")
            heard = await heard_until(gate, b"end")
    assert {payload for _, payload in heard} == {b"mine"}
    assert {topic for topic, _ in heard} == set(own)


async def test_an_edge_leaves_no_will_for_another(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "WILL_DELAY_S", 0)

    async def die_leaving(will: Will) -> None:
        with contextlib.suppress(PortalError):
            async with connect(people.edge("gate"), will, [f"{ROOT}/gate/cmd"]) as gate:
                gate._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
                await heard_until(gate, b"")

    async with connect(people.portal(), None, [f"{ROOT}/#"]) as portal:
        await die_leaving(Will(f"{ROOT}/annex/state", b"annex is gone"))
        await die_leaving(Will(f"{ROOT}/gate/state", b"gate is gone"))
        assert await heard_until(portal, b"gate is gone") == []


async def test_one_edge_does_not_throw_another_out_by_its_client_id(people: People) -> None:
    async with (
        connect(people.portal(), None, [f"{ROOT}/#"]) as portal,
        connect(people.edge("annex"), None, [f"{ROOT}/annex/cmd"]) as annex,
    ):
        thief = people.edge("gate", client_id="acme.north.annex")
        async with connect(thief, None, [f"{ROOT}/annex/cmd"]) as other:
            portal.publish(f"{ROOT}/annex/cmd", b"for annex")
            portal.publish(f"{ROOT}/annex/cmd", b"end")
            assert await heard_until(annex, b"end") == [(f"{ROOT}/annex/cmd", b"for annex")]
            assert other._inbox.empty()


async def test_who_is_not_named_has_no_rights_and_who_is_taken_out_loses_them(
    people: People, broker: TlsMosquitto
) -> None:
    async with connect(people.portal(), None, [f"{ROOT}/#"]) as portal:
        async with (
            connect(people.edge("mill"), None, [f"{ROOT}/mill/cmd"]) as mill,
            connect(people.edge("annex"), None, [f"{ROOT}/annex/cmd"]) as annex,
        ):
            mill.publish(f"{ROOT}/mill/state", b"unknown")
            annex.publish(f"{ROOT}/annex/state", b"known")
            assert (await heard_until(portal, b"known")) == []
        broker.grant("gate", "mill")
        for _ in range(100):
            async with (
                connect(people.edge("mill"), None, [f"{ROOT}/mill/cmd"]) as mill,
                connect(people.edge("annex"), None, [f"{ROOT}/annex/cmd"]) as annex,
            ):
                annex.publish(f"{ROOT}/annex/state", b"stolen")
                mill.publish(f"{ROOT}/mill/state", b"new")
                portal.publish(f"{ROOT}/x", b"end")
                if await heard_until(portal, b"end") == [(f"{ROOT}/mill/state", b"new")]:
                    return
    pytest.fail("the new access list was not read")


async def refused(endpoint: Endpoint) -> str:
    with pytest.raises(PortalError) as error:
        async with connect(endpoint, None, [f"{ROOT}/keys"]):
            pass
    return str(error.value)


async def test_who_shows_no_good_certificate_is_not_heard(people: People, tmp_path: Path) -> None:
    assert "certificate expired" in await refused(people.edge("gate", begins=-timedelta(days=271)))
    assert "alert" in await refused(people.edge("gate", begins=timedelta(days=2)))
    plain = Endpoint("127.0.0.1", people.portal().port, "acme.north.gate")
    assert "went away" in await refused(plain)
    with running_desk(tmp_path / "thief") as thief:
        stranger = thief.files(tmp_path, "gate")
    # The stranger trusts the right authority, and shows a certificate of the wrong one.
    (tmp_path / "ca.pem").write_text(people.portal().tls.ca.read_text())  # type: ignore[union-attr]
    assert "alert" in await refused(Endpoint("127.0.0.1", plain.port, "acme.north.gate", tls=stranger))


async def test_an_edge_believes_no_broker_but_its_portals(
    people: People, broker: TlsMosquitto, tmp_path: Path
) -> None:
    """Another edge that plays the broker with its own good certificate, and a broker of another authority."""
    gate, annex = people.edge("gate"), people.edge("annex")
    assert annex.tls is not None
    broker.stop()
    for name in ("broker.pem", "broker.key"):
        (broker.folder / name).write_bytes(annex.tls.cert.read_bytes())
    broker.start()
    assert "certificate verify failed" in await refused(gate)
    broker.stop()
    with running_desk(tmp_path / "thief") as thief:
        fake = TlsMosquitto(thief.enrolment.authority, tmp_path / "fake", ["gate"])
    fake.start()
    try:
        there = Endpoint("127.0.0.1", fake.port, "acme.north.gate", tls=gate.tls)
        assert "certificate verify failed" in await refused(there)
    finally:
        fake.stop()


async def test_the_connection_is_tls_1_3_and_carries_much_at_once(people: People) -> None:
    """TLS hands over whole records: none of them may wait for the next one to come."""
    async with (
        connect(people.portal(), None, [f"{ROOT}/gate/ev"]) as portal,
        connect(people.edge("gate"), None, [f"{ROOT}/gate/cmd", f"{ROOT}/keys"]) as gate,
    ):
        assert gate._client.socket().version() == "TLSv1.3"  # type: ignore[union-attr]
        for number in range(300):
            portal.publish(f"{ROOT}/keys", b"%d" % number)
        portal.publish(f"{ROOT}/gate/cmd", b"z" * 1_000_000)
        portal.publish(f"{ROOT}/keys", b"end")
        heard = await heard_until(gate, b"end")
        assert [int(payload) for topic, payload in heard if topic.endswith("keys")] == [*range(300)]
        assert (f"{ROOT}/gate/cmd", b"z" * 1_000_000) in heard
        gate.publish(f"{ROOT}/gate/ev", b"y" * 1_000_000)
        gate.publish(f"{ROOT}/gate/ev", b"end")
        assert [len(payload) for _, payload in await heard_until(portal, b"end")] == [1_000_000]


async def test_every_topic_of_the_link_is_in_the_access_list(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "gate.db", lambda: "ledger")
    try:
        around = Surroundings(clock.now, lambda: 0.5, lambda: "id")
        endpoint, address = Endpoint("127.0.0.1", 1, "x"), Address("acme", "north", "gate")
        signer = Signer.of(bytes(32))
        allowlist = await store.allowlist()
        link = PortalLink(
            store,
            endpoint,
            address,
            signer.public,
            signer,
            allowlist,
            lambda *_: None,
            lambda *_: Answer(True, ""),
            around,
        )
        heard = set(link._handlers)
    finally:
        await store.close()
    lines = access_list("acme", "north", ["gate"]).partition("user acme.north.gate\n")[2].splitlines()
    may_hear = {line.removeprefix("topic read ") for line in lines if line.startswith("topic read ")}
    assert heard <= may_hear
    said = set(re.findall(r"publish\(\s*self\._address\.topic\(\"([^\"]+)\"", inspect.getsource(portal_module)))
    assert {"state", "ev", "list/get", "cmd/r"} <= said
    assert said <= set(EDGE_WRITES)


def test_the_access_list_holds_no_wildcard_but_the_portals() -> None:
    text = access_list("acme", "north", ["gate", "annex"])
    (wild,) = re.findall(r"^.*[#+]$", text, re.MULTILINE)
    assert wild == f"topic readwrite {ROOT}/#"
    assert text.count("user ") == 3
    assert "pattern" not in text


def test_the_brokers_key_is_for_its_owner(broker: TlsMosquitto) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in broker.folder.iterdir()}
    assert modes["broker.key"] == modes["acl"] == 0o600
    assert broker.folder.stat().st_mode & 0o777 == 0o700
