"""How European countries write their plates, and what that settles in a doubtful read.

Here: the table `LAYOUTS` (which positions are letters, which are digits, per country and series, each with its
source), `layouts_for`, `settle`, `spell`. Not here: personal plates with free text (they fit no layout and are
plates all the same), colours, bands and shields (the drawing code's business). The table makes this module
long; splitting it by country would only hide its gaps.

Shapes are groups of `A` (a letter the series uses), `9` (a digit) and lower-case letters, which stand for
themselves ("C 1234 BCD" of a Spanish moped is `c 9999 AAA`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

from gate_controller import districts
from gate_controller.look_alikes import GROUP_OF

ALL = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"


def _shapes(text: str, len_max: int = 12) -> tuple[tuple[str, ...], ...]:
    """`"A|AA 9|99"` is four shapes of two groups; those longer than `len_max` characters are left out."""
    shapes = product(*(group.split("|") for group in text.split(" ")))
    return tuple(shape for shape in shapes if sum(map(len, shape)) <= len_max)


def _without(letters: str) -> str:
    return "".join(char for char in ALL if char not in letters)


@dataclass(frozen=True, slots=True)
class Layout:
    """One series of one country.

    `shapes`: its groups, see the module's text. `prefixes`: the codes that group `prefix_at` may hold.
    `letters`: what an `A` elsewhere may be; `letters_at`: (position in the flat key, letters) where that is
    narrower or wider. `gaps`: what stands between the groups on display, the last one repeated.
    `zero_lead`: a group of digits may begin with 0. `rare`: weighs little against a common series.
    `source`: the law or public description the row is taken from.
    """

    country: str
    series: str
    shapes: tuple[tuple[str, ...], ...]
    source: str
    letters: str = ALL
    prefixes: frozenset[str] = frozenset()
    prefix_at: int = 0
    letters_at: tuple[tuple[int, str], ...] = ()
    gaps: str = " "
    zero_lead: bool = True
    rare: bool = False


def _several(country: str, source: str, letters: str, gaps: str, **series: str) -> Iterator[Layout]:
    """Rows of one country that differ in their shapes only."""
    for name, shapes in series.items():
        yield Layout(country, name.replace("_", " "), _shapes(shapes), source, letters, gaps=gaps)


_FZV = "Fahrzeug-Zulassungsverordnung (FZV) § 9 and Anlagen 1 to 4"
_KDV = "Kraftfahrgesetz-Durchführungsverordnung (KDV) §§ 25d and 26"
_RVV = "Kentekenreglement and RDW, description of sidecodes 1 to 14"
_NL = "BDFGHJKLMNPRSTVWXZ"  # no vowels, C, Q or Y since sidecode 4
_PL = "Rozporządzenie Ministra Infrastruktury w sprawie rejestracji i oznaczania pojazdów, annex on plates"
_PL_END = _without("BDIOZ")
_PL_AT = (0, "BCDEFGHKLNOPRSTUWZ")
_GB = "Road Vehicles (Display of Registration Marks) Regulations 2001 and DVLA INF104"
_NMK = "North Macedonian by-law on registration of motor vehicles, 2012"
_SIV = "Arrêté du 9 février 2009 fixant les caractéristiques des plaques, annexe"
_H = "326/2011. (XII. 28.) Korm. rendelet, as amended 2022"
_SRB = "Pravilnik o registraciji motornih i priključnih vozila"
_B = "Arrêté ministériel du 23 juillet 2001 relatif à l'immatriculation, as amended 2010"
_VZV = "Verkehrszulassungsverordnung (VZV) Art. 83-84"
_KZD = "Bosnia and Herzegovina, by-law on registration of vehicles, 2009"
_CYRILLIC12 = "ABEKMHOPCTYX"
_GREEK14 = "ABEZHIKMNOPTYX"
_UA = "ABCEHIKMOPTX"

# fmt: off
LAYOUTS: tuple[Layout, ...] = (
    # Germany: at most eight characters; no umlauts outside the district code.
    Layout("D", "standard", _shapes("A|AA|AAA A|AA 9|99|999|9999", 8), _FZV, ALL, districts.GERMANY, gaps="- ",
           zero_lead=False),
    Layout("D", "electric and historic", _shapes("A|AA|AAA A|AA 9e|99e|999e|9999e|9h|99h|999h|9999h", 8), _FZV, ALL,
           districts.GERMANY, gaps="- ", zero_lead=False),
    Layout("D", "authorities", _shapes("A|AA|AAA 9|99|999|9999|99999|999999", 8), _FZV, ALL, districts.GERMANY,
           gaps="-", zero_lead=False, rare=True),
    Layout("D", "federal", _shapes("bp|bd|thw|y 999|9999|99999|999999"), _FZV, ALL, gaps="-", zero_lead=False,
           rare=True),
    Layout("D", "short term and dealer", _shapes("A|AA|AAA 99999|999999", 8), _FZV, ALL, districts.GERMANY,
           gaps="-", rare=True),
    # Austria: codes of one letter are followed by up to six characters, codes of two by up to five.
    Layout("A", "standard", _shapes("A 99999|9999|999|99|9 A|AA|AAA", 7)
           + _shapes("AA 99999|9999|999|99|9 A|AA|AAA", 7), _KDV, _without("Q"), districts.AUSTRIA, gaps="-",
           zero_lead=False),
    Layout("A", "chosen", _shapes("A|AA A|AA|AAA|AAAA|AAAAA 9|99|999|9999", 7), _KDV, _without("Q"),
           districts.AUSTRIA, gaps="-", zero_lead=False, rare=True),
    Layout("A", "state", _shapes("AA|A 9|99|999|9999|99999|999999"), _KDV, ALL,
           districts.AUSTRIA_STATE | districts.AUSTRIA, gaps="-", zero_lead=False, rare=True),
    # Belgium
    *_several("B", _B,
              ALL, "-", since_2010="9 AAA 999", until_2010="AAA 999", of_2008="999 AAA", motorcycle="9 mAA 999"),
    Layout("BG", "standard", _shapes("A|AA 9999 A|AA"), "Bulgarian Ministry of the Interior, Ordinance I-45",
           _CYRILLIC12, districts.BULGARIA),
    Layout("CH", "standard", _shapes("AA 9|99|999|9999|99999|999999"), _VZV,
           ALL, districts.SWITZERLAND, zero_lead=False),
    Layout("FL", "standard", _shapes("fl 9|99|999|9999|99999|999999"), "Liechtenstein: " + _VZV, zero_lead=False),
    Layout("CY", "since 1990", _shapes("AAA 999"), "Cyprus Motor Vehicles Regulations 1984"),
    # Czechia: the second position names the region.
    Layout("CZ", "since 2001", _shapes("9A9|9AA 9999"), "Vyhláška č. 343/2014 Sb.", _without("GOQW"),
           letters_at=((1, "ABCEHJKLMPSTUZ"),)),
    Layout("CZ", "electric", _shapes("el9 99AA|99A9|9999"), "Vyhláška č. 343/2014 Sb.", _without("GOQW"),
           rare=True),
    Layout("CZ", "until 2001", _shapes("AA|AAA 9999"), "Vyhláška č. 102/1995 Sb.", gaps="-", rare=True),
    *_several("DK", "Bekendtgørelse om registrering af køretøjer, 2012", _without("IOQW"), " ",
              standard="AA 99 999"),
    # Spain
    *_several("E", "Reglamento General de Vehículos, Real Decreto 2822/1998, Anexo XVIII",
              "BCDFGHJKLMNPRSTVWXYZ", " ", since_2000="9999 AAA", moped="c 9999 AAA", historic="h 9999 AAA",
              trailer="r 9999 AAA", special="e 9999 AAA"),
    Layout("E", "provincial until 2000", _shapes("A|AA 9999 A|AA"), "Código de la Circulación, as amended 1971",
           _without("QR"), districts.SPAIN, gaps="-", rare=True),
    *_several("EST", "Estonian Minister of Economic Affairs, regulation on registration plates, 2011", ALL, " ",
              standard="999 AAA", motorcycle="99 AA|AAA", trailer="999 AA"),
    # France
    Layout("F", "SIV since 2009", _shapes("AA 999 AA"), _SIV, _without("IOU"), gaps="-"),
    Layout("F", "SIV mopeds until 2015", _shapes("A|AA 99|999 A"), _SIV,
           _without("IOU"), gaps="-", rare=True),
    Layout("F", "SIV temporary", _shapes("ww 999 AA"), _SIV, _without("IOU"), gaps="-"),
    Layout("F", "SIV garages", _shapes("w 999 AA"), _SIV, _without("IOU"), gaps="-", rare=True),
    Layout("F", "FNI until 2009", _shapes("9|99|999|9999 A|AA|AAA 99|999|9A"), "Arrêté du 5 novembre 1984",
           _without("IO"), districts.FRANCE, prefix_at=2, zero_lead=False),
    *_several("FIN", "Valtioneuvoston asetus ajoneuvojen rekisteröinnistä 893/2007", ALL, "-",
              standard="AAA 999|99|9", short="AA 999|99|9"),
    Layout("FO", "standard", _shapes("AA 999"), "Akstovan, Faroese vehicle registry", rare=True),
    # United Kingdom (sign GB until 2021, UK since); I and Q are not used, Z only at the end.
    Layout("GB", "since 2001", _shapes("AA99 AAA"), _GB, _without("IQ"),
           letters_at=((0, "ABCDEFGHKLMNOPRSVWXY"), (1, _without("IQZ")))),
    Layout("GB", "prefix 1983-2001", _shapes("A9|A99|A999 AAA"), _GB, _without("IQ"),
           letters_at=((0, "ABCDEFGHJKLMNPQRSTVWXY"),), zero_lead=False),
    Layout("GB", "suffix 1963-1983", _shapes("AAA 9A|99A|999A"), _GB, _without("IQ"), zero_lead=False, rare=True),
    Layout("GB", "Northern Ireland", _shapes("AiA|AAi|AzA|AAz|iAA 9|99|999|9999"), _GB, _without("Q"),
           zero_lead=False),
    Layout("GB", "dateless", _shapes("A|AA|AAA 9|99|999|9999") + _shapes("9|99|999|9999 A|AA|AAA"), _GB,
           _without("Q"), zero_lead=False, rare=True),
    *_several("GR", "Hellenic Ministry of Infrastructure and Transport, plates since 2004", _GREEK14, "-",
              standard="AAA 9999", motorcycle="AAA 999"),
    *_several("H", _H, ALL, "-", until_2022="AAA 999"),
    Layout("H", "since 2022", _shapes("AA AA 999"), _H, gaps=" -"),
    Layout("HR", "standard", _shapes("AA 999|9999 A|AA"), "Pravilnik o registraciji i označavanju vozila",
           _without("QWXY"), districts.CROATIA, gaps=" -"),
    # Italy: the same scheme for cars and trailers since 1994.
    *_several("I", "Decreto del Presidente della Repubblica 495/1992, art. 260, as amended 1994",
              _without("IOQU"), " ", standard="AA 999 AA", motorcycle="AA 99999", moped="AA 9999A"),
    Layout("IRL", "since 2013", _shapes("999 A|AA 9|99|999|9999|99999|999999"), "S.I. No. 542/2013", ALL,
           districts.IRELAND, prefix_at=1, gaps="-", zero_lead=False),
    Layout("IRL", "1987-2012", _shapes("99 A|AA 9|99|999|9999|99999|999999"), "S.I. No. 432/1982", ALL,
           districts.IRELAND, prefix_at=1, gaps="-"),
    *_several("IS", "Reglugerð um skráningu ökutækja nr. 751/2003", ALL, " ",
              standard="AA A99", until_2007="AA 999"),
    *_several("L", "Règlement grand-ducal du 26 janvier 2016 relatif à l'immatriculation", _without("IO"), " ",
              standard="AA 9999"),
    Layout("L", "digits only", _shapes("9999|99999"), "Règlement grand-ducal du 26 janvier 2016", zero_lead=False,
           rare=True),
    *_several("LT", "Regitra, order on state registration plates", _without("QWXI"), " ", standard="AAA 999",
              electric="AA 9999", trailer="AA 999", motorcycle="999 AA"),
    Layout("LV", "standard", _shapes("AA 9|99|999|9999"), "Ministru kabineta noteikumi Nr. 1080 (2010)",
           _without("QXYW"), gaps="-", zero_lead=False),
    *_several("M", "Maltese Motor Vehicles Regulations, S.L. 65.11", ALL, " ", standard="AAA 999"),
    Layout("MC", "standard", _shapes("9999|A999|9A99|99A9|999A"), "Ordonnance souveraine n° 1.691 of 1957",
           rare=True),
    *_several("N", "Forskrift om bruk av kjøretøy § 2-16 and Statens vegvesen's table of codes", _without("GIMOQW"),
              " ", standard="AA 99999", motorcycle="AA 9999"),
    # Netherlands: sidecodes by age; the first three still used vowels and C.
    *_several("NL", _RVV, _without("CIOQY"), "-", sidecode_1="AA 99 99", sidecode_2="99 99 AA",
              sidecode_3="99 AA 99"),
    *_several("NL", _RVV, _NL, "-", sidecode_4="AA 99 AA", sidecode_5="AA AA 99", sidecode_6="99 AA AA",
              sidecode_7="99 AAA 9", sidecode_8="9 AAA 99", sidecode_9="AA 999 A", sidecode_10="A 999 AA",
              sidecode_11="AAA 99 A", sidecode_12="A 99 AAA", sidecode_13="9 AA 999", sidecode_14="999 AA 9"),
    *_several("P", "Decreto-Lei n.º 54/2005, as amended by Decreto-Lei n.º 2/2020", _without("Q"), "-",
              since_2020="AA 99 AA", until_2020="99 AA 99", until_2005="99 99 AA", until_1992="AA 99 99"),
    # Poland: the voivodeship letter, then one or two for the district; no B, D, I, O, Z at the end.
    Layout("PL", "cities", _shapes("AA 99999|9999A|999AA|9A999|9AA99"), _PL, _PL_END,
           letters_at=(_PL_AT, (1, ALL))),
    Layout("PL", "districts", _shapes("AAA A999|99AA|9A99|99A9|9AA9|AA99|99999|9999A|999AA|A99A|A9AA"), _PL,
           _PL_END, letters_at=(_PL_AT, (1, ALL), (2, ALL))),
    Layout("PL", "motorcycles", _shapes("AA 9999|999A") + _shapes("AAA A99|99A|9A9|999|AA9"), _PL, _PL_END,
           letters_at=(_PL_AT, (1, ALL)), rare=True),
    Layout("RO", "standard", _shapes("AA 99 AAA"), "OMAI 1501/2006, norms on plates", _without("Q"),
           districts.ROMANIA),
    Layout("RO", "Bucharest", _shapes("b 99|999 AAA"), "OMAI 1501/2006, norms on plates", _without("Q")),
    Layout("RO", "temporary", _shapes("A|AA 999|9999|99999|999999"), "OMAI 1501/2006, norms on plates", ALL,
           districts.ROMANIA, rare=True),
    *_several("RUS", "GOST R 50577-2018", _CYRILLIC12, " ", standard="A 999 AA 99|999"),
    *_several("BY", "STB 914-99, plates of Belarus", _UA, "-", standard="9999 AA 9"),
    *_several("UA", "DSTU 4278:2019", _UA, " ", standard="AA 9999 AA"),
    *_several("MD", "Moldovan Government decision on registration plates, 2015", ALL, " ", since_2015="AAA 999",
              until_2015="A|AA AA 999"),
    Layout("S", "standard", _shapes("AAA 999|99A"), "Förordning (2019:383) om fordons registrering",
           "ABCDEFGHJKLMNOPRSTUWXYZ", letters_at=((5, "ABCDEFGHJKLMNPRSTUWXYZ"),)),
    *_several("SK", "Zákon č. 8/2009 Z. z. and vyhláška č. 9/2009 Z. z., new series of 2023", _without("Q"), "-",
              standard="AA 999AA"),
    Layout("SLO", "standard", _shapes("AA AA|A9|9A 999") + _shapes("AA 99 99A|9A9|A99|9AA|AA9"),
           "Pravilnik o registraciji motornih in priklopnih vozil", _without("QWXY"), districts.SLOVENIA,
           gaps=" -"),
    Layout("SRB", "standard", _shapes("AA 999|9999 AA"), _SRB,
           _without("Q"), districts.SERBIA, gaps=" -"),
    Layout("SRB", "other areas", _shapes("AA 999|9999 AA"), _SRB,
           _without("Q"), gaps=" -", rare=True),
    *_several("RKS", "Republic of Kosovo, Law No. 05/L-132 on vehicles", _without("QWXY"), "-",
              standard="99 999 AA"),
    Layout("MNE", "standard", _shapes("AA AA999"), "Montenegrin by-law on registration of vehicles, 2008",
           _without("QWXY"), districts.MONTENEGRO),
    *_several("BIH", _KZD, "AEJKMOT", "-", standard="A99 A 999"),
    Layout("NMK", "standard", _shapes("AA 999|9999 AA"), _NMK, _without("QWXY"), districts.MACEDONIA, gaps=" -"),
    *_several("AL", "Albanian Ministry of Transport, series of 2011", _without("IOQ"), " ", standard="AA 999 AA"),
    Layout("TR", "standard", _shapes("99 A 9999|99999") + _shapes("99 AA 999|9999") + _shapes("99 AAA 99|999"),
           "Karayolları Trafik Yönetmeliği, annex on plates", _without("QWX"), districts.TURKEY),
    Layout("AND", "standard", _shapes("A9999"), "Reglament de matriculació of Andorra", rare=True),
    Layout("RSM", "standard", _shapes("A9999"), "San Marino, Ufficio Registro Automezzi", rare=True),
    *_several("V", "Vatican City State, vehicle register", ALL, " ", standard="scv|cv 9|99|999|9999|99999"),
    *_several("GBZ", "Gibraltar Transport (Registration) Regulations", ALL, " ", standard="g 9999 A"),
    *_several("GBJ", "Motor Vehicle Registration (Jersey) Law 1993", ALL, " ", standard="j 99999|999999"),
    Layout("GE", "since 2014", _shapes("AA 999 AA"), "Georgian Service Agency", gaps="-", rare=True),
    Layout("AM", "since 1996", _shapes("99 AA 999"), "Armenian traffic police", rare=True),
    Layout("AZ", "standard", _shapes("99 AA 999"), "Azerbaijani state road police", gaps="-", rare=True),
)
# fmt: on

COUNTRIES: tuple[str, ...] = tuple(dict.fromkeys(layout.country for layout in LAYOUTS))

# ISO 3166-1 alpha-2 where it differs from the distinguishing sign (UN Treaty Series, Vienna Convention 1968, signs
# notified to the Secretary-General); UK has been the United Kingdom's sign since 2021.
_SIGN_OF_ISO = {
    "AD": "AND", "AT": "A", "BA": "BIH", "BE": "B", "DE": "D", "EE": "EST", "ES": "E", "FI": "FIN", "FR": "F",
    "GI": "GBZ", "HU": "H", "IE": "IRL", "IT": "I", "JE": "GBJ", "LI": "FL", "LU": "L", "ME": "MNE", "MK": "NMK",
    "MT": "M", "NO": "N", "PT": "P", "RS": "SRB", "RU": "RUS", "SE": "S", "SI": "SLO", "SM": "RSM", "UK": "GB",
    "VA": "V", "XK": "RKS",
}  # fmt: skip


def country_sign(text: str) -> str:
    """Distinguishing sign of a country written as its sign or its ISO code: "de" and "D" are "D"."""
    upper = text.strip().upper()
    return _SIGN_OF_ISO.get(upper, upper)


_CLASS = str.maketrans(dict.fromkeys(ALL + "ÄÖÜ", "A") | dict.fromkeys(DIGITS, "9"))


@dataclass(frozen=True, slots=True)
class _Row:
    """One shape of one layout, ready to be tried: what each position of a flat key may hold."""

    layout: Layout
    shape: tuple[str, ...]
    allowed: tuple[str, ...]
    prefix: slice

    def groups(self, key: str) -> tuple[str, ...]:
        ends, at = [], 0
        for group in self.shape:
            ends.append(key[at : at + len(group)])
            at += len(group)
        return tuple(ends)

    def fits(self, key: str) -> bool:
        for char, allowed in zip(key, self.allowed, strict=True):
            if char not in allowed:
                return False
        return not self.layout.prefixes or key[self.prefix] in self.layout.prefixes


def _alike(code: str, group: str) -> bool:
    """Whether a code has letters and digits where the group has them: 2A is no 99."""
    return [char in DIGITS for char in code] == [mark == "9" for mark in group]


def _allowed(layout: Layout, shape: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    special = dict(layout.letters_at)
    for index, group in enumerate(shape):
        codes = [code for code in layout.prefixes if _alike(code, group)] if index == layout.prefix_at else []
        for at, mark in enumerate(group):
            if codes:
                found.append("".join({code[at] for code in codes}))
            elif mark == "9":
                found.append(DIGITS if layout.zero_lead or at else DIGITS[1:])
            elif mark == "A":
                found.append(special.get(len(found), layout.letters))
            else:
                found.append(mark.upper())
    return tuple(found)


def _rows(layout: Layout) -> Iterator[_Row]:
    for shape in layout.shapes:
        at = sum(map(len, shape[: layout.prefix_at]))
        length = len(shape[layout.prefix_at]) if layout.prefixes else 0
        if layout.prefixes and not any(_alike(code, shape[layout.prefix_at]) for code in layout.prefixes):
            continue
        yield _Row(layout, shape, _allowed(layout, shape), slice(at, at + length))


def _index() -> tuple[dict[str, tuple[_Row, ...]], dict[int, tuple[tuple[int, tuple[_Row, ...]], ...]]]:
    by_pattern: dict[str, list[_Row]] = {}
    for layout in LAYOUTS:
        for row in _rows(layout):
            pattern = "".join("9" if mark == "9" else "A" for group in row.shape for mark in group)
            by_pattern.setdefault(pattern, []).append(row)
    by_length: dict[int, list[tuple[int, tuple[_Row, ...]]]] = {}
    for pattern, rows in by_pattern.items():
        letters = sum(1 << at for at, mark in enumerate(pattern) if mark == "A")
        by_length.setdefault(len(pattern), []).append((letters, tuple(rows)))
    return (
        {pattern: tuple(rows) for pattern, rows in by_pattern.items()},
        {length: tuple(found) for length, found in by_length.items()},
    )


_BY_PATTERN, _BY_LENGTH = _index()


def layouts_for(
    key: str, country: str | None = None, *, loose: bool = False
) -> list[tuple[Layout, tuple[str, ...]]]:
    """Every layout a canonical key fits, each with the groups it makes; common series before rare ones.

    `loose` asks for letters and digits in the right places only, whatever letters and codes the series has.
    """
    found = [
        (row.layout, row.groups(key))
        for row in _BY_PATTERN.get(key.translate(_CLASS), ())
        if (country is None or row.layout.country == country) and (loose or row.fits(key))
    ]
    found.sort(key=lambda fit: fit[0].rare)
    return found


def spell(layout: Layout, shape: tuple[str, ...], choose: Callable[[Sequence[str]], str]) -> tuple[str, ...]:
    """Groups of one plate of this shape; `choose` picks from the possibilities, so that chance stays outside."""
    return tuple("".join([choose(options) for options in parts]) for parts in _possibilities(layout, shape))


@lru_cache(maxsize=1024)  # there are fewer shapes than that
def _possibilities(layout: Layout, shape: tuple[str, ...]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """For each group what its parts may be: a whole code, or one character at a time."""
    groups: list[tuple[tuple[str, ...], ...]] = []
    at = 0
    allowed = _allowed(layout, shape)
    for index, group in enumerate(shape):
        codes = tuple(sorted(code for code in layout.prefixes if _alike(code, group)))
        if codes and index == layout.prefix_at:
            groups.append((codes,))
        else:
            groups.append(tuple(tuple(sorted(allowed[at + offset])) for offset in range(len(group))))
        at += len(group)
    return tuple(groups)


UNSEEN = 1e-3  # probability given to a look-alike the reader did not name: one such swap is possible, two are not
NO_LAYOUT = 1e-4  # weight of a text that fits nothing beside one that fits: personal plates exist, but few
RARE = 0.02  # weight of a rare series beside a common one
UNLIKELY = 0.01  # least weight of a country the caller did not expect
LIKE = 0.5  # two texts whose weights differ by less than this ratio are alike: the reader's own text stays
_CERTAIN = 0.98  # share of the look-alikes' probability above which nothing can be gained by trying them

Options = Sequence[Sequence[tuple[str, float]]]


@dataclass(frozen=True, slots=True)
class Settled:
    """A read after its doubtful positions were settled by layout.

    `changed`: (position, read, settled) of every character that differs from the reader's best.
    `probability`: that the whole text is right, given the reader's probabilities and the layouts.
    """

    text: str
    groups: tuple[str, ...]
    country: str | None
    changed: tuple[tuple[int, str, str], ...]
    probability: float


def settle(alternatives: Options, country: Mapping[str, float] | None = None) -> Settled:
    """Most probable text among the look-alike variants of a read that fits a layout of a likely country.

    `alternatives`: per position (character, probability), best first. `country`: weight by distinguishing
    sign, None when nothing is known. The reader's own text stays when no variant fits or when several fit
    with like weight; a character is never added, dropped or replaced by one that does not look like it.
    """
    doubt = _Doubt(alternatives)
    raw, certainty = doubt.raw, doubt.weight
    if certainty >= _CERTAIN * doubt.mass and _likely(raw, country):
        return _settled(raw, raw, country, certainty)
    weights: dict[str, float] = {raw: certainty * NO_LAYOUT}
    total = weights[raw]
    for rows in doubt.possible():
        best_mass = 0.0
        for row in rows:
            prior = _prior(row.layout, country)
            text, weight, row_mass = doubt.best(row)
            if text and weight * prior > weights.get(text, 0.0):
                weights[text] = weight * prior
            best_mass = max(best_mass, row_mass * prior)
        total += best_mass
    text = _winner(weights, raw)
    return _settled(text, raw, country, min(1.0, doubt.mass * weights[text] / total) if total else 0.0)


class _Doubt:
    """A read taken apart: the positions that are certain, and for the others every look-alike's probability.

    `weight`: product of the best probabilities. `mass`: product of what their look-alikes have together.
    """

    __slots__ = ("certain", "mass", "open", "raw", "weight")

    def __init__(self, alternatives: Options) -> None:
        self.raw = "".join([options[0][0] for options in alternatives])
        self.weight = self.mass = 1.0
        self.certain: list[tuple[int, str]] = []
        self.open: list[tuple[int, dict[str, float]]] = []
        for at, options in enumerate(alternatives):
            best, probability = options[0]
            self.weight *= probability
            group = GROUP_OF.get(best)
            if group is None:
                self.mass *= probability
                self.certain.append((at, best))
                continue
            seen = dict.fromkeys(group, UNSEEN)
            named = 0.0
            for char, value in options:
                if char in seen:
                    named += value
                    seen[char] = max(value, UNSEEN)
            self.mass *= min(1.0, named)
            self.open.append((at, seen))

    def possible(self) -> Iterator[tuple[_Row, ...]]:
        """Shapes whose letters and digits stand where the read can have letters and digits."""
        size = len(self.raw)
        digits = sum(1 << at for at, char in self.certain if char in DIGITS)
        letters = ((1 << size) - 1) & ~digits & ~sum(1 << at for at, _ in self.open)
        for at, options in self.open:
            only_letters = not any(char in DIGITS for char in options)
            letters |= only_letters << at
        for mask, rows in _BY_LENGTH.get(size, ()):
            if not mask & digits and not letters & ~mask:
                yield rows

    def best(self, row: _Row) -> tuple[str, float, float]:
        """Best text of one shape, its weight, and the weight of all texts of this shape.

        The text is "" when none fits, or when the reader's own character does not and two others are alike.
        """
        allowed = row.allowed
        for at, char in self.certain:
            if char not in allowed[at]:
                return "", 0.0, 0.0
        text, weight, mass, alike = list(self.raw), self.weight, self.weight, False
        for at, options in self.open:
            read = text[at]
            fitting = {char: value for char, value in options.items() if char in allowed[at]}
            if not fitting:
                return "", 0.0, 0.0
            every = sum(fitting.values())
            best = max(fitting, key=fitting.__getitem__)
            alike = alike or (read not in fitting and every - fitting[best] >= LIKE * fitting[best])
            text[at] = best
            weight *= fitting[best] / options[read]
            mass *= every / options[read]
        spelt = "".join(text)
        if row.layout.prefixes and spelt[row.prefix] not in row.layout.prefixes:
            return self._with_prefix(row, spelt, weight)
        return "" if alike else spelt, weight, mass

    def _with_prefix(self, row: _Row, text: str, weight: float) -> tuple[str, float, float]:
        """The same with the most probable code that exists in place of one that does not."""
        doubtful = dict(self.open)
        places = [doubtful.get(at) or {self.raw[at]: 1.0} for at in range(row.prefix.start, row.prefix.stop)]
        ranked: list[tuple[float, str]] = []
        for spelling in product(*places):
            code = "".join(spelling)
            if code in row.layout.prefixes and all(map(str.__contains__, row.allowed[row.prefix], code)):
                ranked.append((prod(place[char] for place, char in zip(places, code, strict=True)), code))
        if not ranked:
            return "", 0.0, 0.0
        ranked.sort(reverse=True)
        was = prod(place[char] for place, char in zip(places, text[row.prefix], strict=True))
        weight *= ranked[0][0] / was
        if len(ranked) > 1 and ranked[1][0] >= LIKE * ranked[0][0]:
            return "", 0.0, weight
        return text[: row.prefix.start] + ranked[0][1] + text[row.prefix.stop :], weight, weight


def _prior(layout: Layout, country: Mapping[str, float] | None) -> float:
    weight = 1.0 if country is None else max(country.get(layout.country, 0.0), UNLIKELY)
    return weight * RARE if layout.rare else weight


def _winner(weights: dict[str, float], raw: str) -> str:
    ranked = sorted(weights, key=weights.__getitem__, reverse=True)
    if len(ranked) > 1 and weights[ranked[1]] >= LIKE * weights[ranked[0]]:
        return raw
    return ranked[0]


def _likely(text: str, country: Mapping[str, float] | None) -> bool:
    """Whether a text fits a common series of a country that hardly another can outweigh."""
    top = max(country.values(), default=UNLIKELY) if country else 1.0
    return any(_prior(layout, country) >= LIKE * top for layout, _ in layouts_for(text))


def _fitting(text: str, country: Mapping[str, float] | None) -> list[tuple[Layout, tuple[str, ...]]]:
    """Fits of a text in the likeliest countries only; all fits when no country is likelier than another."""
    fits = layouts_for(text)
    if not fits:
        return fits
    top = max(_prior(layout, country) for layout, _ in fits)
    return [(layout, groups) for layout, groups in fits if _prior(layout, country) >= LIKE * top]


def _settled(text: str, raw: str, country: Mapping[str, float] | None, probability: float) -> Settled:
    fits = _fitting(text, country)
    countries = {layout.country for layout, _ in fits}
    groupings = {groups for _, groups in fits}
    changed = tuple((at, was, now) for at, (was, now) in enumerate(zip(raw, text, strict=True)) if was != now)
    return Settled(
        text,
        groupings.pop() if len(groupings) == 1 else (),
        countries.pop() if len(countries) == 1 else None,
        changed,
        probability,
    )
