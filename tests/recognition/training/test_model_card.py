"""Plates of every country are drawn, read and told in the card; the card's figures of the nets are theirs."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from recognition.training import model_card
from recognition.training.aligner_net import AlignerNet
from recognition.training.detector_net import PlateNet
from recognition.training.evaluate import COLUMNS, TILE_PX
from recognition.training.model_card import BEGIN, END, Answer, measure, misread, table, texts, written
from recognition.training.ocr_net import OcrNet

CARDS = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text()


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    return measure(("F", "RO"), 8, None)


def test_every_country_has_as_many_texts() -> None:
    signs = [text.country for text in texts(("F", "IS"), 3, np.random.default_rng(1))]
    assert sorted(signs) == ["F"] * 3 + ["IS"] * 3


def test_most_of_what_is_drawn_is_read_and_counted(answers: list[Answer]) -> None:
    right = sum(answer.right for answer in answers)
    assert right >= 8
    rows = table(answers).splitlines()
    assert [row.split(" | ")[0] for row in rows[-3:]] == ["| F", "| RO", "| all"]
    assert f"| {right} of 16 |" in rows[-1]
    assert all(answer.crop.shape == answers[0].crop.shape for answer in answers)


def test_what_is_misread_is_shown_the_surest_first(answers: list[Answer]) -> None:
    wrong = [answer for answer in answers if answer.read and not answer.right]
    rows = max(1, -(-len(wrong) // COLUMNS))
    assert misread(answers).shape == (rows * TILE_PX[1], COLUMNS * TILE_PX[0], 3)
    assert misread([]).shape[0] == TILE_PX[1]


def test_only_what_is_between_the_marks_is_written_anew() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert written(page, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="put them around"):
        written("no marks", "new")


def test_the_cards_tell_how_many_parameters_the_nets_have() -> None:
    for net in (PlateNet(), AlignerNet(), OcrNet()):
        millions = sum(part.numel() for part in net.parameters()) / 1e6
        assert f"{millions:.2f} million parameters" in CARDS


def test_the_gallery_is_beside_the_cards() -> None:
    assert model_card.GALLERY in CARDS
