"""New users and permits as values: what they are known by, and until when."""

from datetime import UTC, datetime

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.edges import newcomers


def test_a_user_has_plates_and_badges_as_they_are_compared() -> None:
    made = newcomers.user("u-1", "anna", ["98-thd-4"], ["000414CD7E"], ["staff"], "NL", 2)
    assert [(one.plate.key, one.plate.country) for one in made.plates] == [("98THD4", "NL")]
    assert (len(made.badges), made.groups, made.pool_size) == (1, ("staff",), 2)


def test_a_guests_pass_and_code_end_with_the_visit() -> None:
    until = datetime(2026, 3, 1, tzinfo=UTC)
    made = newcomers.guest("u-2", "gina", "Q1.visitor.7f3a9c01d2", "K7M2-PX94", until)
    assert [one.valid_to for one in (*made.passes, *made.codes)] == [until, until]


def test_a_permit_is_named_by_whom_and_where() -> None:
    assert newcomers.parking(user_id="u-1").id == "park-u-1"
    assert newcomers.parking(group_id="staff", device="entry").id == "park-staff-entry"
    with pytest.raises(BadInput):
        newcomers.parking(group_id="staff", schedule="sometimes")
