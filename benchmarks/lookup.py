"""How long a lookup takes in lists of 10,000, 100,000 and 1,000,000 plates, beside a bare `dict.get`.

Limits: exact lookup at most 2 times, look-alike lookup at most 10 times a `dict.get` over the same keys, each at
most 4 times slower in the largest list than in the smallest; one change of a 100,000 list in at most 5 ms.
For context: the whole `find_plate` with its `Match` and `User`, `rapidfuzz.process.extractOne`, and an indexed
edit-distance peer (symspellpy, in its own environment: `peers`). Plates are German ones from the table of layouts,
from a fixed seed.
"""

import gc
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks._report import Bar, Report, console, finish
from benchmarks.peers import SYMSPELL, PeerMissing
from gate_controller.allowlist import Allowlist, Change, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.layouts import LAYOUTS, Layout, spell
from gate_controller.look_alikes import GROUP_OF
from gate_controller.plates import Plate, PlateRead
from gate_controller.users import User

SIZES = (10_000, 100_000, 1_000_000)
CHUNK = 250  # queries timed at a time, each chunk its own, so that no list grows warm in the cache
CHUNKS = 41
QUERIES = CHUNK * CHUNKS
EXACT_MAX, ALIKE_MAX, FLAT_MAX, APPLY_MS_MAX = 2.0, 10.0, 4.0, 5.0
PEER_LIST_MAX = 100_000  # symspellpy needs about 1 GB and minutes for a million plates
SEED = 7

Keys = list[str]


def plates(count: int, rng: random.Random) -> Keys:
    """So many different German plates."""
    layout: Layout = next(layout for layout in LAYOUTS if (layout.country, layout.series) == ("D", "standard"))
    shapes = [shape for shape in layout.shapes if len(shape[2]) >= 3]
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(spell(layout, rng.choice(shapes), rng.choice))] = None
    return list(found)


def changes(keys: Sequence[str]) -> list[Change]:
    """One user a plate."""
    return [UserPut(User(f"u{n}", f"e{n}", plates=(PlateCredential(Plate(key)),))) for n, key in enumerate(keys)]


def fresh(key: str) -> str:
    """An equal string that is another object with no hash yet, as every reading is."""
    return bytes(key, "latin-1").decode("latin-1")


def sure(key: str) -> PlateRead:
    """A read of `key` without doubts."""
    return PlateRead(Plate(key), 0.95, tuple(((char, 0.99),) for char in key))


def misread(key: str, rng: random.Random) -> PlateRead:
    """A read of `key` with one look-alike in place of a character, which the reader still holds possible."""
    at = rng.choice([at for at, char in enumerate(key) if char in GROUP_OF] or [0])
    other = rng.choice([char for char in GROUP_OF.get(key[at], "X") if char != key[at]] or "X")
    options = [((char, 0.99),) for char in key]
    doubt: Any = ((other, 0.6), (key[at], 0.4))
    options[at] = doubt
    return PlateRead(Plate(key[:at] + other + key[at + 1 :]), 0.6, tuple(options))


def timed(candidates: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]]) -> dict[str, float]:
    """Nanoseconds of processor time a call: the median over chunks of queries.

    The candidates take turns in an order drawn anew each time, because each leaves the caches to the next.
    """
    found: dict[str, list[float]] = {name: [] for name in candidates}
    turns = random.Random(SEED)
    gc.collect()
    gc.disable()
    for at in range(0, QUERIES, CHUNK):
        for name in turns.sample(list(candidates), len(candidates)):
            function, queries = candidates[name]
            found[name].append(once(function, queries[at : at + CHUNK]))
    gc.enable()
    return {name: statistics.median(values) for name, values in found.items()}


def lookups(size: int, rng: random.Random) -> dict[str, float]:
    """Nanoseconds of every lookup in a list of so many plates."""
    keys = plates(size, rng)
    allowlist = Allowlist.empty("bench").apply(changes(keys), 1)
    bare = {key: number for number, key in enumerate(keys)}
    hits = rng.choices(keys, k=QUERIES)
    misses = [key for key in plates(2 * QUERIES, rng) if key not in bare][:QUERIES]
    alike = [misread(key, rng) for key in rng.choices(keys, k=QUERIES)]
    strangers = [sure(fresh(key)) for key in misses]
    return timed(
        {
            "dict.get, hit": (bare.get, list(map(fresh, hits))),
            "dict.get, miss": (bare.get, list(map(fresh, misses))),
            "exact, hit": (allowlist.exact, list(map(fresh, hits))),
            "exact, miss": (allowlist.exact, list(map(fresh, misses))),
            "look-alike, hit": (allowlist.look_alikes, alike),
            "look-alike, miss": (allowlist.look_alikes, strangers),
            "find_plate, exact hit": (allowlist.find_plate, [sure(fresh(key)) for key in hits]),
            "find_plate, look-alike hit": (allowlist.find_plate, alike),
            "find_plate, miss": (allowlist.find_plate, strangers),
        }
    )


def extract_one(rng: random.Random) -> dict[int, float]:
    """Nanoseconds of rapidfuzz's scan of the whole list, by list size."""
    found = {}
    for size in SIZES:
        keys, queries = misreads(size, rng)

        def nearest(text: str, keys: Keys = keys) -> object:
            return process.extractOne(text, keys, scorer=Levenshtein.distance, score_cutoff=1)

        found[size] = once(nearest, queries)
    return found


