"""Trains the aligner on rough finds in made scenes and exports it as ONNX; goes on from its checkpoint.

    python -m recognition.training.train_aligner PATH/TO/street.csv --steps 8000

Writes `last.pt` into --folder every SAVE_STEPS steps. Not here: the views (`aligner_views.py`), the net
(`aligner_net.py`).
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recognition.training.aligner_net import AlignerNet, Exported
from recognition.training.aligner_views import Views, make_views
from recognition.training.device import add_options, device_of, drawers_for, on_cpu
from recognition.training.plates_source import in_background, seed_of

BATCH = 128
PEAK_RATE = 2e-3
LAST_RATE = 1e-5
WARM_UP_STEPS = 200
THERE_WEIGHT = 0.2
MEAN_DECAY = 0.998
"""Of the running mean of the weights, which is what ships."""

SAVE_STEPS = 200
MODEL = Path(__file__).resolve().parent.parent / "models" / "aligner.onnx"


@dataclass(slots=True)
class Run:
    """What a checkpoint holds."""

    net: AlignerNet
    mean: AlignerNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    spent: float = 0.0  # minutes

    def save(self, path: Path) -> None:
        """Write all of it; a stop in the middle leaves the old file."""
        parts: dict[str, Any] = {key: getattr(self, key).state_dict() for key in ("net", "mean", "optimiser")}
        torch.save(on_cpu(parts) | {"step": self.step, "spent": self.spent}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Take up where `save` left."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("net", "mean", "optimiser"):
            getattr(self, key).load_state_dict(state[key])
        self.step, self.spent = state["step"], state["spent"]


def new_run(seed: int, device: torch.device) -> Run:
    """Fresh weights from the seed, the same on every device."""
    torch.manual_seed(seed)
    net = AlignerNet().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = AlignerNet().to(device)
    mean.load_state_dict(net.state_dict())
    return Run(net, mean, torch.optim.AdamW(net.parameters(), PEAK_RATE, weight_decay=1e-3))


def loss_of(net: AlignerNet, views: Views) -> tuple[Tensor, Tensor]:
    """Mean corner error in shares of the plate's size, robust, and the surprise at what is a plate and what not."""
    device = device_of(net)
    pixels = torch.from_numpy(views.pixels).to(device).permute(0, 3, 1, 2).float()
    moves, weights, there = (
        torch.from_numpy(part).to(device) for part in (views.moves, views.weights, views.there)
    )
    out = net(pixels.contiguous(memory_format=torch.channels_last))
    error = F.smooth_l1_loss(out[:, 1:], moves, reduction="none", beta=0.02).mean(1)
    corners = (error * weights).sum() / weights.sum().clamp(min=1.0)
    return corners, F.binary_cross_entropy_with_logits(out[:, 0], there)


@torch.no_grad()
def _follow(mean: AlignerNet, net: AlignerNet, step: int) -> None:
    keep = min(MEAN_DECAY, (step + 1) / (step + 10))
    for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)


def train(run: Run, table: Path, folder: Path, steps: int, seed: int, drawers: int = 1) -> None:
    """The steps that are left of so many, counting those of earlier runs of the same checkpoint."""
    each = ((table, seed_of(seed + run.step, drawer), BATCH) for drawer in range(drawers))
    stream = in_background(make_views, *each)
    began, before, sums = time.monotonic(), run.spent, np.zeros(3)
    while run.step < steps:
        rate = LAST_RATE + (PEAK_RATE - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * run.step / steps))
        for group in run.optimiser.param_groups:
            group["lr"] = rate * min(1.0, (run.step + 1) / WARM_UP_STEPS)
        corners, there = loss_of(run.net.train(), next(stream))
        run.optimiser.zero_grad()
        (corners + THERE_WEIGHT * there).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.net.parameters(), 2.0)
        run.optimiser.step()
        _follow(run.mean, run.net, run.step)
        run.step += 1
        run.spent = before + (time.monotonic() - began) / 60
        sums += (corners.item(), there.item(), 1.0)
        if run.step % SAVE_STEPS == 0 or run.step == steps:
            means = sums / sums[2]
            done = f"aligner: step {run.step}/{steps} min {run.spent:.1f}"
            print(f"{done} corners {means[0]:.5f} there {means[1]:.4f}", flush=True)
            sums = np.zeros(3)
            run.save(folder / "last.pt")


def export(net: AlignerNet, path: Path) -> None:
    """Writes the ONNX file: (N, 64, 128, 3) uint8 BGR in, (N, 9) out."""
    torch.onnx.export(
        Exported(net).eval(), (torch.zeros(1, 64, 128, 3, dtype=torch.uint8),), str(path), dynamo=False,
        opset_version=17, input_names=["view"], output_names=["moves"],
        dynamic_axes={"view": {0: "n"}, "moves": {0: "n"}},
    )  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="CSV of street frames: image,part,x,y,w,h")
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--folder", type=Path, default=Path("checkpoints/aligner"))
    parser.add_argument("--seed", type=int, default=1)
    add_options(parser)
    parser.add_argument("--export", type=Path, default=MODEL)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    run = new_run(options.seed, options.device)
    if (options.folder / "last.pt").exists():
        run.load(options.folder / "last.pt")
    drawers = drawers_for(options.device, options.drawers)
    print(f"aligner: from step {run.step}, on {options.device}, drawn by {drawers}", flush=True)
    train(run, options.table, options.folder, options.steps, options.seed, drawers)
    export(run.mean.cpu(), options.export)


if __name__ == "__main__":
    main()
