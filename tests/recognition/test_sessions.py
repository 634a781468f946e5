"""Models of a wrong shape or type are told when they are loaded, not at the first picture: little ONNX files."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gate_controller.errors import RecognitionError
from recognition.choice import Models, load_recognizer
from recognition.sessions import OWN, fits, open_session

onnx = pytest.importorskip("onnx")
helper, KIND = onnx.helper, onnx.TensorProto
MODELS = Path(str(files("recognition.models")))

Part = tuple[str, int, list[Any]]

IMAGE: Part = ("image", KIND.UINT8, ["n", "h", "w", 3])
IMAGES: Part = ("images", KIND.FLOAT, [1, 3, 320, 320])
INPUT: Part = ("input", KIND.UINT8, ["n", 64, 160, 3])
PLATES: Part = ("plates", KIND.FLOAT, ["n", "rows", "cols", 9])
CHARACTERS = np.full((2, 10, 40), 0.025, np.float32)


def model(path: Path, taken: Part, given: Part, answer: np.ndarray) -> Path:
    """An ONNX file that gives the same answer to every picture that it takes; its shape shows only when it runs."""
    kind = helper.np_dtype_to_tensor_dtype(answer.dtype)
    ends = [helper.make_tensor_value_info(*part) for part in (taken, given)]
    nodes = [
        helper.make_node("Shape", [taken[0]], ["sizes"]),
        helper.make_node("Sub", ["sizes", "sizes"], ["noughts"]),
        helper.make_node("ReduceMin", ["noughts"], ["nought"], keepdims=0),
        helper.make_node("Add", ["shape", "nought"], ["same"]),
        helper.make_node("Reshape", ["answer", "same"], [given[0]]),
    ]
    values = [
        helper.make_tensor("answer", kind, answer.shape, answer.ravel()),
        helper.make_tensor("shape", KIND.INT64, [answer.ndim], answer.shape),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("taken", "given", "answer", "says"),
    [
        (
            IMAGE,
            ("plates", KIND.FLOAT, [1, 60, 80, 5]),
            zeros(1, 60, 80, 5),
            r"another kind .*80, 5\], not .*cols, 9\]",
        ),
        (("image", KIND.FLOAT, ["n", "h", "w", 3]), PLATES, zeros(2, 8, 4, 9), r"takes image tensor\(float\)"),
        (IMAGE, PLATES, zeros(2, 8, 4, 5), r"answers with float32 \[2, 8, 4, 5\], not .* \[2, 8, 4, 9\]"),
        (IMAGE, PLATES, zeros(2, 4, 2, 9), r"answers with float32 \[2, 4, 2, 9\]"),
        (("image", KIND.UINT8, [1, "h", "w", 3]), PLATES, zeros(1, 8, 4, 9), r"cannot take 2 pictures"),
        (("image", KIND.UINT8, ["n", 480, 640, 3]), PLATES, zeros(2, 60, 80, 9), r"cannot take 2 pictures"),
        (IMAGE, ("plates", KIND.INT32, PLATES[2]), np.zeros((2, 8, 4, 9), np.int32), r"answers with int32"),
        (
            ("images", KIND.FLOAT16, IMAGES[2]),
            ("output", KIND.FLOAT, [1, 7]),
            zeros(1, 7),
            r"images tensor\(float16\)",
        ),
        (IMAGES, ("output", KIND.FLOAT, []), np.array(0.0, np.float32), r"answers with float32 \[\], not .*, 7\]"),
        (
            ("images", KIND.FLOAT, ["n", 3, "h", "w"]),
            ("output", KIND.FLOAT, ["a", "b", "c"]),
            zeros(1, 5, 2100),
            r"answers with float32 \[1, 5, 2100\]",
        ),
        (("images", KIND.FLOAT, [1, 1, 320, 320]), ("output", KIND.FLOAT, [1, 7]), zeros(1, 7), r"gives no boxes"),
    ],
)
def test_a_detector_of_a_wrong_shape_or_type_is_told(
    tmp_path: Path, taken: Part, given: Part, answer: np.ndarray, says: str
) -> None:
    path = model(tmp_path / "own.onnx", taken, given, answer)
    with pytest.raises(RecognitionError, match=rf"own\.onnx: .*{says}") as caught:
        load_recognizer(Models(detector=path.name), tmp_path)
    assert str(caught.value).endswith(f"; {OWN}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("taken", "given", "answer", "says"),
    [
        (
            ("input", KIND.FLOAT, INPUT[2]),
            ("plate", KIND.FLOAT, ["n", 10, 40]),
            CHARACTERS,
            r"takes input tensor\(float\)",
        ),
        (INPUT, ("plate", KIND.FLOAT, []), np.array(0.0, np.float32), r"answers with float32 \[\]"),
        (INPUT, ("plate", KIND.FLOAT, ["n", "s", "c"]), zeros(2, 9, 40), r"answers with float32 \[2, 9, 40\]"),
        (
            ("input", KIND.UINT8, [1, 64, 160, 3]),
            ("plate", KIND.FLOAT, [1, 10, 40]),
            CHARACTERS[:1],
            r"cannot take 2",
        ),
        (INPUT, ("plate", KIND.FLOAT, ["n", 10, 40]), 100 * CHARACTERS, r"gives no probabilities"),
    ],
)
def test_a_reader_of_a_wrong_shape_or_type_is_told(
    tmp_path: Path, taken: Part, given: Part, answer: np.ndarray, says: str
) -> None:
    path = model(tmp_path / "own.onnx", taken, given, answer)
    beside_it(path)
    with pytest.raises(RecognitionError, match=rf"own\.onnx: .*{says}") as caught:
        load_recognizer(Models(ocr=path.name), tmp_path)
    assert str(caught.value).endswith(f"; {OWN}")


def beside_it(path: Path) -> None:
    text = (MODELS / "ocr.yaml").read_text(encoding="utf-8")
    path.with_suffix(".yaml").write_text(text[: text.index("plate_regions")], encoding="utf-8")


def test_models_of_the_right_shapes_are_used(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 90, np.uint8)
    beside_it(model(tmp_path / "ocr.onnx", INPUT, ("plate", KIND.FLOAT, ["n", 400]), CHARACTERS.reshape(2, -1)))
    model(tmp_path / "boxes.onnx", IMAGES, ("output", KIND.FLOAT, [1, "n", 7]), zeros(1, 3, 7))
    assert load_recognizer(Models("ocr.onnx", "boxes.onnx"), tmp_path).read(grey) == []
    undeclared = model(tmp_path / "undeclared.onnx", IMAGES, ("output", KIND.FLOAT, None), zeros(0, 7))
    assert load_recognizer(Models(detector=undeclared.name), tmp_path).read(grey) == []


def test_a_shape_with_names_fits_any_sizes() -> None:
    assert fits(["n", 10, 40], ("n", 10, 40))
    assert fits([], ("n", 10))
    assert not fits(["n", 9, 40], ("n", 10, 40))
    assert not fits(["n", 400], ("n", 10, 40))


def test_what_is_no_model_is_named_with_the_fix_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model")
    with pytest.raises(RecognitionError, match=r"a\.onnx: no usable ONNX model \(.*\); fetch it$"):
        open_session(tmp_path / "a.onnx", "fetch it")
    with pytest.raises(RecognitionError, match=r"b\.onnx: no such model file; copy it again"):
        open_session(tmp_path / "b.onnx")
