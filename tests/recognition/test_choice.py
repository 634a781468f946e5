"""Names of models become models, or one clear error."""

import socket
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from fast_plate_ocr.inference import hub

from gate_controller.errors import RecognitionError
from recognition.choice import DOWNLOAD_SILENCE_MAX_S, Models, load_recognizer

MODELS = Path(str(files("recognition.models")))
GREY = np.full((48, 64, 3), 90, np.uint8)
HUB_NAME = "cct-xs-v2-global-model"


def test_the_models_that_ship_are_the_default() -> None:
    assert load_recognizer().read(GREY) == []


def test_paths_are_relative_to_the_folder() -> None:
    recognizer = load_recognizer(Models("ocr.onnx", "detector.onnx"), MODELS)
    assert recognizer.read(GREY) == []


def test_a_reader_s_yaml_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "lone.onnx").write_bytes((MODELS / "ocr.onnx").read_bytes())
    with pytest.raises(RecognitionError, match=r"lone\.yaml: no such file"):
        load_recognizer(Models(ocr="lone.onnx"), tmp_path)
    (tmp_path / "lone.yml").write_text((MODELS / "ocr.yaml").read_text())
    assert load_recognizer(Models(ocr="lone.onnx"), tmp_path).read(GREY) == []


@pytest.mark.parametrize(
    ("models", "says"),
    [
        (Models(ocr="no-such-model"), 'no reader "no-such-model"; write "builtin"'),
        (Models(ocr="missing.onnx"), r"missing\.onnx: no such file"),
        (Models(detector="missing.onnx"), r"missing\.onnx: no such model file"),
        (Models(detector="ocr.onnx"), r"ocr\.onnx: a model of another kind"),
    ],
)
def test_a_wrong_name_is_told_with_the_fix(models: Models, says: str) -> None:
    with pytest.raises(RecognitionError, match=says):
        load_recognizer(models, MODELS)


def test_without_a_network_a_hub_name_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    waited: list[float | None] = []

    def unreachable(*_: object) -> object:
        waited.append(socket.getdefaulttimeout())
        raise URLError("no route to host")

    monkeypatch.setattr(hub, "MODEL_CACHE_DIR", tmp_path)
    monkeypatch.setattr(hub.urllib.request, "urlopen", unreachable)
    with pytest.raises(RecognitionError, match=r"cannot be downloaded .*no route to host.*builtin") as caught:
        load_recognizer(Models(ocr=HUB_NAME))
    assert HUB_NAME in str(caught.value)
    assert waited == [DOWNLOAD_SILENCE_MAX_S]
    assert socket.getdefaulttimeout() is None


def test_a_hub_model_in_the_cache_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / HUB_NAME
    folder.mkdir()
    model, config = (url.rsplit("/", 1)[1] for url in hub.AVAILABLE_ONNX_MODELS[HUB_NAME])
    (folder / model).write_bytes((MODELS / "ocr.onnx").read_bytes())
    (folder / config).write_text((MODELS / "ocr.yaml").read_text())
    monkeypatch.setattr(hub, "MODEL_CACHE_DIR", tmp_path)
    assert load_recognizer(Models(ocr=HUB_NAME)).read(GREY) == []
    (folder / model).write_bytes((folder / model).read_bytes()[:5000])
    with pytest.raises(
        RecognitionError, match=rf'; delete {folder} to have it downloaded anew, or write "builtin"$'
    ):
        load_recognizer(Models(ocr=HUB_NAME))
