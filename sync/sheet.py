"""A spreadsheet saved as CSV, as rows of cells: UTF-8 with or without a byte order mark; comma, semicolon or tab.

Not here: what the columns mean (`listfile`).
"""

import csv
import io
from collections.abc import Collection, Iterator
from typing import Final

CELL_LEN_MAX: Final = 1000
"""Characters."""


class Unusable(Exception):
    """The file as a whole cannot be read further, from this line on; line 0 is the file itself."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def text_of(data: bytes, needed: Collection[str]) -> str:
    """The file's text; `needed` are columns to name when it is empty. Raises `Unusable`."""
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise Unusable(0, f"is empty; the first line must name the columns, at least {','.join(needed)}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unusable(1, "is UTF-16; save it as 'CSV UTF-8'")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02X}"
        raise Unusable(line, f"byte {byte} is not UTF-8; save the file as 'CSV UTF-8', not 'ANSI'") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Unusable(line, "holds a zero byte, so this is no text; export the list as 'CSV UTF-8'")
    return text


def rows_of(text: str, needed: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it begins on; it may run over several lines inside quotes. Raises `Unusable`.

    `needed` are columns by which the separator of the first line is told.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, needed), strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field larger" in str(error):
                raise Unusable(line, _too_long(csv.field_size_limit())) from None
            raise Unusable(line, f"quotes are not balanced ({error}); close them or double those inside") from None
        for cell in row:
            if len(cell) > CELL_LEN_MAX:
                raise Unusable(line, _too_long(len(cell)))
        yield line, [cell.strip() for cell in row]
        line = reader.line_num + 1


def _too_long(length: int) -> str:
    return (
        f"a cell of {length} characters or more; at most {CELL_LEN_MAX}, "
        "look for a missing separator or an open quote"
    )


def _delimiter(text: str, needed: Collection[str]) -> str:
    """The separator under which the first line holds the needed columns, else the one that parts it most."""
    first = text.lstrip("\r\n").partition("\n")[0]
    if len(first) > 100 * CELL_LEN_MAX:
        raise Unusable(1, f"{len(first)} characters in the first line; it must name the columns")
    by_count = sorted(",;\t", key=first.count, reverse=True)
    for delimiter in by_count:
        names = {name.strip().strip('"').strip().lower() for name in first.split(delimiter)}
        if names.issuperset(needed):
            return delimiter
    return by_count[0]
