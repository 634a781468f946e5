"""Trains the detector on made scenes and exports it as ONNX; run it as a module, `--help` names the options.

Resumable, also on another kind of device: the checkpoint holds weights, their running mean and the optimizer, and
step i always draws the same scenes from the seed, whoever draws it. What is deliberately not here: the net
(`detector_net.py`) and the scenes (`scenes.py`).
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from recognition.blocks import CELL_CHANNELS
from recognition.training.detector_net import Exported, PlateNet, loss, targets
from recognition.training.device import add_options, drawers_for, on_cpu
from recognition.training.draw import Freedom, draw_plate
from recognition.training.plates_source import in_background
from recognition.training.scenes import DrawPlate, Image, StreetFrame, make_scene, noise_bank
from recognition.training.texts import sample_text

SCENE_SIZE_PX = 320
BATCH = 16
LEARNING_RATE = 2e-3
WARM_UP_STEPS = 200
CORNER_SHARE = 2.0
"""Weight of the corners beside the heat."""

MEAN_DECAY = 0.998
"""Of the running mean of the weights, which is what ships."""

SAVE_EVERY_STEPS = 100


PLATES = 2000
"""Different plates drawn; light, pose and place differ each time one is used, so more would only cost time."""

TWO_LINE_SHARE = 0.22

FRAME_COLUMNS = ("image", "part", "x", "y", "w", "h")


@lru_cache(maxsize=PLATES)
def plate_number(number: int) -> Image:
    """One of `PLATES` drawn plates, always the same for a number."""
    rng = np.random.default_rng([99, number])
    text = sample_text(rng)
    two_line = True if rng.random() < TWO_LINE_SHARE else None
    free = Freedom(jitter=float(rng.uniform(0.3, 1.2)), odd_joins=0.1, two_line=two_line)
    return draw_plate(text.groups, text.country, rng, freedom=free)


def any_plate(rng: np.random.Generator) -> Image:
    """Some country's plate, front on, (H, W, 3) uint8 BGR."""
    return plate_number(int(rng.integers(PLATES)))


