"""One seed: a week of work under faults, then everything is healed and must come right in bounded time."""

import asyncio
import gc
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import edge.clock
import edge.daemon
import hardware_sim.portal.edges.books
import hardware_sim.portal.edges.service
import hardware_sim.portal.trust.keys
import sync.cached_list
import sync.database
import sync.device_key
import sync.follower
import sync.journal
import sync.mqtt
import sync.outbox
import sync.portal
import sync.signing
from tests.simulation import broker, disk, gate, seals
from tests.simulation.cars import Port, Traffic
from tests.simulation.faults import DAY_S, Faults
from tests.simulation.gate import edge_main
from tests.simulation.loop import WORLD
from tests.simulation.people import first_keys, portal_main
from tests.simulation.watch import EdgeWatch, PortalWatch
from tests.simulation.world import Broken, Node, World

DAYS: Final = 7.0
EDGES: Final = 3
HEALED_WITHIN_S: Final = 2 * 3600.0
"""Longer than one confirmation of the list (an hour), the longest resend (10 min) and back-off (5 min)."""
LOOK_EVERY_S: Final = 60.0
IN_MEMORY: Final = Path("/dev/shm")
"""Where real files cost no platter, if the machine has it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a seed did; `broken` names the rule, "" when all held."""

    seed: int
    broken: str
    trace: int
    counts: dict[str, int]


