"""The cached list is the list: whatever changes were committed, what is loaded admits the same users."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate_controller.allowlist import (
    Action,
    Allowlist,
    Change,
    DevicePut,
    DeviceRemoved,
    Permit,
    PermitPut,
    PermitRemoved,
    ReservationPut,
    ReservationRemoved,
    User,
    UserPut,
    UserRemoved,
    UserStatus,
    ViewCodePut,
    ViewCodeRemoved,
)
from gate_controller.codes import ViewCode, ViewScope
from gate_controller.contracts import business, private
from gate_controller.credentials import Badge, CredentialState, PlateCredential
from gate_controller.delegation import Delegated, Device, DeviceKind, DeviceState
from gate_controller.desk import Licence, LicenceStatus, Registration, Reservation, Role
from gate_controller.errors import ListRejected, StoreError
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule
from sync.codec import decode_changes, encode_change
from sync.store import EDGE, Store

AT = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
PLATE = PlateCredential(Plate.parse("B-NO 1234", "D"), CredentialState.SUSPENDED, valid_from=AT)
ANN = User("u1", "4711", "acme", UserStatus.INACTIVE, ("staff",), "Ann", 1, (PLATE,), (Badge.parse("04:A2:2F:1B"),))
HERS = Permit("p1", Action.PARK, user_id="u1", device="in", schedule=Schedule("Mo-Fr 06:00-20:00"), valid_to=AT)
STAFF = Permit("p2", Action.PARK, group_id="staff")
DRIVER = User(
    "u2", "4712", "acme", number="10042", home_site="north", registration=Registration.REGISTERED,
    terms_accepted_at=AT, licence=Licence(LicenceStatus.VALIDATED, AT, AT + timedelta(days=180)),
    contracts=(business("c1", "acme"), private("c2", "u2", payable=False, linked_account_no="88")),
    default_contract="c2",
)  # fmt: skip
GATE = Device(
    "in", DeviceKind.GATE, DeviceState.INACTIVE, "acme", "north", (Delegated("taqto", AT),), "ab" * 32, "out"
)
TRIP = Reservation("r1", "u1", "DACIA-1", "north", AT, AT + timedelta(hours=1), "c2", 3, role=Role.PASSENGER)
VIEW = ViewCode("v1", ViewScope.SITE, "acme", "cd" * 32, "north", 2, token_required=True, former=("ef" * 32,))
OTHERS = (UserPut(DRIVER), DevicePut(GATE), ReservationPut(TRIP), ViewCodePut(VIEW))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "gate.db", lambda: "L")
    yield opened
    await opened.close()


def content(allowlist: Allowlist) -> tuple[str, int, set[User], set[Permit]]:
    return allowlist.epoch, allowlist.revision, set(allowlist.users()), set(allowlist.permits())


@pytest.mark.parametrize(
    "change",
    [
        UserPut(ANN), UserPut(User("u", "x")), UserRemoved("u1"), PermitPut(HERS), PermitRemoved("p1"), *OTHERS,
        DeviceRemoved("d"), ReservationRemoved("r"), ViewCodeRemoved("v"), PermitPut(replace(STAFF, quota=7)),
    ],
)  # fmt: skip
def test_every_change_survives_the_wire(change: Change) -> None:
    assert decode_changes([encode_change(change)]) == [change]


async def test_before_the_first_list_nobody_is_on_it(store: Store) -> None:
    assert content(await store.allowlist()) == ("", 0, set(), set())
    assert await store.list_cursor() is None


async def test_a_list_is_loaded_as_it_was_written(store: Store) -> None:
    await store.replace_list("e", 4, [UserPut(ANN), PermitPut(HERS), PermitPut(STAFF)], AT)
    assert content(await store.allowlist()) == ("e", 4, {ANN}, {HERS, STAFF})
    cursor = await store.list_cursor()
    assert cursor is not None
    assert (cursor.epoch, cursor.rev, cursor.confirmed_at) == ("e", 4, AT)


async def test_a_removed_user_takes_its_permits_along_and_keeps_its_id(store: Store) -> None:
    await store.replace_list("e", 1, [UserPut(ANN), PermitPut(HERS), PermitPut(STAFF)])
    await store.put_changes("e", 1, 2, [UserRemoved("u1")])
    loaded = await store.allowlist()
    assert content(loaded) == ("e", 2, set(), {STAFF})
    with pytest.raises(ListRejected, match="immutable_id"):
        loaded.apply([UserPut(User("u1", "another"))], 3)
    assert loaded.apply([UserPut(ANN)], 3).user("u1") == ANN


async def test_every_kind_of_entry_is_kept_and_taken_away_again(store: Store) -> None:
    await store.replace_list("e", 1, [UserPut(ANN), PermitPut(HERS)])
    built = (await store.allowlist()).apply(OTHERS, 2)
    await store.put_changes("e", 1, 2, OTHERS)
    loaded = await store.allowlist()
    assert content(loaded) == content(built)
    assert (*loaded.devices(), *loaded.reservations(), *loaded.view_codes()) == (GATE, TRIP, VIEW)
    await store.put_changes("e", 2, 3, [UserRemoved("u1"), DeviceRemoved("in"), ViewCodeRemoved("v1")])
    emptied = await store.allowlist()
    assert (*emptied.devices(), *emptied.reservations(), *emptied.view_codes()) == ()
    await store.put_changes("e", 3, 4, [ReservationPut(TRIP), ReservationRemoved("r1")])
    assert [*(await store.allowlist()).reservations()] == []


async def test_a_whole_list_forgets_no_id(store: Store) -> None:
    bob = User("u2", "4712")
    await store.replace_list("e", 1, [UserPut(ANN), UserPut(bob), PermitPut(HERS)])
    await store.put_changes("e", 1, 2, [UserRemoved("u2")])
    await store.replace_list("f", 1, [UserPut(User("u3", "4713"))])
    loaded = await store.allowlist()
    assert content(loaded) == ("f", 1, {User("u3", "4713")}, set())
    for user_id in ("u1", "u2"):
        with pytest.raises(ListRejected, match="immutable_id"):
            loaded.apply([UserPut(User(user_id, "another"))], 2)
    await store.replace_list("g", 1, [UserPut(ANN), UserPut(bob)])
    assert content(await store.allowlist()) == ("g", 1, {ANN, bob}, set())


async def test_who_was_removed_twice_under_two_ids_can_still_be_loaded(store: Store) -> None:
    await store.replace_list("e", 1, [UserPut(User("u1", "x"))])
    await store.put_changes("e", 1, 2, [UserRemoved("u1"), UserPut(User("u2", "x"))])
    await store.put_changes("e", 2, 3, [UserRemoved("u2")])
    loaded = await store.allowlist()
    assert content(loaded) == ("e", 3, set(), set())
    for user_id in ("u1", "u2"):
        with pytest.raises(ListRejected, match="immutable_id"):
            loaded.apply([UserPut(User(user_id, "another"))], 4)


async def test_a_list_from_before_lists_had_generations_is_brought_up_to_date(tmp_path: Path) -> None:
    script = resources.files(EDGE.schema).joinpath("0001_journal_and_list.sql").read_text(encoding="utf-8")
    gone = UserPut(User("u2", "4712", "north"))
    rows: list[tuple[str, str, str | None, Change]] = [
        ("user", "u1", None, UserPut(ANN)),
        ("permit", HERS.id, "u1", PermitPut(HERS)),
        ("removed", "u2", None, gone),
    ]
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.executescript(f"{script} PRAGMA application_id = {EDGE.application_id}; PRAGMA user_version = 1;")
        old.execute("INSERT INTO list_cursor VALUES (1, 'e', 7, NULL)")
        for kind, key, owner, change in rows:
            body = bytes(encode_change(change)).decode()
            old.execute("INSERT INTO list_entry VALUES (?, ?, ?, ?)", (kind, key, owner, body))
        old.commit()
    store = await Store.open(tmp_path / "old.db", lambda: "L")
    loaded = await store.allowlist()
    assert content(loaded) == ("e", 7, {ANN}, {HERS})
    with pytest.raises(ListRejected, match="immutable_id"):
        loaded.apply([UserPut(User("u2", "another", "north"))], 8)
    assert loaded.apply([gone], 8).user("u2") == gone.user
    await store.put_changes("e", 7, 8, [UserRemoved("u1")])
    assert content(await store.allowlist()) == ("e", 8, set(), set())
    await store.close()


async def test_changes_that_do_not_follow_are_refused_whole(store: Store) -> None:
    await store.replace_list("e", 4, [UserPut(ANN)], AT)
    for epoch, from_rev in (("e", 3), ("e", 5), ("other", 4)):
        with pytest.raises(StoreError, match="not at revision"):
            await store.put_changes(epoch, from_rev, 6, [UserRemoved("u1")])
    assert content(await store.allowlist()) == ("e", 4, {ANN}, set())
    await store.put_changes("e", 4, 5, [])
    cursor = await store.list_cursor()
    assert cursor is not None
    assert (cursor.rev, cursor.confirmed_at) == (5, AT)


async def test_the_first_list_cannot_be_a_delta(store: Store) -> None:
    with pytest.raises(StoreError, match="ask for the whole list"):
        await store.put_changes("e", 0, 1, [UserPut(ANN)])


def _user(number: int, plates: list[int]) -> User:
    return User(f"u{number}", f"x{number}", plates=tuple(PlateCredential(Plate.parse(f"AB{n}CD")) for n in plates))


CHANGES = st.one_of(
    st.builds(
        lambda n, p: UserPut(_user(n, p)), st.integers(0, 3), st.lists(st.integers(10, 15), max_size=2, unique=True)
    ),
    st.builds(lambda n: UserRemoved(f"u{n}"), st.integers(0, 3)),
    st.builds(
        lambda n, u: PermitPut(Permit(f"p{n}", Action.PARK, user_id=f"u{u}")), st.integers(0, 3), st.integers(0, 3)
    ),
    st.builds(lambda n: PermitRemoved(f"p{n}"), st.integers(0, 3)),
)


@settings(max_examples=40)
@given(batches=st.lists(st.lists(CHANGES, max_size=4), max_size=6))
async def test_what_is_loaded_equals_what_was_applied(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Change]]
) -> None:
    store = await Store.open(tmp_path_factory.mktemp("list") / "gate.db", lambda: "L")
    applied = Allowlist.empty("e")
    await store.replace_list("e", 0, [])
    for batch in batches:
        try:
            changed = applied.apply(batch, applied.revision + 1)
        except ListRejected:
            continue
        await store.put_changes("e", applied.revision, changed.revision, batch)
        applied = changed
    assert content(await store.allowlist()) == content(applied)
    await store.close()
