"""An app as staff ask for it: not before all is ready, one user at a time, whole or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.credentials import CredentialState
from gate_controller.errors import BadInput
from hardware_sim.portal.company import activation, app_setup, company
from hardware_sim.portal.company.activation import Stage, ask_for, look, mail_guide, send_code, withdraw
from hardware_sim.portal.company.company import contacts_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from hardware_sim.portal.records.organisations import SiteRecord
from tests.hardware_sim.portal.app_rig import MAIL, PHONE, a_user, asked_for, make_ready, newest_code, says
from tests.hardware_sim.portal.house_rig import Clock, a_house

PASSWORD = "four quiet grey geese"


async def deeds(house: House, about: str = "M-1") -> list[tuple[str, str]]:
    return [(one.deed, one.detail) for one in await house.run(house.audit.deeds, about)]


async def test_before_all_is_ready_nothing_is_activated(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        user = await house.portal.add_user("M-1", ["GR-418-N"])
        mark = (await look(house, user.id)).mark
        with pytest.raises(BadInput, match="E-mail address of north: there is none"):
            await ask_for(house, "cleo", user.id, mark, MAIL, PHONE, ["north"])
        assert await deeds(house) == [("app.refused", "not ready")]
        assert house.portal.allowlist.user(user.id) == user
        assert await house.run(house.mailbox.letters) == []


async def test_it_is_requested_until_the_gates_know_and_pending_until_the_driver_is_done(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        mara, nils = await a_user(house), await a_user(house, "N-2", "98-THD-4")
        assert (await look(house, mara.id)).stage is Stage.NONE
        mark = (await look(house, mara.id)).mark
        await ask_for(house, "cleo", mara.id, mark, "Mara@Example.com", "0031 6 1234-5678", ["north"], "north")
        seen = await look(house, mara.id)
        assert (seen.stage, seen.told, seen.gates) == (Stage.REQUESTED, 0, 1)
        await says(house)
        seen = await look(house, mara.id)
        assert (seen.stage, seen.told, seen.user.app) == (Stage.PENDING, 1, CredentialState.PENDING)
        assert (seen.kept.email, seen.kept.phone) == (MAIL, PHONE)
        account = seen.kept.account
        assert account is not None
        assert (account.name, account.roles, account.user_id) == (MAIL, {Role.DRIVER}, mara.id)
        assert account.must_change
        assert [(one.kind, one.recipient) for one in await house.run(house.mailbox.letters)] == [
            ("mail", MAIL),
            ("sms", PHONE),
        ]
        assert await deeds(house) == [("app.requested", "site north")]
        assert (await look(house, nils.id)).user.app is None


async def test_whoever_comes_second_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        mark = (await look(house, user.id)).mark
        await house.portal.add_plate("M-1", "98-THD-4")
        await says(house)
        with pytest.raises(Overtaken):
            await ask_for(house, "fred", user.id, mark, MAIL, PHONE, ["north"])
        assert await house.run(contacts_of(house).phone, user.id) == ""
        mark = (await look(house, user.id)).mark
        await house.write(contacts_of(house).put_phone, user.id, "+31611111111")
        with pytest.raises(Overtaken):
            await ask_for(house, "fred", user.id, mark, MAIL, PHONE, ["north"])
        await asked_for(house, user)
        with pytest.raises(Overtaken, match="activated meanwhile"):
            await ask_for(house, "fred", user.id, (await look(house, user.id)).mark, MAIL, PHONE, ["north"])


@pytest.mark.parametrize(
    ("email", "phone", "sites", "field", "reason"),
    [
        ("", PHONE, ["north"], "email", ""),
        (MAIL, "", ["north"], "phone", ""),
        (MAIL, "12", ["north"], "phone", ""),
        (MAIL, PHONE, [], "sites", ""),
        (MAIL, PHONE, ["depot"], "sites", ""),
        ("nils@example.com", PHONE, ["north"], "email", "contact_not_unique: email"),
        (MAIL, "+31687654321", ["north"], "phone", "contact_not_unique: phone"),
        ("olga@example.com", PHONE, ["north"], "email", "contact_not_unique: email"),
        (MAIL, "+31699999999", ["north"], "phone", "contact_not_unique: phone"),
    ],
)
async def test_contacts_that_are_missing_or_somebody_elses_stop_it_whole(
    tmp_path: Path, email: str, phone: str, sites: list[str], field: str, reason: str
) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        await house.write(house.organisations.put_site, SiteRecord("depot", "Depot", None, "UTC", ""))
        mara, nils = await a_user(house), await a_user(house, "N-2", "98-THD-4")
        await house.write(contacts_of(house).put, nils.id, "nils@example.com")
        await house.write(contacts_of(house).put_phone, nils.id, "+31687654321")
        await house.add_account("test", "olga", "acme", [], email="olga@example.com", phone="+31699999999")
        before = (await look(house, mara.id)).mark
        with pytest.raises(WrongField) as error:
            await ask_for(house, "cleo", mara.id, before, email, phone, sites)
        assert error.value.field == field
        assert (await look(house, mara.id)).mark == before
        assert await house.run(house.mailbox.letters) == []
        assert await house.run(house.accounts.of_user, mara.id) is None
        assert await deeds(house) == ([("app.refused", reason)] if reason else [])


async def test_contacts_and_app_go_to_no_gate(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        await asked_for(house, user)
        listed = await house.run(lambda: [*house.portal._books._list.entries()])
        assert not [one for one in listed if b"mara" in one or b"+31" in one]
        assert b"pending" in b"".join(listed)


async def test_another_code_only_while_one_is_waited_for(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        with pytest.raises(BadInput, match="waits for a code"):
            await send_code(house, "cleo", user.id)
        first = await asked_for(house, user)
        await send_code(house, "cleo", user.id)
        assert await newest_code(house) != first
        assert await app_setup.enter(house, MAIL, first) is None
        entered = await app_setup.enter(house, MAIL, await newest_code(house))
        assert entered is not None
        await house.set_password(entered.account, PASSWORD)
        with pytest.raises(BadInput, match="has a password"):
            await send_code(house, "cleo", user.id)


async def test_the_way_is_mailed_where_there_is_an_address_and_never_the_code(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        assert not await mail_guide(house, "cleo", user.id)
        assert await house.run(house.mailbox.letters) == []
        code = await asked_for(house, user)
        assert await mail_guide(house, "cleo", user.id)
        for letter in await house.run(house.mailbox.letters, MAIL):
            assert code not in letter.body
            assert "n@example.com" in letter.body
            assert letter.qr == "http://portal.example.net/app"


async def test_withdrawn_at_once_and_asked_for_again(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        with pytest.raises(Overtaken):
            await withdraw(house, "frida", user.id)
        code = await asked_for(house, user)
        await withdraw(house, "frida", user.id)
        seen = await look(house, user.id)
        assert (seen.stage, seen.user.app) == (Stage.WITHDRAWING, CredentialState.REVOKED)
        assert [one.text for one in seen.user.plates] == ["GR418N"]
        assert await app_setup.enter(house, MAIL, code) is None
        await says(house)
        assert (await look(house, user.id)).stage is Stage.WITHDRAWN
        again = await asked_for(house, user, phone="+31611111111")
        assert await app_setup.enter(house, MAIL, again) is not None
        account = await house.run(house.accounts.of_user, user.id)
        assert account is not None
        assert account.phone == "+31611111111"


async def test_a_mailed_activation_opens_no_second_way(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        await house.write(contacts_of(house).put, user.id, MAIL)
        await company.send_activation(house, "tom", user.id)
        (letter,) = await house.run(house.mailbox.letters, MAIL)
        link = (letter.qr or "").rsplit("/", 1)[-1]
        assert await company.activating(house, link) is not None
        await withdraw(house, "tom", user.id)
        assert await company.activating(house, link) is None, "what was withdrawn comes back by an old mail"
        await says(house)
        await asked_for(house, user)
        with pytest.raises(BadInput, match="with a code already"):
            await company.send_activation(house, "tom", user.id)


async def test_staff_take_over_nobodys_account_by_a_telephone_of_their_own(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        account, _ = await house.add_account("test", "mara", "acme", [Role.SUBSCRIBER], email=MAIL, user_id=user.id)
        await house.set_password(account, PASSWORD)
        for email, phone in (("thief@example.com", PHONE), (MAIL, "+31611111111")):
            await house.write(lambda: house.accounts.put(replace(house.accounts.get(account.id), phone=PHONE)))
            with pytest.raises(WrongField):
                await ask_for(house, "cleo", user.id, (await look(house, user.id)).mark, email, phone, ["north"])
        await ask_for(house, "cleo", user.id, (await look(house, user.id)).mark, MAIL, PHONE, ["north"])
        (letter,) = await house.run(house.mailbox.letters)
        assert letter.kind == "mail", "no code is sent to who has a password"
        kept = (await look(house, user.id)).kept
        assert kept.account is not None
        assert (kept.code, kept.account.must_change, kept.account.name) == (None, False, "mara")
        assert kept.account.roles == {Role.SUBSCRIBER, Role.DRIVER}


async def test_staff_who_park_here_keep_their_account_to_themselves(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        await house.add_account("test", "frida", "acme", [Role.FLEET_MANAGER], user_id=user.id)
        with pytest.raises(BadInput, match="works at these pages"):
            await asked_for(house, user)


async def test_who_is_deleted_leaves_nothing_of_an_app(tmp_path: Path) -> None:
    async with a_house(tmp_path, Clock()) as house:
        await make_ready(house)
        user = await a_user(house)
        code = await asked_for(house, user)
        entered = await app_setup.enter(house, MAIL, code)
        assert entered is not None
        await company.remove(house, "frida", user.id)
        assert await house.run(house.accounts.called, MAIL) is None
        assert await house.who(entered.token) is None
        assert await house.run(activation.books_of(house).app, user.id) is None
        with pytest.raises(BadInput, match="was deleted"):
            await look(house, user.id)
