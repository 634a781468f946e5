"""Reads rectified plates with a model in fast-plate-ocr's format, keeping every character's alternatives.

Here is the text with its probabilities as the model gives them. Deliberately not here: what a country's layout
makes of it and whether it is believed (`recognizer.py`), and the vote over frames (`vote.py`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path

import cv2
import numpy as np
from fast_plate_ocr import LicensePlateRecognizer
from fast_plate_ocr.inference.config import PlateConfig
from numpy.typing import NDArray

from gate_controller.errors import RecognitionError
from recognition.finds import Corners
from recognition.frame import Image
from recognition.halves import Halves
from recognition.regions import sign_of
from recognition.sessions import (
    OWN,
    TRIAL_LEN,
    UINT8,
    Part,
    expect,
    fits,
    reason,
    session_options,
    takes,
    told,
    tried,
)
from recognition.shipped import ANEW, shipped

INPUT = "input"
PICTURES: Part = (INPUT, ("n", "height", "width", "colours"))
"""What a model takes."""

SUM_OFF_MAX = 0.05
"""What a slot's probabilities may be off one in a model of half the precision."""

ALTERNATIVE_MIN = 0.01
"""Less likely characters and countries are dropped."""

MARGIN = 0.0
"""Of the plate's size, added around the found corners."""

MARGIN_AGAIN = 0.06
"""The same for a second look: another cut puts other pixels on each stroke, and what is there is read alike."""

LOOK_WEIGHT = 0.62
SEARCH_WEIGHT = 0.55
"""Of each of two looks at one find, and of each of two searches' finds: a half would be one look, one would be two
that know nothing of each other. Fitted, as least surprise, on 2,300 and 490 plates drawn into street frames, in
faces never trained on, and cut out by the detector."""

Table = NDArray[np.float64]

Options = tuple[tuple[str, float], ...]
"""(character or country, probability), best first."""


@dataclass(frozen=True, slots=True)
class TextRead:
    """What the model made of one plate.

    `text`: best characters without pads. `alternatives`: for each of them its options. `complete`: probability
    that no character follows. `countries`: distinguishing signs, "?" for no country; may be empty.
    `inner_pad`: the model saw nothing between two characters, so the text is not to be believed. `tables`: the
    model's own answer, (slots, vocab) and (signs,), for a second look to add to; None if there is none.
    """

    text: str
    alternatives: tuple[Options, ...]
    complete: float
    countries: Options
    inner_pad: bool
    tables: tuple[Table, Table] | None = field(default=None, repr=False, compare=False)

    @property
    def sure(self) -> float:
        """Probability that the whole text is right, before any layout is asked; 0 where nothing was read."""
        return math.prod(options[0][1] for options in self.alternatives) * self.complete if self.text else 0.0

    def of_country(self, other: TextRead) -> TextRead:
        """This text with what another read says of the country: colours tell it, and a negative has others."""
        tables = (self.tables[0], other.tables[1]) if self.tables and other.tables else None
        return replace(self, countries=other.countries, tables=tables)


