"""What a reader's region labels mean: each becomes the distinguishing sign that the layouts know, or none.

Deliberately not here: the layouts themselves and the two-letter codes (`gate_controller/layouts.py`).
"""

from __future__ import annotations

import unicodedata

from gate_controller.layouts import COUNTRIES, country_sign

NO_COUNTRY = "?"
"""For a label that says so, and for one of which no country with a layout is meant."""

# ISO 3166-1: alpha-3 codes where they are no signs, and English short names with what else is usual in English.
# Kosovo's code is one of those that the standard leaves to its users.
_MEANT = {
    "A": "AUT|Austria", "AL": "ALB|Albania", "AM": "ARM|Armenia", "AND": "Andorra", "AZ": "AZE|Azerbaijan",
    "B": "BEL|Belgium", "BG": "BGR|Bulgaria", "BIH": "Bosnia and Herzegovina|Bosnia Herzegovina|Bosnia",
    "BY": "BLR|Belarus", "CH": "CHE|Switzerland", "CY": "CYP|Cyprus", "CZ": "CZE|Czechia|Czech Republic",
    "D": "DEU|Germany", "DK": "DNK|Denmark", "E": "ESP|Spain", "EST": "Estonia", "F": "FRA|France",
    "FIN": "Finland", "FL": "LIE|Liechtenstein", "FO": "FRO|Faroe Islands",
    "GB": "GBR|United Kingdom|Great Britain|United Kingdom of Great Britain and Northern Ireland",
    "GBJ": "JEY|Jersey", "GBZ": "GIB|Gibraltar", "GE": "GEO|Georgia", "GR": "GRC|Greece", "H": "HUN|Hungary",
    "HR": "HRV|Croatia", "I": "ITA|Italy", "IRL": "Ireland", "IS": "ISL|Iceland", "L": "LUX|Luxembourg",
    "LT": "LTU|Lithuania", "LV": "LVA|Latvia", "M": "MLT|Malta", "MC": "MCO|Monaco", "MD": "MDA|Moldova",
    "MNE": "Montenegro", "N": "NOR|Norway", "NL": "NLD|Netherlands|Holland", "NMK": "MKD|North Macedonia|Macedonia",
    "P": "PRT|Portugal", "PL": "POL|Poland", "RKS": "XKX|Kosovo", "RO": "ROU|Romania", "RSM": "SMR|San Marino",
    "RUS": "Russia|Russian Federation", "S": "SWE|Sweden", "SK": "SVK|Slovakia|Slovak Republic",
    "SLO": "SVN|Slovenia", "SRB": "Serbia", "TR": "TUR|Türkiye|Turkey", "UA": "UKR|Ukraine",
    "V": "VAT|Vatican City|Vatican|Vatican City State|Holy See",
}  # fmt: skip

_FILLING = {"the", "republic", "of", "and"}


def _words(label: str) -> str:
    """A label without case, accents and marks, and without the words that some write and others do not."""
    plain = unicodedata.normalize("NFKD", label).casefold()
    letters = "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    words = letters.split()
    return " ".join(word for word in words if word not in _FILLING) or " ".join(words)


_SIGNS = {_words(name): sign for sign, names in _MEANT.items() for name in names.split("|")}


def sign_of(label: object) -> str:
    """The distinguishing sign that a region label means: a sign, an ISO 3166-1 code or a country's English name.

    `NO_COUNTRY` for anything else, a country without a layout too: nothing can then be said against a text.
    """
    sign = country_sign(str(label))
    return sign if sign in COUNTRIES else _SIGNS.get(_words(str(label)), NO_COUNTRY)
