"""Badge numbers are kept whole and compared whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.credentials import Badge, BadgeRead, CredentialKind, PlateCredential, low_bits, whole_number
from gate_controller.errors import BadgeError
from gate_controller.plates import Plate


@pytest.mark.parametrize("text", ["04A22F1B", "04:a2:2f:1b", "04-A2-2F-1B", "04 a2 2f 1b", "0x04A22F1B"])
def test_a_number_is_one_however_it_is_written(text: str) -> None:
    assert Badge.parse(text) == Badge("04A22F1B", 32)


def test_leading_zeros_belong_to_the_number() -> None:
    assert Badge.parse("0004A22F1B") != Badge.parse("04A22F1B")


@pytest.mark.parametrize("text", ["", "12", "XYZ12345", "1234567890ABCDEF123456", "card 17", "٠١٢٣٤٥٦٧"])
def test_what_is_no_number_is_told_with_the_fix(text: str) -> None:
    with pytest.raises(BadgeError, match="hexadecimal"):
        Badge.parse(text)


@pytest.mark.parametrize("uid", ["", "04a22f1b", "04:A2", "A" * 21])
def test_a_badge_that_would_never_match_cannot_be_made(uid: str) -> None:
    with pytest.raises(BadgeError) as error:
        Badge(uid, 32)
    assert not uid or uid not in str(error.value)


def test_every_kind_has_its_name() -> None:
    assert Badge.parse("04A22F1B").kind is CredentialKind.BADGE
    assert PlateCredential(Plate("AB123CD")).kind is CredentialKind.PLATE
    assert {"qr_pass", "guest_code"} <= set(CredentialKind)
    assert PlateCredential(Plate("AB123CD")).text == "AB123CD"
    assert BadgeRead("04A22F1B", 32).text == "04A22F1B"


@given(st.integers(0, 2**40 - 1))
def test_a_read_is_written_in_the_width_of_its_reader(value: int) -> None:
    read = BadgeRead.of(value, 40)
    assert len(read.uid) == 10
    assert int(read.uid, 16) == value


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_low_bits_agree_exactly_when_the_numbers_do_in_those_bits(one: int, other: int) -> None:
    first, second = BadgeRead.of(one, 32), BadgeRead.of(other, 32)
    agree = one % 2**24 == other % 2**24
    assert (low_bits(first.uid, 24) == low_bits(second.uid, 24)) == agree


def test_the_same_digits_in_another_width_are_another_badge() -> None:
    assert whole_number("04A22F", 24) != whole_number("04A22F", 26)
