"""Letterforms: every character has its own shape, and the shapes that tell look-alikes apart do."""

import numpy as np
import pytest

from recognition.training.glyphs import CHARACTERS, GLYPH_HEIGHT_PX, HANDS, alphabet, glyph, perturbed


@pytest.mark.parametrize("hand", HANDS)
def test_every_glyph_fills_its_height_and_not_its_box(hand: str) -> None:
    for char, mask in alphabet(HANDS[hand]).items():
        assert mask.shape[0] == GLYPH_HEIGHT_PX
        assert mask[:4].max() > 100, (hand, char)
        assert mask[-4:].max() > 100, (hand, char)
        if char not in "1I":
            assert 0.1 < mask.mean() / 255 < 0.85, (hand, char)


@pytest.mark.parametrize("hand", HANDS)
def test_no_two_characters_look_the_same(hand: str) -> None:
    masks = alphabet(HANDS[hand])
    width = max(mask.shape[1] for mask in masks.values())
    flat = {char: np.pad(mask, ((0, 0), (0, width - mask.shape[1]))).astype(float) for char, mask in masks.items()}
    for one in CHARACTERS:
        for two in CHARACTERS:
            if one < two and {one, two} != {"0", "O"}:
                assert np.abs(flat[one] - flat[two]).mean() > 2.0, (one, two)


def test_the_german_zero_is_cut_and_the_o_is_not() -> None:
    zero, letter = glyph("0", HANDS["fe"]), glyph("O", HANDS["fe"])
    # Going round the upper right corner, the zero's stroke is broken.
    assert zero[6:30, -22:].min() < 40
    assert zero.shape[1] < letter.shape[1]
    corner = (slice(8, 26), slice(zero.shape[1] - 22, zero.shape[1] - 8))
    assert zero[corner].mean() < letter[corner[0], letter.shape[1] - 22 : letter.shape[1] - 8].mean() - 30


def test_perturbing_moves_shapes_but_only_as_far_as_asked() -> None:
    hand = HANDS["din"]
    still = perturbed(hand, np.random.default_rng(1), 0.0)
    moved = perturbed(hand, np.random.default_rng(1), 1.0)
    assert np.array_equal(glyph("R", still), glyph("R", hand))
    assert moved.weight != hand.weight
    assert 0.07 <= moved.weight <= 0.24


def test_an_unknown_character_is_refused() -> None:
    with pytest.raises(KeyError):
        glyph("?", HANDS["din"])
