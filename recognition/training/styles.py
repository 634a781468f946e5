"""What the plates of each European country look like: colours, bands, marks between groups, proportions.

A table for `draw.py` and nothing else; which texts a country writes stands in `gate_controller/layouts.py`.
Sizes are millimetres. Colours are BGR. Sources: the countries' own plate regulations as far as they state sizes
(520 x 110 mm and 440 x 120 mm are ISO 7591's), else measured by eye on photographs; every value is jittered.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]

WHITE: Colour = (238, 240, 240)
YELLOW: Colour = (20, 190, 250)
ORANGE: Colour = (20, 150, 245)
AMBER: Colour = (30, 170, 235)
BLACK: Colour = (22, 20, 20)
RED: Colour = (35, 25, 190)
BLUE: Colour = (160, 70, 10)
DEEP_BLUE: Colour = (120, 30, 15)
GREEN: Colour = (70, 130, 20)
LIGHT_BLUE: Colour = (225, 190, 110)
SILVER: Colour = (190, 190, 185)


@dataclass(frozen=True, slots=True)
class Look:
    """One colouring of a plate and how often it is seen beside the country's others."""

    share: float
    ground: Colour = WHITE
    ink: Colour = BLACK
    left: str = "eu"  # "", eu, blue, flag, green
    right: str = ""  # "", department, province, validity
    border: Colour | None = None
    stripes: Colour | None = None  # along the upper and lower edge (Austria)


@dataclass(frozen=True, slots=True)
class Style:
    """One country's plates of one family."""

    letters: str  # in the band
    hand: str
    looks: tuple[Look, ...]
    joins: tuple[str, ...] = ("gap",)  # mark at each join, the last repeats; alternatives split by |
    pattern: str = ".*"  # a regular expression over the groups joined by spaces
    sizes: tuple[tuple[float, int, int], ...] = ((1.0, 520, 110),)  # share, width, height; wide plates
    two_line: tuple[float, int, int] = (0.06, 280, 200)  # share, width, height
    letter_height: int = 75
    gap: float = 0.45  # of the letter height, where a join is a gap
    pitch: float = 0.13  # space between letters, of the letter height


def _eu(letters: str, hand: str = "din", **more: object) -> Style:
    """A plate black on white behind the European band."""
    looks = more.pop("looks", (Look(0.9), Look(0.1, left="")))
    return Style(letters, hand, looks, **more)  # type: ignore[arg-type]


_BORDERED = (Look(0.85, border=BLACK), Look(0.15, left="", border=BLACK))
_FRENCH_SIZES = ((0.9, 520, 110), (0.1, 455, 100))

