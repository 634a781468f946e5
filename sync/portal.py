"""The link to the portal: the journal goes up until the portal has stored it, the list comes down.

One task keeps a connection up; while there is one, messages are handled in order and rows are sent as they
appear. Nothing here can hold up the daemon: without a broker the journal is the queue and the cached list is in
force. What to do with news and what to send next is decided in `sync.replica` and `sync.outbox`; commands,
claims and signatures are not here yet.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, ParamSpec, TypeVar

import msgspec

from gate_controller.allowlist import Allowlist, Change
from gate_controller.errors import ListRejected, MalformedMessage, PortalError, StoreError
from gate_controller.moment import Moment
from sync import messages
from sync.journal import JournalRow
from sync.messages import (
    Address,
    Event,
    EventAck,
    EventBatch,
    ListDelta,
    ListGet,
    ListHead,
    ListPart,
    Revision,
    State,
    decode_changes,
)
from sync.mqtt import Connection, Endpoint, Incoming, Will, keep_connected
from sync.outbox import Outbox
from sync.replica import GAP_WAIT_S, Step, on_delta, on_head, on_part
from sync.store import Store

CONFIRM_EVERY_S: Final = 3600.0
"""How often the portal is asked whether the list is still the newest."""
ASK_AGAIN_S: Final = 30.0
"""After this long without an answer the list is asked for again."""
LARGE_LEN_MIN: Final = 8 * 1024
"""Bytes from which on changes are read in a thread: some 50 users, which would cost the event loop 10 ms."""

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

OnList = Callable[[Allowlist, datetime], None]
"""Called with the list in force from now on and when the portal said that it is the newest."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The clock and the chance that the link is handed; `chance` gives 0 to 1, `new_id` a fresh random name."""

    clock: Callable[[], Moment]
    chance: Callable[[], float]
    new_id: Callable[[], str]


