"""Training pictures for the detector: drawn plates pasted in perspective into real street frames.

A scene is a square crop of a frame at a random scale, with the frame's own plates as boxes, drawn plates whose
corners are exact, and things that are no plates (lettering, time stamps, signs, fences) as traps. Everything
follows from the generator handed in. What is deliberately not here: how a plate looks (`draw.py`) and how a
camera spoils a close crop for the reader (`degrade.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Image = MatLike
Quad = list[tuple[float, float]]
DrawPlate = Callable[[np.random.Generator], Image]

PLATE_WIDTH_MIN_PX = 16.0
"""A narrower plate cannot be read: it is neither wanted nor a mistake, and ignored in training."""

BOX_TRUST = 0.3
"""Weight of the corners of a real box: it says where a plate is, but not how it slants."""

VISIBLE_MIN = 0.75
"""Share of a plate that must be in view to count as one; less than that is ignored in training."""

TEXT_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_PLAIN,
)


@dataclass(frozen=True, slots=True)
class StreetFrame:
    """One real frame, the same at half size, and the boxes (x, y, w, h) of its plates, in pixels of the first."""

    image: Image
    half: Image
    boxes: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A square training picture; `trust` is 1 for exact corners, less for boxes, negative for 'ignore'."""

    image: Image
    quads: list[Quad]
    trust: list[float]


