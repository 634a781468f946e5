"""Writes a model with its convolutions in whole numbers of eight bits: the same answers for about half the time.

    python -m recognition.training.quantize detector|aligner|ocr FLOAT.onnx OUT.onnx --street PATH/TO/street

The ranges come from what training draws. Kept as they are: first convolutions of the small nets, which see the
picture itself; the detector's last layer, whose corners are long distances in one number; everything that is no
convolution. The detector's first convolution takes the picture's own whole numbers.
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

from recognition.blocks import cells_of
from recognition.training.aligner_views import make_views
from recognition.training.detector_net import PIXEL_MIDDLE, PIXEL_STEP
from recognition.training.lighten import lighten
from recognition.training.plates_source import PlateSource, Sources
from recognition.training.scenes import make_scene, noise_bank
from recognition.training.train_detector import SCENE_SIZE_PX, any_plate, load_frames

SEED = 40_000_003
BATCHES = {"detector": 96, "aligner": 10, "ocr": 8}
TAKEN = {"detector": slice(None), "aligner": slice(1, None), "ocr": slice(1, 8)}
"""Which convolutions become whole numbers, in the order of the graph; the reader's further ones are small."""

OPERATIONS = {"detector": ["Conv", "Add", "Resize", "Relu"], "aligner": ["Conv", "Relu"], "ocr": ["Conv"]}

KEPT = {"detector": ["/last/Add"], "aligner": [], "ocr": []}
"""Which other nodes stay as they are."""

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
        yield {"image": cells_of(np.asarray(make_scene(frames, any_plate, SCENE_SIZE_PX, rng, noise).image))[None]}


class _Shown(CalibrationDataReader):  # type: ignore[misc]
    """Inputs one by one, as the calibration asks for them."""

    def __init__(self, inputs: Iterable[Inputs]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> Inputs | None:
        """The next input, None at the end."""
        return next(self._left, None)


def quantize(kind: str, source: Path, path: Path, inputs: Iterable[Inputs]) -> None:
    """Writes PATH from the float model SOURCE of this kind, with ranges seen on the inputs, and lightened."""
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
            nodes_to_exclude=[name for name in convolutions if name not in convolutions[TAKEN[kind]]] + KEPT[kind],
        )
    if kind == "detector":
        _take_pixels(path)
    lighten(path, path)


def _take_pixels(path: Path) -> None:
    """Lets the first convolution take the picture as it comes, instead of made floats and whole numbers again."""
    model = onnx.load(path)
    nodes = model.graph.node
    whole = next(node for node in nodes if node.op_type == "QuantizeLinear")
    maker = {name: node for node in nodes for name in node.output}
    between = [whole]
    while (node := maker[between[-1].input[0]]).op_type != "Transpose":
        between.append(node)
    for node in nodes:
        if whole.output[0] in node.input:
            node.input[0] = maker[between[-1].input[0]].output[0]
    for node in between:
        nodes.remove(node)
    exact: dict[str, Any] = {whole.input[1]: np.float32(PIXEL_STEP), whole.input[2]: np.uint8(PIXEL_MIDDLE)}
    for tensor in model.graph.initializer:
        if tensor.name in exact:
            value, found = exact[tensor.name], onnx.numpy_helper.to_array(tensor)
            if abs(found.item() / value.item() - 1) > 1e-3:
                raise SystemExit(f"{path}: pixels were seen as {found}, not {value}; show all of black to white")
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(value), tensor.name))
    onnx.save(model, path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(TAKEN))
    parser.add_argument("source", type=Path, help="the float model as training wrote it")
    parser.add_argument("out", type=Path)
    parser.add_argument("--street", type=Path, required=True, help="folder of street.csv")
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    print(f"{options.kind}: drawing what it is shown, then counting ranges; minutes on a busy machine", flush=True)
    shown = islice(seen_by(options.kind, options.street), BATCHES[options.kind])
    quantize(options.kind, options.source, options.out, shown)
    print(f"{options.out} {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
