"""A broker and its network as bad as they may be: loses, doubles, reorders, delays, forgets, and acknowledges all.

It stands in for `sync.mqtt.connect` and nothing else: the loop that keeps a connection up, and everything above
it, is the real one. Sessions, retained messages, wills and the receive maximum work as in MQTT 5.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, log
from typing import TYPE_CHECKING, Any, cast

from gate_controller.errors import PortalError
from sync.mqtt import Connection, Endpoint, Incoming, Will
from tests.simulation.loop import OWNER, WORLD

if TYPE_CHECKING:
    from tests.simulation.world import Incarnation, Node, World

DIAL_WITHIN_S = 5.0
SESSION_EXPIRES_S = 3600.0
WILL_DELAY_S = 30.0
NOTICED_WITHIN_S = 45.0
"""A broken link is noticed after one and a half keep-alives at most; until then messages go nowhere."""
QUEUE_LEN_MAX = 200
LATE_S = (20.0, 300.0, 7200.0)
"""Mean delays of what some bridge or queue held back."""
HEARD_LEN_MAX = 500
"""Messages that somebody at the broker keeps, to send them once more."""
HEARD_RATE = 0.2
"""Share of later messages that take the place of a kept one."""


@dataclass
class Weather:
    """How bad the network is: probabilities of loss and doubling, mean delay, share of very late messages."""

    loss: float = 0.0
    double: float = 0.0
    delay_s: float = 0.02
    late: float = 0.0
    forgets: float = 0.0
    heeds_expiry: bool = True


@dataclass(slots=True)
class Message:
    """What was published, never changed; `until_s` is when the broker should throw it away."""

    topic: str
    payload: bytes
    retain: bool = False
    until_s: float = inf


@dataclass
class Session:
    """What the broker remembers of a client, connected or not."""

    topics: frozenset[str]
    receive_max: int
    link: "Link | None" = None
    will: Will | None = None
    queue: deque[Message] = field(default_factory=deque)
    unacked: dict[int, Message] = field(default_factory=dict)
    left_at: float = 0.0


class Link:
    """One side of a connection, as `sync.mqtt.Connection` shows it to the code above."""

    def __init__(self, broker: "Broker", owner: "Incarnation", client: str) -> None:
        self.owner, self.client = owner, client
        self.gone: str | None = None
        self._broker = broker
        self._inbox: asyncio.Queue[Incoming | None] = asyncio.Queue()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None) -> None:
        """To the broker, perhaps."""
        if self.gone is not None:
            raise PortalError(self.gone)
        self._broker.published(self, topic, payload, retain, expires_s)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Until the connection is gone."""
        while (message := await self._inbox.get()) is not None:
            yield message
        raise PortalError(self.gone or "gone")

    def arrived(self, message: Message, number: int) -> None:
        """A message has come over the wire."""
        if self.gone is None and self.owner.alive and not self.owner.node.cut:
            ack = partial(self._broker.acked, self, number)
            self._inbox.put_nowait(Incoming(message.topic, message.payload, ack, message.retain))

    def end(self, why: str) -> None:
        """This side knows now that the connection is gone."""
        if self.gone is None and self.owner.alive:
            self.gone = why
            self._inbox.put_nowait(None)


