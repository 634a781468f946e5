"""The character reader's network: a small CNN whose slots each look over the whole plate.

Here are the alphabet, the regions, the input size and the torch module that training and export share.
Not here: drawing, the training loop, the ONNX contract (`export_ocr.py` wraps the module for that).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAD = "_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ" + PAD
SLOTS = 10
HEIGHT_PX = 64
WIDTH_PX = 160
# Distinguishing signs of vehicles in international traffic; "?" is a plate of no country.
REGIONS = (
    "?", "A", "AL", "AND", "B", "BG", "BIH", "BY", "CH", "CY", "CZ", "D", "DK", "E", "EST", "F", "FIN", "FL",
    "GB", "GR", "H", "HR", "I", "IRL", "IS", "L", "LT", "LV", "M", "MC", "MD", "MNE", "N", "NL", "NMK", "P",
    "PL", "RKS", "RO", "RSM", "RUS", "S", "SK", "SLO", "SRB", "TR", "UA",
)  # fmt: skip


def conv(
    inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3), stride: int = 1, groups: int = 1
) -> nn.Module:
    """Convolution that keeps the size (but for its stride), batch norm, SiLU (GELU breaks onnxruntime)."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(),
    )


def _reading_order() -> Tensor:
    """(SLOTS, places) first guess where each slot looks: left to right. Without it nothing is learnt for long."""
    columns, rows = WIDTH_PX // 4, HEIGHT_PX // 16
    across = (torch.arange(columns) + 0.5) / columns
    centres = 0.16 + 0.72 * torch.arange(SLOTS) / (SLOTS - 2)
    bump = -(((across[None] - centres[:, None]) / 0.12) ** 2)
    return bump.clamp(min=-6.0)[:, None].expand(-1, rows, -1).reshape(SLOTS, rows * columns).clone()


class SlotRound(nn.Module):
    """One look of every slot over the map, from queries that may already know what was seen before."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(_reading_order())
        self.ask = nn.Linear(dim, dim)
        self.mix = nn.Conv1d(dim, dim, 3, padding=1)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(N, S, D) queries, (N, P, D) keys and values, to (N, S, D)."""
        weights = self.ask(queries) @ keys.transpose(1, 2) * keys.shape[-1] ** -0.5 + self.bias
        seen = weights.softmax(-1) @ values
        mixed = F.silu(self.mix((seen + queries).transpose(1, 2)).transpose(1, 2))
        return queries + seen + mixed


class OcrNet(nn.Module):
    """(N, 3, 64, 160) float pixels 0..255 to (N, SLOTS, vocab) and (N, regions) logits."""

    def __init__(self, widths: tuple[int, int, int] = (16, 40, 96)) -> None:
        super().__init__()
        low, mid, high = widths
        self.stem = nn.Sequential(conv(3, low, stride=2), conv(low, mid, stride=2), conv(mid, mid), conv(mid, mid))
        self.shrink = nn.MaxPool2d((2, 1))
        self.widen = conv(mid, high)
        self.body = nn.Sequential(conv(high, high), conv(high, high))
        self.context = nn.Sequential(conv(high, high, (3, 11), groups=high), conv(high, high, (1, 1)))
        self.place = nn.Parameter(torch.randn(1, high, HEIGHT_PX // 16, WIDTH_PX // 4) * 0.02)
        self.keys = nn.Conv2d(high, high, 1)
        self.values = nn.Conv2d(high, high, 1)
        self.queries = nn.Parameter(torch.randn(1, SLOTS, high) * 0.5)
        self.rounds = nn.ModuleList([SlotRound(high), SlotRound(high)])
        self.plate = nn.Sequential(nn.Linear(high, 2 * high), nn.SiLU(), nn.Linear(2 * high, len(ALPHABET)))
        self.region = nn.Sequential(nn.Linear(2 * high, high), nn.SiLU(), nn.Linear(high, len(REGIONS)))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        mean = pixels.mean((1, 2, 3), keepdim=True)
        spread = (pixels - mean).pow(2).mean((1, 2, 3), keepdim=True).sqrt()
        seen = self.widen(self.shrink(self.stem((pixels - mean) / (spread + 8.0))))
        seen = self.body(self.shrink(seen))
        seen = seen + self.context(seen)
        placed = seen + self.place
        keys = self.keys(placed).flatten(2).transpose(1, 2)
        values = self.values(placed).flatten(2).transpose(1, 2)
        slots = self.queries.expand(pixels.shape[0], -1, -1)
        for step in self.rounds:
            slots = step(slots, keys, values)
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1)
        return self.plate(slots), self.region(pooled)


def encode(text: str) -> list[int]:
    """Class of every slot for a canonical text of at most SLOTS characters; ValueError for any other."""
    if len(text) > SLOTS:
        raise ValueError(f"a plate of {len(text)} characters does not fit {SLOTS} slots")
    return [ALPHABET.index(char) for char in text.ljust(SLOTS, PAD)]
