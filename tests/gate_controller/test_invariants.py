"""Each check names its reason and whose entry is to be mended, and no secret."""

from dataclasses import replace
from datetime import datetime

import pytest

from gate_controller.contracts import business
from gate_controller.credentials import Badge, GuestCode
from gate_controller.errors import ListRejected
from gate_controller.invariants import check_contracts, check_permit, check_user, reject, same_person
from gate_controller.users import Action, Permit, User, user_row

ANN = User("u1", "ann", "acme", badges=(Badge.parse("04A22F1B"),), codes=(GuestCode.parse("K7M2PX94"),))
PARK = Permit("p1", Action.PARK, user_id="u1")


def check(user: User) -> None:
    check_user(user, user_row(user))


def test_what_is_right_passes() -> None:
    check(ANN)
    check(replace(ANN, contracts=(business("c", "acme"),), default_contract="c"))
    check_permit(PARK)
    check_permit(Permit("p1", Action.PARK, group_id="g", quota=1))
    reject(None)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (replace(ANN, badges=(replace(ANN.badges[0], valid_to=datetime(2026, 1, 1)),)), "bad_credential"),
        (replace(ANN, default_contract="c"), "bad_contract"),
        (replace(ANN, terms_accepted_at=datetime(2026, 1, 1)), "bad_user"),
    ],
)
def test_a_user_that_cannot_be_is_named(wrong: User, reason: str) -> None:
    with pytest.raises(ListRejected, match="ann") as error:
        check(wrong)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "wrong",
    [
        replace(PARK, user_id=None),
        replace(PARK, group_id="g"),
        replace(PARK, valid_from=datetime(2026, 1, 1)),
        replace(PARK, quota=2),
        Permit("p1", Action.PARK, group_id="g", quota=0),
    ],
)
def test_a_permit_that_cannot_be_is_named(wrong: Permit) -> None:
    with pytest.raises(ListRejected, match="p1"):
        check_permit(wrong)


def test_a_contract_keeps_its_payer() -> None:
    old, new = replace(ANN, contracts=(business("c", "acme"),)), replace(ANN, contracts=(business("c", "rival"),))
    check_contracts(user_row(old), user_row(old))
    with pytest.raises(ListRejected, match="immutable_id"):
        check_contracts(user_row(old), user_row(new))


def test_two_entries_with_one_credential_are_one_person() -> None:
    assert same_person(ANN, replace(ANN, id="u2", codes=()))
    assert same_person(ANN, replace(ANN, id="u2", badges=()))
    assert not same_person(ANN, User("u2", "ann"))
