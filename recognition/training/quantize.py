"""Writes a model with its convolutions in whole numbers of eight bits: the same answers for about half the time.

    python -m recognition.training.quantize detector|aligner|ocr FLOAT.onnx OUT.onnx --street PATH/TO/street

The ranges come from what training draws. Kept as they are: first convolutions of the small nets, which see the
picture itself; the detector's last, whose corners are long distances in one number; everything that is no
convolution.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from recognition.training.aligner_views import make_views
from recognition.training.plates_source import PlateSource, Sources
from recognition.training.scenes import make_scene, noise_bank
from recognition.training.train_detector import SCENE_SIZE_PX, any_plate, load_frames

SEED = 40_000_003
BATCHES = {"detector": 96, "aligner": 10, "ocr": 8}
TAKEN = {"detector": slice(0, -1), "aligner": slice(1, None), "ocr": slice(1, 8)}
"""Which convolutions become whole numbers, in the order of the graph; the reader's further ones are small."""

OPERATIONS = {"detector": ["Conv", "Add", "Resize", "Relu"], "aligner": ["Conv", "Relu"], "ocr": ["Conv"]}

Inputs = dict[str, Any]


def seen_by(kind: str, street: Path) -> Iterator[Inputs]:
    """What a model of this kind is shown, without end; `street` is the folder of street.csv."""
    table = street / "street.csv"
    if kind == "aligner":
        for views in make_views(table, SEED, 64):
            yield {"view": views.pixels}
    elif kind == "ocr":
        source = PlateSource(Sources(Path("checkpoints/faces"), street), SEED)
        while True:
            yield {"input": source.batch(48).pixels}
    frames, noise, rng = load_frames(table, "train"), noise_bank(), np.random.default_rng(SEED)
    while True:
        yield {"image": np.asarray(make_scene(frames, any_plate, SCENE_SIZE_PX, rng, noise).image)[None]}


class _Shown(CalibrationDataReader):  # type: ignore[misc]
    """Inputs one by one, as the calibration asks for them."""

    def __init__(self, inputs: Iterable[Inputs]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> Inputs | None:
        """The next input, None at the end."""
        return next(self._left, None)


def quantize(kind: str, source: Path, path: Path, inputs: Iterable[Inputs]) -> None:
    """Writes PATH from the float model SOURCE of this kind, with ranges seen on the inputs."""
    with TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        convolutions = [node.name for node in onnx.load(ready).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(ready),
            str(path),
            _Shown(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=OPERATIONS[kind],
            nodes_to_exclude=[name for name in convolutions if name not in convolutions[TAKEN[kind]]],
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(TAKEN))
    parser.add_argument("source", type=Path, help="the float model as training wrote it")
    parser.add_argument("out", type=Path)
    parser.add_argument("--street", type=Path, required=True, help="folder of street.csv")
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    shown = islice(seen_by(options.kind, options.street), BATCHES[options.kind])
    quantize(options.kind, options.source, options.out, shown)
    print(f"{options.out} {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
