"""The benchmarks can be listed, are described, keep their books, and do without a peer that cannot be had."""

import json
import os
import re
import runpy
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import _confusions, _report, clips, peers, readers
from benchmarks.__main__ import BENCHMARKS, conclude, main
from benchmarks._operations import work_of
from benchmarks._report import Bar, Report, finish
from gate_controller.plates import Plate, PlateRead
from recognition.frame import Frame
from recognition.recognizer import Recognizer
from recognition.training.draw import Freedom, draw_plate

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_list_names_each_with_what_it_measures() -> None:
    done = run("--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(BENCHMARKS)
    assert all(len(line.split()) > 5 for line in done.stdout.splitlines())


def test_an_unknown_name_is_told_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lokup"]) == 2
    assert "no benchmark lokup; there are lookup" in capsys.readouterr().err


def test_the_page_describes_each() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in BENCHMARKS if f"\n## {name}\n" not in page] == []
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert [text.split()[0] for text in sections if "|---|" not in text] == [], "each shows its last figures"


@pytest.mark.parametrize(("name", "wants"), [("readers", "PICTURES=LABELS.csv"), ("clips", "CLIPS=CLIPS.csv")])
def test_what_needs_pictures_is_left_out_without_them(name: str, wants: str) -> None:
    """A run of all goes on, and says so; no limit is missed."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PICTURES", "CLIPS")}
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"make bench {wants}" in " ".join(done.stdout.split())


def test_a_clip_tells_when_it_was_sure_and_when_it_was_decided() -> None:
    """A car that stands where it was first seen: a sensor's word decides it early, its pictures at the end."""
    street = np.full((360, 640, 3), 90, np.uint8)
    plate = draw_plate(("AB", "123", "CD"), "F", np.random.default_rng(3), freedom=Freedom(0.1, 0.0, False, False))
    parked = street.copy()
    parked[150 : 150 + 46, 210 : 210 + 216] = cv2.resize(plate, (216, 46), interpolation=cv2.INTER_AREA)
    frames = [Frame(image, at / 12, at) for at, image in enumerate([street] + [parked] * 7)]
    told = clips.follow(frames, Recognizer())
    (vehicle,), (alone,) = told.announced, told.alone
    assert (told.frames, vehicle.read.plate.key, vehicle.accepted) == (8, "AB123CD", True)
    assert (vehicle.first_seen, vehicle.first_sure, vehicle.decided, vehicle.frames) == (2, 2, 4, 3)
    assert alone.decided == 8


