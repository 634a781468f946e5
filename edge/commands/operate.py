"""`slagboom operate`: what a person at the machine asks of a running site, with a reason for the journal."""

import getpass
from pathlib import Path

from edge import present
from edge.config import load_config
from edge.control import ask, socket_of
from gate_controller.errors import ControlError
from gate_controller.lane import Order
from sync.orders import ClearUser, EnrolBadge, LaneOrder, Request, SwitchLane


def order(config: Path, lane: str, kind: Order, reason: str) -> int:
    """Give a lane an order. Raises `ControlError` with why the lane will not."""
    return _ask(config, LaneOrder(lane, kind, getpass.getuser(), reason))


def switch(config: Path, lane: str, reason: str, *, active: bool) -> int:
    """Switch a lane on or off. Raises `ControlError` for a lane that is not there, or must stay on."""
    return _ask(config, SwitchLane(lane, active, getpass.getuser(), reason))


def clear(config: Path, external_id: str, reason: str) -> int:
    """End a user's open sessions and grants. Raises `ControlError` when there are none."""
    return _ask(config, ClearUser(external_id, getpass.getuser(), reason))


def enrol(config: Path, desk: str, external_id: str, customer: str) -> int:
    """Make the next badge at a desk a user's. Raises `ControlError` for one who waits for none."""
    return _ask(config, EnrolBadge(desk, external_id, getpass.getuser(), customer))


def _ask(config: Path, request: Request) -> int:
    site = load_config(config)
    answer = ask(socket_of(site.path(site.store.path)), request)
    if not answer.done:
        raise ControlError(f"refused: {answer.text}")
    present.say(answer.text)
    return 0
