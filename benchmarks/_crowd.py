"""The two sides of `storm`, each in processes of its own: many edges' links, and the portal they speak with.

Real links, databases and signatures; only lanes and cameras are missing. An edge process writes a line whenever an
edge is seen to have changed (`seconds, edge, revision in force, connected, rows waiting`), the portal ten a second
that tell how long it has worked at what. Its parts are timed where they are called; nothing of it is replaced.
"""

import asyncio
import json
import logging
import os
import random
import secrets
import shutil
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from gate_controller.allowlist import Action, Allowlist, Permit, PermitPut, User, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, Matched, Opened, Passed
from gate_controller.facts import VehicleArrived as Arrived
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.journals import ingest
from hardware_sim.portal.trust.keys import PortalKeys
from sync.database import Database
from sync.messages import Address
from sync.mqtt import Backoff, Endpoint
from sync.orders import Answer, Request
from sync.portal import PortalLink, Surroundings
from sync.signing import Signer
from sync.store import Store

TENANT, SITE = "bench", "storm"
USERS: Final = 100
ROWS_A_PASSAGE: Final = 4
LOOK_EVERY_S: Final = 0.1
ENTRY, EXIT = LaneId("entry"), LaneId("exit")


def around() -> Surroundings:
    """The machine's clock and chance."""
    return Surroundings(
        lambda: Moment(datetime.now(UTC), time.monotonic()), random.random, partial(secrets.token_hex, 8)
    )


# ---- the portal ----


