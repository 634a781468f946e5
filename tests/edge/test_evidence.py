"""Evidence pictures: kept once they decided, found, deleted on time; a refusing disk stops nothing."""

import logging
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.evidence import OFFERED_LEN_MAX, WRITING_LEN_MAX, EvidenceFolder
from gate_controller.errors import StoreError

CROP = np.full((64, 200, 3), 128, np.uint8)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
KEEP, KEEP_STRANGERS = timedelta(days=30), timedelta(hours=24)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[EvidenceFolder]:
    folder = EvidenceFolder(tmp_path / "pictures")
    yield folder
    folder.close()


def files(tmp_path: Path) -> set[str]:
    root = tmp_path / "pictures"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def kept(folder: EvidenceFolder, *names: str, stranger: bool = False) -> None:
    for name in names:
        folder.offer(name, CROP)
        folder.keep(name, stranger)
    folder.close()


def aged(path: Path, by: timedelta) -> None:
    at = (NOW - by).timestamp()
    os.utime(path, (at, at))


def test_a_crop_can_be_looked_at_again(tmp_path: Path, folder: EvidenceFolder) -> None:
    kept(folder, "entry-1.jpg")
    assert cv2.imread(str(tmp_path / "pictures" / "entry-1.jpg")).shape == CROP.shape


def test_a_crop_that_decided_nothing_is_never_written(tmp_path: Path, folder: EvidenceFolder) -> None:
    folder.offer("entry-1.jpg", CROP)
    folder.keep("entry-2.jpg", stranger=False)
    folder.close()
    assert files(tmp_path) == set()


def test_a_crop_named_twice_is_written_once(tmp_path: Path, folder: EvidenceFolder) -> None:
    folder.offer("entry-1.jpg", CROP)
    folder.keep("entry-1.jpg", stranger=False)
    folder.keep("entry-1.jpg", stranger=True)
    folder.close()
    assert files(tmp_path) == {"entry-1.jpg"}


def test_few_crops_are_held_in_memory(tmp_path: Path, folder: EvidenceFolder) -> None:
    for number in range(OFFERED_LEN_MAX + 1):
        folder.offer(f"{number}.jpg", CROP)
    folder.keep("0.jpg", stranger=False)
    folder.keep("1.jpg", stranger=False)
    folder.close()
    assert files(tmp_path) == {"1.jpg"}


def test_pictures_go_after_their_time_and_not_before_and_strangers_sooner(
    tmp_path: Path, folder: EvidenceFolder
) -> None:
    root = tmp_path / "pictures"
    for name, age in (("old", timedelta(days=31)), ("young", timedelta(days=29))):
        (root / f"{name}.jpg").write_bytes(b"")
        aged(root / f"{name}.jpg", age)
    for name, age in (("old", timedelta(hours=25)), ("young", timedelta(hours=23))):
        (root / "strangers" / f"{name}.jpg").write_bytes(b"")
        aged(root / "strangers" / f"{name}.jpg", age)
    assert folder.erase(NOW, KEEP, KEEP_STRANGERS) == 2
    assert files(tmp_path) == {"young.jpg", "strangers/young.jpg"}


def test_a_strangers_picture_lies_apart(tmp_path: Path, folder: EvidenceFolder) -> None:
    kept(folder, "entry-1.jpg", stranger=True)
    assert files(tmp_path) == {"strangers/entry-1.jpg"}


def test_a_disk_that_refuses_is_told_once_and_stops_nothing(
    tmp_path: Path, folder: EvidenceFolder, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("taken", "too"):
        (tmp_path / "pictures" / f"{name}.jpg").mkdir()
    kept(folder, "taken.jpg", "too.jpg", "fine.jpg")
    assert files(tmp_path) == {"fine.jpg"}
    errors = [record.message for record in caplog.records if "written" in record.message]
    assert len(errors) == 1


def test_a_stalled_disk_keeps_nobody_waiting_and_fills_no_memory(
    tmp_path: Path, folder: EvidenceFolder, caplog: pytest.LogCaptureFixture
) -> None:
    stalled = threading.Event()
    folder._writer.submit(stalled.wait, 20)
    for number in range(WRITING_LEN_MAX + 5):
        folder.offer(f"{number}.jpg", CROP)
        folder.keep(f"{number}.jpg", stranger=False)
    assert files(tmp_path) == set()
    stalled.set()
    folder.close()
    assert len(files(tmp_path)) == WRITING_LEN_MAX
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.*choose another folder"):
        EvidenceFolder(tmp_path / "file" / "pictures")


def test_named_pictures_of_strangers_go_at_once_and_nothing_outside(tmp_path: Path, folder: EvidenceFolder) -> None:
    kept(folder, "one.jpg", "two.jpg", stranger=True)
    (tmp_path / "pictures" / "known.jpg").write_text("")
    folder.delete(["one.jpg", "../known.jpg", "missing.jpg"])
    assert files(tmp_path) == {"strangers/two.jpg", "known.jpg"}


def test_one_picture_that_cannot_be_deleted_does_not_keep_the_rest(
    tmp_path: Path, folder: EvidenceFolder, caplog: pytest.LogCaptureFixture
) -> None:
    strangers = tmp_path / "pictures" / "strangers"
    for name in ("a.jpg", "b.jpg"):
        (strangers / name).mkdir()
        (strangers / name / "in the way").write_text("")
        aged(strangers / name, timedelta(days=2))
    for name in ("c.jpg", "d.jpg"):
        (strangers / name).write_bytes(b"")
        aged(strangers / name, timedelta(days=2))
    folder.delete(["a.jpg", "b.jpg", "c.jpg"])
    assert not (strangers / "c.jpg").exists()
    assert folder.erase(NOW, KEEP, KEEP_STRANGERS) == 1
    assert not (strangers / "d.jpg").exists()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_picture_is_given_out_while_it_is_kept(tmp_path: Path, folder: EvidenceFolder) -> None:
    kept(folder, "known.jpg")
    folder = EvidenceFolder(tmp_path / "pictures")
    kept(folder, "stranger.jpg", stranger=True)
    root = tmp_path / "pictures"
    aged(root / "known.jpg", timedelta(days=29))
    aged(root / "strangers" / "stranger.jpg", timedelta(hours=23))
    found = folder.read("known.jpg", NOW, KEEP, KEEP_STRANGERS)
    assert found is not None
    assert found.jpeg == (root / "known.jpg").read_bytes()
    assert found.erase_at == NOW + timedelta(days=1)
    found = folder.read("stranger.jpg", NOW, KEEP, KEEP_STRANGERS)
    assert found is not None
    assert found.erase_at == NOW + timedelta(hours=1)


def test_a_picture_that_is_due_to_go_is_not_given_out_nor_anything_else(
    tmp_path: Path, folder: EvidenceFolder
) -> None:
    kept(folder, "stranger.jpg", stranger=True)
    aged(tmp_path / "pictures" / "strangers" / "stranger.jpg", timedelta(hours=25))
    (tmp_path / "secret").write_text("secret")
    for name in ("stranger.jpg", "none.jpg", "../secret", "strangers", "..", ""):
        assert folder.read(name, NOW, KEEP, KEEP_STRANGERS) is None