def _box_quad(x: float, y: float, w: float, h: float) -> Quad:
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def _crop(frame: StreetFrame, size: int, rng: np.random.Generator) -> tuple[Image, list[Quad]]:
    """A square of the frame scaled to `size`, with the plates' quads; half the time aimed at a plate."""
    height, width = frame.image.shape[:2]
    side = float(np.exp(rng.uniform(np.log(180), np.log(1250))))
    aimed = frame.boxes and rng.random() < 0.45
    if aimed:
        x, y, w, h = frame.boxes[rng.integers(len(frame.boxes))]
        side = max(side, w * 1.1)
        left = x + w / 2 - side * rng.uniform(0.1, 0.9)
        top = y + h / 2 - side * rng.uniform(0.1, 0.9)
    else:
        left = rng.uniform(-0.1 * side, width - 0.9 * side)
        top = rng.uniform(*sorted((-0.1 * side, height - 0.9 * side)))
    scale = size / side
    turn = float(rng.normal(0, 4)) if rng.random() < 0.5 else 0.0
    turn = turn if rng.random() < 0.8 else float(rng.uniform(-22, 22))
    move = cv2.getRotationMatrix2D((size / 2, size / 2), turn, 1.0)
    full = np.vstack([move, [0, 0, 1]]) @ np.array([[scale, 0, -left * scale], [0, scale, -top * scale], [0, 0, 1]])
    source, shrunk = (frame.half, 0.5) if scale < 0.75 else (frame.image, 1.0)
    if scale < 0.6 * shrunk:  # shrink by area first, or the warp aliases
        source = cv2.resize(source, None, fx=scale / shrunk, fy=scale / shrunk, interpolation=cv2.INTER_AREA)
        shrunk = scale
    from_source = full @ np.diag([1 / shrunk, 1 / shrunk, 1.0])
    border = cv2.BORDER_REFLECT_101 if rng.random() < 0.3 else cv2.BORDER_CONSTANT
    shade = tuple(float(v) for v in rng.integers(0, 256, 3))
    image = cv2.warpPerspective(
        source, from_source, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=shade
    )
    if border == cv2.BORDER_REFLECT_101:  # a mirrored plate would be an unlabelled one
        inside = np.full(source.shape[:2], 255, np.uint8)
        mask = cv2.warpPerspective(inside, from_source, (size, size), flags=cv2.INTER_NEAREST)
        tiny = cv2.resize(image, (size // 16, size // 16), interpolation=cv2.INTER_AREA)
        image[mask == 0] = cv2.resize(tiny, (size, size), interpolation=cv2.INTER_LINEAR)[mask == 0]
    quads = []
    for box in frame.boxes:
        points = np.array(_box_quad(*box), np.float64).reshape(-1, 1, 2)
        moved = cv2.perspectiveTransform(points, full).reshape(-1, 2)
        quads.append([(float(x), float(y)) for x, y in moved])
    return image, quads


def _recolour(image: Image, rng: np.random.Generator) -> Image:
    """Another light and another camera: white balance, saturation, gamma, gain."""
    mix = np.eye(3)
    mean = np.array(cv2.mean(image)[:3]) / 255 + 0.02
    if rng.random() < 0.6:  # the source frames have a strong cast: take it out before adding another
        mix = np.diag((mean.mean() / mean) ** rng.uniform(0.5, 1.0))
    if rng.random() < 0.25:
        keep = float(rng.uniform(0.0, 0.4) if rng.random() < 0.6 else rng.uniform(1, 1.8))
        mix = (np.full((3, 3), (1 - keep) / 3) + keep * np.eye(3)) @ mix
    if rng.random() < 0.6:
        mix = np.diag(rng.uniform(0.8, 1.2, 3)) @ mix
    if rng.random() < 0.5:  # lift dusk to day
        mix *= float(np.clip(rng.uniform(0.25, 0.6) / mean.mean(), 0.5, 4.0))
    gamma = np.exp(rng.normal(0, 0.3))
    curve = np.clip((np.arange(256) / 255) ** gamma * 255, 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.transform(image, mix), curve)


def _place(size: int, aspect: float, rng: np.random.Generator) -> Quad:
    """Where a plate of that width/height lands: turned, foreshortened, in perspective."""
    width = float(np.exp(rng.uniform(np.log(22), np.log(size * 0.95))))
    roll = float(rng.normal(0, 5)) if rng.random() < 0.7 else float(rng.uniform(-32, 32))
    yaw = np.radians(rng.normal(0, 18) if rng.random() < 0.6 else rng.uniform(-58, 58))
    pitch = np.radians(rng.normal(8, 12))
    height = width / aspect
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64)
    corners *= (width / 2, height / 2, 1)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    # The car is turned first, then the camera looks down on it: a plate seen from the side slants, its ends do not.
    turn = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    solid = corners @ turn.T
    depth = width * rng.uniform(3.0, 12.0)
    flat = solid[:, :2] * (depth / (depth + solid[:, 2:]))
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    flat = flat @ np.array([[c, s], [-s, c]])
    flat[:, 1] += flat[:, 0] * (rng.normal(0, 0.18) if rng.random() < 0.5 else 0.0)
    reach = np.abs(flat).max(0)
    margin = 0.7 if rng.random() < 0.08 else 1.05  # now and then partly out of view
    low, high = reach * margin, size - reach * margin
    middle = [rng.uniform(a, b) if a < b else size / 2 for a, b in zip(low, high, strict=True)]
    return [(float(x + middle[0]), float(y + middle[1])) for x, y in flat]


def _paste(image: Image, patch: Image, quad: Quad, rng: np.random.Generator, mask: Image | None = None) -> Image:
    """Warps a patch onto the quad with soft edges, lit like its surroundings give or take."""
    size = image.shape[0]
    points = np.array(quad, np.float32)
    wide = max(np.linalg.norm(points[1] - points[0]), np.linalg.norm(points[2] - points[3]))
    shrink = wide * 1.3 / patch.shape[1]
    if shrink < 0.9:
        flat = (max(8, round(patch.shape[1] * shrink)), max(4, round(patch.shape[0] * shrink)))
        patch = cv2.resize(patch, flat, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, flat, interpolation=cv2.INTER_AREA) if mask is not None else None
    h, w = patch.shape[:2]
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32) - 0.5
    warp = cv2.getPerspectiveTransform(corners, points)
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 3, size)
    if x1 - x0 < 4 or y1 - y0 < 3:
        return image
    warp = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], np.float64) @ warp
    box = (int(x1 - x0), int(y1 - y0))
    alpha = np.full((h, w), 255, np.uint8) if mask is None else mask
    laid = cv2.warpPerspective(patch, warp, box, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(alpha, warp, box, flags=cv2.INTER_LINEAR).astype(np.float32)[..., None] / 255
    under = image[y0:y1, x0:x1].astype(np.float32)
    lit = _light(laid.astype(np.float32), under, rng)
    image[y0:y1, x0:x1] = np.clip(under * (1 - cover) + lit * cover, 0, 255).astype(np.uint8)
    return image


def _light(patch: NDArray[np.float32], under: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The patch under the scene's light: cast and level from around it, a gradient, sometimes a shadow edge."""
    around = under.reshape(-1, 3).mean(0) + 4.0
    level = float(around.mean())
    cast = (around / level) ** np.float32(rng.uniform(0, 0.8))
    goal = np.clip(np.exp(rng.normal(np.log(max(level, 30) * 1.4), 0.5)), 18, 235)
    gain = float(np.clip(goal / (float(patch.mean()) + 1), 0.12, 1.5))
    lit = patch * (gain * cast)
    h, w = patch.shape[:2]
    if rng.random() < 0.5:
        ramp = np.linspace(1 - rng.uniform(0, 0.4), 1, w if rng.random() < 0.5 else h, dtype=np.float32)
        ramp = ramp[:: int(rng.choice([-1, 1]))]
        lit = lit * (ramp[None, :, None] if len(ramp) == w else ramp[:, None, None])
    if rng.random() < 0.15:
        cut = int(rng.integers(0, w))
        tilt = rng.uniform(-0.8, 0.8)
        edge = (np.arange(w)[None, :] - cut + tilt * np.arange(h)[:, None]) > 0
        lit = np.where(edge[..., None], lit * float(rng.uniform(0.35, 0.8)), lit)
    if rng.random() < 0.12:
        lit = lit + float(rng.uniform(10, 60))  # haze or glare
    return np.asarray(lit, np.float32)


def _bumper(image: Image, quad: Quad, rng: np.random.Generator) -> None:
    """A painted panel, a dark recess or a dealer's frame around the plate, as real plates have."""
    points = np.array(quad, np.float32)
    middle = points.mean(0)
    if rng.random() < 0.35:
        grown = middle + (points - middle) * rng.uniform(1.15, 2.2, 2)
        grown += rng.normal(0, 3, (4, 2))
        colour = rng.integers(10, 235, 3) if rng.random() < 0.4 else np.full(3, rng.integers(5, 240))
        layer = image.copy()
        cv2.fillConvexPoly(layer, grown.astype(np.int32), tuple(int(v) for v in colour), cv2.LINE_AA)
        blur = float(rng.uniform(0.3, 2.5))
        image[:] = cv2.addWeighted(image, 0.15, cv2.GaussianBlur(layer, (0, 0), blur), 0.85, 0)
    if rng.random() < 0.35:
        along, down = points[1] - points[0], points[3] - points[0]
        high = float(np.linalg.norm(down))
        thick = high * rng.uniform(0.04, 0.14)
        foot = thick * rng.uniform(1.0, 2.8)
        u, v = along / (np.linalg.norm(along) + 1e-6), down / (high + 1e-6)
        frame = np.array(
            [
                points[0] - u * thick - v * thick,
                points[1] + u * thick - v * thick,
                points[2] + u * thick + v * foot,
                points[3] - u * thick + v * foot,
            ]
        )
        shade = int(rng.integers(5, 70)) if rng.random() < 0.75 else int(rng.integers(90, 220))
        cv2.fillConvexPoly(image, frame.astype(np.int32), (shade, shade, shade), cv2.LINE_AA)
        if foot > 4 and rng.random() < 0.7:
            where = points[3] + u * high * 0.3 + v * foot * 0.9
            bright = 255 - shade
            cv2.putText(image, _words(rng, 8, 22), (int(where[0]), int(where[1])), FONTS[rng.integers(5)],
                        foot / 30, (bright, bright, bright), 1, cv2.LINE_AA)  # fmt: skip


def _words(rng: np.random.Generator, low: int, high: int) -> str:
    return "".join(TEXT_CHARS[i] if i < 36 else " " for i in rng.integers(0, 40, rng.integers(low, high)))


def _lettering(image: Image, rng: np.random.Generator) -> None:
    """Text that is no plate: van lettering, badges, time stamps, watermarks; never on its own plate-like panel."""
    size = image.shape[0]
    for _ in range(int(rng.integers(1, 5))):
        text = _words(rng, 2, 18)
        if rng.random() < 0.4:
            text = f"{rng.integers(2000, 2030)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} "
            text += f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}:{rng.integers(0, 60):02d}"
        scale = float(np.exp(rng.uniform(np.log(0.3), np.log(2.2))))
        where = (int(rng.uniform(-0.1, 0.8) * size), int(rng.uniform(0.03, 1.0) * size))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        if rng.random() < 0.6:
            colour = (255, 255, 255) if rng.random() < 0.6 else (20, 20, 20)
        font = FONTS[rng.integers(5)]
        thick = max(1, int(scale * rng.uniform(1, 3.5)))
        if rng.random() < 0.3:
            cv2.putText(image, text, where, font, scale, (0, 0, 0), thick + 2, cv2.LINE_AA)
        cv2.putText(image, text, where, font, scale, colour, thick, cv2.LINE_AA)


def _sign(image: Image, rng: np.random.Generator) -> None:
    """Panels that are no plates: blank ones, boards of many lines, lamps, stickers."""
    high = float(np.exp(rng.uniform(np.log(10), np.log(110))))
    lines = int(rng.integers(0, 6))
    wide = high * (rng.uniform(0.6, 1.4) if lines > 2 else rng.uniform(0.8, 5.5))
    if lines in (1, 2):
        lines = 0  # one or two lines on a panel would be a plate
    panel = np.empty((max(8, int(high)), max(8, int(wide)), 3), np.uint8)
    panel[:] = rng.integers(0, 256, 3)
    if rng.random() < 0.5:
        panel[:] = rng.integers(150, 256)
    ink = tuple(int(255 - v) for v in panel[0, 0])
    if rng.random() < 0.6:
        cv2.rectangle(panel, (0, 0), (panel.shape[1] - 1, panel.shape[0] - 1), ink, max(1, int(high / 20)))
    for line in range(lines):
        y = int((line + 0.8) * high / lines)
        cv2.putText(panel, _words(rng, 3, 14), (int(high * 0.05), y), FONTS[rng.integers(5)],
                    high / lines / 36, ink, max(1, int(high / lines / 14)), cv2.LINE_AA)  # fmt: skip
    quad = _place(image.shape[0], wide / high, rng)
    _paste(image, panel, quad, rng)


def _bars(image: Image, rng: np.random.Generator) -> None:
    """Fences, grilles, kerb stones and zebra stripes: the commonest things taken for plates."""
    size = image.shape[0]
    high, wide = rng.uniform(0.03, 0.5) * size, rng.uniform(0.1, 0.8) * size
    pitch = float(np.exp(rng.uniform(np.log(3), np.log(24))))
    panel = np.empty((int(high) + 6, int(wide) + 6, 3), np.uint8)
    dark, light = sorted(int(v) for v in rng.integers(0, 256, 2))
    axis = np.arange(panel.shape[1])[None, :] if rng.random() < 0.7 else np.arange(panel.shape[0])[:, None]
    wave = ((axis / pitch) % 1.0) < rng.uniform(0.2, 0.8)
    panel[:] = np.where(np.broadcast_to(wave, panel.shape[:2]), light, dark)[..., None]
    if rng.random() < 0.4:
        other = np.arange(panel.shape[0])[:, None] if axis.shape[0] == 1 else np.arange(panel.shape[1])[None, :]
        cross = ((other / (pitch * rng.uniform(1, 3))) % 1.0) < 0.25
        panel[np.broadcast_to(cross, panel.shape[:2])] = dark
    mask = None
    if rng.random() < 0.3:
        mask = np.zeros(panel.shape[:2], np.uint8)
        mask[np.broadcast_to(wave, mask.shape)] = 255
    _paste(image, panel, _place(size, wide / high, rng), rng, mask)


def _clutter(image: Image, rng: np.random.Generator) -> None:
    """Overlapping flat shapes of all sizes, many with an edge or stripes: windows, lamps, foliage, walls.

    Shapes that hide one another have the edge statistics of photographs (Lee, Mumford and Huang 2001), which
    the dusk of the street frames lacks.
    """
    size = image.shape[0]
    busy = int(rng.integers(10, 120))
    shades = rng.integers(0, 256, (busy, 3))
    if rng.random() < 0.6:  # mostly grey, as streets are
        shades = np.clip(shades.mean(1, keepdims=True) + rng.normal(0, 12, (busy, 3)), 0, 255).astype(int)
    for shade in shades:
        reach = float(np.exp(rng.uniform(np.log(4), np.log(size * 0.35))))
        x, y = rng.uniform(0, size, 2)
        colour = tuple(int(v) for v in shade)
        edge = tuple(int(v) for v in np.clip(shade + rng.integers(-120, 121), 0, 255))
        kind = rng.random()
        if kind < 0.35:
            axes = (max(1, int(reach)), max(1, int(reach * rng.uniform(0.25, 1))))
            at, turn = (int(x), int(y)), float(rng.uniform(0, 180))
            cv2.ellipse(image, at, axes, turn, 0, 360, colour, -1, cv2.LINE_AA)
            if rng.random() < 0.5:
                cv2.ellipse(image, at, axes, turn, 0, 360, edge, max(1, int(reach / 8)), cv2.LINE_AA)
            continue
        count = 4 if kind < 0.75 else int(rng.integers(3, 8))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count)) if kind > 0.55 else np.array([0.4, 2.7, 3.6, 5.9])
        stretch = np.array([1.0, rng.uniform(0.2, 1.0)])
        points = np.stack([np.cos(angles), np.sin(angles)], 1) * reach * stretch + (x, y)
        cv2.fillPoly(image, [points.astype(np.int32)], colour, cv2.LINE_AA)
        if rng.random() < 0.5:
            cv2.polylines(image, [points.astype(np.int32)], True, edge, max(1, int(reach / 12)), cv2.LINE_AA)


