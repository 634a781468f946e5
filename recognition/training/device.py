"""Where a training computes, on a GPU or on the processor, and how many processes draw for it.

Weights are made and checkpoints are kept on the processor, so that a run can go on on another kind of machine.
Deliberately not here: what is drawn, and the drawing processes themselves (`plates_source.py`).
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

DRAWER_BYTES_MAX = 3 * 2**30
"""Of one drawing process: the aligner's keeps the street's frames and has 2.5 GB, the reader's 0.7."""


def device_named(name: str) -> torch.device:
    """The device of a name: `auto`, `cpu`, `cuda` or `cuda:1`; `argparse.ArgumentTypeError` names what there is."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or name.endswith(":") or (number and (kind == "cpu" or not number.isdecimal())):
        raise argparse.ArgumentTypeError(f"no device {name!r}: name auto, cpu, cuda or cuda:1")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise argparse.ArgumentTypeError(
            f"{name}: torch {torch.__version__} sees no GPU here; name cpu, or auto, or install its build for GPUs"
        )
    count = torch.cuda.device_count()
    if int(number or 0) >= count:
        raise argparse.ArgumentTypeError(f"{name}: there are {count} GPUs, and the first one is cuda:0")
    return torch.device(name)


def _drawers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: name 1 or more")
    return int(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--device` and `--drawers`, the same for every training; see `drawers_for` for the latter's default."""
    parser.add_argument(
        "--device", type=device_named, default="auto", help="auto (a GPU where there is one), cpu, cuda or cuda:1"
    )
    parser.add_argument(
        "--drawers", type=_drawers, help="drawing processes; 1 for cpu, else as many as processors and memory allow"
    )


def drawers_for(device: torch.device, asked: int | None) -> int:
    """How many processes draw: as asked, else one beside a processor, which they would only take time from.

    A GPU waits for one: beside it all processors but one draw, in at most half of the memory.
    """
    if asked is not None:
        return asked
    if device.type == "cpu":
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min((os.cpu_count() or 1) - 1, memory // 2 // DRAWER_BYTES_MAX))


def device_of(net: nn.Module) -> torch.device:
    """Where the net's weights are."""
    return next(net.parameters()).device


def on_cpu(state: Any) -> Any:
    """A state with every tensor on the processor. STATE stays as it is; a tensor already there is not copied."""
    if isinstance(state, Tensor):
        return state.cpu()
    if isinstance(state, Mapping):
        there: Any = copy.copy(state)  # of its own kind: a module's state also carries versions
        there.update({key: on_cpu(part) for key, part in state.items()})
        return there
    if isinstance(state, list):
        return [on_cpu(part) for part in state]
    return state
