"""The edge's side of `sync.signing`: what it has seen of the portal's keys, and what it therefore refuses.

Whoever owns the broker may hold back, repeat, reorder and mix up what the portal signed. So the highest of
everything that a key has signed is kept on disk, by key, so that a key that fell into wrong hands cannot block its
successor: the newest list, the last order, and the latest time, below which this edge's clock cannot be put.

That time lags by as long as the broker held the message that it is from. So an order counts only if this edge's own
clock agrees too: one that is behind would carry out what has been held back, and is told of instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gate_controller.errors import MessageRefused
from gate_controller.moment import Moment
from sync.marks import Mark
from sync.messages import (
    ORDER_LIVES,
    PART_LEN_MAX,
    PAYLOAD_LEN_MAX,
    SMALL_LEN_MAX,
    Address,
    ClaimReply,
    Cmd,
    EnrolReply,
    EventAck,
    Left,
    ListDelta,
    ListHead,
    ListMend,
    ListPart,
)
from sync.signing import AHEAD_MAX, KeyRing, KeySet, Refusal, Signed, Spoken, in_time, not_ahead, verify
from sync.store import Store

FLOOR_STEP: Final = timedelta(minutes=1)
"""How far the floor of time may rise before it is written again."""

S = TypeVar("S", bound=Spoken)
C = TypeVar("C", ListPart, ListMend)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A verified delta and the key that signed it."""

    kid: str
    delta: ListDelta

    def raised(self, mark: Mark) -> Mark:
        """The key's mark with this delta."""
        return mark.raised(self.delta.iat, self.delta.era, self.delta.to)


