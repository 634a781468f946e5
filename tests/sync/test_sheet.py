"""Text and rows of a spreadsheet's file; what cannot be read names its line. More of it in `test_listfile`."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.sheet import CELL_LEN_MAX, Unusable, rows_of, text_of

NEEDED = ("external_id", "plate")


def rows(data: bytes) -> list[tuple[int, list[str]]]:
    return list(rows_of(text_of(data, NEEDED), NEEDED))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [b",", b";", b"\t"])
def test_cells_are_parted_and_stripped_and_rows_know_their_line(mark: bytes, separator: bytes) -> None:
    text = b'external_id,plate\n a ,"x\ny"\nb,z\n'.replace(b",", separator)
    assert rows(mark + text) == [(1, ["external_id", "plate"]), (2, ["a", "x\ny"]), (4, ["b", "z"])]


@pytest.mark.parametrize(
    ("data", "line", "told"),
    [
        (b" \r\n", 0, "is empty"),
        (b"\xff\xfea", 1, "UTF-16"),
        (b"external_id,plate\n\xe4,b", 2, "0xE4 is not UTF-8"),
        (b"external_id,plate\na,\0", 2, "zero byte"),
        (b'external_id,plate\na,"b', 2, "quotes are not balanced"),
        (b"external_id,plate\na," + b"b" * (CELL_LEN_MAX + 1), 2, "a cell of 1001 characters"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(data: bytes, line: int, told: str) -> None:
    with pytest.raises(Unusable, match=told) as error:
        rows(data)
    assert error.value.line == line


@given(st.binary())
def test_whatever_the_bytes_are_they_are_rows_or_unusable(data: bytes) -> None:
    with suppress(Unusable):
        lines = [line for line, _ in rows(data)]
        assert lines == sorted(set(lines))
