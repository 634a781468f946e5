from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.commands.list_check import check_list
from gate_controller.errors import ListFileError

Slagboom = Callable[..., Any]

GOOD = "external_id;plate;schedule\n4711;B-NO 1234;Mo-Fr 06:00-20:00\n4711;B-NO 1235;Mo-Fr 06:00-20:00\n"


def written(tmp_path: Path, data: str | bytes) -> Path:
    path = tmp_path / "users.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_good_list_ends_with_0(slagboom: Slagboom, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    said = slagboom("list", "check", path)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{path}: can be used: 1 users, 2 plates, 0 warnings\n"
    assert slagboom("list", "check", path, "--json").out == ""


def test_what_is_worth_a_look_is_told_and_ends_with_0(slagboom: Slagboom, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "4712;B-O 123;\n4713;B-Q 123;\n4714;XX99XX99XX;\n")
    said = slagboom("list", "check", path)
    assert (said.code, said.err) == (0, "")
    assert "4 users, 5 plates, 2 warnings" in said.out
    unusual, alike = slagboom("list", "check", path, "--json").objects()
    assert unusual["line"] == 6
    assert unusual["column"] == "plate"
    assert unusual["severity"] == "warning"
    assert unusual["message"].startswith("XX99XX99XX fits no known layout")
    assert alike["line"] == 5
    assert "could open for each other" in alike["message"]
    assert alike["file"] == str(path)


def test_every_bad_row_is_named_and_the_code_is_2(slagboom: Slagboom, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "4711;B-NO 1236;Sa 06:00-20:00\n;B-NO 1\n4712;;\n4713;B-NO 1234;\n")
    said = slagboom("list", "check", path)
    assert (said.code, said.out) == (2, "")
    assert [line.split(":")[2].strip() for line in said.err.splitlines()] == [
        "line 4, column schedule",
        "line 5, column external_id",
        "line 6, column plate",
        "line 7, column plate",
    ]
    as_json = slagboom("list", "check", path, "--json")
    assert as_json.code == 2
    assert [(found["line"], found["column"], found["severity"]) for found in as_json.objects()] == [
        (4, "schedule", "error"),
        (5, "external_id", "error"),
        (6, "plate", "error"),
        (7, "plate", "error"),
    ]


BAD = {
    "missing": (None, "no such file"),
    "empty": (b"", "is empty"),
    "latin-1": ("external_id,plate\nMüller,B-NO 1\n".encode("latin-1"), "not UTF-8"),
    "utf-16": ("external_id,plate\n1,B-NO 1\n".encode("utf-16"), "UTF-16"),
    "contradicting rows": (GOOD + "4711;B-NO 9;Sa 06:00-20:00\n", "make the rows of one user agree"),
    "one plate, two users": (GOOD + "4712;b no-1234;\n", "a plate has one user"),
    "10 MB cell": ("external_id,plate\n1," + "A" * 10_000_000 + "\n", "a cell of"),
    "10 MB first line": ("external_id,plate," + "A" * 10_000_000 + "\n", "first line"),
    "no columns": ("plate\nB-NO 1\n", "external_id missing"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_the_file_and_the_fix(
    slagboom: Slagboom, tmp_path: Path, name: str
) -> None:
    data, expected = BAD[name]
    path = tmp_path / "none.csv" if data is None else written(tmp_path, data)
    said = slagboom("list", "check", path)
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.startswith(f"error: {path}: ")
    assert expected in line
    assert len(line) < 300


def test_a_folder_is_no_list(slagboom: Slagboom, tmp_path: Path) -> None:
    assert "is a folder; name the CSV file in it" in slagboom("list", "check", tmp_path).err


def test_called_without_the_command_it_raises(tmp_path: Path) -> None:
    with pytest.raises(ListFileError):
        check_list(tmp_path / "none.csv", as_json=False)
