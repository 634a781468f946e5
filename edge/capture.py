"""The child process that captures one live camera; started by `camera.LatestFrame`, killed when it hangs.

The first line on standard input names the camera: its address may hold a password, and arguments are public. A
thread reads every frame and keeps the newest. For each further byte the main thread answers with a header and that
frame's pixels, so only frames that are wanted cross the pipe. It ends when its parent does.
"""

import os
import re
import struct
import sys
import threading
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import clock

OPEN_TIMEOUT_MS: Final = 5000
READ_TIMEOUT_MS: Final = 3000
NEW_FRAME_WAIT_S: Final = 0.5

HEADER: Final = struct.Struct("<IId")
"""Height, width, monotonic seconds of capture."""
NO_FRAME: Final = 0

NOT_OPENED: Final = 3
ENDED: Final = 4

# Setting this replaces OpenCV's own preference for TCP, so TCP is named again.
FFMPEG_OPTIONS: Final = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay"


def is_address(spec: str) -> bool:
    """Whether `spec` is a stream's address."""
    return re.match(r"(?i)(rtsps?|https?)://", spec) is not None


def is_usb(spec: str) -> bool:
    """Whether `spec` is the index of a USB camera."""
    return re.fullmatch(r"[0-9]{1,2}", spec) is not None


class _Newest:
    """The newest frame; older ones are gone."""

    def __init__(self) -> None:
        self._fresh = threading.Condition()
        self._image: NDArray[Any] | None = None
        self._at_s = 0.0
        self._count = self._taken = 0

    def put(self, image: NDArray[Any]) -> None:
        with self._fresh:
            self._image, self._at_s = image, clock.now().mono_s
            self._count += 1
            self._fresh.notify()

    def take(self) -> tuple[bytes, bytes | memoryview]:
        """Header and pixels of a frame not taken before; waits for one at most `NEW_FRAME_WAIT_S`."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._count > self._taken, NEW_FRAME_WAIT_S)
            if self._image is None or self._count == self._taken:
                return HEADER.pack(NO_FRAME, 0, 0.0), b""
            self._taken = self._count
            height, width = self._image.shape[:2]
            return HEADER.pack(height, width, self._at_s), np.ascontiguousarray(self._image).data.cast("B")


def _read_all(spec: str, newest: _Newest) -> None:
    if is_usb(spec):
        capture = cv2.VideoCapture(int(spec))
    else:
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", FFMPEG_OPTIONS)
        timeouts = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            OPEN_TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            READ_TIMEOUT_MS,
        ]
        capture = cv2.VideoCapture(spec, cv2.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        os._exit(NOT_OPENED)
    while True:
        good, image = capture.read()
        if not good:
            os._exit(ENDED)
        newest.put(image)


def main() -> None:
    """Capture what the first line names until the parent closes standard input."""
    spec = sys.stdin.buffer.readline().decode().removesuffix("\n")
    newest = _Newest()
    threading.Thread(target=_read_all, args=(spec, newest), daemon=True).start()
    pipe = sys.stdout.buffer
    while sys.stdin.buffer.read(1):
        for part in newest.take():
            pipe.write(part)
        pipe.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
