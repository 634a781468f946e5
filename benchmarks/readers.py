"""Our reader beside RapidOCR on the same labelled pictures: texts, processor time on one thread, resident size.

`python -m benchmarks.readers LABELS.csv [EVERY]`; the table has the columns image, text, country, its images beside
it, and every EVERYth is read; a column `also` names other plates in view. No pictures are in this repository, so
without them it is left out. The readers take turns, `TURNS` parts of the pictures each, so that what else the
machine does costs all alike. Limits: more right texts than the others, O, Q and 0 and I and 1 folded, and than
RapidOCR on each country's pictures; of these at most two in a hundred right when folded only; 30 times less
processor time than RapidOCR; half of what the graphs of yolo-v9-t at 384 pixels and of cct_xs take together, with
weights by chance; nine in ten of the right texts accepted and none of a plate that nobody sees; 250 MB.

What limits it is told beside: the nets' multiply-adds and bytes, counted, over what one core does at most of each,
measured in the same run.
"""

import csv
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table

from benchmarks._operations import Work, work_of
from benchmarks._report import ROOT, Bar, Report, console, finish
from benchmarks.peers import Peer, PeerMissing

RAPIDOCR = Peer("rapidocr", ("rapidocr==3.10.0", "onnxruntime==1.31.1"), "rapidocr_reads.py")
GRAPHS = Peer(
    "yolov9t",
    ("ultralytics==8.4.190", "torch==2.13.0", "torchvision", "onnx==1.23.2", "onnxruntime==1.31.1"),
    "peer_graphs.py",
)
PLATEDET = Peer(
    "platedet", ("platedet==0.0.2", "rapidocr==3.10.0", "onnxruntime==1.31.1", "setuptools"), "platedet_reads.py"
)
PEAK = replace(GRAPHS, script="peak.py")
WHOLE_PEER = "RapidOCR 3.10"
TURNS = 4
ALL = "all"
"""Beside the countries' names."""

ONLY_FOLDED_MAX = 2.0
"""Points, of a hundred plates of one country, by which the strict share may be below the folded one."""

FASTER_MIN = 30.0
FASTER_THAN_GRAPHS_MIN = 2.0
GRAPH_RUNS = 40
"""In each turn."""

ACCEPTED_MIN = 0.9
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
        "plates": sum(map(len, labels)),
        "strict": sum(len(got & label) for got, label in zip(texts, labels, strict=True)),
        "folded": sum(len(_folded(got) & _folded(label)) for got, label in zip(texts, labels, strict=True)),
        "found": sum(map(bool, texts)),
        "accepted": sum(len(got & label) for got, label in zip(sure, labels, strict=True)),
        "wrong": sum(len(got - label - also) for got, label, also in zip(sure, labels, others, strict=True)),
        "cpu_ms": fmean(picture["cpu_ms"] for picture in told["pictures"]),
        "resident_mb": told["resident_mb"],
    }


