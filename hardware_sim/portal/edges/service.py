"""The reference portal: the authority over one site's list, and the place where its edges' journals end.

Its rules are `gate_controller`'s: every change goes through `Allowlist.apply` before it is written and sent, and
everything that an edge must believe is signed. It stores before it acknowledges, and what comes twice is stored
once. One tenant and one site. Not here: edits of single entries (`list_desk`), mail and logins (`records`).
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from gate_controller.allowlist import Allowlist
from gate_controller.errors import BadInput, ConfigError, MalformedMessage, MessageRefused, PortalError, StoreError
from hardware_sim.portal.edges import inbox
from hardware_sim.portal.edges.badge_desk import BadgeDesk
from hardware_sim.portal.edges.books import DELTA_BYTES_MAX, Books, Changes, Mend
from hardware_sim.portal.edges.claim_desk import ClaimDesk
from hardware_sim.portal.edges.cutting import cut_beside
from hardware_sim.portal.edges.enrolment import Enrolment
from hardware_sim.portal.edges.letters import Letters
from hardware_sim.portal.edges.list_desk import Changing, ListDesk
from hardware_sim.portal.edges.order_desk import OrderDesk
from hardware_sim.portal.edges.picture_desk import PictureDesk
from hardware_sim.portal.edges.seldom import Seldom, Soon
from hardware_sim.portal.journals.ingest import Ingest
from hardware_sim.portal.journals.ledgers import Alarm, EdgeSeen, Ledgers, PortalEvent
from hardware_sim.portal.journals.metering import Load
from hardware_sim.portal.trust.keys import PortalKeys
from sync import messages
from sync.database import Blueprint, Database
from sync.identity import TlsFiles
from sync.messages import (
    CLAIM_LIVES,
    ORDER_LIVES,
    Address,
    Cmd,
    CmdResult,
    ListGet,
    Message,
)
from sync.mqtt import Backoff, Connection, Endpoint, Incoming, keep_connected
from sync.orders import Request, SendPicture, SyncNow
from sync.portal import Surroundings
from sync.signing import KeyRing, Refusal, Spoken

PORTAL: Final = Blueprint(0x534C4150, "hardware_sim.portal.schema")
"""A portal's database; its id spells SLAP."""
HEAD_EVERY_S: Final = 1800.0
"""How often the edges are told, signed anew, which list is the newest."""
HEAD_AFTER_S: Final = 0.1
"""How long after a change the edges are told which list is the newest, once for all changes until then."""
KEYS_EVERY_S: Final = 1.0
"""How often at most the keys are told again, to all edges, because some lack them."""

log = logging.getLogger(__name__)


