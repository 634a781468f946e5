"""Measures the reader on labelled pictures: score per country, reliability plot, gallery of failures.

    python -m recognition.training.evaluate LABELS.csv [--out build/evaluation] [--drawn 2000]

LABELS.csv has the columns image (path beside the table), text, country. A text's separators do not count; `A|B` are
two plates. A column `also` may name other plates in view (`AB12?` one seen in part); reads of them are not wrong. A
drawn set in faces never trained on stands beside the pictures in the plot: cut out by the drawing, or with
`--street PATH/TO/street.csv` drawn into its frames, and found and read as pictures are. Deliberately not here: what
a wrong read costs at a gate (`benchmarks/false_opens.py`).
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from recognition.choice import Models, load_recognizer
from recognition.frame import Image, load_image
from recognition.looks import settled_read
from recognition.ocr import Ocr
from recognition.recognizer import LocatedRead, Rejected
from recognition.training.degrade import Camera
from recognition.training.drawn_scenes import read_scenes, scenes
from recognition.training.plates_source import PlateSource, Sources
from recognition.training.train_detector import load_frames, rows_of

EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
"""Bins of confidence: narrow where a gate decides."""

LOOK_ALIKES = str.maketrans("OQI", "001")
DRAWN_SEED = 50_000_017
DRAWN_HARDNESS = 1.2
PLACED_BADLY = (Rejected.AT_BORDER, Rejected.HIDDEN, Rejected.FAINT)
TILE_PX = (320, 150)
SHOWN_HEIGHT_PX = 80
PLOT_PX = 720
AXIS_COLOUR = (60, 60, 60)
SET_COLOURS = ((190, 90, 20), (30, 60, 200))
COLUMNS = 4
LABEL_COLUMNS = ("image", "text", "country")


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, right / count
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    below = 1 + z * z / count
    return max(0.0, (middle - reach) / below), min(1.0, (middle + reach) / below)


def plain(text: str) -> str:
    """Letters and digits alone."""
    return re.sub(r"[^A-Z0-9ÄÖÜ]", "", text.upper())


@dataclass(frozen=True, slots=True)
class Picture:
    """One labelled picture and what was read in it."""

    path: Path
    country: str
    labels: tuple[str, ...]
    reads: tuple[LocatedRead, ...]
    also: tuple[str, ...] = ()

    def names(self, text: str) -> bool:
        """Whether the table names a plate of this text in the picture, in full or in part."""
        seen = (text.startswith(name[:-1]) if name.endswith("?") else text == name for name in self.also)
        return text in self.labels or any(seen)

    @property
    def best(self) -> LocatedRead | None:
        """The read that a label should have been: the right one, else the nearest in length, else the surest."""
        ranked = sorted(self.reads, key=lambda read: (read.read.plate.key not in self.labels, -read.width_px))
        return ranked[0] if ranked else None


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over pictures; `wrong` are accepted texts that no label names: look at each, one may be missing."""

    plates: int
    strict: int
    folded: int
    found: int
    accepted: int
    wrong: int


def score(pictures: Sequence[Picture]) -> Score:
    """Counts; folded takes O, Q and 0, and I and 1, for one."""
    strict = folded = accepted = wrong = 0
    for picture in pictures:
        texts = {read.read.plate.key for read in picture.reads}
        alike = {text.translate(LOOK_ALIKES) for text in texts}
        sure = {read.read.plate.key for read in picture.reads if read.accepted}
        strict += sum(label in texts for label in picture.labels)
        folded += sum(label.translate(LOOK_ALIKES) in alike for label in picture.labels)
        accepted += sum(label in sure for label in picture.labels)
        wrong += sum(not picture.names(text) for text in sure)
    plates = sum(len(picture.labels) for picture in pictures)
    return Score(plates, strict, folded, sum(bool(picture.reads) for picture in pictures), accepted, wrong)


def reliability(pairs: Iterable[tuple[float, bool]]) -> list[tuple[float, int, int]]:
    """A row a bin of `EDGES` that holds any: mean confidence, right ones, all."""
    kept = list(pairs)
    rows = []
    for low, high in pairwise(EDGES):
        held = [(sure, right) for sure, right in kept if low <= sure < high or (high == 1.0 and sure == 1.0)]
        if held:
            rows.append((sum(s for s, _ in held) / len(held), sum(r for _, r in held), len(held)))
    return rows


