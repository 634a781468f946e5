"""A bad network between one MQTT client and its broker: a TCP proxy that knows where packets begin.

It can hold everything, swallow everything, refuse everything, delay, and repeat or overtake single PUBLISH packets.
What it repeats under a packet id of its own is acknowledged to nobody. It changes no payload: a network is not an
attacker.
"""

import asyncio
import random
import socket
import struct
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PUBLISH: Final = 3
PUBACK: Final = 4
DISCONNECT: Final = 14
OWN_IDS: Final = range(65_000, 65_536)
"""Packet ids of repeated packets; clients and brokers count from 1 and do not come so far."""
REMEMBERED_LEN_MAX: Final = 200
"""Packets that a later repeat may choose from."""
ORDERS_LEN_MAX: Final = 10_000
OVERTAKEN_FOR_S: Final = 0.3
"""A packet waits so long for others to overtake it."""
READ_LEN_MAX: Final = 4 * 1024 * 1024


class Cut(StrEnum):
    """How a network is parted."""

    HELD = "held"
    """Nothing moves; afterwards everything does."""
    SWALLOWED = "swallowed"
    """What is sent vanishes; afterwards the connections are dead."""
    REFUSED = "refused"
    """Connections end at once, and new ones too."""


@dataclass(slots=True)
class Weather:
    """What happens to packets now."""

    cut: Cut | None = None
    delay_s: float = 0.0
    repeat: float = 0.0
    """Chance that a PUBLISH comes twice."""
    overtake: float = 0.0
    """Chance that a PUBLISH is overtaken by the next ones."""
    orders_wait_s: float = 0.0
    """How long an order lies somewhere on its way, while the rest goes on; it goes on waiting after the healing."""


@dataclass(slots=True)
class Packet:
    """One packet as on the wire; `topic` and `id` of a PUBLISH at QoS 1."""

    data: bytes
    topic: str = ""
    id: int = 0
    id_at: int = 0

    @property
    def kind(self) -> int:
        return self.data[0] >> 4

    @property
    def payload(self) -> bytes:
        """What a PUBLISH at QoS 1 carries."""
        end = at = self.id_at + 2
        while self.data[end] & 0x80:
            end += 1
        properties_len = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(self.data[at : end + 1]))
        return self.data[end + 1 + properties_len :]

    def again(self, new_id: int | None) -> bytes:
        """The same PUBLISH under another packet id, or under its own with the mark of a repeat."""
        if new_id is None:
            return bytes([self.data[0] | 0x08]) + self.data[1:]
        return self.data[: self.id_at] + new_id.to_bytes(2) + self.data[self.id_at + 2 :]


def parse(data: bytes, body_at: int) -> Packet:
    """A whole packet whose body begins at `body_at`."""
    if data[0] >> 4 != PUBLISH or not data[0] & 0x06:
        number = int.from_bytes(data[body_at : body_at + 2]) if data[0] >> 4 == PUBACK else 0
        return Packet(data, id=number)
    topic_len = int.from_bytes(data[body_at : body_at + 2])
    id_at = body_at + 2 + topic_len
    topic = data[body_at + 2 : id_at].decode()
    return Packet(data, topic, int.from_bytes(data[id_at : id_at + 2]), id_at)


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    """The next packet. Raises IncompleteReadError at the end of the stream."""
    data = await reader.readexactly(2)
    while data[-1] & 0x80 and len(data) < 5:
        data += await reader.readexactly(1)
    body_at = len(data)
    length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[1:]))
    return parse(data + await reader.readexactly(length), body_at)


@dataclass(slots=True)
class _Way:
    """One direction of one connection."""

    queue: asyncio.Queue[tuple[float, bytes] | None] = field(default_factory=asyncio.Queue)
    unknown: Counter[int] = field(default_factory=Counter)
    """Acknowledgements on their way back that nobody waits for."""
    past: deque[Packet] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LEN_MAX))
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    """Packets to be overtaken, each with the latest time it may go."""
    own_id: int = 0


