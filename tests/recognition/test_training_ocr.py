"""Network, training step, checkpoint and export; where the training packages are installed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recognition.training import train_ocr  # noqa: E402
from recognition.training.export_ocr import export, yaml_text  # noqa: E402
from recognition.training.ocr_net import ALPHABET, PAD, REGIONS, SLOTS, OcrNet, encode  # noqa: E402
from recognition.training.plates_source import Batch, PlateSource, Replay, Sources  # noqa: E402
from recognition.training.train_ocr import Plan, Run, drawings, follow, loss_of, new_run, rate_at  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def batch() -> Batch:
    torch.set_num_threads(1)
    return PlateSource(Sources(), seed=3).batch(8)


def _step(run: Run, batch: Batch) -> float:
    loss = loss_of(run.net, batch)
    run.optimiser.zero_grad()
    loss.backward()
    run.optimiser.step()
    follow(run.average, run.net, run.step)
    run.step += 1
    return float(loss.detach())


def test_texts_become_slots_and_too_long_ones_are_refused() -> None:
    assert encode("B1Ü") == [11, 1, 38] + [ALPHABET.index(PAD)] * (SLOTS - 3)
    with pytest.raises(ValueError, match="11 characters"):
        encode("A" * 11)


def test_samples_come_in_the_readers_shape_and_repeat_for_a_seed(batch: Batch) -> None:
    again = PlateSource(Sources(), seed=3).batch(8)
    assert batch.pixels.shape == (8, 64, 160, 3)
    assert np.array_equal(batch.pixels, again.pixels)
    assert np.array_equal(batch.slots, again.slots)
    assert batch.slots.shape == (8, SLOTS)


def test_replayed_batches_come_once_more_and_moved_by_little() -> None:
    def numbered() -> Iterator[Batch]:
        for number in range(1000):
            yield Batch(np.full((1, 8, 8, 3), number % 256, np.uint8), np.array([[number]]), np.array([0]))

    replay = Replay(numbered(), seed=1)
    seen = [int(replay.next().slots[0, 0]) for _ in range(200)]
    times = [seen.count(number) for number in set(seen)]
    assert max(times) == 2
    assert times.count(2) > 60


def test_training_steps_lower_the_loss(batch: Batch) -> None:
    run = new_run(Plan(steps=100), CPU)
    losses = [_step(run, batch) for _ in range(6)]
    assert losses[-1] < losses[0] * 0.9


def test_a_checkpoint_takes_up_where_it_was_left(batch: Batch, tmp_path: Path) -> None:
    run = new_run(Plan(steps=100), CPU)
    _step(run, batch)
    run.save(tmp_path / "last.pt")
    other = new_run(Plan(steps=100, seed=2), CPU)
    other.load(tmp_path / "last.pt")
    assert other.step == 1
    assert _step(other, batch) == pytest.approx(_step(run, batch), rel=1e-3)


def test_a_short_training_tells_its_steps_and_leaves_a_checkpoint(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_ocr, "in_background", lambda *_: iter([batch]))
    monkeypatch.setattr(train_ocr, "HELD_OUT_PLATES", 2)
    train_ocr.train(new_run(Plan(1), CPU), Plan(1), Sources(), tmp_path)
    material, step = capsys.readouterr().out.splitlines()
    assert material.startswith("reader: plates drawn in our own letterforms alone, no faces named")
    assert step.startswith("reader: step 1/1 min ")
    again = new_run(Plan(1), CPU)
    again.load(tmp_path / "last.pt")
    assert again.step == 1


def test_the_rate_warms_up_and_falls_with_the_steps() -> None:
    plan = Plan(steps=10_000)
    assert rate_at(0, plan) < rate_at(9_000, plan) < rate_at(1_000, plan) < rate_at(200, plan)
    assert rate_at(200, plan) == pytest.approx(plan.peak_rate, rel=0.01)
    assert rate_at(10_000, plan) == pytest.approx(plan.last_rate)


def test_one_drawer_draws_from_the_seed_and_several_share_the_kind_batches() -> None:
    assert drawings(Plan(steps=9, seed=5), Sources(), 2) == [(Sources(), 7, 96, 498)]
    each = drawings(Plan(steps=9, seed=5, drawers=3), Sources(), 0)
    assert [(easy, size) for _, _, size, easy in each] == [(167, 96), (167, 96), (166, 96)]
    first, *others = [PlateSource(Sources(), seed).batch(2).pixels for _, seed, _, _ in each]
    assert np.array_equal(first, PlateSource(Sources(), 5).batch(2).pixels)
    assert not any(np.array_equal(first, other) for other in others)
    assert not np.array_equal(*others)
    assert [easy for *_, easy in drawings(Plan(steps=9, drawers=4), Sources(), 600)] == [0] * 4


def test_an_exported_net_gives_the_nets_own_answer(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net = OcrNet().eval()
    export(net, tmp_path / "ocr.onnx", plate_temperature=2.0)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 160, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "ocr.onnx", providers=["CPUExecutionProvider"])
    plate, region = session.run(["plate", "region"], {"input": pixels})
    assert plate.shape == (2, SLOTS, len(ALPHABET))
    assert region.shape == (2, len(REGIONS))
    with torch.no_grad():
        own, _ = net(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    assert np.allclose(plate, (own / 2.0).softmax(-1).numpy(), atol=1e-4)
    assert (tmp_path / "ocr.yaml").read_text(encoding="utf-8") == yaml_text()
