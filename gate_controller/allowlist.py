"""The list of who may do what here: an immutable snapshot that the daemon swaps by assignment.

Here: lookup by plate, badge, code and id, permits, devices, reservations and viewing codes, and `apply`, which
makes the next snapshot out of changes or rejects them whole. A lookup is exact first; then look-alikes only, and
only if exactly one user qualifies. An insertion, a deletion or an unrelated substitution never finds anybody.
Badges and codes are found exactly or not.

Not here: whether a user may pass (`access`), where the list is kept (`sync.store`), and plates of strangers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gate_controller.changes import (
    Change,
    DevicePut,
    DeviceRemoved,
    PermitPut,
    PermitRemoved,
    ReservationPut,
    ReservationRemoved,
    Tables,
    TablesDraft,
    UserPut,
    UserRemoved,
    ViewCodePut,
    ViewCodeRemoved,
    external_key,
    truncated,
)
from gate_controller.codes import ViewCode, secret_digest
from gate_controller.credentials import (
    BadgeRead,
    CodeRead,
    CredentialKind,
    CredentialState,
    PassRead,
    PlateCredential,
    Shown,
    SignedPass,
    low_bits,
    whole_number,
)
from gate_controller.delegation import Device
from gate_controller.desk import Reservation
from gate_controller.errors import ListRejected
from gate_controller.layers import rows_under
from gate_controller.look_alikes import skeleton
from gate_controller.plates import Plate, PlateRead, told_apart
from gate_controller.users import Action, ListedCredential, Permit, User, UserStatus, permit_of, user_of

__all__ = [
    "Action", "Allowlist", "Change", "Collision", "DevicePut", "DeviceRemoved", "Match", "MatchKind", "Permit",
    "PermitPut", "PermitRemoved", "ReservationPut", "ReservationRemoved", "User", "UserPut", "UserRemoved",
    "UserStatus", "ViewCodePut", "ViewCodeRemoved", "WholeList",
]  # fmt: skip

ALTERNATIVE_MIN = 0.01
"""Least probability the reader must give to a character that the list has in place of its best one."""
PRODUCT_MIN = 0.001
"""Least product of (listed character's probability / best one's) over a whole look-alike."""
OVERLAY_LEN_MAX = 4096
"""Overlay entries beyond which a list asks to be compacted: copying them would begin to cost a millisecond."""


class MatchKind(StrEnum):
    """How a credential was found."""

    EXACT = "exact"
    LOOK_ALIKE = "look_alike"
    BADGE = "badge"
    QR_PASS = "qr_pass"
    GUEST_CODE = "guest_code"
    SIGNED_PASS = "signed_pass"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Match:
    """What a lookup found.

    `user` and `credential` are set for every kind but AMBIGUOUS and NONE; `plate` is the plate as listed.
    `candidates` are the users who would all qualify when the kind is AMBIGUOUS.
    """

    kind: MatchKind
    user: User | None = None
    credential: ListedCredential | SignedPass | None = None
    plate: Plate | None = None
    candidates: tuple[User, ...] = ()


NOTHING = Match(MatchKind.NONE)


@dataclass(frozen=True, slots=True)
class Collision:
    """Two listed plates of different users that could open for each other."""

    plate: Plate
    user: User
    other_plate: Plate
    other_user: User


@dataclass(frozen=True, slots=True, eq=False)
class Allowlist:
    """One revision of the list. Build it with `empty(...)` and `apply(...)`; nothing in it ever changes.

    `reader_bits` are the widths that readers of this site declare: such a reader gives only the low bits of a
    longer badge number, and a read of that width is compared with them. No other read is compared by suffix.
    `exact` says whether and where a canonical key is listed (a value that is not None); it is the index's own
    lookup, because it is asked for every reading of every frame.
    """

    epoch: str
    revision: int
    reader_bits: tuple[int, ...]
    tables: Tables
    exact: Callable[[str], Any] = field(init=False, repr=False)
    _with_skeleton: Callable[[bytes], Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exact", self.tables.plates.get)
        object.__setattr__(self, "_with_skeleton", self.tables.skeletons.get)

    @classmethod
    def empty(cls, epoch: str, reader_bits: Sequence[int] = ()) -> "Allowlist":
        """A list of nobody, at revision 0."""
        return cls(epoch, 0, tuple(reader_bits), Tables.empty())

    # ---- lookup ----

    def look_alikes(self, read: PlateRead | Plate) -> Sequence[str]:
        """Listed keys that differ from the read in look-alikes only, each as probable as the rules demand."""
        options: _Options = ()
        if type(read) is PlateRead:
            key, options = read.plate.key, read.alternatives
        else:
            key = read.key  # type: ignore[union-attr]
        listed = self._with_skeleton(skeleton(key))
        if listed is None:
            return ()
        if type(listed) is str:
            return (listed,) if listed != key and _qualifies(key, listed, options) else ()
        return [other for other in listed if other != key and _qualifies(key, other, options)]

    def find_plate(self, read: PlateRead | Plate) -> Match:
        """Who a plate belongs to: exact, else by look-alikes, and only if exactly one user qualifies."""
        plate = read if isinstance(read, Plate) else read.plate
        value = self.exact(plate.key)
        if value is not None:
            found = _entries(value, plate.key, plate)
            if found:
                return _exact(found)
        keys = self.look_alikes(read)
        if not keys:
            return NOTHING
        alike = [entry for key in keys for entry in _entries(self.exact(key), key, None)]
        return _one(MatchKind.LOOK_ALIKE, [entry for entry in alike if entry[1].state is CredentialState.ACTIVE])

    def find_badge(self, read: BadgeRead) -> Match:
        """Who a badge belongs to: the whole number in the read's width, or its low bits if a reader declares it."""
        rows = rows_under(self.tables.badges.get(whole_number(read.uid, read.bits)))
        found = [(user, badge) for user in map(user_of, rows) for badge in user.badges if badge.uid == read.uid]
        if not found and read.bits in self.reader_bits:
            low = low_bits(read.uid, read.bits)
            rows = rows_under(self.tables.badges.get(truncated(read.uid, read.bits)))
            found = [
                (user, badge)
                for user in map(user_of, rows)
                for badge in user.badges
                if badge.bits > read.bits and low_bits(badge.uid, read.bits) == low
            ]
        return _one_shown(found)

    def find_code(self, read: CodeRead) -> Match:
        """Who a QR pass or a guest code belongs to: by its whole digest, and by nothing that is near it."""
        rows = [row for text in read.texts for row in rows_under(self.tables.codes.get(text))]
        return _one_shown(
            [
                (user, credential)
                for user in map(user_of, rows)
                for credential in user.secrets
                if credential.text in read.texts
            ]
        )

    def find_pass(self, read: PassRead) -> Match:
        """Whose a signed pass is: a listed user's who has an app, or a guest's of whom the list may not know yet.

        Whoever was removed from the list is not made a guest again by an old pass.
        """
        user = self.user(read.user_id)
        state = CredentialState.ACTIVE if user is None else user.app
        if user is None and read.guest and self.tables.removed.get(read.user_id) is None:
            user = User(read.user_id, read.guest)
        if user is None or state is None:
            return NOTHING
        return Match(MatchKind.SIGNED_PASS, user, SignedPass(read.text, state, read.valid_from, read.valid_to))

    def find(self, read: PlateRead | Shown) -> Match:
        """Who a credential belongs to, whatever its kind."""
        match read:
            case PassRead():
                return self.find_pass(read)
            case BadgeRead():
                return self.find_badge(read)
            case CodeRead():
                return self.find_code(read)
        return self.find_plate(read)

    def user(self, user_id: str) -> User | None:
        """The user with this id."""
        row = self.tables.users.get(user_id)
        return None if row is None else user_of(row)

    def user_by_external(self, external_id: str, customer: str = "") -> User | None:
        """The user whom a customer calls so."""
        user_id = self.tables.by_external.get(external_key(customer, external_id))
        return None if user_id is None else self.user(user_id)

    def permits_of(self, user: User, action: Action = Action.PARK) -> tuple[Permit, ...]:
        """The user's own permits and those of its groups, for one action."""
        rows = list(rows_under(self.tables.permits_by_user.get(user.id)))
        for group in user.groups:
            rows += rows_under(self.tables.permits_by_group.get(group))
        return tuple(permit_of(row) for row in rows if row[3] == action.value)

    def users(self) -> Iterator[User]:
        """Every user, in no promised order."""
        return map(user_of, self.tables.users.values())

    @property
    def users_len(self) -> int:
        """How many users there are."""
        return sum(1 for _ in self.tables.users.values())

    def subscribers(self) -> Iterator[User]:
        """Every user who has to do with desks and contracts, in no promised order; cheap where few have."""
        return map(user_of, (row for row in self.tables.users.values() if row[-1] is not None))

    def permits(self) -> Iterator[Permit]:
        """Every permit, in no promised order."""
        return map(permit_of, self.tables.permits.values())

    def device(self, device_id: str) -> Device | None:
        """The device with this name; None for one that is active and belongs to nobody in particular."""
        found: Device | None = self.tables.devices.get(device_id)
        return found

    def devices(self) -> Iterator[Device]:
        """Every listed device, in no promised order."""
        return self.tables.devices.values()

    def reservation(self, reservation_id: str) -> Reservation | None:
        """The reservation with this id."""
        found: Reservation | None = self.tables.reservations.get(reservation_id)
        return found

    def reservations_of(self, user: User) -> tuple[Reservation, ...]:
        """The user's reservations, whatever has become of them."""
        return rows_under(self.tables.reservations_by_user.get(user.id))

    def reservations(self) -> Iterator[Reservation]:
        """Every reservation, in no promised order."""
        return self.tables.reservations.values()

    def view_code(self, code_id: str) -> ViewCode | None:
        """The viewing code with this id."""
        found: ViewCode | None = self.tables.view_codes.get(code_id)
        return found

    def view_codes(self) -> Iterator[ViewCode]:
        """Every viewing code, in no promised order."""
        return self.tables.view_codes.values()

    def view_codes_typed(self, text: str) -> tuple[ViewCode, ...]:
        """The viewing codes that this text is, or was in an earlier generation: what `codes.open_view` asks for."""
        return rows_under(self.tables.view_digests.get(secret_digest(text)))

    def colliding_pairs(self) -> Iterator[Collision]:
        """Pairs of active plates of different users that differ in look-alikes only."""
        for listed in self.tables.skeletons.values():
            keys = rows_under(listed)
            if len(keys) < 2:
                continue
            entries = [entry for key in keys for entry in _entries(self.exact(key), key, None)]
            active = [entry for entry in entries if entry[1].state is CredentialState.ACTIVE]
            for at, (user, mine) in enumerate(active):
                for other, theirs in active[at + 1 :]:
                    if user.id != other.id and mine.plate.key != theirs.plate.key:
                        yield Collision(mine.plate, user, theirs.plate, other)

    # ---- change ----

    def apply(self, changes: Iterable[Change], revision: int) -> "Allowlist":
        """The next revision with these changes, or `ListRejected` with its reason and this list as it was.

        Costs as much as the changes and the overlay are large, not the list.
        """
        if revision <= self.revision:
            raise ListRejected("stale_revision", f"revision {revision} after {self.revision}; ask for a snapshot")
        return replace(self, revision=revision, tables=self.tables.changed(changes, self.reader_bits))

    def replaced(self, epoch: str, changes: Iterable[Change], revision: int) -> "Allowlist":
        """The whole new list that these changes build, or `ListRejected` and this list as it was.

        Ids are write-once across it: whom both lists know keeps its id, and those it leaves out are remembered.
        Takes as long as both lists are large.
        """
        whole = WholeList(self.reader_bits)
        whole.add(changes)
        return self.replaced_by(whole, epoch, revision)

    def replaced_by(self, whole: "WholeList", epoch: str, revision: int) -> "Allowlist":
        """The same of a whole list that was put together before; nothing may be added to it after that."""
        return replace(self, epoch=epoch, revision=revision, tables=self.tables.succeeded_by(whole.draft.tables()))

    def remembering(self, removed: Iterable[User]) -> "Allowlist":
        """The same list, that gives the ids of these removed users to nobody else."""
        return replace(self, tables=self.tables.remembering(removed))

    @property
    def wants_compaction(self) -> bool:
        """Whether the overlay has grown so much that `compacted()` pays; call it off the event loop."""
        return self.tables.overlay_len > OVERLAY_LEN_MAX

    def compacted(self) -> "Allowlist":
        """The same revision without overlays; takes as long as the list is large."""
        return replace(self, tables=self.tables.merged())


