"""The shipped detector on drawn plates, on nothing at all, and on model files that are no detector."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from gate_controller.errors import RecognitionError
from recognition.detector import (
    FINE_SIDE_PX,
    LONG_SIDE_PX,
    BuiltinDetector,
)
from recognition.finds import DETECTIONS_LEN_MAX, Detection
from recognition.halves import Halves
from recognition.training.draw import Freedom, draw_plate

LARGE_PX = 120.0
"""Looked for in pictures of 1280 pixels, plates of this width need no search finer than the first."""

MODELS = Path(str(files("recognition.models")))


@pytest.fixture(scope="module")
def detector() -> BuiltinDetector:
    return BuiltinDetector()


def picture(quads: list[np.ndarray], size: tuple[int, int] = (480, 640), two_line: bool = False) -> np.ndarray:
    """A plain grey picture, darkened downwards, with a drawn plate in each quad."""
    ramp = np.linspace(120, 70, size[0])[:, None, None]
    image = np.broadcast_to(ramp, (*size, 3)).astype(np.uint8).copy()
    for number, quad in enumerate(quads):
        plate = draw_plate(["MXB", "4729"], "D", np.random.default_rng(number), freedom=Freedom(two_line=two_line))
        height, width = plate.shape[:2]
        wide = float(np.linalg.norm(quad[1] - quad[0]))
        scale = min(1.0, 1.5 * wide / width)
        plate = cv2.resize(plate, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = plate.shape[:2]
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        warp = cv2.getPerspectiveTransform(corners, quad.astype(np.float32))
        back = (size[1], size[0])
        laid = cv2.warpPerspective(plate, warp, back, flags=cv2.INTER_LINEAR)
        cover = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, back)
        image[cover > 127] = laid[cover > 127]
    return image


def quad_at(
    x: float, y: float, width: float, turn: float = 0.0, lean: float = 0.0, aspect: float = 4.6
) -> np.ndarray:
    """A plate's corners around a middle, turned by degrees and with its right edge shortened."""
    half, high = width / 2, width / aspect / 2
    flat = np.array([(-half, -high), (half, -high * (1 - lean)), (half, high * (1 - lean)), (-half, high)])
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return flat @ np.array([[c, s], [-s, c]]) + (x, y)


def off(found: Detection, quad: np.ndarray) -> float:
    """Worst corner's distance as a share of the plate's height."""
    away = np.linalg.norm(np.array(found.corners) - quad, axis=1).max()
    return float(away / np.linalg.norm(quad[3] - quad[0]))


@pytest.mark.parametrize("width", [60, 120, 200, 300, 520])
@pytest.mark.parametrize("turn", [-20.0, 0.0, 9.0])
def test_finds_the_corners_of_a_drawn_plate(detector: BuiltinDetector, width: int, turn: float) -> None:
    quad = quad_at(310, 250, width, turn, lean=0.1)
    found = detector.detect(Halves(picture([quad]))).plates
    assert len(found) == 1
    assert off(found[0], quad) < 0.35
    assert found[0].score > 0.4


def test_finds_a_plate_of_two_lines(detector: BuiltinDetector) -> None:
    quad = quad_at(300, 240, 110, 4, aspect=1.4)
    found = detector.detect(Halves(picture([quad], two_line=True))).plates
    assert len(found) == 1
    assert off(found[0], quad) < 0.35


def test_corners_are_in_pixels_of_a_frame_that_was_scaled_down(detector: BuiltinDetector) -> None:
    quad = quad_at(700, 500, 260)
    found = detector.detect(Halves(picture([quad], (720, 1280)))).plates
    assert len(found) == 1
    assert off(found[0], quad) < 0.35


def test_two_plates_are_two_finds_best_first(detector: BuiltinDetector) -> None:
    quads = [quad_at(160, 150, 150), quad_at(450, 330, 180, 6)]
    found = detector.detect(Halves(picture(quads))).plates
    assert len(found) == 2
    assert sorted(min(range(2), key=lambda k: off(one, quads[k])) for one in found) == [0, 1]
    assert found[0].score >= found[1].score


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (7, 5), (33, 65), (480, 640), (1500, 1100)])
@pytest.mark.parametrize("fill", [0, 128, 255])
def test_plain_pictures_of_any_size_hold_none(detector: BuiltinDetector, size: tuple[int, int], fill: int) -> None:
    assert detector.detect(Halves(np.full((*size, 3), fill, np.uint8))).plates == []


def test_a_second_search_sees_what_is_too_small_for_the_first_but_not_what_is_known(
    detector: BuiltinDetector,
) -> None:
    quad = quad_at(900, 400, 46, 10)
    image = picture([quad], (720, 1280))
    search = detector.detect(Halves(image), LARGE_PX)
    (found,) = search.finer([])
    assert off(found, quad) < 0.3
    assert search.finer([found]) == []
    near = np.ascontiguousarray(image[200:600, 1280 - LONG_SIDE_PX :])
    assert detector.detect(Halves(near)).finer([]) == []


