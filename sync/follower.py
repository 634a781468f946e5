"""The edge's copy of the list: signed news in, the next list in force out.

`sync.guard` says what is believed, `sync.replica` what news asks for; here it is done: changes are written and the
root compared, a whole list is gathered in parts that a cut does not lose, and swapped in at once. Where the root is
not the portal's, what differs is asked for (`sync.mender`), and the whole list if that does not do. A list that
cannot be followed leaves the old one in force, is told, and asked for ever more rarely; so is one whose answers are
over when they come, which is what a clock that is ahead makes of them. What is asked of the portal, and when, is
`sync.portal`'s business; it is told by `ask_at_latest` and `ask_next`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NoReturn, TypeVar

import msgspec

from gate_controller.allowlist import Allowlist, WholeList
from gate_controller.errors import ListRejected, MalformedMessage, MessageRefused, StoreError
from sync.ahead import Ahead
from sync.cached_list import Shadow
from sync.entries import Gathered
from sync.guard import Guard, Sighting
from sync.mender import mended, read_back, sums_of
from sync.messages import (
    LIST_LIVES,
    ListGet,
    ListHead,
    ListPart,
    Revision,
    Written,
)
from sync.packing import unpacked
from sync.replica import GAP_WAIT_S, Step, changed, on_delta, on_head, on_part, refused_as
from sync.signing import Refusal
from sync.store import Store

CONFIRM_EVERY_S: Final = 3600.0
"""How often the portal is asked whether the list is still the newest."""
ASK_AGAIN_S: Final = 30.0
"""After this long without an answer the list is asked for again."""
READ_SLICE_LEN: Final = 250
"""Entries read between two looks at what else there is to do: about 1 ms. Not in a thread, which would hold all the
others up for 5 ms at each turn."""
WRITTEN_PARTS: Final = 2
"""Parts of a whole list that are written in one transaction: some 4,000 entries, 30 ms."""
LARGE_LEN_MIN: Final = 8 * 1024
"""Bytes from which on changes are read in a thread: some 50 users, which would cost the event loop 10 ms."""

T = TypeVar("T")

log = logging.getLogger(__name__)

OnList = Callable[[Allowlist, datetime], None]
"""Called with the list in force from now on and when the portal said that it is the newest."""
AskIn = Callable[[float], None]


class Follower:
    """One edge's list. The `on_...` methods raise MessageRefused or MalformedMessage, and then nothing changed.

    They handle one message after the other, and each to its end, also when the connection that brought it is lost
    meanwhile: what was begun lands on the disk either way, and must not be there alone.
    """

    def __init__(
        self,
        store: Store,
        guard: Guard,
        allowlist: Allowlist,
        on_list: OnList,
        ask_at_latest: AskIn,
        ask_next: AskIn,
    ) -> None:
        """`allowlist` is the one loaded from `store`; every later one goes to `on_list`."""
        self.allowlist = allowlist
        self.have: Revision | None = None
        self._store, self._guard, self._on_list = store, guard, on_list
        self._ask_at_latest, self._ask_next = ask_at_latest, ask_next
        # A whole list on its way: how much of it came, how much of that is on the disk, and what is not.
        self._shadow: Shadow | None = None
        self._written: Shadow | None = None
        self._gathered = Gathered()
        self._writing: asyncio.Future[None] | None = None
        self._ahead = Ahead()
        # The list that it becomes, if all of its parts came in this run; otherwise they are read from the disk.
        self._new: WholeList | None = None
        self._to_sweep = asyncio.Event()
        self._whole = False
        # What the rows are, in short, while it is asked what differs; and whether a disk made them so.
        self._sums: bytes | None = None
        self._rotten = False
        # Why the list cannot be used, and what is wrong with the time; empty when nothing is.
        self._unusable = self._untimely = ""
        self._unanswered = False
        self._stuck_for_s = ASK_AGAIN_S
        self._turn = asyncio.Lock()
        self._root = ""
        self._confirmed_at: datetime | None = None
        self._fresh_until: datetime | None = None

    async def load(self) -> None:
        """What the last run left, a whole list half received included; a disk that rotted meanwhile is found."""
        cursor = await self._store.list_cursor()
        if cursor is not None:
            self.have = Revision(cursor.epoch, cursor.rev)
            self._root = await self._store.list_root()
            self._confirmed_at = cursor.confirmed_at
            self._fresh_until = cursor.confirmed_at and cursor.confirmed_at + LIST_LIVES
            await self._look_for_rot()
        await self._back_to_disk()

    async def sweep(self) -> None:
        """Take away what former lists left on the disk, for ever: nothing waits for that."""
        while True:
            try:
                await self._store.sweep_lists()
            except StoreError as error:
                log.warning("what is left of a former list stays for now: %s", error)
            await self._to_sweep.wait()
            self._to_sweep.clear()

    @property
    def stale(self) -> bool:
        """Whether nothing signed says any more that this list is the newest."""
        return self._fresh_until is None or self._guard.now() >= self._fresh_until

    @property
    def confirmed_at(self) -> datetime | None:
        """When the portal last said that this list is the newest."""
        return self._confirmed_at

    @property
    def trouble(self) -> str:
        """Why the list cannot follow the portal's; empty when it can."""
        return self._unusable or self._untimely

    def question(self) -> ListGet:
        """What to ask the portal."""
        self._unanswered = True
        shadow = self._shadow
        written = Written(shadow.epoch, shadow.rev, self._ahead.begin(shadow.next)) if shadow else None
        sums = None if self._whole else self._sums
        return ListGet(keyset=self._guard.keyset, have=self.have, whole=self._whole, written=written, buckets=sums)

    async def on_head(self, payload: bytes) -> ListHead:
        """Something newer may exist, or this is still the newest."""
        return await self._to_its_end(self._head, payload)

    async def on_delta(self, payload: bytes) -> None:
        """Changes, or the word that there are none."""
        await self._to_its_end(self._delta, payload)

    async def on_part(self, payload: bytes) -> None:
        """A part of a whole list."""
        await self._to_its_end(self._part, payload)

    async def on_mend(self, payload: bytes) -> None:
        """What differs between the rows here and the portal's."""
        await self._to_its_end(self._mend, payload)

    # ---- inside ----

    async def _look_for_rot(self) -> None:
        """Nothing else has opened the database; a change would come to the root that was promised and hide it."""
        sums = await sums_of(self._store)
        if sums.root == self._root:
            return
        self._rotten = True
        self._unusable = "the list on this disk is not what was written there; asking the portal for what differs"
        log.error("%s", self._unusable)
        await self._store.admit_list_sums(sums)
        self._root, self._sums = sums.root, sums.short

    async def _drifted(self) -> None:
        """The root is not the portal's: ask for what differs, and if that is under way, wait for it."""
        if not self._whole and self._sums is None:
            self._sums = (await sums_of(self._store)).short

    async def _to_its_end(self, handle: Callable[[bytes], Awaitable[T]], payload: bytes) -> T:
        async def turn() -> T:
            async with self._turn:
                return await handle(payload)

        return await asyncio.shield(turn())

    async def _head(self, payload: bytes) -> ListHead:
        head = await self._guard.head(payload)
        self._untimely = ""
        step = on_head(self.have, head)
        if step is Step.IGNORE and head.root != self._root:
            await self._drifted()
            step = Step.SNAPSHOT
        if step is Step.IGNORE:
            self._fresh(head.exp)
        else:
            self._ask_soon()
        return head

    async def _delta(self, payload: bytes) -> None:
        seen = self._guard.read_delta(payload)
        delta = seen.delta
        step = on_delta(self.have, delta)
        if step is Step.APPLY:
            try:
                await self._apply(seen, large=len(payload) >= LARGE_LEN_MIN)
            except MessageRefused:
                # It came to nothing, but its key has signed it.
                await self._guard.note(seen)
                raise
            return
        await self._guard.note(seen)
        match step:
            case Step.IGNORE:
                raise MessageRefused(Refusal.REPLAYED, f"revision {delta.to} is known")
            case _:
                self._ask_soon()

    async def _apply(self, seen: Sighting, *, large: bool) -> None:
        delta = seen.delta
        if delta.to == delta.from_ and self._confirmed_at is not None and delta.iat < self._confirmed_at:
            raise MessageRefused(Refusal.REPLAYED, f"revision {delta.to} was confirmed later than this")
        confirmed_at = max(delta.iat, self._confirmed_at or delta.iat)
        try:
            if large:
                new, changes = await asyncio.to_thread(changed, self.allowlist, delta)
            else:
                new, changes = changed(self.allowlist, delta)
            if new.wants_compaction:
                new = await asyncio.to_thread(new.compacted)
            ops = [*map(bytes, delta.ops)] if changes else []
            # With the mark, so that a change waits for one commit here and not for two.
            mark = (seen.kid, delta.iat, delta.era, delta.to)
            await self._store.put_changes(
                delta.epoch, delta.from_, delta.to, changes, confirmed_at, ops, delta.root, mark
            )
            self._guard.noted(seen)
        except (ListRejected, MalformedMessage, ValueError) as error:
            refused = refused_as(error)
            if refused.reason == Refusal.ROOT_MISMATCH and self._sums is None:
                await self._drifted()
            elif self._sums is None or delta.to == delta.from_:
                # That there are no changes is no answer to what differs.
                # The whole list may do without what could not be done here; what it revokes must not be missed.
                self._whole = True
            self._ask_soon()
            raise refused from error
        self._fresh(delta.exp)
        self._in_force(new, delta.root, confirmed_at)
        if delta.exp <= self._guard.now():
            self._over(f"it was over at {delta.exp}")

    async def _part(self, payload: bytes) -> None:
        part = await self._in_time(self._guard.part(payload))
        if on_part(self.have, part) is Step.IGNORE:
            raise MessageRefused(Refusal.ROLLED_BACK, f"revision {part.rev} is older than the list in force")
        wanted = self._whole or self._sums is not None
        if not wanted and self.have == Revision(part.epoch, part.rev):
            raise MessageRefused(Refusal.REPLAYED, f"revision {part.rev} is in force")
        if self._shadow == Shadow(part.epoch, part.rev, part.root, part.parts, part.part + 1) and self._complete:
            # All was written when the last run, or the disk, ended.
            await self._swap(part)
            return
        shadow, ops = self._place_of(part), unpacked(part.packed)
        if shadow is None:
            # After a part that could not be used, the rest of them is no reason to ask sooner.
            if not self.trouble:
                self._ask_soon()
            return
        await self._take(part, ops, shadow)

    async def _mend(self, payload: bytes) -> None:
        mend = await self._in_time(self._guard.mend(payload))
        if self._sums is None or self._whole or self.have is None or mend.epoch != self.have.epoch:
            raise MessageRefused(Refusal.UNASKED, f"what differs from revision {mend.rev}")
        if mend.rev < self.have.rev:
            raise MessageRefused(Refusal.ROLLED_BACK, f"revision {mend.rev} is older than the list in force")
        confirmed_at = max(mend.iat, self._confirmed_at or mend.iat)
        try:
            made = await mended(self._store, mend, self.allowlist.reader_bits)
            new = await self._succeeding(made.whole, mend.epoch, mend.rev)
            await self._store.mend_list(mend.rev, made.stale, made.rows, confirmed_at, made.sums)
        except (ListRejected, MalformedMessage, ValueError) as error:
            self._whole = True
            self._ask_soon()
            raise refused_as(error) from error
        log.warning("the list was mended: %d of its 256 parts differed", len(mend.buckets))
        self._fresh(mend.exp)
        self._in_force(new, mend.root, confirmed_at)
        # It says nothing of what came after it.
        self._ask_at_latest(0.0)

    async def _in_time(self, believed: Awaitable[T]) -> T:
        try:
            message = await believed
        except MessageRefused as error:
            # Once for each question: the rest of its parts says no more.
            if error.reason == Refusal.EXPIRED and self._unanswered:
                self._over(str(error))
                self._ask_more_rarely()
            raise
        self._untimely = ""
        return message

    async def _succeeding(self, whole: WholeList, epoch: str, rev: int) -> Allowlist:
        """The next list out of a whole one. What a disk made of ids is no reason to refuse the portal's."""
        old = Allowlist.empty(epoch, self.allowlist.reader_bits) if self._rotten else self.allowlist
        new = await asyncio.to_thread(old.replaced_by, whole, epoch, rev)
        return new.remembering(await self._store.removed_users()) if self._rotten else new

    async def _take(self, part: ListPart, ops: Sequence[msgspec.Raw], before: Shadow) -> None:
        if part.part == 0:
            await self._let_go()
            # What differs was too much for one message, or is no longer what is asked for.
            self._whole = self._whole or self._sums is not None
            self._written, self._gathered, self._ahead = before, Gathered(), Ahead()
            self._new = WholeList(self.allowlist.reader_bits)
        self._shadow = shadow = replace(before, next=part.part + 1)
        if self._ahead.asks(shadow.next, shadow.parts):
            self._ask_at_latest(0.0)
        elif not self._ahead.waiting:
            # A busy sender may not have come to it yet.
            self._ask_next(ASK_AGAIN_S)
        try:
            await self._read(ops)
            if shadow.next % WRITTEN_PARTS == 0 or self._complete:
                await self._write(shadow)
            if self._complete:
                await self._settled()
        except (ListRejected, MalformedMessage, ValueError) as error:
            await self._stuck(error)
        except StoreError:
            await self._back_to_disk()
            raise
        if self._complete:
            await self._swap(part)

    async def _read(self, ops: Sequence[msgspec.Raw]) -> None:
        for at in range(0, len(ops), READ_SLICE_LEN):
            entries = self._gathered.read(ops[at : at + READ_SLICE_LEN], at)
            if self._new is not None:
                entries.onto(self._new)
            await asyncio.sleep(0)

    async def _write(self, shadow: Shadow) -> None:
        """Begin to write what was read, behind what is being written: the next parts are read meanwhile."""
        await self._settled()
        entries, self._gathered = self._gathered, Gathered()
        assert self._written is not None, "parts follow what is written"
        self._writing = asyncio.ensure_future(self._store.add_parts(self._written, shadow, entries))
        # Whoever wants to know asks `_settled`; nobody does when the program ends.
        self._writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._written = shadow

    async def _settled(self) -> None:
        """All that was given to `_write` is on the disk. Raises StoreError if it is not."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def _let_go(self) -> None:
        """Of what is being written nothing is needed."""
        with contextlib.suppress(StoreError):
            await self._settled()

    async def _back_to_disk(self) -> None:
        """What came and is not written is asked for again."""
        await self._let_go()
        self._give_up()
        self._shadow = self._written = await self._store.shadow()

    def _give_up(self) -> None:
        self._shadow = self._written = self._new = None
        self._gathered, self._ahead = Gathered(), Ahead()

    @property
    def _complete(self) -> bool:
        return self._shadow is not None and self._shadow.next == self._shadow.parts

    def _place_of(self, part: ListPart) -> Shadow | None:
        """Where the part goes; None when it is not the next one."""
        shadow = self._shadow
        if shadow is not None and (shadow.epoch, shadow.root) == (part.epoch, part.root):
            if part.part < shadow.next:
                raise MessageRefused(Refusal.REPLAYED, f"part {part.part} of revision {part.rev} is written")
            same = (shadow.rev, shadow.parts) == (part.rev, part.parts)
            return shadow if same and part.part == shadow.next else None
        if shadow is not None and shadow.epoch == part.epoch and part.rev < shadow.rev:
            raise MessageRefused(Refusal.ROLLED_BACK, f"revision {part.rev} while {shadow.rev} is on its way")
        return Shadow(part.epoch, part.rev, part.root, part.parts) if part.part == 0 else None

    async def _swap(self, part: ListPart) -> None:
        try:
            whole = self._new or await read_back(self._store, self.allowlist.reader_bits)
            new = await self._succeeding(whole, part.epoch, part.rev)
            await self._store.remember_left_out()
            await self._store.swap_list(part.iat)
        except (ListRejected, MalformedMessage, ValueError) as error:
            await self._stuck(error)
        self._give_up()
        self._fresh(part.exp)
        self._in_force(new, part.root, part.iat)
        # A snapshot may be some revisions old; and it says nothing of what came after it.
        self._ask_at_latest(0.0)
        self._to_sweep.set()

    async def _stuck(self, error: Exception) -> NoReturn:
        """The old list stays in force; said once, shown in the state, and asked for again, ever more rarely."""
        await self._let_go()
        await self._store.drop_shadow()
        if not self._unusable:
            log.error("the portal's list cannot be used, so an old one stays in force: %s", error)
        self._unusable = str(error)[:200]
        self._whole = True
        self._give_up()
        self._to_sweep.set()
        self._ask_more_rarely()
        raise refused_as(error) from error

    def _over(self, why: str) -> None:
        """An answer was over when it came; said once, shown in the state, until one comes in time."""
        self._unanswered = False
        if not self._untimely:
            log.error("the portal's answers are over when they come; look at this edge's clock: %s", why)
        self._untimely = f"what the portal signs is over when it comes; is this edge's clock ahead? {why}"[:200]

    def _ask_more_rarely(self) -> None:
        self._ask_next(self._stuck_for_s)
        self._stuck_for_s = min(2 * self._stuck_for_s, CONFIRM_EVERY_S)

    def _ask_soon(self) -> None:
        self._ask_at_latest(ASK_AGAIN_S if self.trouble else GAP_WAIT_S)

    def _fresh(self, until: datetime) -> None:
        self._fresh_until = max(until, self._fresh_until or until)

    def _in_force(self, new: Allowlist, root: str, confirmed_at: datetime) -> None:
        revision = Revision(new.epoch, new.revision)
        if self.have != revision or self.trouble:
            log.info("list revision %d is in force", new.revision)
        self._unusable = self._untimely = ""
        self._stuck_for_s, self._whole, self._unanswered = ASK_AGAIN_S, False, False
        self._sums, self._rotten = None, False
        self.allowlist, self.have, self._root, self._confirmed_at = new, revision, root, confirmed_at
        self._on_list(new, confirmed_at)
        self._ask_next(CONFIRM_EVERY_S)
