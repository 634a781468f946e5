"""Packed changes are the same again, and nothing else unpacks, whatever it would grow to."""

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.errors import MalformedMessage
from sync.packing import UNPACKED_LEN_MAX, packed, unpacked


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())))
def test_what_was_packed_is_the_same_to_the_byte(changes: list[object]) -> None:
    ops = [*map(msgspec.json.encode, changes)]
    assert [*map(bytes, unpacked(packed(ops)))] == ops
    assert unpacked(packed(map(msgspec.Raw, ops))) == unpacked(packed(ops))


@given(st.binary(max_size=40))
def test_anything_else_is_malformed(data: bytes) -> None:
    for one in (data, zlib.compress(b"x" + data), packed([b"7"])[:-1], packed([b"7"]) + b"x" + data):
        with pytest.raises(MalformedMessage, match="packed: "):
            unpacked(one)


def test_a_little_that_grows_without_end_is_malformed() -> None:
    longest = b"[" + b" " * (UNPACKED_LEN_MAX - 2) + b"]"
    assert unpacked(zlib.compress(longest)) == []
    for more in (1, 200 * UNPACKED_LEN_MAX):
        with pytest.raises(MalformedMessage, match="above"):
            unpacked(zlib.compress(longest[:-1] + b" " * more + b"]"))
