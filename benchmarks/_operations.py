"""What a model's graph does for one input: multiply-adds and bytes, as onnxruntime ran it.

Counted from the shapes in onnxruntime's own profile, so that what it fused or laid out anew is counted as it ran.
"""

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from recognition.sessions import session_options

WEIGHT_AT = {"QLinearConv": 3, "Conv": 1, "FusedConv": 1}
"""Which input of a convolution is its weight, output channels first."""

PRODUCTS = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm")


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds in whole numbers of eight bits and in floats, and bytes read and written between nodes."""

    whole_macs: float = 0.0
    float_macs: float = 0.0
    moved_bytes: float = 0.0

    def plus(self, other: "Work", times: float) -> "Work":
        """This and so many times the other."""
        return Work(
            self.whole_macs + times * other.whole_macs,
            self.float_macs + times * other.float_macs,
            self.moved_bytes + times * other.moved_bytes,
        )


def work_of(model: Path, taken: tuple[int, ...]) -> Work:
    """The work of one run of the model on an input of this shape."""
    with tempfile.TemporaryDirectory() as folder:
        options = session_options()
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "run")
        options.add_session_config_entry("session.disable_prepacking", "1")  # or weights are not told
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        session.run(None, {session.get_inputs()[0].name: np.zeros(taken, np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    total = Work()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            total = total.plus(_of_node(event["args"]), 1.0)
    return total


def _of_node(told: dict[str, Any]) -> Work:
    kind, inputs = told["op_name"], [_shape(one) for one in told["input_type_shape"]]
    made = math.prod(_shape(told["output_type_shape"][0])) if told["output_type_shape"] else 0
    macs = 0.0
    if kind in WEIGHT_AT:
        weight = inputs[WEIGHT_AT[kind]]
        macs = made / weight[0] * math.prod(weight)
    elif kind in PRODUCTS and inputs[0]:
        macs = made * inputs[0][-1]
    moved = sum(float(told[name]) for name in ("activation_size", "parameter_size", "output_size"))
    return Work(macs if kind == "QLinearConv" else 0.0, 0.0 if kind == "QLinearConv" else macs, moved)


def _shape(typed: dict[str, list[int]]) -> list[int]:
    (sides,) = typed.values()
    return sides
