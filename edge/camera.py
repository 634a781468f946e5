"""Where frames come from: a video file, a folder of pictures, a camera's address, a USB index.

Files are replayed whole, every frame in media time (`open_source`). A live camera gives its newest frame only
(`LatestFrame`): it is captured in a child process (`capture`), because a read in the decoder can hang for ever,
and a child that says nothing for `STALL_S` is killed and started again.
"""

import fcntl
import logging
import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Protocol, Self

import cv2
import numpy as np

from edge import clock
from edge.capture import ENDED, HEADER, NO_FRAME, NOT_OPENED, OPEN_TIMEOUT_MS, READ_TIMEOUT_MS, is_address, is_usb
from edge.lane_table import without_secret
from gate_controller.errors import MediaError
from recognition.frame import Frame, Image, load_image

log = logging.getLogger(__name__)

# The decoder's own messages would stand between our lines, which name the place and the fix. It looks at this once,
# at the first video of the process, so it must be set by then.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
FOLDER_FPS: Final = 10.0
"""Pictures of a folder carry no time; they count as taken so many a second."""

STALL_S: Final = 10.0
RESTART_FIRST_S: Final = 1.0
RESTART_MAX_S: Final = 30.0
PULL_EVERY_S: Final = 0.1
PIPE_BYTES: Final = 1 << 20
"""Linux lets anybody have a pipe this large (pipe(7)); with the usual 64 KiB a picture takes fifteen turns of both
processes, each woken by the other."""

# What a file of each kind begins with. The decoder alone would show a text file as moving letters.
_VIDEO_HEADS: Final = (
    re.compile(rb"RIFF....AVI ", re.DOTALL),
    re.compile(rb"....(ftyp|moov|mdat|wide|free|skip)", re.DOTALL),
    re.compile(rb"\x1aE\xdf\xa3"),  # Matroska, WebM
    re.compile(rb"\x00\x00\x01[\xb3\xba]"),  # MPEG
    re.compile(rb"G.{187}G", re.DOTALL),  # MPEG transport stream
    re.compile(rb"FLV\x01"),
    re.compile(rb"0&\xb2u\x8ef\xcf\x11"),  # ASF
    re.compile(rb"OggS"),
    re.compile(rb"\x00\x00(\x00)?\x01"),  # bare H.264 and H.265
    re.compile(rb"\xff\xd8\xff"),  # bare Motion JPEG
)


class Source(Protocol):
    """Frames that come one after the other and end."""

    def frames(self) -> Iterator[Frame]:
        """Every frame from the first, in media time. Raises `MediaError` where the material is broken."""

    def close(self) -> None:
        """Let go of files; nothing can be read afterwards."""


def is_live(spec: str) -> bool:
    """Whether `spec` names a camera (an address or a USB index) rather than a file or folder."""
    return is_address(spec) or is_usb(spec)


def open_source(spec: str) -> Source:
    """Open a video, a picture, a folder of pictures, an address or a USB index to read it frame by frame.

    Raises `MediaError` naming the source and the fix if it is missing, empty, cut short or no such thing.
    """
    if is_live(spec):
        return _Video(spec, _capture(int(spec) if is_usb(spec) else spec, spec))
    path = Path(spec)
    try:
        if path.is_dir():
            return _Pictures(_pictures_in(path))
        if path.suffix.lower() in PICTURE_SUFFIXES:
            return _Pictures([path])
        _check_video(path)
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file or folder; check the path") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    return _Video(spec, _capture(spec, spec))


class _Pictures:
    """A folder's pictures in natural order; the first is loaded at once, so that a bad folder fails early."""

    def __init__(self, paths: list[Path]) -> None:
        load_image(paths[0])
        self._paths = paths

    def frames(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            yield Frame(load_image(path), index / FOLDER_FPS, index)

    def close(self) -> None:
        """Nothing is open."""


class _Video:
    """One capture read to its end, timed by the container."""

    def __init__(self, name: str, capture: cv2.VideoCapture) -> None:
        live = is_live(name)
        self._name, self._capture = without_secret(name) if live else name, capture
        self._expected = 0 if live else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def frames(self) -> Iterator[Frame]:
        index, at_s = 0, 0.0
        while True:
            good, image = self._capture.read()
            if not good or image is None:
                break
            at_s = max(at_s, self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            yield Frame(np.asarray(image, np.uint8), at_s, index)
            index += 1
        if index == 0:
            raise MediaError(f"{self._name}: no frame can be decoded; convert it to MP4 (H.264) or AVI")
        # Containers may be off by a few frames; a tenth missing is a file cut short.
        if index < 0.9 * self._expected:
            raise MediaError(
                f"{self._name}: is cut short after frame {index} of {self._expected}; copy it again from its source"
            )

    def close(self) -> None:
        self._capture.release()


def _capture(target: int | str, name: str) -> cv2.VideoCapture:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if isinstance(target, int):
        capture = cv2.VideoCapture(target)
    else:
        capture = cv2.VideoCapture(
            target,
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS],
        )
    if not capture.isOpened():
        if is_live(name):
            shown = without_secret(name)
            raise MediaError(f"{shown}: the camera does not answer; check address, cable and password")
        raise MediaError(f"{name}: no video that can be decoded; convert it to MP4 (H.264) or AVI")
    return capture


def _pictures_in(folder: Path) -> list[Path]:
    paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    if not paths:
        raise MediaError(f"{folder}: no pictures in this folder; put JPEG or PNG files into it")
    return sorted(paths, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which `frame9` comes before `frame10`."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"([0-9]+)", name)
        if part
    ]


def _check_video(path: Path) -> None:
    """Raise `MediaError` for what is empty, no video, or shorter than it says itself."""
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"{path}: is empty; copy it again from its source")
    with path.open("rb") as file:
        head = file.read(1024)
        if not any(pattern.match(head) for pattern in _VIDEO_HEADS):
            raise MediaError(f"{path}: is no video; give a video, a picture, a folder of pictures or an address")
        if _says_it_is(file, head) > size:
            raise MediaError(f"{path}: is cut short; copy it again from its source")


