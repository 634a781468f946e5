"""The code lists are facts; these checks catch a slip of the pen in them."""

import pytest

from gate_controller import districts

LISTS = {name: value for name, value in vars(districts).items() if isinstance(value, frozenset)}


@pytest.mark.parametrize("name", sorted(LISTS))
def test_codes_are_canonical(name: str) -> None:
    for code in LISTS[name]:
        assert 1 <= len(code) <= 3
        assert set(code) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ÄÖÜ"), code


@pytest.mark.parametrize(
    ("codes", "count"),
    [(districts.SWITZERLAND, 26), (districts.ROMANIA, 42), (districts.TURKEY, 81), (districts.SLOVENIA, 11)],
)
def test_lists_are_as_long_as_the_law_says(codes: frozenset[str], count: int) -> None:
    assert len(codes) == count


def test_german_codes_that_part_a_plate_in_two_ways() -> None:
    assert {"B", "BN", "M", "MÜ", "TÖL", "KS", "ZZ", "WÜM"} <= districts.GERMANY
    assert "BNO" not in districts.GERMANY
    assert len(districts.GERMANY) > 650


def test_corsica_has_letters() -> None:
    assert {"2A", "2B", "68", "90", "971"} <= districts.FRANCE
    assert "20" not in districts.FRANCE
