"""Pictures of every kind become (H, W, 3) uint8 BGR, or one error that names the file and the fix."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from gate_controller.errors import MediaError
from recognition.frame import as_bgr, load_image

COLOUR = np.dstack([np.full((6, 8), value, np.uint8) for value in (10, 120, 250)])


@pytest.mark.parametrize(
    "array",
    [np.full((5, 7), 90, np.uint8), np.full((5, 7, 1), 90, np.uint8), np.full((5, 7), 90 * 256 + 17, np.uint16)],
)
def test_grey_and_16_bit_become_three_equal_channels(array: np.ndarray) -> None:
    image = as_bgr(array)
    assert image.shape == (5, 7, 3)
    assert image.dtype == np.uint8
    assert (image == 90).all()


def test_alpha_is_dropped_and_colours_stay() -> None:
    with_alpha = np.dstack([COLOUR, np.zeros((6, 8), np.uint8)])
    assert (as_bgr(with_alpha) == COLOUR).all()


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (10_000, 6_000, 3)), "megapixels"),
    ],
)
def test_arrays_that_are_no_picture_are_refused_with_the_reason(array: np.ndarray, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        as_bgr(array)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_lossless_files_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    cv2.imwrite(str(path), COLOUR)
    assert (load_image(path) == COLOUR).all()


def _jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def _png() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    return cv2.imencode(".png", noise)[1].tobytes()


def _huge_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (_jpeg()[:3000], "cut short"),
        (_jpeg()[:-2], "cut short"),
        (_jpeg()[:40], "cut short"),
        (_png()[:3000], "cut short"),
        (b"external_id,plate\n1,B-NO 1234\n", "no picture"),
        (b"\x00" * 5000, "no picture"),
        (_huge_png(), "megapixels"),
    ],
)
def test_damaged_files_name_the_file_and_the_fix(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "car.jpg"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=says) as caught:
        load_image(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.jpg: no such file"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(MediaError, match="folder"):
        load_image(tmp_path)


def test_whole_jpeg_with_something_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(_jpeg() + b"\x00" * 100_000)
    assert load_image(path).shape == (120, 160, 3)
