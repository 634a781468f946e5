"""Plates as typed, imported and read come to one canonical form; what is no plate is told so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.errors import PlateError
from gate_controller.layouts import LAYOUTS, spell
from gate_controller.plates import Plate, PlateRead, all_usable, told_apart, unusual, usable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ÄÖÜ"
GROUPS = st.lists(st.text(ALPHABET, min_size=1, max_size=4), min_size=1, max_size=4).filter(
    lambda groups: 2 <= len("".join(groups)) <= 12
)


@pytest.mark.parametrize(
    ("text", "key", "groups"),
    [
        ("b-no 1234", "BNO1234", ("B", "NO", "1234")),
        ("B NO1234", "BNO1234", ("B", "NO1234")),
        ("bno1234", "BNO1234", ()),
        ("töl sl123", "TÖLSL123", ("TÖL", "SL123")),
        ("TO\u0308L SL 1", "TÖLSL1", ("TÖL", "SL", "1")),
        ("\ufeffAB–123–CD ".strip("\ufeff"), "AB123CD", ("AB", "123", "CD")),
        ("ΑΒΕ-1234", "ABE1234", ("ABE", "1234")),
        ("СА 1234 НК", "CA1234HK", ("CA", "1234", "HK")),
        ("ŠI·123-ČĐ", "SI123CD", ("SI", "123", "CD")),
        ("ＡＢ１２３", "AB123", ()),
    ],
)
def test_every_spelling_has_one_canonical_form(text: str, key: str, groups: tuple[str, ...]) -> None:
    plate = Plate.parse(text)
    assert (plate.key, plate.groups) == (key, groups)
    assert usable(plate.key)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "0 letters and digits"),
        ("-", "0 letters and digits"),
        ("A", "1 letters and digits"),
        ("ABCDEFG123456", "13 letters and digits"),
        ("AB#123", "'#' cannot be on a plate"),
        ("AB漢12", "cannot be on a plate"),
        ("groß 12", "'ß' cannot be on a plate"),
        ("БЯ 123", "cannot be on a plate"),
        ("x" * 5000, "5000 characters"),
    ],
)
def test_text_without_a_usable_plate_is_told_so(text: str, told: str) -> None:
    with pytest.raises(PlateError, match="plate") as error:
        Plate.parse(text)
    assert told in str(error.value)
    assert len(str(error.value)) < 250


@given(st.lists(st.text("AÄ1", max_size=13) | st.text(max_size=3), max_size=4))
def test_many_keys_are_usable_when_each_is(keys: list[str]) -> None:
    assert all_usable(keys) == all(map(usable, keys))


@given(st.text(max_size=60))
def test_any_text_is_a_canonical_plate_or_a_plate_error(text: str) -> None:
    try:
        plate = Plate.parse(text)
    except PlateError:
        return
    assert usable(plate.key)
    assert not plate.groups or "".join(plate.groups) == plate.key


@pytest.mark.parametrize(
    ("text", "country", "shown"),
    [
        ("bno1234", None, "BNO1234"),
        ("B NO 1234", None, "B-NO 1234"),
        ("BN O 1234", None, "BN-O 1234"),
        ("B NO1234", "D", "B-NO 1234"),
        ("töl sl 123", None, "TÖL-SL 123"),
        ("kaxy123e", "D", "KA-XY 123E"),
        ("ab123cd", "F", "AB-123-CD"),
        ("1020HG90", None, "1020 HG 90"),
        ("12abc3", "NL", "12-ABC-3"),
        ("98thd4", "NL", "98-THD-4"),
        ("zg1234ab", "HR", "ZG 1234-AB"),
        ("ba123ab", "SK", "BA-123AB"),
        ("1234bcd", None, "1234 BCD"),
        ("QQQQ", None, "QQQQ"),
        ("Q QQQ", None, "Q QQQ"),
    ],
)
def test_display_follows_the_country_where_it_is_clear(text: str, country: str | None, shown: str) -> None:
    assert Plate.parse(text, country).display() == shown


@given(GROUPS, st.sampled_from([None, "D", "F", "NL", "HR", "A", "nowhere"]))
def test_what_is_displayed_parses_back_to_the_same_key(groups: list[str], country: str | None) -> None:
    plate = Plate.parse(" ".join(groups), country)
    assert Plate.parse(plate.display(), country).key == plate.key
    bare = Plate(plate.key, (), country)
    assert Plate.parse(bare.display()).key == plate.key


@given(st.data())
def test_plates_drawn_from_the_table_survive_display_with_their_groups(data: st.DataObject) -> None:
    layout = data.draw(st.sampled_from(LAYOUTS))
    shape = data.draw(st.sampled_from(layout.shapes))
    groups = spell(layout, shape, lambda options: data.draw(st.sampled_from(list(options))))
    plate = Plate("".join(groups), groups, layout.country)
    assert Plate.parse(plate.display()).key == plate.key
    assert not unusual(plate)


@given(GROUPS)
def test_a_masked_plate_hides_at_least_half_and_keeps_its_length(groups: list[str]) -> None:
    plate = Plate.parse(" ".join(groups))
    masked = plate.masked()
    assert len(masked) == len(plate.key)
    assert 2 * masked.count("•") >= len(plate.key)


def test_a_short_plate_is_masked_too() -> None:
    assert Plate("A1").masked() == "A•"
    assert Plate("AB1").masked() == "A••"
    assert Plate("BNO1234").masked() == "B•••••4"


def test_groups_tell_plates_apart_only_where_a_country_writes_the_key_in_two_ways() -> None:
    berlin, bonn = Plate.parse("B NO 1234"), Plate.parse("BN O 1234")
    assert told_apart(berlin, bonn)
    assert told_apart(bonn, Plate.parse("B NO1234"))
    assert not told_apart(berlin, Plate.parse("BNO1234"))
    assert not told_apart(berlin, Plate.parse("BNO 1234")), "the cut before the digits says nothing"
    assert not told_apart(Plate.parse("AB-123-CD"), Plate.parse("AB 12 3CD")), "there is one way only"


@given(GROUPS, GROUPS)
def test_telling_apart_is_symmetric(one: list[str], other: list[str]) -> None:
    first, second = Plate("BNO1234", tuple(one)), Plate("BNO1234", tuple(other))
    assert told_apart(first, second) == told_apart(second, first)


def test_a_plate_that_fits_nothing_is_unusual_and_still_a_plate() -> None:
    assert unusual(Plate.parse("ABCDEFGH"))
    assert unusual(Plate.parse("AB123CD", "D"))
    assert not unusual(Plate.parse("AB123CD"))
    assert unusual(Plate.parse("AB-I23-CD"))


def test_the_weakest_character_of_a_read_is_not_hidden_by_the_others() -> None:
    options = ((("A", 0.99), ("4", 0.01)), (("B", 0.42), ("8", 0.4)), (("1", 0.999),))
    assert PlateRead(Plate("AB1"), 0.41, options).weakest == 0.42
    assert PlateRead(Plate("AB1"), 0.41, ()).weakest == 0.41
