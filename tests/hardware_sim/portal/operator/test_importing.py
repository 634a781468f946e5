"""A list file at the portal: what is known keeps its id, what is the same makes no revision, all or nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gate_controller.errors import ListFileError
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.operator.asked import Import
from hardware_sim.portal.operator.folder import PortalFolder
from hardware_sim.portal.operator.importing import import_list
from sync.listfile import derived_id, read_list

TZ = ZoneInfo("Europe/Berlin")


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[Portal]:
    opened = await PortalFolder.create(tmp_path / "p", "acme", "north", "Europe/Berlin").open()
    yield opened
    await opened.close()


def write(tmp_path: Path, *rows: str, head: str = "external_id,plate,schedule") -> str:
    file = tmp_path / "users.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return str(file)


async def told(portal: Portal, file: str, *, whole: bool = False) -> tuple[int, int, int]:
    (row,) = (await import_list(portal, Import(file, whole), TZ)).rows
    return row["added"], row["changed"], row["removed"]


async def test_the_users_are_those_that_an_edge_reads(portal: Portal, tmp_path: Path) -> None:
    file = write(tmp_path, "anna,98-THD-4,", "bert,AB-123-CD,Mo-Fr 06:00-20:00")
    assert await told(portal, file) == (2, 0, 0)
    of_the_edge = read_list(Path(file), TZ).allowlist
    by_name = {user.external_id: user for user in portal.allowlist.users()}
    assert by_name == {user.external_id: user for user in of_the_edge.users()}
    assert {*portal.allowlist.permits()} == {*of_the_edge.permits()}


async def test_the_same_file_again_makes_no_revision(portal: Portal, tmp_path: Path) -> None:
    file = write(tmp_path, "anna,98-THD-4,", "bert,AB-123-CD,Mo-Fr 06:00-20:00")
    await told(portal, file)
    assert await told(portal, file) == (0, 0, 0)
    assert portal.allowlist.revision == 1
    assert await told(portal, write(tmp_path, "anna,98-THD-4,", "bert,AB-123-CD,")) == (0, 1, 0)
    (permit,) = portal.allowlist.permits_of(portal.user("bert"))
    assert permit.schedule is None


async def test_whom_the_portal_knew_keeps_its_id(portal: Portal, tmp_path: Path) -> None:
    anna = await portal.add_user("anna", ["98-THD-4"])
    assert anna.id != derived_id("anna")
    assert await told(portal, write(tmp_path, "anna,AB-123-CD,")) == (0, 1, 0)
    assert portal.user("anna").id == anna.id
    assert [one.plate.key for one in portal.user("anna").plates] == ["AB123CD"]
    assert len(portal.allowlist.permits_of(portal.user("anna"))) == 1


async def test_another_id_in_the_file_is_refused_by_its_line(portal: Portal, tmp_path: Path) -> None:
    await portal.add_user("anna", ["98-THD-4"])
    file = write(tmp_path, "bert,AB-123-CD,1", "anna,98-THD-4,2", head="external_id,plate,user_id")
    with pytest.raises(ListFileError, match=r"users\.csv: line 3: immutable_id"):
        await import_list(portal, Import(file), TZ)
    assert portal.allowlist.user_by_external("bert") is None, "all or nothing"


async def test_only_with_whole_do_others_go(portal: Portal, tmp_path: Path) -> None:
    await portal.add_user("carl")
    file = write(tmp_path, "anna,98-THD-4,")
    assert await told(portal, file) == (1, 0, 0)
    assert await told(portal, file, whole=True) == (0, 0, 1)
    assert [user.external_id for user in portal.allowlist.users()] == ["anna"]