@pytest.mark.parametrize(("width", "size"), [(60, (1440, 2560)), (90, (2160, 3840))])
def test_a_narrow_plate_is_not_missed_in_a_large_picture(
    detector: BuiltinDetector, width: int, size: tuple[int, int]
) -> None:
    quad = quad_at(0.7 * size[1], 0.6 * size[0], width, 5)
    halves = Halves(picture([quad], size))
    (found,) = detector.detect(halves).plates
    assert off(found, quad) < 0.35
    assert detector.detect(halves, looked_for_px=400.0).plates == []


def test_only_where_no_plate_is_known_the_whole_picture_is_searched_again(detector: BuiltinDetector) -> None:
    tiny = quad_at(900, 400, 26, 0)  # the first search has no hint of it
    search = detector.detect(Halves(picture([tiny], (720, 1280))), LARGE_PX)
    (found,) = search.finer([])
    assert off(found, tiny) < 0.3
    elsewhere = replace(found, corners=((10.0, 10.0), (90.0, 10.0), (90.0, 30.0), (10.0, 30.0)))
    assert search.finer([elsewhere]) == []


class HintOnly(BuiltinDetector):
    """A detector whose first search's places are no plates on a closer look; counts the sides it searched."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: list[int] = []

    def _places(self, halves: Halves, long_side_px: int) -> Callable[[float], list[Detection]]:
        self.sides.append(long_side_px)
        if long_side_px <= LONG_SIDE_PX:
            return lambda _at: [Detection(((10, 10), (90, 10), (90, 30), (10, 30)), 0.3)]
        return super()._places(halves, long_side_px)


def test_the_whole_picture_is_searched_finer_once() -> None:
    detector = HintOnly()
    quad = quad_at(900, 400, 90, 0)
    search = detector.detect(Halves(picture([quad], (720, 1280))))
    assert len(search.plates) == 1
    assert search.finer([]) == []
    assert [side for side in detector.sides if side > LONG_SIDE_PX] == [FINE_SIDE_PX]


def test_a_second_search_sees_a_wide_plate_whole(detector: BuiltinDetector) -> None:
    quad = quad_at(640, 360, 420, 8)
    (found,) = detector.detect(Halves(picture([quad], (720, 1280)))).finer([])
    assert off(found, quad) < 0.35


@pytest.mark.parametrize(
    ("sure", "stays"),
    [
        ((0.6, 0.2, 0.8, 0.7), True),  # a passing doubt
        ((0.2, 0.6, 0.2, 0.7), True),
        ((0.6, 0.1, 0.8, 0.7), False),
        ((0.6, 0.8, 0.7, 0.2), False),  # the last look has the last word
    ],
)
def test_a_find_stays_while_its_corners_move_unless_a_look_is_sure_that_there_is_none(
    detector: BuiltinDetector, monkeypatch: pytest.MonkeyPatch, sure: tuple[float, ...], stays: bool
) -> None:
    looks: list[float] = []

    def moved(_session: object, _halves: Halves, quads: list[np.ndarray]) -> list[tuple[np.ndarray, float]]:
        if not quads:
            return []
        looks.append(sure[len(looks)])
        aside = 20.0 if len(looks) % 2 else -20.0
        return [(quad + np.array((aside, 0.0), np.float32), looks[-1]) for quad in quads]

    quad = quad_at(310, 250, 200)
    a, b, c, d = map(tuple, quad.tolist())
    monkeypatch.setattr("recognition.detector.align", moved)
    found = detector._look_closer(Halves(picture([quad])), [Detection((a, b, c, d), 0.9)])
    assert [one.whole for one in found] == ([sure[-1]] if stays else [])


def test_noise_holds_no_plate(detector: BuiltinDetector) -> None:
    rng = np.random.default_rng(5)
    found = [detector.detect(Halves(rng.integers(0, 256, (240, 320, 3), np.uint8))).plates for _ in range(25)]
    assert found == [[]] * 25


def test_lettering_and_a_time_stamp_are_no_plates(detector: BuiltinDetector) -> None:
    image = picture([])
    cv2.putText(image, "2026-03-14 07:41:09", (12, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    cv2.putText(image, "CAM 2 ENTRY", (420, 460), cv2.FONT_HERSHEY_DUPLEX, 0.8, (255, 255, 255), 1)
    assert detector.detect(Halves(image)).plates == []


def test_a_scene_full_of_plates_is_bounded(detector: BuiltinDetector) -> None:
    quads = [quad_at(80 + 160 * (k % 4), 60 + 70 * (k // 4), 120) for k in range(20)]
    assert len(detector.detect(Halves(picture(quads))).plates) == DETECTIONS_LEN_MAX


def test_long_side_is_a_multiple_of_what_the_net_takes() -> None:
    assert LONG_SIDE_PX % 32 == 0


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_model_cut_short_is_named_with_the_fix(tmp_path: Path, keep: float) -> None:
    data = (MODELS / "detector.onnx").read_bytes()
    path = tmp_path / "detector.onnx"
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(RecognitionError, match='another model, or write "builtin"') as caught:
        BuiltinDetector(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_model_and_another_kind_of_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecognitionError, match=r"nothing\.onnx: no such model file"):
        BuiltinDetector(tmp_path / "nothing.onnx")
    other = tmp_path / "detector.onnx"
    shutil.copy(MODELS / "ocr.onnx", other)
    with pytest.raises(RecognitionError, match="another kind"):
        BuiltinDetector(other)
