"""The table of layouts covers Europe, fits its own plates, and settles look-alikes by position only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.layouts import COUNTRIES, LAYOUTS, country_sign, layouts_for, settle, spell
from gate_controller.look_alikes import GROUP_OF, fold

WANTED = "A AL B BG BIH BY CH CY CZ D DK E EST F FIN FL GB GR H HR I IRL IS L LT LV M MC MD MNE N NL NMK P PL RKS RO RUS S SK SLO SRB TR UA"  # noqa: E501

Options = list[list[tuple[str, float]]]


def sure(text: str, share: float = 0.98) -> Options:
    """A reader's view of a text in which every character has `share` and nothing else is named."""
    return [[(char, share)] for char in text]


def torn(text: str, at: int, other: str, ours: float = 0.6, theirs: float = 0.38) -> Options:
    """The same with one position at which two characters contend."""
    options = sure(text)
    options[at] = [(text[at], ours), (other, theirs)]
    return options


def test_every_european_country_is_there() -> None:
    assert set(WANTED.split()) <= set(COUNTRIES)


def test_every_row_names_its_source_and_has_shapes() -> None:
    for layout in LAYOUTS:
        assert len(layout.source) > 5, layout
        assert layout.shapes
        assert all(set(group) <= set("A9abcdefghijklmnopqrstuvwxyz") for shape in layout.shapes for group in shape)
    assert len({(layout.country, layout.series) for layout in LAYOUTS}) == len(LAYOUTS)


