"""What the link costs beside the bare broker and the bare disk, measured in the same run on the same machine.

Portal, broker and edge are processes of their own over a real Mosquitto at QoS 1, with real databases on one file
system that commit FULL; each figure and its bound are taken in turn. The bounds, none of which signs, reads, checks
or looks anything up:

- A change, from the moment the portal is asked until the list in force at the edge has it: a message of the signed
  change's size, published and received back with paho alone, and two commits of one small row each. The change
  writes more: three rows at either side; what commits of as much would cost is told beside it, and is no limit.
- A whole list of 100,000 entries, from the beginning of the connection until it is in force: its rows into an empty
  table of the same shape and indexes, in transactions of 10,000 rows. One transaction of all of them would hold a
  journal's commit up for half a second; 10,000 rows are the most that stay below the 100 ms that it may wait. No
  lane writes during either. What a lane feels that writes a row every 20 ms is measured in loads of its own, which
  are slower: what it writes is also signed, sent, stored at the portal and acknowledged meanwhile.
- The journal's way up: the slower of the same signed batches published to nobody, and the same events inserted into
  the portal's table, a transaction a batch.
"""

import asyncio
import logging
import shutil
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks._link import DEVICE, PortalProcess, bare_database, broker, edge, portal, running
from benchmarks._report import Bar, Report, finish
from edge.pace import keep_pace
from gate_controller.facts import Direction, LaneId, VehicleArrived, VehicleLeft
from sync.messages import BATCH_LEN_MAX, EventBatch
from sync.roots import BUCKETS, SUM_BYTES
from sync.store import Store
from sync.uplink import _event

ENTRIES: Final = 100_000
CHANGES: Final = 60
EVENTS: Final = 20_000
BARE_ROWS: Final = 10_000
"""Rows of one transaction of the bare insert: some 60 ms."""
CHANGE_MAX, SNAPSHOT_MAX, JOURNAL_MS_MAX = 2.0, 3.0, 100.0
JOURNAL_EVERY_S: Final = 0.02
ROUNDS: Final = 3
"""Whole lists loaded, and as often inserted; the median counts."""
SUMS_LEN: Final = BUCKETS * SUM_BYTES
LANE: Final = LaneId("entry")


def main() -> int:
    """Measure, print the table."""
    logging.disable(logging.WARNING)
    keep_pace()  # as the daemon does, whose part this process plays
    with tempfile.TemporaryDirectory(prefix="sync-") as name, broker(Path(name)) as port:
        return finish(asyncio.run(_measure(Path(name), port)))


async def _measure(folder: Path, port: int) -> Report:
    (folder / "a").mkdir()
    with portal(folder / "a", port, ENTRIES) as of_a:
        snapshot = await _snapshots(folder, port, of_a)
        change = await _changes(folder, port, of_a)
        upload = await _upload(folder, port, of_a)
    # A portal that lost its list: the same keys, everybody another id, so that all whom the edge knew are left out.
    (folder / "b").mkdir()
    shutil.copytree(folder / "a" / "keys", folder / "b" / "keys")
    with portal(folder / "b", port, ENTRIES, "v") as of_b:
        other = await _load(folder / "edge-0.db", port, of_b)
    figures = {**snapshot, **change, **upload, **{f"other_{name}": value for name, value in other.items()}}
    return Report(
        "sync",
        [
            Bar("change in force / (round trip + 2 commits)", change["change_ratio"], CHANGE_MAX),
            Bar(f"whole list of {ENTRIES:,} / bare insert", snapshot["snapshot_ratio"], SNAPSHOT_MAX),
            Bar("longest journal commit meanwhile", snapshot["journal_max_ms"], JOURNAL_MS_MAX, "ms"),
            Bar("and while another list takes its place", other["journal_max_ms"], JOURNAL_MS_MAX, "ms"),
        ],
        {name: round(value, 3) for name, value in figures.items()},
        _notes(snapshot, change, upload, other),
    )


