"""Evidence pictures: kept, found, deleted on time; a refusing disk stops nothing."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.evidence import EvidenceFolder
from gate_controller.errors import StoreError

CROP = np.full((64, 200, 3), 128, np.uint8)


def test_a_crop_can_be_looked_at_again(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path / "a" / "b")
    name = folder.save("entry-1", CROP)
    assert name == "entry-1.jpg"
    assert cv2.imread(str(tmp_path / "a" / "b" / name)).shape == CROP.shape


def test_pictures_go_after_their_time_and_not_before(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    for name, age_days in (("old", 31), ("young", 29)):
        folder.save(name, CROP)
        at = (now - timedelta(days=age_days)).timestamp()
        os.utime(tmp_path / f"{name}.jpg", (at, at))
    assert folder.erase(now, timedelta(days=30)) == 1
    assert [path.name for path in tmp_path.glob("*")] == ["young.jpg"]


def test_a_disk_that_refuses_gives_no_name_and_no_error(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path)
    (tmp_path / "taken.jpg").mkdir()
    assert folder.save("taken", CROP) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.*choose another folder"):
        EvidenceFolder(tmp_path / "file" / "pictures")


def test_named_pictures_go_at_once_and_nothing_outside_the_folder(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path / "pictures")
    folder.save("one", CROP)
    folder.save("two", CROP)
    (tmp_path / "secret.jpg").write_text("")
    folder.delete(["one.jpg", "../secret.jpg", "missing.jpg"])
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["two.jpg"]
    assert (tmp_path / "secret.jpg").exists()