def by_country(
    told: dict[str, Any], countries: list[str], labels: list[set[str]], others: list[set[str]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Every reader's figures for each country's pictures, and for all of them, which come last."""
    found = {}
    for country in [*sorted(set(countries)), ALL]:
        places = [at for at, its in enumerate(countries) if country in (ALL, its)]
        of, also = [labels[at] for at in places], [others[at] for at in places]
        found[country] = {name: figures(part(answers, places), of, also) for name, answers in told.items()}
    return found


def _folded(texts: set[str]) -> set[str]:
    return {text.translate(LOOK_ALIKES) for text in texts}


def graphs(_some: list[str]) -> Any:
    """What the graphs' runs take; they look at no picture."""
    return {"pictures": [], "resident_mb": 0.0, "graphs": [GRAPHS.run(GRAPH_RUNS)]}


def in_turns(paths: list[str], notes: list[str]) -> dict[str, Any]:
    """What each reader told of all pictures, a part after the other; a peer that is missing is left out."""
    readers: dict[str, Callable[[list[str]], Any]] = {"ours": ours, "graphs": graphs}
    readers |= {WHOLE_PEER: RAPIDOCR.run, "platedet + RapidOCR's recogniser": PLATEDET.run}
    told: dict[str, Any] = {}
    for turn in range(TURNS):
        some = paths[turn * len(paths) // TURNS : (turn + 1) * len(paths) // TURNS]
        for name, read in list(readers.items()) if some else []:
            try:
                said = read(some)
            except PeerMissing as missing:
                notes.append(f"peer left out: {missing}")
                told.pop(name, None)
                del readers[name]
                continue
            told[name] = _together(told[name], said) if name in told else said
    return told


def _together(one: Any, two: Any) -> Any:
    """What a reader told of two parts."""
    both = {
        "pictures": one["pictures"] + two["pictures"],
        "resident_mb": max(one["resident_mb"], two["resident_mb"]),
    }
    if "graphs" in one:
        return both | {"graphs": one["graphs"] + two["graphs"]}
    if "nets" not in one:
        return both
    nets = {}
    for name, net in one["nets"].items():
        other = two["nets"][name]
        shapes = {*net["runs"], *other["runs"]}
        runs = {shape: net["runs"].get(shape, 0) + other["runs"].get(shape, 0) for shape in shapes}
        nets[name] = {"runs": runs, "cpu_ms": net["cpu_ms"] + other["cpu_ms"]}
    return both | {"nets": nets}


def bound(told: Any, peak: dict[str, float]) -> tuple[Table, dict[str, float]]:
    """What a picture's nets do and would take at the core's best: a table a net, and the figures of all."""
    count = len(told["pictures"])
    cpu_ms = fmean(picture["cpu_ms"] for picture in told["pictures"])
    shown = Table(
        "a picture's", "runs", "M multiply-adds", "of them floats", "MB moved", "at least ms", "takes ms", "times"
    )
    total, nets_ms = Work(), 0.0
    for name, net in told["nets"].items():
        path = Path(str(files("recognition.models"))) / f"{name}.onnx"
        work = Work()
        for shape, runs in net["runs"].items():
            work = work.plus(work_of(path, tuple(map(int, shape.split("x")))), runs / count)
        total, took_ms = total.plus(work, 1.0), net["cpu_ms"] / count
        nets_ms += took_ms
        shown.add_row(name, f"{sum(net['runs'].values()) / count:.1f}", *_bound_row(work, peak, took_ms))
    shown.add_row("nets", "", *_bound_row(total, peak, nets_ms))
    shown.add_row("whole", "", "", "", "", "", f"{cpu_ms:.1f}", f"{cpu_ms / _least_ms(total, peak):.1f}")
    least = {"least_ms": _least_ms(total, peak), "nets_ms": nets_ms, "cpu_ms": cpu_ms}
    return shown, least | {"macs": total.whole_macs + total.float_macs, "bytes": total.moved_bytes} | peak


def _least_ms(work: Work, peak: dict[str, float]) -> float:
    """Milliseconds of the sums at the core's best, or of the bytes if these take longer."""
    sums_ms = (work.whole_macs / peak["whole_gmacs"] + work.float_macs / peak["float_gmacs"]) / 1e6
    return max(sums_ms, work.moved_bytes / peak["gbytes"] / 1e6)


def _bound_row(work: Work, peak: dict[str, float], took_ms: float) -> list[str]:
    least_ms = _least_ms(work, peak)
    sums = (f"{(work.whole_macs + work.float_macs) / 1e6:.0f}", f"{work.float_macs / 1e6:.0f}")
    return [
        *sums,
        f"{work.moved_bytes / 1e6:.1f}",
        f"{least_ms:.2f}",
        f"{took_ms:.1f}",
        f"{took_ms / least_ms:.1f}",
    ]


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
    notes: list[str] = []
    told = in_turns(paths, notes)
    graph_ms, limits = _graph_ms(told.pop("graphs", {}).get("graphs", []), notes), {}
    try:
        shown, limits = bound(told["ours"], PEAK.run(None))
        console().print(shown)
        notes.append(
            f"a core's best: {limits['whole_gmacs']:.0f} thousand million multiply-adds a second in whole numbers, "
            f"{limits['float_gmacs']:.0f} in floats, {limits['gbytes']:.0f} GB/s copied"
        )
    except PeerMissing as missing:
        notes.append(f"peer left out: {missing}")
    found = by_country(told, [row["country"] for row in rows], labels, others)
    console().print(_shown(found))
    return finish(Report("readers", _bars(found, graph_ms), {"readers": found, "bound": limits}, notes))


def _shown(found: dict[str, dict[str, dict[str, float]]]) -> Table:
    """A row a country and reader."""
    shown = Table("reader", "country", "strict", "folded", "accepted", "wrong", "ms", "MB")
    for country, readers in found.items():
        for name, one in readers.items():
            counts = (share(one[key], int(one["plates"])) for key in ("strict", "folded", "accepted"))
            costs = (f"{one['wrong']:.0f}", f"{one['cpu_ms']:.1f}", f"{one['resident_mb']:.0f}")
            shown.add_row(name, country, *counts, *costs)
    return shown


def _graph_ms(runs: list[dict[str, float]], notes: list[str]) -> float | None:
    """Both graphs' processor time in all turns' mean, None if they were not run."""
    if not runs:
        return None
    detector_ms, reader_ms = (fmean(run[name] for run in runs) for name in ("detector_ms", "reader_ms"))
    notes.append(
        f"with weights by chance: yolo-v9-t at 384 pixels {detector_ms:.1f} ms of one core, cct_xs {reader_ms:.1f}"
    )
    return detector_ms + reader_ms


def _country_bars(country: str, readers: dict[str, dict[str, float]]) -> list[Bar]:
    """Of one country's pictures. Where RapidOCR reads every plate there is no more to be read than that."""
    mine = readers["ours"]
    only_folded = 100 * (mine["folded"] - mine["strict"]) / mine["plates"]
    bars = [Bar(f"{country}: right share, strict, below folded", only_folded, ONLY_FOLDED_MAX, "points")]
    if WHOLE_PEER in readers:
        theirs = readers[WHOLE_PEER]["folded"]
        more, what = min(1, mine["plates"] - theirs), f"{country}: right texts, folded, less {WHOLE_PEER}'s"
        bars.append(Bar(what, mine["folded"] - theirs, more, at_least=True))
    return bars


def _bars(countries: dict[str, dict[str, dict[str, float]]], graph_ms: float | None) -> list[Bar]:
    found = countries[ALL]
    mine = found["ours"]
    models_mb = sum(path.stat().st_size for path in Path(str(files("recognition.models"))).iterdir()) / 1e6
    bars = [
        Bar("largest resident size of a process that reads", mine["resident_mb"], RESIDENT_MB_MAX, "MB"),
        Bar("models together", models_mb, MODELS_MB_MAX, "MB"),
        Bar("accepted of the right texts", mine["accepted"] / max(mine["strict"], 1), ACCEPTED_MIN, at_least=True),
        Bar("accepted texts of no plate in view", mine["wrong"], 0),
    ]
    for country in sorted(countries.keys() - {ALL}):
        bars += _country_bars(country, countries[country])
    for name, row in found.items():
        if row is not mine:
            bars.append(
                Bar(f"right texts, folded, less {name}'s", mine["folded"] - row["folded"], 1, at_least=True)
            )
        if name == WHOLE_PEER:
            faster = row["cpu_ms"] / mine["cpu_ms"]
            bars.append(Bar(f"times less processor time than {name}", faster, FASTER_MIN, at_least=True))
    if graph_ms is not None:
        faster = graph_ms / mine["cpu_ms"]
        bars.append(Bar("times less than both graphs", faster, FASTER_THAN_GRAPHS_MIN, at_least=True))
    return bars


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
