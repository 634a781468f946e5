"""What the graphs of yolo-v9-t and of cct_xs cost on one thread, with weights by chance: no pictures are prepared.

`peer_graphs.py ASKS.json ANSWERS.json`: asked for a number of runs it answers the mean processor time of one run of
each, the detector at 384 x 384, the reader on one crop of 128 x 64.

The reader's layers and sizes are what fast-plate-ocr publishes of its cct_xs_v1 (`models/cct_xs_v1.yaml` for nine
slots of 37 characters, 64 x 128 RGB, MIT), written anew: 357,741 values with the blurs'.
"""

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional
from ultralytics.nn.tasks import DetectionModel

SIDE_PX = 384
CROP_SIZE_PX = (64, 128)
STEM = ((32, True), (48, False), (64, True), (80, False), (96, False))
"""Outputs of each convolution of 3 x 3, and whether a blurred maximum halves them."""

WIDTH, BLOCKS, SLOTS, CHARACTERS, LAST_HEADS = 64, 4, 9, 37, 4


class Blurred(nn.Module):
    """The maximum of 2 x 2 at each place, blurred by 1, 2, 1 and taken at every second."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor((0.25, 0.5, 0.25))
        self.weight = nn.Parameter((row[:, None] * row).repeat(channels, 1, 1, 1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=-math.inf), 2, 1)
        before = x.shape[3] % 2, x.shape[2] % 2
        x = functional.pad(x, (before[0], 1, before[1], 1))
        return functional.conv2d(x, self.weight, stride=2, groups=len(self.weight))


class Bent(nn.Module):
    """A hyperbolic tangent with a slope, then scale and shift for each channel, in place of a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.5))
        self.scale, self.shift = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.zeros(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.slope * x) * self.scale + self.shift


class Attention(nn.Module):
    """Heads that are each as wide as the tokens."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask, self.key, self.value = (nn.Linear(WIDTH, heads * WIDTH) for _ in range(3))
        self.out = nn.Linear(heads * WIDTH, WIDTH)

    def forward(self, asking: Tensor, asked: Tensor) -> Tensor:
        q, k, v = (self._split(part) for part in (self.ask(asking), self.key(asked), self.value(asked)))
        seen = (q @ k.transpose(2, 3) / math.sqrt(WIDTH)).softmax(-1) @ v
        return self.out(seen.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, WIDTH)).transpose(1, 2)


class Block(nn.Module):
    """Attention and two dense layers, each added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.attention = Bent(), Bent(), Attention(1)
        self.dense = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        seen = self.first(x)
        x = x + self.attention(seen, seen)
        return x + self.dense(self.second(x))


class Reader(nn.Module):
    """(N, 64, 128, 3) uint8 to (N, 9, 37) probabilities."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for outputs, halved in STEM:
            layers += [nn.Conv2d(channels, outputs, 3), nn.ReLU(), *([Blurred(outputs)] if halved else [])]
            channels = outputs
        self.stem = nn.Sequential(*layers)
        self.patch = nn.Sequential(nn.Linear(4 * channels, WIDTH), nn.GELU())
        self.place = nn.Parameter(torch.randn(65, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.slots, self.reduce = nn.Parameter(torch.randn(1, SLOTS, WIDTH)), Attention(LAST_HEADS)
        self.characters = nn.Linear(WIDTH, CHARACTERS)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels.permute(0, 3, 1, 2).float() / 255)
        x = self.patch(functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)) + self.place
        return self.characters(self.reduce(self.slots, self.blocks(x))).softmax(-1)


def mean_ms(net: nn.Module, shown: Any, runs: int) -> float:
    """Processor time of a run of the net's graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/net.onnx"
        torch.onnx.export(net, (torch.from_numpy(shown),), path, dynamo=False, input_names=["images"])
        session = onnxruntime.InferenceSession(path, options)
    session.run(None, {"images": shown})
    begun = time.process_time()
    for _ in range(runs):
        session.run(None, {"images": shown})
    return 1000 * (time.process_time() - begun) / runs


def main(asks: Path, answers: Path) -> None:
    """Build both graphs, run them."""
    runs = json.loads(asks.read_text(encoding="utf-8"))
    rng = np.random.default_rng(1)
    detector, reader = DetectionModel("yolov9t.yaml", nc=1, verbose=False).eval().fuse(), Reader().eval()
    detector.model[-1].export, detector.model[-1].format = True, "onnx"
    told = {
        "detector_ms": mean_ms(detector, rng.random((1, 3, SIDE_PX, SIDE_PX), np.float32), runs),
        "reader_ms": mean_ms(reader, rng.integers(0, 256, (1, *CROP_SIZE_PX, 3), np.uint8), runs),
    }
    answers.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
