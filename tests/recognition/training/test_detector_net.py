"""The detector's targets and loss agree with its decoder; where the training packages are installed."""

from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recognition.detector import BuiltinDetector  # noqa: E402
from recognition.finds import decode  # noqa: E402
from recognition.halves import Halves  # noqa: E402
from recognition.training.detector_net import CORNER_SCALE, STRIDE, PlateNet, loss, targets  # noqa: E402
from recognition.training.scenes import StreetFrame  # noqa: E402
from recognition.training.train_detector import export, load_frames, make_batches, rate, train  # noqa: E402

QUAD = [(100.0, 60.0), (220.0, 80.0), (217.0, 110.0), (97.0, 90.0)]


def test_targets_decode_to_the_corners_they_were_made_from() -> None:
    heat, offsets, weight = targets([QUAD], [1.0], 192, 320)
    table = torch.cat([heat, offsets * CORNER_SCALE]).permute(1, 2, 0).numpy()
    (found,) = decode(table, np.eye(2, 3), 0.5)
    assert np.allclose(found.corners, QUAD, atol=0.01)
    assert float(weight.sum()) > 0


def test_ignored_plates_have_no_heat_and_no_corners() -> None:
    heat, _, weight = targets([QUAD], [-1.0], 192, 320)
    assert float(heat.max()) == 0.0
    assert float(heat.min()) == -1.0
    assert float(weight.sum()) == 0.0


def test_loss_is_least_for_the_target_itself_and_blind_to_what_is_ignored() -> None:
    goal = [part[None] for part in targets([QUAD], [1.0], 192, 320)]
    logit = torch.logit(goal[0].clamp(0.001, 0.999))
    perfect = torch.cat([logit, goal[1]], 1)
    heat_loss, corner_loss = loss(perfect, *goal)
    missed, _ = loss(torch.cat([torch.full_like(logit, -6.0), goal[1]], 1), *goal)
    _, moved = loss(perfect + 0.3, *goal)
    assert heat_loss < 0.1 * missed
    assert corner_loss < 0.01 * moved
    ignored = [part[None] for part in targets([QUAD], [-1.0], 192, 320)]
    quiet = torch.full_like(perfect, -9.0)
    shout = quiet.clone()
    shout[:, :1][ignored[0] < 0] = 9.0
    assert float(loss(shout, *ignored)[0]) == pytest.approx(float(loss(quiet, *ignored)[0]), abs=1e-4)


def test_exported_file_is_taken_by_the_detector_at_any_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = PlateNet().eval()
    export(net, tmp_path / "net.onnx")
    detector = BuiltinDetector(tmp_path / "net.onnx")
    assert detector.detect(Halves(np.zeros((100, 200, 3), np.uint8))).plates == []
    out = net(torch.zeros(1, 3, 96, 160))
    assert out.shape == (1, 9, 96 // STRIDE, 160 // STRIDE)
    assert sum(part.numel() for part in net.parameters()) < 500_000


def test_learning_rate_rises_then_falls_to_near_nothing() -> None:
    rates = [rate(step, 2000) for step in range(2000)]
    assert rates[0] < rates[199]
    assert max(rates) == pytest.approx(2e-3, rel=0.05)
    assert rates[-1] < 0.02 * max(rates)


GROUND = np.full((720, 1280, 3), 120, np.uint8)
FRAMES = [StreetFrame(GROUND, GROUND[::2, ::2].copy(), ())]


def test_training_ends_with_its_steps_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    for steps in (1, 2):
        train(partial(make_batches, FRAMES, 1), tmp_path, steps, 1, torch.device("cpu"))
        assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == steps


def test_steps_have_the_same_scenes_whoever_draws_them() -> None:
    alone = [batch.pixels for batch in islice(make_batches(FRAMES, 1, 5), 3)]
    even, odd = make_batches(FRAMES, 1, 5, 2), make_batches(FRAMES, 1, 6, 2)
    together = [next(even).pixels, next(odd).pixels, next(even).pixels]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    assert not np.array_equal(alone[0], alone[1])


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    table = tmp_path / "street.csv"
    with pytest.raises(SystemExit, match=r"street\.csv: cannot be read .*name the CSV file"):
        load_frames(table, "train")
    table.write_text("image,x,y,w,h\na.jpg,1,2,3,4\n")
    with pytest.raises(SystemExit, match=r"street\.csv: has no part; it needs rows with image"):
        load_frames(table, "train")
    table.write_text("image,part,x,y,w,h\na.jpg,train,1,2,3,4\n")
    with pytest.raises(SystemExit, match=r"a\.jpg: cannot be read; restore it"):
        load_frames(table, "train")
