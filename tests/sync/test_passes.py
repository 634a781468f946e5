from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.credentials import PASS_LEN_MAX, PassRead
from gate_controller.errors import BadInput
from sync.passes import PREFIX, base45, issue, read, unbase45
from sync.signing import Signer

SIGNER = Signer.of(bytes(range(32)))
KEYS = {SIGNER.kid: SIGNER.key.public_key()}
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
PASS = PassRead("u-1", "ab" * 16, AT, AT + timedelta(hours=2))
SITE = "demo/garage"
TEXT = issue(SIGNER, SITE, PASS)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.binary(min_size=16, max_size=16),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(0, 10**8),
)
def test_what_is_issued_is_read(user: str, number: bytes, once: bool, guest: str, lasts_s: int) -> None:
    told = PassRead(user, number.hex(), AT, AT + timedelta(seconds=lasts_s), once, guest)
    text = issue(SIGNER, SITE, told)
    assert read(text, KEYS, SITE) == told
    assert text.isascii()
    assert text.isprintable()


def test_another_site_is_told_so() -> None:
    assert read(TEXT, KEYS, "demo/other") == replace(PASS, elsewhere=True)


def test_another_key_counts_for_nothing_even_under_the_name_of_ours() -> None:
    forger = replace(Signer.of(bytes(32)), kid=SIGNER.kid)
    assert read(issue(forger, SITE, PASS), KEYS, SITE) is None
    assert read(issue(Signer.of(bytes(32)), SITE, PASS), KEYS, SITE) is None
    assert read(TEXT, {}, SITE) is None


@given(st.integers(0, len(TEXT) - 1), st.sampled_from(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")))
def test_a_changed_character_spoils_it(at: int, character: str) -> None:
    changed = TEXT[:at] + character + TEXT[at + 1 :]
    assert read(changed, KEYS, SITE) == (PASS if changed == TEXT else None)


@given(st.integers(0, len(TEXT) - 1))
def test_a_cut_pass_is_none(length: int) -> None:
    assert read(TEXT[:length], KEYS, SITE) is None


@given(st.binary(max_size=300) | st.just(b"\xd2" + b"\x81" * 200))
def test_hostile_bytes_are_no_pass(data: bytes) -> None:
    assert read(PREFIX + base45(data), KEYS, SITE) is None


@pytest.mark.parametrize(
    "text", ["", "SB1:", "SB1", "Q1.visitor", PREFIX + "GGW", PREFIX + "A", PREFIX + "é", "x" * 9999]
)
def test_other_texts_are_no_pass(text: str) -> None:
    assert read(text, KEYS, SITE) is None


@given(st.binary(max_size=64))
def test_base45_there_and_back(data: bytes) -> None:
    assert unbase45(base45(data)) == data


def test_base45_is_the_standards() -> None:
    """The examples of RFC 9285, section 4.3."""
    assert base45(b"AB") == "BB8"
    assert base45(b"Hello!!") == "%69 VD92EX0"
    assert base45(b"base-45") == "UJCLQE7W581"


def test_a_pass_too_long_for_a_scanner_is_not_issued() -> None:
    with pytest.raises(BadInput, match=f"at most {PASS_LEN_MAX}"):
        issue(SIGNER, SITE, replace(PASS, guest="x" * 500))
