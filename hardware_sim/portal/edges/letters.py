"""What the portal says of its list: heads, changes and parts, as they are signed. Sending is `service`'s."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from gate_controller.allowlist import Allowlist
from hardware_sim.portal.edges.books import Changes, Mend, Part
from sync.messages import LIST_LIVES, ListDelta, ListHead, ListMend, ListPart

L = TypeVar("L", ListDelta, ListPart, ListMend, ListHead)


@dataclass(frozen=True, slots=True)
class Letters:
    """Messages of one portal: for whom, of which era, and the time they are written at."""

    audience: str
    era: int
    wall: Callable[[], datetime]

    def delta(self, epoch: str, changes: Changes) -> ListDelta:
        """What leads from one revision to another; maybe nothing."""
        told = {"from_": changes.from_, "to": changes.to, "root": changes.root, "ops": changes.ops}
        return self._said(ListDelta, epoch, **told)

    def part(self, epoch: str, part: Part) -> ListPart:
        """A part of a whole list."""
        told = {"rev": part.rev, "root": part.root, "part": part.part, "parts": part.parts, "packed": part.packed}
        return self._said(ListPart, epoch, **told)

    def mend(self, epoch: str, mend: Mend) -> ListMend:
        """What differs at an edge."""
        return self._said(ListMend, epoch, rev=mend.rev, root=mend.root, buckets=mend.buckets, ops=mend.ops)

    def head(self, newest: Allowlist, root: str, conn: str) -> ListHead:
        """Which list is the newest, and the connection that it is told on."""
        return self._said(ListHead, newest.epoch, rev=newest.revision, root=root, conn=conn)

    def _said(self, kind: type[L], epoch: str, **told: Any) -> L:
        now = self.wall()
        return kind(aud=self.audience, iat=now, exp=now + LIST_LIVES, era=self.era, epoch=epoch, **told)
