"""The shipped reader through fast-plate-ocr: rectified crops in, every character's alternatives out."""

import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
from fast_plate_ocr import LicensePlateRecognizer

from gate_controller.errors import RecognitionError
from recognition.halves import Halves
from recognition.looks import settled_read
from recognition.ocr import ALTERNATIVE_MIN, LOOK_WEIGHT, MARGIN, Ocr, TextRead, rectify
from recognition.training.draw import Freedom, draw_plate

MODELS = Path(str(files("recognition.models")))


@pytest.fixture(scope="module")
def ocr() -> Ocr:
    return Ocr()


def plate(*groups: str, country: str = "D", seed: int = 0) -> np.ndarray:
    return draw_plate(list(groups), country, np.random.default_rng(seed), freedom=Freedom(two_line=False))


def test_rectifying_undoes_the_perspective() -> None:
    flat = cv2.resize(plate("MXB", "4729"), (320, 128), interpolation=cv2.INTER_AREA)
    quad = np.array([(140, 90), (420, 130), (411, 214), (131, 160)], np.float32)
    corners = np.array([(0, 0), (320, 0), (320, 128), (0, 128)], np.float32)
    scene = cv2.warpPerspective(flat, cv2.getPerspectiveTransform(corners, quad), (640, 480))
    back = rectify(Halves(scene), tuple(map(tuple, quad.tolist())), 160, 64)
    assert back.shape == (64, 160, 3)
    across, down = round(320 * MARGIN), round(128 * MARGIN)
    wider = cv2.copyMakeBorder(flat, down, down, across, across, cv2.BORDER_CONSTANT)
    want = cv2.resize(wider, (160, 64), interpolation=cv2.INTER_AREA)
    inner = (slice(6, -6), slice(8, -8))
    likeness = np.corrcoef(back[inner].ravel().astype(float), want[inner].ravel().astype(float))[0, 1]
    assert likeness > 0.85


