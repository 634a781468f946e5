"""Folding is a law: idempotent, blind to look-alikes, and to nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from gate_controller.look_alikes import GROUP_OF, LOOK_ALIKES, fold, skeleton, skeletons

KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ÄÖÜ", min_size=2, max_size=12)


@given(KEYS)
def test_folding_twice_is_folding_once(key: str) -> None:
    assert fold(fold(key)) == fold(key)
    assert skeleton(key).decode("latin-1") == fold(key)


@given(st.lists(KEYS))
def test_many_keys_have_the_skeletons_that_each_has(keys: list[str]) -> None:
    assert skeletons(keys) == [*map(skeleton, keys)]


@given(KEYS, KEYS)
def test_keys_fold_alike_exactly_when_each_position_looks_alike(one: str, other: str) -> None:
    pairs = list(zip(one, other, strict=False))
    alike = len(one) == len(other) and all(a == b or a in GROUP_OF.get(b, "") for a, b in pairs)
    assert (fold(one) == fold(other)) == alike


@given(KEYS, st.data())
def test_swapping_look_alikes_changes_nothing(key: str, data: st.DataObject) -> None:
    swapped = "".join(data.draw(st.sampled_from(GROUP_OF.get(char, char))) for char in key)
    assert fold(swapped) == fold(key)


def test_groups_share_no_character() -> None:
    everything = "".join(LOOK_ALIKES)
    assert len(everything) == len(set(everything))


def test_unrelated_characters_stay_apart() -> None:
    assert fold("M") != fold("N")
    assert fold("O0DQÖ") == "OOOOO"
    assert fold("TÜ") == fold("TU")
