"""Badge numbers are kept whole and compared whole; passes and codes are kept as digests and compared as those."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.credentials import (
    CODE_ALPHABET,
    CODE_LEN_MAX,
    CODE_LEN_MIN,
    PASS_LEN_MAX,
    PASS_LEN_MIN,
    Badge,
    BadgeRead,
    CodeRead,
    CredentialKind,
    GuestCode,
    PlateCredential,
    QrPass,
    folded,
    low_bits,
    whole_number,
)
from gate_controller.errors import BadgeError, CodeError
from gate_controller.plates import Plate

PASS = "Q1.visitor.7f3a9c01d2"
CODE = "K7M2PX94"


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
    assert QrPass.of(PASS).kind is CredentialKind.QR_PASS
    assert GuestCode.parse(CODE).kind is CredentialKind.GUEST_CODE
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


@pytest.mark.parametrize("text", ["K7M2PX94", "k7m2-px94", " K7M2 PX94 ", "k7.m2_px.94", "K7M2PX94".lower()])
def test_a_guest_code_is_one_however_it_is_typed(text: str) -> None:
    assert GuestCode.parse(text) == GuestCode.parse(CODE)
    assert CodeRead.of(text).text == GuestCode.parse(CODE).text


@pytest.mark.parametrize("pair", ["0D", "OD", "QD", "Z2", "s5", "b8", "g6", "UV"])
def test_look_alikes_on_paper_are_settled(pair: str) -> None:
    typed, meant = pair
    assert GuestCode.parse(f"K7M2PX9{typed}") == GuestCode.parse(f"K7M2PX9{meant}")


def test_no_code_has_two_characters_that_look_alike() -> None:
    assert all(folded(char) == char for char in CODE_ALPHABET)
    assert not set(CODE_ALPHABET) & set("0O1IL")


@pytest.mark.parametrize("text", ["", "K7M2P", "K7M2PX94K7M", "K7M2PX91", "K7M2PXÄ4", "K7M2\x00PX94", "٢٣٤٥٦٧"])
def test_what_is_no_guest_code_is_told_with_the_fix_and_not_repeated(text: str) -> None:
    with pytest.raises(CodeError, match="write 6 to 10 of 2345") as error:
        GuestCode.parse(text)
    assert not text or text not in str(error.value)


@pytest.mark.parametrize("text", ["", "x" * (PASS_LEN_MIN - 1), "x" * (PASS_LEN_MAX + 1), PASS + "\n", PASS + "é"])
def test_what_is_no_pass_is_told_and_not_repeated(text: str) -> None:
    with pytest.raises(CodeError, match="16 to 512 printable") as error:
        QrPass.of(text)
    assert not text or text not in str(error.value)


@pytest.mark.parametrize("digest", ["", PASS, CODE, "A" * 64, "a" * 63, "g" * 64])
@pytest.mark.parametrize("kind", [QrPass, GuestCode])
def test_a_list_entry_holds_a_digest_or_cannot_be_made(kind: type[QrPass | GuestCode], digest: str) -> None:
    with pytest.raises(CodeError) as error:
        kind(digest)
    assert not digest or digest not in str(error.value)


def test_a_pass_is_compared_exactly() -> None:
    listed = QrPass.of(PASS).text
    assert listed in CodeRead.of(PASS).texts
    for other in (PASS.lower(), PASS.upper(), PASS + " ", PASS[:-1], PASS.replace(".", "")):
        assert listed not in CodeRead.of(other).texts


def test_nothing_keeps_a_pass_or_code_in_clear() -> None:
    for text in (PASS, CODE):
        kept = f"{CodeRead.of(text)!r} {CodeRead.of(text).texts}"
        assert text not in kept
    assert PASS not in repr(QrPass.of(PASS))
    assert CODE not in repr(GuestCode.parse(CODE))


@given(st.text(max_size=40))
def test_a_read_may_be_a_code_exactly_if_it_has_the_length_of_one(text: str) -> None:
    read = CodeRead.of(text)
    assert (read.code is not None) == (CODE_LEN_MIN <= len(folded(text)) <= CODE_LEN_MAX)
    assert len(set(read.texts)) == len(read.texts)


@given(st.text(CODE_ALPHABET, min_size=CODE_LEN_MIN, max_size=CODE_LEN_MAX), st.data())
def test_one_wrong_character_is_another_code(code: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([char for char in CODE_ALPHABET if char != code[at]]))
    typo = code[:at] + other + code[at + 1 :]
    assert GuestCode.parse(code).text in CodeRead.of(code).texts
    assert GuestCode.parse(code).text not in CodeRead.of(typo).texts