class Portal(ListDesk):
    """One portal, made by `Portal.open`. Changes may be made with or without a broker; edges catch up.

    Changes raise BadInput or ListRejected and then have changed nothing; everything may raise StoreError.
    """

    def __init__(
        self,
        database: Database,
        books: Books,
        ledgers: Ledgers,
        keys: PortalKeys,
        enrolment: Enrolment,
        allowlist: Allowlist,
        era: int,
        tenant: str,
        site: str,
        around: Surroundings,
    ) -> None:
        self.allowlist, self.keys, self.enrolment = allowlist, keys, enrolment
        self._letters = Letters(keys.audience, era, lambda: around.clock().wall)
        self.refused: Counter[str] = Counter()
        """Messages that changed nothing, by the one reason for each."""
        self.database, self._books, self._ledgers = database, books, ledgers
        self.load, self.quarantine = Load(), ledgers.quarantine
        self._ingest = Ingest(database, ledgers, keys, lambda: around.clock().wall, self.load)
        self._tenant, self._site, self.around = tenant, site, around
        self.places = ClaimDesk(database, ledgers.stays, self._ingest, keys, tenant, site, around)
        """Users' places among edges, and the conflicts of those that nobody could ask about."""
        self._badges = BadgeDesk(self.change, database, self._ingest, keys, around, self._send)
        self.connection: Connection | None = None
        # All edges hear them: for each that lacks them, a thousand would hear them a thousand times.
        self._lacks_keys = Seldom(self._publish_keys, KEYS_EVERY_S)
        # Not beside the change itself, which an edge that has both would do at half the speed.
        self._head, self._root = Soon(lambda: self._publish_head(self._root), HEAD_AFTER_S), ""
        self._conn, self._changing = "", asyncio.Lock()
        self._orders = OrderDesk(database, books, self._ingest, around, self._publish_order)
        self._pictures = PictureDesk(database, self._ingest, self._orders, around)

    @classmethod
    async def open(cls, path: Path, tenant: str, site: str, around: Surroundings) -> "Portal":
        """Open or create the portal's database, and its keys in the folder `keys` beside it."""
        now = around.clock().wall
        keys = PortalKeys.open(path.parent / "keys", f"{tenant}/{site}", now)
        database = await Database.open(path, PORTAL)
        try:
            books = await database.write(lambda: Books(database.sql, around.new_id(), now))
            allowlist, era = await database.run(lambda: (books.allowlist(), books.era()))
            ledgers = Ledgers(database.sql)
            enrolment = Enrolment(database, path.parent / "keys", tenant, site, keys.root_key, around.clock)
            return cls(database, books, ledgers, keys, enrolment, allowlist, era, tenant, site, around)
        except BaseException:
            await database.close()
            raise

    async def close(self) -> None:
        """Close the database."""
        await self.database.close()

    # ---- the list; single entries of it: `ListDesk` ----

    async def change(self, changes: Changing, beside: Callable[[], None] | None = None) -> int:
        """Make the next revision and send it to the edges; returns its number.

        A function is given the list as it is then, so that no other change comes between. `beside` is run in the
        same transaction, for rows that stand with the change or not at all. A caller that stops waiting does not
        undo it: what is on disk is also in force and sent.
        """
        return await asyncio.shield(self._change(changes, beside))

    async def _change(self, changing: Changing, beside: Callable[[], None] | None) -> int:
        async with self._changing:
            old = self.allowlist
            changes = changing(old) if callable(changing) else changing
            new = old.apply(changes, old.revision + 1)
            if new.wants_compaction:
                new = await asyncio.to_thread(new.compacted)
            now, loop = self.around.clock().wall, asyncio.get_running_loop()
            sealed: list[bytes | None] = []

            def seal(made: Changes) -> None:
                fits = sum(len(bytes(op)) for op in made.ops) <= DELTA_BYTES_MAX
                sealed.append(self.keys.sign(self._letters.delta(old.epoch, made)) if fits else None)

            def written() -> Changes:
                if beside is not None:
                    beside()
                made = self._books.change(old.epoch, old.revision, changes, now)
                # Signed while the disk is waited for, and sent when it is there.
                loop.call_soon_threadsafe(seal, made)
                return made

            made = await self.database.write(written)
            if not sealed:
                seal(made)
            self.allowlist, self._root = new, made.root
            if sealed[0] is not None:
                self._send(self._topic("list/delta"), sealed[0])
            self._head.want()
        return new.revision

    # ---- what the edges sent ----

    async def register(self, edge: str, public: bytes) -> None:
        """Believe from now on what this key signs as this edge, and nothing else; `device.pub` at the edge has it.

        Raises BadInput for a name or key that is none.
        """
        try:
            Address(self._tenant, self._site, edge)
            KeyRing.of_edge(public)
        except (ConfigError, ValueError) as error:
            raise BadInput(f"edge {edge!r} cannot be registered: {error}") from error
        if await self.enrolment.is_retired(edge):
            raise BadInput(f"edge {edge} is retired and its name is never given again; choose another")
        await self.database.write(self._ledgers.put_key, edge, public)

    async def edges(self) -> list[EdgeSeen]:
        """Every edge that spoke and is not retired: whether it is online, its revision, how far its events came."""
        return await self.database.run(self._ledgers.edges)

    async def applied(self) -> tuple[int, int]:
        """On how many edges the newest list is in force, and of how many."""
        wanted = messages.Revision(self.allowlist.epoch, self.allowlist.revision)
        edges = await self.edges()
        return sum(edge.revision == wanted for edge in edges), len(edges)

    async def events(self, after: int = 0, limit: int = 1000, kinds: Sequence[str] = ()) -> list[PortalEvent]:
        """Events in the order of their arrival, of all kinds or these; begin again after the last `number` seen."""
        return await self.database.run(self._ledgers.events, after, limit, kinds)

    async def latest(self, limit: int) -> list[PortalEvent]:
        """The newest events, in the order of their arrival."""
        return await self.database.run(self._ledgers.latest, limit)

    async def alarms(self, limit: int = 100) -> list[Alarm]:
        """What needs a person at an edge, the newest first."""
        return await self.database.run(self._ledgers.alarms, limit)

    # ---- orders ----

    async def command(self, edge: str, ask: Request | SyncNow) -> CmdResult:
        """Order something of an edge, now; what became of it.

        Raises PortalError when the edge is not there, and when it says nothing in time: then nobody knows whether
        the order was carried out, but it is void by now.
        """
        seen = await self._there(edge)
        return await self._orders.give(Address(self._tenant, self._site, edge), seen.nonce, ask)

    async def picture(self, edge: str, ledger: str, seq: int) -> bytes | None:
        """The JPEG that decided this row, from here or from the edge; None if it is gone, or never was.

        Raises PortalError when the edge is not there, or not all of it comes.
        """
        ask = SendPicture(ledger, seq)
        if (kept := await self._pictures.kept(edge, ask)) is not None:
            return kept
        seen = await self._there(edge)
        return await self._pictures.fetch(Address(self._tenant, self._site, edge), seen.nonce, ask)

    async def _there(self, edge: str) -> EdgeSeen:
        seen = next((found for found in await self.edges() if found.name == edge), None)
        if self.connection is None or seen is None or not seen.online:
            raise PortalError(f"edge {edge} is not connected; an order is never kept for later")
        return seen

    async def rotate_keys(self) -> None:
        """A new online key; the edges learn of it at once or when they come back."""
        self.keys.rotate(self.around.clock().wall)
        self._publish_keys()
        await self._tell_head()

    # ---- the link ----

    async def serve(
        self,
        host: str,
        port: int,
        backoff: Backoff | None = None,
        tls: TlsFiles | None = None,
        *,
        workers: int = 0,
    ) -> None:
        """Speak with the edges over a broker, for ever; without one the portal works on and tries again.

        With `workers`, events come over so many connections of their own, among which the broker shares them out.
        """
        name = f"{self._tenant}.{self._site}.portal"
        endpoint = Endpoint(host, port, name, inbox.RECEIVE_MAX, backoff or Backoff(), tls)
        suffixes = ["+/state", "+/list/get", "+/cmd/r", "+/claim", "+/evidence", "+/enrol"]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_heads())
            take = partial(inbox.work, handle=self._handle, load=self.load)
            for number in range(workers):
                worker = replace(endpoint, client_id=f"{name}.{number}")
                shared = [f"$share/ingest/{self._topic('+/ev')}"]
                group.create_task(keep_connected(worker, self.around.chance, lambda: None, shared, take))
            topics = [*map(self._topic, suffixes if workers else [*suffixes, "+/ev"])]
            await keep_connected(endpoint, self.around.chance, lambda: None, topics, self._talk)

    async def _tell_heads(self) -> None:
        while True:
            with contextlib.suppress(StoreError):
                await self._pictures.erase()
                await self.database.write(self._books.forget, self.around.clock().wall)
                await self.database.write(self.quarantine.forget, self.around.clock().wall)
            await asyncio.sleep(HEAD_EVERY_S)
            with contextlib.suppress(StoreError):
                await self._tell_head()

    async def _talk(self, connection: Connection) -> None:
        self.connection, self._conn = connection, self.around.new_id()
        try:
            self._publish_keys()
            with inbox.as_lost():
                await self._tell_head()
            await inbox.work(connection, self._handle, self.load, lambda topic: topic.endswith("/claim"))
        finally:
            self.connection = None

    async def _handle(self, message: Incoming) -> None:
        edge, _, suffix = message.topic.removeprefix(self._topic("")).partition("/")
        handlers = {
            "state": self._on_state,
            "ev": self._on_events,
            "list/get": self._on_get,
            "cmd/r": self._orders.on_result,
            "evidence": self._pictures.on_part,
            "claim": self._on_claim,
            "enrol": self._badges.on_enrol,
        }
        try:
            address = Address(self._tenant, self._site, edge)
            await handlers[suffix](address, message.payload)
        except MessageRefused as error:
            self._refuse(error.reason, message.topic, error)
        except (MalformedMessage, ConfigError, KeyError, OverflowError) as error:
            self._refuse(Refusal.MALFORMED, message.topic, error)

    def _refuse(self, reason: str, topic: str, error: Exception) -> None:
        self.refused[reason] += 1
        # The first of its kind is news; a flood must not fill the log.
        level = logging.WARNING if self.refused[reason] == 1 else logging.DEBUG
        log.log(level, "message on %s refused: %s", topic, str(error)[:200])

    async def _on_state(self, edge: Address, payload: bytes) -> None:
        state, noted, ack = await self._ingest.state(edge, payload)
        if state.status == "online" and state.keyset != self.keys.version:
            # A broker that forgot the key set keeps it from nobody.
            self._lacks_keys.want()
        if ack is not None:
            self._send(edge.topic("ev/ack"), ack)
        if not noted:
            raise MessageRefused(Refusal.ROLLED_BACK, f"state {state.told} of connection {state.conn} is overtaken")
        if state.status == "online" and (left := await self.places.left(edge)):
            self._publish(edge.topic("claim/left"), left)

    async def _on_events(self, edge: Address, payload: bytes) -> None:
        self._send(edge.topic("ev/ack"), await self._ingest.events(edge, payload))
        for other, left in await self.places.news():
            self._publish(other.topic("claim/left"), left)

    async def _on_claim(self, edge: Address, payload: bytes) -> None:
        reply = await self.places.answer(edge, payload)
        if reply is not None:
            self._send(edge.topic("claim/r"), reply, expires_s=int(CLAIM_LIVES.total_seconds()))

    async def _on_get(self, edge: Address, payload: bytes) -> None:
        get = messages.decode(ListGet, payload)
        if get.keyset != self.keys.version:
            # The key set may have been lost on its way; the answer would be refused.
            self._lacks_keys.want()
        answer, epoch = await self.database.write(self._books.answer, get, cut_long=False), self.allowlist.epoch
        if answer == []:
            cut = await asyncio.to_thread(cut_beside, self.database.path)
            await self.database.write(self._books.keep, cut)
            answer = await self.database.write(self._books.answer, get)
        if isinstance(answer, Changes):
            self._publish(edge.topic("list/delta"), self._letters.delta(epoch, answer))
        elif isinstance(answer, Mend):
            self._publish(edge.topic("list/mend"), self._letters.mend(epoch, answer))
        else:
            for part in answer:
                self._publish(edge.topic("list/part"), self._letters.part(epoch, part))

    def _publish_order(self, edge: Address, order: Cmd) -> None:
        self._publish(edge.topic("cmd"), order, expires_s=int(ORDER_LIVES.total_seconds()))

    # ---- what is signed ----

    async def _tell_head(self) -> None:
        async with self._changing:
            self._publish_head(await self.database.run(self._books.root))

    def _publish_head(self, root: str) -> None:
        head = self._letters.head(self.allowlist, root, self._conn)
        self._publish(self._topic("list/head"), head, retain=True)

    def _publish_keys(self) -> None:
        self._send(self._topic("keys"), self.keys.keyset, retain=True)

    def _publish(
        self, topic: str, message: Message | Spoken, *, retain: bool = False, expires_s: int | None = None
    ) -> None:
        payload = self.keys.sign(message) if isinstance(message, Spoken) else messages.encode(message)
        self._send(topic, payload, retain=retain, expires_s=expires_s)

    def _send(self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None) -> None:
        # What is lost with a connection is asked for, or sent again, on the next one.
        if self.connection is not None:
            with contextlib.suppress(PortalError):
                self.connection.publish(topic, payload, retain=retain, expires_s=expires_s)

    def _topic(self, suffix: str) -> str:
        return f"{messages.topic_root(self._tenant, self._site)}/{suffix}"
