"""MQTT 5 on the event loop: one connection as a context, and a loop that keeps one up.

A thin bridge over paho: its socket is watched by the event loop, messages wait in a bounded inbox, and a
message is acknowledged to the broker only when its reader says so. Nothing else in the project knows MQTT. A
broker's acknowledgement of what we publish is not even looked at: it proves nothing end to end.
"""

import asyncio
import contextlib
import logging
import math
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gate_controller.errors import PortalError
from sync.identity import TlsFiles
from sync.messages import PAYLOAD_LEN_MAX

CONNECT_WITHIN_S: Final = 5.0
KEEPALIVE_S: Final = 30
SESSION_EXPIRES_S: Final = 3600
WILL_DELAY_S: Final = 30
LASTED_S: Final = 10.0
"""A connection that ends sooner does not shorten the next wait."""
INBOX_SLACK: Final = 64
"""Messages beyond the receive maximum that may wait; at that the socket is left unread.

A broker may send some that it need not have acknowledged, and Mosquitto 2.0.11 sends all that it has queued once a
first acknowledgement came.
"""
PACKET_LEN_MAX: Final = PAYLOAD_LEN_MAX + 64 * 1024
"""Bytes that a broker may send at once; a larger message is of nobody that we listen to, and stays there."""
OUTBOX_LEN_MAX: Final = 1000
"""Publications that may wait for the socket."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts: each is drawn between the least and three times the one before, up to the most."""

    least_s: float = 1.0
    most_s: float = 300.0

    def next_s(self, before_s: float, chance: float) -> float:
        """The next wait after one of `before_s` (0 at first); `chance` is 0 to 1.

        The first is spread too: a broker that went away took all of its edges with it.
        """
        return min(self.most_s, self.least_s + chance * (3 * max(self.least_s, before_s) - self.least_s))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which broker, and as whom. `receive_max` bounds messages that are delivered and not yet acknowledged.

    `tls` are read anew for each connection; without them nothing is encrypted.
    """

    host: str
    port: int
    client_id: str
    receive_max: int = 16
    backoff: Backoff = field(default_factory=Backoff)
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when this connection ends without a farewell."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message; call `ack` once what it asks for is durable, or never, and it comes again.

    `retained` says that it was published to be kept, and may have lain at the broker for any time.
    """

    topic: str
    payload: bytes
    ack: Callable[[], object]
    retained: bool = False


class _LastError(logging.Logger):
    """Keeps why paho gave a socket up, which it tells nobody else: a broker's alert about our certificate."""

    last = ""

    def log(self, level: int, msg: object, *args: object, **_: Any) -> None:
        if level >= logging.ERROR:
            self.last = str(msg) % args


