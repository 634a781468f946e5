"""The model files in the package, each checked against the sum it was shipped with.

Deliberately not here: what is done with a model (`detector.py`, `ocr.py`) and models that a site names itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from gate_controller.errors import RecognitionError

SUMS = "SHA256SUMS"
ANEW = "install the package anew"
"""What to do about a file that ships and cannot be used."""


@contextmanager
def shipped(name: str) -> Iterator[Path]:
    """The path of a shipped file while the context lasts.

    Raises `RecognitionError` when it is missing or not, byte for byte, what was shipped.
    """
    folder = files("recognition.models")
    with as_file(folder / name) as path:
        if not path.is_file():
            raise RecognitionError(f"{path}: no such model file; {ANEW}")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        sums = {file: total for total, file in map(str.split, (folder / SUMS).read_text().splitlines())}
        if found != sums.get(name):
            raise RecognitionError(f"{path}: is not the file that was shipped (sha256 {found[:12]}...); {ANEW}")
        yield path
