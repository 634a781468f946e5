"""A quantized net answers nearly as before and is smaller."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from recognition.blocks import blocks_of, cells_of  # noqa: E402
from recognition.sessions import open_session  # noqa: E402
from recognition.training.aligner_net import AlignerNet  # noqa: E402
from recognition.training.detector_net import PlateNet  # noqa: E402
from recognition.training.quantize import quantize  # noqa: E402
from recognition.training.train_aligner import export  # noqa: E402
from recognition.training.train_detector import export as export_detector  # noqa: E402


def test_answers_stay_and_the_file_shrinks(tmp_path: Path) -> None:
    torch.manual_seed(3)
    source, path = tmp_path / "float.onnx", tmp_path / "whole.onnx"
    export(AlignerNet().eval(), source)
    rng = np.random.default_rng(1)
    views = [{"view": rng.integers(0, 256, (8, 64, 128, 3), np.uint8)} for _ in range(4)]
    quantize("aligner", source, path, islice(views, 3))
    before, after = (open_session(file).run(None, views[3])[0] for file in (source, path))
    spread = float(np.std(before[:, 1:]))
    assert np.abs(before[:, 1:] - after[:, 1:]).mean() < 0.2 * spread
    whole = [node for node in onnx.load(path).graph.node if node.op_type == "QuantizeLinear"]
    assert len(whole) >= len(onnx.load(source).graph.node) // 10
    assert path.stat().st_size < source.stat().st_size


def test_the_detector_takes_a_picture_s_own_whole_numbers(tmp_path: Path) -> None:
    torch.manual_seed(4)
    source, path = tmp_path / "float.onnx", tmp_path / "whole.onnx"
    export_detector(PlateNet().eval(), source)
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(4)]
    images = [{"image": cells_of(picture)[None]} for picture in pictures]
    quantize("detector", source, path, images[:3])
    nodes = onnx.load(path).graph.node
    assert not [node for node in nodes if node.op_type == "Cast"]
    taken = next(node for node in nodes if "image" in node.input)
    assert [node.op_type for node in nodes if taken.output[0] in node.input] == ["DequantizeLinear"]
    before = open_session(source).run(None, images[3])[0]
    after = open_session(path).run(None, {"image": blocks_of(pictures[3])[None]})[0]
    assert np.abs(before - after)[..., 1:].mean() < 0.2 * float(np.std(before[..., 1:])) + 0.01