def _wheel(image: Image, rng: np.random.Generator) -> None:
    """A rim with spokes in a dark tyre, or a lamp behind glass."""
    size = image.shape[0]
    reach = float(np.exp(rng.uniform(np.log(8), np.log(size * 0.3))))
    x, y = (int(v) for v in rng.uniform(0, size, 2))
    flat = float(rng.uniform(0.4, 1.0))
    for share, low, high in ((1.0, 5, 50), (0.7, 90, 230), (0.62, 10, 120)):
        grey = int(rng.integers(low, high))
        axes = (int(reach * share * flat), int(reach * share))
        cv2.ellipse(image, (x, y), axes, 0, 0, 360, (grey, grey, grey), -1, cv2.LINE_AA)
    grey = int(rng.integers(100, 240))
    for angle in np.arange(0, 2 * np.pi, 2 * np.pi / int(rng.integers(4, 14))) + rng.uniform(0, 3):
        end = (int(x + np.cos(angle) * reach * 0.68 * flat), int(y + np.sin(angle) * reach * 0.68))
        cv2.line(image, (x, y), end, (grey, grey, grey), max(1, int(reach / 12)), cv2.LINE_AA)


def _camera(image: Image, rng: np.random.Generator, noise: NDArray[np.float32]) -> Image:
    """What a cheap camera does last: blur, motion, noise, JPEG, sharpening."""
    if rng.random() < 0.35:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.6)))
    if rng.random() < 0.12:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0)
        image = cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1.0))
    if rng.random() < 0.5:
        size = image.shape[0]
        y, x = rng.integers(0, noise.shape[0] - size, 2)
        grain = noise[y : y + size, x : x + size]
        if rng.random() < 0.4:
            grain = grain[..., :1]
        image = np.clip(image + grain * float(np.exp(rng.uniform(0.5, 2.9))), 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = cv2.addWeighted(image, 2.0, soft, -1.0, 0)
    if rng.random() < 0.4:
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))])
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert decoded is not None
        image = decoded
    return image


