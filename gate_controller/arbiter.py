"""Who has a user's places among all edges of a site: asked before an entry, told after an exit.

An edge names each of its holds once, so that a question that comes twice gets one answer, and one that comes after
its own end gets nothing. What is given carries a fence that only rises: whoever speaks of an older one is late.

Not here: where the books are kept and how questions travel, and what becomes of entries that nobody could ask about
(`conflicts`). Nothing here is ever asked about an exit.
"""

from dataclasses import dataclass, replace

from gate_controller.facts import HoldId


@dataclass(frozen=True, slots=True)
class Place:
    """A place in use by a hold of an edge; `fence` is None where the edge took it without asking."""

    edge: str
    hold: HoldId
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """The place is this hold's."""

    fence: int


@dataclass(frozen=True, slots=True)
class Held:
    """No place is left; `holder` is the edge that took the last one."""

    holder: str


@dataclass(frozen=True, slots=True)
class Places:
    """One user's places: `size` of them (1 for a person), those taken, and holds known to have ended."""

    size: int = 1
    taken: tuple[Place, ...] = ()
    over: frozenset[tuple[str, HoldId]] = frozenset()

    def claim(
        self, edge: str, hold: HoldId, fence: int, closes: tuple[HoldId, ...] = ()
    ) -> tuple["Places", Given | Held]:
        """A hold of an edge asks for a place; `closes` are sessions of that edge that end if it passes.

        `fence` is the next number, higher than any given to this user before; ValueError if it is not.
        """
        own = next((place for place in self.taken if (place.edge, place.hold) == (edge, hold)), None)
        if own is not None and own.fence is not None:
            return self, Given(own.fence)
        if any(place.fence is not None and place.fence >= fence for place in self.taken):
            raise ValueError(f"fence {fence} does not rise")
        others = [p for p in self.taken if p is not own and not (p.edge == edge and p.hold in closes)]
        if (edge, hold) in self.over:
            return self, Held(edge)
        if len(others) >= self.size:
            return self, Held(others[-1].edge)
        rest = tuple(place for place in self.taken if place is not own)
        return replace(self, taken=(*rest, Place(edge, hold, fence))), Given(fence)

    def release(self, edge: str, hold: HoldId, fence: int | None = None) -> "Places":
        """The hold did not pass, or its vehicle has left; ignored with an older fence than the place's."""
        own = next((place for place in self.taken if (place.edge, place.hold) == (edge, hold)), None)
        if own is not None and fence is not None and own.fence is not None and fence < own.fence:
            return self
        rest = tuple(place for place in self.taken if place is not own)
        return replace(self, taken=rest, over=self.over | {(edge, hold)})