def rows_of(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file. Raises `SystemExit` naming file and fix when it is not there or lacks a column."""
    try:
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(
            f"{table}: cannot be read ({error}); name the CSV file with {', '.join(columns)}"
        ) from None
    lacking = [column for column in columns if not rows or column not in rows[0]]
    if lacking:
        raise SystemExit(f"{table}: has no {', '.join(lacking)}; it needs rows with {', '.join(columns)}")
    return rows


def load_frames(table: Path, part: str) -> list[StreetFrame]:
    """The frames of one part of a table with columns image, part, x, y, w, h; image paths are beside the table."""
    boxes: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for row in rows_of(table, FRAME_COLUMNS):
        if row["part"] == part:
            x, y, w, h = (float(row[k]) for k in "xywh")
            boxes[row["image"]].append((x, y, w, h))
    frames = []
    for name, found in sorted(boxes.items()):
        image = cv2.imread(str(table.parent / name))
        if image is None:
            raise SystemExit(f"{table.parent / name}: cannot be read; restore it or remove its rows")
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        frames.append(StreetFrame(image, half, tuple(found)))
    return frames


@dataclass(frozen=True, slots=True)
class Batch:
    """(N, H, W, 3) uint8 BGR, and float32 heat, offsets and weight as `targets` makes them, (N, ...) each."""

    pixels: NDArray[np.uint8]
    goals: tuple[NDArray[np.float32], ...]


def make_batch(frames: Sequence[StreetFrame], draw: DrawPlate, seed: int, step: int, noise: np.ndarray) -> Batch:
    """The pictures and targets of one step, always the same for the same seed and step."""
    rng = np.random.default_rng([seed, step])
    images: list[Image] = []
    goals = []
    for _ in range(BATCH):
        scene = make_scene(frames, draw, SCENE_SIZE_PX, rng, noise)
        images.append(scene.image)
        goals.append(targets(scene.quads, scene.trust, SCENE_SIZE_PX, SCENE_SIZE_PX))
    return Batch(np.stack(images), tuple(torch.stack(part).numpy() for part in zip(*goals, strict=True)))


def tensors(batch: Batch, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Float NCHW pixels as the net takes them, heat, offsets and weight."""
    x = torch.from_numpy(batch.pixels).to(device).permute(0, 3, 1, 2).float() * (1 / 255) - 0.5
    return x.contiguous(), *(torch.from_numpy(goal).to(device) for goal in batch.goals)


def make_batches(frames: Sequence[StreetFrame], seed: int, first: int, every: int = 1) -> Iterator[Batch]:
    """The batches of step FIRST and of every so manieth after it, for ever."""
    noise = noise_bank()
    for step in itertools.count(first, every):
        yield make_batch(frames, any_plate, seed, step, noise)


def _drawer(table: Path, seed: int, first: int, every: int) -> Iterator[Batch]:
    torch.set_num_threads(1)
    return make_batches(load_frames(table, "train"), seed, first, every)


def batches(table: Path, seed: int, drawers: int, first: int) -> Iterator[Batch]:
    """Those of step FIRST and all after it, the same whatever the number of drawers; one alone is this process."""
    if drawers == 1:
        return make_batches(load_frames(table, "train"), seed, first)
    return in_background(_drawer, *((table, seed, first + drawer, drawers) for drawer in range(drawers)))


def rate(step: int, steps: int) -> float:
    """Learning rate: linear warm-up, then a half cosine over all STEPS down to a hundredth."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return LEARNING_RATE * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def export(net: PlateNet, path: Path) -> None:
    """Writes the ONNX file: (N, H/2, W/2, 16) uint8 cells in, (N, H/8, W/8, 9) float32 out, all sizes dynamic."""
    example = torch.zeros(1, 32, 48, CELL_CHANNELS, dtype=torch.uint8)
    axes = {"image": {0: "n", 1: "h", 2: "w"}, "plates": {0: "n", 1: "rows", 2: "cols"}}
    torch.onnx.export(
        Exported(net).eval(), (example,), str(path), dynamo=False, opset_version=17,
        input_names=["image"], output_names=["plates"], dynamic_axes=axes,
    )  # fmt: skip


def train(
    batches_from: Callable[[int], Iterator[Batch]], folder: Path, steps: int, seed: int, device: torch.device
) -> PlateNet:
    """Trains from the folder's checkpoint, if any, to so many steps in all; returns the running-mean net.

    `batches_from` gives the batches of a step and of all after it. The net returned is on the processor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "last.pt"
    torch.manual_seed(seed)
    net, mean = PlateNet().to(device), PlateNet().to(device)
    mean.load_state_dict(net.state_dict())
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    step, before = 0, 0.0
    if saved.exists():
        state = torch.load(saved, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["mean"])
        optimizer.load_state_dict(state["optimizer"])
        step, before = int(state["step"]), float(state.get("minutes", 0.0))
    stream = batches_from(step)
    sums, began, spent = np.zeros(2), time.monotonic(), before
    while step < steps:
        x, *goals = tensors(next(stream), device)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        heat_loss, corner_loss = loss(net.train()(x), *goals)
        optimizer.zero_grad()
        total: torch.Tensor = heat_loss + CORNER_SHARE * corner_loss
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        _average(mean, net, min(MEAN_DECAY, (step + 1) / (step + 10)))
        step, spent = step + 1, before + (time.monotonic() - began) / 60
        sums += (heat_loss.item(), corner_loss.item())
        if step % SAVE_EVERY_STEPS == 0 or step == steps:
            means = sums / ((step - 1) % SAVE_EVERY_STEPS + 1)
            print(
                f"detector: step {step}/{steps} min {spent:.1f} heat {means[0]:.4f} corner {means[1]:.4f}",
                flush=True,
            )
            sums = np.zeros(2)
            state = {"net": net.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(on_cpu(state) | {"step": step, "minutes": spent}, saved.with_suffix(".tmp"))
            saved.with_suffix(".tmp").replace(saved)
    return mean.cpu()


def _average(mean: PlateNet, net: PlateNet, decay: float) -> None:
    with torch.no_grad():
        for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - decay)
            else:
                old.copy_(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="CSV of street frames: image,part,x,y,w,h")
    parser.add_argument("--folder", type=Path, default=Path("checkpoints/detector"))
    parser.add_argument("--steps", type=int, default=7_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    add_options(parser)
    parser.add_argument("--export", type=Path, default=Path("recognition/models/detector.onnx"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(0)
    drawers = drawers_for(args.device, args.drawers)
    print(f"detector: on {args.device}, drawn by {drawers}", flush=True)
    drawn = partial(batches, args.table, args.seed, drawers)
    net = train(drawn, args.folder, args.steps, args.seed, args.device)
    export(net, args.export)


if __name__ == "__main__":
    main()