def _notes(
    snapshot: dict[str, float], change: dict[str, float], upload: dict[str, float], other: dict[str, float]
) -> list[str]:
    return [
        f"Change: {change['change_ms']:.1f} ms; round trip of {change['change_bytes']:.0f} bytes "
        f"{change['round_trip_ms']:.1f} ms, commit {change['commit_ms']:.1f} ms (medians): bound "
        f"{change['bound_ms']:.1f} ms. A commit of as many rows as a change writes takes "
        f"{change['commit_rows_ms']:.1f} ms: {change['change_rows_ratio']:.2f} times the bound made of those.",
        f"Whole list: {snapshot['snapshot_s']:.2f} s, the first {snapshot['first_s']:.2f} s as it is cut then; "
        f"bare insert {snapshot['insert_s']:.2f} s, its longest transaction {snapshot['insert_max_ms']:.0f} ms. "
        f"Processor: edge {snapshot['edge_cpu_s']:.2f} s, bare insert {snapshot['insert_cpu_s']:.2f} s.",
        f"Whole list beside a lane that writes every {1000 * JOURNAL_EVERY_S:.0f} ms: {snapshot['busy_s']:.2f} s, "
        f"{snapshot['busy_ratio']:.2f} times the bare insert; journal commits p50 "
        f"{snapshot['journal_p50_ms']:.0f} ms, p99 {snapshot['journal_p99_ms']:.0f} ms. Another list in its place, "
        f"nobody on both: {other['snapshot_s']:.2f} s, the first cut included.",
        f"Journal: {upload['events_a_second']:,.0f} events a second, {upload['upload_share']:.0%} of the slower of "
        f"bare publish ({upload['publish_a_second']:,.0f}) and bare insert ({upload['insert_a_second']:,.0f}).",
    ]


# ---- a whole list ----


async def _snapshots(folder: Path, port: int, of_portal: PortalProcess) -> dict[str, float]:
    first = await _load(folder / "edge-0.db", port, of_portal, busy=False)
    later, loads, inserts = [], [], []
    for number in range(1, ROUNDS + 1):
        file = folder / f"edge-{number}.db"
        later.append(await _load(file, port, of_portal, busy=False))
        inserts.append(_bare_insert(folder / f"bare-{number}.db", file))
        loads.append(await _load(folder / f"edge-{number + ROUNDS}.db", port, of_portal))
    taken_s, busy_s = (_median([one["snapshot_s"] for one in some]) for some in (later, loads))
    insert_s, insert_cpu_s, insert_max_s = (_median(times) for times in zip(*inserts, strict=True))
    return {
        "busy_s": busy_s,
        "busy_ratio": busy_s / insert_s,
        "insert_max_ms": 1000 * insert_max_s,
        "snapshot_s": taken_s,
        "first_s": first["snapshot_s"],
        "insert_s": insert_s,
        "insert_cpu_s": insert_cpu_s,
        "snapshot_ratio": taken_s / insert_s,
        "edge_cpu_s": _median([one["edge_cpu_s"] for one in later]),
        "journal_p50_ms": _median([one["journal_p50_ms"] for one in loads]),
        "journal_p99_ms": max(one["journal_p99_ms"] for one in loads),
        "journal_max_ms": max(one["journal_max_ms"] for one in loads),
    }


async def _load(file: Path, port: int, of_portal: PortalProcess, *, busy: bool = True) -> dict[str, float]:
    """From the beginning of the connection until the portal's list is in force, and what a busy lane felt."""
    async with edge(file, port, of_portal.root_key) as one:
        revision, waits = of_portal.ask("revision"), list[float]()
        journal = asyncio.ensure_future(_journal(one.store, waits)) if busy else None
        begun, cpu = time.monotonic(), time.process_time()
        async with running(one):
            taken_s = await one.until(revision) - begun
            cpu_s = time.process_time() - cpu
            # What is swept away afterwards must not hurt either.
            while await asyncio.to_thread(_rows, file) > ENTRIES:
                await asyncio.sleep(0.1)
        if journal is not None:
            journal.cancel()
    found = {"snapshot_s": taken_s, "edge_cpu_s": cpu_s}
    if not busy:
        return found
    waits.sort()
    return found | {
        "journal_p50_ms": 1000 * _median(waits),
        "journal_p99_ms": 1000 * waits[int(0.99 * len(waits))],
        "journal_max_ms": 1000 * waits[-1],
    }


