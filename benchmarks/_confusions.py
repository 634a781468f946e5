"""Where the measured confusions of the shipped reader lie, and which model they belong to."""

from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).resolve().parent / "confusions.json"


def model_digest() -> str:
    """The SHA-256 of the shipped reader's file."""
    return sha256((files("recognition.models") / "ocr.onnx").read_bytes()).hexdigest()
