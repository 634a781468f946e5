"""A block: one running site, fault after fault, healed and looked at every few of them.

A block begins with fresh databases and a seed, from which everything follows that is ours to choose. The instant
at which a process is hit is the machine's: a seed shows the same kinds of faults again, at nearly the same times.
"""

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sync.device_key import device_key
from tests.faults import checks, entries
from tests.faults.gate import Gate
from tests.faults.kinds import KINDS, small_disk
from tests.faults.people import People
from tests.faults.processes import Broken, Broker, PortalProcess, Process
from tests.faults.proxy import Proxy

HEALED_WITHIN_S: Final = 120.0
WRITTEN_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.05
EDGES: Final = ("a", "b")


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a few faults of one kind; `healed_s` is how long until everything was right again."""

    kind: str
    faults: int
    healed_s: float
    took_s: float
    counts: dict[str, int] = field(default_factory=dict)


class Block:
    """A running site in a folder. Made and ended by `play`."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.folder, self.seed = folder, seed
        self.small_disks: set[Path] = set()
        self.broker = Broker(folder)
        self.proxies = [Proxy(self.broker.port, random.Random(f"{seed} proxy {n}")) for n in range(len(EDGES) + 1)]
        self.gates: list[Gate] = []
        self._totals: Counter[str] = Counter()
        self._double = 0

    async def start(self, stack: ExitStack) -> None:
        """Start everything, and wait until all is right for the first time."""
        # Before anybody else may be given its port.
        await self.broker.start()
        for proxy in self.proxies:
            await proxy.start()
        self.portal = PortalProcess(self.folder, self.proxies[-1].port)
        for name, proxy in zip(EDGES, self.proxies, strict=False):
            folder = self.folder / name
            if name == EDGES[-1] and stack.enter_context(small_disk(folder)):
                self.small_disks.add(folder)
            gate = Gate(name, folder, proxy, f"{self.seed} gate {name}", self.folder)
            self.gates.append(stack.enter_context(gate))
        self.people = People(self.portal, self.gates, random.Random(f"{self.seed} people"))
        await self.portal.start()
        await self.portal.until_ready()
        for gate in self.gates:
            gate.configure(self._root_key())
            await self.portal.ask("register", gate.name, device_key(gate.folder).public.hex())
            await gate.daemon.start()

    async def stop(self) -> None:
        """End every process."""
        for process in self.processes:
            await process.stop()
        for proxy in self.proxies:
            await proxy.close()
        await self.broker.kill()

    @property
    def processes(self) -> list[Process]:
        """Daemons and portal."""
        return [*(gate.daemon for gate in self.gates), self.portal]

    async def round(self, kind: str, faults: int, chance: random.Random) -> Round:
        """So many faults, and the look at everything. Raises `Broken`."""
        begun_s = time.monotonic()
        for _ in range(faults):
            await KINDS[kind](self, chance)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
        hit_s = time.monotonic()
        await self.healed()
        await self._look()
        totals, before = self._counted(), self._totals
        self._totals = totals
        now_s = time.monotonic()
        return Round(kind, faults, now_s - hit_s, now_s - begun_s, dict(totals - before))

    async def healed(self) -> None:
        """Wait until the lists are equal, known to be, and what the journals have now is at the portal."""
        with self.people.silent():
            goals = {gate.name: _or_none(lambda g=gate: checks.last_seq(g.database)) for gate in self.gates}
            why = "nothing was looked at"
            deadline_s = time.monotonic() + HEALED_WITHIN_S
            while time.monotonic() < deadline_s:
                for gate in self.gates:
                    if goals[gate.name] is None:
                        goals[gate.name] = _or_none(lambda g=gate: checks.last_seq(g.database))
                why = next(filter(None, (self._unhealed(gate, goals[gate.name]) for gate in self.gates)), "")
                if not why:
                    return
                self._mistakes()
                await asyncio.sleep(LOOK_EVERY_S)
        raise Broken(f"H1: not healed within {HEALED_WITHIN_S:.0f} s: {why}")

    # ---- inside ----

    def _root_key(self) -> str:
        path = self.folder / "keys" / "root.pub"
        return path.read_text() if path.exists() else ""

    @property
    def _books(self) -> Path:
        return self.folder / "portal.db"

    def _ends(self) -> dict[int, float]:
        return checks.ends(packet.payload for packet in self.proxies[-1].orders)

    def _unhealed(self, gate: Gate, goal: int | None) -> str:
        """What is not right yet at an edge; empty when all is."""
        if goal is None:
            return f"{gate.name}: no database yet"
        if (through := checks.received(self._books, gate.name)) < goal:
            return f"{gate.name}: the portal has rows up to {through} of {goal}"
        wanted, found = checks.list_of(self._books), checks.list_of(gate.database)
        if wanted is None or found != wanted:
            return f"{gate.name}: list {found and found.rev}, the portal's is {wanted and wanted.rev}"
        said = checks.states(self._books).get(gate.name, {})
        if said.get("status") != "online" or said.get("list") != {"epoch": wanted.epoch, "rev": wanted.rev}:
            return f"{gate.name}: told {said.get('status')} with list {said.get('list')}, not {wanted.rev}"
        return ""

    async def _look(self) -> None:
        """Everything that must always hold."""
        self._mistakes()
        done: list[checks.Done] = []
        journals: dict[str, list[checks.Row]] = {}
        for gate in self.gates:
            pulses, refused = gate.pulses.copy(), gate.refused_at_the_machine
            await self._written(gate, pulses, refused)
            through = checks.received(self._books, gate.name)
            at_portal = checks.portal_rows(self._books, gate.name)
            rows = checks.edge_rows(gate.database)
            checks.compare_journals(gate.name, rows, at_portal, through)
            checks.check_pulses(gate.name, rows, pulses, gate.daemon.starts - 1)
            checks.check_answers(gate.name, rows, refused, gate.daemon.starts - 1)
            done += checks.orders_done(rows, gate.name)
            journals[gate.name] = [row for row in rows if row.seq <= through]
        checks.check_orders(self._ends(), done)
        checks.check_peace(self._books)
        records = entries.conflicts(self._books)
        self._double = entries.check_conflicts(journals, records, time.time())

    async def _written(self, gate: Gate, pulses: Counter[str], refused: int) -> None:
        """Give the row of a pulse, or of an answer, the time to reach the disk."""
        deadline_s = time.monotonic() + WRITTEN_WITHIN_S
        while time.monotonic() < deadline_s:
            rows = checks.edge_rows(gate.database)
            if not pulses - checks.opened(rows) and checks.refused_at_the_machine(rows) >= refused:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _mistakes(self) -> None:
        found = [mistake for process in self.processes for mistake in process.mistakes]
        if found:
            raise Broken(f"X1: {found[0]}")

    def _counted(self) -> Counter[str]:
        """What the block has seen so far."""
        rows = [row for gate in self.gates for row in checks.edge_rows(gate.database)]
        kinds = Counter(row.kind for row in rows)
        return Counter(
            rows=len(rows),
            revisions=(checks.list_of(self._books) or checks.ListCopy("", 0, ())).rev,
            grants=kinds["granted"],
            opened_by_order=kinds["boom_opened_manually"],
            gaps=kinds["log_gap"],
            orders_given=len(self._ends()),
            double_entries=self._double,
            unarbitrated=kinds["unarbitrated"],
            claimed=kinds["claimed"],
            pulses=sum(gate.pulses.total() for gate in self.gates),
            passages=sum(gate.passages for gate in self.gates),
            starts=sum(process.starts for process in self.processes),
            refusals=sum(process.refusals for process in self.processes),
        ) + sum((proxy.touched for proxy in self.proxies), Counter())


