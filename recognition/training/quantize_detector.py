"""Writes the detector in whole numbers of eight bits: the same finds for less than half the time.

    python -m recognition.training.quantize_detector FLOAT.onnx PATH/TO/street.csv

The ranges come from made scenes. The last convolution stays as it is: its corners are long distances in one number.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from recognition.training.scenes import make_scene, noise_bank
from recognition.training.train_detector import SCENE_SIZE_PX, any_plate, load_frames

SCENES = 96
SEED = 40_000_003
MODEL = Path(__file__).resolve().parent.parent / "models" / "detector.onnx"


class _Scenes(CalibrationDataReader):  # type: ignore[misc]
    """Made scenes one by one, as the calibration asks for them."""

    def __init__(self, table: Path) -> None:
        self._left = self._make(table)

    def _make(self, table: Path) -> Iterator[dict[str, Any]]:
        frames, noise, rng = load_frames(table, "train"), noise_bank(), np.random.default_rng(SEED)
        for _ in range(SCENES):
            yield {"image": np.asarray(make_scene(frames, any_plate, SCENE_SIZE_PX, rng, noise).image)[None]}

    def get_next(self) -> dict[str, Any] | None:
        """The next input, None at the end."""
        return next(self._left, None)


def quantize(source: Path, table: Path, path: Path) -> None:
    """Writes PATH from the float model SOURCE with ranges seen in scenes of the street frames in TABLE."""
    with TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        last = [node.name for node in onnx.load(ready).graph.node if node.op_type == "Conv"][-1]
        quantize_static(
            str(ready),
            str(path),
            _Scenes(table),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=["Conv", "Add", "Resize", "Relu"],
            nodes_to_exclude=[last],
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the float model as train_detector wrote it")
    parser.add_argument("table", type=Path, help="CSV of street frames: image,part,x,y,w,h")
    parser.add_argument("--out", type=Path, default=MODEL)
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    quantize(options.source, options.table, options.out)
    print(f"{options.out} {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
