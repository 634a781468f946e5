"""What the benchmarks of the link share: a real Mosquitto, the portal in a process of its own, an edge, bare rows.

`python -m benchmarks._link FOLDER PORT ENTRIES PREFIX` is the portal: it fills its list, says `ready`, and then
does what each line of its standard input says, answering each with one line of JSON.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks._report import ROOT
from benchmarks.lookup import plates
from gate_controller.allowlist import Action, Allowlist, Change, Permit, PermitPut, User, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from hardware_sim.broker import free_port
from hardware_sim.portal.edges.books import Changes
from hardware_sim.portal.edges.service import Portal
from sync.codec import encode_change
from sync.messages import Address
from sync.mqtt import Backoff, Endpoint
from sync.orders import Answer, Request
from sync.portal import PortalLink, Surroundings
from sync.signing import Signer
from sync.store import Store

TENANT, SITE = "bench", "link"
EDGES: Final = ("edge", *(f"edge-{number}" for number in range(10)))
"""Whom the portal knows: a database is an edge, and gives it its name."""
CHANGES_A_TIME: Final = 100_000
SEED: Final = 7
DEVICE: Final = Signer.of(b"\7" * 32)
"""What the edge signs with."""


def around() -> Surroundings:
    """The machine's clock and chance."""
    return Surroundings(
        lambda: Moment(datetime.now(UTC), time.monotonic()), random.random, partial(secrets.token_hex, 8)
    )


