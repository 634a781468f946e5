"""Clean plates: repeatable for a seed, drawable for every country, different where the text or country is."""

import numpy as np
import pytest

from recognition.training.draw import Freedom, draw_plate, style_of
from recognition.training.glyphs import HANDS
from recognition.training.styles import STYLES
from recognition.training.texts import Text, sample_text

PLAIN = Freedom(jitter=0.0, two_line=False, extras=False)


def _texts_by_country() -> dict[str, Text]:
    rng, found = np.random.default_rng(11), {}
    while len(found) < len(STYLES):
        text = sample_text(rng)
        if text.regular:
            found.setdefault(text.country, text)
    return found


def test_the_same_seed_draws_the_same_plate_and_another_does_not() -> None:
    one, again, other = (draw_plate(("OS", "355", "MT"), "HR", np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert np.array_equal(one, again)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_every_country_draws_its_own_texts() -> None:
    for country, text in _texts_by_country().items():
        plate = draw_plate(text.groups, country, np.random.default_rng(3))
        assert plate.dtype == np.uint8
        assert plate.shape[2] == 3
        assert plate.std() > 20, country


def test_every_style_names_a_hand_that_exists() -> None:
    assert {style.hand for styles in STYLES.values() for style in styles} <= set(HANDS)


def test_text_and_country_both_change_the_picture() -> None:
    def draw(groups: tuple[str, ...], country: str) -> np.ndarray:
        return draw_plate(groups, country, np.random.default_rng(1), freedom=PLAIN)

    base = draw(("AB", "123", "CD"), "F")
    assert not np.array_equal(base, draw(("AB", "123", "CE"), "F"))
    dutch = draw(("14", "NJK", "9"), "NL")
    # Yellow: little blue, much green and red, in the middle of the upper edge where no letter stands.
    blue, green, red = dutch[6:12, 100:400].reshape(-1, 3).mean(0)
    assert blue < 100 < green < red


def test_french_series_differ_in_style() -> None:
    assert style_of("F", ("AB", "123", "CD")) is not style_of("F", ("1020", "HG", "90"))


def test_two_lines_make_a_taller_plate() -> None:
    two = draw_plate(("B", "NO", "1234"), "D", np.random.default_rng(2), freedom=Freedom(two_line=True))
    one = draw_plate(("B", "NO", "1234"), "D", np.random.default_rng(2), freedom=Freedom(two_line=False))
    assert two.shape[1] / two.shape[0] < 2 < one.shape[1] / one.shape[0]


def test_a_long_text_is_squeezed_into_its_plate() -> None:
    plate = draw_plate(("WWW", "WWWW", "WWW"), "D", np.random.default_rng(2), freedom=PLAIN)
    # Ten wide letters would be far wider than the plate; the strip inside its border stays free of ink.
    assert plate[30:-30, -10:-6].min() > 150


@pytest.mark.parametrize("groups", [(), ("",), ("AB", "1?3")])
def test_what_cannot_be_drawn_is_refused(groups: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"glyph|character"):
        draw_plate(groups, "F", np.random.default_rng(1))
