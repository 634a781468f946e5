"""Events into the portal's tables: verified, stored, and only then acknowledged under the portal's own signature.

What comes twice is stored once, whoever stores it: several workers with a connection each may share the load and
the tables. What an edge may not say is refused with its reason and not acknowledged; what cannot be read is set
apart, acknowledged, and holds nobody up.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from gate_controller.errors import MessageRefused
from hardware_sim.portal.journals.ledgers import Held, Ledgers
from hardware_sim.portal.journals.metering import Load
from hardware_sim.portal.journals.reading import Delivered, read
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import PAYLOAD_LEN_MAX, SMALL_LEN_MAX, Address, EventAck, Rows, State
from sync.signing import KeyRing, Refusal, Spoken, verify

S = TypeVar("S", bound=Spoken)
T = TypeVar("T")


class Ingest:
    """What edges send up. Every method raises MessageRefused, and then nothing has changed, or StoreError."""

    def __init__(
        self, database: Database, ledgers: Ledgers, keys: PortalKeys, wall: Callable[[], datetime], load: Load
    ) -> None:
        self._database, self._ledgers, self._keys, self._wall = database, ledgers, keys, wall
        self._load = load

    async def opened(self, edge: Address, kind: type[S], payload: bytes, bytes_max: int = SMALL_LEN_MAX) -> S:
        """A message that this edge signed as its own."""
        return await self._database.run(self._opened, edge, kind, payload, bytes_max)

    async def taken(
        self,
        edge: Address,
        kind: type[S],
        payload: bytes,
        take: Callable[[S], T],
        bytes_max: int = SMALL_LEN_MAX,
    ) -> T:
        """What becomes of such a message in one transaction with the look at whose key it is; `take` runs there."""
        return await self._database.write(lambda: take(self._opened(edge, kind, payload, bytes_max)))

    async def state(self, edge: Address, payload: bytes) -> tuple[State, bool, bytes | None]:
        """Note what an edge says of itself, unless it was overtaken; whether it was noted.

        And what is here of its ledger, to be sent to it, if it asks: that tells also one that has lost count of its
        connections, and so is taken for late.
        """
        now = self._wall()

        def see(state: State) -> tuple[State, int | None, Held | None]:
            conn = self._ledgers.see(edge.edge, state, now)
            asks = state.status == "online" and state.asks
            return state, conn, self._ledgers.held(edge.edge, state.ledger) if asks else None

        state, conn, held = await self.taken(edge, State, payload, see)
        ack = None if held is None else self._ack(edge, state.ledger, held, conn=conn or 0)
        return state, conn is None, ack

    async def events(self, edge: Address, payload: bytes) -> bytes:
        """Store a batch; its acknowledgement, to be sent."""
        now = self._wall()

        def store(batch: Delivered) -> tuple[Delivered, Held]:
            self._ledgers.ingest(edge.edge, batch, read(batch, now), now)
            return batch, self._ledgers.held(edge.edge, batch.ledger)

        batch, held = await self.taken(edge, Delivered, payload, store, PAYLOAD_LEN_MAX)
        return self._ack(edge, batch.ledger, held, Rows(batch.first, batch.last))

    def _opened(self, edge: Address, kind: type[S], payload: bytes, bytes_max: int) -> S:
        public = self._ledgers.key(edge.edge)
        if public is None:
            raise MessageRefused(Refusal.UNREGISTERED, f"edge {edge.edge}; register its key first")
        return verify(payload, kind, edge.audience, KeyRing.of_edge(public), bytes_max)[1]

    def _ack(self, edge: Address, ledger: str, held: Held, batch: Rows | None = None, conn: int = 0) -> bytes:
        ack = EventAck(
            aud=edge.audience,
            ledger=ledger,
            conn=conn,
            through=held.through,
            upto=held.upto,
            missing=held.missing,
            batch=batch,
            tail=held.tail,
            window=self._load.window,
            pause_ms=self._load.pause_ms,
        )
        return self._keys.sign(ack)