STYLES: dict[str, tuple[Style, ...]] = {
    "F": (
        Style("F", "french", (
            Look(0.80, right="department"), Look(0.08), Look(0.06, BLACK, WHITE, left="", border=WHITE),
            Look(0.03, RED, WHITE, right="validity"), Look(0.04, left="")),
            ("hyphen",), r"[A-Z]{1,2} \d{2,3} [A-Z]{1,2}", _FRENCH_SIZES, (0.05, 275, 200), 76, 0.3,
            0.08),
        Style("F", "french", (
            Look(0.34), Look(0.32, AMBER, BLACK), Look(0.06, left=""), Look(0.08, AMBER, BLACK, left=""),
            Look(0.10, BLACK, SILVER, left=""),
            Look(0.10, BLACK, SILVER, left="", border=SILVER)),
            ("gap|gap|gap|gap|hyphen|dot",), ".*", _FRENCH_SIZES, (0.06, 275, 200), 78, 0.34,
            0.09),
    ),
    "D": (Style("D", "fe", (
        Look(0.88, border=BLACK), Look(0.04, WHITE, GREEN, border=GREEN), Look(0.03, WHITE, RED, border=RED),
        Look(0.05, left="", border=BLACK)),
        ("seals", "gap"), ".*", ((0.85, 520, 110), (0.1, 460, 110), (0.05, 380, 110)), (0.08, 280, 200), 75,
        0.35),),
    "NL": (
        Style("NL", "dutch", (
            Look(0.78, YELLOW, border=BLACK), Look(0.07, AMBER, left="", border=BLACK),
            Look(0.04, LIGHT_BLUE, border=BLACK), Look(0.07, DEEP_BLUE, WHITE, left=""),
            Look(0.03, GREEN), Look(0.03, WHITE, left="")),
            ("hyphen",), ".*", ((1.0, 520, 110),), (0.08, 340, 210), 77, 0.38, 0.15),
    ),
    "HR": (Style("HR", "croatian", (Look(0.35, border=BLACK), Look(0.2), Look(0.25, left="", border=BLACK),
                                     Look(0.2, left="")),
                 ("shield", "hyphen|hyphen|hyphen|gap"), ".*", ((1.0, 520, 110),), (0.04, 280, 200), 82, 0.32,
                 0.19),),
    "I": (
        Style("I", "italian", (
            Look(0.78, right="province"), Look(0.12, right="blank"), Look(0.1, left="")),
            ("gap", "gap|slim|none"), r"[A-Z]{2} \d{3} [A-Z]{2}", ((0.7, 520, 110), (0.3, 360, 110)),
            (0.06, 297, 202), 76,
            0.3),
        Style("I", "italian", (Look(0.5, left=""), Look(0.5, BLACK, WHITE, left="")), ("gap",), ".*",
              ((0.7, 520, 110), (0.3, 360, 110))),
    ),
    "A": (Style("A", "french", (
        Look(0.82, stripes=RED), Look(0.06, WHITE, GREEN, stripes=GREEN), Look(0.05, BLACK, WHITE, left=""),
        Look(0.07, stripes=RED, left="")),
        ("arms", "gap"), ".*", ((0.85, 520, 120), (0.15, 460, 120)), (0.06, 300, 200), 72, 0.35),),
    "B": (Style("B", "belgian", (
        Look(0.75, WHITE, RED, border=RED), Look(0.15, WHITE, RED, left="", border=RED), Look(0.1, border=RED)),
        ("hyphen",), ".*", ((0.9, 520, 110), (0.1, 340, 110)), (0.06, 340, 210), 74, 0.33),),
    "RO": (_eu("RO", joins=("gap",), looks=(Look(0.94), Look(0.04, WHITE, RED), Look(0.02, YELLOW))),),
    "GB": (Style("GB", "british", (
        Look(0.3, WHITE, left=""), Look(0.28, YELLOW, left=""), Look(0.16), Look(0.13, YELLOW),
        Look(0.05, left="green"), Look(0.08, BLACK, WHITE, left="")), ("gap",), ".*",
        ((1.0, 520, 111),), (0.07, 285, 203), 79, 0.42, 0.14),),
    "E": (
        _eu("E", "spanish", pattern=r"\d{4} [A-Z]{3}", gap=0.55, looks=(Look(0.95), Look(0.05, LIGHT_BLUE))),
        _eu("E", "spanish", joins=("gap|hyphen",), looks=(Look(0.3), Look(0.7, left=""))),
    ),
    "P": (Style("P", "spanish", (
        Look(0.45, right="year"), Look(0.3), Look(0.2, left="", border=BLACK), Look(0.05, BLACK, WHITE, left="")),
        ("hyphen|gap|gap",), ".*", letter_height=76, gap=0.4),),
    "PL": (Style("PL", "din", (Look(0.88), Look(0.05, left="", border=BLACK), Look(0.04, BLACK, WHITE, left=""),
                               Look(0.03, GREEN)), ("hologram|gap",), letter_height=80, gap=0.5),),
    "CZ": (_eu("CZ", joins=("stickers|stickers|gap",)),),
    "SK": (_eu("SK", joins=("arms|hyphen", "gap|none"), looks=(Look(0.92), Look(0.08, left=""))),),
    "H": (_eu("H", joins=("hyphen|gap|arms", "hyphen|gap"), gap=0.4),),
    "SLO": (Style("SLO", "din", (Look(0.85, border=GREEN), Look(0.15, left="", border=GREEN)),
                   ("arms", "hyphen")),),
    "BG": (_eu("BG", gap=0.4),),
    "GR": (_eu("GR", joins=("hyphen",)), ),
    "CH": (Style("CH", "swiss", (Look(1.0, left=""),), ("arms", "gap"), ".*",
                 ((0.5, 500, 110), (0.5, 300, 80)), (0.3, 300, 160), 72, 0.35),),
    "FL": (Style("FL", "swiss", (Look(1.0, BLACK, WHITE, left=""),), ("arms",), ".*", ((1.0, 500, 110),)),),
    "L": (Style("L", "din", (Look(0.9, YELLOW), Look(0.1, YELLOW, left="")), ("gap|none",)),),
    "DK": (Style("DK", "nordic", (Look(0.75, border=RED), Look(0.2, left="", border=RED),
                                  Look(0.05, YELLOW, border=RED)), ("gap",), gap=0.35),),
    "S": (_eu("S", "nordic", joins=("stickers|gap|gap",), looks=(Look(0.75), Look(0.25, left="")), gap=0.5),),
    "N": (Style("N", "nordic", (Look(0.6, left="flag"), Look(0.3, left=""), Look(0.1, GREEN, left="")), ("gap",)),),
    "FIN": (Style("FIN", "din", _BORDERED, ("hyphen",), ".*", ((0.7, 442, 118), (0.3, 397, 118)),
                   letter_height=80),),
    "EST": (_eu("EST", gap=0.4),),
    "LV": (Style("LV", "din", _BORDERED, ("hyphen",)),),
    "LT": (_eu("LT", joins=("stickers|gap",)),),
    "IRL": (_eu("IRL", "british", joins=("hyphen",)),),
    "M": (_eu("M", joins=("gap",)),),
    "CY": (_eu("CY", joins=("gap|stickers",)),),
    "SRB": (Style("SRB", "din", (Look(0.9, left="blue", border=BLACK), Look(0.1, left="", border=BLACK)),
                  ("arms", "hyphen")),),
    "BIH": (Style("BIH", "din", (Look(0.9, left="blue", border=BLACK), Look(0.1, left="")), ("hyphen",)),),
    "MNE": (Style("MNE", "din", (Look(1.0, left="blue", border=BLACK),), ("arms", "gap")),),
    "NMK": (Style("NMK", "din", (Look(0.9, left="blue", border=BLACK), Look(0.1, left="")), ("arms", "hyphen")),),
    "RKS": (Style("RKS", "din", (Look(1.0, left="blue", border=BLACK),), ("arms|gap", "hyphen")),),
    "AL": (Style("AL", "din", (Look(0.8, left="blue", right="blank"), Look(0.2, left="")), ("arms|gap", "gap")),),
    "TR": (Style("TR", "din", (Look(1.0, left="blue"),), ("gap",)),),
    "UA": (Style("UA", "din", (Look(0.8, left="flag", border=BLACK), Look(0.2, left="", border=BLACK)), ("gap",)),),
    "BY": (Style("BY", "din", (Look(0.8, left="flag", border=BLACK), Look(0.2, left="")), ("gap", "hyphen")),),
    "MD": (Style("MD", "din", (Look(0.9, left="blue"), Look(0.1, left="")), ("gap",)),),
    "RUS": (Style("RUS", "french", (Look(1.0, left="", border=BLACK),), ("gap|none",)),),
    "MC": (Style("MC", "french", (Look(1.0, WHITE, BLUE, left="arms"),), ("gap|none",)),),
    "AND": (Style("AND", "din", (Look(1.0, left="arms"),), ("none",)),),
    "RSM": (Style("RSM", "italian", (Look(1.0, WHITE, BLUE, left="arms"),), ("none",)),),
    "IS": (Style("IS", "nordic", (Look(1.0, WHITE, BLUE, left="flag", border=BLUE),), ("stickers|gap",)),),
}  # fmt: skip
ANY_COUNTRY = "?"
