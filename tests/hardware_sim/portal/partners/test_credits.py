"""What scans cost: once each, to whom the time says, below zero too; who is warned, and who books at once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Delegated, Device, DeviceKind
from gate_controller.errors import BadInput
from gate_controller.facts import Direction, HoldId, HoldReleased, Refused, Released, VehicleLeft
from gate_controller.reasons import Reason
from hardware_sim.portal.following.feed import Feed
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.credits import BEGINS_WITH, Credits, Level
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import Organisation
from tests.hardware_sim.portal.event_rig import ENTRY, arrives, granted
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house

GATE = Device("entry", DeviceKind.GATE, owner="cafe")


async def a_customer(house: House, email: str | None = "office@cafe.example") -> Credits:
    await house.write(house.organisations.put, Organisation("cafe", "Café Ünal", email))
    await house.portal.change([DevicePut(GATE)])
    return Credits(house)


async def balance(house: House, organisation: str = "cafe") -> int:
    await Feed(house).catch_up()
    return (await house.run(Credits(house).balance, organisation)).credits


async def test_an_organisation_begins_with_a_hundred_credits_and_the_portals_own_too(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house)
        found = {one.organisation: one.credits for one in await house.run(credits.all)}
        assert found == {"acme": BEGINS_WITH, "cafe": BEGINS_WITH} == {"acme": 100, "cafe": 100}
        with pytest.raises(BadInput, match="no organisation 'nobody'"):
            await house.run(credits.balance, "nobody")


async def test_only_granted_entries_cost_and_each_once_however_often_it_comes(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house)
        grant = granted(billed_to="cafe")
        refused = Refused(ENTRY, Direction.IN, Reason.NO_PERMIT, "u-1", "A-17", "98THD4", grant.basis)
        facts = [grant, refused, granted("h-2", Direction.OUT, billed_to="cafe"), VehicleLeft(ENTRY)]
        await arrives(house, *facts)
        assert await balance(house) == 99
        await arrives(house, *facts)
        assert await balance(house) == 99
        await house.write(lambda: house.portal.database.sql.execute("UPDATE feed SET through = 0"))
        assert await balance(house) == 99, "looked at anew, as from a backup"
        await arrives(house, granted(billed_to="cafe"), edge="other")
        assert await balance(house) == 98
        newest, first = await house.run(credits.entries, "cafe", 10)
        assert (newest.amount, newest.balance, newest.about, newest.edge) == (-1, 98, "entry", "other")
        assert (first.balance, first.said) == (99, "")


async def test_a_grant_that_opened_nothing_costs_nothing_in_whichever_order_it_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house)
        await arrives(house, granted(billed_to="cafe"))
        assert await balance(house) == 99
        await arrives(house, HoldReleased(ENTRY, HoldId("h-1"), Released.HELD_ELSEWHERE), first=2)
        assert await balance(house) == 100
        newest, _ = await house.run(credits.entries, "cafe", 10)
        assert (newest.amount, newest.about, newest.edge) == (1, "entry", "gatehouse")
        await arrives(house, HoldReleased(ENTRY, HoldId("h-3"), Released.PORTAL_UNREACHABLE), first=4)
        await arrives(house, granted("h-3", billed_to="cafe"), first=3)
        assert await balance(house) == 100
        await arrives(house, granted("h-5", billed_to="cafe"), first=5)
        await arrives(house, HoldReleased(ENTRY, HoldId("h-5"), Released.BACK_OUT), first=6)
        assert await balance(house) == 99, "it opened, and the driver thought better of it"
        await house.write(lambda: house.portal.database.sql.execute("UPDATE feed SET through = 0"))
        assert await balance(house) == 99, "looked at anew, as from a backup"


async def test_the_time_of_the_scan_says_who_pays_and_what_the_gate_said_is_kept(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house)
        await house.write(house.organisations.put, Organisation("clean", "Clean", partner=True))
        span = Delegated("clean", BEGIN, BEGIN + timedelta(hours=1))
        await house.portal.change([DevicePut(replace(GATE, delegations=(span,)))])
        await arrives(house, granted(billed_to="clean"), at=BEGIN + timedelta(minutes=30))
        await arrives(house, granted(billed_to="clean"), at=BEGIN + timedelta(hours=2), first=2)
        assert (await balance(house, "clean"), await balance(house)) == (99, 99)
        (late,) = await house.run(credits.entries, "cafe", 10)
        assert (late.said, late.at) == ("clean", BEGIN + timedelta(hours=2))


async def test_a_gate_of_nobody_in_particular_costs_nobody_and_an_unknown_payer_is_kept(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await arrives(house, granted(), granted("h-2", billed_to="gone"))
        assert await balance(house, "acme") == 100
        assert await balance(house, "gone") == 99


async def test_each_time_that_it_gets_worse_one_mail_goes_out(tmp_path: Path) -> None:
    async with a_house(tmp_path, Clock()) as house:
        credits = await a_customer(house)
        await house.add_account("test", "ada", "cafe", [Role.ADMINISTRATOR], email="ada@cafe.example")
        await house.write(credits.book, "olga", "cafe", -79, "to the brink", 1)
        assert not await house.run(house.mailbox.letters)
        for row in range(1, 25):
            await arrives(house, granted(f"h-{row}", billed_to="cafe"), first=row)
            await Feed(house).catch_up()
        told = [(one.recipient, one.subject) for one in await house.run(house.mailbox.letters)]
        both = ("ada@cafe.example", "office@cafe.example")
        assert told == [
            *((one, "No credits are left") for one in both),
            *((one, "Few credits are left") for one in both),
        ]
        assert await balance(house) == -3
        await house.write(credits.book, "olga", "cafe", 13, "a little", 2)
        found = await house.run(credits.balance, "cafe")
        assert (found.level, found.warned) == (Level.LOW, Level.LOW)
        await house.write(credits.book, "olga", "cafe", 90, "much", 3)
        await house.write(credits.warn_at, "olga", "cafe", 100, 4)
        assert len(await house.run(house.mailbox.letters)) == 6, "it crosses anew"


async def test_who_has_no_address_is_told_by_way_of_the_operator(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house, None)
        await house.write(credits.book, "olga", "cafe", -100, "all", 1)
        assert not await house.run(house.mailbox.letters), "nobody has an address"
        await house.write(house.organisations.put, Organisation("acme", "Acme", "op@acme.example", operator=True))
        await house.write(credits.book, "olga", "cafe", 100, "back", 2)
        await house.write(credits.book, "olga", "cafe", -100, "all", 3)
        (letter,) = await house.run(house.mailbox.letters)
        assert letter.recipient == "op@acme.example"
        assert "Café Ünal has 0 credits" in letter.body
        assert "/credits/cafe" in letter.body


async def test_what_is_booked_is_checked_and_two_who_book_at_once_do_not_both(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house)
        for amount, words, field in ((0, "x", "amount"), (1_000_001, "x", "amount"), (1, " ", "words")):
            with pytest.raises(WrongField) as wrong:
                await house.write(credits.book, "olga", "cafe", amount, words, 1)
            assert wrong.value.field == field
        with pytest.raises(WrongField, match="low_at"):
            await house.write(credits.warn_at, "olga", "cafe", -1, 1)
        await house.write(credits.book, "olga", "cafe", 5, "first", 1)
        with pytest.raises(Overtaken):
            await house.write(credits.book, "otto", "cafe", 5, "second", 1)
        with pytest.raises(Overtaken):
            await house.write(credits.warn_at, "otto", "cafe", 5, 1)
        assert await balance(house) == 105
        deeds = [(one.actor, one.deed, one.detail) for one in await house.run(house.audit.deeds, "cafe")]
        assert deeds == [("olga", "credits.booked", "5: first")]


async def test_the_balance_is_always_the_sum_of_its_entries(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        credits = await a_customer(house)
        await arrives(house, *(granted(f"h-{row}", billed_to="cafe") for row in range(7)))
        await Feed(house).catch_up()
        await house.write(credits.book, "olga", "cafe", -50, "corrected", 1)
        entries = await house.run(credits.entries, "cafe", 100)
        assert BEGINS_WITH + sum(one.amount for one in entries) == await balance(house) == 43
