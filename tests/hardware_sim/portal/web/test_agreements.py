"""Who acts for a customer or a partner: by role and organisation, as they are now."""

from dataclasses import replace

import pytest

from hardware_sim.portal.records.accounts import Role, new_account
from hardware_sim.portal.records.organisations import Organisation
from hardware_sim.portal.records.sessions import Session
from hardware_sim.portal.web.agreements import is_customer, is_either, is_partner
from hardware_sim.portal.web.gatekeeper import Caller

FIRM = Organisation("firm", "Firm", customer=False)


@pytest.mark.parametrize(
    ("role", "customer", "partner", "acts_as"),
    [
        (Role.ADMINISTRATOR, True, False, (True, False)),
        (Role.ADMINISTRATOR, False, True, (False, False)),
        (Role.PARTNER, False, True, (False, True)),
        (Role.PARTNER, True, False, (False, False)),
        (Role.PARTNER, True, True, (False, True)),
        (Role.OPERATOR, True, True, (False, False)),
        (Role.FLEET_MANAGER, True, True, (False, False)),
    ],
)
def test_a_role_counts_for_what_the_organisation_is(
    role: Role, customer: bool, partner: bool, acts_as: tuple[bool, bool]
) -> None:
    account = new_account("a", "anna", "firm", [role], None, None)
    caller = Caller(account, Session(b"", "", None, None), replace(FIRM, customer=customer, partner=partner))
    assert (is_customer(caller), is_partner(caller)) == acts_as
    assert is_either(caller) == any(acts_as)
