"""The way up of one connection: rows of the journal, signed, in batches, until the portal has stored them.

`sync.outbox` says which rows and when; here they are read, made into messages that fit, and what the portal says
of them is written down. Only its own signed word marks a row as stored. Before the first row of a connection it has
answered the birth, and said what it has: a journal that was cut, restored or copied is found before it is mixed up.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from gate_controller.errors import MessageRefused
from sync.journal import JournalRow
from sync.messages import PAYLOAD_LEN_MAX, Address, Event, EventAck, EventBatch, Tail
from sync.outbox import Outbox, again_after_s
from sync.signing import Refusal, Signer
from sync.store import Store

HISTORY_AFTER: Final = timedelta(minutes=1)
"""A row sent later than this after it was written says so."""
BATCH_BYTES_MAX: Final = 256 * 1024
"""Rows beyond this go with the next batch."""
BODY_LEN_MAX: Final = PAYLOAD_LEN_MAX // 2
"""Bytes of a row that can be sent at all; of a longer one only its number, time and kind are."""

log = logging.getLogger(__name__)


class Uplink:
    """The rows of one edge.

    Its owner says when there is a connection, sends the state when `birth_due`, and calls `send` when something may
    be due.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        address: Address,
        wall: Callable[[], datetime],
        chance: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store, self._signer, self._address = store, signer, address
        self._wall, self._chance, self._new_id = wall, chance, new_id
        self._conn = self._births = 0
        self._birth_due_s: float | None = 0.0
        # The row that the portal was last found to have as it is here, and of which ledger.
        self._same: tuple[str, Tail] | None = None
        # What the last rows of batches say that were sent on this connection, from that row on.
        self._sums: dict[int, str] = {}
        self._outbox = self._fresh()

    def begin(self, conn: int) -> None:
        """A new connection, or a new portal on it: whatever was under way is lost."""
        self._conn, self._births, self._birth_due_s = conn, 0, 0.0
        self._sums.clear()
        self._outbox = self._fresh()

    @property
    def unanswered(self) -> bool:
        """Whether the portal has not said yet what it has."""
        return self._birth_due_s is not None

    def birth_due(self) -> bool:
        """Whether the portal is to be told now that this edge is there: it has not answered."""
        now_s = asyncio.get_running_loop().time()
        if self._birth_due_s is None or self._birth_due_s > now_s:
            return False
        self._births += 1
        self._birth_due_s = now_s + again_after_s(self._births, self._chance())
        return True

    def deadline_s(self) -> float | None:
        """When there is something to do without any news; None while nothing waits for time to pass."""
        return self._outbox.deadline_s() if self._birth_due_s is None else self._birth_due_s

    async def send(self, publish: Callable[[bytes], None]) -> None:
        """Hand out every batch that may go now. Raises StoreError and whatever `publish` raises."""
        loop = asyncio.get_running_loop()
        while self._birth_due_s is None:
            outbox = self._outbox = self._outbox.grown(self._store.next_seq - 1)
            batch = outbox.next_batch(loop.time())
            if batch is None:
                return
            rows = _fitting(await self._store.rows(batch.start - 1, len(batch)))
            if self._outbox is not outbox:
                # An acknowledgement came meanwhile: these rows may be stored, or have got another ledger.
                continue
            self._outbox = outbox.sent(range(batch.start, batch.start + len(rows)), loop.time(), self._chance())
            self._sums[rows[-1].seq] = rows[-1].sum
            publish(self._signer.sign(self._message(rows)))

    async def on_ack(self, ack: EventAck) -> None:
        """Raises MessageRefused, and then nothing has changed, or StoreError."""
        store = self._store
        if ack.ledger != store.ledger:
            raise MessageRefused(Refusal.ANOTHER_LEDGER, ack.ledger)
        if await self._is_another(ack):
            await self._fork()
            return
        if max(ack.through, ack.upto, ack.batch.last if ack.batch else 0) >= store.next_seq:
            raise MessageRefused(Refusal.IMPOSSIBLE_ACK, f"row {ack.through}, the next is {store.next_seq}")
        if ack.through > store.acked_through:
            await store.acked(ack.through)
        self._birth_due_s = None
        self._outbox = self._outbox.acknowledged(ack, asyncio.get_running_loop().time(), self._chance())

    # ---- inside ----

    def _fresh(self) -> Outbox:
        store = self._store
        return Outbox.begin(store.ledger_after, store.acked_through, store.next_seq - 1)

    async def _is_another(self, ack: EventAck) -> bool:
        """Whether the portal has rows of this ledger that are not this journal's."""
        if ack.tail is None or ack.tail.seq <= self._store.ledger_after:
            return False
        if self._same == (ack.ledger, ack.tail):
            return False
        if self._sums.get(ack.tail.seq) != ack.tail.sum:
            own = await self._store.rows(ack.tail.seq - 1, 1)
            if not own or own[0].sum != ack.tail.sum:
                return True
        self._same = ack.ledger, ack.tail
        self._sums = {seq: sum for seq, sum in self._sums.items() if seq > ack.tail.seq}
        return False

    async def _fork(self) -> None:
        """What the portal has not acknowledged gets a new name, and is sent under it after a new birth."""
        store, old = self._store, self._store.ledger
        await store.fork_ledger(self._new_id())
        self.begin(self._conn)
        log.error(
            "the portal has other rows of this journal: the database was cut, restored or copied. From row %d on it"
            " goes on as ledger %s in place of %s; what else the portal has is not known here",
            store.ledger_after + 1,
            store.ledger,
            old,
        )

    def _message(self, rows: Sequence[JournalRow]) -> EventBatch:
        late = self._wall() - HISTORY_AFTER
        return EventBatch(
            aud=self._address.audience,
            conn=self._conn,
            ledger=self._store.ledger,
            after=self._store.ledger_after,
            follows=self._store.ledger_follows,
            first=rows[0].seq,
            last=rows[-1].seq,
            events=[_event(row, late) for row in rows],
        )


def _fitting(rows: Sequence[JournalRow]) -> Sequence[JournalRow]:
    """As many of the first rows as a message holds; one at least."""
    room = BATCH_BYTES_MAX
    for place, row in enumerate(rows):
        room -= len(row.body) + 200
        if room < 0:
            return rows[: max(1, place)]
    return rows


def _event(row: JournalRow, late: datetime) -> Event:
    body = row.body if len(row.body) <= BODY_LEN_MAX else b"null"
    return Event(
        seq=row.seq, at=row.at, kind=row.kind, body=msgspec.Raw(body), personal=row.personal, hist=row.at < late
    )
