"""The world as a gate's camera sees it: `draw` makes a picture of a scene, `MjpegServer` streams pictures.

A plain pinhole camera stands behind the boom and looks at whoever comes. Plates are drawn as the training draws
them and laid into the picture in perspective, so that the real detector and reader have work to do. Deliberately
not here: beauty. Lengths are metres: x along the lane (the boom is at 0), y to the right, z up.
"""

import math
import threading
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.world import Placed, Scene, Vehicle
from recognition.frame import Image
from recognition.training.draw import Freedom, draw_plate

WIDTH_PX: Final = 640
HEIGHT_PX: Final = 480
FOCAL_PX: Final = 1050.0
"""A plate of 520 mm is then 120 pixels wide at the stop line and 23 where a vehicle comes into view."""
CAMERA_M: Final = (2.0, -0.7, 1.6)
LOOKS_AT_M: Final = (-3.5, 0.0, 0.75)
NEAR_M: Final = 0.3

PLATE_HEIGHT_M: Final = 0.48
BOOM_HEIGHT_M: Final = 0.85
BOOM_LENGTH_M: Final = 3.4
POST_Y_M: Final = 1.9
NOISE_SIGMA: Final = 3.0
JPEG_QUALITY: Final = 85
CLIENT_WAIT_S: Final = 1.0

Points = NDArray[np.float64]
Colour = tuple[int, int, int]
_BY_THE_BOOK: Final = Freedom(jitter=0.1, two_line=False, extras=False)


def draw(scene: Scene) -> Image:
    """The scene as (480, 640, 3) uint8 BGR; the same scene gives the same picture."""
    image = _street().copy()
    for placed in sorted(scene.vehicles, key=lambda placed: placed.front_m):
        _vehicle(image, placed)
    _boom(image, scene.raised)
    blurred = cv2.GaussianBlur(image, (0, 0), 0.6)
    noise = _noise()[round(scene.at_s * 1000) % len(_noise())]
    return np.asarray(cv2.addWeighted(blurred, 1.0, noise, 1.0, -128.0), np.uint8)


def _looking() -> Points:
    """Rows: the camera's right, down and forward in the world."""
    forward = np.subtract(LOOKS_AT_M, CAMERA_M)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right = right / np.linalg.norm(right)
    return np.array([right, np.cross(forward, right), forward])


_AXES: Final = _looking()


def _seen(corners: list[tuple[float, float, float]]) -> Points | None:
    """A flat shape's corners in pixels, (N, 2), cut off where it comes too near; None if nothing is left."""
    points = (np.array(corners) - CAMERA_M) @ _AXES.T
    kept: list[Points] = []
    for here, after in zip(points, np.roll(points, -1, axis=0), strict=True):
        if here[2] >= NEAR_M:
            kept.append(here)
        if (here[2] >= NEAR_M) != (after[2] >= NEAR_M):
            kept.append(here + (after - here) * (NEAR_M - here[2]) / (after[2] - here[2]))
    if len(kept) < 3:
        return None
    flat = np.array(kept)
    return np.asarray(flat[:, :2] / flat[:, 2:] * FOCAL_PX + (WIDTH_PX / 2, HEIGHT_PX / 2))


def _fill(image: Image, corners: list[tuple[float, float, float]], colour: Colour) -> None:
    seen = _seen(corners)
    if seen is not None:
        # Four fractional bits, so that edges move smoothly as a vehicle approaches.
        fixed = np.clip(seen * 16, -1e6, 1e6).astype(np.int32)
        cv2.fillConvexPoly(image, fixed, colour, cv2.LINE_AA, 4)


