"""Makes `decision.jpg`, the README's picture of a decision; `python docs/picture.py FOLDER` also keeps the film.

The simulator films three vehicles at an entry; the shipped reader, the vote and the gate's own rules look at every
frame, as `slagboom replay` does. Nothing in the picture is painted in but what they found. FOLDER gets the film,
`gate.mp4`, and the list, `users.csv`, on which the README's output was made.
"""

import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import wrap
from typing import Final

import cv2
import numpy as np

from edge.camera import open_source
from edge.commands.gate import ImaginedGate, Sorter
from gate_controller.facts import Direction, Granted, LaneId, Refused
from gate_controller.reasons import OPERATOR
from gate_controller.site import Site
from hardware_sim.camera import HEIGHT_PX, WIDTH_PX, draw
from hardware_sim.scenarios import ANNAS_CAR, ANNAS_OTHER_CAR, STRANGER
from hardware_sim.world import Vehicle, World
from recognition.frame import Image
from recognition.recognizer import Recognizer
from recognition.vote import VoteEvent, Voter
from sync.listfile import read_list

HERE: Final = Path(__file__).resolve().parent
FPS: Final = 10
STEP_S: Final = 0.05
LIST: Final = (
    "external_id,plate,country,name\nanna,98-THD-4,NL,Anna\nanna,AB-123-CD,F,Anna\nbert,B-NO 1234,D,Bert\n"
)
ADMITTED: Final = (ANNAS_CAR,)
TURNED_AWAY: Final = (ANNAS_OTHER_CAR, STRANGER)
PANEL_PX: Final = 560
BEGIN: Final = datetime(2026, 1, 5, 7, 30, tzinfo=UTC)

INK, PALE, GREEN, RED = (40, 40, 40), (130, 130, 130), (60, 140, 30), (40, 40, 190)


def film(path: Path) -> None:
    """Write a film of an entry: one vehicle passes, two give up before a boom that stays down."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH_PX, HEIGHT_PX))
    for vehicle in (*ADMITTED, *TURNED_AWAY):
        for frame in _visit(vehicle):
            writer.write(frame)
    writer.release()


def _visit(vehicle: Vehicle) -> Iterator[Image]:
    world = World({"entry": "in"})
    world.arrive("entry", vehicle)
    yield draw(world.scene("entry"))
    waited_s = 0.0
    while True:
        for _ in range(round(1 / FPS / STEP_S)):
            world.step(STEP_S)
        scene = world.scene("entry")
        if not scene.vehicles:
            return
        yield draw(scene)
        waited_s += (scene.vehicles[0].speed_mps == 0) / FPS
        if vehicle in ADMITTED and 1.0 <= waited_s < 1.0 + 1 / FPS:
            world.pulse("entry")


def decisions(folder: Path) -> Iterator[tuple[Image, VoteEvent, Granted | Refused]]:
    """The frame that decided, the answer and the decision of each vehicle of the film."""
    site = Site(read_list(folder / "users.csv", UTC).allowlist, UTC)
    gate = ImaginedGate(site, LaneId("entry"), Direction.IN)
    recognizer = Recognizer()
    voter, sorter = Voter(recognizer.settings.accept_at), Sorter()
    seen: list[Image] = []
    found: list[VoteEvent] = []
    with closing(open_source(str(folder / "gate.mp4"))) as source:
        for frame in source.frames():
            seen.append(frame.image)
            found += sorter.add(voter.add(frame, recognizer.read(frame.image)), frame.at_s, len(seen))
    found += sorter.add(voter.flush(), math.inf, len(seen))
    for event in found:
        at = BEGIN + timedelta(seconds=event.at_s)
        yield seen[event.best_index], event, gate.ask(event.read if event.accepted else None, at)


def panel(frame: Image, event: VoteEvent, fact: Granted | Refused) -> Image:
    """The frame with the plate outlined, beside what was read and what was decided; (480, W, 3) uint8 BGR."""
    left = frame.copy()
    granted = isinstance(fact, Granted)
    colour = GREEN if granted else RED
    corners = (np.array(event.best.corners) * 16).astype(np.int32)
    cv2.polylines(left, [corners], True, colour, 2, cv2.LINE_AA, 4)
    right = np.full((HEIGHT_PX, PANEL_PX, 3), 250, np.uint8)
    cv2.rectangle(right, (0, 0), (8, HEIGHT_PX), colour, -1)
    crop = cv2.resize(event.best.crop, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)[:, : PANEL_PX - 60]
    right[28 : 28 + crop.shape[0], 30 : 30 + crop.shape[1]] = crop
    _characters(right, event)
    _write(right, "GRANTED" if granted else "DENIED", (30, 290), 1.1, colour, 2)
    for row, (name, value) in enumerate(_lines(event, fact)):
        _write(right, name, (30, 320 + 24 * row), 0.5, PALE)
        _write(right, value, (130, 320 + 24 * row), 0.5, INK)
    return np.hstack([left, right])


def _characters(image: Image, event: VoteEvent) -> None:
    """Each character with the probability the vote gave it, and the runner-up."""
    for index, options in enumerate(event.read.alternatives):
        x = 30 + 56 * index
        char, sure = options[0]
        _write(image, char, (x, 186), 1.1, INK, 2)
        cv2.rectangle(image, (x, 200), (x + 40, 206), (220, 220, 220), -1)
        cv2.rectangle(image, (x, 200), (x + round(40 * sure), 206), INK, -1)
        _write(image, f"{sure:.3f}", (x, 224), 0.38, PALE)
        if len(options) > 1 and options[1][1] >= 0.0005:
            _write(image, f"{options[1][0]} {options[1][1]:.3f}", (x, 242), 0.38, PALE)


def _lines(event: VoteEvent, fact: Granted | Refused) -> Iterator[tuple[str, str]]:
    basis = fact.basis
    yield "plate", f"{event.read.plate.display()}  {event.read.plate.country or ''}"
    yield (
        "votes",
        f"{event.read.votes} of {event.frames} frames, {event.read.confidence:.3f} sure of the whole text",
    )
    yield "matched", f"{basis.matched}, list revision {basis.revision}"
    yield "user", fact.external_id or "none"
    if isinstance(fact, Refused):
        yield "reason", str(fact.reason)
        yield from (("", line) for line in wrap(OPERATOR[fact.reason], 56))


def _write(
    image: Image, text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int], bold: int = 1
) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, bold, cv2.LINE_AA)


def main(folder: Path) -> None:
    """Film, decide and write the picture: the first vehicle and the second one of the same user."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "users.csv").write_text(LIST)
    film(folder / "gate.mp4")
    rows = [panel(*decision) for decision in decisions(folder)]
    picture = np.vstack(rows[:2]) if rows else np.zeros((1, 1, 3), np.uint8)
    cv2.imwrite(str(HERE / "decision.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"docs/decision.jpg, out of {len(rows)} decisions", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
