"""The two sides of `storm`, each in processes of its own: many edges' links, and the portal they speak with.

Real links, real databases with their FULL commits, real signatures; only lanes and cameras are missing. An edge
process writes one line a second and edge that changed (`seconds, edge, connected, waiting rows`) to its file.
"""

import asyncio
import contextlib
import json
import logging
import random
import secrets
import sys
import time
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

from gate_controller.allowlist import Action, Allowlist, Permit, PermitPut, User, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.facts import Direction, LaneId, VehicleArrived, VehicleLeft
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from hardware_sim.portal.service import Portal
from sync.messages import Address
from sync.mqtt import Backoff, Endpoint
from sync.orders import Answer, Request
from sync.portal import PortalLink, Surroundings
from sync.signing import Signer
from sync.store import Store

TENANT, SITE = "bench", "storm"
USERS = 200
LOOK_EVERY_S = 0.25


def around() -> Surroundings:
    """The machine's clock and chance."""
    return Surroundings(
        lambda: Moment(datetime.now(UTC), time.monotonic()), random.random, partial(secrets.token_hex, 8)
    )


async def serve_portal(folder: Path, port: int, edges: int) -> None:
    """A portal with a small list, until killed; says what it holds once a second."""
    portal = await Portal.open(folder / "portal.db", TENANT, SITE, around())
    for number in range(edges):
        await portal.register(f"e{number}", _key(number).public)
    changes = [UserPut(_user(number)) for number in range(USERS)]
    await portal.change(
        [*changes, *(PermitPut(Permit(f"p{n}", Action.PARK, user_id=f"u{n}")) for n in range(USERS))]
    )
    (folder / "root.hex").write_text(portal.keys.root_key.hex())
    with (folder / "portal.jsonl").open("a", encoding="utf-8") as out:
        async with asyncio.TaskGroup() as group:
            group.create_task(portal.serve("127.0.0.1", port, Backoff(0.2, 2.0)))
            while True:
                seen = await portal.edges()
                online = sum(edge.online for edge in seen)
                print(json.dumps([time.monotonic(), online, (await portal.applied())[0]]), file=out, flush=True)
                await asyncio.sleep(1.0)


async def run_edges(folder: Path, port: int, first: int, count: int) -> None:
    """So many edges until killed; the file `backlog` in the folder tells them to write that many rows each."""
    root = bytes.fromhex((folder / "root.hex").read_text())
    stores = [
        await Store.open(folder / f"edge-{first + n}.db", partial(secrets.token_hex, 8)) for n in range(count)
    ]
    links = [_link(store, port, f"e{first + n}", root) for n, store in enumerate(stores)]
    async with asyncio.TaskGroup() as group:
        for link in links:
            group.create_task(link.run())
        group.create_task(_watch(folder, first, stores))


def _link(store: Store, port: int, edge: str, root: bytes) -> PortalLink:
    address = Address(TENANT, SITE, edge)
    return PortalLink(
        store,
        Endpoint("127.0.0.1", port, address.client_id),
        address,
        root,
        _key(int(edge[1:])),
        Allowlist.empty("none"),
        lambda _list, _at: None,
        _refuse,
        around(),
    )


def _key(number: int) -> Signer:
    """The same in every process, so that nothing need be carried over."""
    return Signer.of(sha256(f"edge {number}".encode()).digest())


def _refuse(_request: Request, _valid_for_s: float) -> Answer:
    return Answer(False, "no lane here")


async def _watch(folder: Path, first: int, stores: list[Store]) -> None:
    wanted, written, told = folder / "backlog", 0, [-1] * len(stores)
    with (folder / f"edges-{first}.jsonl").open("a", encoding="utf-8") as out:
        while True:
            rows = int(wanted.read_text()) if wanted.exists() else 0
            if rows > written:
                await _write(stores, rows - written)
                written = rows
                (folder / f"written-{first}-{rows}").touch()
            for n, store in enumerate(stores):
                waiting = store.next_seq - 1 - store.acked_through
                if waiting != told[n]:
                    told[n] = waiting
                    print(json.dumps([time.monotonic(), first + n, waiting]), file=out)
            out.flush()
            await asyncio.sleep(LOOK_EVERY_S)


async def _write(stores: list[Store], rows: int) -> None:
    lane = LaneId("entry")
    for store in stores:
        at = datetime.now(UTC)
        await store.append(
            [(at, VehicleLeft(lane) if n % 2 else VehicleArrived(lane, Direction.IN)) for n in range(rows)]
        )


def _user(number: int) -> User:
    plate = Plate.parse(f"B-ST {number + 1}", "D")
    return User(f"u{number}", str(number), plates=(PlateCredential(plate),))


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # a thousand edges say the same when their broker goes
    role, where, *numbers = sys.argv[1:]
    work = {"portal": serve_portal, "edges": run_edges}[role]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(work(Path(where), *map(int, numbers)))
