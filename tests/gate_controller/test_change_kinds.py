"""What goes over the wire: each kind of change is a dataclass of one field."""

from dataclasses import fields
from typing import get_args

import pytest

from gate_controller.change_kinds import Change


@pytest.mark.parametrize("kind", get_args(Change))
def test_a_change_says_one_thing(kind: type) -> None:
    assert len(fields(kind)) == 1
    assert kind.__name__.endswith(("Put", "Removed"))


def test_whatever_can_be_put_can_be_removed() -> None:
    names = {kind.__name__ for kind in get_args(Change)}
    assert {name.replace("Put", "Removed") for name in names} == {n for n in names if n.endswith("Removed")}