def _rows(file: Path) -> int:
    """How many entries of whatever list are on the disk, looked at from outside."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        found: int = db.execute("SELECT count(*) FROM list_entry").fetchone()[0]
    return found


async def _journal(store: Store, waits: list[float]) -> None:
    """A lane at work: a row every 20 ms, and how long each took to be on the disk."""
    while True:
        begun = time.monotonic()
        await store.append([(datetime.now(UTC), VehicleLeft(LANE))])
        waits.append(time.monotonic() - begun)
        await asyncio.sleep(JOURNAL_EVERY_S)


def _bare_insert(file: Path, loaded: Path) -> tuple[float, float, float]:
    """The very rows that the edge has, into an empty table of the same shape; time, processor, longest commit."""
    with sqlite3.connect(loaded) as source:
        rows = source.execute("SELECT * FROM list_entry ORDER BY generation, kind DESC, key").fetchall()
    assert len(rows) == ENTRIES
    with bare_database(file, loaded, ["list_entry"]) as db:
        begun, cpu, longest_s = time.monotonic(), time.process_time(), 0.0
        for at in range(0, len(rows), BARE_ROWS):
            since = time.monotonic()
            db.execute("BEGIN")
            db.executemany("INSERT INTO list_entry VALUES (?, ?, ?, ?, ?)", rows[at : at + BARE_ROWS])
            db.execute("COMMIT")
            longest_s = max(longest_s, time.monotonic() - since)
        return time.monotonic() - begun, time.process_time() - cpu, longest_s


# ---- a change ----


async def _changes(folder: Path, port: int, of_portal: PortalProcess) -> dict[str, float]:
    """Change, round trip and commits in turn, so that a busy moment hits all of them."""
    changes, trips, commits, rows = [], [], [], []
    bare, payload = Bare(port), b"x" * of_portal.ask("change_bytes")
    async with edge(folder / "edge-0.db", port, of_portal.root_key) as one, running(one):
        with bare_database(folder / "commit.db", folder / "edge-0.db", ["list_cursor", "list_entry"]) as db:
            db.execute("CREATE TABLE row (value INTEGER)")
            db.execute("INSERT INTO list_cursor VALUES (1, 'e', 0, NULL, 1, ?)", (bytes(SUMS_LEN),))
            await asyncio.sleep(2.0)  # connected, and the state told
            for number in range(CHANGES):
                revision = of_portal.ask("revision") + 1
                of_portal.tell("change", number)
                in_force_s = await one.until(revision, 30.0)
                # Heard of only now: whoever waits for the answer here would wake up in the middle of the change.
                asked_s, made = await asyncio.to_thread(of_portal.answer)
                assert made == revision
                changes.append(in_force_s - asked_s)
                await asyncio.sleep(0.05)  # acknowledgements and the state's way up
                trips.append(await asyncio.to_thread(bare.round_trip, payload))
                commits.append(await asyncio.to_thread(_commit, db, number))
                rows.append(await asyncio.to_thread(_commit_rows, db, number))
    bare.close()
    change, trip, commit, of_rows = _median(changes), _median(trips), _median(commits), _median(rows)
    return {
        "change_bytes": len(payload),
        "bound_ms": 1000 * (trip + 2 * commit),
        "commit_rows_ms": 1000 * of_rows,
        "change_rows_ratio": change / (trip + 2 * of_rows),
        "change_ms": 1000 * change,
        "round_trip_ms": 1000 * trip,
        "commit_ms": 1000 * commit,
        "change_ratio": change / (trip + 2 * commit),
    }


def _commit(db: sqlite3.Connection, value: int) -> float:
    begun = time.monotonic()
    db.execute("INSERT INTO row VALUES (?)", (value,))
    return time.monotonic() - begun


def _commit_rows(db: sqlite3.Connection, number: int) -> float:
    """An entry, the list's cursor with its sums, and a row about the change: what a change writes at each side."""
    begun = time.monotonic()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT OR REPLACE INTO list_entry VALUES (1, 'user', ?, NULL, ?)", (f"u{number % 10}", "x" * 120))
    sums = bytes([number % 256] * 32) + bytes(SUMS_LEN - 32)
    db.execute("UPDATE list_cursor SET rev = ?, buckets = ?", (number, sums))
    db.execute("INSERT INTO row VALUES (?)", (number,))
    db.execute("COMMIT")
    return time.monotonic() - begun


