"""Our reader beside RapidOCR on the same labelled pictures: texts, processor time on one thread, resident size.

`python -m benchmarks.readers LABELS.csv [EVERY]`; the table has the columns image, text, country, its images beside
it, and every EVERYth is read. No pictures are in this repository, so it is not among those that `make bench` runs.
Limits: more right texts than RapidOCR, O, Q and 0 and I and 1 folded; 30 times less processor time; 250 MB.
"""

import csv
import json
import re
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table

from benchmarks._report import ROOT, Bar, Report, console, finish
from benchmarks.peers import Peer, PeerMissing

RAPIDOCR = Peer("rapidocr", ("rapidocr==3.10.0", "onnxruntime==1.31.1"), "rapidocr_reads.py")
FASTER_MIN = 30.0
RESIDENT_MB_MAX = 250.0
MODELS_MB_MAX = 12.0
LOOK_ALIKES = str.maketrans("OQI", "001")


def plain(text: str) -> str:
    """Letters and digits alone."""
    return re.sub(r"[^A-Z0-9ÄÖÜ]", "", text.upper())


def ours(paths: list[str]) -> Any:
    """What `_read_ours` answers."""
    with tempfile.TemporaryDirectory() as folder:
        asks, answers = Path(folder) / "asks.json", Path(folder) / "answers.json"
        asks.write_text(json.dumps(paths), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks._read_ours", asks, answers]
        subprocess.run(command, check=True, cwd=ROOT)
        return json.loads(answers.read_text(encoding="utf-8"))


def figures(told: Any, labels: list[set[str]]) -> dict[str, float]:
    """Counts and costs of one reader; `wrong` are accepted texts that are no label."""
    texts = [{plain(text) for text in picture["texts"]} for picture in told["pictures"]]
    sure = [set(picture.get("sure", ())) for picture in told["pictures"]]
    return {
        "strict": sum(len(got & label) for got, label in zip(texts, labels, strict=True)),
        "folded": sum(len(_folded(got) & _folded(label)) for got, label in zip(texts, labels, strict=True)),
        "found": sum(map(bool, texts)),
        "accepted": sum(len(got & label) for got, label in zip(sure, labels, strict=True)),
        "wrong": sum(len(got - label) for got, label in zip(sure, labels, strict=True)),
        "cpu_ms": fmean(picture["cpu_ms"] for picture in told["pictures"]),
        "resident_mb": told["resident_mb"],
    }


def _folded(texts: set[str]) -> set[str]:
    return {text.translate(LOOK_ALIKES) for text in texts}


def main(arguments: list[str]) -> int:
    """Print the table; 1 if a limit was missed, 2 without pictures."""
    if not arguments:
        print("name a table of labelled pictures: python -m benchmarks.readers LABELS.csv [EVERY]", file=sys.stderr)
        return 2
    table = Path(arguments[0])
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:: int(arguments[1]) if len(arguments) > 1 else 1]
    paths = [str((table.parent / row["image"]).resolve()) for row in rows]
    labels = [{plain(text) for text in row["text"].split("|")} for row in rows]
    found = {"ours": figures(ours(paths), labels)}
    notes: list[str] = []
    try:
        found["RapidOCR 3.10"] = figures(RAPIDOCR.run(paths), labels)
    except PeerMissing as missing:
        notes.append(f"peer left out: {missing}")
    shown = Table(
        "reader", *next(iter(found.values())), title=f"{sum(map(len, labels))} plates, {len(rows)} pictures"
    )
    for name, row in found.items():
        shown.add_row(name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    console().print(shown)
    return finish(Report("readers", _bars(found), {"readers": found}, notes))


def _bars(found: dict[str, dict[str, float]]) -> list[Bar]:
    mine = found["ours"]
    models_mb = sum(path.stat().st_size for path in Path(str(files("recognition.models"))).iterdir()) / 1e6
    bars = [
        Bar("largest resident size of a process that reads", mine["resident_mb"], RESIDENT_MB_MAX, "MB"),
        Bar("models together", models_mb, MODELS_MB_MAX, "MB"),
    ]
    for name, row in found.items():
        if row is not mine:
            bars.append(
                Bar(f"right texts, folded, less {name}'s", mine["folded"] - row["folded"], 1, at_least=True)
            )
            faster = row["cpu_ms"] / mine["cpu_ms"]
            bars.append(Bar(f"times less processor time than {name}", faster, FASTER_MIN, at_least=True))
    return bars


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
