"""Every kind of fact is in the journal's vocabulary, and whatever names a person is listed for erasure."""

import dataclasses
from collections.abc import Iterator
from typing import get_args, get_type_hints

from gate_controller import facts

KINDS = get_args(facts.Fact)
NAMES_A_PERSON = {"plate", "as_read", "as_matched", "evidence", "name", "badge", "card", "credential"}


def fields_of(kind: type, before: str = "") -> Iterator[str]:
    """Dotted paths of a kind's fields, through the values inside."""
    for name, hint in get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from fields_of(hint, f"{before}{name}.")
        else:
            yield before + name


def test_every_kind_is_in_the_union() -> None:
    """A fact names its lane; a dataclass of the module that does is a kind of fact."""
    declared = {
        kind
        for kind in vars(facts).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not facts.Basis
    }
    assert declared == set(KINDS)


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.__name__ for kind in KINDS}) == len(KINDS)


def test_what_names_a_person_is_listed_for_erasure() -> None:
    for kind in KINDS:
        personal = {path for path in fields_of(kind) if path.rsplit(".", 1)[-1] in NAMES_A_PERSON}
        assert personal == set(facts.PERSONAL.get(kind, ())), kind.__name__


def test_numbers_and_reasons_are_never_erased() -> None:
    """What the fold of occupancy needs must survive erasure."""
    kept = {"lane", "hold", "direction", "reason", "user_id", "closes"}
    assert not [path for paths in facts.PERSONAL.values() for path in paths if path in kept]
