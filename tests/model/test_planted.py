"""Bugs planted on purpose, one rule of the product each: a few steps of the model find every one of them.

The steps are told here and not left to chance, so that none is missed by bad luck; without a bug none diverges.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from gate_controller import access
from gate_controller.arbiter import Places
from gate_controller.conflicts import Settled, settle
from gate_controller.delegation import Device
from gate_controller.desk import LicenceStatus, Role
from gate_controller.occupancy import Occupancy
from hardware_sim.portal.journals import stays
from hardware_sim.portal.partners import charges, credits
from tests.model.machine import BADGES, PLATES, Model

FIRST, OTHER = PLATES[:2]
"""Vehicles of one user."""


@contextlib.contextmanager
def a_model() -> Iterator[Model]:
    model = Model()
    try:
        yield model
    finally:
        model.teardown()


def comes(model: Model, edge: str, way: str, plate: str, outcome: str = "passes") -> None:
    model.drive_any(edge=edge, way=way, plate=plate, badge=None, read=True, outcome=outcome)


def both_vehicles(model: Model) -> None:
    comes(model, "e1", "in", FIRST)
    comes(model, "e1", "in", OTHER)


def at_two_edges(model: Model) -> None:
    comes(model, "e1", "in", FIRST)
    comes(model, "e2", "in", OTHER)


def offline_at_two_edges(model: Model) -> None:
    model.network(edge="e2", what="cut")
    at_two_edges(model)


def in_and_out(model: Model) -> None:
    comes(model, "e1", "in", FIRST)
    comes(model, "e1", "out", FIRST)


def privately(model: Model) -> None:
    for number in range(3):
        plates = sorted(model.pick(number)["plates"])  # type: ignore[index]
        model.edit_user(number=number, name=None, plates=plates, badges=[], groups=(), private=True, payable=True)
    comes(model, "e1", "in", FIRST)


def outside_hours(model: Model) -> None:
    for number in range(3):
        schedule = "Sa,So 08:00-12:00"
        model.permit(number=number, group=None, schedule=schedule, device=None, begins_h=None, ends_h=None)
    comes(model, "e1", "in", FIRST)


def restarted_at_the_boom(model: Model) -> None:
    comes(model, "e1", "in", FIRST)
    comes(model, "e1", "out", FIRST, outcome="waits")
    model.network(edge="e1", what="restart")
    comes(model, "e1", "in", OTHER)


def restarted_as_it_left(model: Model) -> None:
    comes(model, "e1", "in", FIRST)
    comes(model, "e1", "out", FIRST, outcome="waits")
    model.network(edge="e1", what="restart")
    model.wait(minutes=10)
    comes(model, "e2", "in", OTHER)


def delegated(model: Model) -> None:
    for what, about in (("ask", "link"), ("accept", "link"), ("ask", "charge"), ("accept", "charge")):
        model.agree(what=what, about=about, device="e1-in", side="cafe")
    model.network(edge="e1", what="cut")
    model.wait(minutes=10)
    model.agree(what="end", about="link", device="e1-in", side="clean")
    comes(model, "e1", "in", FIRST)


def without_a_licence(model: Model) -> None:
    model.first_trip(number=0, badge=BADGES[0], status=LicenceStatus.REJECTED, begins_min=5, role=Role.DRIVER)


def first_trip(model: Model) -> None:
    model.first_trip(number=0, badge=BADGES[0], status=LicenceStatus.VALIDATED, begins_min=5, role=Role.DRIVER)


PLAYS: Final[tuple[Callable[[Model], None], ...]] = (
    both_vehicles,
    at_two_edges,
    offline_at_two_edges,
    in_and_out,
    privately,
    outside_hours,
    restarted_at_the_boom,
    restarted_as_it_left,
    delegated,
    without_a_licence,
    first_trip,
)


def _no_conflicts(*args: Any) -> Settled:
    return Settled((), settle(*args).left)


def _to_whom_it_was_said(device: Device | None, _at: object) -> str:
    return device.delegations[0].partner if device is not None and device.delegations else "cafe"


PLANTED: Final[dict[str, tuple[Callable[[Model], None], Any, str, Any]]] = {
    "a second vehicle gets in": (both_vehicles, access, "_place", lambda *_: access._Place()),
    "a place is given twice": (at_two_edges, stays.Stays, "_places", lambda *_: Places()),
    "what opened nothing is charged": (at_two_edges, credits, "UNOPENED", frozenset()),
    "double entries are not recorded": (offline_at_two_edges, stays, "settle", _no_conflicts),
    "an exit knows no session": (in_and_out, access, "_session_of", lambda *_: (None, access.Matched.NONE)),
    "what is private is the employer's": (privately, access, "_payer", lambda user, _contract=None: user.customer),
    "schedules are not looked at": (outside_hours, access, "one_permit", lambda *_: None),
    "nobody is in doubt": (
        restarted_at_the_boom,
        Occupancy,
        "_release",
        lambda self, fact: self._without(fact.hold)[0],
    ),
    "nobody looks at licences": (without_a_licence, access, "licence_reason", lambda *_: None),
    "a delegation never ends": (delegated, charges, "billed_to", _to_whom_it_was_said),
}


@pytest.mark.parametrize("play", PLAYS)
def test_no_play_diverges_without_a_bug(play: Callable[[Model], None]) -> None:
    with a_model() as model:
        play(model)


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    play, holder, name, wrong = PLANTED[bug]
    monkeypatch.setattr(holder, name, wrong)
    with pytest.raises(AssertionError), a_model() as model:
        play(model)
