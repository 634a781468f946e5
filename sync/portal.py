"""The link to the portal: the journal goes up until the portal has stored it, the list and orders come down.

One task keeps a connection up; while there is one, messages are handled in order and rows are sent as they
appear. Nothing here can hold up the daemon: without a broker the journal is the queue and the cached list is in
force. What comes down counts only if `sync.guard` believes it; what follows for the list is `sync.follower`'s
business, the rows are `sync.uplink`'s, what to ask of places `sync.claims`'s.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from gate_controller.allowlist import Allowlist
from gate_controller.credentials import PassRead
from gate_controller.errors import MalformedMessage, MessageRefused, PortalError, StoreError
from gate_controller.facts import Fact, Granted, HoldId
from gate_controller.lane import ClaimAnswered
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from sync import messages, passes
from sync.claims import Claims
from sync.enrols import Enrols
from sync.follower import ASK_AGAIN_S, Follower, OnList
from sync.guard import Guard
from sync.messages import CLAIM_LIVES, Address, Claim, CmdResult, Enrol, EnrolReply, State
from sync.mqtt import Connection, Endpoint, Incoming, Will, keep_connected
from sync.orders import Answer, Request, SendPicture, SyncNow
from sync.pictures import FindPicture, Picture, no_picture, parts_of, picture_of
from sync.signing import Refusal, Signer
from sync.store import Store
from sync.uplink import Uplink

LOOK_AT_AGE_EVERY_S: Final = 60.0
"""How often the age of the list is looked at."""
ASK_AGAIN_MAX_S: Final = 600.0
"""While nobody answers the list is asked for ever more rarely, at most so far apart."""

log = logging.getLogger(__name__)

OnOrder = Callable[[Request, float], Awaitable[Answer]]
"""Called with an order of the portal and for how many seconds more it may be begun."""

OnClaim = Callable[[ClaimAnswered], None]
"""Called with the portal's answer to a question for a place."""
OnLeft = Callable[[list[HoldId]], None]
"""Called with sessions whose vehicles left through another edge; maybe again."""
OnEnrolled = Callable[[Enrol, EnrolReply], None]
"""Called with what a desk asked and the portal's answer, once."""


