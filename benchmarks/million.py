"""A long list on one edge: how long it takes to arrive and to load again, memory, and disk.

Half of the entries are users with a plate each, half their permits, from a portal process over a real Mosquitto. No
limits: what it comes to is told. `python -m benchmarks.million --entries 1000000` is the million.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks._link import PortalProcess, broker, edge, portal, rss_mib, running, size_mib
from benchmarks._report import Report, finish

ENTRIES: Final = 200_000
CHANGES: Final = 5


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
            figures = asyncio.run(_measure(folder / "edge.db", port, of_portal))
            figures |= {"portal_filled_s": filled_s, "portal_rss_mib": of_portal.rss_mib}
            figures |= {"portal_disk_mib": size_mib(folder / "portal.db"), "entries": count}
    return finish(Report("million", [], {k: round(v, 2) for k, v in figures.items()}, _notes(figures)))


def _notes(found: dict[str, float]) -> list[str]:
    return [
        f"{found['entries']:,.0f} entries: in force {found['arrived_s']:.0f} s after the connection began, the "
        f"portal's cutting included ({found['cpu_s']:.0f} s of the edge's processor); a change then "
        f"{found['change_ms']:.0f} ms; loaded from the disk in {found['loaded_s']:.0f} s.",
        f"Memory: {found['rss_mib']:.0f} MiB with the list in force, {found['peak_mib']:.0f} MiB at most, "
        f"{found['before_mib']:.0f} MiB before; disk {found['disk_mib']:.0f} MiB. "
        f"Portal: {found['portal_rss_mib']:.0f} MiB, disk {found['portal_disk_mib']:.0f} MiB.",
    ]


async def _measure(file: Path, port: int, of_portal: PortalProcess) -> dict[str, float]:
    found = {"before_mib": rss_mib()}
    revision = of_portal.ask("revision")
    async with edge(file, port, of_portal.root_key) as one, running(one):
        begun, cpu = time.monotonic(), time.process_time()
        found["arrived_s"] = await one.until(revision) - begun
        found["cpu_s"] = time.process_time() - cpu
        found["rss_mib"], found["peak_mib"] = rss_mib(), rss_mib(peak=True)
        took = []
        for number in range(CHANGES):
            asked, revision = await asyncio.to_thread(of_portal.ask, "change", number)
            took.append(await one.until(revision) - asked)
        found["change_ms"] = 1000 * sorted(took)[len(took) // 2]
    found["disk_mib"] = size_mib(file)
    begun = time.monotonic()
    async with edge(file, port, of_portal.root_key):
        found["loaded_s"] = time.monotonic() - begun
    return found


if __name__ == "__main__":
    sys.exit(main())
