"""A long list on one edge: how long it takes to arrive and to load again, memory, disk, and lookups in it.

Half of the entries are users with a plate each, half their permits, from a portal process over a real Mosquitto; a
lane writes a row every 100 ms meanwhile. No limits: what it comes to is told. `python -m benchmarks.million
--entries 1000000` is the million.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks._link import PortalProcess, broker, broker_peak_mib, edge, portal, rss_mib, running, size_mib
from benchmarks._report import Report, finish
from gate_controller.allowlist import Allowlist
from gate_controller.facts import LaneId, VehicleLeft
from gate_controller.plates import Plate
from sync.store import Store

ENTRIES: Final = 200_000
CHANGES: Final = 5
LOOKUPS: Final = 2_000
JOURNAL_EVERY_S: Final = 0.1


def main() -> int:
    """Measure, print."""
    logging.disable(logging.WARNING)
    options = argparse.ArgumentParser()
    options.add_argument("--entries", type=int, default=ENTRIES)
    count = options.parse_args().entries
    with tempfile.TemporaryDirectory(prefix="million-") as name, broker(Path(name)) as port:
        folder = Path(name)
        begun = time.monotonic()
        with portal(folder, port, count) as of_portal:
            filled_s = time.monotonic() - begun
            figures = {"entries": count, "portal_filled_s": filled_s, "portal_filled_mib": of_portal.peak_mib}
            of_portal.forget_peak()
            figures |= asyncio.run(_measure(folder / "edge.db", port, of_portal))
            figures |= {"portal_rss_mib": of_portal.rss_mib, "portal_peak_mib": of_portal.peak_mib}
            figures |= {"portal_disk_mib": size_mib(folder / "portal.db"), "broker_peak_mib": broker_peak_mib()}
    return finish(Report("million", [], {k: round(v, 2) for k, v in figures.items()}, _notes(figures)))


def _notes(found: dict[str, float]) -> list[str]:
    return [
        f"{found['entries']:,.0f} entries: in force {found['arrived_s']:.1f} s after the connection began, the "
        f"portal's cutting included ({found['cpu_s']:.1f} s of the edge's processor); a change then "
        f"{found['change_ms']:.0f} ms; loaded from the disk in {found['loaded_s']:.1f} s. The lane's commits "
        f"meanwhile: median {found['journal_p50_ms']:.0f} ms, at most {found['journal_max_ms']:.0f} ms.",
        f"Memory of the edge: {found['rss_mib']:.0f} MiB with the list in force, {found['peak_mib']:.0f} MiB at "
        f"most, {found['before_mib']:.0f} MiB before; disk {found['disk_mib']:.0f} MiB. Lookups: "
        f"{found['exact_us']:.1f} µs, {found['alike_us']:.1f} µs for a look-alike.",
        f"Portal: filled in {found['portal_filled_s']:.0f} s with {found['portal_filled_mib']:.0f} MiB at most; "
        f"{found['portal_rss_mib']:.0f} MiB after, {found['portal_peak_mib']:.0f} MiB at most meanwhile; disk "
        f"{found['portal_disk_mib']:.0f} MiB. Broker: {found['broker_peak_mib']:.0f} MiB at most.",
    ]


async def _measure(file: Path, port: int, of_portal: PortalProcess) -> dict[str, float]:
    found = {"before_mib": rss_mib()}
    revision = of_portal.ask("revision")
    async with edge(file, port, of_portal.root_key) as one:
        waits: list[float] = []
        lane = asyncio.ensure_future(_lane(one.store, waits))
        async with running(one):
            begun, cpu = time.monotonic(), time.process_time()
            found["arrived_s"] = await one.until(revision) - begun
            found["cpu_s"] = time.process_time() - cpu
            lane.cancel()
            found["rss_mib"], found["peak_mib"] = rss_mib(), rss_mib(peak=True)
            found["journal_p50_ms"], found["journal_max_ms"] = 1000 * _median(waits), 1000 * max(waits)
            took = []
            for number in range(CHANGES):
                asked, revision = await asyncio.to_thread(of_portal.ask, "change", number)
                took.append(await one.until(revision) - asked)
            found["change_ms"] = 1000 * _median(took)
        found |= _lookups(one.link._list.allowlist)
    found["disk_mib"] = size_mib(file)
    begun = time.monotonic()
    async with edge(file, port, of_portal.root_key):
        found["loaded_s"] = time.monotonic() - begun
    return found


async def _lane(store: Store, waits: list[float]) -> None:
    while True:
        begun = time.monotonic()
        await store.append([(datetime.now(UTC), VehicleLeft(LaneId("entry")))])
        waits.append(time.monotonic() - begun)
        await asyncio.sleep(JOURNAL_EVERY_S)


def _lookups(allowlist: Allowlist) -> dict[str, float]:
    """Median time of finding who a plate belongs to: as it is listed, and with a zero for each O."""
    every = [user.plates[0].plate.key for user in allowlist.users()]
    keys = random.Random(7).sample(every, LOOKUPS)
    alike = [key.replace("O", "0") for key in keys if "O" in key]
    return {f"{name}_us": 1e6 * _median([_took(allowlist, key) for key in some])
            for name, some in (("exact", keys), ("alike", alike))}  # fmt: skip


def _took(allowlist: Allowlist, key: str) -> float:
    plate = Plate(key)
    begun = time.perf_counter()
    allowlist.find_plate(plate)
    return time.perf_counter() - begun


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    sys.exit(main())
