"""The detector's network: one small fully convolutional net that finds plate centres and their four corners.

A plate is a point with eight offsets (the shape of CenterNet, Zhou et al. 2019): no anchors, no box suppression
over thousands of candidates, and a tilted plate costs nothing extra. What is deliberately not here: drawing
scenes (`scenes.py`) and the training loop (`train_detector.py`).
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from recognition.blocks import CELL_CHANNELS

STRIDE = 8
"""Pixels per cell of the output; a 26 px wide plate still covers three cells."""

CORNER_SCALE = 32.0
"""Pixels per unit of the corner outputs, so that the net regresses numbers near one."""

PIXEL_MIDDLE = 128
PIXEL_STEP = 1 / 255
"""What is taken from a pixel, and what it is multiplied with: whole numbers of eight bits without any loss."""

STEM_OUTPUTS = 16
"""Of the exported first convolution, where training has 12."""


def _conv(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class PlateNet(nn.Module):
    """Maps (N, 3, H, W) float BGR in [-0.5, 0.5] to (N, 9, H/8, W/8): heat logit, then 4 corners as x, y offsets.

    Offsets are from the cell's centre, in units of `CORNER_SCALE` pixels, clockwise from the plate's top left.
    H and W are multiples of 32. About 0.4 M parameters and 0.5 G multiply-adds at 640x480.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 12, 2), _conv(12, 20, 2))
        self.at_8 = nn.Sequential(_conv(20, 32, 2), _Residual(32))
        self.at_16 = nn.Sequential(_conv(32, 64, 2), _Residual(64))
        self.at_32 = nn.Sequential(_conv(64, 80, 2), _Residual(80), _Residual(80))
        self.from_32 = nn.Conv2d(80, 64, 1)
        self.merge_16 = _conv(64, 64)
        self.from_16 = nn.Conv2d(64, 32, 1)
        self.merge_8 = _conv(32, 32)
        last = nn.Conv2d(32, 9, 1)
        assert last.bias is not None
        nn.init.constant_(last.bias[:1], -4.0)  # plates are rare: start by seeing none
        self.head = nn.Sequential(_conv(32, 32), last)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.seen(self.stem(x)))
        return out

    def seen(self, at_4: Tensor) -> Tensor:
        """(N, 20, H/4, W/4) of the stem to (N, 32, H/8, W/8), what the head looks at."""
        at_8 = self.at_8(at_4)
        at_16 = self.at_16(at_8)
        at_32 = self.at_32(at_16)
        up = nn.functional.interpolate(self.from_32(at_32), scale_factor=2.0, mode="nearest")
        at_16 = self.merge_16(at_16 + up)
        up = nn.functional.interpolate(self.from_16(at_16), scale_factor=2.0, mode="nearest")
        out: Tensor = self.merge_8(at_8 + up)
        return out


class Exported(nn.Module):
    """The graph that ships: (N, H/2, W/2, 16) uint8 cells of a picture to (N, H/8, W/8, 9).

    Cells are what `recognition.blocks.cells_of` makes. Heat comes as a probability, corners in px. Two by two
    pixels in one cell, and four outputs more than the net was trained with, make the first convolution four times
    as fast in whole numbers.
    """

    def __init__(self, net: PlateNet) -> None:
        super().__init__()
        self.net = net.eval()
        self.first, self.second = _first(net), _second(net)
        self.last = nn.Linear(32, 9)
        conv, scale = net.head[1], torch.tensor([1.0] + [CORNER_SCALE] * 8)
        self.last.weight = nn.Parameter(conv.weight[:, :, 0, 0] * scale[:, None])
        self.last.bias = nn.Parameter(conv.bias * scale)

    def forward(self, cells: Tensor) -> Tensor:
        pixels = (cells.permute(0, 3, 1, 2).float() - PIXEL_MIDDLE) * PIXEL_STEP
        at_8 = self.net.seen(self.second(self.first(pixels)))
        rows = self.last(self.net.head[0](at_8).permute(0, 2, 3, 1))
        return torch.cat([torch.sigmoid(rows[..., :1]), rows[..., 1:]], dim=-1)


