"""From a picture to judged plate reads, with the models that ship."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from recognition.detector import Search
from recognition.finds import Detection
from recognition.frame import as_bgr
from recognition.halves import Halves
from recognition.looks import settled_read
from recognition.ocr import Ocr, TextRead, light_on_dark
from recognition.recognizer import Recognizer, Rejected, judge
from recognition.training.draw import Freedom, draw_plate


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


def options(text: str, sure: float = 0.99, **also: tuple[tuple[str, float], ...]) -> tuple:
    """Alternatives of TEXT; `also` replaces those of single characters."""
    return tuple(also.get(char, ((char, sure),)) for char in text)


def text_read(text: str, sure: float = 0.99, inner_pad: bool = False, complete: float = 1.0) -> TextRead:
    return TextRead(text, options(text, sure), complete, (("D", 0.95),), inner_pad)


def car(groups: tuple[str, ...], country: str, width: int = 220, at: tuple[int, int] = (330, 260)) -> np.ndarray:
    """A drawn plate, a little turned, on a plain car's back in a plain street."""
    image = np.empty((480, 640, 3), np.uint8)
    image[:] = np.linspace(150, 70, 480)[:, None, None]
    cv2.rectangle(image, (at[0] - 230, at[1] - 150), (at[0] + 230, at[1] + 90), (92, 60, 48), -1)
    image = cv2.GaussianBlur(image, (0, 0), 3)
    plate = draw_plate(list(groups), country, np.random.default_rng(1), freedom=Freedom(two_line=False))
    scale = width * 1.5 / plate.shape[1]
    if scale < 1:
        plate = cv2.resize(plate, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    high, wide = plate.shape[:2]
    half, flat = width / 2, width * high / wide / 2
    quad = np.array([(-half, -flat - 3), (half, -flat + 4), (half, flat + 4), (-half, flat - 3)], np.float32) + at
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    warp = cv2.getPerspectiveTransform(corners, quad.astype(np.float32))
    laid = cv2.warpPerspective(plate, warp, (640, 480))
    cover = cv2.warpPerspective(np.full((high, wide), 255, np.uint8), warp, (640, 480))
    image[cover > 127] = laid[cover > 127]
    noise = np.random.default_rng(2).normal(0, 4, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("groups", "country", "shown"),
    [
        (("FP", "786", "YF"), "F", "FP-786-YF"),
        (("14", "NJK", "9"), "NL", "14-NJK-9"),
        (("KA", "PT", "538"), "D", "KA-PT 538"),
    ],
)
def test_reads_a_drawn_plate_in_a_picture(
    recognizer: Recognizer, groups: tuple[str, ...], country: str, shown: str
) -> None:
    reads = recognizer.read(car(groups, country))
    assert [read.read.plate.key for read in reads] == ["".join(groups)]
    assert reads[0].accepted
    assert reads[0].read.plate.display() == shown
    assert reads[0].read.plate.country in (country, None)
    assert reads[0].crop.shape[0] == 64
    assert math.isclose(reads[0].width_px, 220, rel_tol=0.15)


def test_several_plates_come_most_confident_first(recognizer: Recognizer) -> None:
    both = np.hstack([car(("FP", "786", "YF"), "F"), car(("14", "NJK", "9"), "NL", 90)])
    reads = recognizer.read(both)
    assert len(reads) == 2
    assert reads[0].read.confidence >= reads[1].read.confidence
    assert {read.corners[0][0] > 640 for read in reads} == {True, False}


def test_grey_alpha_and_16_bit_pictures_read_the_same(recognizer: Recognizer) -> None:
    image = car(("FP", "786", "YF"), "F")
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    for array in (grey, grey[..., None], np.dstack([image, grey]), grey.astype(np.uint16) << 8):
        assert [read.read.plate.key for read in recognizer.read(as_bgr(array))] == ["FP786YF"]


@pytest.mark.parametrize("size", [(1, 1), (2, 700), (480, 640), (1080, 1920)])
def test_blank_pictures_hold_nothing(recognizer: Recognizer, size: tuple[int, int]) -> None:
    assert recognizer.read(np.zeros((*size, 3), np.uint8)) == []
    assert recognizer.read(np.full((*size, 3), 200, np.uint8)) == []


def test_noise_is_never_accepted(recognizer: Recognizer) -> None:
    rng = np.random.default_rng(11)
    for sigma in (0, 2, 6):
        for _ in range(10):
            image = rng.integers(0, 256, (360, 480, 3), np.uint8)
            image = image if not sigma else cv2.GaussianBlur(image, (0, 0), sigma)
            assert not any(read.accepted for read in recognizer.read(image))


@pytest.mark.parametrize("cut", [0.25, 0.5, 0.75])
def test_a_plate_partly_out_of_view_is_never_accepted(recognizer: Recognizer, cut: float) -> None:
    image = car(("FP", "786", "YF"), "F", 260, (320, 260))
    left = round(190 + 260 * cut)
    for cropped in (image[:, left:], image[:, : 640 - left]):
        assert not any(read.accepted for read in recognizer.read(np.ascontiguousarray(cropped)))


class Everywhere:
    """A detector that says what it is told."""

    def __init__(self, *found: Detection, later: tuple[Detection, ...] = ()) -> None:
        self.found, self.later = list(found), list(later)
        self.finer_searches = 0

    def detect(self, halves: Halves, _looked_for_px: float) -> Search:
        return Search(self.found, self._finer)

    def _finer(self, known: Sequence[Detection]) -> list[Detection]:
        self.finer_searches += 1
        self.known = list(known)
        return self.later


def test_a_corner_at_the_frame_s_edge_is_a_reason_to_reject() -> None:
    image = car(("FP", "786", "YF"), "F")
    inside = ((220.0, 230.0), (440.0, 237.0), (440.0, 290.0), (220.0, 283.0))
    shifted = np.ascontiguousarray(image[:, 219:])
    at_edge = tuple((x - 219.0, y) for x, y in inside)
    whole = Recognizer(detector=Everywhere(Detection(inside, 0.9))).read(image)
    cut = Recognizer(detector=Everywhere(Detection(at_edge, 0.9))).read(shifted)
    assert [read.read.plate.key for read in whole] == [read.read.plate.key for read in cut]
    assert Rejected.AT_BORDER not in [read.rejected for read in whole]
    assert [read.rejected for read in cut] == [Rejected.AT_BORDER]


def test_a_find_that_hardly_looks_like_a_plate_or_may_be_cut_is_never_accepted() -> None:
    image = car(("FP", "786", "YF"), "F")
    inside = ((220.0, 230.0), (440.0, 237.0), (440.0, 290.0), (220.0, 283.0))
    (clear,) = Recognizer(detector=Everywhere(Detection(inside, 0.8))).read(image)
    (faint,) = Recognizer(detector=Everywhere(Detection(inside, 0.5))).read(image)
    assert clear.accepted
    (cut,) = Recognizer(detector=Everywhere(Detection(inside, 0.8, whole=0.7))).read(image)
    assert (faint.read.plate, faint.rejected) == (clear.read.plate, Rejected.FAINT)
    assert (cut.read.plate, cut.rejected) == (clear.read.plate, Rejected.HIDDEN)


def test_a_faint_find_without_a_likely_text_is_no_plate() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (480, 640, 3), np.uint8)
    blurred = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    places = [
        ((x, y), (x + 90.0, y), (x + 90.0, y + 20), (x, y + 20)) for x in (50.0, 250, 450) for y in (80.0, 300)
    ]
    faint = Recognizer(detector=Everywhere(*(Detection(place, 0.5) for place in places))).read(blurred)
    assert all(read.read.confidence >= 0.01 for read in faint)
    clear = Recognizer(detector=Everywhere(*(Detection(place, 0.9) for place in places))).read(blurred)
    assert len(clear) > len(faint)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (text_read("KA1"), Rejected.TOO_FEW),
        (text_read("KAPT538", inner_pad=True), Rejected.INNER_PAD),
        (text_read("KAPT538", complete=0.5), Rejected.BELOW),
        (text_read("KAPT538", sure=0.97), Rejected.BELOW),
        (text_read("KAPT538", sure=0.4), Rejected.WEAK),
        (text_read("KAPT538", sure=0.999), None),
    ],
)
def test_each_read_is_judged_with_one_reason(text: TextRead, why: Rejected | None) -> None:
    read = settled_read(text.alternatives, text.countries, text.complete)
    assert judge(read, text, accept_at=0.9) == why