def _visible(quad: Quad, size: int) -> float:
    points = np.array(quad, np.float32)
    whole = cv2.contourArea(points)
    edge = np.array([(0, 0), (size, 0), (size, size), (0, size)], np.float32)
    shown, _ = cv2.intersectConvexConvex(points, edge)
    return float(shown / whole) if whole > 0 else 0.0


def noise_bank(seed: int = 7) -> NDArray[np.float32]:
    """(512, 512, 3) float32 unit noise, drawn once because drawing it per picture costs more than all the rest."""
    return np.random.default_rng(seed).standard_normal((512, 512, 3)).astype(np.float32)


def make_scene(
    frames: Sequence[StreetFrame], draw: DrawPlate, size: int, rng: np.random.Generator, noise: NDArray[np.float32]
) -> Scene:
    """One (size, size, 3) uint8 BGR training picture with its plates."""
    image, real = _crop(frames[int(rng.integers(len(frames)))], size, rng)
    image = _recolour(image, rng)
    quads: list[Quad] = []
    trust: list[float] = []
    clean = image.copy()
    for chance, trap in ((0.2, _clutter), (0.3, _bars), (0.15, _wheel), (0.3, _sign), (0.3, _lettering)):
        while rng.random() < chance:
            trap(image, rng)
    _restore(image, clean, real)
    for quad in real:
        keep = _visible(quad, size) > VISIBLE_MIN and quad[1][0] - quad[0][0] > PLATE_WIDTH_MIN_PX
        quads.append(quad)
        trust.append(BOX_TRUST if keep else -1.0)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.2, 0.35, 0.25, 0.2]))):
        patch = draw(rng)
        quad = _place(size, patch.shape[1] / patch.shape[0], rng)
        box = cv2.boundingRect(np.array(quad, np.float32))
        if any(_near(box, other) for other in quads):
            continue
        _bumper(image, quad, rng)
        image = _paste(image, patch, quad, rng)
        wide = np.hypot(quad[1][0] - quad[0][0], quad[1][1] - quad[0][1])
        quads.append(quad)
        trust.append(1.0 if _visible(quad, size) > VISIBLE_MIN and wide > PLATE_WIDTH_MIN_PX else -1.0)
    return Scene(_camera(image, rng, noise), quads, trust)


def _restore(image: Image, clean: Image, quads: Sequence[Quad]) -> None:
    """Takes the traps away again from the real plates and a little around them."""
    for quad in quads:
        points = np.array(quad)
        pad = 0.6 * float(np.linalg.norm(points[3] - points[0]))
        (left, top), (right, bottom) = (points.min(0) - pad).clip(0), (points.max(0) + pad).clip(0)
        part = (slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1))
        image[part] = clean[part]


def _near(box: Sequence[int], quad: Quad) -> bool:
    x, y, w, h = box
    other = np.array(quad)
    (left, top), (right, bottom) = other.min(0), other.max(0)
    pad = 0.6 * h
    return bool(x - pad < right and left < x + w + pad and y - pad < bottom and top < y + h + pad)
