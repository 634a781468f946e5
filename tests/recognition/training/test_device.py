"""Where a training computes, and that all of a step's tensors are there; where its packages are installed."""

import argparse
import contextlib
import copy
import os
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from recognition.training import train_aligner, train_detector, train_ocr  # noqa: E402
from recognition.training.aligner_views import Views  # noqa: E402
from recognition.training.detector_net import PlateNet, loss  # noqa: E402
from recognition.training.device import add_options, device_named, device_of, drawers_for, on_cpu  # noqa: E402
from recognition.training.ocr_net import SLOTS  # noqa: E402
from recognition.training.plates_source import Batch  # noqa: E402

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


def test_without_a_gpu_the_processor_computes_and_one_process_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    told = options()
    assert told.device == CPU
    assert drawers_for(told.device, told.drawers) == 1


def test_where_there_is_a_gpu_it_computes_unless_the_processor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert options().device == GPU
    assert options("--device", "cpu").device == CPU
    assert device_named("cuda:1") == torch.device("cuda:1")
    with pytest.raises(argparse.ArgumentTypeError, match="cuda:2: there are 2 GPUs"):
        device_named("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:one", "cpu:1", "meta", ""])
def test_a_wrong_name_is_told_with_what_to_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--device", name)
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.endswith(f"argument --device: no device {name!r}: name auto, cpu, cuda or cuda:1")


def test_a_gpu_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        options("--device", "cuda")
    assert "sees no GPU here; name cpu, or auto" in capsys.readouterr().err


def test_beside_a_gpu_all_processors_but_one_draw_as_far_as_memory_reaches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def machine(processors: int, gibibytes: int) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: processors)
        sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gibibytes * 2**18}
        monkeypatch.setattr(os, "sysconf", sizes.__getitem__)

    machine(processors=8, gibibytes=64)
    assert (drawers_for(GPU, None), drawers_for(GPU, 2), drawers_for(CPU, None), drawers_for(CPU, 3)) == (
        7,
        2,
        1,
        3,
    )
    machine(processors=16, gibibytes=30)
    assert drawers_for(GPU, None) == 5
    machine(processors=1, gibibytes=2)
    assert drawers_for(GPU, None) == 1


@pytest.mark.parametrize("drawers", ["0", "-1", "two"])
def test_no_drawer_draws_nothing(drawers: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(f"--drawers={drawers}")
    assert f"{drawers!r} is no number of processes: name 1 or more" in capsys.readouterr().err


def test_a_state_on_the_processor_is_the_same_in_containers_of_its_own() -> None:
    net = torch.nn.BatchNorm2d(3)
    state = {"net": net.state_dict(), "groups": [{"lr": 0.1, "betas": (0.9, 0.99)}], "step": 3}
    before = copy.copy(state)
    kept = on_cpu(state)
    assert kept["net"]["weight"] is state["net"]["weight"]
    assert isinstance(kept["net"], OrderedDict)
    assert kept["net"]._metadata == state["net"]._metadata
    assert kept["groups"] == state["groups"]
    assert kept["step"] == 3
    kept["groups"][0]["lr"] = 0.2
    kept["net"].clear()
    assert state == before
    assert state["groups"] == [{"lr": 0.1, "betas": (0.9, 0.99)}]
    assert "weight" in state["net"]


class OneDevice(TorchDispatchMode):  # type: ignore[misc]
    """Refuses an operation on tensors of two devices, as a GPU would; single numbers and copies may cross."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        parts = [part for part in tree_leaves((args, kwargs)) if isinstance(part, torch.Tensor) and part.dim()]
        if "copy" not in func.name():
            assert len({part.device for part in parts}) < 2, f"{func}: {[part.device for part in parts]}"
        return func(*args, **(kwargs or {}))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A device that is not the processor: one that only knows shapes, watched for what does not go there."""
    monkeypatch.setattr(torch, "autocast", lambda *_: contextlib.nullcontext())
    return torch.device("meta")


def _learn(net: Any, total: Any, optimiser: Any) -> None:
    total.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
    optimiser.step()


def test_a_step_of_the_reader_is_on_its_device(elsewhere: Any) -> None:
    run = train_ocr.new_run(train_ocr.Plan(3), elsewhere)
    batch = Batch(np.zeros((4, 64, 160, 3), np.uint8), np.zeros((4, SLOTS), np.int64), np.zeros(4, np.int64))
    with OneDevice():
        _learn(run.net, train_ocr.loss_of(run.net, batch), run.optimiser)
        train_ocr.follow(run.average, run.net, 0)
    assert device_of(run.net) == device_of(run.average) == elsewhere


def test_a_step_of_the_aligner_is_on_its_device(elsewhere: Any) -> None:
    run = train_aligner.new_run(1, elsewhere)
    ones = np.ones(4, np.float32)
    with OneDevice():
        views = Views(np.zeros((4, 64, 128, 3), np.uint8), np.zeros((4, 8), np.float32), ones, ones)
        corners, there = train_aligner.loss_of(run.net, views)
        _learn(run.net, corners + there, run.optimiser)
        train_aligner._follow(run.mean, run.net, 0)
    assert device_of(run.net) == device_of(run.mean) == elsewhere


def test_a_step_of_the_detector_is_on_its_device(elsewhere: Any) -> None:
    net, mean = PlateNet().to(elsewhere), PlateNet().to(elsewhere)
    optimiser = torch.optim.AdamW(net.parameters())
    goals = tuple(np.zeros((2, channels, 8, 8), np.float32) for channels in (1, 8, 1))
    batch = train_detector.Batch(np.zeros((2, 64, 64, 3), np.uint8), goals)
    with OneDevice():
        x, *there = train_detector.tensors(batch, elsewhere)
        heat, corners = loss(net.train()(x), *there)
        _learn(net, heat + corners, optimiser)
        train_detector._average(mean, net, 0.5)


def test_what_stays_behind_is_refused(elsewhere: Any) -> None:
    with OneDevice(), pytest.raises(AssertionError, match="meta"):
        torch.where(torch.ones(3, device=elsewhere) > 0, torch.ones(3), torch.ones(3))