@given(st.data())
def test_what_a_layout_spells_fits_it_with_the_same_groups(data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    shape = data.draw(st.sampled_from(layout.shapes))
    groups = spell(layout, shape, lambda options: data.draw(st.sampled_from(list(options))))
    assert (layout, groups) in layouts_for("".join(groups))
    assert (layout, groups) in layouts_for("".join(groups), layout.country)


@pytest.mark.parametrize(
    ("key", "country", "groups"),
    [
        ("KAPA777", "D", ("KA", "PA", "777")),
        ("MÜAB12H", "D", ("MÜ", "AB", "12H")),
        ("AB123CD", "F", ("AB", "123", "CD")),
        ("1020HG90", "F", ("1020", "HG", "90")),
        ("103YC2A", "F", ("103", "YC", "2A")),
        ("98THD4", "NL", ("98", "THD", "4")),
        ("ZDPB67", "NL", ("ZD", "PB", "67")),
        ("RPNL93", "NL", ("RP", "NL", "93")),
        ("I7859AM", "A", ("I", "7859", "AM")),
        ("W12345A", "A", ("W", "12345", "A")),
        ("1ABC234", "B", ("1", "ABC", "234")),
        ("CB1234AB", "BG", ("CB", "1234", "AB")),
        ("ZH123456", "CH", ("ZH", "123456")),
        ("1A23456", "CZ", ("1A2", "3456")),
        ("AB12345", "DK", ("AB", "12", "345")),
        ("1234BCD", "E", ("1234", "BCD")),
        ("AB12CDE", "GB", ("AB12", "CDE")),
        ("A123BCD", "GB", ("A123", "BCD")),
        ("AIZ1234", "GB", ("AIZ", "1234")),
        ("ABE1234", "GR", ("ABE", "1234")),
        ("AABB123", "H", ("AA", "BB", "123")),
        ("ZG1234AB", "HR", ("ZG", "1234", "AB")),
        ("CM852DJ", "I", ("CM", "852", "DJ")),
        ("131D12345", "IRL", ("131", "D", "12345")),
        ("AA00AA", "P", ("AA", "00", "AA")),
        ("WX12345", "PL", ("WX", "12345")),
        ("WGM12AC", "PL", ("WGM", "12AC")),
        ("B123ABC", "RO", ("B", "123", "ABC")),
        ("CJ12ABC", "RO", ("CJ", "12", "ABC")),
        ("ABC12D", "S", ("ABC", "12D")),
        ("BA123AB", "SK", ("BA", "123AB")),
        ("W304JF", "F", ("W", "304", "JF")),
        ("34ABC123", "TR", ("34", "ABC", "123")),
        ("AA1234BB", "UA", ("AA", "1234", "BB")),
        ("A123BC77", "RUS", ("A", "123", "BC", "77")),
    ],
)
def test_known_plates_fit_their_country(key: str, country: str, groups: tuple[str, ...]) -> None:
    assert groups in [found for _, found in layouts_for(key, country)]


@pytest.mark.parametrize(
    ("key", "country"),
    [
        ("XXAB12", "D"),  # no such district
        ("BAB0123", "D"),  # digits never begin with 0
        ("MÜABC1234", "D"),  # nine characters
        ("AO123CD", "F"),  # no O
        ("103YC99", "F"),  # no such department
        ("12ABC3", "NL"),  # no vowels
        ("1234ABC", "E"),  # no vowels
        ("ZZ1234AB", "HR"),  # no such city
        ("82A1234", "TR"),  # 81 provinces
    ],
)
def test_what_a_country_never_issues_does_not_fit_it(key: str, country: str) -> None:
    assert layouts_for(key, country) == []


@pytest.mark.parametrize(
    ("read", "country", "text"),
    [
        ("AB1Z3CD", None, "AB123CD"),
        ("A8123CD", {"F": 0.9}, "AB123CD"),
        ("AB1230D", {"NL": 0.3}, "AB1230D"),
        ("2BRBN4", {"NL": 0.9}, "28RBN4"),
        ("9BTHD4", {"NL": 0.9}, "9BTHD4"),
        ("ZDP867", {"NL": 1.0}, "ZDP867"),
        ("1O20HG90", None, "1020HG90"),
        ("KAPA7I7", {"D": 0.8}, "KAPA717"),
        ("8N01234", {"D": 0.8}, "8N01234"),
        ("12345", None, "12345"),
        ("ABCDEFGH", None, "ABCDEFGH"),
    ],
)
def test_position_settles_look_alikes_or_leaves_the_read_alone(
    read: str, country: dict[str, float] | None, text: str
) -> None:
    assert settle(sure(read), country).text == text


@pytest.mark.parametrize("pair", ["O0", "I1", "B8", "S5", "Z2", "G6"])
def test_a_contended_position_goes_to_what_the_layout_has_there(pair: str) -> None:
    letter, digit = pair
    in_digits = torn(f"AA{letter}23CD", 2, digit)
    in_letters = torn(f"AA123C{digit}", 6, letter)
    weights = {"SRB": 0.1, "AL": 0.1, "GE": 0.1, "SK": 0.9}
    settled = settle(in_digits, weights)
    assert settled.text == f"AA{digit}23CD"
    assert settled.changed == ((2, letter, digit),)
    assert settled.probability > 0.6, "knowing the layout, the read is surer than the reader was"
    assert settle(in_letters, weights).text == f"AA123C{letter}"


def test_two_texts_of_like_weight_leave_the_read_alone() -> None:
    # 0 at the first place of a French plate can be D or Q; the reader named neither.
    settled = settle(sure("0B123CD"), {"F": 1.0})
    assert settled.text == "0B123CD"
    assert settled.probability < 0.3


def test_a_named_alternative_breaks_the_tie() -> None:
    options = sure("0B123CD")
    options[0] = [("0", 0.7), ("D", 0.25), ("Q", 0.01)]
    assert settle(options, {"F": 1.0}).text == "DB123CD"


def test_a_code_of_digits_is_not_counted_again_as_one_of_a_digit_and_a_letter() -> None:
    # 9343 ZH 68, of which 6B would be no department.
    assert settle(torn("9343ZH68", 7, "B", 0.9, 0.05), {"F": 1.0}).probability > 0.7
    assert settle(torn("93ZH2A", 5, "4", 0.9, 0.05), {"F": 1.0}).text == "93ZH2A"


def test_dots_lost_on_a_district_code_come_back() -> None:
    assert settle(torn("MUAB12", 1, "Ü", 0.9, 0.05), {"D": 1.0}).text == "MÜAB12"


def test_groups_are_given_only_where_one_way_fits() -> None:
    assert settle(sure("AB123CD"), {"F": 1.0}).groups == ("AB", "123", "CD")
    assert settle(sure("AB123CD"), {"F": 1.0}).country == "F"
    assert settle(sure("BNO1234"), {"D": 1.0}).groups == ()


READ = st.lists(
    st.lists(
        st.tuples(st.sampled_from("ABDEGHIKOQSTUZ0125689ÄÖÜ"), st.floats(0.001, 1)),
        min_size=1,
        max_size=4,
        unique_by=lambda option: option[0],
    ),
    min_size=1,
    max_size=9,
)


@given(READ, st.sampled_from([None, {"D": 0.9}, {"NL": 0.5, "F": 0.5}, {}]))
def test_settling_never_changes_more_than_look_alikes(read: Options, country: dict[str, float] | None) -> None:
    options = [sorted(position, key=lambda option: -option[1]) for position in read]
    raw = "".join(position[0][0] for position in options)
    settled = settle(options, country)
    assert fold(settled.text) == fold(raw)
    assert 0.0 <= settled.probability <= 1.0
    assert all(now in GROUP_OF[was] and raw[at] == was for at, was, now in settled.changed)
    assert settled.text == raw or layouts_for(settled.text)


def test_iso_codes_are_understood() -> None:
    signs = [country_sign(text) for text in ("de", "D", " fr ", "UK", "NL", "at")]
    assert signs == ["D", "D", "F", "GB", "NL", "A"]
