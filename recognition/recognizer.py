"""From a frame to plate reads: find, rectify, read, settle by country layout, judge.

Each read says whether it may be believed by itself and, if not, why. Deliberately not here: the vote of several
frames over one vehicle (`vote.py`), and which plates may enter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import cv2

from gate_controller.plates import PLATE_LEN_MAX, PLATE_LEN_MIN, PlateRead
from recognition.detector import BuiltinDetector, Detector
from recognition.finds import Corners, Detection, width_of
from recognition.frame import Image
from recognition.halves import Halves
from recognition.looks import Look, merged
from recognition.ocr import MARGIN_AGAIN, Ocr, Options, TextRead, light_on_dark, negative, rectify
from recognition.roi import WHOLE, Roi, Window

CHARACTERS_MIN = 4
"""A shorter text is never accepted from a picture: the shortest common series have five, vanity plates four."""

SURE_ABOVE = 0.99
LOST_BELOW = 0.02
"""Probabilities of a text above and below which a second look changes nothing. If 3 in 1,000 accepted texts may be
wrong, 52 % of the right ones are accepted after one look, 64 % after two (drawn plates, faces never trained on)."""

CHARACTER_MIN = 0.5
"""No character may be less likely than this, however good the others are."""

SCORE_MIN = 0.55
"""Detector's score below which a text is not believed: whole plates score above, half hidden ones below."""

WHOLE_MIN = 0.85
"""Detector's probability that no end is hidden, below which a text is not believed: 6 % of drawn plates seen whole
fall below it, and 92 % of those with an end behind something."""

PLAUSIBLE_MIN = 0.01
"""A find below `SCORE_MIN`, or of the finer search, whose text is less probable than this is no plate at all."""

BORDER_WIDTHS = 0.06
BORDER_MAX_PX = 12.0
"""Nearer to the frame's edge than this share of its width, and than this at most, a plate may have lost characters
beyond it: most of a character's width, since the net likes to end a cut plate between two characters."""

CROP_HEIGHT_PX = 64
CROP_WIDTH_MAX_PX = 360


class Rejected(StrEnum):
    """Why a read is not to be believed; the value is for people."""

    TOO_FEW = "too few characters"
    INNER_PAD = "a gap inside the text"
    AT_BORDER = "cut by the frame's edge"
    HIDDEN = "an end may be hidden"
    FAINT = "hardly looks like a whole plate"
    WEAK = "a weak character"
    BELOW = "below the threshold"
    NEVER_MOVED = "never moved"
    TOO_FEW_VOTES = "too few frames agree"


@dataclass(frozen=True, slots=True)
class RecognitionSettings:
    """Thresholds. `detect_at`: plate score; `accept_at`: probability that the text is right.

    0.95 accepts no wrong plate and about nine in ten of the right ones, on 136 photographs of French and Croatian
    cars and 19 clips of Dutch ones that nothing was trained on.
    """

    detect_at: float = 0.4
    accept_at: float = 0.95


@dataclass(frozen=True, slots=True)
class LocatedRead:
    """One plate of one picture.

    `corners` in pixels of the picture, clockwise from the plate's top left; `crop` the plate rectified,
    (64, up to 360, 3) uint8 BGR; `score` the detector's; `sharpness` relative, comparable between crops of the
    same plate; `countries` the model's (sign, probability), best first; `spelled` the text before the layouts had
    their say; `rejected` is None for an accepted read.
    """

    read: PlateRead
    corners: Corners
    crop: Image
    score: float
    sharpness: float
    countries: Options
    rejected: Rejected | None
    spelled: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the read is believed by itself, at the default threshold."""
        return self.rejected is None

    @property
    def width_px(self) -> float:
        """Mean length of the plate's upper and lower edge in the picture."""
        return width_of(self.corners)


