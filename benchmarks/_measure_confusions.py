"""Measures what the shipped reader takes for what: `python -m benchmarks._measure_confusions [PLATES]`.

Draws plates as training does (another seed), reads them with the shipped model and writes `confusions.json`: for
every character how often it was seen and a sample of the doubtful observations, each as the reader's own options,
and the SHA-256 of the model's file. `false_opens` draws its reads from that and says when the file has changed
since. Run it anew whenever the model changes; it takes some minutes, and the packages that training needs.
"""

import json
import random
import sys
from collections import Counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks._confusions import TABLE, model_digest
from recognition.ocr import Ocr
from recognition.training.plates_source import PlateSource, Sources

PLATES = 20_000
BATCH = 32
DOUBTS_MAX = 150  # kept for a character; the share of doubtful observations is counted exactly
SURE = 0.999  # a right character at least this probable is a sure observation
SEED = 20_260_101


def measure(count: int) -> dict[str, Any]:
    """The table over so many drawn plates; only reads of the right length tell which character became which."""
    source, ocr, rng = PlateSource(Sources(), SEED), Ocr(), random.Random(SEED)
    seen: Counter[str] = Counter()
    doubtful: Counter[str] = Counter()
    doubts: dict[str, list[Any]] = {}
    same_length = 0
    batches = range(0, count, BATCH)
    for _ in track(batches, "plates drawn and read", console=Console(stderr=True)):
        drawn = [source.sample() for _ in range(BATCH)]
        reads = ocr.read([np.ascontiguousarray(pixels[..., ::-1]) for pixels, _, _ in drawn])
        for (_, text, _), read in zip(drawn, reads, strict=True):
            if not text or len(read.text) != len(text) or read.inner_pad:
                continue
            same_length += 1
            for char, options in zip(text, read.alternatives, strict=True):
                seen[char] += 1
                if options[0][0] == char and options[0][1] >= SURE:
                    continue
                doubtful[char] += 1
                kept = doubts.setdefault(char, [])
                observed = [[other, round(probability, 3)] for other, probability in options[:4]]
                if len(kept) < DOUBTS_MAX:
                    kept.append(observed)
                elif (at := rng.randrange(doubtful[char])) < DOUBTS_MAX:
                    kept[at] = observed
    characters = {
        char: {"seen": seen[char], "doubtful": doubtful[char], "doubts": doubts.get(char, [])}
        for char in sorted(seen)
    }
    return {
        "model_sha256": model_digest(),
        "plates": len(batches) * BATCH,
        "same_length": same_length,
        "characters": characters,
    }


def main() -> None:
    """Write the table beside this file."""
    table = measure(int(sys.argv[1]) if len(sys.argv) > 1 else PLATES)
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items() if key != "characters"]
    rows = [f"    {json.dumps(char)}: {json.dumps(row)}" for char, row in table["characters"].items()]
    body = ",\n".join(lines) + ',\n  "characters": {\n' + ",\n".join(rows) + "\n  }"
    TABLE.write_text("{\n" + body + "\n}\n", encoding="utf-8")
    print(f"{TABLE.name}: {table['same_length']} of {table['plates']} reads of the right length")


if __name__ == "__main__":
    main()
