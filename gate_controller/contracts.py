"""Who pays: a user's contracts, which of them a stay is under, and what the employer's feed may show of it.

A camera cannot ask, so the contract is settled before the entry: that of a reservation, else the user's default. A
user without any is paid for by its customer, as everybody is where private use is none of the portal's business.
Not here: who pays for a device's scans (`delegation`), and prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ContractKind(StrEnum):
    """Business use and private use are kept apart."""

    BUSINESS = "business"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Contract:
    """One of a user's contracts; its id, kind and payer never change.

    `payer` is the customer of a business contract, the user's own id of a private one. `payable` is false while a
    private contract has no payment profile: it can then not be used. `linked_account_no` is the number of the
    user's own account elsewhere, if it gave one.
    """

    id: str
    kind: ContractKind
    payer: str
    payable: bool = True
    linked_account_no: str | None = None


def business(contract_id: str, customer: str) -> Contract:
    """A contract that the customer pays."""
    return Contract(contract_id, ContractKind.BUSINESS, customer)


def private(contract_id: str, user_id: str, *, payable: bool, linked_account_no: str | None = None) -> Contract:
    """A contract that the user pays; `payable` once it has a payment profile."""
    return Contract(contract_id, ContractKind.PRIVATE, user_id, payable, linked_account_no)


def both(contracts: Sequence[Contract], user_id: str, customer: str) -> tuple[Contract, Contract]:
    """The business and the private contract of a user, business first: those that it has, else new ones."""
    work = next((one for one in contracts if one.kind is ContractKind.BUSINESS), None)
    home = next((one for one in contracts if one.kind is ContractKind.PRIVATE), None)
    return work or business(f"b-{user_id}", customer), home or private(f"p-{user_id}", user_id, payable=False)


def chosen(contracts: Sequence[Contract], *wanted: str | None) -> Contract | None:
    """The first of the wanted ids that the user has, else its first contract; None for a user without any."""
    by_id = {contract.id: contract for contract in contracts}
    found = (by_id[name] for name in wanted if name is not None and name in by_id)
    return next(found, contracts[0] if contracts else None)


def problem(contracts: Sequence[Contract], default: str | None, user_id: str, customer: str) -> str:
    """What is wrong with a user's contracts, "" if nothing is."""
    ids = [contract.id for contract in contracts]
    if len(set(ids)) < len(ids):
        return "two contracts have one id"
    if default is not None and default not in ids:
        return f"the default contract {default} is none of the user's"
    for contract in contracts:
        payer = customer if contract.kind is ContractKind.BUSINESS else user_id
        if contract.payer != payer:
            return (
                f"contract {contract.id} is {contract.kind.value}: its payer is {payer!r}, not {contract.payer!r}"
            )
        if contract.kind is ContractKind.BUSINESS and not contract.payable:
            return f"contract {contract.id} is business: its customer pays without a payment profile"
    return ""


def changed_contract(old: Sequence[Contract], new: Sequence[Contract]) -> str:
    """The id of a contract that became another one, "" if there is none: what is written once stays."""
    before = {contract.id: (contract.kind, contract.payer) for contract in old}
    return next((c.id for c in new if before.get(c.id, (c.kind, c.payer)) != (c.kind, c.payer)), "")


def employer_sees(payer: str, customer: str) -> bool:
    """Whether a customer may see an event or a stay of its user: what the user pays is the user's own."""
    return payer == customer
