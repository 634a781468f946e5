"""A form is read strictly: what is missing, doubled, unknown, too long or mistyped is named by its field."""

from datetime import date, datetime

import pytest

from hardware_sim.portal.web.forms import FILE_BYTES_MAX, Field, Form, Kind, Raw, Upload, told

FORM = Form(
    [
        Field("name", "Name", mandatory=True, len_max=10),
        Field("places", "Places", Kind.NUMBER, least=1, most=5),
        Field("day", "Day", Kind.DAY),
        Field("at", "At", Kind.MOMENT),
        Field("kind", "Kind", Kind.CHOICE, choices=[("a", "A"), ("b", "B")]),
        Field("groups", "Groups", Kind.CHOICES, choices=[("x", "X"), ("y", "Y")]),
        Field("agreed", "Agreed", Kind.TICK, mandatory=True),
        Field("note", "Note", Kind.LONG),
        Field("scan", "Scan", Kind.FILE),
    ],
    "Save",
    versioned=True,
)
GOOD: Raw = [("_csrf", "x"), ("_version", "3"), ("name", " Anna "), ("agreed", "yes")]


def test_what_is_right_is_read_by_its_kind() -> None:
    filled = FORM.read(
        [
            *GOOD,
            ("places", "2"),
            ("day", "2026-03-31"),
            ("at", "2026-03-31T18:00"),
            ("kind", "b"),
            ("groups", "x"),
            ("groups", "y"),
            ("note", "a\r\nb"),
            ("scan", Upload("l.jpg", b"jpg")),
        ]
    )
    assert filled.ok, filled.problems
    assert (filled.text("name"), filled.number("places"), filled.day("day")) == ("Anna", 2, date(2026, 3, 31))
    assert (filled.moment("at"), filled.text("kind")) == (datetime(2026, 3, 31, 18), "b")
    assert (filled.several("groups"), filled.ticked("agreed"), filled.version) == (("x", "y"), True, 3)
    assert filled.file("scan") == Upload("l.jpg", b"jpg")


def test_what_may_be_left_out_is_nothing() -> None:
    filled = FORM.read([*GOOD, ("places", ""), ("day", " "), ("scan", Upload("", b""))])
    assert filled.ok, filled.problems
    assert (filled.number("places"), filled.day("day"), filled.maybe("kind"), filled.file("scan")) == (None,) * 4


@pytest.mark.parametrize(
    ("field", "more", "problem"),
    [
        ("name", [("name", "Bert")], "twice"),
        ("places", [("places", "two")], "no whole number"),
        ("places", [("places", "9")], "from 1 to 5"),
        ("places", [("places", "9" * 5000)], "characters"),
        ("places", [("places", "²")], "no whole number"),
        ("places", [("places", "1"), ("places", "2")], "twice"),
        ("day", [("day", "31.3.2026")], "no day"),
        ("day", [("day", "2026-02-30")], "no day"),
        ("at", [("at", "2026-03-31T18:00+02:00")], "no time"),
        ("at", [("at", "yesterday")], "no time"),
        ("kind", [("kind", "c")], "none of the choices"),
        ("groups", [("groups", "x"), ("groups", "z")], "none of the choices"),
        ("groups", [("groups", "x")] * 3, "more than there is"),
        ("note", [("note", "x" * 2001)], "2000 are the most"),
        ("note", [("note", "a\0b")], "cannot be seen"),
        ("note", [("note", Upload("a", b"b"))], "no file"),
        ("scan", [("scan", "text")], "takes a file"),
        ("scan", [("scan", Upload("a", b"x" * (FILE_BYTES_MAX + 1)))], "larger than 4 MiB"),
        ("scan", [("scan", Upload("a", b"x")), ("scan", Upload("b", b"y"))], "twice"),
    ],
)
def test_what_is_wrong_is_told_of_its_field(field: str, more: Raw, problem: str) -> None:
    filled = FORM.read([*GOOD, *more])
    assert [*filled.problems] == [field]
    assert problem in filled.problems[field]


def test_what_is_missing_is_named() -> None:
    filled = FORM.read([("name", "  ")])
    assert filled.problems == {"name": "is missing", "agreed": "must be ticked"}


def test_a_field_that_is_too_long_or_broken_is_named() -> None:
    assert "10 are the most" in FORM.read([("name", "x" * 11), ("agreed", "yes")]).problems["name"]
    assert "cannot be seen" in FORM.read([("name", "a\nb"), ("agreed", "yes")]).problems["name"]


def test_a_field_that_nobody_asked_for_stops_it() -> None:
    assert not FORM.read([*GOOD, ("is_admin", "1")]).ok
    assert not Form([], "Do it").read([("_version", "1")]).ok


@pytest.mark.parametrize("said", ["", "x", "-1", "9" * 40, "²"])
def test_a_version_that_is_none_is_nobodys(said: str) -> None:
    assert FORM.read([("_version", said)]).version == -1


def test_a_services_problem_goes_to_its_field_or_to_the_whole() -> None:
    filled = FORM.with_values()
    told({"name": "is taken"}, filled)
    told({"elsewhere": "is odd"}, filled)
    assert (filled.problems, filled.general) == ({"name": "is taken"}, "elsewhere: is odd")


def test_what_is_known_is_drawn() -> None:
    filled = FORM.with_values(version=4, name="Anna", groups=("y",), agreed=True, places=None)
    assert (filled.mark, filled.text("name"), filled.several("groups"), filled.ticked("agreed")) == (
        "4", "Anna", ("y",), True,
    )  # fmt: skip
    assert FORM.choosing(kind=[("c", "C")]).fields[4].choices == [("c", "C")]
