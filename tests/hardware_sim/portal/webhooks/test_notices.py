"""What an event says to whom: only what happens at devices that it sees, and a person's name only to who pays."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gate_controller.allowlist import User
from gate_controller.delegation import Delegated, Device, DeviceKind
from gate_controller.facts import BoomOpenedManually, Direction, Fact, HoldId, Passed, PhaseEntered, Refused
from gate_controller.reasons import Reason
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.webhooks.notices import KINDS, LATE_AFTER, Notice, notice
from sync.codec import FACT_KINDS, UnknownFact
from tests.hardware_sim.portal.event_rig import ENTRY, granted
from tests.hardware_sim.portal.house_rig import BEGIN

GATE = Device("entry", DeviceKind.GATE, owner="cafe", delegations=(Delegated("clean", BEGIN, BEGIN + LATE_AFTER),))
CAFES = User("u-1", "A-17", customer="cafe")
TENANTS = User("u-1", "A-17")


def told(
    fact: Fact | UnknownFact,
    to: str = "cafe",
    user: User | None = CAFES,
    device: Device | None = GATE,
    late_s: float = 0,
) -> Notice | None:
    event = PortalEvent(7, "gatehouse", "L", 3, BEGIN, fact)
    return notice(event, device, user, to, "acme", BEGIN + timedelta(seconds=late_s))


def test_the_customer_hears_of_its_own_user_and_the_partner_in_charge_of_somebody() -> None:
    fact = granted(payer="cafe")
    said = told(fact)
    assert said is not None
    assert (said.kind, said.device, said.at) == ("granted", "entry", BEGIN)
    assert said.body == {
        "id": "gatehouse/L/3",
        "type": "granted",
        "at": "2026-03-02T08:00:00.000000+00:00",
        "late": False,
        "gate": "gatehouse",
        "device": "entry",
        "data": {"direction": "in", "notes": (), "external_id": "A-17", "plate": "98THD4"},
    }
    partner = told(fact, "clean")
    assert partner is not None
    assert partner.body["data"] == {"direction": "in", "notes": ()}


@pytest.mark.parametrize(
    ("fact", "user", "to"),
    [
        (granted(payer="u-1"), CAFES, "cafe"),
        (granted(payer=""), TENANTS, "cafe"),
        (granted(payer="cafe"), None, "cafe"),
        (granted(payer="cafe"), CAFES, "acme"),
    ],
)
def test_private_use_other_peoples_users_and_strangers_have_no_name(fact: Fact, user: User | None, to: str) -> None:
    said = told(fact, to, user, None if to == "acme" else GATE)
    assert said is not None
    assert not {"external_id", "plate"} & {*said.body["data"]}


def test_the_tenant_hears_of_its_own_users_at_gates_that_are_nobodys() -> None:
    said = told(granted(payer=""), "acme", TENANTS, None)
    assert said is not None
    assert said.body["data"]["external_id"] == "A-17"
    assert told(granted(payer=""), "cafe", TENANTS, None) is None
    assert told(granted(), "acme", TENANTS, replace(GATE, owner="")) is not None


def test_a_refusal_never_tells_a_plate() -> None:
    basis = granted().basis
    no = Refused(ENTRY, Direction.IN, Reason.USER_INACTIVE, "u-1", "A-17", "98THD4", basis, payer="cafe")
    said = told(no)
    assert said is not None
    assert (said.body["data"]["reason"], said.body["data"]["external_id"]) == ("user_inactive", "A-17")
    assert "98THD4" not in str(said.body)


def test_a_partner_hears_only_of_its_own_time_and_what_is_late_says_so() -> None:
    event = PortalEvent(7, "g", "L", 3, BEGIN + LATE_AFTER, granted())
    assert notice(event, GATE, None, "clean", "acme", event.at) is None
    assert notice(event, GATE, None, "cafe", "acme", event.at) is not None
    assert told(granted(), "stranger") is None
    late = told(granted(), late_s=LATE_AFTER.total_seconds() + 1)
    assert late is not None
    assert late.body["late"] is True


def test_what_is_of_no_kind_that_is_told_is_not_and_reasons_of_people_stay_here() -> None:
    assert told(PhaseEntered(ENTRY, "idle")) is None
    assert told(UnknownFact("granted", b"{}")) is None
    opened = told(BoomOpenedManually(ENTRY, "p", "olga", "for Mr Smith"))
    assert opened is not None
    assert opened.body["data"] == {}
    passed = told(Passed(ENTRY, Direction.OUT, HoldId("h")))
    assert passed is not None
    assert passed.body["data"] == {"direction": "out"}
    assert {*KINDS} <= {*FACT_KINDS.values()}
