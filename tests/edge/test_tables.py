from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from edge.tables import FILE_LEN_MAX, did_you_mean, named_tables, read_toml, table
from gate_controller.errors import ConfigError


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(Struct):
    channel: Annotated[int, Meta(ge=1, le=8)]
    width_s: Annotated[float, Meta(gt=0)] | None = None


class Outer(Struct):
    name: Annotated[str, Meta(min_length=1, max_length=9)]
    inner: Inner
    way: Literal["in", "out"] = "in"
    colour: Colour = Colour.RED
    on: bool = True
    code: Annotated[str, Meta(pattern="^[a-z]+$", description="small letters")] = "x"
    note: str = ""


def problems_of(value: Any) -> list[str]:
    problems: list[str] = []
    table({"outer": value}, "outer", Outer, problems)
    return problems


def test_a_good_table_is_typed() -> None:
    problems: list[str] = []
    value = {"name": "n", "inner": {"channel": 3, "width_s": 2}, "way": "out", "colour": "green", "on": False}
    found = table({"outer": value}, "outer", Outer, problems)
    assert problems == []
    assert found == Outer("n", Inner(3, 2.0), "out", Colour.GREEN, False)


def test_every_mistake_of_one_table_is_named_not_only_the_first() -> None:
    found = problems_of({"nane": "n", "inner": {"channel": 9, "widht_s": 1.0}, "way": "up", "on": "yes"})
    assert found == [
        "outer.nane: unknown key; did you mean name?",
        "outer.name: missing; give text in quotes, 1 to 9 characters",
        "outer.inner.widht_s: unknown key; did you mean width_s?",
        "outer.inner.channel: 9 given; expected a whole number from 1 up to 8",
        'outer.way: "up" given; expected one of "in", "out"',
        'outer.on: "yes" given; expected true or false',
    ]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("name", 7, "outer.name: 7 given; expected text in quotes, 1 to 9 characters"),
        ("name", "", 'outer.name: "" given; expected text in quotes, 1 to 9 characters'),
        ("name", "x" * 10, 'outer.name: "xxxxxxxxxx" given; expected text in quotes, 1 to 9 characters'),
        ("note", 3, "outer.note: 3 given; expected text in quotes"),
        ("name", "a\x00b", "outer.name: holds a control character; write it without"),
        ("colour", "blue", 'outer.colour: "blue" given; expected one of "red", "green"'),
        ("code", "A1", 'outer.code: "A1" given; expected small letters'),
        ("inner", 3, "outer.inner: 3 given; write a table [outer.inner]"),
        ("inner", {"channel": True}, "outer.inner.channel: true given; expected a whole number from 1 up to 8"),
        ("inner", {"channel": [1]}, "outer.inner.channel: a list given; expected a whole number from 1 up to 8"),
        ("inner", {"channel": 1, "width_s": 0}, "outer.inner.width_s: 0 given; expected a number above 0"),
        ("inner", {"channel": 1, "width_s": {}}, "outer.inner.width_s: a table given; expected a number above 0"),
    ],
)
def test_a_wrong_value_is_shown_with_what_was_expected(key: str, value: Any, expected: str) -> None:
    good: dict[str, Any] = {"name": "n", "inner": {"channel": 1}}
    assert problems_of({**good, key: value}) == [expected]


def test_a_long_wrong_text_is_not_printed_whole() -> None:
    (found,) = problems_of({"name": "n", "inner": {"channel": 1}, "way": "x" * 10_000})
    assert len(found) < 120


def test_not_a_number_is_no_number() -> None:
    (found,) = problems_of({"name": "n", "inner": {"channel": 1, "width_s": float("nan")}})
    assert found.startswith("outer.inner.width_s: nan given")


def test_a_missing_table_is_a_problem_only_where_it_is_required() -> None:
    problems: list[str] = []
    assert table({}, "outer", Outer, problems) is None
    assert problems == []
    assert table({}, "outer", Outer, problems, required=True) is None
    assert problems == ["outer: missing; add a table [outer]"]


def test_named_tables_keep_the_good_ones_and_the_names_of_all() -> None:
    problems: list[str] = []
    data = {"parts": {"a": {"channel": 1}, "b": {"channel": 99}, "c d": {"channel": 2}}}
    good, names = named_tables(data, "parts", Inner, problems)
    assert good == {"a": Inner(1), "c d": Inner(2)}
    assert names == ("a", "b", "c d")
    assert problems == [
        "parts.b.channel: 99 given; expected a whole number from 1 up to 8",
        "parts.c d: not a name; use 1 to 32 letters, digits, - and _",
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "parts: missing; add at least one table [parts.NAME]"),
        ({"parts": {}}, "parts: missing; add at least one table [parts.NAME]"),
        ({"parts": 3}, "parts: 3 given; write tables [parts.NAME]"),
        ({"parts": [{"channel": 1}]}, "parts: a list given; write tables [parts.NAME]"),
    ],
)
def test_named_tables_that_are_none(data: dict[str, Any], expected: str) -> None:
    problems: list[str] = []
    assert named_tables(data, "parts", Inner, problems, required=True) == ({}, ())
    assert problems == [expected]


def test_a_near_name_is_offered_and_a_far_one_lists_all() -> None:
    assert did_you_mean("borad", ["board", "camera"]) == "did you mean board?"
    assert did_you_mean("zzz", ["camera", "board"]) == "known are board, camera"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b'\xef\xbb\xbf[site]\nname = "N\xc3\xb6rd"\n')
    assert read_toml(path) == {"site": {"name": "Nörd"}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = \n", "not TOML: Invalid value (at line 1, column 5)"),
        (b"a = 1\na = 2\n", "not TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b'name = "N\xf6rd"\n', "not UTF-8 at byte 9; save it as UTF-8"),
        (b"\xff\xfea\x00=\x001\x00", "not UTF-8 at byte 0; save it as UTF-8"),
        (b"a = " + b"[" * 100_000, "not TOML: "),
        (b"#" * (FILE_LEN_MAX + 1), f"larger than {FILE_LEN_MAX} bytes; is this the settings file?"),
        (b"\x00\x01\x02", "not TOML: Invalid statement (at line 1, column 1)"),
    ],
    ids=["syntax", "twice", "latin-1", "utf-16", "deep", "large", "binary"],
)
def test_a_file_that_is_no_settings_names_itself_and_the_fix(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_toml(path)
    assert str(error.value).startswith(f"{path}: {expected}")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file; check the path"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="a folder; name the settings file in it"):
        read_toml(tmp_path)