def test_both_plates_of_a_clip_are_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of `A|B` only A is read, and once with an unsure vote: B is missed twice, A once, and X is wrong."""

    def vehicle(key: str, accepted: bool = True) -> clips.Vehicle:
        read = PlateRead(Plate(key), 0.99, tuple(((char, 0.99),) for char in key))
        return clips.Vehicle(read, accepted, 1, 1, 3)

    told = clips.Followed(36, [vehicle("AB123CD"), vehicle("XY789Z")], [vehicle("AB123CD", False)])
    monkeypatch.setattr(clips, "open_source", lambda _: SimpleNamespace(frames=lambda: [], close=lambda: None))
    monkeypatch.setattr(clips, "follow", lambda *_: told)
    monkeypatch.setattr(_report, "FOLDER", tmp_path)
    monkeypatch.setenv(_report.JOINED_BY, "1")
    table = tmp_path / "clips.csv"
    table.write_text("clip,text,country\na.avi,AB123CD|EF456GH,F\n", encoding="utf-8")
    assert clips.main([str(table)]) == 1
    assert [bar["measured"] for bar in _report.read("clips")["bars"]] == [3, 1, 0]


def test_neighbours_are_one_edit_away_and_no_look_alikes() -> None:
    near = set(clips.neighbours("B8O"))
    assert {"B8", "BO", "8O", "B8OX", "XB8O", "B7O", "C8O"} <= near
    assert not near & {"B8O", "BBO", "88O", "B80", "B8Q"}
    assert clips.listed(near).find_plate(Plate("B8O")).user is None


def test_each_can_be_run_without_what_only_training_needs() -> None:
    there = f"assert all(callable(importlib.import_module(f'benchmarks.{{name}}').main) for name in {BENCHMARKS})"
    code = f"import importlib, sys; sys.modules.update(torch=None, fontTools=None); {there}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_confusions_say_which_model_they_belong_to() -> None:
    table = json.loads(_confusions.TABLE.read_text(encoding="utf-8"))
    assert len(table["model_sha256"]) == len(_confusions.model_digest()) == 64


def test_a_missed_limit_is_told_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_report, "FOLDER", tmp_path)
    monkeypatch.setattr("benchmarks.__main__.JOINED", tmp_path / "joined.json")
    assert finish(Report("good", [Bar("share", 9.9, 10, "%"), Bar("times", 100, 100, at_least=True)])) == 0
    assert finish(Report("bad", [Bar("share", 10.1, 10, "%"), Bar("times", 100, 100, at_least=True)])) == 1
    reports = {name: _report.read(name) for name in ("good", "bad")}
    assert [report["held"] for report in reports.values()] == [True, False]
    assert conclude(_report.console(), reports, [], 1.0) == 1
    assert "a limit was missed in: bad" in capsys.readouterr().out
    joined = tmp_path / "joined.json"
    assert set(json.loads(joined.read_text(encoding="utf-8"))["benchmarks"]) == {"good", "bad"}
    assert conclude(_report.console(), {"good": reports["good"]}, [], 1.0) == 0
    assert conclude(_report.console(), {"good": reports["good"]}, ["x: no result"], 1.0) == 1


def test_a_peer_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ROOT", tmp_path)
    nowhere = peers.Peer("nowhere", (str(tmp_path / "nowhere.whl"),), "symspell.py")
    with pytest.raises(peers.PeerMissing, match="nowhere: ") as missing:
        nowhere.run([])
    assert "\n" not in str(missing.value)
    assert not (nowhere.home / "installed").exists()


def test_every_peer_is_pinned() -> None:
    assert all("==" in requirement for requirement in peers.SYMSPELL.requirements)
    assert (peers.SCRIPTS / peers.SYMSPELL.script).exists()


def test_a_graph_s_multiply_adds_are_counted_and_grow_with_the_picture() -> None:
    detector = ROOT / "recognition" / "models" / "detector.onnx"
    small, large = (work_of(detector, (1, rows, 64, 80)) for rows in (32, 64))
    first = 64 * 32 * 80 * 48
    assert small.whole_macs > 5 * first
    assert large.whole_macs == pytest.approx(2 * small.whole_macs)
    assert large.float_macs == pytest.approx(2 * small.float_macs)
    assert small.moved_bytes < large.moved_bytes < 2 * small.moved_bytes
    assert small.plus(small, 2.0).float_macs == pytest.approx(3 * small.float_macs)


def reader_told(*texts: str) -> dict[str, Any]:
    return {"pictures": [{"texts": [text], "sure": [text], "cpu_ms": 1.0} for text in texts], "resident_mb": 9.0}


def test_a_reader_is_to_be_ahead_in_every_country_and_not_by_folding_alone() -> None:
    """Two more French plates than the peer do not make good a Croatian one less, nor a 0 that is an O."""
    labels = ["AB1O", "CD2", "EF3", "GH4", "IJ5"]
    told = {
        "ours": reader_told("AB10", "CD2", "EF3", "GH4", "-"),
        readers.WHOLE_PEER: reader_told("-", "-", "EF3", "GH4", "IJ5"),
    }
    found = readers.by_country(told, ["F", "F", "F", "HR", "HR"], [{label} for label in labels], [set()] * 5)
    assert list(found) == ["F", "HR", "all"]
    assert [found[country]["ours"]["folded"] for country in found] == [3, 1, 4]
    bars = {bar.what: bar for bar in readers._bars(found, None)}
    less = f"right texts, folded, less {readers.WHOLE_PEER}'s"
    assert {country: bars[f"{country}: {less}"].held for country in ("F", "HR")} == {"F": True, "HR": False}
    assert bars[less].held
    strict = {country: bars[f"{country}: right share, strict, below folded"] for country in ("F", "HR")}
    assert {country: (round(bar.measured, 1), bar.held) for country, bar in strict.items()} == {
        "F": (33.3, False),
        "HR": (0.0, True),
    }


def test_where_the_peer_reads_every_plate_as_many_are_enough() -> None:
    for texts, held in ((("AB1", "CD2"), True), (("AB1", "-"), False)):
        told = {"ours": reader_told(*texts), readers.WHOLE_PEER: reader_told("AB1", "CD2")}
        found = readers.by_country(told, ["F", "F"], [{"AB1"}, {"CD2"}], [set(), set()])
        bars = {bar.what: bar for bar in readers._bars(found, None)}
        assert bars[f"F: right texts, folded, less {readers.WHOLE_PEER}'s"].held is held


@pytest.mark.parametrize("name", ["rapidocr_reads", "platedet_reads"])
def test_a_peer_holds_no_more_pictures_than_it_reads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the pictures would count as its memory beside ours, which loads one at a time."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    class Picture(np.ndarray):  # type: ignore[type-arg]
        __hash__ = object.__hash__

    def load(_: str) -> Any:
        nonlocal most
        picture = np.zeros((40, 80, 3), np.uint8).view(Picture)
        alive.add(picture)
        most = max(most, len(alive))
        return picture

    engine = SimpleNamespace(
        RapidOCR=lambda params: lambda *_, **__: SimpleNamespace(txts=("AB123CD",)),
        Platedet=lambda sess_options: SimpleNamespace(
            inference=lambda *_, **__: {"boxes": {"boxes": [(1, 1, 9, 9)]}}
        ),
    )
    for module in ("rapidocr", "platedet"):
        monkeypatch.setitem(sys.modules, module, engine)
    monkeypatch.setattr(cv2, "imread", load)
    for stays in ("cv2.setNumThreads", "logging.disable"):
        monkeypatch.setattr(stays, lambda *_: None)
    asks, answers = tmp_path / "asks.json", tmp_path / "answers.json"
    asks.write_text(json.dumps([f"{at}.png" for at in range(9)]), encoding="utf-8")
    runpy.run_path(str(peers.SCRIPTS / f"{name}.py"))["main"](asks, answers)
    told = json.loads(answers.read_text(encoding="utf-8"))
    assert [picture["texts"] for picture in told["pictures"]] == [["AB123CD"]] * 9
    assert most <= 2, "the one that was read and the next"
