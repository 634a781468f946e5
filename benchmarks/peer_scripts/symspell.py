"""symspellpy over the lookup benchmark's lists, in its own environment: `symspell.py ASKS.json ANSWERS.json`.

Asked `[{"keys": [...], "queries": [...]}, ...]` it answers nanoseconds of processor time a lookup, and the seconds
that building its index took, for each.
"""

import json
import sys
import time
from pathlib import Path

from symspellpy import SymSpell, Verbosity


def measured(keys: list[str], queries: list[str]) -> dict[str, float]:
    """A lookup at edit distance 1 in an index of deletions."""
    begun = time.perf_counter()
    index = SymSpell(max_dictionary_edit_distance=1, prefix_length=8)
    for key in keys:
        index.create_dictionary_entry(key, 1)
    built_s = time.perf_counter() - begun
    begun_ns = time.thread_time_ns()
    for query in queries:
        index.lookup(query, Verbosity.CLOSEST, max_edit_distance=1)
    return {"ns": (time.thread_time_ns() - begun_ns) / len(queries), "built_s": built_s}


if __name__ == "__main__":
    asks = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(json.dumps([measured(**ask) for ask in asks]), encoding="utf-8")