class PortalLink:
    """One edge's link. `run` it for as long as the daemon lives; it never ends by itself."""

    def __init__(
        self,
        store: Store,
        endpoint: Endpoint,
        address: Address,
        allowlist: Allowlist,
        on_list: OnList,
        surroundings: Surroundings,
        software: str = "",
    ) -> None:
        """`allowlist` is the one loaded from `store`; every later one goes to `on_list`."""
        self.refused: Counter[str] = Counter()
        """Messages that changed nothing, by the one reason for each."""
        self._store, self._endpoint, self._address = store, endpoint, address
        self._allowlist, self._on_list = allowlist, on_list
        self._around, self._software = surroundings, software
        self._have: Revision | None = None
        self._conn = self._portal_conn = ""
        self._outbox = Outbox(0)
        self._ask_at_s = 0.0
        self._ask_for_all = False
        self._trouble, self._stuck_for_s = "", ASK_AGAIN_S
        # One bell for the sender: rows were appended, an acknowledgement came, the list must be asked for.
        self._bell = store.appended
        self._handlers: dict[str, Callable[[Connection, bytes], Awaitable[None]]] = {
            address.topic("ev/ack"): self._on_ack,
            address.topic("list/part"): self._on_part,
            address.topic("list/delta"): self._on_delta,
            address.site_topic("list/delta"): self._on_delta,
            address.site_topic("list/head"): self._on_head,
        }

    async def run(self) -> None:
        """Keep a connection up and everything flowing, for ever."""
        cursor = await self._store.list_cursor()
        self._have = Revision(cursor.epoch, cursor.rev) if cursor else None
        await keep_connected(self._endpoint, self._around.chance, self._new_will, list(self._handlers), self._talk)

    async def _talk(self, connection: Connection) -> None:
        self._begin()
        try:
            self._send_state(connection)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send(connection))
                # Here and not as a second task: a group that fails while it only waits stays marked as cancelled.
                await self._receive(connection)
        except* (PortalError, StoreError) as failed:
            why: BaseException = failed
            while isinstance(why, BaseExceptionGroup):
                why = why.exceptions[0]
            lost = PortalError(str(why))
        else:
            return
        finally:
            with contextlib.suppress(PortalError):
                connection.publish(self._address.topic("state"), self._state("offline"), retain=True)
        raise lost

    def _begin(self) -> None:
        """Whatever was under way is lost: send what is not acknowledged, and ask for the list."""
        self._outbox = Outbox(self._store.acked_through)
        self._ask_at_s = 0.0
        self._bell.set()

    # ---- up ----

    async def _send(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._bell.clear()
            await self._send_rows(connection)
            if loop.time() >= self._ask_at_s:
                self._ask(connection)
            wake_s = min(self._ask_at_s, self._outbox.deadline_s() or self._ask_at_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(wake_s):
                    await self._bell.wait()

    async def _send_rows(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            batch = self._outbox.overdue(now_s) or self._outbox.next_batch(self._store.next_seq - 1)
            if batch is None:
                return
            self._outbox = self._outbox.sent(batch, now_s, self._around.chance())
            rows = await self._store.rows(batch.start - 1, len(batch))
            message = EventBatch(
                ledger=self._store.ledger, first=batch.start, last=batch.stop - 1, events=[*map(_event, rows)]
            )
            connection.publish(self._address.topic("ev"), messages.encode(message))

    def _ask(self, connection: Connection) -> None:
        have = None if self._ask_for_all else self._have
        connection.publish(self._address.topic("list/get"), messages.encode(ListGet(have=have)))
        self._ask_in(ASK_AGAIN_S)

    def _ask_in(self, wait_s: float) -> None:
        self._ask_at_s = asyncio.get_running_loop().time() + wait_s

    def _ask_soon(self) -> None:
        wait_s = ASK_AGAIN_S if self._trouble else GAP_WAIT_S
        self._ask_at_s = min(self._ask_at_s, asyncio.get_running_loop().time() + wait_s)
        self._bell.set()

    def _send_state(self, connection: Connection) -> None:
        connection.publish(self._address.topic("state"), self._state("online"), retain=True)

    def _new_will(self) -> Will:
        self._conn = self._around.new_id()
        return Will(self._address.topic("state"), self._state("offline"))

    def _state(self, status: Literal["online", "offline"]) -> bytes:
        state = State(
            status=status,
            conn=self._conn,
            ledger=self._store.ledger,
            next_seq=self._store.next_seq,
            acked=self._store.acked_through,
            list=self._have,
            sw=self._software,
            sqlite=sqlite3.sqlite_version,
            trouble=self._trouble,
        )
        return messages.encode(state)

    # ---- down ----

    async def _receive(self, connection: Connection) -> None:
        async for message in connection.incoming():
            await self._handle(connection, message)
            message.ack()

    async def _handle(self, connection: Connection, message: Incoming) -> None:
        handler = self._handlers.get(message.topic)
        if handler is None:
            self._refuse("unknown_topic", message.topic)
            return
        try:
            await handler(connection, message.payload)
        except MalformedMessage as error:
            self._refuse("malformed", str(error))

    def _refuse(self, reason: str, detail: str) -> None:
        self.refused[reason] += 1
        # The first of its kind is news; a flood must not fill the log.
        level = logging.WARNING if self.refused[reason] == 1 else logging.DEBUG
        log.log(level, "message from the portal refused: %s (%s)", reason, detail[:200])

    async def _on_ack(self, _connection: Connection, payload: bytes) -> None:
        ack = messages.decode(EventAck, payload)
        if ack.ledger != self._store.ledger:
            self._refuse("another_ledger", ack.ledger)
        elif ack.through >= self._store.next_seq:
            self._refuse("impossible_ack", f"row {ack.through}, the next is {self._store.next_seq}")
        elif ack.through > self._store.acked_through:
            await self._store.acked(ack.through)
            self._outbox = self._outbox.stored(ack.through)
            self._bell.set()

    async def _on_head(self, _connection: Connection, payload: bytes) -> None:
        head = messages.decode(ListHead, payload)
        if head.conn != self._portal_conn:
            # The portal is new here: what was sent to nobody need not wait for its next turn.
            self._portal_conn = head.conn
            self._begin()
        elif on_head(self._have, head) is not Step.IGNORE:
            self._ask_soon()

    async def _on_delta(self, connection: Connection, payload: bytes) -> None:
        aside = _in_thread if len(payload) >= LARGE_LEN_MIN else _at_once
        try:
            delta = await aside(messages.decode, ListDelta, payload)
            step = on_delta(self._have, delta)
            new, changes = await aside(_changed, self._allowlist, delta) if step is Step.APPLY else (None, [])
        except (ListRejected, MalformedMessage, ValueError) as error:
            # The whole list may do without what could not be done here; what it revokes must not be missed.
            self._refuse(_reason(error), str(error))
            self._ask_for_all = True
            self._ask_soon()
            return
        if new is not None:
            await self._apply(connection, delta, new, changes)
        elif step is not Step.IGNORE:
            self._ask_soon()

    async def _apply(self, connection: Connection, delta: ListDelta, new: Allowlist, changes: list[Change]) -> None:
        """Write the changes, then put them in force; a delta that changes nothing only confirms."""
        if new.wants_compaction:
            new = await asyncio.to_thread(new.compacted)
        now = self._around.clock().wall
        await self._store.put_changes(delta.epoch, delta.from_, delta.to, changes, now)
        self._in_force(connection, new, now)

    async def _on_part(self, connection: Connection, payload: bytes) -> None:
        try:
            part = await asyncio.to_thread(messages.decode, ListPart, payload)
            if on_part(self._have, part) is not Step.APPLY:
                return
            new, changes = await asyncio.to_thread(_whole, self._allowlist, part)
        except (ListRejected, MalformedMessage, ValueError) as error:
            self.refused[_reason(error)] += 1
            self._stuck(connection, str(error)[:200])
            return
        now = self._around.clock().wall
        await self._store.replace_list(part.epoch, part.rev, changes, now)
        self._in_force(connection, new, now)

    def _stuck(self, connection: Connection, why: str) -> None:
        """The old list stays in force; said once, shown in the state, and asked for again, ever more rarely."""
        if not self._trouble:
            log.error("the portal's list cannot be used, so an old one stays in force: %s", why)
        if why != self._trouble:
            self._trouble = why
            self._send_state(connection)
        self._ask_for_all = True
        self._ask_in(self._stuck_for_s)
        self._stuck_for_s = min(2 * self._stuck_for_s, CONFIRM_EVERY_S)

    def _in_force(self, connection: Connection, new: Allowlist, at: datetime) -> None:
        changed = self._have != Revision(new.epoch, new.revision) or bool(self._trouble)
        self._trouble, self._stuck_for_s, self._ask_for_all = "", ASK_AGAIN_S, False
        self._allowlist, self._have = new, Revision(new.epoch, new.revision)
        self._on_list(new, at)
        self._ask_in(CONFIRM_EVERY_S)
        if changed:
            log.info("list revision %d is in force", new.revision)
            self._send_state(connection)


def _changed(old: Allowlist, delta: ListDelta) -> tuple[Allowlist, list[Change]]:
    """The next list and what leads to it; the same list and nothing where the delta only confirms."""
    if delta.to == delta.from_:
        return old, []
    changes = decode_changes(delta.ops)
    return old.apply(changes, delta.to), changes


def _whole(old: Allowlist, part: ListPart) -> tuple[Allowlist, list[Change]]:
    """The list that takes the old one's place, and the changes that build it."""
    changes = decode_changes(part.ops)
    return old.replaced(part.epoch, changes, part.rev), changes


def _reason(error: Exception) -> str:
    return "malformed" if isinstance(error, MalformedMessage) else "list_rejected"


async def _at_once(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(function, *args, **kwargs)


def _event(row: JournalRow) -> Event:
    return Event(seq=row.seq, at=row.at, kind=row.kind, body=msgspec.Raw(row.body), personal=row.personal)