def test_one_weak_character_is_not_hidden_by_the_others() -> None:
    weak = (*options("KAPT53"), (("8", 0.49), ("3", 0.48)))
    text = TextRead("KAPT538", weak, 1.0, (), False)
    assert judge(settled_read(weak, (), 1.0), text, accept_at=0.1) == Rejected.WEAK


def test_a_plate_that_is_light_on_dark_is_read_as_its_negative_where_that_is_surer() -> None:
    class Negatives(Ocr):
        """Reads only plates that are dark on light."""

        shown = 0

        def read(self, crops: Sequence[np.ndarray]) -> list[TextRead]:
            self.shown += len(crops)
            reads = super().read(crops)
            return [
                TextRead("", (), 1.0, (("XY", 1.0),), False) if light_on_dark(crop) else read
                for crop, read in zip(crops, reads, strict=True)
            ]

    inside = ((220.0, 230.0), (440.0, 237.0), (440.0, 290.0), (220.0, 283.0))
    image = car(("FP", "786", "YF"), "F")
    for picture, crops in ((image, 1), (255 - image, 2)):
        ocr = Negatives()
        (read,) = Recognizer(detector=Everywhere(Detection(inside, 0.9)), ocr=ocr).read(picture)
        assert (read.read.plate.key, ocr.shown) == ("FP786YF", crops)
        assert (read.countries[0][0] == "XY") is (crops == 2)


