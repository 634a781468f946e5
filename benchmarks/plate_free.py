"""A thousand pictures without a plate: how often is something read, and how often would a gate act on it?

Limit: at most one acted on. `python -m benchmarks.plate_free COUNT` shows fewer.

Noise, soft noise, plain colours, and made scenes of lettering, signs, bars, wheels and clutter, from a seed.
"""

import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np

from benchmarks._report import Bar, Report, finish
from recognition.frame import Image
from recognition.recognizer import Recognizer
from recognition.training.scenes import StreetFrame, make_scene, noise_bank

PICTURES = 1000
ACCEPTED_MAX = 1
SEED = 77
SCENE_PX = 480
SCENES_PER_SIDE = 2
"""A picture shows so many scenes side by side and below one another: in large ones the finer search looks too."""


def pictures(count: int) -> Iterator[tuple[str, Image]]:
    """Kind and (H, W, 3) uint8 BGR."""
    rng, bank = np.random.default_rng(SEED), noise_bank()
    for number in range(count):
        kind = ("noise", "soft noise", "plain", "dark scene", "bright scene")[number % 5]
        if kind == "plain":
            yield kind, np.full((360, 480, 3), int(rng.integers(0, 256)), np.uint8)
        elif kind.endswith("noise"):
            noise = rng.integers(0, 256, (360, 480, 3), np.uint8)
            soft = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(1, 8)))
            yield kind, noise if kind == "noise" else np.asarray(cv2.normalize(soft, None, 0, 255, cv2.NORM_MINMAX))
        else:
            scenes = [_scene(rng, bank, dark=kind.startswith("dark")) for _ in range(SCENES_PER_SIDE**2)]
            rows = [np.hstack(scenes[at : at + SCENES_PER_SIDE]) for at in range(0, len(scenes), SCENES_PER_SIDE)]
            yield kind, np.ascontiguousarray(np.vstack(rows))


def _scene(rng: np.random.Generator, bank: np.ndarray, dark: bool) -> Image:
    tiny = rng.integers(20 if dark else 0, 90 if dark else 256, (18, 32, 3), np.uint8)
    ground = np.asarray(cv2.resize(tiny, (1280, 720), interpolation=cv2.INTER_CUBIC), np.uint8)
    street = [StreetFrame(ground, ground[::2, ::2].copy(), ())]
    while True:
        made = make_scene(street, lambda _: np.zeros((110, 520, 3), np.uint8), SCENE_PX, rng, bank)
        if not made.quads:
            return np.ascontiguousarray(made.image)


def main() -> int:
    """Print one line a kind; 1 if more was acted on than the limit."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    recognizer = Recognizer()
    table: dict[str, list[int]] = {}
    begin_s = time.process_time()
    for kind, image in pictures(count):
        row = table.setdefault(kind, [0, 0, 0])
        reads = recognizer.read(image)
        row[0] += 1
        row[1] += bool(reads)
        row[2] += any(read.accepted for read in reads)
    took_s = round(time.process_time() - begin_s)
    names = ("pictures", "something read", "accepted")
    invented = sum(accepted for _, _, accepted in table.values())
    return finish(
        Report(
            "plate_free",
            [Bar("pictures without a plate of which one was accepted", invented, ACCEPTED_MAX)],
            {kind: dict(zip(names, row, strict=True)) for kind, row in table.items()} | {"processor_s": took_s},
            [
                f"{kind}: something was read in {some} of {shown}"
                for kind, (shown, some, _) in table.items()
                if some
            ],
        )
    )


if __name__ == "__main__":
    sys.exit(main())