class Proxy:
    """One client's way to the broker, on `port`."""

    def __init__(self, broker_port: int, chance: random.Random) -> None:
        self.weather = Weather()
        self.touched: Counter[str] = Counter()
        """What was done to packets so far, by its name."""
        self.orders: deque[Packet] = deque(maxlen=ORDERS_LEN_MAX)
        """Orders that came this way, on all connections: `repeat_order` sends one again."""
        self.port = 0
        self._broker_port, self._random = broker_port, chance
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._to_client: _Way | None = None

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=READ_LEN_MAX)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End everything."""
        self._abort()
        self._flowing.set()
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)

    def part(self, cut: Cut) -> None:
        """Cut the network."""
        self.weather.cut = cut
        self.touched[cut] += 1
        if cut is Cut.HELD:
            self._flowing.clear()
        if cut is Cut.REFUSED:
            self._abort()

    def heal(self) -> None:
        """Everything is well again."""
        if self.weather.cut is Cut.SWALLOWED:
            self._abort()
        self.weather = Weather()
        self._flowing.set()

    def repeat_order(self) -> bool:
        """Send an order again that the client was sent at some time, maybe on another connection."""
        if not self.orders or self._to_client is None:
            return False
        way, packet = self._to_client, self._random.choice(self.orders)
        way.queue.put_nowait((0.0, packet.again(self._new_id(way))))
        self.touched["orders repeated"] += 1
        return True

    def _abort(self) -> None:
        """As a network does that forgot the connection: no farewell."""
        for writer in self._open:
            sock = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather.cut is Cut.REFUSED:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._broker_port, limit=READ_LEN_MAX)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, up_writer}
        for each in both:
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open |= both
        up, down = _Way(), _Way()
        self._to_client = down
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read(reader, up, down)),
                    group.create_task(self._read(up_reader, down, up)),
                    group.create_task(self._write(up, up_writer)),
                    group.create_task(self._write(down, writer)),
                ]
                # The one that has nothing more to say still gets its last words delivered.
                await asyncio.wait(tasks[2:], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            self._open -= both
            for each in both:
                each.transport.abort() if self.weather.cut else each.close()

    async def _read(self, reader: asyncio.StreamReader, way: _Way, back: _Way) -> None:
        """Take packets and decide what becomes of each."""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                packet = await read_packet(reader)
                if self.weather.cut is Cut.SWALLOWED:
                    continue
                if packet.kind == PUBACK and back.unknown[packet.id]:
                    back.unknown[packet.id] -= 1
                    continue
                self._pass_on(packet, way)
        for _, data in way.waiting:
            way.queue.put_nowait((0.0, data))
        way.queue.put_nowait(None)

    def _pass_on(self, packet: Packet, way: _Way) -> None:
        weather, now_s = self.weather, asyncio.get_running_loop().time()
        due_s = now_s + weather.delay_s * self._random.random() if weather.delay_s else 0.0
        self.touched["delayed"] += due_s > 0 and packet.kind == PUBLISH
        if packet.topic.endswith("/cmd"):
            self.orders.append(packet)
            if weather.orders_wait_s:
                self.touched["orders delayed"] += 1
                entry = (0.0, packet.data)
                asyncio.get_running_loop().call_later(weather.orders_wait_s, way.queue.put_nowait, entry)
                return
        if packet.id_at and self._random.random() < weather.overtake and not way.waiting:
            self.touched["overtaken"] += 1
            way.waiting.append((now_s + OVERTAKEN_FOR_S, packet.data))
            asyncio.get_running_loop().call_later(OVERTAKEN_FOR_S, self._let_go, way)
            return
        if packet.kind == DISCONNECT:
            self._let_go(way)
        way.queue.put_nowait((due_s, packet.data))
        if packet.id_at and self._random.random() < 0.7:
            self._let_go(way)
        if packet.id_at and self._random.random() < weather.repeat:
            self._repeat(packet, way)
        if packet.id_at:
            way.past.append(packet)

    def _let_go(self, way: _Way) -> None:
        for _, data in way.waiting:
            way.queue.put_nowait((0.0, data))
        way.waiting.clear()

    def _repeat(self, packet: Packet, way: _Way) -> None:
        """Now and once more: this packet, or an older one of the connection that is no report of its state."""
        self.touched["repeated"] += 1
        again = packet
        if self._random.random() < 0.3:
            again = self._random.choice([p for p in way.past if not p.topic.endswith("/state")] or [packet])
        if again is packet and self._random.random() < 0.5:
            way.unknown[packet.id] += 1
            way.queue.put_nowait((0.0, packet.again(None)))
        else:
            way.queue.put_nowait((0.0, again.again(self._new_id(way))))

    def _new_id(self, way: _Way) -> int:
        way.own_id = (way.own_id + 1) % len(OWN_IDS)
        number = OWN_IDS[way.own_id]
        way.unknown[number] += 1
        return number

    async def _write(self, way: _Way, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while (entry := await way.queue.get()) is not None:
                due_s, data = entry
                if due_s > loop.time():
                    await asyncio.sleep(due_s - loop.time())
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
