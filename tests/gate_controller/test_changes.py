"""Changes are applied whole or not at all, and every invariant of the list is asked."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.allowlist import Allowlist
from gate_controller.changes import (
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
    external_key,
)
from gate_controller.codes import ViewCode, ViewScope, regenerated, secret_digest
from gate_controller.contracts import business, private
from gate_controller.credentials import Badge, CredentialState, GuestCode, PlateCredential, QrPass
from gate_controller.delegation import Delegated, Device, DeviceKind, DeviceState
from gate_controller.desk import Licence, LicenceStatus, Reservation
from gate_controller.errors import ListRejected
from gate_controller.plates import Plate
from gate_controller.users import Action, Permit, User


def user(name: str, *plates: str, badge: str = "", pool: int = 1, customer: str = "") -> User:
    return User(
        f"id-{name}",
        name,
        customer=customer,
        pool_size=pool,
        plates=tuple(PlateCredential(Plate.parse(plate)) for plate in plates),
        badges=(Badge.parse(badge),) if badge else (),
    )


def rejected(changes: list[Change], before: Allowlist) -> str:
    with pytest.raises(ListRejected) as error:
        before.apply(changes, before.revision + 1)
    return error.value.reason


START = Allowlist.empty("e", reader_bits=(24,)).apply(
    [UserPut(user("ann", "B-NO 1234", badge="04A22F1B")), UserPut(user("bob", "K-AB 12"))], 1
)


def test_an_id_stays_with_its_user() -> None:
    changed = replace(user("ann", "B-NO 1234"), id="id-new")
    assert rejected([UserPut(changed)], START) == "immutable_id"
    moved = replace(user("ann"), customer="another")
    assert rejected([UserPut(moved)], START) == "immutable_id"
    gone = START.apply([UserRemoved("id-ann")], 2)
    assert rejected([UserPut(replace(user("cid"), id="id-ann"))], gone) == "immutable_id"
    assert gone.apply([UserPut(user("ann"))], 3).user("id-ann") is not None, "the same user may come back"


def replacing(*users: User, before: Allowlist = START) -> str:
    """Why a whole new list of these users is refused."""
    with pytest.raises(ListRejected) as error:
        before.replaced("f", [UserPut(user) for user in users], 1)
    assert error.value.external_id in {user.external_id for user in users}
    return error.value.reason


def test_an_id_stays_with_its_user_across_a_whole_new_list() -> None:
    assert replacing(user("bob"), replace(user("ann"), id="id-new")) == "immutable_id"
    assert replacing(replace(user("ann"), customer="another")) == "immutable_id"
    swapped = (replace(user("ann", "B-NO 1234"), id="id-bob"), replace(user("bob", "K-AB 12"), id="id-ann"))
    assert replacing(*swapped) == "immutable_id"


def test_whom_a_whole_new_list_leaves_out_is_remembered() -> None:
    gone = START.apply([UserRemoved("id-bob")], 2).replaced("f", [UserPut(user("cid"))], 1)
    assert (gone.epoch, gone.revision, [user.id for user in gone.users()]) == ("f", 1, ["id-cid"])
    assert gone.find_plate(Plate.parse("B-NO 1234")).user is None
    for name in ("ann", "bob"):
        stolen = replace(user("dan"), id=f"id-{name}")
        assert rejected([UserPut(stolen)], gone) == "immutable_id"
        assert replacing(stolen, before=gone) == "immutable_id"
    assert gone.replaced("g", [UserPut(user("ann")), UserPut(user("bob"))], 1).user("id-ann") == user("ann")


def test_a_whole_new_list_may_call_users_anew_and_give_a_former_name_to_another() -> None:
    renamed = START.replaced(
        "f", [UserPut(replace(user("bob"), external_id="ann")), UserPut(replace(user("ann"), external_id="bob"))], 1
    )
    assert renamed.user_by_external("ann") == replace(user("bob"), external_id="ann")
    without = START.replaced("f", [], 1)
    assert without.replaced("g", [UserPut(replace(user("ann"), id="id-2"))], 1).user("id-2") is not None
    came_back = START.apply([UserRemoved("id-ann")], 2).apply([UserPut(user("ann"))], 3)
    called_anew = came_back.apply([UserPut(replace(user("ann"), external_id="anna"))], 4)
    anna = replace(user("ann"), external_id="anna")
    assert called_anew.replaced("f", [UserPut(anna)], 1).user("id-ann") == anna


def test_a_plate_that_is_none_is_refused_and_not_told_in_full() -> None:
    odd = replace(user("eve"), plates=(PlateCredential(Plate("ab-123-cd")),))
    with pytest.raises(ListRejected, match="unusable_plate") as error:
        START.apply([UserPut(odd)], 2)
    assert "123" not in str(error.value)


def test_an_external_id_has_one_user_within_a_customer() -> None:
    again = replace(user("ann"), id="id-other")
    assert rejected([UserPut(again)], START) == "duplicate_external_id"
    assert START.apply([UserPut(replace(again, customer="another"))], 2).user_by_external("ann", "another")
    renamed = [UserPut(replace(user("bob"), external_id="ann")), UserPut(replace(user("ann"), external_id="bob"))]
    assert START.apply(renamed, 2).user_by_external("ann") == replace(user("bob"), external_id="ann")


@pytest.mark.parametrize("plate", ["BNO1234", "B NO 1234", "BNO 1234"])
def test_a_plate_is_active_for_one_user(plate: str) -> None:
    assert rejected([UserPut(user("cid", plate))], START) == "duplicate_credential"


def test_the_same_key_in_other_groups_is_another_plate() -> None:
    assert START.apply([UserPut(user("cid", "BN O 1234"))], 2).user("id-cid") is not None


def test_pools_customers_and_withdrawn_plates_are_excepted() -> None:
    START.apply([UserPut(user("pool", "B-NO 1234", pool=3))], 2)
    START.apply([UserPut(user("cid", "B-NO 1234", customer="another"))], 2)
    revoked = replace(user("cid"), plates=(PlateCredential(Plate.parse("B-NO 1234"), CredentialState.REVOKED),))
    START.apply([UserPut(revoked)], 2)


def test_a_plate_moves_in_one_delta_in_either_order() -> None:
    changes: list[Change] = [UserPut(user("ann")), UserPut(user("bob", "B-NO 1234"))]
    for order in (changes, changes[::-1]):
        after = START.apply(order, 2)
        found = after.find_plate(Plate.parse("B-NO 1234")).user
        assert found is not None
        assert found.external_id == "bob"


def test_a_badge_is_active_for_one_user_and_none_hides_behind_a_short_reader() -> None:
    assert rejected([UserPut(user("cid", badge="04:A2:2F:1B"))], START) == "duplicate_credential"
    START.apply([UserPut(user("pool", badge="04:A2:2F:1B", pool=4))], 2)
    without_reader = Allowlist.empty("e").apply([UserPut(user("ann", badge="04A22F1B"))], 1)
    assert rejected([UserPut(user("cid", badge="04:A2:2F:1B"))], without_reader) == "duplicate_credential"
    assert rejected([UserPut(user("cid", badge="11A22F1B"))], START) == "badge_collision"
    assert rejected([UserPut(user("cid", badge="A22F1B"))], START) == "badge_collision"
    assert without_reader.apply([UserPut(user("cid", badge="11A22F1B"))], 2).user("id-cid") is not None


def test_what_is_not_canonical_or_not_clear_is_refused() -> None:
    spelt = replace(user("cid"), plates=(PlateCredential(Plate("b-no 1")),))
    assert rejected([UserPut(spelt)], START) == "unusable_plate"
    assert rejected([PermitPut(Permit("p", Action.PARK))], START) == "bad_permit"
    noon = datetime(2026, 1, 1, 12)
    assert rejected([PermitPut(Permit("p", Action.PARK, "id-ann", valid_to=noon))], START) == "bad_permit"
    dated = replace(user("cid"), plates=(PlateCredential(Plate("KAB12"), valid_from=noon),))
    assert rejected([UserPut(dated)], START) == "bad_credential"
    assert rejected([PermitPut(Permit("p", Action.PARK, "id-ann", "staff"))], START) == "bad_permit"


def test_revisions_only_rise() -> None:
    for revision in (0, 1):
        with pytest.raises(ListRejected, match="stale_revision"):
            START.apply([], revision)


def test_a_removed_user_takes_its_own_permits_along() -> None:
    listed = START.apply(
        [PermitPut(Permit("p", Action.PARK, "id-ann")), PermitPut(Permit("q", Action.PARK, None, "g"))], 2
    )
    assert [permit.id for permit in listed.apply([UserRemoved("id-ann")], 3).permits()] == ["q"]
    assert list(listed.apply([PermitRemoved("p"), PermitRemoved("q"), PermitRemoved("r")], 3).permits()) == []


def test_external_ids_of_two_customers_never_share_a_key() -> None:
    assert external_key("", "a") != external_key("a", "")
    assert external_key("x", "y") != external_key("y", "x")


# ---- laws ----

PLATES = st.sampled_from(["BNO1234", "B NO 1234", "BN O 1234", "BN01234", "KAB12", "K-AB 12", "AB123CD", "A8123CD"])
BADGES = st.sampled_from(["", "04A22F1B", "11A22F1B", "04A22F1C"])
NAMES = st.sampled_from("abcde")
STATES = st.sampled_from([CredentialState.ACTIVE, CredentialState.ACTIVE, CredentialState.REVOKED])


@st.composite
def users(draw: st.DrawFn) -> User:
    badge = draw(BADGES)
    return User(
        f"id-{draw(NAMES)}",
        draw(NAMES),
        groups=tuple(draw(st.lists(st.sampled_from("xy"), max_size=2, unique=True))),
        pool_size=draw(st.sampled_from([1, 1, 3])),
        plates=tuple(
            PlateCredential(Plate.parse(plate), draw(STATES))
            for plate in draw(st.lists(PLATES, max_size=2, unique_by=lambda text: text.replace(" ", "")))
        ),
        badges=(Badge.parse(badge),) if badge else (),
    )


CHANGES = st.one_of(
    users().map(UserPut),
    NAMES.map(lambda name: UserRemoved(f"id-{name}")),
    st.builds(
        lambda key, name, group: PermitPut(
            Permit(key, Action.PARK, None if group else f"id-{name}", name if group else None)
        ),
        st.sampled_from("pqr"),
        NAMES,
        st.booleans(),
    ),
    st.sampled_from("pqr").map(PermitRemoved),
)
PROBES = [
    Plate.parse(text) for text in ("BNO1234", "B NO 1234", "BN O 1234", "BN01234", "KAB12", "AB123CD", "A8123CD")
]


def content(listed: Allowlist) -> object:
    """Everything a reader of the list can see, order aside."""
    found = sorted(listed.users(), key=lambda person: person.id)
    return (
        found,
        sorted(listed.permits(), key=lambda permit: permit.id),
        [sorted(permit.id for permit in listed.permits_of(person)) for person in found],
        [(match.kind, match.user, match.plate) for match in map(listed.find_plate, PROBES)],
        [listed.user_by_external(name) for name in "abcde"],
        sorted({pair.user.id, pair.other_user.id} for pair in listed.colliding_pairs()) != [],
    )


@given(st.lists(st.lists(CHANGES, max_size=5), max_size=6))
def test_apply_is_all_or_nothing_and_the_overlay_equals_a_rebuild(deltas: list[list[Change]]) -> None:
    listed = Allowlist.empty("e", reader_bits=(24,)).apply([UserPut(user("zoe", "ZZ-Z 1"))], 1)
    for delta in deltas:
        before = content(listed)
        try:
            after = listed.apply(delta, listed.revision + 1)
        except ListRejected:
            assert content(listed) == before
            continue
        assert content(listed) == before, "the old list is what it was"
        listed = after
        rebuilt = Allowlist.empty("e", reader_bits=(24,)).apply(
            [*map(UserPut, listed.users()), *map(PermitPut, listed.permits())], 1
        )
        assert content(rebuilt) == content(listed)
        assert content(listed.compacted()) == content(listed)
        assert listed.compacted().revision == listed.revision


@given(st.lists(CHANGES, max_size=12))
def test_no_accepted_list_has_two_people_behind_one_plate_as_written(delta: list[Change]) -> None:
    try:
        listed = Allowlist.empty("e").apply(delta, 1)
    except ListRejected:
        return
    owners: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for person in listed.users():
        for credential in person.plates:
            if credential.state is CredentialState.ACTIVE and not person.pool:
                owners.setdefault((credential.plate.key, credential.plate.groups), set()).add(person.id)
    assert all(len(ids) == 1 for ids in owners.values())


PASS, CODE = QrPass.of("Q1.visitor.7f3a9c01d2"), GuestCode.parse("K7M2PX94")


@pytest.mark.parametrize("held", [{"passes": (PASS,)}, {"codes": (CODE,)}])
def test_a_pass_or_code_has_one_user_of_all_customers(held: dict[str, object]) -> None:
    before = START.apply([UserPut(replace(user("ann", "B-NO 1234"), **held))], 2)
    for other in (user("cid"), user("cid", pool=5), user("cid", customer="another")):
        with pytest.raises(ListRejected, match="a pass or code of user cid belongs to user ann") as error:
            before.apply([UserPut(replace(other, **held))], 3)
        assert error.value.reason == "duplicate_credential"
        assert CODE.digest not in str(error.value)
    assert before.apply([UserPut(replace(user("ann"), **held))], 3).revision == 3, "its own user may be put again"
    moved = [UserPut(user("ann")), UserPut(replace(user("cid"), **held))]
    assert before.apply(moved, 3).user("id-cid") is not None


def test_a_withdrawn_code_may_be_given_to_another() -> None:
    revoked = replace(CODE, state=CredentialState.REVOKED)
    before = START.apply([UserPut(replace(user("cid"), codes=(revoked,)))], 2)
    assert before.apply([UserPut(replace(user("dan"), codes=(CODE,)))], 3).revision == 3


def test_a_code_needs_its_time_zone() -> None:
    naive = replace(CODE, valid_to=datetime(2026, 1, 1))
    assert rejected([UserPut(replace(user("cid"), codes=(naive,)))], START) == "bad_credential"


def test_a_shared_code_tells_that_it_is_the_id_that_changed() -> None:
    before = START.apply([UserPut(replace(user("cid"), codes=(CODE,)))], 2)
    renamed = replace(user("cid"), id="id-new", codes=(CODE,))
    assert rejected([UserPut(renamed)], before) == "immutable_id"


T0 = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORK = business("c1", "")
HOME = private("c2", "id-ann", payable=True)
GATE = Device("entry", DeviceKind.GATE, token="ab" * 32)
TRIP = Reservation("r1", "id-ann", "DACIA-1", "north", T0, T0 + HOUR)
VIEW = ViewCode("v1", ViewScope.CUSTOMER, "acme", secret_digest("one"))
WITH_ALL = START.apply(
    [
        UserPut(replace(user("ann"), contracts=(WORK, HOME))),
        DevicePut(GATE),
        ReservationPut(TRIP),
        ViewCodePut(VIEW),
    ],
    2,
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (UserPut(replace(user("ann"), contracts=(WORK,), default_contract="c2")), "bad_contract"),
        (UserPut(replace(user("ann"), contracts=(business("c9", "somebody"),))), "bad_contract"),
        (UserPut(replace(user("ann"), contracts=(business("c2", ""),))), "immutable_id"),
        (UserPut(replace(user("ann"), terms_accepted_at=datetime(2026, 1, 1))), "bad_user"),
        (UserPut(replace(user("ann"), licence=Licence(LicenceStatus.PENDING, datetime(2026, 1, 1)))), "bad_user"),
        (PermitPut(Permit("p", Action.PARK, user_id="id-ann", quota=2)), "bad_permit"),
        (PermitPut(Permit("p", Action.PARK, group_id="g", quota=0)), "bad_permit"),
        (DevicePut(replace(GATE, token="cd" * 32)), "immutable_id"),
        (
            DevicePut(replace(GATE, delegations=(Delegated("a", T0), Delegated("b", T0 + HOUR)))),
            "delegation_overlap",
        ),
        (ReservationPut(replace(TRIP, user_id="id-bob")), "immutable_id"),
        (ReservationPut(replace(TRIP, end=T0)), "bad_reservation"),
        (ViewCodePut(replace(VIEW, digest=secret_digest("two"))), "old_generation"),
        (ViewCodePut(replace(VIEW, id="v2")), "duplicate_credential"),
    ],
)
def test_what_breaks_a_rule_spoils_all_that_came_with_it(change: Change, reason: str) -> None:
    assert rejected([UserPut(user("cid")), change], WITH_ALL) == reason
    assert WITH_ALL.user_by_external("cid") is None


def test_a_whole_new_list_keeps_what_is_written_once() -> None:
    for changed in (
        DevicePut(replace(GATE, token=None)),
        ViewCodePut(replace(VIEW, digest=secret_digest("two"))),
        UserPut(replace(user("ann"), contracts=(business("c2", ""),))),
    ):
        with pytest.raises(ListRejected, match=r"immutable_id|old_generation"):
            WITH_ALL.replaced("f", [changed], 1)
    assert WITH_ALL.replaced("f", [], 1).device("entry") is None


def test_entries_come_and_go_by_their_ids() -> None:
    assert WITH_ALL.reservations_of(user("ann")) == (TRIP,)
    later = replace(TRIP, end=T0 + 2 * HOUR)
    other = replace(TRIP, id="r2")
    newer = regenerated(VIEW, secret_digest("two"))
    off = replace(GATE, state=DeviceState.INACTIVE)
    after = WITH_ALL.apply([ReservationPut(later), ReservationPut(other), ViewCodePut(newer), DevicePut(off)], 3)
    assert set(after.reservations_of(user("ann"))) == {later, other} == set(after.reservations())
    assert after.view_codes_typed("one") == after.view_codes_typed("two") == (newer,)
    assert [*after.view_codes()] == [newer]
    assert [*after.devices()] == [off]
    assert after.reservation("r2") == other
    gone = after.apply([ReservationRemoved("r1"), DeviceRemoved("entry"), ViewCodeRemoved("v1")], 4)
    assert gone.reservations_of(user("ann")) == (other,)
    assert gone.device("entry") is None
    assert gone.view_code("v1") is None
    assert gone.view_codes_typed("one") == ()
    nothing = gone.apply([ReservationRemoved("x"), DeviceRemoved("x"), ViewCodeRemoved("x")], 5)
    assert (*nothing.reservations(), *nothing.devices(), *nothing.view_codes()) == (other,)


def test_a_removed_user_takes_its_reservations_along() -> None:
    gone = WITH_ALL.apply([UserRemoved("id-ann")], 3)
    assert gone.reservations_of(user("ann")) == ()
    assert gone.reservation("r1") is None


def test_a_list_without_any_of_it_has_no_overlay_of_it() -> None:
    assert START.tables.devices.over == START.tables.reservations.over == START.tables.view_codes.over == {}