def play(seed: int, days: float = DAYS, pace: float = 1.0) -> Result:
    """Play a seed to its end. The same seed does the same, whatever ran before it."""
    folder = Path(tempfile.mkdtemp(prefix=f"slagboom-seed-{seed}-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
    # Garbage is collected after the run, and only the run's: when it is found depends on what ran before.
    gc.disable()
    gc.freeze()
    world = World(seed, folder, pace)
    try:
        with _seams(world):
            _build(world)
            try:
                _week(world, days)
                _afterwards(world)
            except Broken as error:
                return Result(seed, str(error), world.loop.trace, world.counts)
            return Result(seed, "", world.loop.trace, world.counts)
    finally:
        _bury(world)
        gc.unfreeze()
        gc.enable()
        shutil.rmtree(folder)


def _build(world: World) -> None:
    books = PortalWatch(world)
    portal = Node(world, "portal", portal_main, books)
    world.root_key = first_keys(portal)
    gates = [
        Node(world, name, edge_main, EdgeWatch(world, name, books))
        for name in (f"e{number}" for number in range(1, EDGES + 1))
    ]
    for node in world.nodes:
        node.start()
    world.begin(Traffic(world, gates, world.cars).flow())


def _week(world: World, days: float) -> None:
    faults = Faults(world, days)
    _run_for(world, days * DAY_S)
    world.quiet = True
    faults.heal()


def _afterwards(world: World) -> None:
    missing = ["never looked"]
    for _ in range(int(HEALED_WITHIN_S / LOOK_EVERY_S)):
        _run_for(world, LOOK_EVERY_S)
        missing = [*_not_healed(world)]
        if not missing:
            break
    if missing:
        raise Broken(f"{missing[0]}, {HEALED_WITHIN_S / 3600:.0f} h after everything was healed")
    for node in world.nodes:
        if isinstance(node.watch, EdgeWatch) and node.running is not None:
            store = node.running.process.store
            node.watch.opened(store._database.sql, store._journal.standing.occupancy)
            to_be = store._journal.standing.occupancy
            for at, fact in node.running.process._recorder._pending:
                # The disk may have been slow just now.
                to_be = to_be.fold(fact, at)
            if node.running.process.site.occupancy != to_be:
                world.fail("S5", f"{node.name}'s occupancy in memory is not the one on disk")
    books, portal = world.nodes[0].watch, world.nodes[0].running
    if isinstance(books, PortalWatch) and portal is not None:
        books.settled(portal.process.database.sql)
    world.check()


def _not_healed(world: World) -> Iterator[str]:
    """What is still not as it must become, the worst first."""
    portal, *edges = world.nodes
    books = cast(PortalWatch, portal.watch)
    for node in edges:
        watch = cast(EdgeWatch, node.watch)
        if node.running is None or node.running.process is None:
            yield f"C1: {node.name} does not run"
        elif not books.complete(watch):
            yield f"L1: the portal has {books.through.get(node.name, 0)} of {node.name}'s {len(watch.rows)} rows"
        elif watch.cursor != books.cursor:
            yield f"L2: {node.name} has list {watch.cursor}, the portal {books.cursor}"
        elif watch.acked != len(watch.rows):
            yield f"L3: {node.name} has {len(watch.rows)} rows and {watch.acked} acknowledged"
        else:
            running = node.running.process.site.allowlist
            if (running.epoch, running.revision) != watch.cursor:
                yield f"L4: {node.name} works with revision {running.revision}, {watch.cursor} is on disk"
    if portal.running is None or portal.running.process is None:
        yield "C1: the portal does not run"
    elif (now := portal.running.process.allowlist) and (now.epoch, now.revision) != books.cursor:
        yield f"L4: the portal works with revision {now.revision}, {books.cursor} is on disk"


def _run_for(world: World, seconds: float) -> None:
    world.loop.call_later(seconds, world.loop.stop, context=WORLD)
    world.loop.run_forever()
    world.check()


# ---- what is simulated, and the bounds that are drawn smaller so that a week reaches them ----


@contextmanager
def _seams(world: World) -> Iterator[None]:
    draw, chance = world.random, gate.Chance(world.random)
    changed: list[tuple[Any, str, Any]] = [
        (sync.mqtt, "connect", broker.connect),
        (sync.database, "aiosqlite", disk),
        (sync.database, "_lock", disk.lock),
        (edge.clock, "now", gate.now),
        (edge.daemon, "Daemon", gate.Watched),
        (edge.daemon, "Link", Port),
        (edge.daemon, "control", gate.NoSocket),
        (edge.daemon, "random", chance),
        (edge.daemon, "secrets", chance),
        (edge.daemon, "software", lambda: "simulated"),
        (edge.daemon, "TIDY_EVERY_S", 4 * 3600.0),
        (hardware_sim.portal.trust.keys, "secrets", chance),
        (sync.device_key, "secrets", chance),
        (sync.signing, "Ed25519PrivateKey", seals.Seal),
        (sync.signing, "Ed25519PublicKey", seals.PublicSeal),
        (sync.portal, "LOOK_AT_AGE_EVERY_S", draw.choice((900.0, 3600.0))),
        (sync.follower, "CONFIRM_EVERY_S", draw.choice((3600.0, 6 * 3600.0))),
        (hardware_sim.portal.edges.service, "HEAD_EVERY_S", draw.choice((1800.0, 3600.0))),
        (sync.outbox, "BATCH_LEN_MAX", draw.choice((3, 10, 100))),
        (sync.cached_list, "STATEMENT_ROWS", 2),
        (sync.journal, "CHECKPOINT_EVERY_ROWS", draw.choice((10, 100, 1000))),
        (hardware_sim.portal.edges.books, "DELTAS_KEPT_MAX", draw.choice((1, 5, 1000))),
    ]
    before = [(holder, name, getattr(holder, name)) for holder, name, _ in changed]
    for holder, name, value in changed:
        setattr(holder, name, value)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for holder, name, value in before:
            setattr(holder, name, value)


def _bury(world: World) -> None:
    """Drop the dead without hearing their last words."""
    lives = [life for node in world.nodes for life in (*node.past, *filter(None, [node.running]))]
    for life in lives:
        life.alive = False
        if life.disk is not None:
            life.disk.bury()
    loop = world.loop
    loop.close()
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    logging.disable(logging.CRITICAL)
    # What a `finally` asks for now is asked of this loop, which takes nothing any more; else it would be of a loop
    # that is made for it, and stays.
    asyncio._set_running_loop(loop)
    try:
        with warnings.catch_warnings(action="ignore"):
            loop.forget()
            for holder in (*lives, *world.nodes, world.broker, world):
                holder.__dict__.clear()
            lives.clear()
            gc.collect()
    finally:
        asyncio._set_running_loop(None)
        logging.disable(logging.NOTSET)
        sys.unraisablehook = hook
