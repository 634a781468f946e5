"""A layered dictionary behaves like the plain one that a rebuild would give."""

from hypothesis import given
from hypothesis import strategies as st

from gate_controller.layers import Draft, Holders, Layer, rows_under

KEYS = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.lists(st.tuples(st.sampled_from(["add", "drop"]), KEYS, st.integers(0, 3)), max_size=20)


def as_sets(layer: Layer[str]) -> dict[str, set[int]]:
    return {key: set(rows_under(value)) for key, value in layer.items()}


@given(st.lists(STEPS, max_size=4))
def test_overlays_equal_a_plain_dictionary(deltas: list[list[tuple[str, str, int]]]) -> None:
    layer: Layer[str] = Layer.of({"a": 1, "z": 9}, {})
    plain: dict[str, set[int]] = {"a": {1}, "z": {9}}
    for steps in deltas:
        before = as_sets(layer)
        draft = Draft(layer)
        for step, key, row in steps:
            held = plain.get(key, set())
            if step == "add" and row not in held:
                draft.add(key, row)
                plain[key] = held | {row}
            elif step == "drop":
                draft.drop(key, row)
                plain[key] = held - {row}
        assert as_sets(layer) == before, "a draft never touches the layer it came from"
        layer = draft.layer()
        plain = {key: held for key, held in plain.items() if held}
        assert as_sets(layer) == plain
        assert as_sets(layer.merged()) == plain
        assert not layer.merged().over
        for key in "abcdz":
            assert set(rows_under(layer.get(key))) == plain.get(key, set())


def test_a_layer_without_overlay_asks_the_dictionary_itself() -> None:
    base = {"a": 1}
    assert Layer.of(base, {}).get == base.get


def test_an_empty_base_takes_over_the_first_changes() -> None:
    layer: Layer[str] = Layer.of({}, {"a": 1, "b": None})
    assert layer.base == {"a": 1}
    assert not layer.over


def test_a_whole_list_in_the_making_is_not_copied_and_keeps_nothing_that_was_taken_away() -> None:
    draft: Draft[str] = Draft(Layer.of({}, {}))
    draft.put_all({"a": 1, "b": 2})
    draft.add_all([("b", 3), ("c", 4)])
    assert draft.meets(["x", "c"])
    assert not draft.meets(["x"])
    assert draft.layer().base is draft.over
    assert as_sets(draft.layer()) == {"a": {1}, "b": {2, 3}, "c": {4}}
    draft.drop("c", 4)
    assert not draft.layer().over
    assert draft.layer().base == {"a": 1, "b": Holders([2, 3])}
    there: Draft[str] = Draft(Layer.of({"a": 1, "z": 9}, {}))
    assert there.meets(["z"])


def test_one_row_stands_alone_and_several_are_told_from_a_tuple_row() -> None:
    assert rows_under(None) == ()
    assert rows_under(("row",)) == (("row",),)
    assert rows_under(Holders([("one",), ("two",)])) == (("one",), ("two",))
