"""Drawing in other processes: in turn, and told when one has ended; where the training packages are installed."""

import itertools
from itertools import islice

import pytest

pytest.importorskip("torch")

from recognition.training import plates_source
from recognition.training.plates_source import in_background


def test_what_several_processes_make_comes_in_turn() -> None:
    """Two that count, each every second number: whoever is ready first, the order is that of one alone."""
    stream = in_background(itertools.count, (0, 2), (1, 2))
    assert list(islice(stream, 40)) == list(range(40))


def test_a_drawing_process_that_ended_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plates_source, "ORPHAN_CHECK_S", 0.1)
    stream = in_background(range, (3,))
    assert list(islice(stream, 3)) == [0, 1, 2]
    with pytest.raises(SystemExit, match="a drawing process has ended"):
        next(stream)
