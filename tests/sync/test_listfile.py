"""Spreadsheets become allowlists, or every problem is told by line and column and nothing is used."""

import tempfile
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.changes import PermitPut, UserPut
from gate_controller.credentials import CodeRead
from gate_controller.errors import ListFileError
from gate_controller.plates import Plate
from gate_controller.users import Action
from sync.listfile import PROBLEMS_MAX, ListFile, derived_id, read_list

BERLIN = ZoneInfo("Europe/Berlin")
HEADER = "external_id plate country user_id name badge groups valid_from valid_to schedule pool_size"
FULL = (
    HEADER.replace(" ", "{0}")
    + """
e1{0}B-NO 1234{0}DE{0}u1{0}Änne{0}04:A2:2F:1B{0}staff|night{0}2026-01-01{0}2026-06-30{0}Mo-Fr 06:00-20:00{0}
e1{0}TÖL SL 12{0}D{0}u1{0}Änne{0}04:A2:2F:1B{0}staff|night{0}2026-01-01{0}2026-06-30{0}Mo-Fr 06:00-20:00{0}
fleet{0}K-AB 77{0}{0}{0}{0}{0}{0}{0}{0}{0}12
"""
)


@pytest.fixture
def listed(tmp_path: Path) -> "Listed":
    return Listed(tmp_path / "LIST.csv")


