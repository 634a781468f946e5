"""A picture to look at: one camera frame, or a file, brought to (H, W, 3) uint8 BGR.

Here are the checks that make every later stage free of them. Deliberately not here: cameras and videos (the
daemon's business) and anything that looks for a plate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gate_controller.errors import MediaError

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, blue first, as OpenCV has it."""

PIXELS_MAX = 50_000_000
"""Larger pictures are refused before they are decoded: a few kilobytes of PNG can unpack to gigabytes."""

FILE_SIZE_MAX_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a stream: (H, W, 3) uint8 BGR, seconds on the stream's own clock, running number."""

    image: Image
    at_s: float
    index: int


def as_bgr(array: NDArray[Any]) -> Image:
    """The array as (H, W, 3) uint8 BGR; grey, one-channel, alpha and 16-bit pictures are converted.

    Raises `MediaError` with the reason for anything that is no picture.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise MediaError(f"no picture: shape {array.shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if array.shape[0] < 1 or array.shape[1] < 1:
        raise MediaError(f"empty picture: shape {array.shape}")
    if array.shape[0] * array.shape[1] > PIXELS_MAX:
        raise MediaError(_too_large(array.shape[1], array.shape[0]))
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise MediaError(f"no picture: values of type {array.dtype}; expected uint8 or uint16")
    if array.ndim == 2 or array.shape[2] == 1:
        return _typed(np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2))
    return _typed(np.ascontiguousarray(array[..., :3]))


def load_image(path: Path) -> Image:
    """The picture in a file, upright, as (H, W, 3) uint8 BGR.

    Raises `MediaError` naming the file and the fix when it is missing, empty, cut short, too large or no picture.
    """
    try:
        if path.is_dir():
            raise MediaError(f"{path}: is a folder; name the pictures in it")
        if path.stat().st_size > FILE_SIZE_MAX_BYTES:
            raise MediaError(f"{path}: larger than {FILE_SIZE_MAX_BYTES // 1_000_000} MB; save it smaller")
        data = path.read_bytes()
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not data:
        raise MediaError(f"{path}: is empty; copy it again from its source")
    size = _check_whole(path, data)
    if size is not None and size[0] * size[1] > PIXELS_MAX:
        raise MediaError(f"{path}: {_too_large(*size)}")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise MediaError(f"{path}: no picture that can be decoded; give a JPEG, PNG, BMP, TIFF or WebP file")
    return as_bgr(image)


def _typed(array: NDArray[Any]) -> Image:
    return np.asarray(array, np.uint8)


def _too_large(width: int, height: int) -> str:
    return f"{width}x{height} pixels are more than {PIXELS_MAX // 1_000_000} megapixels; scale it down"


def _check_whole(path: Path, data: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a PNG or JPEG; raises when the file ends before the picture does.

    The decoder itself would fill the missing part with grey and say nothing.
    """
    cut = MediaError(f"{path}: is cut short; copy it again from its source")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        if len(data) < 24 or b"IEND" not in data[-64:]:
            raise cut
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data, cut)
    return None


def _jpeg_size(data: bytes, cut: MediaError) -> tuple[int, int] | None:
    """Walks the segments to the scan; an end marker must follow it (ITU-T T.81, annex B)."""
    at, size = 2, None
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return size  # damaged headers: let the decoder judge
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xDA:
            if data.find(b"\xff\xd9", at) < 0:
                raise cut
            return size
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(data):
            height, width = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (5, 7))
            size = (width, height)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise cut
