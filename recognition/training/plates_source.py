"""Endless drawn training samples: texts, hands and faces, scenes and views put together, in worker processes."""

from __future__ import annotations

import csv
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty, Full
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from recognition.training.degrade import Camera, Scene, bare, photograph, surround
from recognition.training.draw import Freedom, draw_plate, style_of
from recognition.training.faces import read_faces
from recognition.training.glyphs import CHARACTERS, HANDS, Image, alphabet, perturbed, uneven, worn
from recognition.training.ocr_net import HEIGHT_PX, REGIONS, WIDTH_PX, encode
from recognition.training.texts import Text, sample_text

T = TypeVar("T")

IGNORED_REGION = -100
VIEWS_PER_PLATE = 6
WORN_SHARE = 0.03
BARE_SHARE = 0.09  # of scenes; they are seen twice instead of six times
POOL_PLATES = 24  # plates in turn at one time, so that views of one plate do not share a batch too often
QUEUE_BATCHES_MAX = 6
ORPHAN_CHECK_S = 5.0
REPLAY_BATCHES_MAX = 32


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a worker finds what is not drawn: both optional."""

    faces: Path | None = None
    street: Path | None = None  # folder of street.csv, whose train part lends backgrounds
    camera: Camera = field(default_factory=Camera)
    faces_share: float = 0.38  # of the plates, where there are faces


# A net that knows no letter yet learns nothing from blur: the first batches are kind.
EASY = Camera(hardness=0.5, width_px=(100.0, 260.0), upright_cut=0.03, loose_cut=0.03)


@dataclass(frozen=True, slots=True)
class Batch:
    """(N, H, W, 3) uint8 RGB, (N, slots) and (N,) int64 classes."""

    pixels: NDArray[np.uint8]
    slots: NDArray[np.int64]
    regions: NDArray[np.int64]


def _meet(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return (
        one[0] < two[0] + two[2]
        and two[0] < one[0] + one[2]
        and one[1] < two[1] + two[3]
        and two[1] < one[1] + one[3]
    )


def _backgrounds(folder: Path | None, rng: np.random.Generator, count: int = 200) -> list[Image]:
    """Pieces of the street's training frames that show no labelled plate."""
    if folder is None or not (folder / "street.csv").exists():
        return []
    boxes: dict[str, list[tuple[float, ...]]] = {}
    with (folder / "street.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["part"] == "train":
                box = tuple(float(row[key] or 0) for key in "xywh")
                boxes.setdefault(row["image"], []).append(box)
    names = sorted(boxes)
    patches: list[Image] = []
    for index in rng.permutation(len(names))[: count // 4]:
        frame = cv2.imread(str(folder / names[int(index)]))
        if frame is None:
            continue
        for _ in range(5):
            width = int(rng.integers(60, 420))
            height = width * 2 // 5
            x = int(rng.integers(0, frame.shape[1] - width))
            y = int(rng.integers(frame.shape[0] // 3, frame.shape[0] - height))
            if not any(_meet((x, y, width, height), box) for box in boxes[names[int(index)]]):
                patches.append(np.ascontiguousarray(frame[y : y + height, x : x + width]))
    return patches


class PlateSource:
    """Draws samples one after another from one generator."""

    def __init__(self, sources: Sources, seed: int | tuple[int, ...]) -> None:
        self._rng = np.random.default_rng(seed)
        self.camera = sources.camera
        self._sources = sources
        self._faces_share = sources.faces_share
        self._faces = read_faces(sources.faces) if sources.faces and sources.faces.exists() else []
        self._backgrounds = _backgrounds(sources.street, self._rng)
        self._hands: dict[str, list[Mapping[str, Image]]] = {}
        self._pool: list[tuple[Text, Scene, int]] = []

    def material(self) -> str:
        """One line on what plates are drawn in and on, and where nothing of it was lent."""
        folder, street = self._sources.faces, self._sources.street
        faces = f"{len(self._faces)} faces of {folder} and our own letterforms"
        if not self._faces:
            where = f"in {folder}" if folder else "named"
            faces = f"our own letterforms alone, no faces {where} (docs/training.md says where they come from)"
        grounds = f"{len(self._backgrounds)} backgrounds of {street} and painted ones"
        if not self._backgrounds:
            grounds = f"painted backgrounds alone, no street frames {f'in {street}' if street else 'named'}"
        return f"plates drawn in {faces}; on {grounds}"

    def _letters(self, family: str) -> Mapping[str, Image]:
        """Mostly the country's own hand, struck a little differently each time; else any other hand or face."""
        rng = self._rng
        draw = rng.random()
        if self._faces and draw < self._faces_share:
            return self._faces[int(rng.integers(len(self._faces)))]
        if rng.random() < 0.24:
            family = list(HANDS)[int(rng.integers(len(HANDS)))]
        kept = self._hands.setdefault(family, [])
        if len(kept) < 12 or rng.random() < 0.1:
            kept.append(uneven(alphabet(perturbed(HANDS[family], rng)), rng))
            if len(kept) > 24:
                kept.pop(0)
        return kept[int(rng.integers(len(kept)))]

    def plate(self) -> tuple[Text, Image]:
        """One plate, clean and front on, in one of the source's letterforms."""
        text = sample_text(self._rng)
        return text, self._drawn(text)

    def view(self, text: Text) -> Image:
        """One view of a plate of this text, (H, W, 3) uint8 BGR of the reader's size."""
        scene = surround(self._drawn(text), self._rng, self._backgrounds)
        return photograph(scene, self._rng, (WIDTH_PX, HEIGHT_PX), self.camera)

    def _drawn(self, text: Text) -> Image:
        rng = self._rng
        letters = self._letters(style_of(text.country, text.groups).hand)
        if any(char not in letters for group in text.groups for char in group):
            letters = alphabet(HANDS["din"], CHARACTERS)
        if rng.random() < WORN_SHARE:
            letters = worn(letters)
        return draw_plate(text.groups, text.country, rng, letters, Freedom(float(rng.uniform(0.3, 1.2)), 0.06))

    def _new_plate(self) -> tuple[Text, Scene, int]:
        rng = self._rng
        if rng.random() < BARE_SHARE:
            return Text((), "?", False), bare(rng, self._backgrounds), 2
        text, plate = self.plate()
        return text, surround(plate, rng, self._backgrounds), VIEWS_PER_PLATE

    def sample(self) -> tuple[Image, str, int]:
        """RGB pixels of the reader's size, the flat text, the region's class (IGNORED_REGION for random texts)."""
        while len(self._pool) < POOL_PLATES:
            self._pool.append(self._new_plate())
        at = int(self._rng.integers(len(self._pool)))
        text, scene, left = self._pool.pop(at)
        if left > 1:
            self._pool.append((text, scene, left - 1))
        view = photograph(scene, self._rng, (WIDTH_PX, HEIGHT_PX), self.camera)
        region = REGIONS.index(text.country) if text.regular and text.country in REGIONS else IGNORED_REGION
        return view[..., ::-1], "".join(text.groups), region

    def batch(self, size: int) -> Batch:
        """SIZE samples."""
        rows = [self.sample() for _ in range(size)]
        return Batch(
            np.stack([pixels for pixels, _, _ in rows]),
            np.array([encode(text) for _, text, _ in rows], np.int64),
            np.array([region for _, _, region in rows], np.int64),
        )


class Replay:
    """Every batch is learnt from twice, the second time later and shifted: drawing is a third of a step's cost."""

    def __init__(self, fresh: Iterator[Batch], seed: int) -> None:
        self._fresh = fresh
        self._rng = np.random.default_rng(seed)
        self._kept: list[Batch] = []

    def next(self) -> Batch:
        """A fresh batch, or one of the last REPLAY_BATCHES_MAX that has not come again yet."""
        if len(self._kept) < REPLAY_BATCHES_MAX:
            batch = next(self._fresh)
            self._kept.append(batch)
            return batch
        batch = self._kept.pop(int(self._rng.integers(len(self._kept) // 2)))
        across, down = int(self._rng.integers(-3, 4)), int(self._rng.integers(-2, 3))
        padded = np.pad(batch.pixels, ((0, 0), (2, 2), (3, 3), (0, 0)), "edge")
        height, width = batch.pixels.shape[1:3]
        moved = padded[:, 2 + down : 2 + down + height, 3 + across : 3 + across + width]
        return Batch(moved, batch.slots, batch.regions)


def drawn(sources: Sources, seed: int | tuple[int, ...], size: int, easy: int) -> Iterator[Batch]:
    """Endless batches of SIZE, the first EASY of them by a kind camera."""
    source = PlateSource(sources, seed)
    for number in itertools.count():
        source.camera = EASY if number < easy else sources.camera
        yield source.batch(size)


def _work(make: Callable[..., Iterator[Any]], arguments: tuple[Any, ...], queue: Any) -> None:
    # A session of its own: where the kernel shares the processor by session, drawing does not slow the training.
    os.setsid()
    cv2.setNumThreads(1)
    parent = os.getppid()
    for batch in make(*arguments):
        while os.getppid() == parent:
            try:
                queue.put(batch, timeout=ORPHAN_CHECK_S)
                break
            except Full:
                continue
        else:
            # What is left in the pipe has no reader any more; waiting for one would keep this process for ever.
            queue.cancel_join_thread()
            return


def seed_of(seed: int, drawer: int) -> int | tuple[int, ...]:
    """What the so manieth of several drawing processes draws from; the first one from the seed itself."""
    return (seed, drawer) if drawer else seed


def _next(task: BaseProcess, queue: Any) -> Any:
    while True:
        ended = not task.is_alive()
        try:
            return queue.get(timeout=ORPHAN_CHECK_S)
        except Empty:
            if ended:
                raise SystemExit(
                    f"a drawing process has ended ({task.exitcode}); what it said stands above"
                ) from None


def in_background(make: Callable[..., Iterator[T]], *each: tuple[Any, ...]) -> Iterator[T]:
    """What MAKE(*ARGUMENTS) yields, made by another process for each ARGUMENTS while this one learns.

    The processes' items come in turn, whoever is ready first, so that the order is always the same. They end with
    this process or when the iterator is closed. MAKE is a function of a module. Raises `SystemExit` when one of
    them has ended, which says why itself.
    """
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(QUEUE_BATCHES_MAX) for _ in each]
    tasks = [
        context.Process(target=_work, args=(make, arguments, queue), daemon=True)
        for arguments, queue in zip(each, queues, strict=True)
    ]
    for task in tasks:
        task.start()
    try:
        for task, queue in itertools.cycle(zip(tasks, queues, strict=True)):
            yield _next(task, queue)
    finally:
        for task in tasks:
            task.terminate()
        for task in tasks:
            task.join()
