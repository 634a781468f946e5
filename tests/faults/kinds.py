"""The faults, one function a kind: begin, last a random while, heal. What must then hold is `checks`' business.

Each returns only when it has really touched something: a packet was repeated, a write refused, a process killed.
"""

import asyncio
import random
import resource
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.faults.checks import DAY_S
from tests.faults.processes import Broken, Process
from tests.faults.proxy import Cut, Proxy, Weather

if TYPE_CHECKING:
    from tests.faults.block import Block

LASTS_S: Final = (0.05, 1.0)
AT_ITS_BEGINNING: Final = 0.3
"""Chance that a process is hit again while it starts."""
TOUCHES_WITHIN_S: Final = 60.0
ORDERS_WAIT_S: Final = (8.0, 12.0)
"""About as long as an order lives."""
DISK_BYTES: Final = 16 * 1024 * 1024

Fault = Callable[["Block", random.Random], Awaitable[None]]


async def broker_kill(block: "Block", chance: random.Random) -> None:
    """The broker dies and forgets every session, message and retained word."""
    await block.broker.kill()
    await _last(chance)
    await block.broker.start()


async def daemon_kill(block: "Block", chance: random.Random) -> None:
    """A daemon dies at any instant, its own start included."""
    await _kill(chance.choice(block.gates).daemon, chance)


async def portal_kill(block: "Block", chance: random.Random) -> None:
    """The portal dies at any instant, its own start included."""
    await _kill(block.portal, chance)


async def partition(block: "Block", chance: random.Random) -> None:
    """Edges or the portal lose the broker: what is sent is held, swallowed, or refused."""
    parted = _some(block.proxies, chance)
    for proxy in parted:
        proxy.part(chance.choice([*Cut]))
    await _last(chance)
    for proxy in parted:
        proxy.heal()


async def duplicate(block: "Block", chance: random.Random) -> None:
    """PUBLISH packets come twice, or again after others; orders come again even on a later connection."""
    orders = chance.random() < 0.5 and chance.choice(block.gates).proxy.repeat_order()
    await _weather(block, chance, Weather(repeat=0.7), touched=orders)


async def reorder(block: "Block", chance: random.Random) -> None:
    """PUBLISH packets are overtaken by later ones."""
    await _weather(block, chance, Weather(overtake=0.6))


async def delay(block: "Block", chance: random.Random) -> None:
    """Every packet takes its time, or an order alone takes so long that it may be void when it comes."""
    waits_s = chance.uniform(*ORDERS_WAIT_S) if chance.random() < 0.5 else 0.0
    await _weather(block, chance, Weather(delay_s=chance.uniform(0.05, 1.0), orders_wait_s=waits_s))


async def clock(block: "Block", chance: random.Random) -> None:
    """A daemon's wall clock jumps a day, forward or back, and later returns; sometimes it starts in between."""
    gate = chance.choice(block.gates)
    gate.move_clock(chance.choice((DAY_S, -DAY_S)))
    await _last(chance)
    if chance.random() < 0.2:
        await gate.daemon.kill()
        await gate.daemon.start()
        await asyncio.sleep(chance.uniform(0.0, 1.5))
    gate.move_clock(0.0)
    await asyncio.sleep(chance.uniform(0.0, 0.3))


async def disk_full(block: "Block", chance: random.Random) -> None:
    """A daemon's or the portal's disk takes nothing more, and then does again."""
    victims: list[tuple[Process, Path]] = [(gate.daemon, gate.folder) for gate in block.gates]
    process, folder = chance.choice([*victims, *victims, (block.portal, block.folder)])
    before = process.refusals
    with _filled(folder) if folder in block.small_disks else _torn(process, folder, chance):
        await _last(chance)
        if process.refusals == before:
            # What it wrote had its place already.
            _limit(process, 0)
        await _until(lambda: process.refusals > before, f"{process.name} wrote nothing")
        _limit(process, resource.RLIM_INFINITY)
    await _until(lambda: not process.failing, f"{process.name} did not write again")


KINDS: Final[dict[str, Fault]] = {
    "broker-kill": broker_kill,
    "daemon-kill": daemon_kill,
    "portal-kill": portal_kill,
    "partition": partition,
    "duplicate": duplicate,
    "reorder": reorder,
    "delay": delay,
    "clock": clock,
    "disk-full": disk_full,
}


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of 16 MB at the folder, if this machine lets one mount it; whether it does."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


async def _kill(process: Process, chance: random.Random) -> None:
    """End it and start it again; the next fault finds it at work, or still at its beginning."""
    await process.kill()
    await asyncio.sleep(chance.uniform(0.0, 0.2))
    await process.start()
    if chance.random() < AT_ITS_BEGINNING:
        await asyncio.sleep(chance.uniform(0.0, 1.0))
    else:
        await _until(lambda: process.connected, f"{process.name} did not connect")
        await _last(chance)


async def _last(chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(*LASTS_S))


def _some(proxies: list[Proxy], chance: random.Random) -> list[Proxy]:
    return chance.sample(proxies, chance.randint(1, len(proxies)))


async def _weather(block: "Block", chance: random.Random, weather: Weather, *, touched: bool = False) -> None:
    """Bad weather for a while, and until it has met a packet."""
    proxies = _some(block.proxies, chance)
    before = sum(proxy.touched.total() for proxy in proxies)
    for proxy in proxies:
        proxy.weather = weather
    await _last(chance)
    await _until(lambda: touched or sum(proxy.touched.total() for proxy in proxies) > before, "no packet came")
    for proxy in proxies:
        proxy.heal()


async def _until(touched: Callable[[], bool], otherwise: str) -> None:
    """A fault that nothing met is none."""
    try:
        async with asyncio.timeout(TOUCHES_WITHIN_S):
            while not touched():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise Broken(f"F1: {otherwise} within {TOUCHES_WITHIN_S:.0f} s") from None


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    """Every byte of a small disk is taken."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(512)):
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _torn(process: Process, folder: Path, chance: random.Random) -> Iterator[None]:
    """The kernel lets the process write nothing more, or only so far into its files that a write is torn."""
    files = [path for path in folder.glob("*.db-wal") if path.stat().st_size]
    _limit(process, 0 if not files or chance.random() < 0.5 else files[0].stat().st_size + chance.randrange(8192))
    try:
        yield
    finally:
        _limit(process, resource.RLIM_INFINITY)


def _limit(process: Process, bytes_max: int) -> None:
    """How far into any file the process may write."""
    with suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (bytes_max, resource.RLIM_INFINITY))
