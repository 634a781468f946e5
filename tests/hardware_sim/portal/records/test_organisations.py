"""Organisations and sites: one name each, and whoever comes second with an old copy is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import Organisation, Organisations, SiteRecord
from tests.hardware_sim.portal.house_rig import a_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        yield opened


async def test_the_portals_own_are_there_from_the_beginning(house: House) -> None:
    (own,) = await house.run(house.organisations.all)
    (site,) = await house.run(house.organisations.sites)
    assert (own.id, own.operator, own.partner) == ("acme", True, False)
    assert (site.id, site.time_zone) == ("north", "Europe/Amsterdam")


async def test_the_second_of_two_managers_is_told_and_nothing_is_lost(house: House) -> None:
    organisations: Organisations = house.organisations
    first = await house.write(organisations.put, Organisation("o1", "Brandt", "Info@Brandt.example"))
    assert first.email == "info@brandt.example"
    changed = await house.write(organisations.put, replace(first, name="Brandt Logistics"))
    assert changed.version == 2
    with pytest.raises(Overtaken):
        await house.write(organisations.put, replace(first, partner=True))
    assert await house.run(organisations.get, "o1") == changed


async def test_two_of_one_name_are_refused(house: House) -> None:
    await house.write(house.organisations.put, Organisation("o1", "Brandt"))
    with pytest.raises(WrongField, match="name"):
        await house.write(house.organisations.put, Organisation("o2", " Brandt "))
    with pytest.raises(BadInput):
        await house.run(house.organisations.get, "o2")


async def test_a_site_is_checked_and_guarded_alike(house: House) -> None:
    south = SiteRecord("s", "South", None, "Europe/Paris", "1 Rue Haute")
    made = await house.write(house.organisations.put_site, south)
    await house.write(house.organisations.put_site, replace(made, email="South@example.com"))
    with pytest.raises(Overtaken):
        await house.write(house.organisations.put_site, replace(made, address="elsewhere"))
    found = await house.run(house.organisations.site, "s")
    assert (found.email, found.address, found.version) == ("south@example.com", "1 Rue Haute", 2)
    for wrong in (replace(found, time_zone="Nowhere"), replace(found, name=""), replace(found, email="x")):
        with pytest.raises(WrongField):
            await house.write(house.organisations.put_site, wrong)
