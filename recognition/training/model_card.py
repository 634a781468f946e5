"""Measures the reader that ships on drawn plates of every country, and writes what it found into its model card.

    python -m recognition.training.model_card [--plates 60] [--page docs/models.md]

The page's table between two marks is written anew, and beside it a gallery of what was misread. It is the reader
and the layouts alone, on plates cut out as a rough find would, in faces never trained on where there are any:
finding them, and the second looks, are measured by `evaluate.py`.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from gate_controller.plates import PlateRead
from recognition.frame import Image
from recognition.looks import settled_read
from recognition.ocr import Ocr
from recognition.recognizer import CHARACTER_MIN, RecognitionSettings
from recognition.training.degrade import Camera
from recognition.training.evaluate import DRAWN_HARDNESS, sheet, tile, wilson
from recognition.training.ocr_net import REGIONS
from recognition.training.plates_source import PlateSource, Sources
from recognition.training.texts import Text, sample_text

SEED = 60_000_011
UNSEEN_SHARE = 0.7
GALLERY_LEN_MAX = 16
GALLERY = "misread.jpg"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Answer:
    """One drawn plate: its text, the reader's crop of it, and what was read; None for nothing."""

    text: Text
    crop: Image
    read: PlateRead | None

    @property
    def right(self) -> bool:
        """Whether the whole text was read."""
        return self.read is not None and self.read.plate.key == "".join(self.text.groups)

    @property
    def accepted(self) -> bool:
        """Whether a gate would act on the text, at the default threshold."""
        if self.read is None or self.read.confidence < RecognitionSettings().accept_at:
            return False
        return all(options[0][1] >= CHARACTER_MIN for options in self.read.alternatives)


def texts(countries: Sequence[str], count: int, rng: np.random.Generator) -> Iterator[Text]:
    """COUNT texts of every country's own layouts, as often one series beside another as in training."""
    wanted = Counter(dict.fromkeys(countries, count))
    while wanted.total():
        text = sample_text(rng)
        if text.regular and wanted[text.country] > 0:
            wanted[text.country] -= 1
            yield text


def measure(countries: Sequence[str], count: int, faces: Path | None) -> list[Answer]:
    """COUNT plates of every country, each drawn, seen through a harder camera than in training, and read."""
    source = PlateSource(Sources(faces, None, Camera(DRAWN_HARDNESS), UNSEEN_SHARE), SEED)
    ocr = Ocr()
    answers = []
    for text in texts(countries, count, np.random.default_rng(SEED)):
        crop = np.ascontiguousarray(source.view(text), np.uint8)
        (read,) = ocr.read([crop])
        settled = settled_read(read.alternatives, read.countries, read.complete) if read.text else None
        answers.append(Answer(text, crop, settled))
    return answers


def table(answers: Sequence[Answer]) -> str:
    """What the page says between its marks: the files measured, and a row a country and one for all."""
    signs = sorted({answer.text.country for answer in answers})
    rows = [_row(sign, [answer for answer in answers if answer.text.country == sign]) for sign in signs]
    return "\n".join(
        [
            "| File | Size | SHA-256 begins |",
            "|---|---|---|",
            *(_file(name) for name in ("detector.onnx", "aligner.onnx", "ocr.onnx")),
            "",
            "| Country | Read right, of drawn plates | 95 % | Accepted | Of these right |",
            "|---|---|---|---|---|",
            *rows,
            _row("all", answers),
        ]
    )


def _file(name: str) -> str:
    data = (Path(str(files("recognition.models"))) / name).read_bytes()
    return f"| `{name}` | {len(data) / 1e6:.2f} MB | `{hashlib.sha256(data).hexdigest()[:12]}` |"


def _row(name: str, answers: Sequence[Answer]) -> str:
    right, accepted = sum(answer.right for answer in answers), [answer for answer in answers if answer.accepted]
    low, high = wilson(right, len(answers))
    sure = sum(answer.right for answer in accepted)
    return f"| {name} | {right} of {len(answers)} | {low:.0%} to {high:.0%} | {len(accepted)} | {sure} |"


def written(page: str, between: str) -> str:
    """The page with its measured part anew. Raises `ValueError` when it has no marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} and {END} in the page; put them around its table")
    return f"{head}{BEGIN}\n{between}\n{END}{tail}"


def misread(answers: Sequence[Answer]) -> Image:
    """What was misread, the surest first: what was written, what was read, how surely."""
    wrong = [(answer.read.confidence, answer) for answer in answers if answer.read and not answer.right]
    wrong.sort(key=lambda pair: -pair[0])
    tiles = []
    for confidence, answer in wrong[:GALLERY_LEN_MAX]:
        read = answer.read.plate.key if answer.read else ""
        drawn = f"{answer.text.country}: {' '.join(answer.text.groups)}"
        tiles.append(tile(answer.crop, drawn, f"{read} {confidence:.3f}", "accepted" if answer.accepted else ""))
    return sheet(tiles)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plates", type=int, default=60, help="of each country")
    parser.add_argument("--faces", type=Path, default=Path("checkpoints/faces_unseen"), help="not trained on")
    parser.add_argument("--page", type=Path, default=Path("docs/models.md"))
    options = parser.parse_args()
    answers = measure([sign for sign in REGIONS if sign != "?"], options.plates, options.faces)
    options.page.write_text(written(options.page.read_text("utf-8"), table(answers)), "utf-8")
    cv2.imwrite(str(options.page.parent / GALLERY), misread(answers), (cv2.IMWRITE_JPEG_QUALITY, 88))
    print(table(answers))


if __name__ == "__main__":
    main()