def _says_it_is(file: IO[bytes], head: bytes) -> int:
    """How many bytes the container itself claims to have; 0 where it does not say."""
    if head.startswith(b"RIFF"):
        return int.from_bytes(head[4:8], "little") + 8
    if head[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return 0
    at = 0
    while True:  # boxes of an MP4 (ISO 14496-12, 4.2): size, name, and a longer size if that is 1
        file.seek(at)
        box = file.read(16)
        if len(box) < 8:
            return at
        length = int.from_bytes(box[:4], "big")
        if length == 1:
            length = int.from_bytes(box[8:16], "big")
        if length < 8:
            return at
        at += length


class LatestFrame:
    """The newest frame of a live camera, whatever the camera does. A context manager; `close` ends the child."""

    def __init__(self, spec: str, on_frame: Callable[[], None] = lambda: None) -> None:
        """`spec` is an address (rtsp, http, https) or a USB index; the camera may be absent for now.

        `on_frame` is called in a thread of this object whenever `newest` has something new.
        """
        self._spec = spec
        self._on_frame = on_frame
        self._frame: Frame | None = None
        self._count = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera {without_secret(spec)}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def newest(self, max_age_s: float = 0.5) -> Frame | None:
        """The newest frame, or None if none is younger than `max_age_s`. Never waits.

        `at_s` is monotonic time; the same frame is given again until a newer one came, so compare `index`.
        """
        self._wanted.set()
        frame = self._frame
        if frame is None or clock.now().mono_s - frame.at_s > max_age_s:
            return None
        return frame

    def close(self) -> None:
        """End the child and the thread."""
        self._closing.set()
        self._wanted.set()
        if self._child is not None:
            self._child.kill()
        self._thread.join()

    def _run(self) -> None:
        pause_s, said = RESTART_FIRST_S, None
        while not self._closing.is_set():
            before = self._frame
            try:
                why = self._watch(gone=said is not None)
            except OSError as error:
                why = f"capturing cannot be started: {error.strerror or error}"
            if self._frame is not before:
                pause_s, said = RESTART_FIRST_S, None
            if said is None and not self._closing.is_set():
                log.warning("camera %s: gone (%s); trying again until it returns", without_secret(self._spec), why)
                said = why
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, RESTART_MAX_S)

    def _watch(self, gone: bool) -> str:
        """One child from start to end; why it ended."""
        root = str(Path(__file__).parents[1])
        with subprocess.Popen(
            [sys.executable, "-m", "edge.capture"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        ) as child:
            self._child = child
            _widen(child)
            stalls_at_s = clock.now().mono_s + STALL_S
            try:
                _tell(child, self._spec)
                while not self._closing.is_set() and clock.now().mono_s < stalls_at_s:
                    pulled = _pull(child)
                    if pulled is not None:
                        stalls_at_s = clock.now().mono_s + STALL_S
                        if gone:
                            log.info("camera %s: back", without_secret(self._spec))
                            gone = False
                        self._count += 1
                        self._frame = Frame(*pulled, self._count)
                        self._on_frame()
                    self._wanted.wait(PULL_EVERY_S)
                    self._wanted.clear()
            except TimeoutError:
                pass
            except (OSError, EOFError):
                return _reason(child.wait())
            finally:
                child.kill()
        return f"no frame for {STALL_S:.0f} s"


def _tell(child: subprocess.Popen[bytes], spec: str) -> None:
    """Name the camera to the child, over its pipe: arguments, and the password in them, are for all to read."""
    assert child.stdin is not None
    child.stdin.write(f"{spec}\n".encode())


def _widen(child: subprocess.Popen[bytes]) -> None:
    """Make room for a picture in the pipe; where the system allows less, it works as it is."""
    assert child.stdout is not None
    with suppress(OSError):
        fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _pull(child: subprocess.Popen[bytes]) -> tuple[Image, float] | None:
    """Ask the child for what is new; None if nothing is. Raises `EOFError` or `OSError` if it ended or hangs."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"?")
    header = bytearray(HEADER.size)
    _fill(memoryview(header), child.stdout)
    height, width, at_s = HEADER.unpack(header)
    if height == NO_FRAME:
        return None
    pixels = np.empty((height, width, 3), np.uint8)
    _fill(pixels.data.cast("B"), child.stdout)
    return pixels, at_s


def _fill(view: memoryview, pipe: IO[bytes]) -> None:
    got = 0
    while got < len(view):
        if not select.select([pipe], [], [], STALL_S)[0]:
            raise TimeoutError
        count = os.readv(pipe.fileno(), [view[got:]])
        if count == 0:
            raise EOFError
        got += count


def _reason(status: int) -> str:
    if status == NOT_OPENED:
        return "it does not answer; check address, cable and password"
    return "its stream ended" if status == ENDED else f"capturing failed with status {status}"
