"""What the layouts make of a read, and what two looks at one plate make of it together."""

import pytest

from recognition.finds import Detection
from recognition.looks import Look, merged, settled_read
from recognition.ocr import TextRead

HERE = ((10.0, 10.0), (110.0, 10.0), (110.0, 34.0), (10.0, 34.0))
NEAR = ((12.0, 11.0), (118.0, 12.0), (117.0, 37.0), (11.0, 35.0))
ELSEWHERE = ((310.0, 10.0), (410.0, 10.0), (410.0, 34.0), (310.0, 34.0))


def options(text: str, sure: float = 0.99, **also: tuple[tuple[str, float], ...]) -> tuple:
    """Alternatives of TEXT; `also` replaces those of single characters."""
    return tuple(also.get(char, ((char, sure),)) for char in text)


def look(text: str, sure: float, corners: tuple = HERE, score: float = 0.8) -> Look:
    """A look whose characters are each that sure."""
    return Look.of(Detection(corners, score), TextRead(text, options(text, sure), 1.0, (("F", 0.9),), False))


def first_of(one: TextRead, two: TextRead) -> TextRead:
    """Joins as a reader without tables does."""
    return one


def test_layouts_settle_o_and_0_by_position() -> None:
    doubtful = (*options("FP7"), (("B", 0.6), ("8", 0.39)), *options("6YF"))
    read = settled_read(doubtful, (("F", 0.97),), 1.0)
    assert read.plate.key == "FP786YF"
    assert read.plate.country == "F"
    assert read.plate.groups == ("FP", "786", "YF")
    assert read.alternatives[3][0] == ("8", pytest.approx(0.99))
    assert read.confidence > 0.85


def test_a_text_that_fits_no_layout_stays_as_it_was_read() -> None:
    read = settled_read(options("0O0OI1B8"), (("F", 0.97),), 0.9)
    assert read.plate.key == "0O0OI1B8"
    assert read.plate.country is None


def test_where_the_likeliest_text_fits_no_layout_a_nearly_as_likely_one_that_does_is_taken_but_not_believed() -> (
    None
):
    doubtful = (*options("G02M"), (("I", 0.5), ("J", 0.45)), *options("K"))
    read = settled_read(doubtful, (("GB", 0.97),), 1.0)
    assert read.plate.key == "G02MJK"
    assert read.alternatives[4][0] == ("J", 0.45)
    assert 0.45 < read.confidence < 0.9
    clear = (*options("G02M"), (("I", 0.96), ("J", 0.03)), *options("K"))
    assert settled_read(clear, (("GB", 0.97),), 1.0).plate.key == "G02MIK"


def test_a_text_that_fits_no_layout_or_another_country_s_is_believed_less() -> None:
    fits = settled_read(options("FP786YF"), (("F", 0.97),), 1.0)
    foreign = settled_read(options("FP786YF"), (("NL", 0.97),), 1.0)
    nothing = settled_read(options("0X1JD9Z"), (("NL", 0.97),), 1.0)
    assert fits.confidence > 0.9 > foreign.confidence > 0.5
    assert nothing.confidence < 0.6
    short = settled_read(options("KA12"), (("D", 0.97),), 1.0)
    assert short.confidence < 0.8
    assert settled_read(options("KA12", sure=0.999), (("D", 0.97),), 1.0).confidence > 0.95


@pytest.mark.parametrize(("sign", "value", "country"), [("D", 0.95, "D"), ("D", 0.4, None), ("?", 0.95, None)])
def test_the_country_is_named_only_when_the_model_is_sure(sign: str, value: float, country: str | None) -> None:
    assert settled_read(options("KAPT538"), ((sign, value),), 1.0).plate.country == country


