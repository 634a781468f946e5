"""Labels of other readers' regions become the signs that the layouts know, or no country."""

import pytest

from gate_controller.layouts import COUNTRIES
from recognition.regions import NO_COUNTRY, sign_of


@pytest.mark.parametrize(
    ("sign", "labels"),
    [
        ("F", ["F", "France", "FRANCE", "fr", "FRA"]),
        ("D", ["Germany", "DE", "DEU"]),
        ("HR", ["Croatia", "HRV", " croatia "]),
        ("GB", ["United Kingdom", "united_kingdom", "UK", "GBR"]),
        ("CZ", ["Czechia", "Czech Republic", "The Czech Republic"]),
        ("TR", ["Turkey", "Türkiye", "TURKIYE"]),
        ("BIH", ["Bosnia and Herzegovina", "Bosnia & Herzegovina", "bosnia-herzegovina", "BA", "BIH"]),
        ("NMK", ["North Macedonia", "Republic of North Macedonia", "MK", "MKD"]),
        ("MD", ["Moldova", "Moldova, Republic of"]),
        ("AND", ["Andorra", "and", "AD"]),
        ("N", ["Norway", "NO", "NOR"]),
        (NO_COUNTRY, ["Unknown", "?", "", "Argentina", "ARG", "US-NY", "Northern Cyprus", "of the", "None"]),
    ],
)
def test_names_and_codes_mean_signs(sign: str, labels: list[str]) -> None:
    assert [sign_of(label) for label in labels] == [sign] * len(labels)


def test_every_sign_means_itself() -> None:
    assert [sign_of(sign) for sign in COUNTRIES] == list(COUNTRIES)


def test_what_a_yaml_file_makes_of_an_unquoted_word_or_number_is_no_country() -> None:
    assert [sign_of(label) for label in (False, None, 7)] == [NO_COUNTRY] * 3
