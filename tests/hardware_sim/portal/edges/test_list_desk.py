"""Edits of single users, guests and permits, as they are then on a real portal's list."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.allowlist import UserStatus
from gate_controller.credentials import CodeRead
from gate_controller.errors import (
    BadInput,
    CodeError,
    ListRejected,
)
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from hardware_sim.portal.edges.list_desk import ListDesk
from hardware_sim.portal.edges.service import Portal
from sync.portal import Surroundings

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
NOW = Surroundings(lambda: Moment(T0, 0.0), lambda: 0.5, lambda: secrets.token_hex(8))


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[ListDesk]:
    opened = await Portal.open(tmp_path / "portal.db", "t", "s", NOW)
    yield opened
    await opened.close()


async def test_a_new_user_may_park_at_once(portal: ListDesk) -> None:
    ann = await portal.add_user("4711", plates=["B-NO 1234"], badges=["04:A2:2F:1B"], schedule="Mo-Fr 06:00-20:00")
    found = portal.allowlist.find_plate(Plate.parse("b no 1234"))
    assert found.user == ann
    (permit,) = portal.allowlist.permits_of(ann)
    assert permit.schedule is not None
    assert permit.schedule.text == "Mo-Fr 06:00-20:00"
    assert portal.allowlist.revision == 1


async def test_members_of_a_group_park_by_its_permit(portal: ListDesk) -> None:
    ann = await portal.add_user("1", plates=["B-NO 1234"], groups=["staff"])
    assert portal.allowlist.permits_of(ann) == ()
    permit = await portal.permit_group("staff", device="in")
    assert portal.allowlist.permits_of(ann) == (permit,)
    await portal.set_groups("1", [])
    assert portal.allowlist.permits_of(portal.user("1")) == ()
    await portal.set_groups("1", ["staff"])
    await portal.remove_permit(permit.id)
    assert portal.allowlist.permits_of(portal.user("1")) == ()


async def test_users_are_switched_off_extended_and_deleted(portal: ListDesk) -> None:
    await portal.add_user("1", plates=["B-NO 1234"])
    await portal.set_status("1", UserStatus.INACTIVE)
    assert not portal.user("1").active
    await portal.add_plate("1", "AB-123-CD", "F")
    await portal.add_badge("1", "04A22F1B")
    assert [credential.plate.key for credential in portal.user("1").plates] == ["BNO1234", "AB123CD"]
    assert portal.user("1").badges[0].uid == "04A22F1B"
    await portal.remove_user("1")
    with pytest.raises(BadInput, match="no user has the external id '1'"):
        portal.user("1")


async def test_a_guest_comes_by_pass_or_code_until_the_visit_is_over(portal: ListDesk) -> None:
    until = datetime(2026, 3, 1, 18, tzinfo=UTC)
    guest = await portal.add_guest("v-1", qr_pass="Q1.visitor.7f3a9c01d2", code="K7M2-PX94", valid_to=until)
    for text in ("Q1.visitor.7f3a9c01d2", "k7m2 px94"):
        match = portal.allowlist.find_code(CodeRead.of(text))
        assert match.user == guest
        assert match.credential is not None
        assert match.credential.valid_to == until
    assert portal.allowlist.permits_of(guest)
    with pytest.raises(ListRejected, match="duplicate_credential"):
        await portal.add_guest("v-2", code="K7M2PX94")
    with pytest.raises(CodeError):
        await portal.add_guest("v-3", code="K7M")
    assert portal.allowlist.user_by_external("v-2") is None
