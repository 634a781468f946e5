"""How well plates are read by their width, their slant and the light on them, as a table in Markdown.

    python -m recognition.training.conditions PATH/TO/street.csv [--plates 1500]

Plates are drawn into street frames, in faces never trained on, and found and read as pictures are, by the models
that ship. Deliberately not here: photographs with labels (`evaluate.py`), and countries (`model_card.py`).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from recognition.recognizer import Recognizer
from recognition.training.drawn_scenes import Answer, read_scenes, scenes
from recognition.training.evaluate import wilson
from recognition.training.train_detector import load_frames

SEED = 70_000_003

CONDITIONS: dict[str, tuple[Callable[[Answer], float], tuple[float, ...]]] = {
    "{:g} to {:g} px wide": (lambda one: one.width_px, (45, 60, 90, 150, 300, 600)),
    "{:g} to {:g} degrees from level": (lambda one: one.slant_deg, (0, 5, 10, 20, 30)),
    "brightness {:g} to {:g} of 255": (lambda one: one.light, (0, 40, 80, 120, 255)),
}
"""Each condition's words, what it is of a plate, and where its bands begin and end."""


def rows(answers: Sequence[Answer]) -> Iterator[str]:
    """The table: found, right, accepted of the right ones, accepted and wrong, by each condition's bands."""
    yield "| Plates | Found | Read right | 95 % | Of the right ones accepted | Accepted and wrong |"
    yield "|---|---|---|---|---|---|"
    for words, (of, edges) in CONDITIONS.items():
        for low, high in pairwise(edges):
            held = [one for one in answers if low <= of(one) < high]
            if held:
                yield _row(words.format(low, high), held)
    yield _row("all plates", answers)


def _row(name: str, held: Sequence[Answer]) -> str:
    found = sum(one.read is not None for one in held)
    right = [one for one in held if one.right]
    low, high = wilson(len(right), len(held))
    accepted = [one for one in held if one.read is not None and one.read.accepted]
    sure = sum(one.right for one in accepted)
    cells = (name, f"{found} of {len(held)}", len(right), f"{low:.0%} to {high:.0%}", sure, len(accepted) - sure)
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("street", type=Path, help="table of street frames, to draw plates into")
    parser.add_argument("--plates", type=int, default=1500)
    parser.add_argument("--faces", type=Path, default=Path("checkpoints/faces_unseen"), help="not trained on")
    options = parser.parse_args()
    drawn = scenes(load_frames(options.street, "train"), options.faces, SEED)
    print("\n".join(rows(read_scenes(drawn, options.plates, Recognizer()))))


if __name__ == "__main__":
    main()
