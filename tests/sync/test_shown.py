"""Codes that a device shows: what they say, that nobody else can make them, and that hostile text is none."""

import base64
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import passes
from sync.shown import CONTEXT, TEXT_LEN_MAX, issue, read
from sync.signing import CONTEXT as SPOKEN
from sync.signing import Signer

KEY, OTHER = Signer.of(bytes(32)), Signer.of(bytes([1]) * 32)
AT = datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=UTC)
WHERE = "acme/north/gatehouse"


def test_a_code_says_where_and_when_and_whose_it_is() -> None:
    code = read(issue(KEY, WHERE, "entry", AT))
    assert code is not None
    assert (code.audience, code.lane) == (WHERE, "entry")
    assert code.at == AT.replace(microsecond=123000)
    assert code.number == 1772438400123
    assert code.is_by(KEY.public)
    assert not code.is_by(OTHER.public)
    assert not code.is_by(b"no key")


def test_codes_of_other_moments_lanes_and_edges_differ_and_fit_an_address() -> None:
    codes = {issue(KEY, WHERE, "entry", AT + timedelta(milliseconds=ms)) for ms in range(3)}
    codes |= {issue(KEY, WHERE, "exit", AT), issue(KEY, f"{WHERE}2", "entry", AT)}
    assert len(codes) == 5
    longest = issue(KEY, "/".join(["x" * 32] * 3), "x" * 32, AT)
    assert len(longest) <= TEXT_LEN_MAX
    assert all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in longest)


def test_no_bit_of_it_can_be_changed() -> None:
    text = issue(KEY, WHERE, "entry", AT)
    data = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for at in range(len(data)):
        data[at] ^= 1
        code = read(base64.urlsafe_b64encode(bytes(data)).decode())
        assert code is None or not code.is_by(KEY.public)
        data[at] ^= 1


def test_a_signature_for_another_purpose_is_none_here() -> None:
    said = cbor2.dumps([WHERE, "entry", 1])
    for signed in (said, SPOKEN + said):
        forged = base64.urlsafe_b64encode(KEY.key.sign(signed) + said).decode()
        code = read(forged)
        assert code is not None
        assert not code.is_by(KEY.public)
    assert CONTEXT not in (SPOKEN, b"")
    assert passes.read(issue(KEY, WHERE, "entry", AT), {KEY.kid: KEY.key.public_key()}, "acme/north") is None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"x",
        [WHERE, "entry"],
        [WHERE, "entry", "1"],
        [1, 2, 3],
        [WHERE, "entry", 2**80],
        {"a": 1},
        [WHERE, "entry", -(2**80)],
    ],
)
def test_what_says_something_else_is_no_code(said: object) -> None:
    body = said if isinstance(said, bytes) else cbor2.dumps(said)
    assert read(base64.urlsafe_b64encode(bytes(64) + body).decode()) is None


@given(
    st.one_of(st.text(max_size=500), st.binary(max_size=300).map(lambda b: base64.urlsafe_b64encode(b).decode()))
)
def test_no_text_breaks_it(text: str) -> None:
    code = read(text)
    assert code is None or not code.is_by(KEY.public)