class Listed:
    """Writes a file and reads it as a list."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, content: str | bytes) -> ListFile:
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_list(self.path, BERLIN)

    def refused(self, content: str | bytes) -> list[str]:
        with pytest.raises(ListFileError) as error:
            self(content)
        for problem in error.value.problems:
            assert problem.startswith(f"{self.path}: ")
            assert len(problem) < 400
        return [problem.removeprefix(f"{self.path}: ") for problem in error.value.problems]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_full_list_as_any_spreadsheet_writes_it(
    listed: Listed, separator: str, encoding: str, ending: str
) -> None:
    content = FULL.format(separator).replace("\n", ending).encode(encoding)
    allowlist = listed(content).allowlist
    person = allowlist.user("u1")
    assert person is not None
    assert (person.external_id, person.name, person.groups) == ("e1", "Änne", ("staff", "night"))
    assert [credential.plate.display() for credential in person.plates] == ["B-NO 1234", "TÖL-SL 12"]
    assert [credential.plate.country for credential in person.plates] == ["D", "D"]
    assert person.badges[0].uid == "04A22F1B"
    fleet = allowlist.user_by_external("fleet")
    assert fleet is not None
    assert (fleet.pool_size, fleet.name, fleet.badges) == (12, None, ())


def test_every_user_may_park_everywhere_within_its_schedule_and_validity(listed: Listed) -> None:
    file = listed(FULL.format(","))
    person = file.allowlist.user("u1")
    assert person is not None
    (permit,) = file.allowlist.permits_of(person)
    assert permit.action is Action.PARK
    assert permit.covers("any lane")
    assert permit.valid_from == datetime(2026, 1, 1, tzinfo=BERLIN)
    assert permit.valid_to == datetime(2026, 7, 1, tzinfo=BERLIN), "the last day counts"
    assert permit.schedule is not None
    assert permit.schedule.allows(datetime(2026, 1, 5, 7))
    assert not permit.schedule.allows(datetime(2026, 1, 4, 7))
    fleet = file.allowlist.user_by_external("fleet")
    assert fleet is not None
    (unlimited,) = file.allowlist.permits_of(fleet)
    assert (unlimited.schedule, unlimited.valid_from, unlimited.valid_to) == (None, None, None)
    assert [type(change) for change in file.changes] == [UserPut, PermitPut] * 2


def test_a_missing_user_id_is_derived_stably(listed: Listed) -> None:
    one = listed("external_id,plate\nanna,AB-123-CD\n").allowlist.user_by_external("anna")
    other = listed("plate;external_id\nK-AB 1;bob\nAB-123-CD;anna\n").allowlist.user_by_external("anna")
    assert one == other
    assert one is not None
    assert one.id == derived_id("anna") == "x-d04474cc4b844a8c"


def test_the_same_bytes_have_the_same_epoch(listed: Listed) -> None:
    text = "external_id,plate\nanna,AB-123-CD\n"
    assert listed(text).allowlist.epoch == listed(text).allowlist.epoch
    assert listed(text).allowlist.epoch != listed(text + "bob,K-AB 1\n").allowlist.epoch


def test_quoted_cells_blank_lines_and_moments_with_an_offset(listed: Listed) -> None:
    file = listed('external_id,plate,name,valid_to\n\n"e,1",AB-123-CD,"O""Neil, Ann",2026-01-01T18:00+00:00\n,,,\n')
    person = file.allowlist.user_by_external("e,1")
    assert person is not None
    assert person.name == 'O"Neil, Ann'
    (permit,) = file.allowlist.permits_of(person)
    assert permit.valid_to == datetime(2026, 1, 1, 19, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("e1,", "line 2, column plate: empty"),
        (",AB123CD", "line 2, column external_id: empty"),
        ("e1,A", "line 2, column plate: plate 'A': 1 letters and digits"),
        ("e1,AB#12", "line 2, column plate: plate 'AB#12': '#' cannot be on a plate"),
        ("e1,AB123CD,too,many", "line 2: 4 cells under 2 columns"),
        ("e1,AB123CD\ne2,ab-123-cd", "line 3, column plate: AB-123-CD belongs to 'e1' (line 2) and to 'e2'"),
    ],
)
def test_bad_rows_are_named_by_line_and_column(listed: Listed, row: str, told: str) -> None:
    (problem,) = listed.refused(f"external_id,plate\n{row}\n")
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("country", "Germany", "is no country"),
        ("badge", "card 7", "hexadecimal"),
        ("code", "K7M2", "guest code of 4 characters: write 6 to 10"),
        ("code", "K7M2PX91", "write 6 to 10 of 2345"),
        ("pass", "short", "QR pass of 5 characters: write 16 to 512"),
        ("pass", "visitor é 7f3a9c01d2", "printable ASCII"),
        ("valid_from", "31.12.2026", "is no date; write 2026-12-31"),
        ("valid_to", "2026-13-01", "is no date"),
        ("valid_to", "9999-12-31T25:00", "is no date"),
        ("schedule", "Mo-Xx 06:00-20:00", "'Xx' is no weekday"),
        ("pool_size", "0", "how many vehicles"),
        ("pool_size", "many", "how many vehicles"),
        ("pool_size", "9" * 40, "how many vehicles"),
    ],
)
def test_bad_cells_are_named_with_their_fix(listed: Listed, column: str, cell: str, told: str) -> None:
    (problem,) = listed.refused(f"external_id,plate,{column}\ne1,AB123CD,{cell}\n")
    assert problem.startswith(f"line 2, column {column}: ")
    assert told in problem


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("name", "Ann", "Bob"),
        ("name", "Ann", ""),
        ("user_id", "u1", "u2"),
        ("badge", "04A22F1B", "04A22F1C"),
        ("code", "K7M2PX94", "K7M2PX95"),
        ("groups", "a", "a|b"),
        ("valid_to", "2026-12-31", "2027-12-31"),
        ("schedule", "", "Mo-Fr"),
        ("pool_size", "1", "2"),
    ],
)
def test_contradicting_rows_of_one_user(listed: Listed, column: str, one: str, other: str) -> None:
    (problem,) = listed.refused(f"external_id,plate,{column}\ne1,AB123CD,{one}\ne1,AB124CD,{other}\n")
    assert problem.startswith(f"line 3, column {column}: {other!r}, but 'e1' has {one!r} on line 2")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("e1,AB123CD,u1,\ne2,AB124CD,u1,", "line 3, column user_id: 'u1' is 'e1' on line 2"),
        ("e1,AB123CD,,04A22F1B\ne2,AB124CD,,04:a2:2f:1b", "line 3, column badge: belongs to 'e1' (line 2) too"),
    ],
)
def test_what_belongs_to_one_user_is_not_given_to_another(listed: Listed, rows: str, told: str) -> None:
    (problem,) = listed.refused(f"external_id,plate,user_id,badge\n{rows}\n")
    assert problem.startswith(told)


def test_pool_vehicles_and_other_groups_may_share_a_key(listed: Listed) -> None:
    listed("external_id,plate,pool_size\ne1,AB123CD,\nfleet,AB123CD,5\n")
    listed("external_id,plate\nberlin,B NO 1234\nbonn,BN O 1234\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n  \n", "is empty"),
        (b"external_id,plate\n", "line 1: no rows"),
        (b"id;kennzeichen\n1;AB123CD\n", "line 1: column external_id and plate missing"),
        (b"external_id,kennzeichen\n1,AB123CD\n", "line 1: column plate missing"),
        ("external_id,plate\ne1,AB123CD\ne2,TÖL SL 1\n".encode("latin-1"), "line 3: byte 0xD6 is not UTF-8"),
        ("external_id,plate\ne1,AB123CD\n".encode("utf-16"), "line 1: is UTF-16"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "line 1: byte 0x89 is not UTF-8"),
        (b"external_id,plate\ne1,AB\x00123\n", "line 2: holds a zero byte"),
        (b"external_id,plate\ne1," + b"A" * 10_000_000 + b"\n", "line 2: a cell of"),
        (b'external_id,plate\ne1,AB123CD\ne2,"AB1\n' + b"A\n" * 5_000_000, "line 3: a cell of"),
        (b"external_id,plate\ne1," + b"A" * 5_000 + b"\n", "line 2: a cell of 5000 characters"),
        (b'external_id,plate\ne1,"AB123CD"x\n', "line 2: quotes are not balanced"),
        (b"A" * 1_000_000, "line 1: 1000000 characters in the first line"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value[:30]),
)
def test_a_file_that_cannot_be_used_gets_one_clear_error(listed: Listed, content: bytes, told: str) -> None:
    (problem,) = listed.refused(content)
    assert problem.startswith(told)


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(ListFileError, match="is a folder; name the CSV file in it"):
        read_list(tmp_path, BERLIN)
    with pytest.raises(ListFileError, match="no such file; check the name"):
        read_list(tmp_path / "none.csv", BERLIN)


def test_a_misspelt_column_is_an_error_and_a_foreign_one_a_warning(listed: Listed) -> None:
    (problem,) = listed.refused("external_id,plate,valid_form\ne1,AB123CD,2026-01-01\n")
    assert problem.startswith("line 1, column valid_form: unknown column; write valid_from")
    (twice,) = listed.refused("external_id,plate,plate\ne1,AB123CD,AB124CD\n")
    assert "named twice" in twice
    (warning,) = listed("external_id,plate,department\ne1,AB123CD,sales\n").problems
    assert (warning.line, warning.column, warning.severity) == (1, "department", "warning")


def test_every_problem_is_told_and_very_many_are_counted(listed: Listed) -> None:
    assert len(listed.refused("external_id,plate,badge,pool_size\ne1,*,x,y\n,AB123CD,,\n")) == 4
    told = listed.refused("external_id,plate\n" + "e,*\n" * (PROBLEMS_MAX + 7))
    assert len(told) == PROBLEMS_MAX + 1
    assert told[-1].startswith("and 7 more problems")


def test_unusual_plates_repeats_and_colliding_pairs_are_warned_of(listed: Listed) -> None:
    file = listed("external_id,plate,country\ne1,ABCDEFGH,\ne1,abcd efgh,\ne2,K-AB 128,D\ne3,KAB12B,\n")
    told = [(problem.line, problem.severity, problem.message) for problem in file.problems]
    assert [line for line, _, _ in told] == [2, 3, 5]
    assert {severity for _, severity, _ in told} == {"warning"}
    assert "fits no known layout" in told[0][2]
    assert "on line 2 already" in told[1][2]
    assert "'e3' and K-AB 128 of 'e2' (line 4) could open for each other" in told[2][2]
    assert file.allowlist.find_plate(Plate("ABCDEFGH")).user is not None


@given(
    st.binary(max_size=200) | st.text("external_id,plate;\t\"'\n\r AB12ÄÖ|", max_size=200).map(lambda t: t.encode())
)
def test_no_file_crashes_the_reader(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        path.write_bytes(b"external_id,plate\n" + content)
        try:
            file = read_list(path, BERLIN)
        except ListFileError:
            return
        assert len(file.changes) >= 2


# ---- after the list in force ----


def test_a_changed_user_id_is_refused_with_its_line_and_the_fix(listed: Listed) -> None:
    old = listed("external_id,plate,user_id\nanna,B-NO 1234,u1\nbob,K-AB 12,u2\n")
    for text, line in (
        ("external_id,plate,user_id\nbob,K-AB 12,u2\nanna,B-NO 1234,u9\n", 3),
        ("external_id,plate,user_id\nanna,B-NO 1234,u2\nbob,K-AB 12,u1\n", 2),
    ):
        with pytest.raises(ListFileError) as error:
            listed(text).after(old.allowlist)
        (problem,) = error.value.in_log
        assert problem.startswith(f"{listed.path}: line {line}, column user_id: immutable_id")
        assert "give it u1 again" in problem
    listed("external_id,plate,user_id\nbob,K-AB 99,u2\nanna,B-NO 77,u1\n").after(old.allowlist)


def test_ids_that_no_file_names_stay_the_same(listed: Listed) -> None:
    old = listed("external_id,plate\nanna,B-NO 1234\nbob,K-AB 12\n").allowlist
    listed("external_id;plate\nbob;K-AB 12\nanna;B-NO 99\ncid;M-X 1\n").after(old)


def test_what_is_logged_names_no_plate_and_no_badge(listed: Listed) -> None:
    for row in ("anna,B-NO 1234 and a trailer,", "anna,B-NO 1234,12", "anna,B-NO 1234,\nbob,BNO1234,"):
        with pytest.raises(ListFileError) as error:
            listed(f"external_id,plate,badge\n{row}\n")
        (line,) = error.value.in_log
        assert "1234" not in line
        assert "12" not in line.removeprefix(str(listed.path))
        assert "line " in line
        assert "slagboom list check" in line
    with pytest.raises(ListFileError) as error:
        listed("external_id;number\nanna;B-NO 1234\n")
    assert "column plate missing" in error.value.in_log[0]


def test_a_guest_needs_no_plate_but_something_to_show(listed: Listed) -> None:
    rows = "gina,,k7m2-px94,,\nbob,,,Q1.visitor.7f3a9c01d2,\nann,,,,04A22F1B\ncid,B-NO 1234,K7M2PX95,,\n"
    allowlist = listed(f"external_id,plate,code,pass,badge\n{rows}").allowlist
    found = {
        text: allowlist.find_code(CodeRead.of(text)).user
        for text in ("K7M2PX94", "Q1.visitor.7f3a9c01d2", "k7m2 px95", "q1.visitor.7f3a9c01d2")
    }
    assert [user and user.external_id for user in found.values()] == ["gina", "bob", "cid", None]
    assert all(allowlist.permits_of(user) for user in found.values() if user)
    (problem,) = listed.refused("external_id,plate,code\ngina,,K7M2PX94\nann,,\n")
    assert problem.startswith("line 3, column plate: empty")


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [("code", "K7M2-PX94", "k7m2px94"), ("pass", "Q1.visitor.7f3a9c01d2", "Q1.visitor.7f3a9c01d2")],
)
def test_a_code_of_two_users_is_named_by_line_and_not_repeated(
    listed: Listed, column: str, one: str, other: str
) -> None:
    (problem,) = listed.refused(f"external_id,plate,{column},pool_size\ngina,,{one},9\nbob,,{other},9\n")
    assert problem == f"line 3, column {column}: belongs to 'gina' (line 2) too; a {column} has one user"
