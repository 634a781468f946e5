"""Our reader beside RapidOCR on the same labelled pictures: texts, processor time on one thread, resident size.

`python -m benchmarks.readers LABELS.csv [EVERY]`; the table has the columns image, text, country, its images beside
it, and every EVERYth is read; a column `also` names other plates in view. No pictures are in this repository, so it
is not among those that `make bench` runs. Limits: more right texts than RapidOCR, O, Q and 0 and I and 1 folded; 30
times less processor time; half of what yolo-v9-t at 384 pixels takes, a detector alone and with weights by chance;
250 MB.
"""

import csv
import json
import math
import os
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
YOLO = Peer(
    "yolov9t",
    ("ultralytics==8.4.190", "torch==2.13.0", "torchvision", "onnx==1.23.2", "onnxruntime==1.31.1"),
    "yolo_graph.py",
)
FASTER_MIN = 30.0
FASTER_THAN_GRAPH_MIN = 2.0
GRAPH_RUNS = 100
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


def share(right: float, count: int) -> str:
    """A count with the 95 % interval of its share (Wilson 1927), in per cent."""
    z, mean = 1.96, right / count
    middle, reach = (
        mean + z * z / (2 * count),
        z * math.sqrt(mean * (1 - mean) / count + z * z / (4 * count * count)),
    )
    low, high = (100 * max(0.0, min(1.0, (middle + side * reach) / (1 + z * z / count))) for side in (-1, 1))
    return f"{right:.0f}/{count}, {low:.0f}-{high:.0f} %"


def part(told: Any, places: list[int]) -> Any:
    """What a reader told of some of the pictures."""
    return told | {"pictures": [told["pictures"][at] for at in places]}


def figures(told: Any, labels: list[set[str]], others: list[set[str]]) -> dict[str, float]:
    """Counts and costs of one reader; `wrong` are accepted texts of no plate in view."""
    texts = [{plain(text) for text in picture["texts"]} for picture in told["pictures"]]
    sure = [set(picture.get("sure", ())) for picture in told["pictures"]]
    return {
        "strict": sum(len(got & label) for got, label in zip(texts, labels, strict=True)),
        "folded": sum(len(_folded(got) & _folded(label)) for got, label in zip(texts, labels, strict=True)),
        "found": sum(map(bool, texts)),
        "accepted": sum(len(got & label) for got, label in zip(sure, labels, strict=True)),
        "wrong": sum(len(got - label - also) for got, label, also in zip(sure, labels, others, strict=True)),
        "cpu_ms": fmean(picture["cpu_ms"] for picture in told["pictures"]),
        "resident_mb": told["resident_mb"],
    }


def _folded(texts: set[str]) -> set[str]:
    return {text.translate(LOOK_ALIKES) for text in texts}


def main(arguments: list[str]) -> int:
    """Print the table; 1 if a limit was missed. Without pictures there is nothing to measure, and it says so."""
    arguments = arguments or os.environ.get("PICTURES", "").split()
    if not arguments:
        note = "left out: name a table of labelled pictures, as in make bench PICTURES=LABELS.csv"
        return finish(Report("readers", [], notes=[note], timed=False))
    table = Path(arguments[0])
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:: int(arguments[1]) if len(arguments) > 1 else 1]
    paths = [str((table.parent / row["image"]).resolve()) for row in rows]
    labels = [{plain(text) for text in row["text"].split("|")} for row in rows]
    others = [{plain(text) for text in (row.get("also") or "").split("|")} for row in rows]
    told = {"ours": ours(paths)}
    notes: list[str] = []
    graph_ms = None
    try:
        told["RapidOCR 3.10"] = RAPIDOCR.run(paths)
        graph_ms = YOLO.run(GRAPH_RUNS)["cpu_ms"]
        notes.append(f"yolo-v9-t at 384 pixels with weights by chance: {graph_ms:.1f} ms of one core")
    except PeerMissing as missing:
        notes.append(f"peer left out: {missing}")
    shown = Table("reader", "country", "strict", "folded", "accepted", "wrong", "ms", "MB")
    for country in [*sorted({row["country"] for row in rows}), ""]:
        places = [at for at, row in enumerate(rows) if country in ("", row["country"])]
        of = [labels[at] for at in places]
        for name, answers in told.items():
            one = figures(part(answers, places), of, [others[at] for at in places])
            plates = sum(map(len, of))
            counts = (share(one["strict"], plates), share(one["folded"], plates), share(one["accepted"], plates))
            costs = (f"{one['wrong']:.0f}", f"{one['cpu_ms']:.1f}", f"{one['resident_mb']:.0f}")
            shown.add_row(name, country or "all", *counts, *costs)
    console().print(shown)
    found = {name: figures(answers, labels, others) for name, answers in told.items()}
    return finish(Report("readers", _bars(found, graph_ms), {"readers": found}, notes))


def _bars(found: dict[str, dict[str, float]], graph_ms: float | None) -> list[Bar]:
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
    if graph_ms is not None:
        faster = graph_ms / mine["cpu_ms"]
        bars.append(Bar("times less than yolo-v9-t alone", faster, FASTER_THAN_GRAPH_MIN, at_least=True))
    return bars


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
