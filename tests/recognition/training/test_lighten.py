"""A lightened net answers what it answered before."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from recognition.blocks import blocks_of, cells_of  # noqa: E402
from recognition.sessions import open_session  # noqa: E402
from recognition.training import quantize as quantizing  # noqa: E402
from recognition.training.detector_net import PlateNet  # noqa: E402
from recognition.training.export_ocr import export as export_ocr  # noqa: E402
from recognition.training.lighten import lighten  # noqa: E402
from recognition.training.ocr_net import OcrNet  # noqa: E402
from recognition.training.train_detector import export  # noqa: E402


@pytest.fixture
def rng(monkeypatch: pytest.MonkeyPatch) -> np.random.Generator:
    """Quantizing without lightening, so that both can be told apart."""
    monkeypatch.setattr(quantizing, "lighten", lambda source, path: None)
    torch.manual_seed(5)
    return np.random.default_rng(3)


def test_the_detector_takes_blocks_and_answers_the_same(tmp_path: Path, rng: np.random.Generator) -> None:
    source, whole, light = (tmp_path / f"{name}.onnx" for name in ("float", "whole", "light"))
    export(PlateNet().eval(), source)
    pictures = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(4)]
    quantizing.quantize("detector", source, whole, [{"image": cells_of(one)[None]} for one in pictures[:2]])
    lighten(whole, light)
    cells, blocks = (np.stack([of(one) for one in pictures[2:]]) for of in (cells_of, blocks_of))
    before = open_session(whole).run(["plates"], {"image": cells})[0]
    after = open_session(light).run(["plates"], {"image": blocks})[0]
    assert after.shape == (2, 8, 12, 9)
    assert np.abs(before - after).max() < 1e-4
    assert "Resize" not in {node.op_type for node in onnx.load(light).graph.node}


def test_the_reader_answers_the_same_for_any_number_of_crops(tmp_path: Path, rng: np.random.Generator) -> None:
    source, whole, light = (tmp_path / f"{name}.onnx" for name in ("float", "whole", "light"))
    export_ocr(OcrNet().eval(), source)
    crops = rng.integers(0, 256, (3, 64, 160, 3), np.uint8)
    quantizing.quantize("ocr", source, whole, [{"input": crops}])
    lighten(whole, light)
    for some in (crops[:1], crops):
        before, after = (open_session(path).run(None, {"input": some}) for path in (whole, light))
        assert all(np.abs(one - other).max() < 1e-4 for one, other in zip(before, after, strict=True))
    kinds = [node.op_type for node in onnx.load(light).graph.node]
    assert not {"Sigmoid", "Pow", "Expand", "Shape"} & set(kinds)
    assert len(kinds) < len(onnx.load(whole).graph.node)
