"""Changes of the allowlist and the tables they are made in: all of a delta or nothing of it.

Here: the four kinds of change, the index tables of one revision, and the invariants (write-once ids, unique
external ids, one active owner of a plate, badge or code). Not here: looking anything up (`allowlist`), revisions
and gaps (`sync.replica`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from gate_controller.credentials import Badge, CredentialState, low_bits, whole_number
from gate_controller.errors import ListRejected
from gate_controller.layers import Draft, Layer, rows_under
from gate_controller.look_alikes import skeleton
from gate_controller.plates import Plate, told_apart, usable
from gate_controller.users import ListedCredential, Permit, Row, User, permit_row, user_of, user_row

TRUNCATED = "~"


@dataclass(frozen=True, slots=True)
class UserPut:
    """Add this user or replace the one with its id."""

    user: User


@dataclass(frozen=True, slots=True)
class UserRemoved:
    """Delete a user and its own permits. Removing one that is not there is no error."""

    user_id: str


@dataclass(frozen=True, slots=True)
class PermitPut:
    """Add this permit or replace the one with its id."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class PermitRemoved:
    """Delete a permit. Removing one that is not there is no error."""

    permit_id: str


Change = UserPut | UserRemoved | PermitPut | PermitRemoved


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The indexes of one revision; values are rows (`users`) or several of them (`layers.Holders`).

    By user id: `users`, `permits_by_user`, and in `removed` what a deleted user was called. By customer and
    external id: the user id. By canonical key: rows of owners. By skeleton: the listed keys that have it. By
    badge number: rows of owners, for whole numbers and for what a truncating reader reports. By the digest of a
    pass or guest code: rows of owners.
    """

    users: Layer[str]
    by_external: Layer[str]
    plates: Layer[str]
    skeletons: Layer[bytes]
    badges: Layer[str]
    codes: Layer[str]
    permits: Layer[str]
    permits_by_user: Layer[str]
    permits_by_group: Layer[str]
    removed: Layer[str]

    @classmethod
    def empty(cls) -> "Tables":
        """Tables of nobody."""
        nothing: Any = Layer.of({}, {})
        return cls(*(nothing for _ in fields(cls)))

    def changed(self, changes: Iterable[Change], reader_bits: tuple[int, ...]) -> "Tables":
        """The tables with these changes; raises `ListRejected` and leaves these as they are."""
        draft = TablesDraft(self, reader_bits)
        draft.put(changes)
        return draft.tables()

    def succeeded_by(self, new: "Tables") -> "Tables":
        """Tables built from nothing, that know what these knew of ids; raises `ListRejected` where they differ."""
        for row in new.users.values():
            self._check_same(row, new)
        removed = {user_id: key for user_id, key in self.removed.items() if new.users.get(user_id) is None}
        gone = (user_of(row) for user_id, row in self.users.items() if new.users.get(user_id) is None)
        return replace(new, removed=Layer.of(removed, {})).remembering(gone)

    def remembering(self, removed: Iterable[User]) -> "Tables":
        """These tables, that know whose the ids of these removed users were."""
        draft = Draft(self.removed)
        for user in removed:
            draft.put(user.id, external_key(user.customer, user.external_id))
        return replace(self, removed=draft.layer().merged())

    def _check_same(self, row: Row, new: "Tables") -> None:
        """Whether a user of a whole new list has the id that it has here; a user may be called anew."""
        user_id, external_id, customer = row[:3]
        key = external_key(customer, external_id)
        old = self.users.get(user_id)
        if old is not None and old[2] != customer:
            raise ListRejected("immutable_id", f"user id {user_id} belongs to customer {old[2]!r}", external_id)
        if old is None and self.removed.get(user_id) not in (None, key):
            raise _given_before(user_id, external_id)
        holder = self.by_external.get(key)
        if holder is None or holder == user_id:
            return
        called_anew = new.users.get(holder) is not None
        if not called_anew or _same_person(user_of(row), user_of(self.users.get(holder))):
            raise ListRejected(
                "immutable_id",
                f"user {external_id} has id {holder}, which cannot become {user_id}; give it {holder} again, "
                "or another external id if this is somebody else",
                external_id,
            )

    def merged(self) -> "Tables":
        """The same content without overlays."""
        return Tables(**{field.name: getattr(self, field.name).merged() for field in fields(self)})

    @property
    def overlay_len(self) -> int:
        """Entries that the next change has to copy."""
        return sum(len(getattr(self, field.name).over) for field in fields(self))


def external_key(customer: str, external_id: str) -> str:
    """Index key of an external id within its customer."""
    return f"{customer}\x1f{external_id}" if customer else external_id


def truncated(uid: str, bits: int) -> str:
    """Index key of what a reader that gives only `bits` of a badge number reports."""
    return TRUNCATED + low_bits(uid, bits)


def _given_before(user_id: str, external_id: str) -> ListRejected:
    text = f"user id {user_id} belonged to another user and is not given again"
    return ListRejected("immutable_id", text, external_id)


class TablesDraft:
    """The next revision in the making; of no more use once `put` has raised `ListRejected`."""

    def __init__(self, old: Tables, reader_bits: tuple[int, ...]) -> None:
        self.old = old
        self.reader_bits = reader_bits
        self.users = Draft(old.users)
        self.by_external = Draft(old.by_external)
        self.plates = Draft(old.plates)
        self.skeletons = Draft(old.skeletons)
        self.badges = Draft(old.badges)
        self.codes = Draft(old.codes)
        self.permits = Draft(old.permits)
        self.permits_by_user = Draft(old.permits_by_user)
        self.permits_by_group = Draft(old.permits_by_group)
        self.removed = Draft(old.removed)

    def put(self, changes: Iterable[Change]) -> None:
        """Everything is put in place first, then the invariants are asked: a plate may go from hand to hand."""
        wanted: dict[str, User | None] = {}
        for change in changes:
            match change:
                case UserPut(user):
                    wanted[user.id] = user
                case UserRemoved(user_id):
                    wanted[user_id] = None
                    for row in rows_under(self.permits_by_user.get(user_id)):
                        self._put_permit(row[0], None)
                case PermitPut(permit):
                    self._put_permit(permit.id, permit)
                case PermitRemoved(permit_id):
                    self._put_permit(permit_id, None)
        self._put_users(wanted)

    def tables(self) -> Tables:
        """What has come of it; nothing is put after that."""
        return Tables(
            self.users.layer(),
            self.by_external.layer(),
            self.plates.layer(),
            self.skeletons.layer(),
            self.badges.layer(),
            self.codes.layer(),
            self.permits.layer(),
            self.permits_by_user.layer(),
            self.permits_by_group.layer(),
            self.removed.layer(),
        )

    def _put_permit(self, permit_id: str, permit: Permit | None) -> None:
        old = self.permits.get(permit_id)
        if old is not None:
            self._permit_index(old, Draft.drop)
        new = None if permit is None else permit_row(permit)
        if permit is not None and (permit.user_id is None) == (permit.group_id is None):
            raise ListRejected("bad_permit", f"permit {permit.id}: name a user or a group, exactly one of them")
        if permit is not None and _without_zone(permit):
            raise ListRejected("bad_permit", f"permit {permit.id}: its validity needs a time zone")
        if old is None and new is None:
            return
        self.permits.put(permit_id, new)
        if new is not None:
            self._permit_index(new, Draft.add)

    def _permit_index(self, row: Row, change: Any) -> None:
        if row[1] is not None:
            change(self.permits_by_user, row[1], row)
        else:
            change(self.permits_by_group, row[2], row)

    def _put_users(self, wanted: dict[str, User | None]) -> None:
        for user_id, user in wanted.items():
            old = self.users.get(user_id)
            if old is not None:
                self._unlink(old)
                if user is None:
                    self.users.put(user_id, None)
                    self.removed.put(user_id, external_key(old[2], old[1]))
        put = [user for user in wanted.values() if user is not None]
        for user in put:
            self._link(user)
        # Most users have plates alone, and a whole list is long.
        for user in put:
            self._check_plates(user)
            if user.badges:
                self._check_badges(user)
            if user.passes or user.codes:
                self._check_codes(user)

    def _unlink(self, row: Row) -> None:
        self.by_external.put(external_key(row[2], row[1]), None)
        user = user_of(row)
        for key in {credential.plate.key for credential in user.plates}:
            self.plates.drop(key, row)
            if self.plates.get(key) is None:
                self.skeletons.drop(skeleton(key), key)
        for key in self._badge_keys(user):
            self.badges.drop(key, row)
        for key in _code_keys(user):
            self.codes.drop(key, row)

    def _link(self, user: User) -> None:
        called = external_key(user.customer, user.external_id)
        self._check_identity(user, called)
        dated: tuple[ListedCredential, ...] = (*user.plates, *user.badges, *user.passes, *user.codes)
        if any(map(_without_zone, dated)):
            raise ListRejected("bad_credential", f"user {user.external_id}: validity needs a time zone")
        row = user_row(user)
        self.users.put(user.id, row)
        if self.removed.get(user.id) is not None:
            self.removed.put(user.id, None)
        self.by_external.put(called, user.id)
        for key in {credential.plate.key: None for credential in user.plates}:
            if not usable(key):
                raise ListRejected(
                    "unusable_plate", f"user {user.external_id}: plate {Plate(key).masked()} is not canonical"
                )
            if self.plates.get(key) is None:
                self.skeletons.add(skeleton(key), key)
            self.plates.add(key, row)
        if user.badges:
            for key in self._badge_keys(user):
                self.badges.add(key, row)
        if user.passes or user.codes:
            for key in _code_keys(user):
                self.codes.add(key, row)

    def _badge_keys(self, user: User) -> set[str]:
        keys = {whole_number(badge.uid, badge.bits) for badge in user.badges}
        for bits in self.reader_bits:
            keys |= {truncated(badge.uid, bits) for badge in user.badges if badge.bits >= bits}
        return keys

    def _check_identity(self, user: User, key: str) -> None:
        """An id stays with its customer and, once removed, with its external id; an external id has one user."""
        old = self.old.users.get(user.id)
        if old is not None and old[2] != user.customer:
            raise ListRejected("immutable_id", f"user id {user.id} belongs to customer {old[2]!r}")
        if old is None and self.removed.get(user.id) not in (None, key):
            raise _given_before(user.id, user.external_id)
        holder = self.by_external.get(key)
        if holder is None or holder == user.id:
            return
        if _same_person(user, user_of(self.users.get(holder))):
            raise ListRejected(
                "immutable_id",
                f"user {user.external_id} has id {holder}, which cannot become {user.id}",
                user.external_id,
            )
        raise ListRejected(
            "duplicate_external_id", f"external id {user.external_id} belongs to user {holder}", user.external_id
        )

    def _check_plates(self, user: User) -> None:
        for mine in user.plates:
            if mine.state is not CredentialState.ACTIVE:
                continue
            for row in rows_under(self.plates.get(mine.plate.key)):
                if row[0] == user.id or row[2] != user.customer or row[6] > 1 or user.pool:
                    continue
                for theirs in user_of(row).plates:
                    if (
                        theirs.state is CredentialState.ACTIVE
                        and theirs.plate.key == mine.plate.key
                        and not told_apart(mine.plate, theirs.plate)
                    ):
                        raise ListRejected(
                            "duplicate_credential",
                            f"plate {mine.plate.masked()} of user {user.external_id} belongs to user {row[1]}",
                            user.external_id,
                        )

    def _check_badges(self, user: User) -> None:
        for mine in user.badges:
            if mine.state is not CredentialState.ACTIVE:
                continue
            for key in self._badge_keys(replace(user, badges=(mine,))):
                for row in rows_under(self.badges.get(key)):
                    if row[0] != user.id:
                        self._check_two_badges(user, mine, user_of(row))

    def _check_two_badges(self, user: User, mine: Badge, other: User) -> None:
        """One number belongs to one user of a customer; two that a reader cannot tell apart to one of all."""
        for theirs in other.badges:
            if theirs.state is not CredentialState.ACTIVE:
                continue
            if (mine.uid, mine.bits) == (theirs.uid, theirs.bits):
                if user.customer == other.customer and not (user.pool or other.pool):
                    raise ListRejected(
                        "duplicate_credential",
                        f"a badge of user {user.external_id} belongs to user {other.external_id}",
                        user.external_id,
                    )
                continue
            for bits in self.reader_bits:
                if min(mine.bits, theirs.bits) >= bits and low_bits(mine.uid, bits) == low_bits(theirs.uid, bits):
                    raise ListRejected(
                        "badge_collision",
                        f"badges of users {user.external_id} and {other.external_id} look the same to a reader "
                        f"of {bits} bits",
                        user.external_id,
                    )

    def _check_codes(self, user: User) -> None:
        """A pass or code is a password: one user of all customers has it, and no pool shares one."""
        for mine in user.secrets:
            if mine.state is not CredentialState.ACTIVE:
                continue
            for row in rows_under(self.codes.get(mine.text)):
                other = user_of(row)
                theirs = (one for one in other.secrets if one.text == mine.text)
                if other.id != user.id and any(one.state is CredentialState.ACTIVE for one in theirs):
                    raise ListRejected(
                        "duplicate_credential",
                        f"a pass or code of user {user.external_id} belongs to user {other.external_id}",
                        user.external_id,
                    )


def _code_keys(user: User) -> dict[str, None]:
    return dict.fromkeys(credential.text for credential in user.secrets)


def _without_zone(dated: Permit | ListedCredential) -> bool:
    """Whether a moment would be compared with one that has a time zone, and fail."""
    start, end = dated.valid_from, dated.valid_to
    return (start is not None and start.tzinfo is None) or (end is not None and end.tzinfo is None)


def _same_person(user: User, other: User) -> bool:
    """Whether two entries with one external id share a credential: then it is the id that was changed."""
    plates = {credential.plate.key for credential in user.plates}
    badges = {badge.uid for badge in user.badges}
    return (
        any(credential.plate.key in plates for credential in other.plates)
        or any(badge.uid in badges for badge in other.badges)
        or not _code_keys(user).keys().isdisjoint(_code_keys(other))
    )
