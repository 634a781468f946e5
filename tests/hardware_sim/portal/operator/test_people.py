"""What is asked about people: the names of all requests, and codes that a lane's few tries do not find."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gate_controller.credentials import GuestCode
from gate_controller.errors import BadInput
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.operator import people
from hardware_sim.portal.operator.asked import AddGuest, AddUser, PermitGroup, RemoveCredential
from hardware_sim.portal.operator.folder import PortalFolder


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    opened = await PortalFolder.create(tmp_path / "p", "acme", "north", "UTC").open()
    yield opened
    await opened.close()


async def test_codes_that_are_made_differ_and_are_kept_as_digests(portal: Portal) -> None:
    codes = [(await people.add_guest(portal, AddGuest(f"g{n}"))).rows[0]["code"] for n in range(5)]
    assert len(set(codes)) == 5
    listed = {code for user in portal.allowlist.users() for code in user.codes}
    assert listed == {GuestCode.parse(code) for code in codes}


@pytest.mark.parametrize("lane", ["", " ", "a\nb", "x" * 101])
async def test_a_lane_that_nobody_could_name_gets_no_permit(portal: Portal, lane: str) -> None:
    with pytest.raises(BadInput, match="lane"):
        await people.permit_group(portal, PermitGroup("staff", lane=lane))
    assert not [*portal.allowlist.permits()]


async def test_the_other_plates_stay_when_one_is_taken(portal: Portal) -> None:
    await people.add_user(portal, AddUser("anna", ("98-THD-4", "AB-123-CD")))
    await people.remove_credential(portal, RemoveCredential("anna", plate="98thd4"))
    assert [one.plate.key for one in portal.user("anna").plates] == ["AB123CD"]
    with pytest.raises(BadInput, match="has no plate"):
        await people.remove_credential(portal, RemoveCredential("anna", plate="98thd4"))
