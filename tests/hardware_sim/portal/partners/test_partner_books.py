"""Rows of agreements: as they were, whoever asks, and never undone by somebody who was late."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.delegation import Delegation, Partnership, Stage
from hardware_sim.portal.partners.partner_books import PartnerBooks
from hardware_sim.portal.records.inputs import Overtaken
from tests.hardware_sim.portal.house_rig import BEGIN, a_house
from tests.hardware_sim.portal.partner_rig import people_it

LINK = Partnership("p1", "clean", "cafe", BEGIN)
LATER = Partnership("p2", "fresh", "cafe", BEGIN + timedelta(microseconds=1))
ASKED = Delegation("d1", "clean", "cafe", BEGIN, device="entry", partnership="p1")


async def test_rows_come_back_as_they_were_the_newest_first(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await people_it(house)
        books = PartnerBooks(house.portal.database.sql)

        def deed() -> None:
            for link in (LINK, LATER):
                books.keep_partnership(None, link)
            books.keep_delegation(None, ASKED)
            assert books.partnerships("cafe") == books.partnerships("") == [LATER, LINK]
            assert books.partnerships("clean") == [LINK]
            assert (books.partnership("p2"), books.partnership("nil")) == (LATER, None)
            assert books.of_device("entry") == books.of_partnership("p1") == books.delegations("clean") == [ASKED]
            assert books.of_device("exit") == books.of_partnership("p2") == books.delegations("fresh") == []
            assert (books.delegation("d1"), books.delegation("' OR 1 --")) == (ASKED, None)

        await house.write(deed)


async def test_a_row_changes_only_from_what_it_was(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await people_it(house)
        books = PartnerBooks(house.portal.database.sql)
        accepted = replace(LINK, stage=Stage.ACCEPTED, accepted_at=BEGIN)

        def deed() -> None:
            books.keep_partnership(None, LINK)
            books.keep_partnership(LINK, accepted)
            with pytest.raises(Overtaken):
                books.keep_partnership(LINK, replace(LINK, stage=Stage.REFUSED))
            assert books.partnership("p1") == accepted

        await house.write(deed)
