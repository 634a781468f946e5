"""The character vote: unequal lengths are aligned, weight decides, nothing becomes surer than it should."""

import pytest

from recognition.fusion import Ballot, fuse


def ballot(text: str, sure: float = 0.95, weight: float = 1.0, complete: float = 0.97, **weak: float) -> Ballot:
    """A read of TEXT; `weak` gives single characters another probability."""
    options = []
    for char in text:
        value = weak.get(char, sure)
        other = "8" if char != "8" else "B"
        options.append(((char, value), (other, 1 - value)))
    return Ballot(tuple(options), complete, weight)


def text_of(*ballots: Ballot) -> str:
    return "".join(options[0][0] for options in fuse(ballots).alternatives)


def test_one_read_keeps_its_text_and_about_its_probabilities() -> None:
    fused = fuse([ballot("AB123CD", sure=0.9)])
    assert "".join(options[0][0] for options in fused.alternatives) == "AB123CD"
    assert all(options[0][1] == pytest.approx(0.9, abs=0.02) for options in fused.alternatives)


@pytest.mark.parametrize("odd", ["AAB123CD", "B123CD", "AB1123CD", "AB23CD", "AB123CDD", "AB123C"])
def test_a_doubled_or_dropped_character_does_not_shift_the_vote(odd: str) -> None:
    assert text_of(ballot(odd), ballot("AB123CD"), ballot("AB123CD")) == "AB123CD"
    assert text_of(ballot("AB123CD"), ballot("AB123CD"), ballot(odd)) == "AB123CD"


def test_reads_wrong_in_different_places_add_up_to_the_right_text() -> None:
    reads = [ballot("AB123C", weight=0.8), ballot("XB123CD", X=0.5), ballot("AB723CD", **{"7": 0.5})]
    assert text_of(*reads) == "AB123CD"


def test_a_blurred_sure_read_loses_to_sharp_ones() -> None:
    blurred = ballot("AB128CD", sure=0.97, weight=0.05)
    assert text_of(blurred, ballot("AB123CD"), ballot("AB123CD")) == "AB123CD"
    assert text_of(blurred, ballot("AB123CD", sure=0.8)) == "AB123CD"


def test_disagreement_lowers_the_probability_and_keeps_both() -> None:
    fused = fuse([ballot("AB123CD"), ballot("AB128CD")])
    third = dict(fused.alternatives[4])
    assert set(third) == {"3", "8"}
    assert max(third.values()) < 0.7


def test_many_repetitions_of_one_frame_are_not_many_witnesses() -> None:
    few = fuse([ballot("AB123CD", sure=0.8)] * 2)
    many = fuse([ballot("AB123CD", sure=0.8)] * 40)
    assert many.alternatives[0][0][1] == pytest.approx(few.alternatives[0][0][1], abs=0.01)
    assert many.alternatives[0][0][1] < 0.99


def test_doubtful_length_is_told() -> None:
    assert fuse([ballot("AB123CD"), ballot("AB123C")]).complete < 0.8
    assert fuse([ballot("AB123CD"), ballot("AB123CD")]).complete > 0.8


@pytest.mark.parametrize("count", [1, 3])
def test_probabilities_sum_to_at_most_one(count: int) -> None:
    fused = fuse([ballot("AB123CD"), ballot("B123CD"), ballot("AB129CDE")][:count])
    assert 0 <= fused.complete <= 1
    for options in fused.alternatives:
        assert sum(value for _, value in options) <= 1 + 1e-9
        assert [value for _, value in options] == sorted((value for _, value in options), reverse=True)