class Guard:
    """What one edge believes. Every method raises MessageRefused, and then nothing has changed, or StoreError."""

    def __init__(self, store: Store, root_key: bytes, address: Address, clock: Callable[[], Moment]) -> None:
        """`root_key` is the portal's root public key: the trust anchor. Raises ValueError for what is no key."""
        self._store, self._address, self._clock = store, address, clock
        self._root = KeyRing.of_root(root_key)
        self._ring = KeyRing()
        self._marks: dict[str, Mark] = {}
        self._floor: tuple[datetime, float] | None = None

    @property
    def keyset(self) -> int:
        """The version of the key set in force; 0 before the first."""
        return self._ring.version

    @property
    def pass_keys(self) -> Mapping[str, Ed25519PublicKey]:
        """The keys that sign passes now."""
        return self._ring.passes

    def now(self) -> datetime:
        """The time, never before what the portal has signed: a clock that lost its battery does not count."""
        moment = self._clock()
        if self._floor is None:
            return moment.wall
        floor, at_s = self._floor
        return max(moment.wall, floor + timedelta(seconds=moment.mono_s - at_s))

    @property
    def trouble(self) -> str:
        """That this edge's clock is so far behind that orders are refused, in whole minutes; empty if it is not."""
        if self._floor is None:
            return ""
        behind = self.now() - self._clock().wall
        if behind <= AHEAD_MAX:
            return ""
        minutes = -(-behind // timedelta(minutes=1))
        return f"this edge's clock is {minutes} min behind what the portal signed; its orders count once it is set"

    async def load(self) -> None:
        """What the last run knew. A stored key set that another root key signed does not count."""
        stored = await self._store.keyset()
        if stored is None:
            return
        try:
            _, keys = self._open(stored, KeySet, self._root)
        except MessageRefused:
            return
        self._enter(KeyRing.of_set(keys), await self._store.marks())

    async def keys(self, payload: bytes) -> bool:
        """Put a newer key set in force; whether it was newer."""
        _, keys = self._open(payload, KeySet, self._root)
        if keys.version < self._ring.version:
            raise MessageRefused(Refusal.ROLLED_BACK, f"keys {keys.version} after {self._ring.version}")
        if keys.version == self._ring.version:
            return False
        # By the clock alone: the floor may be the work of the very key that this set takes away.
        in_time(keys, self._clock().wall)
        ring = KeyRing.of_set(keys)
        await self._store.put_keyset(payload, [*ring.keys])
        self._enter(ring, {kid: mark for kid, mark in self._marks.items() if kid in ring.keys})
        return True

    async def head(self, payload: bytes) -> ListHead:
        """A head that is not older than the newest list that its key told of."""
        kid, head = self._open(payload, ListHead, self._ring)
        in_time(head, self.now())
        self._refuse_older(kid, head.era, head.rev)
        await self._note(kid, self._mark(kid, head).raised(head.iat, head.era, head.rev))
        return head

    def read_delta(self, payload: bytes) -> "Sighting":
        """A delta of the newest era. It does not expire: it only ever leads onward, from where the edge stands.

        Before anything follows from it, `note` is called, or its mark written with what follows and `noted` called.
        """
        kid, delta = self._open(payload, ListDelta, self._ring, PAYLOAD_LEN_MAX)
        self._refuse_older(kid, delta.era, self._mark(kid, delta).rev)
        self._raise_floor(delta.iat)
        return Sighting(kid, delta)

    async def note(self, seen: "Sighting") -> None:
        """Keep on the disk that its key has signed this delta."""
        await self._note(seen.kid, self._raised(seen))

    def noted(self, seen: "Sighting") -> None:
        """That it did is on the disk already."""
        self._marks[seen.kid] = self._raised(seen)

    async def part(self, payload: bytes) -> ListPart:
        """A part of a whole list of the newest era."""
        return await self._newest(payload, ListPart, PART_LEN_MAX)

    async def mend(self, payload: bytes) -> ListMend:
        """Some buckets of a list of the newest era."""
        return await self._newest(payload, ListMend, PAYLOAD_LEN_MAX)

    async def order(self, payload: bytes, nonce: str) -> Cmd:
        """An order that may be carried out now; that it was is on disk before this returns."""
        kid, cmd = self._open(payload, Cmd, self._ring)
        self._refuse_untimely(cmd)
        if cmd.nonce != nonce:
            raise MessageRefused(Refusal.WRONG_NONCE, cmd.cmd_id)
        mark = self._mark(kid, cmd)
        if cmd.cseq <= mark.cseq:
            raise MessageRefused(Refusal.REPLAYED, f"order {cmd.cseq} after {mark.cseq}")
        mark = mark.raised(cmd.iat, cseq=cmd.cseq)
        fresh = await self._store.execute(kid, mark, cmd.cmd_id)
        self._marks[kid] = mark
        self._raise_floor(cmd.iat)
        if not fresh:
            raise MessageRefused(Refusal.REPLAYED, f"order {cmd.cmd_id} was carried out before")
        # The disk may have taken its time.
        self._refuse_untimely(cmd)
        return cmd

    def ack(self, payload: bytes) -> EventAck:
        """What the portal says to have of the journal. It needs no time: rows that were stored stay so."""
        return self._open(payload, EventAck, self._ring)[1]

    def claim(self, payload: bytes) -> ClaimReply:
        """An answer of the portal to this edge, whatever the clock says.

        It names a question that was asked once and waits for 300 ms; a clock that runs wrong must not cost it.
        """
        return self._open(payload, ClaimReply, self._ring)[1]

    def enrolled(self, payload: bytes) -> EnrolReply:
        """An answer to a desk of this edge, whatever the clock says: it names a question that was asked once."""
        return self._open(payload, EnrolReply, self._ring)[1]

    def left(self, payload: bytes) -> Left:
        """Sessions that ended elsewhere. Their names are used once in an edge's life: repeated, it says nothing."""
        return self._open(payload, Left, self._ring)[1]

    # ---- inside ----

    def _open(self, payload: bytes, kind: type[S], ring: KeyRing, bytes_max: int = SMALL_LEN_MAX) -> tuple[str, S]:
        address = self._address
        to_edge = issubclass(kind, Cmd | EventAck | ClaimReply | Left | EnrolReply)
        audience = address.audience if to_edge else address.site_audience
        return verify(payload, kind, audience, ring, bytes_max)

    def _refuse_untimely(self, cmd: Cmd) -> None:
        not_ahead(cmd, self._clock().wall)
        in_time(cmd, self.now(), ORDER_LIVES)

    async def _newest(self, payload: bytes, kind: type[C], bytes_max: int) -> C:
        kid, content = self._open(payload, kind, self._ring, bytes_max)
        in_time(content, self.now())
        self._refuse_older(kid, content.era, self._mark(kid, content).rev)
        await self._note(kid, self._mark(kid, content).raised(content.iat, content.era, content.rev))
        return content

    def _mark(self, kid: str, message: Signed) -> Mark:
        return self._marks.get(kid) or Mark(message.iat)

    def _raised(self, seen: "Sighting") -> Mark:
        return seen.raised(self._mark(seen.kid, seen.delta))

    def _refuse_older(self, kid: str, era: int, rev: int) -> None:
        mark = self._marks.get(kid)
        if mark is not None and (era, rev) < (mark.era, mark.rev):
            raise MessageRefused(
                Refusal.ROLLED_BACK, f"list {era}.{rev} after {mark.era}.{mark.rev} by the same key"
            )

    async def _note(self, kid: str, mark: Mark) -> None:
        before = self._marks.get(kid)
        self._raise_floor(mark.floor)
        same = before is not None and (before.era, before.rev) == (mark.era, mark.rev)
        if same and before is not None and mark.floor < before.floor + FLOOR_STEP:
            return
        await self._store.put_mark(kid, mark)
        self._marks[kid] = mark

    def _raise_floor(self, to: datetime) -> None:
        if to > self.now():
            self._floor = (to, self._clock().mono_s)

    def _enter(self, ring: KeyRing, marks: dict[str, Mark]) -> None:
        self._ring, self._marks, self._floor = ring, marks, None
        for mark in marks.values():
            self._raise_floor(mark.floor)
