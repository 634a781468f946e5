"""Opens ONNX models, and says of those that cannot be used what is wrong before any picture comes.

Deliberately not here: what is done with a model, and which it is (`choice.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gate_controller.errors import RecognitionError

OWN = 'copy it again from its source, name another model, or write "builtin"'
"""What to do about a file that a site names itself."""

UINT8, FLOAT = "tensor(uint8)", "tensor(float)"

TRIAL_LEN = 2
"""Pictures of a trial: a model that takes one at a time only would fail at the first frame with two plates."""

Shape = tuple[int | str, ...]
"""Sizes, and a name for each that may be any."""

Part = tuple[str, Shape]
"""An input or output by its name."""


def session_options() -> ort.SessionOptions:
    """One thread, errors as exceptions only: fastest for nets of this size, and the other cores are the lanes'."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def open_session(path: Path, fix: str = OWN) -> ort.InferenceSession:
    """A session of an ONNX file. Raises `RecognitionError` naming the file and the fix."""
    if not path.is_file():
        raise RecognitionError(f"{path}: no such model file; {fix}")
    try:
        return ort.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises bare classes of its own for each kind of damage
        raise RecognitionError(f"{path}: no usable ONNX model ({reason(error)}); {fix}") from None


def load_session(path: Path, taken: Part, given: Part, fix: str) -> ort.InferenceSession:
    """A session of a model that takes bytes as this input, and among whose outputs is this one.

    Raises `RecognitionError` naming the file and the fix.
    """
    session = open_session(path, fix)
    gives = [part.shape for part in session.get_outputs() if part.name == given[0]]
    if not takes(session, taken, UINT8) or not gives or not fits(gives[0], given[1]):
        raise RecognitionError(f"{path}: a model of another kind ({told(session, taken, UINT8, given)}); {fix}")
    return session


def takes(session: ort.InferenceSession, part: Part, kind: str) -> bool:
    """Whether this is the model's only input."""
    name, shape = part
    parts = [(one.name, one.type, len(one.shape)) for one in session.get_inputs()]
    return parts == [(name, kind, len(shape))] and fits(session.get_inputs()[0].shape, shape)


def fits(declared: Sequence[Any], shape: Shape) -> bool:
    """Whether a shape that a model declares may be this one; where it declares none, only a trial can tell."""
    if not declared:
        return True
    pairs = zip(declared, shape, strict=False)
    return len(declared) == len(shape) and all(
        one == two for one, two in pairs if isinstance(one, int) and isinstance(two, int)
    )


def told(session: ort.InferenceSession, taken: Part, kind: str, given: Part) -> str:
    """What a model takes and gives, and what it would have to, for people."""
    takes, gives = (
        ", ".join(f"{part.name} {part.type} {_sizes(part.shape)}" for part in parts)
        for parts in (session.get_inputs(), session.get_outputs())
    )
    needed = f"{taken[0]} {kind} {_sizes(taken[1])} and {given[0]} {FLOAT} {_sizes(given[1])}"
    return f"takes {takes} and gives {gives}, not {needed}"


def tried(
    path: Path, session: ort.InferenceSession, batch: NDArray[Any], outputs: list[str], fix: str
) -> list[NDArray[Any]]:
    """The model's answer to pictures of nothing: what it declares is only a part of what it can take and gives.

    Raises `RecognitionError` naming the file and the fix.
    """
    try:
        return [np.asarray(one) for one in session.run(outputs, {session.get_inputs()[0].name: batch})]
    except Exception as error:  # as in `open_session`
        asked = f"{len(batch)} pictures as {batch.dtype} {_sizes(batch.shape)}"
        raise RecognitionError(f"{path}: cannot take {asked} ({reason(error)}); {fix}") from None


def expect(path: Path, given: NDArray[Any], shape: Shape, fix: str) -> None:
    """Raises `RecognitionError` naming the file and the fix when an answer is no fractions of this shape."""
    if given.dtype.kind != "f" or given.ndim != len(shape) or not fits(given.shape, shape):
        answer = f"{given.dtype} {_sizes(given.shape)}"
        raise RecognitionError(f"{path}: answers with {answer}, not with fractions {_sizes(shape)}; {fix}")


def reason(error: Exception) -> str:
    """The first words of an exception of onnxruntime's."""
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__


def _sizes(shape: Iterable[Any]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