def _or_none(look: Callable[[], int]) -> int | None:
    """A daemon that was killed at its very first start has no database yet."""
    with suppress(Exception):
        return look()
    return None


async def play(folder: Path, seed: str, rounds: Sequence[tuple[str, int]], told: Callable[[Round], None]) -> str:
    """Play the rounds, each a kind and how many faults; what broke, or nothing. A folder without mistakes goes."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        block = Block(folder, seed)
        turning = asyncio.ensure_future(_turn(block))
        try:
            await block.start(stack)
            living = asyncio.ensure_future(block.people.live())
            try:
                await block.healed()
                for number, (kind, faults) in enumerate(rounds):
                    told(await block.round(kind, faults, random.Random(f"{seed} round {number} {kind}")))
            finally:
                await _ended(living)
        except Broken as broken:
            return str(broken)
        finally:
            await _ended(turning)
            await block.stop()
    shutil.rmtree(folder)
    return ""


async def _turn(block: Block) -> None:
    """The worlds go on, whatever happens."""
    while True:
        for gate in block.gates:
            gate.turn(block.people.badges, block.people.regulars)
        await asyncio.sleep(0.05)


async def _ended(task: "asyncio.Future[None]") -> None:
    if task.done():
        await task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


Play = Callable[[Path, str, Sequence[tuple[str, int]], Callable[[Round], None]], Awaitable[str]]