def draw_reliability(sets: dict[str, list[tuple[float, int, int]]]) -> Image:
    """(720, 720, 3) plot of the share that is right over confidence, both as doubt on a logarithmic scale.

    At most two sets: their points stand side by side, with the counts on their outer sides.
    """
    canvas = np.full((PLOT_PX, PLOT_PX, 3), 255, np.uint8)
    at = _axes(canvas)
    for number, ((name, rows), colour) in enumerate(zip(sets.items(), SET_COLOURS, strict=False)):
        cv2.circle(canvas, (270 + 150 * number, 32), 4, colour, -1, cv2.LINE_AA)
        _write(canvas, name, (280 + 150 * number, 36), colour)
        for sure, right, count in rows:
            x, y = at(sure) + (4 if number else -4), PLOT_PX - at(right / count)
            ends = [PLOT_PX - at(end) for end in wilson(right, count)]
            cv2.line(canvas, (x, ends[0]), (x, ends[1]), colour, 1, cv2.LINE_AA)
            for end in ends:
                cv2.line(canvas, (x - 3, end), (x + 3, end), colour, 1, cv2.LINE_AA)
            cv2.circle(canvas, (x, y), 4, colour, -1, cv2.LINE_AA)
            wide = cv2.getTextSize(str(count), 0, 0.36, 1)[0][0]
            cv2.putText(
                canvas, str(count), (x + 7 if number else x - 7 - wide, y + 4), 0, 0.36, colour, 1, cv2.LINE_AA
            )
    return canvas


def _axes(canvas: Image) -> Callable[[float], int]:
    """Draws frame and ticks; the place of a probability along either axis, from the left or the lower edge."""
    room = PLOT_PX - 140

    def at(probability: float) -> int:
        doubt = max(1.0 - probability, 5e-4)
        return 80 + round(room * (1 - math.log10(doubt / 5e-4) / math.log10(1 / 5e-4)))

    for value in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0):
        x, y = at(value), PLOT_PX - at(value)
        cv2.line(canvas, (x, PLOT_PX - 80), (x, 60), (225, 225, 225), 1)
        cv2.line(canvas, (80, y), (PLOT_PX - 60, y), (225, 225, 225), 1)
        _write(canvas, f"{value:g}", (x - 14, PLOT_PX - 58), AXIS_COLOUR, 0.4)
        _write(canvas, f"{value:g}", (30, y + 4), AXIS_COLOUR, 0.4)
    cv2.line(canvas, (at(0.0), PLOT_PX - at(0.0)), (at(1.0), PLOT_PX - at(1.0)), (150, 150, 150), 1, cv2.LINE_AA)
    cv2.line(canvas, (565, 32), (585, 32), (150, 150, 150), 1, cv2.LINE_AA)
    _write(canvas, "as often as said", (592, 36), AXIS_COLOUR, 0.42)
    _write(canvas, "confidence said", (PLOT_PX // 2 - 40, PLOT_PX - 28), AXIS_COLOUR)
    _write(canvas, "share right (95 % interval)", (20, 36), AXIS_COLOUR)
    return at


def _write(canvas: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float = 0.5) -> None:
    cv2.putText(canvas, text, at, 0, size, colour, 1, cv2.LINE_AA)


def gallery(failures: Sequence[Picture]) -> Image:
    """A tile a failure: the straightened plate, or the picture if none was found; label, read, why not believed."""
    tiles = []
    for picture in failures:
        read = picture.best
        said = f"{read.read.plate.key} {read.read.confidence:.3f}" if read else "nothing found"
        why = read.rejected.value if read and read.rejected else "accepted" if read else ""
        shown = read.crop if read else load_image(picture.path) if picture.path.is_file() else None
        tiles.append(tile(shown, "|".join(picture.labels), said, why))
    return sheet(tiles)


def tile(shown: Image | None, *lines: str) -> Image:
    """A picture, made to fit, and up to three lines below it."""
    canvas = np.full((TILE_PX[1], TILE_PX[0], 3), 30, np.uint8)
    if shown is not None:
        scale = min(TILE_PX[0] / shown.shape[1], SHOWN_HEIGHT_PX / shown.shape[0])
        wide, high = max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale))
        canvas[:high, :wide] = cv2.resize(shown, (wide, high), interpolation=cv2.INTER_AREA)
    for at, text in enumerate(lines):
        _write(canvas, text, (6, 100 + 20 * at), (235, 235, 235))
    return canvas