def entries(count: int, prefix: str = "u") -> list[Change]:
    """Half of them users with a German plate each, half of them their permits."""
    users = [
        User(f"{prefix}-{n:016x}", f"{prefix}{n}", plates=(PlateCredential(Plate(key, (), "D")),))
        for n, key in enumerate(plates(count // 2, random.Random(SEED)))
    ]
    permits = [Permit(f"park-{user.id}", Action.PARK, user_id=user.id) for user in users]
    return [*map(UserPut, users), *map(PermitPut, permits)]


# ---- the other processes ----


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Mosquitto on loopback, keeping nothing; its port."""
    program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        sys.exit("mosquitto is not installed; `make test` installs it")
    port, config = free_port(), folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n")
    child = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield port
    finally:
        child.kill()
        child.wait()


class PortalProcess:
    """The portal in its process; made by `portal`."""

    def __init__(self, child: subprocess.Popen[str], folder: Path) -> None:
        self._child, self._folder = child, folder

    def ask(self, what: str, *values: object) -> Any:
        """Tell it to do something; what it answered."""
        self.tell(what, *values)
        return self.answer()

    def tell(self, what: str, *values: object) -> None:
        """Tell it to do something; `answer` is to be asked for then."""
        assert self._child.stdin is not None
        print(json.dumps([what, *values]), file=self._child.stdin, flush=True)

    def answer(self) -> Any:
        """The next line that it says."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            sys.exit("the portal's process ended")
        return json.loads(line)

    @property
    def root_key(self) -> bytes:
        """What its edges trust."""
        return bytes.fromhex((self._folder / "root.hex").read_text())

    @property
    def rss_mib(self) -> float:
        """Its memory."""
        return rss_mib(self._child.pid)

    @property
    def peak_mib(self) -> float:
        """Its memory at its most."""
        return rss_mib(self._child.pid, peak=True)

    def forget_peak(self) -> None:
        """Its memory at its most counts from now on."""
        Path(f"/proc/{self._child.pid}/clear_refs").write_text("5")


@contextmanager
def portal(folder: Path, port: int, count: int, prefix: str = "u") -> Iterator[PortalProcess]:
    """A portal with so many entries on its list, whose users are called by this prefix."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._link", folder, str(port), str(count), prefix],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        made = PortalProcess(child, folder)
        made.answer()
        yield made
    finally:
        child.kill()
        child.wait()


def rss_mib(pid: int | str = "self", peak: bool = False) -> float:
    """The memory of a process, now or at its most."""
    name = "VmHWM" if peak else "VmRSS"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def broker_peak_mib() -> float:
    """The memory of the broker that this process began, at its most."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        if Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto":
            return rss_mib(pid, peak=True)
    raise LookupError("no broker")


class Edge:
    """An edge's link and database, and what came into force: revision, and when by `time.monotonic`."""

    def __init__(self, store: Store, allowlist: Allowlist, port: int, root_key: bytes) -> None:
        self.store = store
        self.address = Address(TENANT, SITE, store._database.path.stem)
        self.in_force: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        endpoint = Endpoint("127.0.0.1", port, self.address.client_id, backoff=Backoff(0.2, 2.0))
        self.link = PortalLink(
            store, endpoint, self.address, root_key, DEVICE,
            allowlist, self._on_list, _refuse, around(),
        )  # fmt: skip

    def _on_list(self, allowlist: Allowlist, _confirmed_at: datetime) -> None:
        self.in_force.put_nowait((allowlist.revision, time.monotonic()))

    async def until(self, revision: int, within_s: float = 1800.0) -> float:
        """When this revision, or a later one, came into force."""
        async with asyncio.timeout(within_s):
            while True:
                found, at_s = await self.in_force.get()
                if found >= revision:
                    return at_s


@asynccontextmanager
async def edge(file: Path, port: int, root_key: bytes) -> AsyncIterator[Edge]:
    """An edge on this database, not yet connected: run its link."""
    store = await Store.open(file, partial(secrets.token_hex, 8))
    try:
        yield Edge(store, await store.allowlist(), port, root_key)
    finally:
        await store.close()


@asynccontextmanager
async def running(one: Edge) -> AsyncIterator[None]:
    """The edge's link at work."""
    task = asyncio.ensure_future(one.link.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _refuse(_request: Request, _valid_for_s: float) -> Answer:
    return Answer(False, "no lane here")


# ---- what it is compared with ----


@contextmanager
def bare_database(file: Path, like: Path, tables: Sequence[str]) -> Iterator[sqlite3.Connection]:
    """A new database with these tables and their indexes as another one has them, and the same settings."""
    new = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    with closing(new) as db, closing(sqlite3.connect(like)) as source:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        for table in tables:
            found = source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql <> ''", (table,))
            for (sql,) in found.fetchall():
                db.execute(sql)
        yield db


def size_mib(file: Path) -> float:
    """A database and its write-ahead log."""
    return sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*")) / 2**20


# ---- the portal's process ----


async def _serve(folder: Path, port: int, count: int, prefix: str) -> None:
    made = await Portal.open(folder / "portal.db", TENANT, SITE, around())
    for name in EDGES:
        await made.register(name, DEVICE.public)
    (folder / "root.hex").write_text(made.keys.root_key.hex())
    changes = entries(count, prefix)
    for at in range(0, len(changes), CHANGES_A_TIME):
        await made.change(changes[at : at + CHANGES_A_TIME])
    del changes
    _say("ready")
    async with asyncio.TaskGroup() as group:
        group.create_task(made.serve("127.0.0.1", port, Backoff(0.2, 2.0)))
        while line := await asyncio.to_thread(sys.stdin.readline):
            what, *values = json.loads(line)
            _say(await _do(made, what, values))


async def _do(made: Portal, what: str, values: list[Any]) -> object:
    match what:
        case "change":
            # The smallest that the portal is asked for: one user is switched off, or on again.
            user = made.user(f"u{values[0]}")
            asked = time.monotonic()
            revision = await made.change([UserPut(user)])
            return asked, revision
        case "change_bytes":
            found = made.allowlist
            ops = [encode_change(UserPut(made.user("u0")))]
            changes = Changes(found.revision, found.revision + 1, "0" * 64, ops)
            return len(made.keys.sign(made._letters.delta(found.epoch, changes)))
        case "revision":
            return made.allowlist.revision
    return None


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