def _nobody_asked(*_: object) -> None:
    """For an edge that asks nobody."""


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
        root_key: bytes,
        signer: Signer,
        allowlist: Allowlist,
        on_list: OnList,
        on_order: OnOrder,
        surroundings: Surroundings,
        software: str = "",
        on_claim: OnClaim = _nobody_asked,
        on_left: OnLeft = _nobody_asked,
        find_picture: FindPicture = no_picture,
        on_enrolled: OnEnrolled = _nobody_asked,
    ) -> None:
        """`allowlist` is the one loaded from `store`; every later one goes to `on_list`.

        `root_key` is the portal's root public key, `signer` this edge's own key. Raises ValueError for what is no
        key.
        """
        self.refused: Counter[str] = Counter()
        """Messages that changed nothing, by the one reason for each."""
        self._store, self._endpoint, self._address = store, endpoint, address
        self._around, self._software, self._on_order = surroundings, software, on_order
        self._signer = signer
        self._guard = Guard(store, root_key, address, surroundings.clock)
        self._list = Follower(store, self._guard, allowlist, on_list, self._ask_at_latest, self._ask_next)
        self._on_claim, self._on_left = on_claim, on_left
        self._find_picture = find_picture
        self._claims, self._enrols, self._on_enrolled = Claims(), Enrols(), on_enrolled
        self._connection: Connection | None = None
        self._nonce = surroundings.new_id()
        self._conn = self._states_told = 0
        self._portal_conn = self._leave = ""
        self._stale = self._behind = False
        self._told: tuple[object, ...] = ()
        self._rows = Uplink(
            store, signer, address, lambda: surroundings.clock().wall, surroundings.chance, surroundings.new_id
        )
        self._ask_at_s, self._asked = 0.0, 0
        # One bell for the sender: rows were appended, an acknowledgement came, the list must be asked for.
        self._bell = store.appended
        self._handlers: dict[str, Callable[[Connection, Incoming], Awaitable[None]]] = {
            address.site_topic("keys"): self._on_keys,
            address.topic("ev/ack"): self._on_ack,
            address.topic("cmd"): self._on_cmd,
            address.topic("claim/r"): self._on_claim_reply,
            address.topic("claim/left"): self._on_left_elsewhere,
            address.topic("enrol/r"): self._on_enrol_reply,
            address.topic("list/part"): self._on_part,
            address.topic("list/mend"): self._on_mend,
            address.topic("list/delta"): self._on_delta,
            address.site_topic("list/delta"): self._on_delta,
            address.site_topic("list/head"): self._on_head,
        }

    async def run(self) -> None:
        """Keep a connection up and everything flowing, for ever."""
        await self.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_age())
            group.create_task(self._list.sweep())
            topics = list(self._handlers)
            await keep_connected(self._endpoint, self._around.chance, self._new_will, topics, self._talk)

    async def load(self) -> None:
        """What the last run knew; `run` begins with it."""
        await self._guard.load()
        await self._list.load()
        self._enrols = Enrols.of(await self._store.enrols())
        self._stale = self._list.stale

    def read_pass(self, text: str) -> PassRead | None:
        """The signed pass that a scanned text is, by the keys of the newest key set; None for any other text."""
        return passes.read(text, self._guard.pass_keys, self._address.site_audience)

    # ---- badges ----

    @property
    def connected(self) -> bool:
        """Whether there is a way to the portal now."""
        return self._connection is not None

    async def enrol(self, asked: Enrol) -> bool:
        """Ask for a user's number until there is an answer; false if there is no way to the portal now.

        That the question is on disk comes first: StoreError if it cannot be.
        """
        asked = msgspec.structs.replace(asked, aud=self._address.audience)
        await self._store.put_enrol(asked)
        self._enrols = self._enrols.asked(asked)
        self._bell.set()
        return self.connected

    async def _on_enrol_reply(self, _connection: Connection, message: Incoming) -> None:
        reply = self._guard.enrolled(message.payload)
        asked = self._enrols.asked_as(reply.enrol_id)
        if asked is None:
            self._refuse("answered_before", reply.enrol_id)
            return
        await self._store.drop_enrol(reply.enrol_id)
        self._enrols = self._enrols.answered(reply.enrol_id)
        self._on_enrolled(asked, reply)

    # ---- places ----

    def ask_place(self, fact: Granted, now: Moment) -> bool:
        """Ask the portal for the place of this grant's user; false if there is no way to it now."""
        self._claims, claim = self._claims.ask(fact, now)
        self._bell.set()
        return self._send_claim(claim)

    def happened(self, fact: Fact, before: Occupancy, now: Moment) -> None:
        """Tell the portal at once if a place came free; what cannot be told now, the journal tells."""
        self._claims, said = self._claims.happened(fact, before, now)
        for claim in said:
            self._send_claim(claim)

    def _send_claim(self, claim: Claim) -> bool:
        if self._connection is None:
            return False
        try:
            said = msgspec.structs.replace(claim, aud=self._address.audience)
            expires_s = int(CLAIM_LIVES.total_seconds())
            self._connection.publish(self._address.topic("claim"), self._signer.sign(said), expires_s=expires_s)
        except PortalError:
            return False
        return True

    def _ask_again(self, connection: Connection) -> float | None:
        """Repeat what waits for an answer; the seconds until something is due again."""
        now_s = self._around.clock().mono_s
        self._claims, claims = self._claims.due(now_s)
        for claim in claims:
            self._send_claim(claim)
        self._enrols, enrols = self._enrols.due(now_s)
        for enrol in enrols:
            connection.publish(self._address.topic("enrol"), self._signer.sign(enrol))
        due = [due_s for due_s in (self._claims.deadline_s(), self._enrols.deadline_s()) if due_s is not None]
        return max(0.0, min(due) - now_s) if due else None

    async def _on_claim_reply(self, _connection: Connection, message: Incoming) -> None:
        reply = self._guard.claim(message.payload)
        answered = self._claims.answered(HoldId(reply.claim_id))
        if answered is None:
            self._refuse("answered_before", reply.claim_id)
            return
        self._claims = answered
        self._on_claim(ClaimAnswered(HoldId(reply.claim_id), reply.fence, reply.holder))

    async def _on_left_elsewhere(self, _connection: Connection, message: Incoming) -> None:
        self._on_left([*map(HoldId, self._guard.left(message.payload).sessions)])

    # ---- a connection ----

    def reconnect(self, why: str) -> None:
        """Leave the connection, if there is one, so that the next one begins with what has changed."""
        self._leave = why
        self._bell.set()

    async def _talk(self, connection: Connection) -> None:
        self._begin()
        self._leave = ""
        self._connection = connection
        try:
            await self._store.note_conn(self._conn)
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
            self._connection = None
            with contextlib.suppress(PortalError):
                connection.publish(self._address.topic("state"), self._state("offline"), retain=True)
        raise lost

    def _begin(self) -> None:
        """Whatever was under way is lost: send what is not acknowledged, and ask for the list."""
        self._rows.begin(self._conn)
        self._enrols = self._enrols.begun()
        self._ask_at_s, self._asked = 0.0, 0
        self._bell.set()

    # ---- up ----

    async def _send(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._bell.clear()
            if self._leave:
                raise PortalError(self._leave)
            if self._rows.birth_due():
                self._send_state(connection)
            await self._rows.send(lambda rows: connection.publish(self._address.topic("ev"), rows))
            if loop.time() >= self._ask_at_s:
                self._ask(connection)
            wake_s = min(self._ask_at_s, self._rows.deadline_s() or self._ask_at_s)
            again_s = self._ask_again(connection)
            wake_s = wake_s if again_s is None else min(wake_s, loop.time() + again_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(wake_s):
                    await self._bell.wait()

    def _ask(self, connection: Connection) -> None:
        connection.publish(self._address.topic("list/get"), messages.encode(self._list.question()))
        # A portal that was away says that it is back; until then it need not be asked twice a minute.
        wait_s = min(ASK_AGAIN_S * 2.0 ** min(self._asked, 32), ASK_AGAIN_MAX_S)
        self._ask_at_s = asyncio.get_running_loop().time() + wait_s
        self._asked += 1

    def _ask_next(self, wait_s: float) -> None:
        self._asked = 0
        self._ask_at_s = asyncio.get_running_loop().time() + wait_s

    def _ask_at_latest(self, wait_s: float) -> None:
        self._asked = 0
        self._ask_at_s = min(self._ask_at_s, asyncio.get_running_loop().time() + wait_s)
        self._bell.set()

    async def _look_at_age(self) -> None:
        """Say once when the list has grown stale or the clock is behind, and once when that is over."""
        while True:
            self._note_age()
            await asyncio.sleep(LOOK_AT_AGE_EVERY_S)

    def _note_age(self) -> None:
        stale = self._list.stale
        if stale is not self._stale:
            self._stale = stale
            if stale:
                log.warning("the portal has not confirmed the list for too long; it may not be the newest")
            else:
                log.info("the portal confirms the list again")
        if bool(said := self._guard.trouble) is not self._behind:
            self._behind = bool(said)
            log.log(logging.ERROR if said else logging.INFO, "%s", said or "this edge's clock is right again")

    def _news(self) -> tuple[object, ...]:
        """What the portal is told of at once."""
        listed = self._list.have, self._list.confirmed_at, self._trouble
        return listed, self._stale, self._guard.keyset, self._store.ledger

    @property
    def _trouble(self) -> str:
        return self._list.trouble or self._guard.trouble

    def _send_state(self, connection: Connection) -> None:
        self._told = self._news()
        self._states_told += 1
        connection.publish(self._address.topic("state"), self._state("online"), retain=True)

    def _new_will(self) -> Will:
        self._conn = max(self._conn + 1, self._store.last_conn + 1, int(self._guard.now().timestamp() * 1000))
        return Will(self._address.topic("state"), self._state("offline"))

    def _state(self, status: Literal["online", "offline"]) -> bytes:
        state = State(
            aud=self._address.audience,
            status=status,
            conn=self._conn,
            told=self._states_told,
            ledger=self._store.ledger,
            after=self._store.ledger_after,
            next_seq=self._store.next_seq,
            acked=self._store.acked_through,
            list=self._list.have,
            list_at=self._list.confirmed_at,
            said_at=self._around.clock().wall if status == "online" else None,
            stale=self._stale,
            keyset=self._guard.keyset,
            nonce=self._nonce,
            sw=self._software,
            sqlite=sqlite3.sqlite_version,
            trouble=self._trouble,
            asks=self._rows.unanswered,
        )
        return self._signer.sign(state)

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
            await handler(connection, message)
        except (MalformedMessage, OverflowError) as error:
            # The last hours of the year 9999 are a time, and none in UTC.
            self._refuse(Refusal.MALFORMED, str(error))
        except MessageRefused as error:
            self._refuse(error.reason, str(error))
        self._note_age()
        if self._news() != self._told:
            self._send_state(connection)

    def _refuse(self, reason: str, detail: str) -> None:
        self.refused[reason] += 1
        # The first of its kind is news; a flood must not fill the log.
        level = logging.WARNING if self.refused[reason] == 1 else logging.DEBUG
        log.log(level, "message from the portal refused: %s (%s)", reason, detail[:200])

    async def _on_ack(self, _connection: Connection, message: Incoming) -> None:
        ack = self._guard.ack(message.payload)
        if ack.conn > self._conn:
            # Numbers were lost with a database from a backup, and the clock does not make up for it.
            await self._store.note_conn(ack.conn)
            self.reconnect("the portal knows a later connection of this edge")
            return
        await self._rows.on_ack(ack)
        self._bell.set()

    async def _on_keys(self, _connection: Connection, message: Incoming) -> None:
        if await self._guard.keys(message.payload):
            log.info("the portal's keys %d are in force", self._guard.keyset)
            # What it signed with them before may have been refused.
            self._rows.begin(self._conn)
            self._ask_at_latest(0.0)

    async def _on_head(self, _connection: Connection, message: Incoming) -> None:
        head = await self._list.on_head(message.payload)
        if head.conn != self._portal_conn:
            # The portal is new here: what was sent to nobody need not wait for its next turn.
            self._portal_conn = head.conn
            self._begin()

    async def _on_delta(self, _connection: Connection, message: Incoming) -> None:
        await self._list.on_delta(message.payload)

    async def _on_part(self, _connection: Connection, message: Incoming) -> None:
        await self._list.on_part(message.payload)

    async def _on_mend(self, _connection: Connection, message: Incoming) -> None:
        await self._list.on_mend(message.payload)

    async def _on_cmd(self, connection: Connection, message: Incoming) -> None:
        """Carry an order out, once and now; it is answered only if it is the portal's."""
        if message.retained:
            raise MessageRefused(Refusal.RETAINED, "an order is never kept")
        cmd = await self._guard.order(message.payload, self._nonce)
        if isinstance(cmd.ask, SyncNow):
            self._ask_at_latest(0.0)
            answer = Answer(True, "the list is asked for")
        elif isinstance(cmd.ask, SendPicture):
            answer = await self._send_picture(connection, cmd.ask)
        else:
            left_s = (cmd.exp - self._guard.now()).total_seconds()
            answer = await self._on_order(cmd.ask, left_s)
        status: Literal["done", "refused"] = "done" if answer.done else "refused"
        result = CmdResult(aud=self._address.audience, cmd_id=cmd.cmd_id, status=status, detail=answer.text[:1000])
        connection.publish(self._address.topic("cmd/r"), self._signer.sign(result))

    async def _send_picture(self, connection: Connection, ask: SendPicture) -> Answer:
        found = await picture_of(self._store, ask, self._find_picture)
        if not isinstance(found, Picture):
            return found
        for part in parts_of(found, ask, self._address):
            connection.publish(self._address.topic("evidence"), self._signer.sign(part))
        return Answer(True, f"{len(found.jpeg)} bytes")
