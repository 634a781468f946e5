"""The benchmarks can be listed, are described, keep their books, and do without a peer that cannot be had."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import _confusions, _report, clips, peers
from benchmarks.__main__ import BENCHMARKS, conclude, main
from benchmarks._operations import work_of
from benchmarks._report import Bar, Report, finish
from gate_controller.plates import Plate
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
