"""Each reason has its two sentences, in words that a driver can be shown."""

import re

import pytest

from gate_controller.reasons import DRIVER, OPERATOR, Note, Reason


@pytest.mark.parametrize("table", [DRIVER, OPERATOR])
def test_every_reason_has_its_sentence(table: dict[Reason, str]) -> None:
    assert set(table) == set(Reason)
    assert not [text for text in table.values() if not re.fullmatch(r"[A-Z].*\.", text)]


def test_the_driver_is_shown_no_name_of_the_code() -> None:
    assert not [text for text in DRIVER.values() if "_" in text]


def test_no_two_reasons_say_the_same_to_the_operator() -> None:
    assert len(set(OPERATOR.values())) == len(Reason)


def test_names_are_the_journal_s_words() -> None:
    assert not [name for name in (*Reason, *Note) if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)]
    assert not set(Reason) & set(Note)