class Connection:
    """One live connection; made by `connect`. PortalError from any method means that it is gone."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._loop = asyncio.get_running_loop()
        # Longer than `_room` only by what one reading of the socket brings.
        self._inbox: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._room = endpoint.receive_max + INBOX_SLACK
        self._read_on: Callable[[], None] | None = None
        self._up: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._gone: str | None = None
        self._endpoint = endpoint
        self._errors = _LastError(__name__)
        self._client = self._build(endpoint)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None) -> None:
        """Hand a message to the broker at QoS 1; PortalError if the connection is gone or choked."""
        if self._gone is not None:
            raise PortalError(self._gone)
        properties = None
        if expires_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expires_s
        result = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if result.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise PortalError(f"{self._place}: {paho.error_string(result.rc)}")
        # At once, as far as the socket takes it: turns of the event loop are what a change waits for.
        self._client.loop_write()

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Messages as they come; ends with PortalError when the connection is gone."""
        while (message := await self._inbox.get()) is not None:
            if self._read_on is not None and self._inbox.qsize() < self._room:
                self._read_on()
            yield message
        raise PortalError(self._gone or self._place)

    # ---- opening and closing, for `connect` ----

    async def open(self, will: Will | None, topics: Sequence[str]) -> None:
        """Connect and subscribe, each within `CONNECT_WITHIN_S`."""
        if will is not None:
            properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
            properties.WillDelayInterval = WILL_DELAY_S
            self._client.will_set(will.topic, will.payload, 1, True, properties)
        await self._connect()
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await self._up
                how = SubscribeOptions(qos=1, retainAsPublished=True)
                self._client.subscribe([(topic, how) for topic in topics])
                await self._subscribed
        except TimeoutError:
            raise PortalError(f"{self._place}: no answer within {CONNECT_WITHIN_S:.0f} s") from None

    async def close(self) -> None:
        """Say farewell, so that the will is not sent, and let go of the socket."""
        self._client.disconnect()
        # At once, as far as the socket takes it: the event loop may end next.
        self._client.loop_write()
        self._end("closed")

    async def _connect(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRES_S
        properties.ReceiveMaximum = self._endpoint.receive_max
        properties.MaximumPacketSize = PACKET_LEN_MAX
        dial = partial(
            self._client.connect,
            self._endpoint.host,
            self._endpoint.port,
            KEEPALIVE_S,
            clean_start=False,
            properties=properties,
        )
        # paho resolves and dials in blocking calls; they end by themselves within the timeout.
        dialling = self._loop.run_in_executor(None, dial)
        try:
            await asyncio.shield(dialling)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                await dialling
            raise
        except (OSError, ValueError) as error:
            raise PortalError(f"{self._place}: {error}") from error

    # ---- paho's side ----

    @property
    def _place(self) -> str:
        return f"broker {self._endpoint.host}:{self._endpoint.port}"

    def _build(self, endpoint: Endpoint) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            endpoint.client_id,
            protocol=paho.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        if endpoint.tls is not None:
            client.tls_set_context(endpoint.tls.context())
        client.enable_logger(self._errors)
        client.connect_timeout = CONNECT_WITHIN_S
        client.max_queued_messages_set(OUTBOX_LEN_MAX)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_write_wanted
        client.on_socket_unregister_write = self._on_write_done
        return client

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if self._up.done():
            return
        if reason.is_failure:
            self._up.set_exception(PortalError(f"{self._place} refuses: {reason}"))
        else:
            self._up.set_result(None)

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        refused = next((reason for reason in reasons if reason.is_failure), None)
        if self._subscribed.done():
            return
        if refused is not None:
            self._subscribed.set_exception(PortalError(f"{self._place} refuses a subscription: {refused}"))
        else:
            self._subscribed.set_result(None)

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        ack = partial(client.ack, message.mid, message.qos)
        self._inbox.put_nowait(Incoming(message.topic, bytes(message.payload), ack, message.retain))

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._end(f"{self._place} went away: {self._errors.last or reason}")

    def _end(self, why: str) -> None:
        if self._gone is not None:
            return
        self._gone = why
        for waiting in (self._up, self._subscribed):
            if not waiting.done():
                waiting.set_exception(PortalError(why))
                waiting.exception()  # looked at here, should nobody else
        self._inbox.put_nowait(None)

    # ---- the socket; opened on the dialling thread, used and closed on the loop's ----

    def _on_socket_open(self, client: paho.Client, _data: Any, sock: Any) -> None:
        # Otherwise a small message waits for the acknowledgement of the one before: 40 ms, measured.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.call_soon_threadsafe(self._watch, client, sock)

    def _watch(self, client: paho.Client, sock: Any) -> None:
        if self._gone is None and sock.fileno() >= 0:
            self._loop.add_reader(sock, self._read, client, sock)
            self._tick(client)

    def _read(self, client: paho.Client, sock: Any) -> None:
        client.loop_read()
        if self._inbox.qsize() >= self._room and sock.fileno() >= 0:
            # What is not read waits at the broker, which would not send a message again that was thrown away here.
            self._loop.remove_reader(sock)
            self._read_on = partial(self._reads_on, client, sock)
            return
        # TLS hands over whole records: what is left of one does not show at the socket.
        if isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending():
            self._loop.call_soon(self._read, client, sock)

    def _reads_on(self, client: paho.Client, sock: Any) -> None:
        self._read_on = None
        if self._gone is None and sock.fileno() >= 0:
            self._loop.add_reader(sock, self._read, client, sock)
            self._loop.call_soon(self._read, client, sock)

    def _tick(self, client: paho.Client) -> None:
        if self._gone is None:
            client.loop_misc()
            self._loop.call_later(1.0, self._tick, client)

    def _on_socket_close(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)

    def _on_write_wanted(self, client: paho.Client, _data: Any, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch_write, client, sock)

    def _watch_write(self, client: paho.Client, sock: Any) -> None:
        # Not before the broker has answered: its alert about our certificate must be read before a write fails.
        if self._up.done() and sock.fileno() >= 0:
            client.loop_write()
        if sock.fileno() >= 0 and client.want_write():
            self._loop.add_writer(sock, client.loop_write)

    def _on_write_done(self, _client: Any, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)


@contextlib.asynccontextmanager
async def connect(endpoint: Endpoint, will: Will | None, topics: Sequence[str]) -> AsyncIterator[Connection]:
    """A connection that is up and subscribed; raises PortalError when that is not possible."""
    connection = Connection(endpoint)
    try:
        await connection.open(will, topics)
        yield connection
    finally:
        await connection.close()


async def keep_connected(
    endpoint: Endpoint,
    chance: Callable[[], float],
    will: Callable[[], Will | None],
    topics: Sequence[str],
    talk: Callable[[Connection], Awaitable[None]],
) -> None:
    """Connect, `talk` until the connection ends, wait, and again, for ever.

    `chance` gives 0 to 1; `will` is asked anew for each connection. `talk` ends with PortalError. Says once
    when the broker is away and once when it is back.
    """
    loop = asyncio.get_running_loop()
    wait_s, silent = 0.0, False
    while True:
        up_s = math.inf
        try:
            async with connect(endpoint, will(), topics) as connection:
                log.info("connected to broker %s:%d", endpoint.host, endpoint.port)
                silent, up_s = False, loop.time()
                await talk(connection)
        except PortalError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # A task group whose child fails while it is cancelled tells only of the failure.
                raise asyncio.CancelledError from error
            wait_s = 0.0 if loop.time() - up_s > LASTED_S else wait_s
            if not silent:
                log.warning("%s; trying again", error)
            silent = True
        wait_s = endpoint.backoff.next_s(wait_s, chance())
        await asyncio.sleep(wait_s)
