"""Users as a fleet manager enters them, and the activation of their apps."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import User, UserStatus
from gate_controller.credentials import CredentialState
from gate_controller.errors import BadInput, ListRejected, PlateError
from hardware_sim.portal.company import company
from hardware_sim.portal.company.company import Entry, contacts_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.app_rig import make_ready, says
from tests.hardware_sim.portal.house_rig import Clock, a_house

ANNA = Entry("A-17", email="Anna@Example.com", plates=("98 thd 4",))


async def code_of(house: House) -> str:
    (letter, *_) = await house.run(house.mailbox.letters, "anna@example.com")
    (code,) = re.findall(r"/activate/(\S+)", letter.body)
    return str(code)


async def test_a_user_counts_at_once_mail_or_no_mail(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = await company.add(house, "frida", ANNA)
        assert house.portal.allowlist.user(anna.id) == anna
        assert [one.text for one in anna.plates] == ["98THD4"]
        assert len(house.portal.allowlist.permits_of(anna)) == 1
        assert anna.app is None
        assert await house.run(house.mailbox.letters) == []
        assert company.odd_plates(anna) == []


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (Entry("", plates=("98THD4",)), WrongField),
        (Entry("A-18"), WrongField),
        (Entry("A-17", plates=("98THD4",)), ListRejected),
        (Entry("A-18", plates=("§§",)), PlateError),
        (Entry("A-18", plates=("98THD4",)), ListRejected),
        (Entry("A-18", plates=("M-AX 1",), email="anna@example.com"), WrongField),
        (Entry("A-18", plates=("M-AX 1",), email="nonsense"), WrongField),
        (Entry("A-18", plates=tuple(f"M-AX {n}" for n in range(1, 22))), WrongField),
    ],
)
async def test_what_is_wrong_is_refused_whole(tmp_path: Path, entry: Entry, error: type[Exception]) -> None:
    async with a_house(tmp_path) as house:
        anna = await company.add(house, "frida", ANNA)
        with pytest.raises(error):
            await company.add(house, "frida", entry)
        assert [*house.portal.allowlist.users()] == [anna]
        assert len(await house.run(house.audit.deeds)) == 1


async def test_the_second_of_two_managers_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = await company.add(house, "frida", ANNA)
        seen = company.mark_of(anna, "anna@example.com")
        await company.edit(house, "frida", anna.id, seen, replace(ANNA, name="Anna"))
        with pytest.raises(Overtaken):
            await company.edit(house, "fred", anna.id, seen, replace(ANNA, name="A."))
        assert company.by_id(house, anna.id).name == "Anna"


async def test_switched_off_on_and_deleted(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = await company.add(house, "frida", ANNA)
        await company.switch(house, "frida", anna.id, on=False)
        assert company.by_id(house, anna.id).status is UserStatus.INACTIVE
        await company.switch(house, "frida", anna.id, on=True)
        await company.remove(house, "frida", anna.id)
        assert await house.run(contacts_of(house).email, anna.id) == ""
        for again in (company.remove(house, "frida", anna.id), company.switch(house, "frida", anna.id, on=True)):
            with pytest.raises(BadInput, match="was deleted"):
                await again


async def test_an_activation_counts_once_for_a_week_and_the_newest_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await make_ready(house)
        anna = await company.add(house, "frida", ANNA)
        await says(house)
        await company.send_activation(house, "tom", anna.id)
        await says(house)
        older = await code_of(house)
        assert company.by_id(house, anna.id).app is CredentialState.PENDING
        await company.send_activation(house, "tom", anna.id)
        code = await code_of(house)
        assert await company.activating(house, older) is None
        clock.pass_(days=6)
        await company.activate(house, code.lower())
        await says(house)
        assert company.by_id(house, anna.id).app is CredentialState.ACTIVE
        with pytest.raises(BadInput, match="was used"):
            await company.activate(house, code)
        await company.send_activation(house, "tom", anna.id)
        assert company.by_id(house, anna.id).app is CredentialState.ACTIVE, (
            "a second phone does not lock the first out"
        )
        clock.pass_(days=7)
        assert await company.activating(house, await code_of(house)) is None


async def test_an_activation_waits_until_all_is_ready(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = await company.add(house, "frida", ANNA)
        with pytest.raises(BadInput, match=r"Nothing was sent.*E-mail address of north"):
            await company.send_activation(house, "tom", anna.id)
        assert company.by_id(house, anna.id).app is None
        assert await house.run(house.mailbox.letters) == []


async def test_without_an_address_nothing_is_sent(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = await company.add(house, "frida", replace(ANNA, email=""))
        with pytest.raises(BadInput, match="no e-mail address"):
            await company.send_activation(house, "tom", anna.id)
        assert company.by_id(house, anna.id).app is None


async def test_private_and_business_are_two_contracts_and_the_payer_is_fixed(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        entry = replace(ANNA, private=True, linked_account_no="F-20391")
        anna = await company.add(house, "frida", entry)
        work, home = anna.contracts
        assert (work.payer, home.payer, home.payable, home.linked_account_no) == ("", anna.id, False, "F-20391")
        assert anna.default_contract == home.id

        async def edited(user: User, entry: Entry) -> User:
            return await company.edit(house, "frida", user.id, company.mark_of(user, "anna@example.com"), entry)

        anna = await edited(anna, replace(entry, payable=True))
        assert anna.contracts[1].payable
        anna = await edited(anna, replace(ANNA, payable=True))
        assert anna.default_contract == work.id