def test_a_large_plate_is_averaged_not_sampled() -> None:
    stripes = np.zeros((400, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    back = rectify(Halves(stripes), ((100, 100), (1000, 100), (1000, 300), (100, 300)), 160, 64)
    assert float(back.std()) < 30
    assert 100 < float(back.mean()) < 155


def test_corners_outside_the_picture_repeat_its_edge() -> None:
    image = np.full((60, 80, 3), 77, np.uint8)
    assert (rectify(Halves(image), ((-50, -20), (200, -20), (200, 90), (-50, 90)), 160, 64) == 77).all()


@pytest.mark.parametrize(
    ("groups", "country"),
    [(("MXB", "4729"), "D"), (("FP", "786", "YF"), "F"), (("ZG", "4372", "KE"), "HR"), (("14", "NJK", "9"), "NL")],
)
def test_reads_drawn_plates(ocr: Ocr, groups: tuple[str, ...], country: str) -> None:
    (read,) = ocr.read([plate(*groups, country=country)])
    assert read.text == "".join(groups)
    assert read.complete > 0.9
    assert not read.inner_pad


def test_the_text_agrees_with_the_library_s_own_answer(ocr: Ocr) -> None:
    crops = [plate("MXB", "4729"), plate("AB", "123", "CD", country="F"), np.zeros((64, 160, 3), np.uint8)]
    own = LicensePlateRecognizer(
        onnx_model_path=MODELS / "ocr.onnx", plate_config_path=MODELS / "ocr.yaml", device="cpu"
    )
    sized = [cv2.resize(crop, (ocr.width_px, ocr.height_px), interpolation=cv2.INTER_AREA) for crop in crops]
    theirs = own.run([cv2.cvtColor(crop, cv2.COLOR_BGR2RGB) for crop in sized], return_confidence=True)
    for read, other in zip(ocr.read(crops), theirs, strict=True):
        assert read.text == other.plate.replace("_", "")
        assert read.countries[0][0] == other.region
        assert other.char_probs is not None
        best = [options[0][1] for options in read.alternatives if "_" not in other.plate]
        assert np.allclose(best, other.char_probs[: len(best)], atol=1e-5)


def test_alternatives_are_ordered_probabilities_of_characters(ocr: Ocr) -> None:
    blurred = cv2.GaussianBlur(plate("MXB", "4729"), (0, 0), 12)
    (read,) = ocr.read([blurred])
    assert len(read.alternatives) == len(read.text)
    assert any(len(options) > 1 for options in read.alternatives)
    for char, options in zip(read.text, read.alternatives, strict=True):
        assert options[0][0] == char
        values = [value for _, value in options]
        assert values == sorted(values, reverse=True)
        assert min(values) >= ALTERNATIVE_MIN
        assert sum(values) <= 1 + 1e-6


def test_many_crops_are_read_as_each_alone(ocr: Ocr) -> None:
    crops = [plate("MXB", "4729"), plate("KA", "AB", "12"), plate("FP", "786", "YF", country="F")]
    together = ocr.read(crops)
    for crop, read in zip(crops, together, strict=True):
        (alone,) = ocr.read([crop])
        assert alone.text == read.text
        assert alone.complete == pytest.approx(read.complete, abs=1e-4)
    assert ocr.read([]) == []


def _table(ocr: Ocr, text: str, doubt: float = 0.0) -> np.ndarray:
    """A slot table that says TEXT, with a pad for every blank."""
    alphabet = ocr._alphabet
    table = np.full((10, len(alphabet)), 1e-4)
    for slot, char in enumerate(text.ljust(10, "_")):
        table[slot, alphabet.index(char)] = 1 - doubt
    return table


def test_a_pad_between_characters_is_told(ocr: Ocr) -> None:
    gap = ocr._decode(_table(ocr, "AB_123"), np.zeros(0))
    assert gap.text == "AB123"
    assert gap.inner_pad
    assert len(gap.alternatives) == 5
    assert not ocr._decode(_table(ocr, "AB123"), np.zeros(0)).inner_pad


def test_complete_is_the_first_pad_s_probability(ocr: Ocr) -> None:
    assert ocr._decode(_table(ocr, "AB123", 0.2), np.zeros(0)).complete == pytest.approx(0.8)
    assert ocr._decode(_table(ocr, "AB12345678"), np.zeros(0)).complete == 1.0
    empty = ocr._decode(_table(ocr, ""), np.zeros(0))
    assert (empty.text, empty.alternatives) == ("", ())


def test_a_model_cut_short_is_named_with_the_fix(tmp_path: Path) -> None:
    model = tmp_path / "ocr.onnx"
    model.write_bytes((MODELS / "ocr.onnx").read_bytes()[:50_000])
    with pytest.raises(RecognitionError, match='another model, or write "builtin"') as caught:
        Ocr(model)
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecognitionError, match=r"gone\.onnx: no such file"):
        Ocr(tmp_path / "gone.onnx")
    with pytest.raises(RecognitionError, match=r"gone\.yaml: no such file"):
        Ocr(MODELS / "ocr.onnx", tmp_path / "gone.yaml")
    foreign = tmp_path / "ocr.onnx"
    shutil.copy(MODELS / "detector.onnx", foreign)
    with pytest.raises(RecognitionError, match="another kind"):
        Ocr(foreign)


@pytest.mark.parametrize(
    "change",
    [
        ("img_height: 64", "img_hight: 64"),
        ("ÄÖÜ_", "ÄÖÜ_#"),
        ("img_width: 160", "img_width: 128"),
        ("mode: rgb", "mode: grayscale"),
        ("slots: 10", "slots: 8"),
        ('  - "F"\n', ""),
        ('"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ_"', "1234"),
        ('pad_char: "_"', 'pad_char: "#"'),
        ("img_height: 64", 'img_height: "64"'),
        ("mode: rgb", "mode: bgr"),
    ],
)
def test_a_configuration_that_does_not_fit_is_named(tmp_path: Path, change: tuple[str, str]) -> None:
    config = tmp_path / "ocr.yaml"
    text = (MODELS / "ocr.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    config.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(RecognitionError, match=r"ocr\.yaml"):
        Ocr(MODELS / "ocr.onnx", config)


LABELS = (
    *(
        "Unknown",
        "Austria",
        "ALB",
        "AD",
        "Belgium",
        "BGR",
        "Bosnia and Herzegovina",
        "BLR",
        "Switzerland",
        "Cyprus",
    ),
    *(
        "Czech Republic",
        "Germany",
        "Denmark",
        "ES",
        "Estonia",
        "France",
        "FI",
        "LIE",
        "United Kingdom",
        "Greece",
        "HU",
    ),
    *(
        "Croatia",
        "ITA",
        "Ireland",
        "ISL",
        "Luxembourg",
        "Lithuania",
        "LVA",
        "Malta",
        "MCO",
        "Moldova",
        "ME",
        "Norway",
    ),
    *(
        "Netherlands",
        "North Macedonia",
        "PRT",
        "Poland",
        "Kosovo",
        "ROU",
        "San Marino",
        "Russia",
        "Sweden",
        "Slovakia",
    ),
    *("SI", "Serbia", "Turkey", "Ukraine"),
)
"""What another reader may call its regions, in the order of the shipped one's."""


def with_regions(folder: Path, labels: Sequence[str]) -> Ocr:
    """The shipped reader with other labels."""
    text = (MODELS / "ocr.yaml").read_text(encoding="utf-8")
    config = folder / "ocr.yaml"
    listed = "".join(f'  - "{label}"\n' for label in labels)
    config.write_text(text[: text.index("plate_regions:")] + "plate_regions:\n" + listed, encoding="utf-8")
    return Ocr(MODELS / "ocr.onnx", config)


def test_regions_may_be_called_by_names_and_codes(ocr: Ocr, tmp_path: Path) -> None:
    crops = [plate("FP", "786", "YF", country="F"), plate("ZG", "4372", "KE", country="HR"), plate("MXB", "4729")]
    crops += [cv2.GaussianBlur(crop, (0, 0), 3) for crop in crops]
    renamed = with_regions(tmp_path, LABELS)
    assert renamed._signs == ocr._signs
    own, other = ocr.read(crops), renamed.read(crops)
    assert {read.countries[0][0] for read in own} == {"F", "HR", "D"}
    assert other == own
    settled = [
        [settled_read(read.alternatives, read.countries, read.complete) for read in of] for of in (own, other)
    ]
    assert settled[0] == settled[1]
    assert min(read.confidence for read in settled[1][:3]) > 0.9


def test_regions_that_mean_the_same_are_one(ocr: Ocr, tmp_path: Path) -> None:
    labels = [*LABELS]
    labels[LABELS.index("MCO")] = "Argentina"
    labels[LABELS.index("San Marino")] = "FRA"
    crops = [cv2.GaussianBlur(plate("FP", "786", "YF", country="F"), (0, 0), 3), np.zeros((64, 160, 3), np.uint8)]
    together = with_regions(tmp_path, labels)
    for own, other in zip(ocr.read(crops), together.read(crops), strict=True):
        assert own.tables is not None
        assert other.tables is not None
        was, now = (
            dict(zip(one._signs, read.tables[1], strict=True)) for one, read in ((ocr, own), (together, other))
        )
        assert now.keys() == was.keys() - {"MC", "RSM"}
        assert now["?"] == pytest.approx(was["?"] + was["MC"])
        assert now["F"] == pytest.approx(was["F"] + was["RSM"])
        assert now["D"] == was["D"]


def test_a_second_look_multiplies_the_probabilities(ocr: Ocr) -> None:
    clear = plate("FP", "786", "YF", country="F")
    grey = np.full((ocr.height_px, ocr.width_px, 3), 90, np.uint8)
    (first,), (other,) = ocr.read([clear]), ocr.read([cv2.GaussianBlur(clear, (0, 0), 1.5)])
    (same,) = ocr.read_again([first], [clear])
    assert same.text == first.text
    assert same.complete >= first.complete - 1e-6
    (both,) = ocr.read_again([first], [cv2.GaussianBlur(clear, (0, 0), 1.5)])
    assert first.tables is not None
    assert other.tables is not None
    assert both.tables is not None
    mean = (first.tables[0] * other.tables[0]) ** LOOK_WEIGHT
    assert np.allclose(both.tables[0], mean / mean.sum(1, keepdims=True), atol=1e-6)
    (doubted,) = ocr.read_again([first], [grey])
    assert doubted.complete * len(doubted.text) < first.complete * len(first.text)


def test_a_read_without_tables_stays_as_it_is(ocr: Ocr) -> None:
    told = TextRead("AB12", (), 1.0, (), False)
    assert ocr.read_again([told], [plate("FP", "786", "YF", country="F")]) == [told]
    assert ocr.read_again([], []) == []


def test_a_wider_margin_shows_more_around_the_plate() -> None:
    image = np.zeros((200, 400, 3), np.uint8)
    image[50:150, 100:300] = 255
    corners = ((100.0, 50.0), (300.0, 50.0), (300.0, 150.0), (100.0, 150.0))
    assert rectify(Halves(image), corners, 160, 64)[2:-2, 2:-2].min() > 250
    assert rectify(Halves(image), corners, 160, 64, margin=0.1)[:, :4].max() < 120
