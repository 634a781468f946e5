"""What to do with news about the list: pure. Revisions are compared, and a delta makes the next list.

Revisions only rise inside an epoch; an epoch begins anew when the portal lost or rebuilt its list. Signatures are
`sync.guard`'s business, roots `sync.follower`'s.
"""

from enum import StrEnum
from typing import Final

from gate_controller.allowlist import Allowlist, Change
from gate_controller.errors import ListRejected, MalformedMessage, MessageRefused
from sync.codec import decode_changes
from sync.messages import ListDelta, ListHead, ListPart, Revision
from sync.signing import Refusal

GAP_WAIT_S: Final = 2.0
"""Before asking for what is missing: it may only have been overtaken."""


class Step(StrEnum):
    """What news about the list asks for."""

    APPLY = "apply"
    IGNORE = "ignore"
    GAP = "gap"
    SNAPSHOT = "snapshot"


def on_head(have: Revision | None, head: ListHead) -> Step:
    """A head is a hint that something newer exists; it never changes the list by itself."""
    if have is None or head.epoch != have.epoch:
        return Step.SNAPSHOT
    return Step.GAP if head.rev > have.rev else Step.IGNORE


def on_delta(have: Revision | None, delta: ListDelta) -> Step:
    """A delta is applied only to exactly the revision that it begins with.

    One that begins and ends there says "nothing new" and is applied too: it confirms the list.
    """
    if have is None or delta.epoch != have.epoch:
        return Step.SNAPSHOT
    if delta.from_ == have.rev and delta.to >= delta.from_:
        return Step.APPLY
    return Step.GAP if delta.to > have.rev else Step.IGNORE


def on_part(have: Revision | None, part: ListPart) -> Step:
    """A whole list replaces ours unless it is older."""
    if have is not None and part.epoch == have.epoch and part.rev < have.rev:
        return Step.IGNORE
    return Step.APPLY


def changed(old: Allowlist, delta: ListDelta) -> tuple[Allowlist, list[Change]]:
    """The next list and what leads to it; the same list and nothing where the delta only confirms."""
    if delta.to == delta.from_:
        return old, []
    changes = decode_changes(delta.ops)
    return old.apply(changes, delta.to), changes


def refused_as(error: Exception) -> MessageRefused:
    """A list that cannot be: its own reason for a wrong root, one for all that breaks a rule of lists."""
    if isinstance(error, ListRejected) and error.reason == Refusal.ROOT_MISMATCH:
        return MessageRefused(Refusal.ROOT_MISMATCH, str(error))
    if isinstance(error, MalformedMessage):
        return MessageRefused(Refusal.MALFORMED, str(error))
    return MessageRefused(Refusal.LIST_REJECTED, str(error))
