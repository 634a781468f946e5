"""The demo's broker speaks MQTT 5 on its own port only, and can be killed and brought back."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.errors import PortalError
from gate_controller.facts import LaneId, VehicleLeft
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from hardware_sim.broker import Broker, free_port
from hardware_sim.portal.edges.service import Portal
from sync.messages import Address
from sync.mqtt import Backoff, Endpoint, connect
from sync.orders import Answer, Request
from sync.portal import PortalLink, Surroundings
from sync.signing import Signer
from sync.store import Store

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))
QUICK = Backoff(0.05, 0.2)
DEVICE = Signer.of(b"\7" * 32)


@pytest.fixture
def broker() -> Iterator[Broker]:
    started = Broker()
    started.start()
    yield started
    started.stop()


def takes_connections(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def test_it_starts_stops_and_starts_again_on_the_same_port(broker: Broker) -> None:
    assert takes_connections("127.0.0.1", broker.port)
    broker.stop()
    assert not takes_connections("127.0.0.1", broker.port)
    broker.start()
    assert takes_connections("127.0.0.1", broker.port)


def test_it_listens_on_this_machine_only(broker: Broker) -> None:
    listening = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = [local for local, _, state in listening if state == "0A" and local.endswith(f":{broker.port:04X}")]
    assert mine == [f"0100007F:{broker.port:04X}"]


def test_a_port_in_use_is_a_clear_error(broker: Broker) -> None:
    with pytest.raises(PortalError, match=f"port {broker.port}"):
        Broker(broker.port).start()


def test_it_ends_with_its_parent() -> None:
    port = free_port()
    script = f"import os\nfrom hardware_sim.broker import Broker\nBroker({port}).start()\nos.kill(os.getpid(), 9)\n"
    parent = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    for _ in range(100):
        if not takes_connections("127.0.0.1", port):
            return
        os.sched_yield()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.05).close()
    pytest.fail("the broker outlived its parent")


async def test_a_large_message_passes(broker: Broker) -> None:
    async with connect(Endpoint("127.0.0.1", broker.port, "a"), None, ["x"]) as connection:
        connection.publish("x", b"z" * 1_000_000)
        async with asyncio.timeout(60):
            async for message in connection.incoming():
                assert len(message.payload) == 1_000_000
                break


async def test_gate_and_portal_work_over_it_and_over_its_death(broker: Broker, tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "gate.db", lambda: "L")
    portal = await Portal.open(tmp_path / "portal.db", "t", "s", NOW)
    await portal.register("e1", DEVICE.public)
    lists = [await store.allowlist()]
    address = Address("t", "s", "e1")
    endpoint = Endpoint("127.0.0.1", broker.port, address.client_id, backoff=QUICK)
    key = portal.keys.root_key
    link = PortalLink(
        store, endpoint, address, key, DEVICE, lists[0], lambda new, _at: lists.append(new), _refuse, NOW
    )
    tasks = [
        asyncio.ensure_future(link.run()),
        asyncio.ensure_future(portal.serve("127.0.0.1", broker.port, QUICK)),
    ]
    try:
        await portal.add_user("1", plates=["B-NO 1234"])
        await store.append([(T0, VehicleLeft(LaneId("in")))] * 1500)
        await _until(lambda: store.acked_through >= 200)
        broker.kill()
        assert store.acked_through < 1500
        await portal.add_user("2", plates=["M-AX 77"])
        broker.start()
        await _until(lambda: store.acked_through == 1500 and lists[-1].revision == 2)
        assert lists[-1].find_plate(Plate.parse("MAX77")).user is not None
        assert sorted(event.seq for event in await portal.events(limit=10_000)) == list(range(1, 1501))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await portal.close()
        await store.close()


def _refuse(request: Request, valid_for_s: float) -> Answer:
    return Answer(False, "nobody here")


async def _until(true: object, within_s: float = 60.0) -> None:
    assert callable(true)
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)