def _first(net: PlateNet) -> nn.Module:
    """The first layer for cells: a kernel of 3 x 3 pixels from the last row and column of the cells before."""
    plain = fuse_conv_bn_eval(net.stem[0][0], net.stem[0][1])
    wide = nn.Conv2d(CELL_CHANNELS, STEM_OUTPUTS, 2)
    weight, bias = torch.zeros_like(wide.weight), torch.zeros(STEM_OUTPUTS)
    kept = len(plain.bias)
    for y, x in product(range(3), range(3)):
        at = 8 * ((y + 1) % 2) + 4 * ((x + 1) % 2)
        weight[:kept, at : at + 3, (y + 1) // 2, (x + 1) // 2] = plain.weight[:, :, y, x]
    bias[:kept] = plain.bias + plain.weight.sum((1, 2, 3)) * (PIXEL_MIDDLE * PIXEL_STEP - 0.5)
    wide.weight, wide.bias = nn.Parameter(weight), nn.Parameter(bias)
    return nn.Sequential(nn.ZeroPad2d((1, 0, 1, 0)), wide, nn.ReLU())


def _second(net: PlateNet) -> nn.Module:
    """The second layer for what `_first` gives."""
    plain = fuse_conv_bn_eval(net.stem[1][0], net.stem[1][1])
    wide = nn.Conv2d(STEM_OUTPUTS, len(plain.bias), 3, 2, 1)
    weight = torch.zeros_like(wide.weight)
    weight[:, : plain.weight.shape[1]] = plain.weight
    wide.weight, wide.bias = nn.Parameter(weight), plain.bias
    return nn.Sequential(wide, nn.ReLU())


def targets(
    quads: list[list[tuple[float, float]]], weights: list[float], height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Heat (1, h, w), corner offsets (8, h, w) and corner weight (1, h, w) of one image's plates.

    A plate of weight below zero is to be ignored: its cells get heat -1. The heat is an ellipse in the plate's
    own axes, so that a long plate is found from more than its middle cell.
    """
    rows, cols = height // STRIDE, width // STRIDE
    heat, offsets, weight = torch.zeros(1, rows, cols), torch.zeros(8, rows, cols), torch.zeros(1, rows, cols)
    ys, xs = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    centres = torch.stack([xs, ys], -1).float() * STRIDE + STRIDE / 2
    for quad, trust in zip(quads, weights, strict=True):
        corners = torch.tensor(quad)
        middle = corners.mean(0)
        along = (corners[1] + corners[2] - corners[0] - corners[3]) / 4
        down = (corners[2] + corners[3] - corners[0] - corners[1]) / 4
        basis = torch.stack([along, down], 1)
        if float(torch.linalg.det(basis).abs()) < 1.0:
            continue
        uv = (centres - middle) @ torch.linalg.inv(basis).T
        reach_u = max(0.30, 0.7 * STRIDE / float(along.norm()))
        reach_v = max(0.30, 0.7 * STRIDE / float(down.norm()))
        if trust < 0:
            inside = (uv[..., 0].abs() < 1.2) & (uv[..., 1].abs() < 1.2 + STRIDE / float(down.norm()))
            heat[0][inside & (heat[0] < 0.3)] = -1.0
            continue
        blob = torch.exp(-((uv[..., 0] / reach_u) ** 2 + (uv[..., 1] / reach_v) ** 2) / 2)
        col = min(max(int(middle[0] / STRIDE), 0), cols - 1)
        row = min(max(int(middle[1] / STRIDE), 0), rows - 1)
        blob[row, col] = 1.0
        better = (blob > heat[0]) & (blob > 0.02)
        heat[0][better] = blob[better]
        mine = better & (blob > 0.25)
        delta = (corners[None, None] - centres[:, :, None]).flatten(2) / CORNER_SCALE
        size = float(down.norm()) * 2 / CORNER_SCALE
        offsets[:, mine] = delta[mine].T
        weight[0][mine] = blob[mine] * trust / max(size, 0.12)
    return heat, offsets, weight


def loss(out: Tensor, heat: Tensor, offsets: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Penalty-reduced focal loss of the heat and height-relative corner error, each per plate.

    Source of the exponents 2 and 4: CornerNet (Law and Deng 2018).
    """
    logit = out[:, :1]
    prob = torch.sigmoid(logit)
    used = (heat >= 0).float()
    goal = heat.clamp(min=0)
    peak = (goal > 0.99).float()
    gain = peak * (1 - prob) ** 2 * nn.functional.logsigmoid(logit)
    drop = (1 - peak) * (1 - goal) ** 4 * prob**2 * nn.functional.logsigmoid(-logit)
    count = peak.sum().clamp(min=1.0)
    heat_loss = -((gain + drop) * used).sum() / count
    error = nn.functional.smooth_l1_loss(out[:, 1:], offsets, reduction="none", beta=0.05).mean(1, keepdim=True)
    corner_loss = (error * weight).sum() / (goal * (weight > 0)).sum().clamp(min=1.0)
    return heat_loss, corner_loss
