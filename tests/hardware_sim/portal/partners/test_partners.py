"""Partners at the portal: who may know and say what, from when a device is in whose charge, and who is told."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from gate_controller.allowlist import DevicePut
from gate_controller.delegation import Device, DeviceKind, DeviceState, Stage, billed_to
from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.partners.partners import Agreed, Partners, Word
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import Organisation
from tests.hardware_sim.portal.house_rig import Clock, a_house
from tests.hardware_sim.portal.partner_rig import a_partner, in_charge_of, linked


def payer(house: House, device: str, at: datetime) -> str:
    return billed_to(house.portal.allowlist.device(device), at)


async def mailed(house: House, to: str) -> list[str]:
    return [one.subject for one in await house.run(house.mailbox.letters, to)]


async def test_a_request_is_the_customers_to_know_until_it_is_accepted(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        asked = await partners.ask_for("sven", "clean", "cafe")
        assert await mailed(house, "cora@cafe.example") == ["A partner for your devices"]
        assert await mailed(house, "paul@clean.example") == []
        assert await mailed(house, "fritz@cafe.example") == []
        assert await partners.partnerships("clean") == []
        assert await partners.partnership("clean", asked.id) is None
        for word in Word:
            with pytest.raises(BadInput, match="no such link"):
                await partners.answer("paul", "clean", asked.id, word, "requested")
        await partners.answer("cora", "cafe", asked.id, Word.ACCEPT, "requested")
        assert [one.customer for one in await partners.partnerships("clean")] == ["cafe"]
        assert len(await mailed(house, "paul@clean.example")) == 1


async def test_what_the_customer_refuses_the_partner_never_learns_of(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        asked = await partners.ask_for("sven", "clean", "cafe")
        await partners.answer("cora", "cafe", asked.id, Word.REFUSE, "requested")
        again = await partners.ask_for("sven", "clean", "cafe")
        await partners.answer("cora", "cafe", again.id, Word.END, "requested")
        assert await partners.partnerships("clean") == []
        assert await mailed(house, "paul@clean.example") == []
        with pytest.raises(BadInput, match="not accepted"):
            await partners.delegate("cora", "cafe", again.id, ["entry"])


@pytest.mark.parametrize(
    ("partner", "customer", "problem"),
    [
        ("cafe", "acme", "partner: has no partner status"),
        ("clean", "clean", "customer: owns no devices"),
        ("fresh", "fresh", "customer: is the partner itself"),
        ("nobody", "cafe", "no organisation"),
        ("clean", "nobody", "no organisation"),
    ],
)
async def test_support_links_partners_with_customers(
    tmp_path: Path, partner: str, customer: str, problem: str
) -> None:
    async with a_partner(tmp_path) as (_, partners):
        with pytest.raises(BadInput, match=problem):
            await partners.ask_for("sven", partner, customer)


async def test_one_link_between_two_at_a_time(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (_, partners):
        link = await linked(partners)
        with pytest.raises(WrongField, match="linked to this partner already"):
            await partners.ask_for("sven", "clean", "cafe")
        await linked(partners, "fresh")
        await partners.answer("paul", "clean", link.id, Word.END, "accepted")
        assert await linked(partners) != link


async def test_the_owner_pays_until_the_partner_accepts_and_again_from_the_end_on(tmp_path: Path) -> None:
    clock = Clock()
    async with a_partner(tmp_path, clock) as (house, partners):
        link = await linked(partners)
        (asked,) = await partners.delegate("cora", "cafe", link.id, ["entry"])
        before = clock.at
        assert payer(house, "entry", before) == "cafe"
        clock.pass_(minutes=1)
        await partners.respond("paul", "clean", asked.id, Word.ACCEPT, "requested")
        since = clock.at
        clock.pass_(minutes=1)
        await partners.respond("cora", "cafe", asked.id, Word.END, "accepted")
        until = clock.at
        payers = [payer(house, "entry", at) for at in (before, since, until)]
        assert payers == ["cafe", "clean", "cafe"], "at any time, by moments alone"
        assert payer(house, "exit", since) == "cafe"


@pytest.mark.parametrize(("actor", "by"), [("paul", "clean"), ("cora", "cafe")])
async def test_either_side_ends_a_link_and_with_it_all_that_is_under_it(
    tmp_path: Path, actor: str, by: str
) -> None:
    clock = Clock()
    async with a_partner(tmp_path, clock) as (house, partners):
        link, other = await linked(partners), await linked(partners, "fresh")
        taken = await in_charge_of(partners, link)
        (asked,) = await partners.delegate("cora", "cafe", link.id, ["exit"])
        clock.pass_(minutes=1)
        await partners.answer(actor, by, link.id, Word.END, "accepted")
        stages = {one.id: one.stage for one in await partners.delegations("cafe")}
        assert stages == {taken.id: Stage.ENDED, asked.id: Stage.ENDED}
        assert payer(house, "entry", clock.at) == "cafe"
        with pytest.raises(BadInput, match="ended"):
            await partners.respond("paul", "clean", asked.id, Word.ACCEPT, "ended")
        again = await in_charge_of(partners, other)
        assert (again.device, payer(house, "entry", clock.at)) == ("entry", "fresh")


async def test_all_are_those_that_there_are_and_one_that_comes_later_is_not_among_them(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        old = Device("old", DeviceKind.GATE, DeviceState.RETIRED, owner="cafe")
        await house.portal.change([DevicePut(old)])
        link = await linked(partners)
        first = await partners.delegate("cora", "cafe", link.id, [], all_of_them=True)
        assert sorted(one.device for one in first) == ["entry", "exit"]
        await house.portal.change([DevicePut(Device("yard", DeviceKind.GATE, owner="cafe"))])
        for one in first:
            await partners.respond("paul", "clean", one.id, Word.ACCEPT, "requested")
        listed = house.portal.allowlist.device("yard")
        assert listed is not None
        assert listed.delegations == ()
        (later,) = await partners.delegate("cora", "cafe", link.id, [], all_of_them=True)
        assert later.device == "yard"
        with pytest.raises(WrongField, match="are missing"):
            await partners.delegate("cora", "cafe", link.id, [], all_of_them=True)


async def test_each_request_is_mailed_with_the_place_to_answer_it(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        link = await linked(partners, "fresh")
        (asked,) = await partners.delegate("cora", "cafe", link.id, ["entry"])
        letter = (await house.run(house.mailbox.letters, "office@fresh.example"))[0]
        assert "Café Ünal asks you to take charge" in letter.subject
        assert f"{house.url}/delegations/{asked.id}" in letter.body
        await partners.respond("fred", "fresh", asked.id, Word.REFUSE, "requested")
        assert (await mailed(house, "cora@cafe.example"))[0] == "Device entry: refused"
        assert payer(house, "entry", house.now()) == "cafe"


async def test_a_device_that_is_not_the_owners_or_is_taken_stops_the_whole_request(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (_, partners):
        link, other = await linked(partners), await linked(partners, "fresh")
        for wrong in (["entry", "strange"], ["exit", "' OR 1=1 --"], []):
            with pytest.raises(WrongField):
                await partners.delegate("cora", "cafe", link.id, wrong)
        with pytest.raises(BadInput, match="no such link"):
            await partners.delegate("ada", "acme", link.id, ["strange"])
        await partners.delegate("cora", "cafe", link.id, ["entry", "entry"])
        with pytest.raises(BadInput, match="delegated already, or asked about"):
            await partners.delegate("cora", "cafe", other.id, ["exit", "entry"])
        assert [one.device for one in await partners.delegations("cafe")] == ["entry"]


async def test_only_the_side_that_was_asked_accepts_and_strangers_find_nothing(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (_, partners):
        link = await linked(partners)
        (asked,) = await partners.delegate("cora", "cafe", link.id, ["entry"])
        with pytest.raises(BadInput, match="accepts or refuses it"):
            await partners.respond("cora", "cafe", asked.id, Word.ACCEPT, "requested")
        for by in ("fresh", "acme", ""):
            assert await partners.delegation(by, asked.id) is None
            with pytest.raises(BadInput, match="no such request"):
                await partners.respond("x", by, asked.id, Word.ACCEPT, "requested")
            with pytest.raises(BadInput, match="no such link"):
                await partners.answer("x", by, link.id, Word.END, "accepted")


async def test_the_second_of_two_is_told_and_undoes_nothing(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        link = await linked(partners)
        (asked,) = await partners.delegate("cora", "cafe", link.id, ["entry"])
        said = await asyncio.gather(
            partners.respond("paul", "clean", asked.id, Word.ACCEPT, "requested"),
            partners.respond("pia", "clean", asked.id, Word.REFUSE, "requested"),
            partners.answer("cora", "cafe", link.id, Word.END, "accepted"),
            return_exceptions=True,
        )
        failed = [one for one in said if isinstance(one, BaseException)]
        assert [type(one) for one in failed] == [Overtaken, Overtaken], said
        with pytest.raises(Overtaken, match="meanwhile"):
            await partners.respond("pia", "clean", asked.id, Word.ACCEPT, "requested")
        (now,) = await partners.delegations("clean")
        entry = house.portal.allowlist.device("entry")
        assert entry is not None
        assert bool(entry.delegations) == (now.stage is Stage.ACCEPTED), "books and list say the same"


async def test_a_clock_that_was_set_back_leaves_no_two_in_charge(tmp_path: Path) -> None:
    clock = Clock()
    async with a_partner(tmp_path, clock) as (house, partners):
        link, other = await linked(partners), await linked(partners, "fresh")
        taken = await in_charge_of(partners, link)
        clock.pass_(minutes=10)
        ended = await partners.respond("cora", "cafe", taken.id, Word.END, "accepted")
        clock.pass_(minutes=-5)
        await in_charge_of(partners, other)
        entry = house.portal.allowlist.device("entry")
        assert entry is not None
        assert [(one.partner, one.since) for one in entry.delegations][1] == ("fresh", ended.ended_at)


async def test_what_others_change_of_a_device_stays_and_books_outlive_a_restart(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        link = await linked(partners)
        await house.portal.change([DevicePut(Device("entry", DeviceKind.GATE, owner="cafe", site="south"))])
        taken = await in_charge_of(partners, link)
        entry = house.portal.allowlist.device("entry")
        assert entry is not None
        assert entry.site == "south"
    async with a_house(tmp_path) as house:
        again = Partners(house)
        assert await again.delegation("clean", taken.id) == taken
        assert await again.partnership("cafe", link.id) == link


async def test_every_word_is_written_down(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        link = await linked(partners)
        taken = await in_charge_of(partners, link)
        await partners.answer("cora", "cafe", link.id, Word.END, "accepted")
        deeds = [(one.actor, one.deed) for one in await house.run(house.audit.deeds, link.id)]
        assert deeds[::-1] == [
            ("sven", "partnership.requested"),
            ("cora", "partnership.accepted"),
            ("cora", "partnership.ended"),
        ]
        deeds = [(one.actor, one.deed) for one in await house.run(house.audit.deeds, taken.id)]
        assert deeds[::-1] == [("cora", "delegation.requested"), ("paul", "delegation.accepted")]


async def test_an_organisation_without_any_address_is_not_mailed_and_nothing_fails(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        await house.write(house.organisations.put, Organisation("mute", "Mute", partner=True, customer=False))
        link = await linked(partners, "mute")
        (asked,) = await partners.delegate("cora", "cafe", link.id, ["entry"])
        assert (await partners.delegation("mute", asked.id)) == asked


class Interrupted(Partners):
    """Something is asked between the look at the agreements and what is written about them."""

    async def _agreed(self, customer: str) -> Agreed:
        found = await super()._agreed(customer)
        (link,) = found.partnerships
        await Partners(self._house).delegate("carl", "cafe", link.id, ["exit"])
        return found


async def test_a_link_does_not_end_over_a_request_that_was_made_meanwhile(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        link = await linked(partners)
        with pytest.raises(Overtaken, match="meanwhile"):
            await Interrupted(house).answer("paul", "clean", link.id, Word.END, "accepted")
        assert await partners.partnership("cafe", link.id) == link
        await partners.answer("paul", "clean", link.id, Word.END, "accepted")
        assert [one.stage for one in await partners.delegations("cafe")] == [Stage.ENDED]


async def test_a_portal_that_was_stopped_while_it_withdrew_goes_on_with_it(tmp_path: Path) -> None:
    async with a_partner(tmp_path) as (house, partners):
        link = await linked(partners)
        charge = await in_charge_of(partners, link)
        await partners.settle()
        assert (await partners.delegation("cafe", charge.id)) == charge
        clean = await house.run(house.organisations.get, "clean")
        await house.write(house.organisations.put, replace(clean, partner=False))
        await partners.settle()
        ended = await partners.delegation("cafe", charge.id)
        assert ended is not None
        assert ended.stage is Stage.ENDED
        device = house.portal.allowlist.device("entry")
        assert device is not None
        assert billed_to(device, house.now()) == "cafe"
