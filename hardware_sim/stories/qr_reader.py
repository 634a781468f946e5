"""A scanner's eye for a QR code on a page: the drawing is made a picture, and OpenCV reads that."""

import re
from typing import Final

import cv2
import numpy as np

from hardware_sim.simulated_site import StoryFailed

LOOKS: Final = (8, 5, 3, 4, 6, 7, 10)
"""Pixels a module: what the detector misses at one size, it finds at another, as a hand moves a phone."""
_PATH: Final = re.compile(r'<svg[^>]*?class="segno".*?</svg>', re.DOTALL)
_STEP: Final = re.compile(r"([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?")


def scan(html: str) -> str:
    """The text of the one QR code on a page. Raises StoryFailed where there is none that can be read."""
    found = _PATH.search(html)
    if found is None:
        raise StoryFailed("no QR code is on the page")
    modules = _drawn(found.group())
    for reader in (cv2.QRCodeDetector(), cv2.QRCodeDetectorAruco()):
        for px in LOOKS:
            text, _, _ = reader.detectAndDecode(modules.repeat(px, 0).repeat(px, 1))
            if text:
                return text
    raise StoryFailed("the QR code on the page cannot be read")


def _drawn(svg: str) -> np.ndarray:
    """(H, W) uint8, a pixel a module: the dark rows of the drawing, each a stroke one module high, on white."""
    strokes, x, y = [], 0.0, 0.0
    for kind, first, second in _STEP.findall(re.findall(r' d="([^"]+)"', svg)[-1]):
        if kind == "M":
            x, y = float(first), float(second)
        elif kind == "m":
            x, y = x + float(first), y + float(second)
        else:
            strokes.append((int(x), int(y), int(float(first))))
            x += float(first)
    side = max(max(at + length for at, _, length in strokes), max(row for _, row, _ in strokes) + 1) + 4
    picture = np.full((side, side), 255, np.uint8)
    for at, row, length in strokes:
        picture[row, at : at + length] = 0
    return picture
