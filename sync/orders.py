"""What may be asked of an edge, by a person at the machine and by the portal alike, and the answer.

Orders are for now: nothing is queued or repeated, and what two of them bring about stays (`SwitchLane`, `Revoke`).
How they get to the daemon is told in `edge.control` and `sync.portal`; what they do is the lane's and the daemon's
business.
"""

from typing import Annotated

from msgspec import Meta, Struct

from gate_controller.lane import Order

Words = Annotated[str, Meta(min_length=1, max_length=200)]


class LaneOrder(Struct, frozen=True, tag="lane"):
    """Ask this of a lane; `reason` is kept in the journal."""

    lane: Words
    kind: Order
    by: Words
    reason: Words


class ClearUser(Struct, frozen=True, tag="clear"):
    """End the open sessions and grants of a user: the vehicle is gone, whatever the books say."""

    external_id: Words
    by: Words
    reason: Words


class SwitchLane(Struct, frozen=True, tag="activate"):
    """Switch a lane on or off; it stays so over restarts, until its settings are changed. Exits stay on."""

    lane: Words
    active: bool
    by: Words
    reason: Words


class Revoke(Struct, frozen=True, tag="revoke"):
    """This user is void at once, or where `credential` is not "" that one alone; whoever is inside still gets out.

    So it stays, over restarts too, until the list is at revision `rev` of `epoch`, which says the same, or another
    list altogether has come.
    """

    user_id: Words
    external_id: Words
    credential: Annotated[str, Meta(max_length=200)]
    epoch: Annotated[str, Meta(max_length=64)]
    rev: Annotated[int, Meta(ge=0, le=2**53)]
    by: Words
    reason: Words


class EnrolBadge(Struct, frozen=True, tag="enrol"):
    """The next badge at this desk is this user's, whom `customer` calls so; `by` is the clerk."""

    desk: Words
    user: Words
    by: Words
    customer: Annotated[str, Meta(max_length=200)] = ""


class SyncNow(Struct, frozen=True, tag="sync"):
    """Ask the portal for the list at once."""


class SendPicture(Struct, frozen=True, tag="picture"):
    """Send the picture that decided row `seq` of `ledger`, if it is still there."""

    ledger: Annotated[str, Meta(min_length=1, max_length=64)]
    seq: Annotated[int, Meta(ge=1, le=2**53)]


class Answer(Struct, frozen=True):
    """What became of a request; `text` says why not, or what was done."""

    done: bool
    text: str


Request = LaneOrder | ClearUser | SwitchLane | Revoke | EnrolBadge
"""What the daemon does; the other orders are the link's own."""