def test_what_no_layout_of_the_sure_country_allows_takes_little_from_a_text_that_fits() -> None:
    """The French series have no U, so a V that may be one is a V; a B may stand where an E does."""
    impossible = (*options("EL540E", 0.999), (("V", 0.78), ("U", 0.21)))
    sure = settled_read(impossible, (("F", 0.99),), 1.0)
    assert sure.plate.key == "EL540EV"
    assert sure.confidence > 0.93
    assert settled_read(impossible, (("F", 0.5), ("SK", 0.5)), 1.0).confidence < 0.9
    possible = (*options("EL540E", 0.999), (("E", 0.78), ("B", 0.21)))
    assert settled_read(possible, (("F", 0.99),), 1.0).confidence < 0.8


def test_a_text_with_a_look_alike_that_fits_as_well_is_believed_less() -> None:
    """150 DWD 68 and 1500 WD 68 are both French, and only the eye tells them apart; DW-150-FD has no double."""
    double = settled_read(options("150DWD68", 0.995), (("F", 0.99),), 1.0)
    single = settled_read(options("DW150FD", 0.995), (("F", 0.99),), 1.0)
    assert double.confidence < 0.95 < single.confidence


def test_an_incomplete_text_is_less_sure_where_a_longer_one_would_fit() -> None:
    whole = settled_read(options("KAPT53"), (("D", 0.97),), 1.0)
    doubtful = settled_read(options("KAPT53"), (("D", 0.97),), 0.5)
    assert doubtful.confidence == pytest.approx(whole.confidence / 2, abs=0.02)
    full = settled_read(options("FP786YF"), (("F", 0.97),), 1.0)
    doubtful = settled_read(options("FP786YF"), (("F", 0.97),), 0.5)
    assert 0.6 < doubtful.confidence < 0.9 < full.confidence


def test_two_searches_of_different_plates_keep_all_looks() -> None:
    both = merged([look("FP786YF", 0.99)], [look("CN123AB", 0.9, ELSEWHERE)], first_of)
    assert [one.read.plate.key for one in both] == ["FP786YF", "CN123AB"]


def test_two_looks_that_agree_are_joined_at_the_better_find() -> None:
    joined = TextRead("FP786YF", options("FP786YF", 0.999), 1.0, (("F", 0.9),), False)
    (one,) = merged([look("FP786YF", 0.9)], [look("FP786YF", 0.95, NEAR, 0.9)], lambda first, second: joined)
    assert one.found.corners == NEAR
    assert one.text is joined
    assert one.read.confidence > 0.98


@pytest.mark.parametrize("surer_first", [True, False])
def test_of_two_looks_that_disagree_the_surer_one_stays_and_loses_what_the_other_makes_likely(
    surer_first: bool,
) -> None:
    sure, other = look("FP786YF", 0.99), look("FP786VF", 0.93, NEAR)
    looks = ([sure], [other]) if surer_first else ([other], [sure])
    (one,) = merged(*looks, first_of)
    p, q = sure.read.confidence, other.read.confidence
    assert one.read.plate.key == "FP786YF"
    assert one.read.confidence == pytest.approx(p * (1 - q) / (1 - p * q))
    assert q < one.read.confidence < p
    (unlikely,) = merged([look("FP78", 0.6)], [sure], first_of)
    assert unlikely.read.confidence > 0.95 * p


def test_of_two_looks_that_are_certain_of_different_texts_neither_is_believed() -> None:
    (one,) = merged([look("FP786YF", 1.0)], [look("FP786VF", 1.0, NEAR)], first_of)
    assert one.read.confidence == 0.0


def test_a_look_over_two_finds_takes_the_place_of_both() -> None:
    left = ((10.0, 10.0), (55.0, 10.0), (55.0, 34.0), (10.0, 34.0))
    right = ((65.0, 10.0), (110.0, 10.0), (110.0, 34.0), (65.0, 34.0))
    (one,) = merged([look("FP7", 0.5, left), look("6YF", 0.5, right)], [look("FP786YF", 0.99)], first_of)
    assert one.read.plate.key == "FP786YF"
