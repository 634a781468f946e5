"""Who pays is settled before the entry, and what is private is nobody else's."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller import contracts as rules
from gate_controller.contracts import (
    Contract,
    ContractKind,
    business,
    changed_contract,
    chosen,
    employer_sees,
    private,
    problem,
)

WORK = business("c-work", "acme")
HOME = private("c-home", "u-ann", payable=True, linked_account_no="8881")


def test_the_reservation_s_contract_comes_before_the_default_and_that_before_the_first() -> None:
    both = (WORK, HOME)
    assert chosen(both, "c-home", "c-work") == HOME
    assert chosen(both, None, "c-home") == HOME
    assert chosen(both, "c-gone", "c-home") == HOME, "one that the user has no more is passed over"
    assert chosen(both, None, None) == WORK
    assert chosen((), "c-home") is None


def test_a_user_has_one_contract_of_each_kind_and_keeps_what_it_has() -> None:
    work, home = rules.both((), "u-ann", "acme")
    assert (work.kind, work.payer, home.kind, home.payer) == (
        ContractKind.BUSINESS,
        "acme",
        ContractKind.PRIVATE,
        "u-ann",
    )
    assert not home.payable, "nobody pays before there is a payment profile"
    assert rules.both((HOME,), "u-ann", "acme") == (work, HOME)
    assert rules.both((HOME, WORK), "u-ann", "acme") == (WORK, HOME)


@pytest.mark.parametrize(
    ("contracts", "default", "words"),
    [
        ((WORK, HOME), None, ""),
        ((WORK, HOME), "c-home", ""),
        ((), None, ""),
        ((WORK, HOME), "c-other", "none of the user's"),
        ((), "c-work", "none of the user's"),
        ((WORK, WORK), None, "one id"),
        ((replace(WORK, payer="u-ann"),), None, "its payer is 'acme'"),
        ((replace(HOME, payer="acme"),), None, "its payer is 'u-ann'"),
        ((replace(WORK, payable=False),), None, "payment profile"),
    ],
)
def test_what_is_wrong_with_contracts_is_told(
    contracts: tuple[Contract, ...], default: str | None, words: str
) -> None:
    told = problem(contracts, default, "u-ann", "acme")
    assert (words in told) if words else told == ""


def test_a_contract_stays_what_it_was() -> None:
    assert changed_contract((WORK,), (WORK, HOME)) == ""
    assert changed_contract((HOME,), (replace(HOME, payable=False),)) == "", "a payment profile may come and go"
    assert changed_contract((WORK,), (private("c-work", "u-ann", payable=True),)) == "c-work"


@given(st.sampled_from(ContractKind), st.text(max_size=4), st.text(max_size=4))
def test_the_employer_s_feed_has_no_private_stay(kind: ContractKind, customer: str, user_id: str) -> None:
    contract = (
        business("c", customer) if kind is ContractKind.BUSINESS else private("c", f"u-{user_id}", payable=True)
    )
    if not problem((contract,), None, f"u-{user_id}", customer) and contract.payer != customer:
        assert not employer_sees(contract.payer, customer)
    assert employer_sees(customer, customer)
