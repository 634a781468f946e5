"""Changes of the allowlist and the tables they are made in: all of a delta or nothing of it.

Here: the index tables of one revision, and the invariants of users and permits (write-once
ids, unique external ids, one active owner of a plate, badge or code). Those of contracts, devices, reservations and
viewing codes stand with them (`contracts`, `delegation`, `desk`, `codes`) and are asked here. Not here: looking
anything up (`allowlist`), revisions and gaps (`sync.replica`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gate_controller import codes, delegation, desk
from gate_controller.change_kinds import (
    Change,
    DevicePut,
    DeviceRemoved,
    PermitPut,
    PermitRemoved,
    ReservationPut,
    ReservationRemoved,
    UserPut,
    UserRemoved,
    ViewCodePut,
    ViewCodeRemoved,
)
from gate_controller.codes import ViewCode
from gate_controller.credentials import Badge, CredentialState, low_bits, whole_number
from gate_controller.desk import Reservation
from gate_controller.errors import ListRejected
from gate_controller.invariants import (
    check_contracts,
    check_permit,
    check_user,
    code_keys,
    given_before,
    reject,
    same_person,
)
from gate_controller.layers import Draft, Layer, rows_under
from gate_controller.look_alikes import skeleton
from gate_controller.plain_rows import put_permits, put_users
from gate_controller.plates import Plate, told_apart, usable
from gate_controller.users import Permit, Row, User, external_key, permit_row, user_of, user_row

__all__ = [
    "Change",
    "DevicePut",
    "DeviceRemoved",
    "PermitPut",
    "PermitRemoved",
    "ReservationPut",
    "ReservationRemoved",
    "Tables",
    "TablesDraft",
    "UserPut",
    "UserRemoved",
    "ViewCodePut",
    "ViewCodeRemoved",
    "external_key",
    "truncated",
]  # fmt: skip

TRUNCATED = "~"


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The indexes of one revision; values are rows (`users`) or several of them (`layers.Holders`).

    By user id: `users`, `permits_by_user`, and in `removed` what a deleted user was called. By customer and
    external id: the user id. By canonical key: rows of owners. By skeleton: the listed keys that have it. By
    badge number: rows of owners, for whole numbers and for what a truncating reader reports. By the digest of a
    pass or guest code: rows of owners. By its own id each: devices, reservations and viewing codes, which are few
    beside users and stand there as they are; reservations by user too, viewing codes by every digest they had.
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
    devices: Layer[str]
    reservations: Layer[str]
    reservations_by_user: Layer[str]
    view_codes: Layer[str]
    view_digests: Layer[str]

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
        if self.users.base or self.users.over or self.removed.base or self.removed.over:
            for row in new.users.values():
                self._check_same(row, new)
        for device in new.devices.values():
            reject(delegation.device_problem(self.devices.get(device.id), device))
        for code in new.view_codes.values():
            reject(codes.code_problem(self.view_codes.get(code.id), code))
        is_there = new.users.get
        removed = {user_id: key for user_id, key in self.removed.items() if is_there(user_id) is None}
        for user_id, row in self.users.items():
            if is_there(user_id) is None:
                removed[user_id] = external_key(row[2], row[1])
        return replace(new, removed=Layer.of(removed, {}))

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
        if old is not None and old[-1] is not None:
            check_contracts(old, row)
        if old is None and self.removed.get(user_id) not in (None, key):
            raise given_before(user_id, external_id)
        holder = self.by_external.get(key)
        if holder is None or holder == user_id:
            return
        called_anew = new.users.get(holder) is not None
        if not called_anew or same_person(user_of(row), user_of(self.users.get(holder))):
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


def truncated(uid: str, bits: int) -> str:
    """Index key of what a reader that gives only `bits` of a badge number reports."""
    return TRUNCATED + low_bits(uid, bits)


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
        self.devices = Draft(old.devices)
        self.reservations = Draft(old.reservations)
        self.reservations_by_user = Draft(old.reservations_by_user)
        self.view_codes = Draft(old.view_codes)
        self.view_digests = Draft(old.view_digests)

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
                    for one in rows_under(self.reservations_by_user.get(user_id)):
                        self._put_reservation(one.id, None)
                case PermitPut(permit):
                    self._put_permit(permit.id, permit)
                case PermitRemoved(permit_id):
                    self._put_permit(permit_id, None)
                case DevicePut(device):
                    reject(delegation.device_problem(self.devices.get(device.id), device))
                    self.devices.put(device.id, device)
                case DeviceRemoved(device_id):
                    _forget(self.devices, device_id)
                case ReservationPut(reservation):
                    self._put_reservation(reservation.id, reservation)
                case ReservationRemoved(reservation_id):
                    self._put_reservation(reservation_id, None)
                case ViewCodePut(code):
                    self._put_view_code(code.id, code)
                case ViewCodeRemoved(code_id):
                    self._put_view_code(code_id, None)
        self._put_users(wanted)

    def put_plain(self, users: Sequence[User], permits: Sequence[Permit]) -> None:
        """Put users and permits that are plain (`plain_rows`), in a fraction of the time."""
        tables = self.by_external, self.plates, self.skeletons, self.removed
        if not put_users(users, self.users, *tables):
            self.put(map(UserPut, users))
        if not put_permits(permits, self.permits, self.permits_by_user, self.permits_by_group):
            self.put(map(PermitPut, permits))

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
            self.devices.layer(),
            self.reservations.layer(),
            self.reservations_by_user.layer(),
            self.view_codes.layer(),
            self.view_digests.layer(),
        )

    def _put_reservation(self, reservation_id: str, new: Reservation | None) -> None:
        old = self.reservations.get(reservation_id)
        if new is not None:
            reject(desk.reservation_problem(new))
            if old is not None and old.user_id != new.user_id:
                raise ListRejected("immutable_id", f"reservation {new.id} belongs to user {old.user_id}")
            self.reservations.put(new.id, new)
            if old is not None:
                self.reservations_by_user.drop(old.user_id, old)
            self.reservations_by_user.add(new.user_id, new)
        elif old is not None:
            self.reservations.put(reservation_id, None)
            self.reservations_by_user.drop(old.user_id, old)

    def _put_view_code(self, code_id: str, new: ViewCode | None) -> None:
        old = self.view_codes.get(code_id)
        if new is not None:
            reject(codes.code_problem(old, new))
        for digest in () if old is None else (old.digest, *old.former):
            self.view_digests.drop(digest, old)
        if new is None:
            _forget(self.view_codes, code_id)
            return
        if self.view_digests.get(new.digest) is not None:
            raise ListRejected("duplicate_credential", f"viewing code {new.id} has the secret of another one")
        self.view_codes.put(code_id, new)
        for digest in (new.digest, *new.former):
            self.view_digests.add(digest, new)

    def _put_permit(self, permit_id: str, permit: Permit | None) -> None:
        old = self.permits.get(permit_id)
        if old is not None:
            self._permit_index(old, Draft.drop)
        if permit is not None:
            check_permit(permit)
        new = None if permit is None else permit_row(permit)
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
        for key in code_keys(user):
            self.codes.drop(key, row)

    def _link(self, user: User) -> None:
        called = external_key(user.customer, user.external_id)
        self._check_identity(user, called)
        row = user_row(user)
        check_user(user, row)
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
            for key in code_keys(user):
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
        if old is not None and old[-1] is not None:
            check_contracts(old, user_row(user))
        if old is None and self.removed.get(user.id) not in (None, key):
            raise given_before(user.id, user.external_id)
        holder = self.by_external.get(key)
        if holder is None or holder == user.id:
            return
        if same_person(user, user_of(self.users.get(holder))):
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


def _forget(draft: Draft[str], key: str) -> None:
    if draft.get(key) is not None:
        draft.put(key, None)
