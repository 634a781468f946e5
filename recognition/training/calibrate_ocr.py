"""Makes the reader's confidence a probability: one temperature a head, fitted on held-out, harder drawn plates.

The confidence of a whole text is the product of the best probabilities of its used slots and of the pad after them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognition.training.device import device_of
from recognition.training.ocr_net import ALPHABET, PAD, OcrNet
from recognition.training.plates_source import IGNORED_REGION, Batch
from recognition.training.train_ocr import tensors

# Never below 1: what was drawn may make the reader less sure of the street, not more.
TEMPERATURES = tuple(float(value) for value in np.geomspace(1.0, 4.0, 29))


def text_confidence(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, slots, vocab) probabilities to (N,) confidences that the whole text is right."""
    best, classes = probabilities.max(-1), probabilities.argmax(-1)
    pad = ALPHABET.index(PAD)
    used = np.zeros(classes.shape, bool)
    for row, found in enumerate(classes):
        written = np.flatnonzero(found != pad)
        last = int(written[-1]) + 1 if written.size else 0
        used[row, : last + 1] = True
    return np.asarray(np.where(used, best, 1.0).prod(-1))


def _surprise(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean log loss of CONFIDENCE against what came true."""
    sure = np.clip(confidence, 1e-6, 1 - 1e-6)
    return float(-np.where(right, np.log(sure), np.log(1 - sure)).mean())


@torch.no_grad()
def _logits(net: OcrNet, batches: Iterable[Batch]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    net.eval()
    for batch in batches:
        pixels, slots, regions = tensors(batch, device_of(net))
        plate, region = net(pixels)
        rows.append((plate, region, slots, regions))
    plates, places, slots, regions = (torch.cat(column) for column in zip(*rows, strict=True))
    return plates, places, slots, regions


def fit(net: OcrNet, batches: Iterable[Batch]) -> tuple[dict[str, float], list[tuple[float, float, int]]]:
    """Temperatures of the heads `plate` and `region`, and the reliability that results.

    Reliability is a row a tenth of confidence that holds any plate: mean confidence, share right, plates.
    """
    plates, places, slots, regions = _logits(net, batches)
    right = (plates.argmax(-1) == slots).all(1).numpy()
    confidences = {at: text_confidence((plates / at).softmax(-1).double().numpy()) for at in TEMPERATURES}
    plate = min(TEMPERATURES, key=lambda at: _surprise(confidences[at], right))
    known = regions != IGNORED_REGION
    region = min(
        TEMPERATURES,
        key=lambda at: float(torch.nn.functional.cross_entropy(places[known] / at, regions[known])),
    )
    table: list[tuple[float, float, int]] = []
    tenth = np.minimum((confidences[plate] * 10).astype(int), 9)
    for step in range(10):
        held = tenth == step
        if held.any():
            row = float(confidences[plate][held].mean()), float(right[held].mean()), int(held.sum())
            table.append(row)
    return {"plate": plate, "region": region}, table
