"""A courier carried by hand in place of a broker: what is sent goes at once, or waits to be dealt out.

It stands in for `sync.mqtt.connect` and nothing else. There is no chance and no time in it: the test decides what
is delivered, in which order, how often, and whom it reaches.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, cast

from gate_controller.errors import PortalError
from sync.mqtt import Connection, Endpoint, Incoming, Will

PILE_LEN_MAX: Final = 200


class Way(StrEnum):
    """From an edge to the portal, or back."""

    UP = "up"
    DOWN = "down"


class Deal(StrEnum):
    """What becomes of a message that waits."""

    FIRST = "first"
    LAST = "last"
    DROP = "drop"
    TWICE = "twice"
    ALL = "all"


@dataclass(frozen=True)
class Message:
    """Something under way to whoever is called `to`."""

    to: str
    topic: str
    payload: bytes
    retain: bool


@dataclass
class Road:
    """Between the portal and one edge: whether it is cut, which ways pile up, and what has piled up there."""

    cut: bool = False
    held: set[Way] = field(default_factory=set)
    piles: dict[Way, list[Message]] = field(default_factory=lambda: {way: [] for way in Way})

    @property
    def clear(self) -> bool:
        """Whether everything arrives as soon as it is sent."""
        return not self.cut and not self.held


class Link:
    """One side of a connection, as `sync.mqtt.Connection` shows it to the code above."""

    def __init__(self, courier: "Courier", owner: str, topics: Sequence[str], will: Will | None) -> None:
        self.owner, self.topics, self.will = owner, frozenset(topics), will
        self._courier, self._gone = courier, ""
        self._inbox: asyncio.Queue[Incoming | None] = asyncio.Queue()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None) -> None:
        """Into the courier's hands. Nothing expires there: whatever is late is the receiver's to refuse."""
        if self._gone:
            raise PortalError(self._gone)
        self._courier.sent(self.owner, topic, payload, retain)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Until the connection is gone."""
        while (message := await self._inbox.get()) is not None:
            yield message
        raise PortalError(self._gone)

    def arrived(self, message: Message) -> None:
        """A message is here."""
        if not self._gone:
            self._inbox.put_nowait(Incoming(message.topic, message.payload, lambda: None, message.retain))

    def end(self, why: str) -> None:
        """The connection is gone."""
        if not self._gone:
            self._gone = why
            self._inbox.put_nowait(None)


class Courier:
    """The only way between one portal and its edges."""

    def __init__(self, portal: str, edges: dict[str, str]) -> None:
        """`edges` maps what a client calls itself to the edge's name; `portal` is the portal's client."""
        self._portal, self._edges = portal, edges
        self.roads = {edge: Road() for edge in edges.values()}
        self._links: dict[str, Link] = {}
        self._kept: dict[str, Message] = {}

    # ---- by hand ----

    def cut(self, edge: str) -> None:
        """Neither way any more, and what was under way is lost."""
        road, link = self.roads[edge], self._links.pop(edge, None)
        road.cut = True
        for pile in road.piles.values():
            pile.clear()
        if link is not None:
            link.end("cut off")
            if link.will is not None:
                self._give(Message(self._portal, link.will.topic, link.will.payload, True))

    def join(self, edge: str) -> None:
        """The road is open again; the edge has to call by itself."""
        self.roads[edge].cut = False

    def hold(self, edge: str, way: Way) -> None:
        """From now on messages pile up this way."""
        self.roads[edge].held.add(way)

    def clear(self, edge: str) -> None:
        """All that has piled up arrives in its order, and nothing piles up any more."""
        road = self.roads[edge]
        road.held.clear()
        for way in Way:
            self.deal(edge, way, Deal.ALL)

    def deal(self, edge: str, way: Way, deal: Deal) -> None:
        """Do something with what has piled up."""
        pile = self.roads[edge].piles[way]
        if not pile:
            return
        match deal:
            case Deal.FIRST:
                self._give(pile.pop(0))
            case Deal.LAST:
                self._give(pile.pop())
            case Deal.DROP:
                pile.pop(0)
            case Deal.TWICE:
                self._give(pile[0])
            case Deal.ALL:
                waiting, pile[:] = [*pile], []
                for message in waiting:
                    self._give(message)

    # ---- as a broker ----

    def sent(self, owner: str, topic: str, payload: bytes, retain: bool) -> None:
        """Somebody has published something."""
        if owner != self._portal:
            self._on_its_way(owner, Way.UP, Message(self._portal, topic, payload, retain))
            return
        if retain:
            self._kept[topic] = Message("", topic, payload, True)
        for edge in self.roads:
            link = self._links.get(edge)
            if link is not None and topic in link.topics:
                self._on_its_way(edge, Way.DOWN, Message(edge, topic, payload, retain))

    @contextlib.asynccontextmanager
    async def connect(
        self, endpoint: Endpoint, will: Will | None, topics: Sequence[str]
    ) -> AsyncIterator[Connection]:
        """In place of `sync.mqtt.connect`."""
        name = self._edges.get(endpoint.client_id, self._portal)
        if name in self.roads and self.roads[name].cut:
            raise PortalError("no broker answers")
        link = self._links[name] = Link(self, name, topics, will)
        for topic, kept in self._kept.items():
            if topic in link.topics:
                self._on_its_way(name, Way.DOWN, Message(name, topic, kept.payload, True))
        try:
            yield cast(Connection, link)
        finally:
            link.end("closed")
            if self._links.get(name) is link:
                del self._links[name]

    # ---- inside ----

    def _on_its_way(self, edge: str, way: Way, message: Message) -> None:
        road = self.roads[edge]
        if road.cut:
            return
        pile = road.piles[way]
        if way not in road.held:
            self._give(message)
        elif len(pile) < PILE_LEN_MAX:
            pile.append(message)

    def _give(self, message: Message) -> None:
        link = self._links.get(message.to)
        if link is not None:
            link.arrived(message)