class Twice(Ocr):
    """Counts what is looked at again."""

    again = 0

    def read_again(self, first: Sequence[TextRead], crops: Sequence[np.ndarray]) -> list[TextRead]:
        self.again += len(crops)
        return super().read_again(first, crops)


def test_only_what_is_not_sure_is_looked_at_again() -> None:
    ocr = Twice()
    inside = ((220.0, 230.0), (440.0, 237.0), (440.0, 290.0), (220.0, 283.0))
    eye = Everywhere(Detection(inside, 0.9))
    clear = car(("FP", "786", "YF"), "F")
    (sure,) = Recognizer(detector=eye, ocr=ocr).read(clear)
    assert (sure.read.confidence > 0.99, ocr.again) == (True, 0)
    (unsure,) = Recognizer(detector=eye, ocr=ocr).read(cv2.GaussianBlur(clear, (0, 0), 4.5))
    assert (unsure.read.confidence < 0.99, ocr.again) == (True, 1)


def test_only_where_a_read_is_unsure_the_finer_search_is_made() -> None:
    inside = ((220.0, 230.0), (440.0, 237.0), (440.0, 290.0), (220.0, 283.0))
    askew = ((215.0, 190.0), (380.0, 250.0), (470.0, 330.0), (250.0, 280.0))
    image = car(("FP", "786", "YF"), "F")
    sure = Everywhere(Detection(inside, 0.9))
    assert [read.accepted for read in Recognizer(detector=sure).read(image)] == [True]
    assert sure.finer_searches == 0
    missed = Everywhere(Detection(askew, 0.9))
    assert "FP786YF" not in [read.read.plate.key for read in Recognizer(detector=missed).read(image)]
    mended = Everywhere(Detection(askew, 0.9), later=(Detection(inside, 0.8),))
    assert [read.read.plate.key for read in Recognizer(detector=mended).read(image)] == ["FP786YF"]
    assert (missed.finer_searches, mended.finer_searches) == (1, 1)
