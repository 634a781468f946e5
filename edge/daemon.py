"""The one place where everything is wired: settings in, a running site out.

A frame's way: camera, `watcher`, `LaneTask.put`, `decide` on the site as it is now, the recorder, back as
`Committed`, outputs, the board's codec, the port. A list's way: the portal link or the list file, the store, the
next snapshot, assigned to `site`. Everything but reading frames and the disk happens in one event loop.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from edge import clock, control, orders
from edge.config import IN_THE_CLEAR, Config, PortalTable
from edge.desk_task import Desks
from edge.display_task import displays
from edge.evidence import EvidenceFolder
from edge.lane_task import LaneTask
from edge.link import Link
from edge.list_keeper import ListKeeper
from edge.narrate import narrate
from edge.recorder import Recorder
from edge.renewal import CertificateKeeper
from edge.standing import StandingOrders
from edge.version import software
from edge.wires import Wires
from gate_controller.allowlist import Allowlist
from gate_controller.devices import CODECS
from gate_controller.devices.codec import Signal
from gate_controller.errors import StoreError
from gate_controller.facts import Closed, Fact, Granted, HoldId, HoldReleased, LaneId, Refused, Released
from gate_controller.lane import ClaimAnswered, ClaimFailed, CommitFailed, Committed
from gate_controller.lane_scan import needs_claim
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy
from gate_controller.site import Site
from sync import enrolment
from sync.device_key import device_key
from sync.identity import TlsFiles
from sync.mqtt import Endpoint
from sync.orders import Answer, ClearUser, EnrolBadge, LaneOrder, Request, Revoke, SwitchLane
from sync.pictures import Picture
from sync.portal import PortalLink, Surroundings
from sync.store import Store

if TYPE_CHECKING:
    from edge.watcher import Watcher

log = logging.getLogger(__name__)

TIDY_EVERY_S: Final = 600.0
SAY_AFTER_S: Final = 0.05
"""The log's lines come so much later than the facts: a boom never waits for somebody's terminal."""
ORDER_VALID_FOR_S: Final = 10.0


class Daemon:
    """A site at work. `site` is replaced whole at every change; whoever reads it sees one instant."""

    def __init__(
        self,
        config: Config,
        run: str,
        store: Store,
        site: Site,
        keeper: ListKeeper | None,
        standing: StandingOrders,
    ) -> None:
        """`run` is unique to this start of the program; use `Daemon.serve` to open everything and run."""
        self.site = site
        self._standing = standing
        self._config = config
        self._store, self._keeper = store, keeper
        self._unsaid: list[Fact] = []
        self._broken: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._evidence = EvidenceFolder(config.path(config.store.evidence))
        self._recorder = Recorder(store, self._committed, self._commit_failed, self._written)
        self._portal = self._portal_link(config.portal, config.tls()) if config.portal is not None else None
        self._release_holds_of_the_last_run()
        self._links = {
            name: Link(str(config.path(table.port)), CODECS[table.kind](), partial(self._from_board, name))
            for name, table in config.boards.items()
        }
        self._readers = {
            name: Link(str(config.path(table.port)), table.codec(), partial(self._from_reader, name))
            for name, table in config.readers.items()
        }
        self._lanes = {
            LaneId(name): LaneTask(
                table.setup(name),
                run,
                self,
                {role: channel - 1 for role, channel in table.outputs.fitted().items()},
                self._links[table.board].drive,
            )
            for name, table in config.lanes.items()
        }
        drives = {name: link.drive for name, link in self._links.items()}
        self._desks = Desks(config, run, self, drives, self._portal)
        read_pass = self._portal.read_pass if self._portal is not None else lambda _: None
        self._wires = Wires(config, self._lanes, self._desks, self.record, read_pass)

    def record(self, facts: Sequence[Fact], now: Moment) -> None:
        """Fold facts into the site at once, queue them for the journal, and say them a little later."""
        if not facts:
            return
        occupancy = self.site.occupancy
        numbered = self._recorder.record(facts, now.wall)
        for fact in numbered:
            self._tell_portal(fact, occupancy, now)
            occupancy = occupancy.fold(fact, now.wall)
        self.site = replace(self.site, occupancy=occupancy)
        if not self._unsaid:
            asyncio.get_running_loop().call_later(SAY_AFTER_S, self._say)
        self._unsaid += numbered

    def _say(self) -> None:
        said, self._unsaid = self._unsaid, []
        for fact in said:
            log.info("%s", narrate(fact))

    def _tell_portal(self, fact: Fact, before: Occupancy, now: Moment) -> None:
        """It keeps the places at a site of several edges; where nobody can be asked, the lane hears so at once."""
        if self._portal is None or self.site.rules.claims is None:
            return
        self._portal.happened(fact, before, now)
        if isinstance(fact, Granted) and needs_claim(fact, self.site) and not self._portal.ask_place(fact, now):
            failed = ClaimFailed(fact.hold, "no connection to the portal")
            # Not at once: the lane is still in the middle of this fact.
            asyncio.get_running_loop().call_soon(self._claim_answered, failed)

    def _claim_answered(self, said: ClaimAnswered | ClaimFailed) -> None:
        hold = self.site.occupancy.holds.get(said.hold)
        if hold is not None and hold.lane in self._lanes:
            self._lanes[hold.lane].put(said)

    def _left_elsewhere(self, sessions: Sequence[HoldId]) -> None:
        inside = [session for session in self.site.occupancy.inside() if session.id in sessions]
        self.record([session.closed(Closed.LEFT_ELSEWHERE) for session in inside], clock.now())

    async def run(self) -> None:
        """Work until cancelled; what is recorded by then is written before it returns."""
        asyncio.get_running_loop().set_exception_handler(self._on_broken_callback)
        try:
            with ThreadPoolExecutor(1, "recognition") as worker:
                async with asyncio.TaskGroup() as group:
                    for task in self._tasks(worker):
                        group.create_task(task)
        finally:
            self._desks.stop()
            for lane in self._lanes.values():
                lane.stop()
            self._say()
            await self._recorder.flush()
            await asyncio.to_thread(self._evidence.close)

    async def answer(self, request: Request, valid_for_s: float = ORDER_VALID_FOR_S) -> Answer:
        """Do what a person at the machine or the portal asks, now; the journal keeps who asked and why."""
        match request:
            case LaneOrder():
                return orders.give(self._lanes, request, valid_for_s)
            case ClearUser():
                return orders.clear(self._lanes, self.site.occupancy, self.record, request)
            case SwitchLane() | Revoke():
                return await self._keep(request)
            case EnrolBadge():
                return self._desks.choose(request)

    async def _keep(self, order: SwitchLane | Revoke) -> Answer:
        why = self._standing.refusal(order)
        if why:
            return Answer(False, why)
        try:
            fact = await self._standing.keep(order, self.site.allowlist.epoch)
        except StoreError as error:
            return Answer(False, str(error))
        self.site = self._standing.in_force(self.site)
        self.record([fact], clock.now())
        return Answer(True, narrate(fact))

    def _tasks(self, worker: ThreadPoolExecutor) -> list[Coroutine[None, None, None]]:
        return [
            self._until_broken(),
            self._recorder.run(),
            self._tidy(),
            self._desks.run(),
            *(display.run() for display in displays(self._config, self, self._portal)),
            control.serve(control.socket_of(self._config.path(self._config.store.path)), self.answer),
            *(link.run() for link in (*self._links.values(), *self._readers.values())),
            *(watcher.run() for watcher in self._watchers(worker)),
            *self._portal_tasks(),
            *([self._keeper.run(self._list_of_the_file)] if self._keeper is not None else []),
        ]

    def _on_broken_callback(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A lane whose wake-up failed would stand still for ever: end the program, so that it is started again."""
        error = context.get("exception")
        if "handle" in context and isinstance(error, Exception) and not self._broken.done():
            self._broken.set_result(error)
        else:
            loop.default_exception_handler(context)

    async def _until_broken(self) -> None:
        raise await self._broken

    def _portal_tasks(self) -> list[Coroutine[None, None, None]]:
        table, link, tls = self._config.portal, self._portal, self._config.tls()
        if table is None or link is None:
            return []
        if table.in_the_clear:
            log.warning("the link to the portal is not encrypted: %s", IN_THE_CLEAR)
        if tls is None or table.tls is None:
            return [link.run()]
        renews_at = None if table.tls.renew is None else enrolment.Portal.parse(table.tls.renew)
        return [link.run(), CertificateKeeper(tls, renews_at, link.reconnect, clock.now, random.random).run()]

    def _portal_link(self, table: PortalTable, tls: TlsFiles | None) -> PortalLink:
        address = table.address()
        return PortalLink(
            self._store,
            Endpoint(table.host, table.port, address.client_id, tls=tls),
            address,
            bytes.fromhex(table.root_key),
            device_key(self._config.path(self._config.store.path).parent),
            self.site.allowlist,
            self._list_in_force,
            self.answer,
            Surroundings(clock.now, random.random, partial(secrets.token_hex, 8)),
            software=software(),
            on_claim=self._claim_answered,
            on_left=self._left_elsewhere,
            find_picture=self._picture,
            on_enrolled=lambda asked, reply: self._desks.answered(asked, reply),
        )

    async def _picture(self, name: str) -> Picture | None:
        table = self._config.store
        keep, strangers = timedelta(days=table.keep_personal_days), timedelta(hours=table.keep_strangers_h)
        return await asyncio.to_thread(self._evidence.read, name, clock.now().wall, keep, strangers)

    def _list_of_the_file(self, allowlist: Allowlist) -> None:
        self.site = replace(self.site, allowlist=allowlist)

    def _list_in_force(self, allowlist: Allowlist, confirmed_at: datetime) -> None:
        known = self.site.list_confirmed_at
        # The same word heard again says nothing of today.
        fresh = known is None or confirmed_at > known
        since_s = clock.now().mono_s if fresh else self.site.list_since_mono_s
        self.site = replace(
            self.site, allowlist=allowlist, list_confirmed_at=confirmed_at, list_since_mono_s=since_s
        )

    async def _note_list_age(self) -> None:
        confirmed_at, since_s = self.site.list_confirmed_at, self.site.list_since_mono_s
        if confirmed_at is not None and since_s is not None:
            await self._store.note_list_age(confirmed_at, clock.now().mono_s - since_s)

    def _watchers(self, worker: ThreadPoolExecutor) -> "list[Watcher]":
        seen = [(name, lane, lane.camera) for name, lane in self._config.lanes.items() if lane.camera is not None]
        if not seen:
            return []
        # Here, because a site of badges alone need not wait for them at every start, nor carry them in memory.
        from edge.camera import is_live
        from edge.watcher import Watcher
        from recognition.choice import Models, load_recognizer
        from recognition.roi import Roi

        chosen = self._config.recognition
        recognizer = load_recognizer(Models(chosen.ocr, chosen.detector), self._config.folder)
        path = self._config.path
        return [
            Watcher(
                self._lanes[LaneId(name)],
                camera if is_live(camera) else str(path(camera)),
                recognizer,
                worker,
                self._evidence,
                Roi(lane.region, lane.plate_width_min_px),
            )
            for name, lane, camera in seen
        ]

    def _release_holds_of_the_last_run(self) -> None:
        """An intent without an outcome: nobody knows whether the vehicle passed, and no relay is pulsed again."""
        now = clock.now()
        self.record(
            [HoldReleased(h.lane, h.id, Released.OUTCOME_UNKNOWN) for h in self.site.occupancy.holds.values()], now
        )

    async def _tidy(self) -> None:
        """Forget in time; what a sick disk does not let go of is tried again."""
        while True:
            now = clock.now()
            self.record(self.site.occupancy.expired(now.wall, self.site.rules.session_expires_after), now)
            try:
                await self._note_list_age()
                await self._standing.forget(self.site)
                self.site = self._standing.in_force(self.site)
                await self._forget(now.wall)
            except (StoreError, OSError) as error:
                log.error("what is due could not be written or erased, and is tried again: %s", error)
            await asyncio.sleep(TIDY_EVERY_S)

    async def _forget(self, now: datetime) -> None:
        """Personal fields and pictures past their retention; strangers sooner, down to a keyed hash."""
        table = self._config.store
        keep = timedelta(days=table.keep_personal_days)
        strangers = now - timedelta(hours=table.keep_strangers_h)
        pictures = await self._store.hash_strangers(strangers, now, secrets.token_bytes(32))
        await asyncio.to_thread(self._evidence.delete, pictures)
        await self._store.erase_personal(now - keep)
        await asyncio.to_thread(self._evidence.erase, now, keep, timedelta(hours=table.keep_strangers_h))

    # ---- what comes in ----

    def _committed(self, lane: LaneId, hold: HoldId) -> None:
        if lane in self._lanes:
            self._lanes[lane].put(Committed(hold))
        self._desks.committed(lane, hold)

    def _written(self, facts: Sequence[Fact]) -> None:
        """A picture is written when the row that names it stands, and no commit at a boom waits beside it."""
        for fact in facts:
            if isinstance(fact, Granted | Refused) and fact.basis.evidence is not None:
                self._evidence.keep(fact.basis.evidence, stranger=fact.user_id is None)

    def _commit_failed(self, lane: LaneId, hold: HoldId, why: str) -> None:
        if lane in self._lanes:
            self._lanes[lane].put(CommitFailed(hold, why))
        self._desks.commit_failed(lane, hold)

    def _from_board(self, board: str, signal: Signal) -> None:
        self._wires.from_board(board, signal)

    def _from_reader(self, reader: str, signal: Signal) -> None:
        self._wires.from_reader(reader, signal)


async def serve(config: Config) -> None:
    """Open the database and run the site until cancelled. Raises `SlagboomError` for what a person must mend."""
    store = await Store.open(config.path(config.store.path), partial(secrets.token_hex, 8))
    try:
        keeper = None
        if config.list is not None:
            keeper = ListKeeper(config.path(config.list.file), config.tz(), store)
            await keeper.begin()
        cursor = await store.list_cursor()
        confirmed_at = cursor.confirmed_at if cursor else None
        site = Site(
            allowlist=await store.allowlist(),
            tz=config.tz(),
            occupancy=await store.occupancy(),
            rules=config.rules(),
            list_confirmed_at=confirmed_at,
            list_since_mono_s=clock.now().mono_s - (await store.list_age(confirmed_at) if confirmed_at else 0.0),
            name=config.site_name(),
        )
        standing = StandingOrders(config, store)
        await standing.load()
        inside = len([*site.occupancy.inside()])
        log.info("%d vehicles inside, list revision %d", inside, site.allowlist.revision)
        await Daemon(config, secrets.token_hex(4), store, standing.in_force(site), keeper, standing).run()
    finally:
        await store.close()
