"""Shipped files are handed out only as they were shipped."""

import hashlib
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from gate_controller.errors import RecognitionError
from recognition import shipped as module
from recognition.shipped import SUMS, shipped

MODELS = Path(str(files("recognition.models")))


def test_every_model_file_is_listed_with_its_sum() -> None:
    listed = {name: total for total, name in (line.split() for line in (MODELS / SUMS).read_text().splitlines())}
    there = {path.name for path in MODELS.iterdir() if path.suffix in (".onnx", ".yaml")}
    assert set(listed) == there
    for name, total in listed.items():
        assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == total
        with shipped(name) as path:
            assert path.name == name


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    shutil.copytree(MODELS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "files", lambda _: folder)
    return folder


def test_a_changed_file_is_refused(copy: Path) -> None:
    data = bytearray((copy / "ocr.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "ocr.onnx").write_bytes(data)
    with (
        pytest.raises(RecognitionError, match=r"ocr\.onnx: is not the file that was shipped .* install"),
        shipped("ocr.onnx"),
    ):
        pass


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "detector.onnx").unlink()
    with (
        pytest.raises(RecognitionError, match=r"detector\.onnx: no such model file; install"),
        shipped("detector.onnx"),
    ):
        pass


def test_the_model_cards_are_of_the_files_that_ship() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text()
    renew = "measure it anew: python -m recognition.training.model_card"
    for name in ("detector.onnx", "aligner.onnx", "ocr.onnx"):
        data = (MODELS / name).read_bytes()
        row = f"| `{name}` | {len(data) / 1e6:.2f} MB | `{hashlib.sha256(data).hexdigest()[:12]}` |"
        assert row in page, renew
    signs = re.findall(r'^  - "(\w+)"$', (MODELS / "ocr.yaml").read_text(), re.MULTILINE)
    assert re.findall(r"^\| (\w+) \| \d+ of \d+ \|", page, re.MULTILINE) == [*signs, "all"], renew


def test_the_log_of_the_full_run_ends_with_the_reader_that_ships() -> None:
    log = Path(__file__).resolve().parents[2] / "docs" / "training-logs" / "full-run.txt"
    total = hashlib.sha256((MODELS / "ocr.onnx").read_bytes()).hexdigest()
    assert f"{total}  ocr.onnx" in log.read_text().splitlines()