def symspell(rng: random.Random) -> dict[int, float]:
    """Nanoseconds of symspellpy's index, by list size. Raises `PeerMissing`."""
    sizes = [size for size in SIZES if size <= PEER_LIST_MAX]
    asks = [dict(zip(("keys", "queries"), misreads(size, rng), strict=True)) for size in sizes]
    return {size: answer["ns"] for size, answer in zip(sizes, SYMSPELL.run(asks), strict=True)}


def misreads(size: int, rng: random.Random) -> tuple[Keys, Keys]:
    """A list, and misread plates of it: fewer of a longer one, because some peers read it from end to end."""
    keys = plates(size, rng)
    return keys, [misread(key, rng).plate.key for key in rng.choices(keys, k=max(3, 3_000_000 // size))]


def once(function: Callable[[Any], Any], queries: Sequence[Any]) -> float:
    """Nanoseconds a call."""
    start = time.thread_time_ns()
    for query in queries:
        function(query)
    return (time.thread_time_ns() - start) / len(queries)


def change_cost(rng: random.Random) -> tuple[float, float, float, float]:
    """Of a 100,000 list: ms of a change, ms of compacting, bytes a user, ns of an exact lookup with an overlay."""
    keys = plates(100_001, rng)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    allowlist = Allowlist.empty("bench").apply(changes(keys[:-1]), 1)
    gc.collect()
    bytes_a_user = (tracemalloc.get_traced_memory()[0] - before) / 100_000
    tracemalloc.stop()
    one = [UserPut(User("new", "new", plates=(PlateCredential(Plate(keys[-1])),)))]
    applied = [once(lambda _: allowlist.apply(one, 2), [None]) / 1e6 for _ in range(9)]
    changed = allowlist.apply(one, 2)
    compacting = once(lambda _: changed.compacted(), [None]) / 1e6
    hits = [fresh(key) for key in rng.choices(keys, k=QUERIES)]
    overlaid = timed({"overlay": (changed.exact, hits)})["overlay"]
    return statistics.median(applied), compacting, bytes_a_user, overlaid


def bars_of(found: dict[int, dict[str, float]]) -> list[Bar]:
    """The limits on lookups: the worst size counts."""
    bars = []
    for kind, limit in (("exact", EXACT_MAX), ("look-alike", ALIKE_MAX)):
        for outcome in ("hit", "miss"):
            name = f"{kind}, {outcome}"
            worst = max(found[size][name] / found[size][f"dict.get, {outcome}"] for size in SIZES)
            bars.append(Bar(f"{name}: times a dict.get, at worst", worst, limit, "times"))
            flat = found[SIZES[-1]][name] / found[SIZES[0]][name]
            bars.append(Bar(f"{name}: {SIZES[-1]:,} plates beside {SIZES[0]:,}", flat, FLAT_MAX, "times"))
    return bars


def table_of(found: dict[int, dict[str, float]], peers: dict[str, dict[int, float]]) -> Table:
    """Every lookup by list size, and the peers below."""
    table = Table(title="Lookup, ns a call (and times a bare dict.get)")
    table.add_column("what")
    for size in SIZES:
        table.add_column(f"{size:,} plates", justify="right")
    table.add_column("last / first", justify="right")
    for name in found[SIZES[0]]:
        kind = "hit" if name.endswith("hit") else "miss"
        ratios = [found[size][name] / found[size][f"dict.get, {kind}"] for size in SIZES]
        cells = [f"{found[size][name]:.0f} ({ratio:.1f})" for size, ratio in zip(SIZES, ratios, strict=True)]
        table.add_row(name, *cells, f"{found[SIZES[-1]][name] / found[SIZES[0]][name]:.1f}")
    for name, by_size in peers.items():
        table.add_row(f"[dim]{name}", *(f"{by_size[size]:,.0f}" if size in by_size else "-" for size in SIZES), "")
    return table


def main() -> int:
    """Print the table; 1 if a limit was missed."""
    rng, notes = random.Random(SEED), []
    found = {size: lookups(size, rng) for size in track(SIZES, "lists", console=Console(stderr=True))}
    peers = {"rapidfuzz extractOne, look-alike hit": extract_one(rng)}
    try:
        peers["symspellpy lookup, look-alike hit"] = symspell(rng)
    except PeerMissing as missing:
        notes.append(f"peer not installed: {missing}")
    screen = console()
    screen.print(table_of(found, peers))
    applied, compacting, bytes_a_user, overlaid = change_cost(rng)
    screen.print(
        f"A list of 100,000: {bytes_a_user:.0f} bytes a user; compacting {compacting:.0f} ms, off the loop; "
        f"exact lookup with an overlay {overlaid:.0f} ns."
    )
    bars = [*bars_of(found), Bar("one change of a list of 100,000", applied, APPLY_MS_MAX, "ms")]
    figures = {"ns": found, "peers_ns": peers, "bytes_a_user": bytes_a_user, "compacting_ms": compacting}
    return finish(Report("lookup", bars, figures, notes))


if __name__ == "__main__":
    sys.exit(main())