class Broker:
    """The only broker of a world."""

    def __init__(self, world: "World") -> None:
        self.up = True
        self.weather = Weather()
        self._world, self._random = world, world.random
        self._sessions: dict[str, Session] = {}
        self._retained: dict[str, Message] = {}
        self._heard: list[Message] = []
        self._number = 0
        # Who wants a topic, until sessions or their topics change.
        self._wanting: dict[str, list[Session]] = {}

    # ---- faults ----

    def crash(self) -> None:
        """As `kill -9` without persistence: everything is forgotten, every link ends."""
        self.up = False
        links = [session.link for session in self._sessions.values() if session.link is not None]
        self._sessions.clear()
        self._wanting.clear()
        self._retained.clear()
        for link in links:
            link.end("broker went away")

    def lost(self, link: Link) -> None:
        """The far end of a link is dead or cut off; both sides notice, each in its time."""
        for notice in (partial(self._left, link, farewell=False), partial(link.end, "keep-alive ran out")):
            self._later(self._random.uniform(0, NOTICED_WITHIN_S), notice)

    def links_of(self, node: "Node") -> list[Link]:
        """The links that the broker holds for whatever runs, or ran, on a machine."""
        links = [session.link for session in self._sessions.values() if session.link is not None]
        return [link for link in links if link.owner.node is node]

    # ---- connections ----

    def joined(self, owner: "Incarnation", endpoint: Endpoint, will: Will | None, topics: Sequence[str]) -> Link:
        """A client connects and subscribes."""
        session = self._sessions.get(endpoint.client_id)
        if session is not None and session.link is not None:
            old, session.link = session.link, None
            old.end("taken over")
        stale = session is None or self._world.loop.time() - session.left_at > SESSION_EXPIRES_S
        if session is None or stale or self._random.random() < self.weather.forgets:
            session = self._sessions[endpoint.client_id] = Session(frozenset(), endpoint.receive_max)
        session.topics = frozenset(topics)
        self._wanting.clear()
        session.will = will
        session.queue.extendleft(reversed(session.unacked.values()))
        session.unacked.clear()
        session.link = link = Link(self, owner, endpoint.client_id)
        session.queue += [message for topic, message in self._retained.items() if _matches(session.topics, topic)]
        self._pump(session)
        return link

    def left(self, link: Link) -> None:
        """A client says farewell."""
        link.end("closed")
        self._left(link, farewell=True)

    def _left(self, link: Link, *, farewell: bool) -> None:
        session = self._sessions.get(link.client)
        if session is None or session.link is not link:
            return
        session.link, session.left_at = None, self._world.loop.time()
        if not farewell and session.will is not None:
            self._later(WILL_DELAY_S, self._execute, session, session.will)

    def _execute(self, session: Session, will: Will) -> None:
        if session.link is None:
            self._take(Message(will.topic, will.payload, True))

    # ---- messages ----

    def published(self, link: Link, topic: str, payload: bytes, retain: bool, expires_s: int | None) -> None:
        """Something leaves a client; whether it arrives is another matter."""
        if link.owner.node.cut:
            return
        if topic.endswith("/cmd"):
            self._world.watch_order(payload)
        until_s = inf if expires_s is None else self._world.loop.time() + expires_s
        for wait_s in self._fate():
            self._later(wait_s, self._take, Message(topic, payload, retain, until_s))

    def replay(self) -> None:
        """Somebody who owns the broker sends once more what was sent before, kept or not, as new."""
        if self._heard:
            self._take(replace(self._random.choice(self._heard), until_s=inf))

    def acked(self, link: Link, number: int) -> None:
        """The client has done with a message."""
        session = self._sessions.get(link.client)
        if session is not None and session.link is link and not link.owner.node.cut:
            session.unacked.pop(number, None)
            self._pump(session)

    def _take(self, message: Message) -> None:
        if not self.up:
            return
        self._world.note(message.topic, len(message.payload))
        if len(self._heard) < HEARD_LEN_MAX:
            self._heard.append(message)
        elif self._random.random() < HEARD_RATE:
            self._heard[self._random.randrange(HEARD_LEN_MAX)] = message
        if message.retain:
            self._retained[message.topic] = message
        for session in self._who_wants(message.topic):
            if len(session.queue) < QUEUE_LEN_MAX:
                session.queue.append(message)
                self._pump(session)

    def _who_wants(self, topic: str) -> list[Session]:
        wanting = self._wanting.get(topic)
        if wanting is None:
            wanting = [session for session in self._sessions.values() if _matches(session.topics, topic)]
            self._wanting[topic] = wanting
        return wanting

    def _pump(self, session: Session) -> None:
        while session.link is not None and session.queue and len(session.unacked) < session.receive_max:
            message = session.queue.popleft()
            if self.weather.heeds_expiry and message.until_s < self._world.loop.time():
                continue
            self._number += 1
            session.unacked[self._number] = message
            for wait_s in self._fate() or [None]:
                if wait_s is None:
                    # Lost for good: the broker takes it for acknowledged.
                    del session.unacked[self._number]
                else:
                    self._later(wait_s, session.link.arrived, message, self._number)

    def _fate(self) -> list[Any]:
        """After how long a message arrives, once for each time that it does."""
        weather, chance = self.weather, self._random.random
        if chance() < weather.loss:
            return []
        copies = 2 if chance() < weather.double else 1
        mean_s = self._random.choice(LATE_S) if chance() < weather.late else weather.delay_s
        return [-log(1.0 - chance()) / (1 / mean_s) for _ in range(copies)]

    def _later(self, wait_s: float, call: Any, *args: Any) -> None:
        self._world.loop.call_later(wait_s, call, *args, context=WORLD)


def _matches(topics: frozenset[str], topic: str) -> bool:
    levels = topic.split("/")
    return any(
        len(pattern) == len(levels) and all(p in ("+", t) for p, t in zip(pattern, levels, strict=True))
        for pattern in (wanted.split("/") for wanted in topics)
    )


@contextlib.asynccontextmanager
async def connect(endpoint: Endpoint, will: Will | None, topics: Sequence[str]) -> AsyncIterator[Connection]:
    """In place of `sync.mqtt.connect`."""
    owner = cast("Incarnation", OWNER.get())
    world = owner.node.world
    await asyncio.sleep(world.random.uniform(0.001, 0.2))
    if not world.broker.up or owner.node.cut:
        await asyncio.sleep(DIAL_WITHIN_S)
        raise PortalError("no broker answers")
    link = world.broker.joined(owner, endpoint, will, topics)
    try:
        yield cast(Connection, link)
    finally:
        world.broker.left(link)
