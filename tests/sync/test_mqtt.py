"""Connections against a real Mosquitto: delivery, redelivery, wills, refusals, and coming back."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import PortalError
from hardware_sim.portal.trust.authority import Authority
from sync import mqtt
from sync.identity import TlsFiles, key_pem, new_key, signing_request
from sync.messages import PAYLOAD_LEN_MAX
from sync.mqtt import Backoff, Connection, Endpoint, Incoming, Will, connect, keep_connected

QUICK = Backoff(0.05, 0.2)


def endpoint(port: int, name: str) -> Endpoint:
    return Endpoint("127.0.0.1", port, name, backoff=QUICK)


async def take(connection: Connection, count: int = 1, within_s: float = 60.0) -> list[Incoming]:
    async def some() -> AsyncIterator[Incoming]:
        async for message in connection.incoming():
            yield message

    taken: list[Incoming] = []
    async with asyncio.timeout(within_s):
        async for message in some():
            taken.append(message)
            if len(taken) == count:
                break
    return taken


async def test_messages_arrive_in_order_and_whole(mosquitto: Any) -> None:
    async with (
        connect(endpoint(mosquitto.port, "a"), None, ["x/#"]) as listener,
        connect(endpoint(mosquitto.port, "b"), None, ["quiet"]) as speaker,
    ):
        for number in range(100):
            speaker.publish("x/y", str(number).encode())
        speaker.publish("x/big", b"z" * 1_000_000)
        got = []
        for _ in range(101):
            (message,) = await take(listener)
            message.ack()
            got.append(message)
    assert [message.payload for message in got[:100]] == [str(number).encode() for number in range(100)]
    assert (got[100].topic, len(got[100].payload)) == ("x/big", 1_000_000)


async def test_what_was_not_acknowledged_comes_again(mosquitto: Any) -> None:
    async with connect(endpoint(mosquitto.port, "b"), None, ["quiet"]) as speaker:
        async with connect(endpoint(mosquitto.port, "a"), None, ["x"]) as listener:
            speaker.publish("x", b"kept")
            speaker.publish("x", b"lost")
            first, _second = await take(listener, 2)
            first.ack()
            await asyncio.sleep(0.1)
        async with connect(endpoint(mosquitto.port, "a"), None, ["x"]) as listener:
            (again,) = await take(listener)
            assert again.payload == b"lost"


async def test_a_retained_message_waits_for_whoever_comes(mosquitto: Any) -> None:
    async with connect(endpoint(mosquitto.port, "b"), None, ["quiet"]) as speaker:
        speaker.publish("head", b"7", retain=True)
        await asyncio.sleep(0.1)
    async with connect(endpoint(mosquitto.port, "a"), None, ["head"]) as listener:
        (message,) = await take(listener)
        assert message.payload == b"7"


async def test_the_will_is_sent_only_without_a_farewell(mosquitto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "WILL_DELAY_S", 0)
    async with connect(endpoint(mosquitto.port, "watcher"), None, ["will"]) as watcher:
        async with connect(endpoint(mosquitto.port, "polite"), Will("will", b"polite"), ["quiet"]) as polite:
            pass
        assert polite._client.socket() is None
        async with connect(endpoint(mosquitto.port, "cut"), Will("will", b"cut"), ["quiet"]) as cut:
            sock = cut._client.socket()
            assert sock is not None
            sock.shutdown(socket.SHUT_RDWR)
            (message,) = await take(watcher)
        assert message.payload == b"cut"


async def test_a_message_larger_than_any_of_ours_stays_at_the_broker(mosquitto: Any) -> None:
    async with (
        connect(endpoint(mosquitto.port, "b"), None, ["quiet"]) as speaker,
        connect(endpoint(mosquitto.port, "a"), None, ["x"]) as listener,
    ):
        for size in (PAYLOAD_LEN_MAX, mqtt.PACKET_LEN_MAX + 1, 7):
            speaker.publish("x", b"z" * size)
        assert [len(message.payload) for message in await take(listener, 2)] == [PAYLOAD_LEN_MAX, 7]


async def test_a_broker_that_dies_ends_the_connection(mosquitto: Any) -> None:
    async with connect(endpoint(mosquitto.port, "a"), None, ["x"]) as connection:
        mosquitto.kill()
        with pytest.raises(PortalError, match="went away"):
            await take(connection)
        with pytest.raises(PortalError, match="went away"):
            connection.publish("x", b"")


async def test_no_broker_and_no_name_are_clear_errors(idle_mosquitto: Any) -> None:
    for host in ("127.0.0.1", "no-such-host.invalid"):
        with pytest.raises(PortalError, match=rf"broker {host}:{idle_mosquitto.port}"):
            async with connect(Endpoint(host, idle_mosquitto.port, "a"), None, ["quiet"]):
                pass


async def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_WITHIN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(PortalError, match="no answer within"):
        async with connect(endpoint(silent.getsockname()[1], "a"), None, ["quiet"]):
            pass


async def test_a_broker_that_talks_nonsense_is_given_up() -> None:
    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        with pytest.raises(PortalError):
            async with connect(endpoint(server.sockets[0].getsockname()[1], "a"), None, ["quiet"]):
                pass


async def test_a_flood_beyond_the_inbox_stays_unread_and_nothing_of_it_is_lost(mosquitto: Any) -> None:
    """Mosquitto 2.0.11 forgets the receive maximum with the first acknowledgement."""
    flood, most = 400, 0
    slow = Endpoint("127.0.0.1", mosquitto.port, "slow", receive_max=10, backoff=QUICK)
    async with (
        connect(slow, None, ["x/#"]) as listener,
        connect(endpoint(mosquitto.port, "b"), None, ["b"]) as speaker,
    ):
        for number in range(flood):
            speaker.publish("x/y", str(number).encode())
        speaker.publish("b", b"the broker has them all")
        await take(speaker, 1, 30.0)
        got = []
        async with asyncio.timeout(60):
            async for message in listener.incoming():
                most = max(most, listener._inbox.qsize())
                got.append(int(message.payload))
                message.ack()
                # The broker sends what it likes before the next is taken.
                await asyncio.sleep(0.002)
                if len(got) == flood:
                    break
    assert got == [*range(flood)]
    assert most <= 2 * (10 + mqtt.INBOX_SLACK)


async def test_the_link_comes_back_when_the_broker_does(
    idle_mosquitto: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sync.mqtt")
    connected = asyncio.Event()

    async def talk(connection: Connection) -> None:
        connected.set()
        async for _ in connection.incoming():
            pass

    where = endpoint(idle_mosquitto.port, "a")
    keeping = asyncio.ensure_future(keep_connected(where, lambda: 0.5, lambda: None, ["quiet"], talk))
    await asyncio.sleep(0.4)
    for _ in range(2):
        assert not connected.is_set()
        idle_mosquitto.start()
        await asyncio.wait_for(connected.wait(), 5)
        connected.clear()
        idle_mosquitto.kill()
        await asyncio.sleep(0.4)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO", "WARNING", "INFO", "WARNING"]


async def test_a_failure_while_being_cancelled_does_not_keep_it_alive(mosquitto: Any) -> None:
    talks: asyncio.Queue[int] = asyncio.Queue()

    async def talk(connection: Connection) -> None:
        first = talks.qsize() == 0
        talks.put_nowait(1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if first:
                raise PortalError("gone in the same moment") from None
            raise

    where = endpoint(mosquitto.port, "a")
    keeping = asyncio.ensure_future(keep_connected(where, lambda: 0.5, lambda: None, ["quiet"], talk))
    while talks.empty():
        await asyncio.sleep(0.01)
    keeping.cancel()
    done, _ = await asyncio.wait({keeping}, timeout=2)
    assert done
    assert keeping.cancelled()


def test_waits_grow_up_to_the_most_and_never_fall_below_the_least() -> None:
    backoff, wait_s, waits = Backoff(1.0, 20.0), 0.0, []
    for _ in range(5):
        wait_s = backoff.next_s(wait_s, 1.0)
        waits.append(wait_s)
    assert waits == [3, 9, 20, 20, 20]
    assert backoff.next_s(20.0, 0.0) == 1
    for before_s in (0.0, 6.0):
        spread = {round(backoff.next_s(before_s, chance / 10), 2) for chance in range(11)}
        assert len(spread) == 11


def a_publish(topic: bytes, payload: bytes, mid: int) -> bytes:
    rest = len(topic).to_bytes(2) + topic + mid.to_bytes(2) + b"\0" + payload
    return b"\x32" + bytes([len(rest)]) + rest


async def test_messages_of_one_tls_record_all_arrive(tmp_path: Path) -> None:
    """Mosquitto sends each by itself; a broker that puts several into one record leaves no sign at the socket."""
    authority = Authority.open(tmp_path / "keys", "x", datetime.now(UTC))
    key = new_key()
    (tmp_path / "ca.pem").write_text(authority.pem)
    (tmp_path / "server.pem").write_bytes(
        key_pem(key) + authority.server(key, ["127.0.0.1"], datetime.now(UTC)).encode()
    )
    pem, _ = authority.client("a", signing_request(key, "a"), datetime.now(UTC))
    (tmp_path / "a.pem").write_bytes(key_pem(key) + pem.encode())
    record = b"".join(a_publish(b"x", b"%d" % number, number + 1) for number in range(5))

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def packet() -> bytes:
            _, length = await reader.readexactly(2)
            return await reader.readexactly(length)

        await packet()
        writer.write(b"\x20\x03\0\0\0")
        subscribe = await packet()
        writer.write(b"\x90\x04" + subscribe[:2] + b"\0\x01")
        writer.write(record)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.read()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    files = TlsFiles(tmp_path / "ca.pem", tmp_path / "a.pem", tmp_path / "a.pem")
    async with await asyncio.start_server(broker, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(Endpoint("127.0.0.1", port, "a", tls=files), None, ["x"]) as connection:
            assert [message.payload for message in await take(connection, 5)] == [b"%d" % n for n in range(5)]


async def test_a_certificate_that_cannot_be_used_is_no_connection_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    files = TlsFiles(tmp_path / "junk", tmp_path / "junk", tmp_path / "junk")
    with pytest.raises(PortalError, match="holds no certificate"):
        async with connect(Endpoint("127.0.0.1", 1, "a", tls=files), None, ["x"]):
            pass