class Bare:
    """A paho client as its makers meant it: QoS 1, its own thread."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._came = threading.Event()
        self._client.on_message = lambda *_: self._came.set()
        self._client.on_socket_open = _no_delay
        self._client.on_subscribe = lambda *_: self._came.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("bare", qos=1)
        self._wait()

    def round_trip(self, payload: bytes) -> float:
        """Publish what comes back here through the broker."""
        self._came.clear()
        begun = time.monotonic()
        self._client.publish("bare", payload, qos=1)
        self._wait()
        return time.monotonic() - begun

    def publish_all(self, payloads: Sequence[bytes]) -> float:
        """Publish to nobody until the broker has acknowledged every one."""
        begun = time.monotonic()
        sent = [self._client.publish("nobody", payload, qos=1) for payload in payloads]
        for one in sent:
            one.wait_for_publish(60.0)
        return time.monotonic() - begun

    def close(self) -> None:
        """Let go of the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _wait(self) -> None:
        if not self._came.wait(10.0):
            sys.exit("the broker did not answer within 10 s")


def _no_delay(_client: Any, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# ---- the journal's way up ----


async def _upload(folder: Path, port: int, of_portal: PortalProcess) -> dict[str, float]:
    """A journal that filled while there was no broker, from the connection until all of it is acknowledged."""
    file = folder / "edge-1.db"
    async with edge(file, port, of_portal.root_key) as one:
        async with running(one):
            while one.store.acked_through < one.store.next_seq - 1:
                await asyncio.sleep(0.05)
        for _ in range(EVENTS // BATCH_LEN_MAX):
            at = datetime.now(UTC)
            await one.store.append(
                [
                    (at, VehicleLeft(LANE) if n % 2 else VehicleArrived(LANE, Direction.IN))
                    for n in range(BATCH_LEN_MAX)
                ]
            )
        batches = await _batches(one.store, one.address.audience)
        begun, since = time.monotonic(), one.store.acked_through
        async with running(one):
            while one.store.acked_through < one.store.next_seq - 1:
                await asyncio.sleep(0.005)
        rate = (one.store.acked_through - since) / (time.monotonic() - begun)
    bare = Bare(port)
    publish_s = await asyncio.to_thread(bare.publish_all, [DEVICE.sign(batch) for batch in batches])
    bare.close()
    insert_s = _bare_events(folder / "events.db", folder / "a" / "portal.db", batches)
    publish, insert = EVENTS / publish_s, EVENTS / insert_s
    return {
        "events_a_second": rate,
        "publish_a_second": publish,
        "insert_a_second": insert,
        "upload_share": rate / min(publish, insert),
    }


async def _batches(store: Store, audience: str) -> list[EventBatch]:
    made = []
    for after in range(store.acked_through, store.next_seq - 1, BATCH_LEN_MAX):
        rows = await store.rows(after, BATCH_LEN_MAX)
        made.append(
            EventBatch(
                aud=audience,
                conn=1,
                ledger=store.ledger,
                first=rows[0].seq,
                last=rows[-1].seq,
                events=[_event(row, row.at) for row in rows],
            )
        )
    return made


def _bare_events(file: Path, like: Path, batches: list[EventBatch]) -> float:
    """The same events into a table of the portal's shape, one transaction a batch."""
    rows = [
        [
            (batch.aud, batch.ledger, one.seq, one.at.isoformat(), one.kind, bytes(one.body).decode(), None)
            for one in batch.events
        ]
        for batch in batches
    ]
    with bare_database(file, like, ["event"]) as db:
        begun = time.monotonic()
        for batch in rows:
            db.execute("BEGIN")
            db.executemany(
                "INSERT INTO event (edge, ledger, seq, at, kind, body, personal) VALUES (?, ?, ?, ?, ?, ?, ?)",
                batch,
            )
            db.execute("COMMIT")
        return time.monotonic() - begun


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