class WholeList:
    """A whole list in the making, as large as it may become: its entries are added as they come.

    An entry must not count on one that comes later. `ListRejected` from `add` is the end of it.
    """

    def __init__(self, reader_bits: Sequence[int]) -> None:
        self.draft = TablesDraft(Tables.empty(), tuple(reader_bits))

    def add(self, changes: Iterable[Change]) -> None:
        """Entries join the list; takes as long as they are many."""
        self.draft.put(changes)

    def add_plain(self, users: Sequence[User], permits: Sequence[Permit]) -> None:
        """Plain users and permits (`plain_rows`) join the list, in a fraction of the time."""
        self.draft.put_plain(users, permits)


# ---- lookup: which of the rows under a key count ----

_Entry = tuple[User, PlateCredential]
_Options = Sequence[Sequence[tuple[str, float]]]


def _qualifies(read: str, listed: str, options: _Options) -> bool:
    """Whether the reader itself holds every listed look-alike possible; a text without options has no say."""
    product = 1.0
    for mine, theirs, ranked in zip(read, listed, options):  # noqa: B905 - as long as each other, or no options
        if mine == theirs:
            continue
        for char, probability in ranked:
            if char == theirs:
                if probability < ALTERNATIVE_MIN:
                    return False
                product *= probability / ranked[0][1]
                break
        else:
            return False
    return product >= PRODUCT_MIN


