"""What may be asked goes over the socket and comes out the same."""

import typing

import msgspec
import pytest

from hardware_sim.portal.operator.asked import About, AddGuest, Asked, OrderEdge, RotateKeys, Users
from hardware_sim.portal.operator.evidence import ANSWERS
from hardware_sim.portal.operator.gates import DEEDS
from hardware_sim.portal.operator.gates import LOOKS as GATE_LOOKS
from hardware_sim.portal.operator.people import CHANGES, LOOKS
from hardware_sim.portal.operator.reception import ASKED as RECEPTION
from sync.orders import SyncNow


@pytest.mark.parametrize(
    "asked", [About(), Users("a"), RotateKeys(), AddGuest("gina"), OrderEdge("gatehouse", SyncNow())]
)
def test_a_request_arrives_as_it_was(asked: Asked) -> None:
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Asked) == asked


def test_everything_that_may_be_asked_is_answered_by_somebody() -> None:
    kinds = {kind.__name__ for kind in typing.get_args(Asked)}
    answered = {kind.__name__ for kind in {**GATE_LOOKS, **DEEDS, **LOOKS, **CHANGES, **RECEPTION, **ANSWERS}}
    assert kinds == {*answered, "Import"}