class Meter:
    """How often a part of the portal has worked, and for how many seconds in all."""

    def __init__(self) -> None:
        self.spent: dict[str, tuple[int, float]] = {}

    def note(self, part: str, begun: float) -> None:
        """It worked from then until now."""
        times, seconds = self.spent.get(part, (0, 0.0))
        self.spent[part] = times + 1, seconds + time.perf_counter() - begun

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def call(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.note(part, begun)

        return call

    def awaited(self, part: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The same for one that is awaited: what it waits for counts too."""

        async def call(*args: Any) -> Any:
            begun = time.perf_counter()
            try:
                return await function(*args)
            finally:
                self.note(part, begun)

        return call

    def committed(self, transaction: Callable[[Database], Any]) -> Callable[[Database], Any]:
        """A transaction whose end is timed: from the last statement until it is on the disk."""

        @contextmanager
        def around_it(database: Database) -> Iterator[None]:
            begun = 0.0
            with transaction(database):
                yield
                begun = time.perf_counter()
            self.note("commit", begun)

        return around_it


def watched() -> Meter:
    """Time the portal's parts from now on, in this process."""
    meter = Meter()
    parts: list[tuple[Any, str, Any]] = [
        (Portal, "_handle", meter.awaited("line", Portal._handle)),
        (ingest, "verify", meter.timed("verify", ingest.verify)),
        (PortalKeys, "sign", meter.timed("sign", PortalKeys.sign)),
        (Database, "transaction", meter.committed(Database.transaction)),
    ]
    for owner, name, part in parts:
        setattr(owner, name, part)
    return meter


async def serve_portal(folder: Path, port: int, edges: int) -> None:
    """A portal with a small list, until killed."""
    meter = watched()
    portal = await Portal.open(folder / "portal.db", TENANT, SITE, around())
    await portal.database.write(lambda: [portal._ledgers.put_key(f"e{n}", _key(n).public) for n in range(edges)])
    users = [_user(number) for number in range(USERS)]
    permits = [Permit(f"park-{user.id}", Action.PARK, user_id=user.id) for user in users]
    await portal.change([*map(UserPut, users), *map(PermitPut, permits)])
    (folder / "root.hex").write_text(portal.keys.root_key.hex())
    with (folder / "portal.jsonl").open("a", encoding="utf-8") as out:
        async with asyncio.TaskGroup() as group:
            group.create_task(portal.serve("127.0.0.1", port, Backoff(0.2, 2.0)))
            while True:
                loop_s = time.thread_time()
                told = [time.monotonic(), loop_s, time.process_time() - loop_s, meter.spent]
                print(json.dumps(told), file=out, flush=True)
                await asyncio.sleep(LOOK_EVERY_S)


# ---- the edges ----


class Edge:
    """One edge and what is seen of it."""

    def __init__(self, number: int, store: Store, port: int, root: bytes) -> None:
        self.number, self.store, self.revision = number, store, 0
        address = Address(TENANT, SITE, f"e{number}")
        self.link = PortalLink(
            store, Endpoint("127.0.0.1", port, address.client_id), address, root, _key(number),
            Allowlist.empty("none"), self._on_list, _refuse, around(),
        )  # fmt: skip

    def _on_list(self, allowlist: Allowlist, _confirmed_at: datetime) -> None:
        self.revision = allowlist.revision

    @property
    def seen(self) -> tuple[int, int, bool, int]:
        """Its number, the revision in force, whether it is connected, how many rows wait."""
        waiting = self.store.next_seq - 1 - self.store.acked_through
        return self.number, self.revision, self.link._connection is not None, waiting

    async def write(self, rows: int) -> None:
        """The rows of so many passages."""
        made: list[tuple[datetime, Fact]] = []
        while len(made) < rows:
            at = datetime.now(UTC)
            made += [(at, fact) for fact in _passage(self.number, self.store.next_seq + len(made))]
        await self.store.append(made[:rows])


async def run_edges(folder: Path, disks: Path, port: int, first: int, count: int) -> None:
    """So many edges until killed; the file `backlog` in the folder tells them to write that many rows each."""
    root = bytes.fromhex((folder / "root.hex").read_text())
    new = disks / f"new-{first}.db"
    await (await Store.open(new, partial(secrets.token_hex, 8))).close()
    edges = []
    for number in range(first, first + count):
        shutil.copyfile(new, disks / f"edge-{number}.db")
        store = await Store.open(disks / f"edge-{number}.db", partial(secrets.token_hex, 8))
        edges.append(Edge(number, store, port, root))
    async with asyncio.TaskGroup() as group:
        for edge in edges:
            group.create_task(edge.link.run())
        group.create_task(_write(folder, first, edges))
        await _watch(folder / f"edges-{first}.jsonl", edges)


async def _watch(file: Path, edges: list[Edge]) -> None:
    told: dict[int, object] = {}
    with file.open("a", encoding="utf-8") as out:
        while True:
            now = time.monotonic()
            for edge in edges:
                seen = edge.seen
                if told.get(edge.number) != seen:
                    told[edge.number] = seen
                    print(json.dumps([now, *seen]), file=out)
            out.flush()
            await asyncio.sleep(LOOK_EVERY_S)


async def _write(folder: Path, first: int, edges: list[Edge]) -> None:
    wanted = folder / "backlog"
    while not wanted.exists():
        await asyncio.sleep(LOOK_EVERY_S)
    rows = int(wanted.read_text())
    for edge in edges:
        await edge.write(rows)
    (folder / f"written-{first}").touch()


def _passage(edge: int, number: int) -> list[Fact]:
    """A car of this edge's own comes in, or goes out again."""
    comes = number // ROWS_A_PASSAGE % 2 == 0
    lane, way = (ENTRY, Direction.IN) if comes else (EXIT, Direction.OUT)
    hold, before = HoldId(f"{lane}-{edge:08x}-{number}"), HoldId(f"entry-{edge:08x}-{number - ROWS_A_PASSAGE}")
    user, plate = f"u-{edge:016x}", f"BST{edge + 1:04d}"
    basis = Basis("9f8e7d6c5b4a3921", 1, Matched.EXACT, plate, plate, 0.991234, 0.99712, 4, f"{hold}.jpg")
    closes = () if comes else (before,)
    granted = Granted(lane, way, hold, user, str(edge), plate, basis, closes=closes)
    return [Arrived(lane, way), granted, Opened(lane, hold), Passed(lane, way, hold)]


def _key(number: int) -> Signer:
    """The same in every process, so that nothing need be carried over."""
    return Signer.of(sha256(f"edge {number}".encode()).digest())


def _refuse(_request: Request, _valid_for_s: float) -> Answer:
    return Answer(False, "no lane here")


def _user(number: int) -> User:
    plate = Plate.parse(f"B-ST {number + 1}", "D")
    return User(f"u-{number:016x}", str(number), plates=(PlateCredential(plate),))


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # a thousand edges say the same when their broker goes
    try:
        match sys.argv[1:]:
            case "portal", folder, port, edges:
                asyncio.run(serve_portal(Path(folder), int(port), int(edges)))
            case "edges", folder, disks, port, first, count:
                asyncio.run(run_edges(Path(folder), Path(disks), int(port), int(first), int(count)))
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # the databases' threads would wait for ever
