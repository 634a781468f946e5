"""The aligner's network: from a plate roughly cut out, how far its four corners are from where they should be.

Here are the picture it looks at and the torch module that training and export share. Not here: the material
(`aligner_views.py`), the training loop (`train_aligner.py`), and its use (`recognition/aligner.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recognition.aligner import PLATE_SIZE_PX, VIEW_SIZE_PX

CELLS = (VIEW_SIZE_PX[1] // 16, VIEW_SIZE_PX[0] // 16)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class AlignerNet(nn.Module):
    """(N, 3, 64, 128) float pixels 0..255 to (N, 9): a logit that a plate is there, then 4 corner moves x, y.

    Moves are in shares of the plate's size in the view. About 0.3 M parameters and 16 M multiply-adds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(3, 16, 2), _conv(16, 24, 2), _conv(24, 32), _conv(32, 48, 2), _conv(48, 48),
            _conv(48, 64, 2), _conv(64, 64), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(64 * CELLS[0] * CELLS[1], 96), nn.ReLU(inplace=True), nn.Linear(96, 9))

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class. Contrast is normalised here, so that dark plates look like bright ones."""
        mean = pixels.mean((1, 2, 3), keepdim=True)
        spread = (pixels - mean).pow(2).mean((1, 2, 3), keepdim=True).sqrt()
        out: Tensor = self.head(self.body((pixels - mean) / (spread + 8.0)))
        return out


class Exported(nn.Module):
    """The graph that ships: (N, 64, 128, 3) uint8 BGR to (N, 9), a probability and corner moves in view pixels."""

    def __init__(self, net: AlignerNet) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("scale", torch.tensor(PLATE_SIZE_PX * 4, dtype=torch.float32))

    def forward(self, view: Tensor) -> Tensor:
        """See the class."""
        out = self.net(view.permute(0, 3, 1, 2).float())
        return torch.cat([torch.sigmoid(out[:, :1]), out[:, 1:] * self.scale], 1)