def _entries(value: Any, key: str, seen: Plate | None) -> list[_Entry]:
    """Users under a key, each with the credential; without those whose groups contradict the plate seen."""
    return [
        (user, credential)
        for user in map(user_of, rows_under(value))
        for credential in user.plates
        if credential.plate.key == key and not (seen and told_apart(seen, credential.plate))
    ]


def _exact(found: list[_Entry]) -> Match:
    """Active plates count before others, a person's before a pool's; what is left must be one user."""
    if len(found) > 1:
        found = [entry for entry in found if entry[1].state is CredentialState.ACTIVE] or found
        found = [entry for entry in found if not entry[0].pool] or found
    return _one(MatchKind.EXACT, found)


def _one(kind: MatchKind, found: list[_Entry]) -> Match:
    if not found:
        return NOTHING
    user, credential = found[0]
    if any(other.id != user.id for other, _ in found[1:]):
        return Match(MatchKind.AMBIGUOUS, candidates=tuple({other.id: other for other, _ in found}.values()))
    return Match(kind, user, credential, credential.plate)


_SHOWN_KIND = {
    CredentialKind.BADGE: MatchKind.BADGE,
    CredentialKind.QR_PASS: MatchKind.QR_PASS,
    CredentialKind.GUEST_CODE: MatchKind.GUEST_CODE,
}


def _one_shown(found: Sequence[tuple[User, ListedCredential]]) -> Match:
    """Active badges and codes count before others; what is left must be one user."""
    active = [entry for entry in found if entry[1].state is CredentialState.ACTIVE] or found
    if not active:
        return NOTHING
    user, credential = active[0]
    if any(other.id != user.id for other, _ in active[1:]):
        return Match(MatchKind.AMBIGUOUS, candidates=tuple({other.id: other for other, _ in active}.values()))
    return Match(_SHOWN_KIND[credential.kind], user, credential)
