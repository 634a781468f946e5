"""Rows are compact and lose nothing."""

import gc
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gate_controller.contracts import Contract, ContractKind, business
from gate_controller.credentials import Badge, CredentialState, GuestCode, PlateCredential, QrPass
from gate_controller.desk import Licence, LicenceStatus, Registration
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule
from gate_controller.users import (
    Action,
    Permit,
    User,
    UserStatus,
    permit_of,
    permit_row,
    user_of,
    user_row,
)

MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))
GROUPS = st.lists(st.text("ABÄ019", min_size=1, max_size=4), min_size=1, max_size=3)
PLATES = st.builds(
    lambda groups, country, state, start, end: PlateCredential(
        Plate("".join(groups), tuple(groups) if len(groups) > 1 else (), country), state, start, end
    ),
    GROUPS,
    st.sampled_from([None, "D", "NL"]),
    st.sampled_from(CredentialState),
    MOMENTS,
    MOMENTS,
)
BADGES = st.builds(
    Badge, st.text("0123456789ABCDEF", min_size=8, max_size=8), st.just(32), st.sampled_from(CredentialState)
)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
PASSES = st.builds(QrPass, DIGESTS, st.sampled_from(CredentialState), MOMENTS, MOMENTS)
CODES = st.builds(GuestCode, DIGESTS, st.sampled_from(CredentialState), MOMENTS, MOMENTS)
USERS = st.builds(
    User,
    st.text(max_size=5),
    st.text(max_size=5),
    st.text(max_size=3),
    st.sampled_from(UserStatus),
    st.lists(st.text(max_size=3), max_size=2).map(tuple),
    st.none() | st.text(max_size=5),
    st.integers(1, 5),
    st.lists(PLATES, max_size=3).map(tuple),
    st.lists(BADGES, max_size=2).map(tuple),
    st.lists(PASSES, max_size=2).map(tuple),
    st.lists(CODES, max_size=2).map(tuple),
    st.none() | st.text(max_size=3),
    st.none() | st.text(max_size=3),
    st.none() | st.sampled_from(Registration),
    MOMENTS,
    st.none() | st.builds(Licence, st.sampled_from(LicenceStatus), MOMENTS, MOMENTS),
    st.lists(
        st.builds(
            Contract, st.text(max_size=3), st.sampled_from(ContractKind), st.text(max_size=3), st.booleans(),
            st.none() | st.text(max_size=3),
        ),
        max_size=2,
    ).map(tuple),
    st.none() | st.text(max_size=3),
)  # fmt: skip


@given(USERS)
def test_a_user_comes_back_from_its_row(user: User) -> None:
    assert user_of(user_row(user)) == user


@given(st.sampled_from(Action), MOMENTS, st.sampled_from([None, "gate-1"]), st.booleans())
def test_a_permit_comes_back_from_its_row(
    action: Action, at: datetime | None, device: str | None, timed: bool
) -> None:
    schedule = Schedule("Mo-Fr 06:00-20:00") if timed else None
    permit = Permit("p", action, None, "g", device, schedule, at, None, 7 if timed else None)
    assert permit_of(permit_row(permit)) == permit


def test_who_has_no_account_pays_one_none_for_it() -> None:
    assert user_row(User("u1", "e1"))[-1] is None
    assert user_row(User("u1", "e1", number="7"))[-1] is not None


def test_a_row_is_nothing_for_the_garbage_collector() -> None:
    user = User(
        "u1",
        "e1",
        groups=("staff",),
        plates=(PlateCredential(Plate("BNO1234", ("B", "NO", "1234"), "D")),),
        licence=Licence(LicenceStatus.VALIDATED, datetime(2026, 1, 1, tzinfo=UTC)),
        contracts=(business("c", "acme"),),
    )
    row = user_row(user)
    for _ in range(4):  # one for each level of tuples in tuples
        gc.collect()
    assert not gc.is_tracked(row)


def test_a_permit_for_one_device_covers_no_other() -> None:
    assert Permit("p", Action.PARK, "u").covers("any gate")
    assert Permit("p", Action.PARK, "u", device="north").covers("north")
    assert not Permit("p", Action.PARK, "u", device="north").covers("south")


def test_only_a_larger_size_makes_a_pool() -> None:
    assert not User("u", "e").pool
    assert User("u", "e", pool_size=2).pool
    assert not User("u", "e", status=UserStatus.INACTIVE).active
