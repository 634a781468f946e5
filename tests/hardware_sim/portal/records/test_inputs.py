"""What people hand in, as the portal takes it: the field is named in every error."""

import pytest

from hardware_sim.portal.records import inputs
from hardware_sim.portal.records.inputs import WrongField


def test_a_line_is_told_without_its_edges_and_in_one_form() -> None:
    assert inputs.line("  Zoe\u0308 de Boer ", "name") == "Zoë de Boer"


@pytest.mark.parametrize(
    "text", ["", "  ", "a\nb", "a\0b", "a\u202eb", "a\u2028b", "x" * 101, "\ud800", "\U0010ffff", "\ue000"]
)
def test_a_line_that_nobody_could_read_is_refused(text: str) -> None:
    with pytest.raises(WrongField) as found:
        inputs.line(text, "name")
    assert found.value.field == "name"


@pytest.mark.parametrize("text", ["anna@Example.com", " Anna@example.COM "])
def test_one_address_is_one_person(text: str) -> None:
    assert inputs.email(text) == "anna@example.com"


@pytest.mark.parametrize(
    "text",
    ["anna", "@example.com", "anna@", "anna@localhost", "a b@example.com", "a@b@example.com", "<a@example.com>",
     "a@example.com,b@example.com", "a@example.com\nBcc: b@example.com", "x" * 65 + "@example.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WrongField):
        inputs.email(text)


@pytest.mark.parametrize("text", ["+49 170 1234567", "0049 (170) 123-4567", "+491701234567"])
def test_a_number_is_kept_in_one_form(text: str) -> None:
    assert inputs.phone(text) == "+491701234567"


@pytest.mark.parametrize("text", ["0170 1234567", "+0 170 1234567", "+49", "+49 x", "+" + "1" * 16])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(WrongField):
        inputs.phone(text)


def test_a_time_zone_exists() -> None:
    assert inputs.time_zone("Europe/Paris") == "Europe/Paris"
    for text in ("Mars/Olympus", "../../etc/passwd", "/etc/localtime"):
        with pytest.raises(WrongField):
            inputs.time_zone(text)