def rectify(halves: Halves, corners: Corners, width: int, height: int, margin: float = MARGIN) -> Image:
    """The plate seen straight on, (height, width, 3) uint8; larger plates are averaged down, not sampled."""
    quad = np.array(corners, np.float32)
    quad = quad.mean(0) + (quad - quad.mean(0)) * (1 + 2 * margin)
    wide = max(float(np.hypot(*(quad[1] - quad[0]))), float(np.hypot(*(quad[2] - quad[3]))))
    high = max(float(np.hypot(*(quad[3] - quad[0]))), float(np.hypot(*(quad[2] - quad[1]))))
    size = (width * (2 if wide > width else 1), height * (2 if high > height else 1))
    flat = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32) - 0.5
    warp = cv2.getPerspectiveTransform(quad, flat)
    straight = halves.warped(np.asarray(warp, np.float64), size, wide / size[0], 1.0, cv2.BORDER_REPLICATE)
    if size != (width, height):
        straight = np.asarray(cv2.resize(straight, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return straight


def light_on_dark(crop: Image) -> bool:
    """Whether a rectified plate's ground, which is most of it, is darker than the middle between ground and ink."""
    high, wide = crop.shape[:2]
    inner = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[high // 5 : high - high // 5, wide // 10 : wide - wide // 10]
    darker = np.bincount(inner.ravel(), minlength=256).cumsum()
    low, ground, light = np.searchsorted(darker, np.array((0.05, 0.5, 0.95)) * darker[-1])
    return bool(2 * ground < low + light)


def negative(crop: Image) -> Image:
    """The crop with light and dark changed round, since most plates are dark on light and are read best.

    Of 900 drawn plates light on dark, 58 % are read right as they are, 77 % as the surer of crop and negative.
    """
    return np.asarray(255 - crop, np.uint8)


class Ocr:
    """A loaded character reader."""

    def __init__(self, model_path: Path | None = None, config_path: Path | None = None, fix: str = OWN) -> None:
        """The model that ships, or an ONNX file and its YAML. Raises `RecognitionError` naming file and fix."""
        own = model_path or config_path
        with ExitStack() as stack:
            model = model_path or stack.enter_context(shipped("ocr.onnx"))
            config = config_path or stack.enter_context(shipped("ocr.yaml"))
            logging.getLogger("fast_plate_ocr").setLevel(logging.ERROR)
            self._reader = _load(model, config, fix if own else ANEW)
        settings = self._reader.config
        self.width_px: int = settings.img_width
        self.height_px: int = settings.img_height
        self._alphabet: str = settings.alphabet
        self._pad: str = settings.pad_char
        signs = [sign_of(region) for region in settings.plate_regions or ()]
        self._signs: tuple[str, ...] = tuple(dict.fromkeys(signs))
        self._means: Table = np.array([[sign == one for one in self._signs] for sign in signs], np.float64)
        self._grey: bool = settings.image_color_mode == "grayscale"
        region = self._reader.region_output_name if self._reader.has_region_head else None
        self._outputs: list[str] = [name for name in (self._reader.plate_output_name, region) if name]
        if own:
            self._try(model, fix)

    def _try(self, path: Path, fix: str) -> None:
        """Shows a model that did not ship pictures of nothing. Raises `RecognitionError` naming file and fix."""
        reader, slots, characters = self._reader, self._reader.config.max_plate_slots, len(self._alphabet)
        nothing = np.stack([self._prepared(np.zeros((self.height_px, self.width_px, 3), np.uint8))] * TRIAL_LEN)
        plate, *regions = tried(path, reader.model, nothing, self._outputs, fix)
        flat, apart = (TRIAL_LEN, slots * characters), (TRIAL_LEN, slots, characters)
        expect(path, plate, apart if plate.ndim == len(apart) else flat, fix)
        for region in regions:
            expect(path, region, (TRIAL_LEN, len(self._means)), fix)
        if np.abs(plate.reshape(*apart).sum(-1) - 1.0).max() > SUM_OFF_MAX:
            raise RecognitionError(f"{path}: gives no probabilities, as a slot's characters do not sum to 1; {fix}")

    def read(self, crops: Sequence[Image]) -> list[TextRead]:
        """One read a crop; crops are rectified (H, W, 3) uint8 BGR of any size."""
        return [self._decode(plate, region) for plate, region in self._tables(crops)]

    def read_again(self, first: Sequence[TextRead], crops: Sequence[Image]) -> list[TextRead]:
        """The reads that a second crop of the same plates makes of the first: probabilities are multiplied.

        Reads without tables stay as they are.
        """
        seconds = [self._decode(plate, region) for plate, region in self._tables(crops)]
        return [self._both(one, two, LOOK_WEIGHT) for one, two in zip(first, seconds, strict=True)]

    def joined(self, one: TextRead, two: TextRead) -> TextRead:
        """One read of two searches' finds of a plate; the first as it is where a read has no tables."""
        return self._both(one, two, SEARCH_WEIGHT)

    def _both(self, one: TextRead, two: TextRead, weight: float) -> TextRead:
        if one.tables is None or two.tables is None:
            return one
        plate, region = (_joined(a, b, weight) for a, b in zip(one.tables, two.tables, strict=True))
        return self._decode(plate, region)

    def _tables(self, crops: Sequence[Image]) -> list[tuple[Table, Table]]:
        if not crops:
            return []
        batch = np.stack([self._prepared(crop) for crop in crops])
        reader = self._reader
        tables = reader.model.run(self._outputs, {INPUT: batch})
        plates = np.asarray(tables[0], np.float64).reshape(len(crops), -1, len(self._alphabet))
        regions = (
            np.asarray(tables[1], np.float64) @ self._means if reader.has_region_head else np.zeros((len(crops), 0))
        )
        return list(zip(plates, regions, strict=True))

    def _prepared(self, crop: Image) -> Image:
        if crop.shape[:2] != (self.height_px, self.width_px):
            resized = cv2.resize(crop, (self.width_px, self.height_px), interpolation=cv2.INTER_AREA)
            crop = np.asarray(resized, np.uint8)
        colour = cv2.COLOR_BGR2GRAY if self._grey else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(crop, colour), np.uint8).reshape(self.height_px, self.width_px, -1)

    def _decode(self, table: Table, region: Table) -> TextRead:
        best, rows = table.argmax(1).tolist(), table.tolist()
        pad = self._alphabet.index(self._pad)
        kept = [slot for slot, char in enumerate(best) if char != pad]
        length = kept[-1] + 1 if kept else 0
        return TextRead(
            text="".join(self._alphabet[best[slot]] for slot in kept),
            alternatives=tuple(_options(rows[slot], self._alphabet, pad) for slot in kept),
            complete=rows[length][pad] if length < len(rows) else 1.0,
            countries=_options(region.tolist(), self._signs, -1),
            inner_pad=len(kept) < length,
            tables=(table, region),
        )


def _load(model: Path, config: Path, fix: str) -> LicensePlateRecognizer:
    for file in (model, config):
        if not file.is_file():
            raise RecognitionError(f"{file}: no such file; {fix}")
    try:
        reader = LicensePlateRecognizer(
            onnx_model_path=model, plate_config_path=config, device="cpu", sess_options=session_options()
        )
    except Exception as error:  # onnxruntime and the YAML's reader raise many classes of their own
        raise RecognitionError(f"{model} with {config.name}: no usable reader ({reason(error)}); {fix}") from None
    if odd := _odd(reader.config):
        raise RecognitionError(f"{config}: {odd[0]} cannot be {odd[1]!r}; {fix}")
    if not takes(reader.model, PICTURES, UINT8):
        kind = told(reader.model, PICTURES, UINT8, ("plate", ("n", "slots", "characters")))
        raise RecognitionError(f"{model}: a model of another kind ({kind}); {fix}")
    if said := _at_odds(reader):
        together = "use the model and the file that belong together"
        raise RecognitionError(f"{model}: {said[0]} but {config.name} {said[1]}; {together}")
    return reader


def _odd(settings: PlateConfig) -> tuple[str, object] | None:
    """A setting and its value that no reader can have, whatever its model."""
    sizes = ("max_plate_slots", "img_height", "img_width")
    fine = {name: type(size := getattr(settings, name)) is int and size > 0 for name in sizes}
    fine["alphabet"] = isinstance(settings.alphabet, str)
    fine["pad_char"] = settings.pad_char in [*str(settings.alphabet)]
    fine["image_color_mode"] = settings.image_color_mode in ("grayscale", "rgb")
    fine["plate_regions"] = isinstance(settings.plate_regions, list | None)
    return next(((name, getattr(settings, name)) for name, is_fine in fine.items() if not is_fine), None)


def _at_odds(reader: LicensePlateRecognizer) -> tuple[str, str] | None:
    """What the model declares and what its YAML says instead; None when they agree, or it leaves sizes open."""
    settings, vocab, slots = reader.config, len(reader.config.alphabet), reader.config.max_plate_slots
    shapes = {part.name: part.shape for part in reader.model.get_outputs()}
    plate = shapes[reader.plate_output_name]
    if not fits(plate[-1:], (vocab,)) and not fits(plate, ("n", vocab * slots)):
        return f"gives {plate[-1]} characters a slot", f"lists {vocab}"
    if len(plate) == 3 and not fits(plate, ("n", slots, vocab)):
        return f"gives {plate[1]} slots", f"says {slots}"
    regions = len(settings.plate_regions or ())
    given = shapes[reader.region_output_name][-1:] if reader.has_region_head else [regions]
    if not fits(given, (regions,)):
        return f"gives {given[0]} regions", f"lists {regions}"
    says = (settings.img_height, settings.img_width, 1 if settings.image_color_mode == "grayscale" else 3)
    pictures = reader.model.get_inputs()[0].shape[1:]
    if not fits(pictures, says):
        return f"takes pictures of (height, width, colours) {tuple(pictures)}", f"says {says}"
    return None


def _joined(one: Table, two: Table, weight: float) -> Table:
    """Two looks' probability tables as one, each row of the last axis summing to one again."""
    both = (one * two) ** weight
    return np.asarray(both / np.maximum(both.sum(-1, keepdims=True), 1e-12))


def _options(row: list[float], names: Sequence[str], without: int) -> Options:
    kept = [(names[k], share) for k, share in enumerate(row) if share >= ALTERNATIVE_MIN and k != without]
    return tuple(sorted(kept, key=itemgetter(1), reverse=True))
