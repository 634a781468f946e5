"""Which models read at a site: those that ship, or others that its settings name.

Here names become a detector and a reader, and what is wrong with a name is said. Deliberately not here: how each of
them works (`detector.py`, `boxes.py`, `ocr.py`).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.error import URLError

from fast_plate_ocr.inference import hub

from gate_controller.errors import RecognitionError
from recognition.boxes import BoxDetector, gives_boxes
from recognition.detector import BuiltinDetector, Detector
from recognition.ocr import Ocr
from recognition.recognizer import RecognitionSettings, Recognizer

BUILTIN = "builtin"
DOWNLOAD_SILENCE_MAX_S = 20.0
"""A server that says nothing for longer is taken for no network."""


@dataclass(frozen=True, slots=True)
class Models:
    """Names as they stand in the settings.

    `ocr`: "builtin", a model of fast-plate-ocr's hub, or the path of an ONNX file with its YAML of the same name
    beside it. `detector`: "builtin", or the path of an ONNX file that gives plates' boxes or corners.
    """

    ocr: str = BUILTIN
    detector: str = BUILTIN


SHIPPED = Models()


def load_recognizer(models: Models = SHIPPED, folder: Path = Path()) -> Recognizer:
    """The recognizer with these models; paths are relative to the folder.

    Raises `RecognitionError` naming the model and the fix.
    """
    settings = RecognitionSettings()
    return Recognizer(settings, _detector(models.detector, folder, settings.detect_at), _ocr(models.ocr, folder))


def _detector(name: str, folder: Path, detect_at: float) -> Detector:
    if name == BUILTIN:
        return BuiltinDetector(detect_at=detect_at)
    path = folder / name
    return BoxDetector(path, detect_at) if gives_boxes(path) else BuiltinDetector(path, detect_at)


def _ocr(name: str, folder: Path) -> Ocr:
    if name == BUILTIN:
        return Ocr()
    path = folder / name
    if path.suffix == ".onnx":
        beside = [path.with_suffix(suffix) for suffix in (".yaml", ".yml")]
        return Ocr(path, next((config for config in beside if config.is_file()), beside[0]))
    if name not in hub.AVAILABLE_ONNX_MODELS:
        known = f'"{BUILTIN}", the path of an .onnx file, or one of ' + ", ".join(sorted(hub.AVAILABLE_ONNX_MODELS))
        raise RecognitionError(f'no reader "{name}"; write {known}')
    fix = f'delete {hub.MODEL_CACHE_DIR / name} to have it downloaded anew, or write "{BUILTIN}"'
    return Ocr(*_from_hub(name), fix)


def _from_hub(name: str) -> tuple[Path, Path]:
    """The hub's model and its YAML, from the cache or over the network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SILENCE_MAX_S)
    try:
        return hub.download_model(cast(hub.OcrModel, name))
    except (URLError, OSError, ValueError) as error:
        raise RecognitionError(
            f'reader "{name}": cannot be downloaded ({error}); connect this machine to the network once, copy the '
            f'model into {hub.MODEL_CACHE_DIR / name} or name its path, or write "{BUILTIN}"'
        ) from None
    finally:
        socket.setdefaulttimeout(before)
