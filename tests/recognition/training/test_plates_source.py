"""What plates are drawn with, and the processes that draw them; where the training packages are installed."""

import io
import itertools
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("fontTools")

from recognition.training import plates_source
from recognition.training.glyphs import CHARACTERS
from recognition.training.plates_source import PlateSource, Sources, in_background


def face_of(characters: str) -> bytes:
    """A typeface in which each of these is a box."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 700), (400, 700), (400, 0)):
        pen.lineTo(point)
    pen.closePath()
    box = pen.glyph()
    codes = {ord(char): f"u{ord(char):04X}" for char in f"H{characters}"}
    names = [".notdef", *codes.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(codes)
    builder.setupGlyf(dict.fromkeys(names, box))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (450, 0)))
    builder.setupHorizontalHeader()
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def test_what_is_lent_is_counted_and_what_is_not_is_told(tmp_path: Path) -> None:
    assert PlateSource(Sources(tmp_path / "faces", tmp_path), 1).material() == (
        f"plates drawn in our own letterforms alone, no faces in {tmp_path / 'faces'} "
        f"(docs/training.md says where they come from); "
        f"on painted backgrounds alone, no street frames in {tmp_path}"
    )
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "incomplete.ttf").write_bytes(face_of("ABC"))
    assert "our own letterforms alone, no faces" in PlateSource(Sources(tmp_path / "faces"), 1).material()
    (tmp_path / "faces" / "whole.ttf").write_bytes(face_of(CHARACTERS))
    cv2.imwrite(str(tmp_path / "street.png"), np.full((720, 1280, 3), 90, np.uint8))
    (tmp_path / "street.csv").write_text("image,part,x,y,w,h\nstreet.png,train,0,0,0,0\n")
    assert PlateSource(Sources(tmp_path / "faces", tmp_path), 1).material() == (
        f"plates drawn in 1 faces of {tmp_path / 'faces'} and our own letterforms; "
        f"on 5 backgrounds of {tmp_path} and painted ones"
    )


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
