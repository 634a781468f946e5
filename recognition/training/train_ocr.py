"""Trains the character reader on drawn plates, for so many steps, going on from its checkpoint if there is one.

    python -m recognition.training.train_ocr --steps 16000 --faces checkpoints/faces --street .../plates

Every SAVE_STEPS steps and at the end it writes `last.pt` (weights, their running average, optimiser, step, minutes
spent) into --out; every LOG_STEPS steps and at the end it prints a line. A checkpoint of one kind of device goes on
on another; only on the processor do two runs of a seed agree to the last bit.
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

from recognition.training.device import add_options, device_of, drawers_for, on_cpu
from recognition.training.ocr_net import ALPHABET, OcrNet
from recognition.training.plates_source import (
    IGNORED_REGION,
    Batch,
    PlateSource,
    Replay,
    Sources,
    drawn,
    in_background,
    seed_of,
)

LOG_STEPS = 100
SAVE_STEPS = 100
HELD_OUT_PLATES = 384
HELD_OUT_SEED = 20_000_003
WARM_UP_STEPS = 200
EASY_BATCHES = 500
REGION_WEIGHT = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is asked to do."""

    steps: int
    batch: int = 96
    peak_rate: float = 2.5e-3
    last_rate: float = 2e-5
    decay: float = 0.02
    seed: int = 1
    drawers: int = 1


def tensors(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Float NCHW pixels in the memory order that convolutions like, slot classes, region classes."""
    pixels = torch.from_numpy(batch.pixels).to(device).permute(0, 3, 1, 2).float()
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    return pixels, torch.from_numpy(batch.slots).to(device), torch.from_numpy(batch.regions).to(device)


def loss_of(net: OcrNet, batch: Batch) -> Tensor:
    """Cross entropy over all slots (pads too) plus a little for the region."""
    device = device_of(net)
    pixels, slots, regions = tensors(batch, device)
    with torch.autocast(device.type, torch.bfloat16):
        plate, region = net(pixels)
    characters = F.cross_entropy(plate.float().flatten(0, 1), slots.flatten())
    if bool((batch.regions == IGNORED_REGION).all()):
        return characters
    return characters + REGION_WEIGHT * F.cross_entropy(region.float(), regions, ignore_index=IGNORED_REGION)


def rate_at(step: int, plan: Plan) -> float:
    """Learning rate: a short warm-up, then a cosine over the plan."""
    share = step / plan.steps
    cosine = plan.last_rate + (plan.peak_rate - plan.last_rate) * 0.5 * (1 + math.cos(math.pi * share))
    return cosine * min(1.0, (step + 1) / WARM_UP_STEPS)


@torch.no_grad()
def follow(average: OcrNet, net: OcrNet, step: int) -> None:
    """Move the running average of the weights towards NET; fast at first, then over about a thousand steps."""
    keep = min(0.999, (1 + step) / (10 + step))
    for mean, now in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1 - keep)
        else:
            mean.copy_(now)


@torch.no_grad()
def exact_share(net: OcrNet, held_out: Batch) -> tuple[float, float]:
    """Shares of whole texts and of regions that are right."""
    net.eval()
    pixels, slots, regions = tensors(held_out, device_of(net))
    plate, region = net(pixels)
    known = regions != IGNORED_REGION
    texts = (plate.argmax(-1) == slots).all(1).float().mean()
    places = (region.argmax(-1) == regions)[known].float().mean()
    return float(texts), float(places)


@dataclass(slots=True)
class Run:
    """The state that a checkpoint holds."""

    net: OcrNet
    average: OcrNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    spent: float = 0.0  # minutes

    def save(self, path: Path) -> None:
        """Write all of it; a stop in the middle leaves the old file."""
        state: dict[str, Any] = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "spent": self.spent,
        }
        torch.save(on_cpu(state), path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Take up where `save` left."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spent = state["step"], state["spent"]


def new_run(plan: Plan, device: torch.device) -> Run:
    """Fresh weights from the plan's seed, the same on every device."""
    torch.manual_seed(plan.seed)
    net = OcrNet().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = OcrNet().to(device)
    average.load_state_dict(net.state_dict())
    return Run(net, average, torch.optim.AdamW(net.parameters(), plan.peak_rate, weight_decay=plan.decay))


def drawings(plan: Plan, sources: Sources, step: int) -> list[tuple[Any, ...]]:
    """What each drawing process is told when training begins at a step; kind batches come first in all of them."""
    easy = max(0, EASY_BATCHES - step)
    return [
        (sources, seed_of(plan.seed + step, drawer), plan.batch, -((drawer - easy) // plan.drawers))
        for drawer in range(plan.drawers)
    ]


def train(run: Run, plan: Plan, sources: Sources, out: Path) -> None:
    """The plan's steps that are left, counting those of earlier runs of the same checkpoint."""
    source = PlateSource(sources, HELD_OUT_SEED)
    print(f"reader: {source.material()}", flush=True)
    held_out = source.batch(HELD_OUT_PLATES)
    # A resumed run draws other plates than the one it follows.
    seed = plan.seed + run.step
    stream = Replay(in_background(drawn, *drawings(plan, sources, run.step)), seed)
    began, spent_before, losses = time.monotonic(), run.spent, []
    while run.step < plan.steps:
        for group in run.optimiser.param_groups:
            group["lr"] = rate_at(run.step, plan)
        run.net.train()
        loss = loss_of(run.net, stream.next())
        run.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.net.parameters(), 2.0)
        run.optimiser.step()
        follow(run.average, run.net, run.step)
        run.step += 1
        run.spent = spent_before + (time.monotonic() - began) / 60
        losses.append(float(loss.detach()))
        if run.step % LOG_STEPS == 0 or run.step == plan.steps:
            text, place = exact_share(run.average, held_out)
            print(
                f"reader: step {run.step}/{plan.steps} min {run.spent:.1f} loss {np.mean(losses):.4f} "
                f"exact {text:.3f} region {place:.3f} rate {run.optimiser.param_groups[0]['lr']:.1e}",
                flush=True,
            )
            losses.clear()
        if run.step % SAVE_STEPS == 0 or run.step == plan.steps:
            run.save(out / "last.pt")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/ocr"))
    parser.add_argument("--faces", type=Path, default=Path("checkpoints/faces"))
    parser.add_argument("--street", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    add_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(options.steps, seed=options.seed, drawers=drawers_for(options.device, options.drawers))
    run = new_run(plan, options.device)
    if (options.out / "last.pt").exists():
        run.load(options.out / "last.pt")
    parameters = sum(part.numel() for part in run.net.parameters())
    print(
        f"reader: {parameters} parameters, {len(ALPHABET)} characters, from step {run.step}, "
        f"on {options.device}, drawn by {plan.drawers}",
        flush=True,
    )
    train(run, plan, Sources(options.faces, options.street), options.out)


if __name__ == "__main__":
    main()
