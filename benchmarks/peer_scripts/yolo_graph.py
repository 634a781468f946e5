"""What the graph of yolo-v9-t costs on one thread, with weights by chance: `yolo_graph.py ASKS.json ANSWERS.json`.

Asked for a number of runs it answers the mean processor time of one at 384 x 384, without preparing a picture.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from ultralytics.nn.tasks import DetectionModel

SIDE_PX = 384


def main(asks: Path, answers: Path) -> None:
    """Build the graph, run it."""
    runs = json.loads(asks.read_text(encoding="utf-8"))
    net = DetectionModel("yolov9t.yaml", nc=1, verbose=False).eval().fuse()
    net.model[-1].export, net.model[-1].format = True, "onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/yolo.onnx"
        torch.onnx.export(net, (torch.zeros(1, 3, SIDE_PX, SIDE_PX),), path, dynamo=False, input_names=["images"])
        session = onnxruntime.InferenceSession(path, options)
    picture = np.random.default_rng(1).random((1, 3, SIDE_PX, SIDE_PX), np.float32)
    session.run(None, {"images": picture})
    begun = time.process_time()
    for _ in range(runs):
        session.run(None, {"images": picture})
    answers.write_text(json.dumps({"cpu_ms": 1000 * (time.process_time() - begun) / runs}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
