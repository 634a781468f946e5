"""The aligner's views, network, step and checkpoint; where the training packages are installed."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recognition.aligner import PLACES, PLATE_SIZE_PX, align, view_of  # noqa: E402
from recognition.halves import Halves  # noqa: E402
from recognition.sessions import open_session  # noqa: E402
from recognition.training import train_aligner  # noqa: E402
from recognition.training.aligner_net import AlignerNet  # noqa: E402
from recognition.training.aligner_views import Views, hidden, nothing, overhung, rough, seen  # noqa: E402
from recognition.training.train_aligner import export, loss_of, new_run  # noqa: E402

CPU = torch.device("cpu")
PLATE = np.array([(80, 120), (220, 100), (222, 135), (82, 156)], np.float32)
IMAGE = np.random.default_rng(4).integers(0, 256, (320, 320, 3), np.uint8)


def test_the_moves_of_a_view_lead_from_the_find_to_the_plate() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        found = rough(PLATE, rng)
        view = seen(IMAGE, PLATE, found, 1.0)
        if view is None:
            continue
        _, moves, trust, there = view
        _, to_frame = view_of(Halves(IMAGE), found)
        mended = PLACES + moves.reshape(4, 2) * np.array(PLATE_SIZE_PX, np.float32)
        back = cv2.perspectiveTransform(mended.reshape(-1, 1, 2), to_frame).reshape(4, 2)
        assert np.allclose(back, PLATE, atol=0.05)
        assert (trust, there) == (1.0, 1.0)


def test_rough_finds_stay_near_the_plate_and_differ() -> None:
    rng = np.random.default_rng(2)
    finds = [rough(PLATE, rng) for _ in range(200)]
    away = [float(np.abs(find - PLATE).max()) for find in finds]
    assert 3 < np.median(away) < 25
    assert min(away) < 3


def test_what_is_hidden_or_nothing_is_no_plate_and_teaches_no_corner() -> None:
    rng = np.random.default_rng(3)
    views = [hidden(IMAGE, PLATE, rng) for _ in range(10)] + [nothing(IMAGE, [PLATE], rng) for _ in range(30)]
    kept = [view for view in views if view is not None]
    assert len(kept) > 15
    assert all(trust == 0.0 and there == 0.0 for _, _, trust, there in kept)


def test_what_hangs_over_a_plate_changes_its_upper_part_and_leaves_the_lower_one_on_its_slant() -> None:
    grey = np.full((200, 400, 3), 200, np.uint8)
    quad = np.array([[60, 60], [340, 90], [340, 160], [60, 130]], np.float32)
    below = [(int(x), int(130 + (x - 60) * 30 / 280 - 0.2 * 70)) for x in (100, 200, 300)]
    for seed in range(40):
        image = overhung(grey, quad, np.random.default_rng(seed))
        assert image.shape == grey.shape
        assert image.dtype == np.uint8
        assert (image[50:90, 60:340] != 200).any()
        assert all((image[y, x] >= 190).all() for x, y in below), f"seed {seed}: the lower part stays"
    assert (grey == 200).all(), "the scene's own picture is used again for other views"


def _views() -> Views:
    rng = np.random.default_rng(5)
    rows = [seen(IMAGE, PLATE, rough(PLATE, rng), 1.0) for _ in range(12)]
    kept = [row for row in rows if row is not None]
    return Views(
        np.stack([row[0] for row in kept]),
        np.stack([row[1] for row in kept]),
        np.ones(len(kept), np.float32),
        np.ones(len(kept), np.float32),
    )


def test_steps_lower_the_loss_and_a_checkpoint_takes_it_up(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run, views, losses = new_run(1, CPU), _views(), []
    for _ in range(12):
        corners, there = loss_of(run.net, views)
        run.optimiser.zero_grad()
        (corners + there).backward()
        run.optimiser.step()
        losses.append(float((corners + there).detach()))
    assert losses[-1] < losses[0] * 0.8
    run.step = 12
    run.save(tmp_path / "last.pt")
    other = new_run(2, CPU)
    other.load(tmp_path / "last.pt")
    assert other.step == 12
    for mine, theirs in zip(run.net.parameters(), other.net.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_an_exported_aligner_gives_the_nets_own_answer(tmp_path: Path) -> None:
    net = AlignerNet().eval()
    export(net, tmp_path / "aligner.onnx")
    ((quad, there),) = align(open_session(tmp_path / "aligner.onnx"), Halves(IMAGE), [PLATE])
    view, to_frame = view_of(Halves(IMAGE), PLATE)
    with torch.no_grad():
        own = net(torch.from_numpy(view[None]).permute(0, 3, 1, 2).float()).numpy()[0]
    places = PLACES + own[1:].reshape(4, 2) * np.array(PLATE_SIZE_PX, np.float32)
    assert np.allclose(quad, cv2.perspectiveTransform(places.reshape(-1, 1, 2), to_frame).reshape(4, 2), atol=0.05)
    assert there == pytest.approx(1 / (1 + np.exp(-own[0])), abs=1e-4)


def test_a_short_training_tells_its_steps_and_leaves_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_aligner, "in_background", lambda *_: iter([_views()]))
    train_aligner.train(new_run(1, CPU), tmp_path / "none.csv", tmp_path, 1, 1)
    assert re.fullmatch(r"aligner: step 1/1 min \d+\.\d corners 0\.\d+ there \d\.\d+\n", capsys.readouterr().out)
    again = new_run(2, CPU)
    again.load(tmp_path / "last.pt")
    assert again.step == 1
