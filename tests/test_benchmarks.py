"""The benchmarks can be listed, are described, keep their books, and do without a peer that cannot be had."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import _confusions, _report, peers
from benchmarks.__main__ import BENCHMARKS, conclude, main
from benchmarks._report import Bar, Report, finish

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


def test_what_needs_pictures_is_left_out_without_them() -> None:
    """A run of all goes on, and says so; no limit is missed."""
    environment = {name: value for name, value in os.environ.items() if name != "PICTURES"}
    command = [sys.executable, "-m", "benchmarks.readers"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "make bench PICTURES=LABELS.csv" in " ".join(done.stdout.split())


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
