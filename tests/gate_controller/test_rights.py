"""What counts at this moment; the order in which it is asked is test_access's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gate_controller.allowlist import Action, Allowlist, Permit
from gate_controller.credentials import PassRead
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched
from gate_controller.reasons import Reason
from gate_controller.rights import one_permit, pass_reason, permit_reason
from gate_controller.schedule import Schedule
from gate_controller.site import Site

MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASS = PassRead("u", "aa" * 16, MONDAY, MONDAY + HOUR, once=True)


@pytest.mark.parametrize(
    ("permit", "expected"),
    [
        (Permit("p", Action.PARK, "u"), None),
        (Permit("p", Action.PARK, "u", valid_from=MONDAY), None),
        (Permit("p", Action.PARK, "u", valid_from=MONDAY + HOUR), Reason.NOT_YET_VALID),
        (Permit("p", Action.PARK, "u", valid_to=MONDAY), Reason.EXPIRED),
        (Permit("p", Action.PARK, "u", schedule=Schedule("mo-fr 07:00-18:00")), None),
        (Permit("p", Action.PARK, "u", schedule=Schedule("tu 07:00-18:00")), Reason.OUTSIDE_SCHEDULE),
    ],
)
def test_a_permit_counts_in_its_time(permit: Permit, expected: Reason | None) -> None:
    assert one_permit(permit, MONDAY) is expected


def test_of_several_permits_the_nearest_gives_the_reason() -> None:
    over = Permit("a", Action.PARK, "u", valid_to=MONDAY)
    tuesday = Permit("b", Action.PARK, "u", schedule=Schedule("tu 07:00-18:00"))
    assert permit_reason((over, tuesday), "entry", MONDAY) is Reason.OUTSIDE_SCHEDULE
    assert permit_reason((over, replace(tuesday, device="side")), "entry", MONDAY) is Reason.EXPIRED
    assert permit_reason((replace(over, device="side"),), "entry", MONDAY) is Reason.NO_PERMIT
    assert permit_reason((over, Permit("c", Action.PARK, "u")), "entry", MONDAY) is None


def test_a_pass_is_over_at_its_end_and_used_once() -> None:
    site = Site(Allowlist.empty("e"), UTC)
    assert pass_reason(PASS, site, MONDAY) is None
    assert pass_reason(PASS, site, MONDAY + HOUR) is Reason.PASS_EXPIRED
    assert pass_reason(replace(PASS, elsewhere=True), site, MONDAY) is Reason.WRONG_SITE
    assert pass_reason(None, site, MONDAY) is None
    entry = Granted(
        LaneId("entry"), Direction.IN, HoldId("h"), "u", "u", "",
        Basis("e", 0, Matched.SIGNED_PASS, as_matched=PASS.text), spends=PASS.valid_to,
    )  # fmt: skip
    used = replace(site, occupancy=site.occupancy.fold(entry, MONDAY))
    assert pass_reason(PASS, used, MONDAY) is Reason.PASS_REPLAYED
    assert pass_reason(replace(PASS, once=False), used, MONDAY) is None
