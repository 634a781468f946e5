"""What mounting, light, lens, sensor and a not quite right corner finder make of a clean drawn plate.

`surround` puts the plate into a frame on a car; `photograph` takes one small picture of that and cuts the plate out
again as the reader will get it. Nothing is learnt from real pictures; the ranges are set wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.training.glyphs import Image
from recognition.training.marks import small_text

Pixels = NDArray[np.float32]
BENT_SHARE = 0.3
STEEP_SHARE = 0.35
LEVELLED_SHARE = 0.12
GLARE_SHARE = 0.1
SHADED_SHARE = 0.08
COVERED_SHARE = 0.3  # of those that something above shades: it also hides the upper edge
LOWERED_SHARE = 0.5  # of those: the corner finder takes the shadow for what is above the plate
Quad = NDArray[np.float32]  # (4, 2): upper left, upper right, lower right, lower left


@dataclass(eq=False)
class Scene:
    """A plate on a car, seen straight on, and the plate's corners in it."""

    image: Image
    corners: Quad
    _half: Scene | None = None

    def half(self) -> Scene:
        """The scene averaged down to half: a warp only samples, and small plates would shimmer as in no lens."""
        if self._half is None:
            height, width = self.image.shape[:2]
            small = cv2.resize(self.image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            self._half = Scene(np.asarray(small), (self.corners / 2).astype(np.float32))
        return self._half


def surround(plate: Image, rng: np.random.Generator, backgrounds: Sequence[Image] = ()) -> Scene:
    """PLATE in (mostly) a frame, on paint, plastic or a piece of street."""
    height, width = plate.shape[:2]
    pad_x, pad_y = round(0.16 * width), round(0.45 * height)
    size = (height + 2 * pad_y, width + 2 * pad_x)
    if len(backgrounds) and rng.random() < 0.4:
        patch = backgrounds[int(rng.integers(len(backgrounds)))]
        canvas = np.asarray(cv2.resize(patch, (size[1], size[0])), np.uint8)
    else:
        canvas = _paint(size, rng)
    if rng.random() < 0.65:
        _frame(canvas, (pad_x, pad_y, width, height), rng)
    elif rng.random() < 0.6:
        cv2.rectangle(canvas, (pad_x, pad_y), (pad_x + width, pad_y + height + 6), (15, 15, 15), 8)
    canvas[pad_y : pad_y + height, pad_x : pad_x + width] = plate
    right, bottom = pad_x + width, pad_y + height
    corners = [[pad_x, pad_y], [right, pad_y], [right, bottom], [pad_x, bottom]]
    if rng.random() < BENT_SHARE:
        canvas = _bent(canvas, (pad_x + width / 2, width / 2), rng.normal(0, 0.05) * height)
    return Scene(canvas, np.array(corners, np.float32))


def bare(rng: np.random.Generator, backgrounds: Sequence[Image] = ()) -> Scene:
    """A scene where a detector might see a plate though there is none."""
    plate = np.zeros((110, 520, 3), np.uint8)
    scene = surround(plate, rng, backgrounds)
    if len(backgrounds):
        patch = backgrounds[int(rng.integers(len(backgrounds)))]
        scene.image = np.asarray(cv2.resize(patch, scene.image.shape[1::-1]), np.uint8)
    else:
        scene.image = _paint((scene.image.shape[0], scene.image.shape[1]), rng)
    return scene


def _paint(size: tuple[int, int], rng: np.random.Generator) -> Image:
    base = rng.uniform(5, 235) + rng.normal(0, 18, 3) * (rng.random() < 0.6)
    corners = np.clip(base + rng.normal(0, 22, (2, 3, 1)) + rng.normal(0, 4, (2, 3, 3)), 0, 255).astype(np.float32)
    canvas = np.asarray(cv2.resize(corners, (size[1], size[0])), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        y, thick = int(rng.integers(0, size[0])), int(rng.integers(2, 20))
        canvas[y : y + thick] *= rng.uniform(0.4, 1.5)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _bent(canvas: Image, middle_and_half: tuple[float, float], rise_px: float) -> Image:
    """The plate follows a rounded bumper: its middle stands RISE_PX above its ends."""
    height, width = canvas.shape[:2]
    across = (np.arange(width, dtype=np.float32) - middle_and_half[0]) / middle_and_half[1]
    lift = np.float32(rise_px) * (np.minimum(across**2, 1.5) - np.float32(0.5))
    rows = np.arange(height, dtype=np.float32)[:, None] - lift[None]
    columns = np.broadcast_to(np.arange(width, dtype=np.float32), (height, width))
    return np.asarray(cv2.remap(canvas, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _frame(canvas: Image, box: tuple[int, int, int, int], rng: np.random.Generator) -> None:
    x, y, width, height = box
    side, lower = int(rng.integers(2, 12)), int(rng.integers(4, 24))
    shade = int(rng.choice([10, 20, 35, 60, 180, 225]))
    colour = (shade, shade, shade)
    cv2.rectangle(canvas, (x - side, y - side), (x + width + side, y + height + lower), colour, -1)
    if lower > 10 and rng.random() < 0.8:
        count = int(rng.integers(5, 26))
        text = "".join(" " if rng.random() < 0.12 else chr(65 + int(code)) for code in rng.integers(0, 26, count))
        ink = (235, 235, 235) if shade < 100 else (30, 30, 30)
        small_text(canvas, text, (x + width / 2, y + height + lower / 2), lower * rng.uniform(0.45, 0.75), ink)


@dataclass(frozen=True, slots=True)
class Camera:
    """Ranges of one family of views; `hardness` scales every fault, 1 is the training's average."""

    hardness: float = 1.0
    width_px: tuple[float, float] = (42.0, 260.0)
    upright_cut: float = 0.06  # share cut out along the picture's axes instead of by the corners
    loose_cut: float = 0.08  # share cut out much too wide


def photograph(
    scene: Scene, rng: np.random.Generator, size: tuple[int, int], camera: Camera | None = None
) -> Image:
    """One (H, W, 3) BGR cut of SIZE (width, height), after perspective, camera faults and a rough rectification."""
    view = camera or Camera()
    # Most pictures are good ones: fine differences between letters are learnt from them, doubt from the others.
    view = replace(view, hardness=view.hardness * rng.uniform(0.25, 1.2))
    quad, frame = _pose(scene, rng, view)
    shrink = float(np.hypot(*(quad[1] - quad[0])) / np.hypot(*(scene.corners[1] - scene.corners[0])))
    source = scene.half() if shrink < 0.6 else scene
    source = source.half() if shrink < 0.28 else source
    image, lowered = _overhung(source, rng) if rng.random() < SHADED_SHARE else (source.image, 0.0)
    matrix = cv2.getPerspectiveTransform(source.corners, quad)
    seen = cv2.warpPerspective(image, matrix, frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    taken = _expose(np.asarray(seen, np.float32), rng, view.hardness, shrink * 520)
    taken_for = quad + lowered * np.array([quad[3] - quad[0], quad[2] - quad[1], (0, 0), (0, 0)], np.float32)
    cut = _found_corners(np.asarray(taken_for, np.float32), rng, view)
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    back = cv2.getPerspectiveTransform(cut, target)
    return np.asarray(
        cv2.warpPerspective(taken, back, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def _overhung(scene: Scene, rng: np.random.Generator) -> tuple[Image, float]:
    """The scene with the shadow of a bumper or a lamp on the plate's upper part, or its edge hidden by that.

    Second, the share of the plate's height that a corner finder leaves out for it.
    """
    high, wide = scene.image.shape[:2]
    top, down = float(scene.corners[0, 1]), float(scene.corners[3, 1] - scene.corners[0, 1])
    covered = rng.random() < COVERED_SHARE
    depth = float(rng.uniform(0.0, 0.16) if covered else rng.uniform(0.06, 0.5))
    across = np.linspace(-0.5, 0.5, wide, dtype=np.float32)[None]
    edge = top + down * (np.float32(depth) + np.float32(rng.normal(0, 0.06)) * across)
    soft = down * float(np.exp(rng.uniform(np.log(0.02), np.log(0.06 if covered else 0.4))))
    lit = np.clip((np.arange(high, dtype=np.float32)[:, None] - edge) / np.float32(soft) + 0.5, 0, 1)[..., None]
    dark = 0.0 if covered else float(rng.uniform(0.08, 0.65))
    colour = float(rng.uniform(0, 60) if rng.random() < 0.7 else rng.uniform(60, 240)) if covered else 0.0
    shaded = scene.image * (dark + (1 - dark) * lit) + np.float32(colour) * (1 - lit)
    lowered = float(rng.uniform(0.0, min(depth, 0.22))) if rng.random() < LOWERED_SHARE else 0.0
    return np.clip(shaded, 0, 255).astype(np.uint8), lowered


def _pose(scene: Scene, rng: np.random.Generator, view: Camera) -> tuple[Quad, tuple[int, int]]:
    """The plate's corners in the camera's picture, and that picture's size."""
    wide = float(np.exp(rng.uniform(np.log(view.width_px[0]), np.log(view.width_px[1]))))
    span = scene.corners[2] - scene.corners[0]
    tall = wide * float(span[1] / span[0]) * float(np.exp(rng.normal(0.0, 0.06)))
    yaw = float(np.clip(rng.normal(0, 0.35), -1.0, 1.0))
    wide *= float(np.cos(yaw * 0.9))
    left, right = 1 + 0.12 * yaw, 1 - 0.12 * yaw
    roll = float(np.clip(rng.normal(0, 0.07), -0.3, 0.3)) * view.hardness
    # Seen from the side and from above, a plate's long edges climb while its ends stay upright.
    slope = float(rng.normal(0, 0.16)) if rng.random() < STEEP_SHARE else 0.0
    shear = float(rng.normal(0, 0.08)) * view.hardness + 0.12 * yaw * float(rng.normal())
    corners = (
        np.array([[-wide, -tall * left], [wide, -tall * right], [wide, tall * right], [-wide, tall * left]]) / 2
    )
    corners[:, 0] += shear * corners[:, 1]
    corners[:, 1] += slope * corners[:, 0]
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    corners = corners @ turn.T + rng.normal(0, 0.012, (4, 2)) * (wide, tall)
    low, high = corners.min(0), corners.max(0)
    margin = np.array([0.1 * wide + 3, 0.3 * tall + 3])
    frame = np.ceil(high - low + 2 * margin).astype(int)
    return (corners - low + margin + rng.random(2)).astype(np.float32), (int(frame[0]) + 1, int(frame[1]) + 1)


def _found_corners(quad: Quad, rng: np.random.Generator, view: Camera) -> Quad:
    """The corners a detector would say: moved, widened, without the slant, or the upright box around them."""
    if rng.random() < view.upright_cut:
        low, high = quad.min(0), quad.max(0)
        grow = (high - low) * rng.uniform(-0.01, 0.06)
        low, high = low - grow, high + grow
        quad = np.asarray([low, (high[0], low[1]), high, (low[0], high[1])], np.float32)
    elif rng.random() < LEVELLED_SHARE:
        kept = float(rng.uniform(0.0, 0.8))
        quad = np.asarray(kept * quad + (1 - kept) * _levelled(quad), np.float32)
    across = float(np.hypot(*(quad[1] - quad[0])))
    down = float(np.hypot(*(quad[3] - quad[0])))
    axis_x, axis_y = (quad[1] - quad[0]) / across, (quad[3] - quad[0]) / down
    grow_x, grow_y = rng.uniform(-0.02, 0.06), rng.uniform(-0.05, 0.16)
    if rng.random() < view.loose_cut:
        grow_x, grow_y = rng.uniform(0.0, 0.4), rng.uniform(0.0, 0.8)
    local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (0.5 * grow_x * across, 0.5 * grow_y * down)
    wander = np.clip(rng.normal(0, 1, (4, 2)), -2.2, 2.2) * view.hardness * rng.random()
    local = local + wander * (0.03 * across, 0.07 * down)
    local = local + rng.normal(0, 1, 2) * (0.008 * across, 0.02 * down) * view.hardness
    # Detectors are worst at how far the plate leans: one edge slides along the other.
    lean = rng.normal(0, 1, 2) * (0.12 * down, 0.08 * down) * view.hardness * (rng.random() ** 2 + 0.2)
    local = local + np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * lean
    moved = quad + local[:, :1] * axis_x + local[:, 1:] * axis_y
    return np.asarray(moved, np.float32)


def _levelled(quad: Quad) -> Quad:
    """The rectangle along the plate's long axis that a detector says when it does not see the slant."""
    along = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
    down = (quad[2] + quad[3] - quad[0] - quad[1]) / 2
    across = np.array([-along[1], along[0]]) / float(np.hypot(*along))
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    return np.asarray(
        quad.mean(0) + signs[:, :1] * along + signs[:, 1:] * across * float(down @ across), np.float32
    )


_NOISE = np.random.default_rng(7).standard_normal((384, 512, 3), np.float32)


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Pixels:
    """A piece of a fixed noise field: drawing fresh normals costs more than all the rest."""
    height, width = min(shape[0], 320), min(shape[1], 420)
    y, x = int(rng.integers(0, 384 - height + 1)), int(rng.integers(0, 512 - width + 1))
    piece: Pixels = _NOISE[y : y + height, x : x + width, :: (1 if rng.random() < 0.5 else -1)]
    if piece.shape != shape:
        resized = cv2.resize(piece, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
        return np.asarray(resized, np.float32)
    return piece


def _expose(image: Pixels, rng: np.random.Generator, hardness: float, plate_px: float) -> Image:
    """Light, blur, noise, sharpening and compression, in the order they happen."""
    image = _light(image, rng, hardness)
    image = _blur(image, rng, hardness, plate_px)
    image = _sensor(image, rng, hardness)
    if rng.random() < 0.3 * hardness:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.7, 1.6))
        image = image + (image - soft) * rng.uniform(0.4, 2.2)
    taken = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.75:
        quality = int(np.clip(rng.normal(70, 20), 18, 97))
        done, data = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            taken = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return taken


def _light(image: Pixels, rng: np.random.Generator, hardness: float) -> Pixels:
    height, width = image.shape[:2]
    if rng.random() < 0.4 * hardness:
        # A shadow's edge, straight and more or less soft.
        angle, offset = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25)
        across = (np.arange(width, dtype=np.float32) / width - 0.5) * np.float32(np.cos(angle))
        down = (np.arange(height, dtype=np.float32) / height - 0.5) * np.float32(np.sin(angle))
        side = np.clip((across[None] + down[:, None] - offset) / rng.uniform(0.01, 0.6) + 0.5, 0, 1)
        image = image * (1 - np.float32(rng.uniform(0.15, 0.7)) * side)[..., None]
    if rng.random() < 0.12 * hardness:
        at = rng.uniform(0, 1, 2) * (width, height)
        radius = rng.uniform(0.1, 0.5) * width
        far = ((np.arange(width) - at[0]) ** 2)[None] + ((np.arange(height) - at[1]) ** 2)[:, None]
        image = image + (rng.uniform(30, 150) * np.exp(-far / radius**2)).astype(np.float32)[..., None]
    if rng.random() < GLARE_SHARE * hardness:
        image = _glare(image, rng)
    gamma = float(np.exp(rng.normal(0, 0.3) * hardness))
    gain = float(np.exp(min(rng.normal(-0.28, 0.4), 0.35)))
    veil = float(rng.uniform(0, 35)) * (rng.random() < 0.4)
    if rng.random() < 0.1:
        gain *= float(rng.uniform(0.2, 0.6))
    image = np.power(np.clip(image, 0, 255) / 255, gamma, dtype=np.float32) * np.float32(255 * gain)
    cast = np.exp(rng.normal(0, 0.09, 3)).astype(np.float32)
    image = image * cast + np.float32(veil)
    grey = float(rng.random()) if rng.random() < 0.3 else 0.0
    grey = 1.0 if rng.random() < 0.08 else grey
    if grey:
        image = image * (1 - grey) + image.mean(2, keepdims=True) * grey
    return np.asarray(image, np.float32)


def _glare(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A bright thing mirrored in the plate: a patch with a sharp edge where the letters are paler and tinted."""
    height, width = image.shape[:2]
    middle = rng.uniform(0.0, 1.0, 2) * (width, height)
    reach = rng.uniform(0.1, 0.6) * width
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
    points = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * reach
    cover = np.zeros((height, width), np.uint8)
    cv2.fillPoly(cover, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA)
    tint = (rng.uniform(10, 110) * np.exp(rng.normal(0, 0.2, 3))).astype(np.float32)
    share = np.asarray(cover.astype(np.float32)[..., None] / 255, np.float32)
    return np.asarray(image * (1 - share * np.float32(rng.uniform(0.0, 0.3))) + share * tint, np.float32)


def _blur(image: Pixels, rng: np.random.Generator, hardness: float, plate_px: float) -> Pixels:
    sigma = float(abs(rng.normal(0, 0.75))) * hardness * float(np.clip(plate_px / 110, 0.6, 2.0))
    if sigma > 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    if rng.random() < 0.25 * hardness:
        length = rng.uniform(1.5, 6.0) * hardness * float(np.clip(plate_px / 130, 0.4, 1.8))
        angle = rng.normal(0, 0.5) if rng.random() < 0.6 else rng.uniform(0, np.pi)
        reach = max(1, int(np.ceil(length / 2)))
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        ends = [np.round((reach + sign * step) * 16).astype(int) for sign in (-1, 1)]
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_AA, 4)
        total = float(kernel.sum())
        if total > 0:
            image = np.asarray(cv2.filter2D(image, -1, kernel / total), np.float32)
    return image


def _sensor(image: Pixels, rng: np.random.Generator, hardness: float) -> Pixels:
    strength = float(rng.exponential(4.5)) * hardness
    if strength > 0.8:
        noise = _noise(image.shape, rng)
        if rng.random() < 0.5:
            noise = noise[..., :1]
        if rng.random() < 0.4:
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.7), np.float32).reshape(*noise.shape[:2], -1) * 1.6
        image = image + noise * np.float32(min(strength, 24.0))
    return image
