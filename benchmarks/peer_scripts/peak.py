"""What one core can do at most: `peak.py ASKS.json ANSWERS.json`, in the environment that `peer_graphs.py` has.

Answers multiply-adds a second, in thousand millions, of a convolution of 64 channels by 3 x 3 over 64 x 64 in whole
numbers of eight bits and in floats, and bytes a second that are read and written when memory is copied. The best of
`RUNS`, since others on the machine can only make it slower.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RUNS = 60
CHANNELS, SIDE = 64, 64
COPIED_BYTES = 64 * 2**20


def session(whole: bool) -> onnxruntime.InferenceSession:
    """A graph of one convolution between two changes of layout, as onnxruntime likes them for whole numbers."""
    rng = np.random.default_rng(1)
    weight = rng.integers(-127, 128, (CHANNELS, CHANNELS, 3, 3)).astype(np.int8)
    scales = {"xs": np.float32(0.01), "xz": np.uint8(128), "ys": np.float32(3), "yz": np.uint8(0)}
    scales |= {"ws": np.full(CHANNELS, 0.01, np.float32), "wz": np.zeros(CHANNELS, np.int8)}
    kind = TensorProto.UINT8 if whole else TensorProto.FLOAT
    shape = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}
    if whole:
        conv = helper.make_node("QLinearConv", ["n", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["m"], **shape)
        constants = scales | {"w": weight}
    else:
        conv = helper.make_node("Conv", ["n", "w"], ["m"], **shape)
        constants = {"w": weight.astype(np.float32)}
    nodes = [
        helper.make_node("Transpose", ["x"], ["n"], perm=(0, 3, 1, 2)),
        conv,
        helper.make_node("Transpose", ["m"], ["y"], perm=(0, 2, 3, 1)),
    ]
    sides = [1, SIDE, SIDE, CHANNELS]
    graph = helper.make_graph(
        nodes,
        "peak",
        [helper.make_tensor_value_info("x", kind, sides)],
        [helper.make_tensor_value_info("y", kind, sides)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def best_s(work: Callable[[], object]) -> float:
    """Least processor time of one run."""
    took = []
    for _ in range(RUNS):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)


def main(answers: Path) -> None:
    """Measure all three."""
    told = {}
    for name, whole in (("whole", True), ("float", False)):
        runs = session(whole)
        picture = np.ones((1, SIDE, SIDE, CHANNELS), np.uint8 if whole else np.float32)
        macs = SIDE * SIDE * CHANNELS * CHANNELS * 9
        told[f"{name}_gmacs"] = (
            macs / best_s(lambda runs=runs, picture=picture: runs.run(None, {"x": picture})) / 1e9
        )
    source, goal = np.ones(COPIED_BYTES, np.uint8), np.zeros(COPIED_BYTES, np.uint8)
    told["gbytes"] = 2 * COPIED_BYTES / best_s(lambda: np.copyto(goal, source)) / 1e9
    answers.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[2]))