class Recognizer:
    """A detector and a reader with their thresholds; not thread-safe, one per worker."""

    def __init__(
        self,
        settings: RecognitionSettings = RecognitionSettings(),
        detector: Detector | None = None,
        ocr: Ocr | None = None,
    ) -> None:
        """Loads the models that ship unless others are given. Raises `RecognitionError` naming file and fix."""
        self.settings = settings
        self._detector = detector or BuiltinDetector(detect_at=settings.detect_at)
        self._ocr = ocr or Ocr()

    def read(self, image: Image, roi: Roi = WHOLE) -> list[LocatedRead]:
        """The plates in an (H, W, 3) uint8 BGR image, most confident first; what is no plate is left out.

        What does not count by the region of interest is left out too.
        """
        window = roi.window(image)
        halves = Halves(window.image)
        search = self._detector.detect(halves, roi.looked_for_px)
        crops: dict[Corners, Image] = {}

        def look(found: list[Detection]) -> list[Look]:
            return self._look(halves, [one for one in found if window.counts(one.corners)], crops)

        looks = look(search.plates)
        unsure = [one for one in looks if self._rejected(halves.image, one)]
        if unsure and (len(unsure) == len(looks) or any(one.read.confidence >= PLAUSIBLE_MIN for one in unsure)):
            finer = look(search.finer([one.found for one in looks if one not in unsure]))
            likely = [one for one in finer if one.read.confidence >= PLAUSIBLE_MIN]
            looks = merged(looks, likely, self._ocr.joined)
        looks.sort(key=lambda one: -one.read.confidence)
        return [self._located(halves, window, one, crops[one.found.corners]) for one in looks]

    def _look(self, halves: Halves, found: list[Detection], crops: dict[Corners, Image]) -> list[Look]:
        """What can be read at these finds; what is no plate is left out. What each was read from joins `crops`."""
        for one in found:
            crops[one.corners] = rectify(halves, one.corners, self._ocr.width_px, self._ocr.height_px)
        texts = self._surer(halves, found, [crops[one.corners] for one in found])
        looks = [
            Look.of(one, text)
            for one, text in zip(found, texts, strict=True)
            if PLATE_LEN_MIN <= len(text.text) <= PLATE_LEN_MAX
        ]
        return [look for look in looks if look.found.score >= SCORE_MIN or look.read.confidence >= PLAUSIBLE_MIN]

    def _rejected(self, image: Image, look: Look) -> Rejected | None:
        return _placed_badly(look.found, image) or judge(look.read, look.text, self.settings.accept_at)

    def _located(self, halves: Halves, window: Window, look: Look, crop: Image) -> LocatedRead:
        corners, text = look.found.corners, look.text
        return LocatedRead(
            read=look.read,
            corners=window.in_picture(corners),
            crop=_picture(halves, corners),
            score=look.found.score,
            sharpness=_sharpness(crop),
            countries=text.countries,
            rejected=self._rejected(halves.image, look),
            spelled=text.text,
        )

    def _surer(self, halves: Halves, found: list[Detection], crops: list[Image]) -> list[TextRead]:
        """The crops' texts, with second looks where a text might be right but is not sure.

        A plate that is light on dark is looked at as its negative too, and goes on as what is read surer.
        """
        texts = self._ocr.read(crops)
        dark = [at for at, text in enumerate(texts) if text.sure < SURE_ABOVE and light_on_dark(crops[at])]
        turned: dict[int, TextRead] = {}
        for at, text in zip(dark, self._ocr.read([negative(crops[at]) for at in dark]), strict=True):
            if text.sure > texts[at].sure:
                turned[at], texts[at] = texts[at], text
        unsure = [at for at, text in enumerate(texts) if text.tables is not None and _worth_a_look(text)]
        size = self._ocr.width_px, self._ocr.height_px
        wider = {at: rectify(halves, found[at].corners, *size, MARGIN_AGAIN) for at in unsure}
        again = [negative(wider[at]) if at in turned else wider[at] for at in unsure]
        for at, text in zip(unsure, self._ocr.read_again([texts[at] for at in unsure], again), strict=True):
            texts[at] = text
        for at, plain in turned.items():
            texts[at] = texts[at].of_country(plain)
        return texts


def _worth_a_look(text: TextRead) -> bool:
    """Whether a second look may change what comes of a text."""
    return len(text.text) >= CHARACTERS_MIN and LOST_BELOW < text.sure < SURE_ABOVE


def judge(read: PlateRead, text: TextRead, accept_at: float) -> Rejected | None:
    """Why one picture's read is not believed by itself, None if it is."""
    if len(read.plate.key) < CHARACTERS_MIN:
        return Rejected.TOO_FEW
    if text.inner_pad:
        return Rejected.INNER_PAD
    if read.weakest < CHARACTER_MIN:
        return Rejected.WEAK
    return Rejected.BELOW if read.confidence < accept_at else None


def _placed_badly(found: Detection, image: Image) -> Rejected | None:
    """Why the find itself forbids to believe any text of it."""
    if _at_border(found.corners, image):
        return Rejected.AT_BORDER
    if found.whole < WHOLE_MIN:
        return Rejected.HIDDEN
    return Rejected.FAINT if found.score < SCORE_MIN else None


def _at_border(corners: Corners, image: Image) -> bool:
    near = min(BORDER_MAX_PX, BORDER_WIDTHS * math.dist(corners[0], corners[1]))
    right, bottom = image.shape[1] - near, image.shape[0] - near
    return any(not (near <= x <= right and near <= y <= bottom) for x, y in corners)


def _picture(halves: Halves, corners: Corners) -> Image:
    """The rectified plate in its own proportions, as evidence."""
    a, b, c, d = corners
    wide, high = math.dist(a, b) + math.dist(d, c), math.dist(a, d) + math.dist(b, c)
    width = min(CROP_WIDTH_MAX_PX, max(CROP_HEIGHT_PX, round(CROP_HEIGHT_PX * wide / max(high, 1.0))))
    return rectify(halves, corners, width, CROP_HEIGHT_PX)


def _sharpness(crop: Image) -> float:
    """Mean edge strength over contrast; falls with blur and with enlargement from few pixels."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    edges = cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L1) / grey.size
    return float(edges / (cv2.meanStdDev(grey)[1].item() + 4.0))
