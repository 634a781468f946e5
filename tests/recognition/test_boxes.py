"""A detector that gives boxes, in the form of open-image-models: a real ONNX file with a made-up answer."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from gate_controller.errors import RecognitionError
from recognition.boxes import BoxDetector, gives_boxes
from recognition.halves import Halves
from recognition.recognizer import WHOLE_MIN, Recognizer, Rejected
from recognition.training.draw import Freedom, draw_plate

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


def model(path: Path, rows: list[tuple[float, ...]], columns: int = 7, name: str = "images") -> Path:
    """An ONNX file that answers every picture with these rows, plus nought times the picture's mean."""
    table = np.array(rows, np.float32).reshape(-1, columns)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", [name], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
            helper.make_node("Add", ["rows", "nothing"], ["output"]),
        ],
        "boxes",
        [helper.make_tensor_value_info(name, FLOAT, [1, 3, 320, 320])],
        [helper.make_tensor_value_info("output", FLOAT, ["n", columns])],
        [
            helper.make_tensor("rows", FLOAT, table.shape, table.ravel()),
            helper.make_tensor("nought", FLOAT, [], [0.0]),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, path)
    return path


def picture() -> np.ndarray:
    """640 x 480 with a plate whose box is (200, 180, 440, 260): it slants, so the box is higher than it is."""
    image = np.full((480, 640, 3), 70, np.uint8)
    plate = draw_plate(("MXB", "4729"), "D", np.random.default_rng(3), freedom=Freedom(jitter=0.1, two_line=False))
    high, wide = plate.shape[:2]
    flat = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    quad = np.array([(200, 180), (440, 209), (440, 260), (200, 231)], np.float32)
    laid = cv2.warpPerspective(plate, cv2.getPerspectiveTransform(flat, quad), (640, 480), flags=cv2.INTER_AREA)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, quad.astype(np.int32), 255)
    image[mask > 0] = laid[mask > 0]
    return image


# 640 x 480 fits 320 x 320 at half its size with 40 rows of grey above and below.
BOX = (0.0, 100.0, 40.0 + 90.0, 220.0, 40.0 + 130.0, 0.0)


def test_boxes_come_back_in_the_frame_with_the_plates_own_corners(tmp_path: Path) -> None:
    path = model(tmp_path / "boxes.onnx", [(*BOX, 0.9), (0, 5, 60, 60, 75, 0, 0.1)])
    assert gives_boxes(path)
    (found,) = BoxDetector(path, detect_at=0.4).detect(Halves(picture())).plates
    assert found.score == pytest.approx(0.9)
    corners = np.array(found.corners)
    assert np.abs(corners - [(200, 180), (440, 209), (440, 260), (200, 231)]).max() < 16
    assert corners[1, 1] - corners[0, 1] > 15
    assert found.whole > WHOLE_MIN


def test_a_box_on_no_plate_stays_a_box(tmp_path: Path) -> None:
    path = model(tmp_path / "boxes.onnx", [(*BOX, 0.9)])
    (found,) = BoxDetector(path, detect_at=0.4).detect(Halves(np.full((480, 640, 3), 70, np.uint8))).plates
    assert np.allclose(found.corners, [(200, 180), (440, 180), (440, 260), (200, 260)], atol=0.5)
    assert found.whole < WHOLE_MIN


@pytest.mark.parametrize(
    ("side", "cut", "seed"), [("left", 100, 5), ("right", 73, 5), ("right", 86, 6), ("right", 73, 8)]
)
def test_what_is_left_of_a_plate_behind_something_is_not_acted_on(
    tmp_path: Path, side: str, cut: int, seed: int
) -> None:
    drawn = draw_plate(("FP", "786", "YF"), "F", np.random.default_rng(seed), freedom=Freedom(0.3, 0.0))
    small = cv2.resize(drawn, (240, round(240 * drawn.shape[0] / drawn.shape[1])), interpolation=cv2.INTER_AREA)
    low = 200 + small.shape[0]
    image = np.full((480, 640, 3), 60, np.uint8)
    image[200:low, 200:440] = small
    image[90:340, slice(90, 200 + cut) if side == "left" else slice(440 - cut, 550)] = (120, 90, 70)
    noise = np.random.default_rng(2).normal(0, 4, image.shape)
    image = np.clip(cv2.GaussianBlur(image, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)
    left, right = (200 + cut, 440) if side == "left" else (200, 440 - cut)
    row = (0.0, left / 2, 40 + 200 / 2, right / 2, 40 + low / 2, 0.0, 0.9)
    reads = Recognizer(detector=BoxDetector(model(tmp_path / "boxes.onnx", [row]), 0.4)).read(image)
    assert [read.rejected for read in reads] == [Rejected.HIDDEN]


def test_nothing_found_is_an_empty_list(tmp_path: Path) -> None:
    path = model(tmp_path / "boxes.onnx", [(*BOX, 0.2)])
    assert BoxDetector(path, detect_at=0.4).detect(Halves(picture())).plates == []


def test_another_kind_of_model_is_named(tmp_path: Path) -> None:
    path = model(tmp_path / "rows.onnx", [(*BOX, 0.9, 0.1)], columns=8)
    with pytest.raises(RecognitionError, match=r"rows\.onnx: gives no boxes .*builtin"):
        BoxDetector(path, detect_at=0.4)
    assert not gives_boxes(model(tmp_path / "other.onnx", [(*BOX, 0.9)], name="picture"))