@lru_cache(maxsize=1)
def _street() -> Image:
    """A wood, the verge, the road and its edges."""
    image = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    image[:] = np.linspace(95, 60, HEIGHT_PX)[:, None, None] * np.array([0.75, 1.0, 0.85])
    rng = np.random.default_rng(5)
    grain = rng.normal(0, 6, (HEIGHT_PX // 4, WIDTH_PX // 4)).repeat(4, 0).repeat(4, 1)
    texture = cv2.GaussianBlur(grain, (0, 0), 2)[..., None] * 3
    _fill(image, [(1, -30, 0), (-60, -30, 0), (-60, 30, 0), (1, 30, 0)], (88, 112, 96))
    _fill(image, [(1, -2.2, 0), (-60, -2.2, 0), (-60, 2.2, 0), (1, 2.2, 0)], (92, 92, 94))
    for side in (-2.0, 2.0):
        _fill(image, [(1, side, 0), (-60, side, 0), (-60, side + 0.12, 0), (1, side + 0.12, 0)], (190, 190, 190))
    _fill(image, [(-2.2, -2, 0), (-2.2, 2, 0), (-2.0, 2, 0), (-2.0, -2, 0)], (200, 200, 200))
    return np.asarray(np.clip(image + texture, 0, 255), np.uint8)


@lru_cache(maxsize=1)
def _noise() -> list[Image]:
    rng = np.random.default_rng(6)
    shape = (HEIGHT_PX, WIDTH_PX, 3)
    return [np.clip(rng.normal(128, NOISE_SIGMA, shape), 0, 255).astype(np.uint8) for _ in range(7)]


def _paint(vehicle: Vehicle) -> tuple[Colour, Colour, Colour]:
    """Bright, middle and dark shade of the vehicle's own colour."""
    rng = np.random.default_rng(zlib.crc32(vehicle.plate.encode()))
    base = rng.uniform(50, 190) + rng.normal(0, 25, 3)
    shades = [np.clip(base * light, 10, 245) for light in (1.15, 0.9, 0.6)]
    bright, middle, dark = ((int(b), int(g), int(r)) for b, g, r in shades)
    return bright, middle, dark


def _vehicle(image: Image, placed: Placed) -> None:
    front, rear, half = placed.front_m, placed.rear_m, 0.88
    bright, middle, dark = _paint(placed.vehicle)
    glass, black = (66, 60, 54), (24, 24, 26)
    hood, screen = front - 0.9, front - 1.5
    _fill(image, [(front + 0.1, -half, 0), (front + 0.1, half, 0), (rear, half, 0), (rear, -half, 0)], (50, 50, 52))
    left = [(front, -half, 0.22), (rear, -half, 0.22), (rear, -half, 0.95), (front, -half, 0.78)]
    _fill(image, left, dark)
    _fill(image, [(screen, -0.7, 1.45), (rear, -0.7, 1.4), (rear, -half, 0.95), (hood, -half, 0.9)], glass)
    _fill(image, [(screen, -0.7, 1.45), (screen, 0.7, 1.45), (rear, 0.7, 1.4), (rear, -0.7, 1.4)], middle)
    _fill(image, [(hood, -0.8, 0.9), (hood, 0.8, 0.9), (screen, 0.7, 1.45), (screen, -0.7, 1.45)], glass)
    _fill(image, [(front, -half, 0.78), (front, half, 0.78), (hood, half, 0.92), (hood, -half, 0.92)], bright)
    _fill(image, [(front, -half, 0.22), (front, half, 0.22), (front, half, 0.78), (front, -half, 0.78)], middle)
    for slat in (0.585, 0.635, 0.685):
        _fill(image, [(front, y, slat + z) for y, z in ((-0.5, 0), (0.5, 0), (0.48, 0.022), (-0.48, 0.022))], black)
    for side in (-1, 1):
        lamp = [(0.55, 0.58), (0.82, 0.6), (0.84, 0.72), (0.55, 0.7)]
        _fill(image, [(front, side * y, z) for y, z in lamp], (225, 230, 230))
        _fill(image, [(front, side * y, z) for y, z in ((0.62, 0), (0.86, 0), (0.86, 0.24), (0.62, 0.24))], black)
    _plate(image, placed)


def plate_corners(placed: Placed) -> Points | None:
    """Where a vehicle's plate is in the picture: (4, 2) pixels clockwise from its top left; None if too near."""
    seen = _seen(_rim(placed, _art(placed.vehicle.groups, placed.vehicle.country), 0.0))
    return seen if seen is not None and len(seen) == 4 else None


def _rim(placed: Placed, art: Image, wider_m: float) -> list[tuple[float, float, float]]:
    """The plate's corners in the world, with a margin."""
    wide, high = art.shape[1] / 2000 + wider_m, art.shape[0] / 2000 + wider_m
    where = [(-wide, high), (wide, high), (wide, -high), (-wide, -high)]
    return [(placed.front_m, y, PLATE_HEIGHT_M + z) for y, z in where]


def _plate(image: Image, placed: Placed) -> None:
    """Lay the drawn plate (one pixel a millimetre) onto the front in perspective."""
    art = _art(placed.vehicle.groups, placed.vehicle.country)
    _fill(image, _rim(placed, art, 0.015), (20, 20, 22))
    seen = plate_corners(placed)
    if seen is None:
        return
    scale = 1.5 * float(np.linalg.norm(seen[1] - seen[0])) / art.shape[1]
    if scale < 1:  # a warp only samples: shrink by area first, or small plates shimmer as in no lens
        art = np.asarray(cv2.resize(art, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    rows, columns = art.shape[:2]
    corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    warp = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    first = np.clip(np.floor(seen.min(0)).astype(int) - 1, 0, (WIDTH_PX, HEIGHT_PX))
    last = np.clip(np.ceil(seen.max(0)).astype(int) + 2, 0, (WIDTH_PX, HEIGHT_PX))
    size = (int(last[0] - first[0]), int(last[1] - first[1]))
    if min(size) <= 0:
        return
    warp = np.array([[1, 0, -first[0]], [0, 1, -first[1]], [0, 0, 1]], np.float64) @ warp
    laid = cv2.warpPerspective(art, warp, size, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(np.ones((rows, columns), np.float32), warp, size)[..., None]
    under = image[first[1] : last[1], first[0] : last[0]]
    under[:] = (laid * cover + under * (1 - cover)).astype(np.uint8)


@lru_cache(maxsize=64)
def _art(groups: tuple[str, ...], country: str) -> Image:
    rng = np.random.default_rng(zlib.crc32("".join(groups).encode()))
    return np.asarray(draw_plate(groups, country, rng, freedom=_BY_THE_BOOK), np.uint8)


def _boom(image: Image, raised: float) -> None:
    """A post and a striped boom that swings up at it."""
    angle = raised * math.radians(85)
    along, up = -math.cos(angle), math.sin(angle)
    post = [(0.0, POST_Y_M - 0.1, 0.0), (0.0, POST_Y_M + 0.25, 0.0), (0.0, POST_Y_M + 0.25, 1.0)]
    _fill(image, [*post, (0.0, POST_Y_M - 0.1, 1.0)], (40, 120, 215))
    stripes = 10
    for stripe in range(stripes):
        ends = [BOOM_LENGTH_M * (stripe + end) / stripes for end in (0, 1)]
        corners = [
            (0.0, POST_Y_M + along * reach - up * side, BOOM_HEIGHT_M + up * reach + along * side)
            for reach, side in ((ends[0], 0.04), (ends[1], 0.04), (ends[1], -0.04), (ends[0], -0.04))
        ]
        _fill(image, corners, (40, 40, 205) if stripe % 2 else (235, 235, 235))


class MjpegServer:
    """Streams pictures as Motion JPEG over HTTP on 127.0.0.1, as cheap cameras do. A context manager."""

    def __init__(self, picture: Callable[[], Image], fps: float, port: int = 0) -> None:
        """`picture` gives (H, W, 3) uint8 BGR and is called in the viewers' threads, `fps` times a second each."""
        self._picture, self._every_s = picture, 1 / fps
        self._stopping = threading.Event()
        self.stalled = False
        """Set it, and the stream goes silent while the connection stays."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._stream(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The stream's address."""
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        request.connection.settimeout(CLIENT_WAIT_S)
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        due_s = time.perf_counter()
        try:
            while not self._stopping.wait(max(0.0, due_s - time.perf_counter())):
                due_s = max(due_s + self._every_s, time.perf_counter())
                if self.stalled:
                    continue
                good, jpeg = cv2.imencode(".jpg", self._picture(), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                if good:
                    request.wfile.write(head.encode("ascii") + jpeg.tobytes() + b"\r\n")
        except OSError:
            return  # the viewer left