def sheet(tiles: Sequence[Image]) -> Image:
    """The tiles in rows of `COLUMNS`, filled up with empty ones; one row if there are none."""
    filled = [*tiles, *[tile(None)] * (-len(tiles) % COLUMNS if tiles else COLUMNS)]
    return np.vstack([np.hstack(filled[at : at + COLUMNS]) for at in range(0, len(filled), COLUMNS)])


def read_table(table: Path, models: Models) -> list[Picture]:
    """Every picture of the table, read. Raises what `rows_of`, `load_image`, `load_recognizer` raise."""
    recognizer = load_recognizer(models)
    pictures = []
    for row in rows_of(table, LABEL_COLUMNS):
        path = table.parent / row["image"]
        labels = tuple(plain(text) for text in row["text"].split("|"))
        reads = tuple(recognizer.read(load_image(path)))
        also = [name.strip() for name in (row.get("also") or "").split("|") if name.strip()]
        named = tuple(plain(name) + ("?" if name.endswith("?") else "") for name in also)
        pictures.append(Picture(path, row["country"], labels, reads, named))
    return pictures


def read_drawn(count: int, faces: Path) -> list[tuple[float, bool]]:
    """Confidence and rightness of drawn plates in faces never trained on, cut out as finds are."""
    source = PlateSource(Sources(faces, None, Camera(DRAWN_HARDNESS), 0.7), DRAWN_SEED)
    ocr = Ocr()
    pairs: list[tuple[float, bool]] = []
    while len(pairs) < count:
        pixels, text, _ = source.sample()
        if text:
            (read,) = ocr.read([np.ascontiguousarray(pixels[..., ::-1])])
            settled = settled_read(read.alternatives, read.countries, read.complete) if read.text else None
            right = settled is not None and settled.plate.key == text
            pairs.append((settled.confidence if settled else 0.0, right))
    return pairs


def _drawn(street: Path | None, count: int, faces: Path, models: Models) -> list[tuple[float, bool]]:
    """Drawn plates in street frames if there are any; those that were not found, or only in part, are left out."""
    if street is None:
        return read_drawn(count, faces)
    drawn = scenes(load_frames(street, "train"), faces, DRAWN_SEED)
    answers = read_scenes(drawn, count, load_recognizer(models))
    found = [(one.read, one.right) for one in answers if one.read is not None]
    return [(read.read.confidence, right) for read, right in found if read.rejected not in PLACED_BADLY]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/evaluation"))
    parser.add_argument("--drawn", type=int, default=2000, help="drawn plates beside the pictures")
    parser.add_argument("--faces", type=Path, default=Path("checkpoints/faces_unseen"), help="not trained on")
    parser.add_argument("--street", type=Path, help="table of street frames, to draw plates into")
    parser.add_argument("--ocr", default=Models().ocr)
    parser.add_argument("--detector", default=Models().detector)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pictures = read_table(options.labels, Models(options.ocr, options.detector))
    groups = {country: [p for p in pictures if p.country == country] for country in {p.country for p in pictures}}
    print("country plates strict (95 %)        folded found accepted wrong")
    for name, held in [*sorted(groups.items()), ("all", pictures)]:
        got = score(held)
        low, high = wilson(got.strict, got.plates)
        print(
            f"{name:7} {got.plates:6} {got.strict:6} ({low:4.0%} to {high:4.0%}) {got.folded:6} {got.found:5} "
            f"{got.accepted:8} {got.wrong:5}"
        )
    whole = [(p.best.read.confidence, p.best.read.plate.key in p.labels) for p in pictures if p.best]
    rows = {f"pictures ({len(whole)})": reliability(whole)}
    if options.drawn:
        pairs = _drawn(options.street, options.drawn, options.faces, Models(options.ocr, options.detector))
        rows[f"drawn ({len(pairs)})"] = reliability(pairs)
    for name, table in rows.items():
        for sure, right, count in table:
            print(f"{name}: said {sure:.4f}, right {right} of {count} = {right / count:.4f}")
    failed = [p for p in pictures if not all(any(r.read.plate.key == t for r in p.reads) for t in p.labels)]
    for file, image in (("reliability.png", draw_reliability(rows)), ("failures.png", gallery(failed))):
        cv2.imwrite(str(options.out / file), image)
        print(f"{options.out / file}")


if __name__ == "__main__":
    main()
