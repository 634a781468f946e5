"""`slagboom portal` about people: what a person types, what comes of it, and what wrong input is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hardware_sim.portal.commands.people import Several

Slagboom = Callable[..., Any]


@pytest.fixture
def portal(tmp_path: Path, slagboom: Slagboom) -> Callable[..., Any]:
    """`slagboom portal WORDS FOLDER ARGS`, of a new portal."""
    folder = tmp_path / "north"
    assert slagboom("portal", "init", folder, "--tenant", "acme", "--site", "north").code == 0

    def call(words: str, *args: object) -> Any:
        return slagboom("portal", *words.split(), folder, *args)

    return call


def test_options_that_come_more_than_once_say_so() -> None:
    (option,) = Several.__metadata__  # type: ignore[attr-defined]
    assert "more than once" in option.help


def test_a_user_is_added_switched_off_and_on_and_removed(portal: Slagboom) -> None:
    said = portal("user add", "anna", "--plate", "98-THD-4", "--plate", "AB-123-CD", "--badge", "04:A2:2F:1B")
    assert (said.code, said.err) == (0, "")
    assert "anna added; list revision 1" in said.out
    (row,) = portal("user disable", "anna", "--json").objects()
    assert (row["status"], row["revision"], row["plates"]) == ("inactive", 2, 2)
    (row,) = portal("user enable", "anna", "--json").objects()
    assert row["status"] == "active"
    shown = portal("user show", "anna").out
    assert all(text in shown for text in ("98-THD-4", "AB-123-CD", "04A22F1B", "always"))
    assert portal("user remove", "anna").code == 0
    assert portal("users", "--json").objects() == []


def test_credentials_come_and_go_one_by_one(portal: Slagboom) -> None:
    portal("user add", "anna")
    assert portal("plate add", "anna", "B-NO 1234", "--country", "D").code == 0
    assert portal("badge add", "anna", "000414CD7E").code == 0
    (row,) = portal("user show", "anna", "--json").objects()
    held = [(one["kind"], one["text"], one["country"]) for one in row["credentials"]]
    assert held == [("plate", "B-NO 1234", "D"), ("badge", "000414CD7E", None)]
    assert portal("plate remove", "anna", "bno1234").code == 0
    assert portal("badge remove", "anna", "00:04:14:CD:7E").code == 0
    (row,) = portal("user show", "anna", "--json").objects()
    assert row["credentials"] == []


def test_members_of_a_group_park_by_its_permit(portal: Slagboom) -> None:
    portal("user add", "anna", "--group", "staff")
    assert portal("permit add", "staff", "--schedule", "Mo-Fr 06:00-20:00", "--lane", "entry").code == 0
    (permit,) = portal("permit list", "--json").objects()
    assert (permit["group"], permit["lane"], permit["schedule"]) == ("staff", "entry", "Mo-Fr 06:00-20:00")
    (row,) = portal("user show", "anna", "--json").objects()
    assert [one["permit"] for one in row["permits"]] == [permit["permit"]]
    assert portal("group set", "anna", "night", "staff", "night").out.startswith("anna is in night, staff;")
    assert portal("group set", "anna").out.startswith("anna is in no group;")
    assert portal("permit remove", permit["permit"]).code == 0
    assert portal("permit list", "--json").objects() == []


def test_what_was_revoked_is_off_the_list_until_it_is_given_again(portal: Slagboom) -> None:
    portal("user add", "anna", "--plate", "98-THD-4", "--badge", "000414CD7E")

    def states() -> list[str]:
        return [one["state"] for one in portal("user show", "anna", "--json").objects()[0]["credentials"]]

    said = portal("revoke", "anna", "--badge", "000414CD7E", "--reason", "lost")
    assert said.out == (
        "anna: badge 000414CD7E revoked; no edge was there to be ordered;"
        " list revision 2: the edges get it when the portal runs\n"
    )
    assert states() == ["active", "revoked"]
    assert (
        "the list stays at revision 2" in portal("revoke", "anna", "--badge", "000414CD7E", "--reason", "lost").out
    )
    portal("badge add", "anna", "000414CD7E")
    assert states() == ["active", "active"]
    (row,) = portal("revoke", "anna", "--reason", "left", "--json").objects()
    assert (row["status"], row["void_on"], row["revision"]) == ("inactive", [], 4)


def test_a_guest_gets_a_code_that_is_told_once(portal: Slagboom) -> None:
    (row,) = portal("guest add", "gina", "--until", "2027-03-31T18:00", "--json").objects()
    assert len(row["code"].replace("-", "")) == 8
    assert row["until"] == "2027-03-31T16:00:00+00:00", "the site's time"
    (shown,) = portal("user show", "gina", "--json").objects()
    assert [(one["kind"], one["text"]) for one in shown["credentials"]] == [("guest_code", None)]
    assert portal("guest add", "hans", "--pass", "Q1.visitor.7f3a9c01d2", "--json").objects()[0]["code"] is None


def test_a_list_file_is_taken_over_whole_or_not_at_all(portal: Slagboom, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("external_id,plate\nanna,98-THD-4\nbert,\n")
    said = portal("import", file)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {file}: line 3, column plate: empty")
    file.write_text("external_id,plate\nanna,98-THD-4\nbert,AB-123-CD\n")
    assert portal("import", file).out.startswith("users.csv: 2 added, 0 changed, 0 removed; list revision 1")
    assert [row["external_id"] for row in portal("users", "b", "--json").objects()] == ["bert"]


@pytest.mark.parametrize(
    ("words", "args", "told"),
    [
        ("user add", ("anna",), "duplicate_external_id"),
        ("user add", ("x", "--plate", "?"), "plate '?'"),
        ("user add", (" ",), "external id ' '"),
        ("user add", ("x", "--places", "0"), "places: 0"),
        ("user add", ("x", "--group", "g", "--schedule", "Mo-Fr"), "--schedule"),
        ("user add", ("x", "--schedule", "every day"), "schedule"),
        ("user show", ("nobody",), "no user has the external id 'nobody'"),
        ("plate remove", ("anna", "XX-1"), "anna has no plate XX-1"),
        ("badge add", ("anna", "12"), "badge '12'"),
        ("badge add", ("anna", ""), "badge: empty"),
        ("revoke", ("anna", "--plate", "XX-1", "--reason", "x"), "anna has no such plate or badge"),
        ("revoke", ("anna", "--plate", "1", "--badge", "2", "--reason", "x"), "--plate, --badge: give one of them"),
        ("revoke", ("anna", "--reason", " "), "--reason: write 1 to 200"),
        ("permit remove", ("park-x",), "no permit park-x"),
        ("guest add", ("gina", "--until", "tomorrow"), '--until: "tomorrow" is no time'),
        ("guest add", ("gina", "--code", "12"), "guest code of 2 characters"),
        ("import", ("missing.csv",), "no such file"),
    ],
)
def test_wrong_input_is_one_line_that_names_it(
    portal: Slagboom, words: str, args: tuple[str, ...], told: str
) -> None:
    portal("user add", "anna", "--plate", "98-THD-4")
    said = portal(words, *args)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert told in said.err
    assert portal("about", "--json").objects()[0]["revision"] == 1, "nothing was changed"
