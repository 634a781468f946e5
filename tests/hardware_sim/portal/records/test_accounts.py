"""Accounts: one person each, codes that count once, few tries, links that end."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import (
    CODE_LIVES,
    LINK_LIVES,
    LOCKED_FOR,
    TRIES_MAX,
    Account,
    Role,
    new_account,
)
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.house_rig import BEGIN, a_house

ANNA = Account(
    "a1", "anna", "acme", frozenset({Role.DRIVER}), "anna@example.com", "+491701234567", "u-1", ("north",)
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        yield opened


async def test_an_account_is_kept_whole_and_found_by_name_and_address(house: House) -> None:
    await house.write(house.accounts.put, ANNA)
    assert await house.run(house.accounts.get, "a1") == ANNA
    for login in ("anna", " ANNA ", "Anna@Example.com"):
        assert await house.run(house.accounts.called, login) == ANNA
    assert await house.run(house.accounts.of_user, "u-1") == ANNA
    assert await house.run(house.accounts.called, "an") is None


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("name", {"name": "ANNA"}),
        ("email", {"email": "Anna@Example.com"}),
        ("phone", {"phone": "0049 170 1234567"}),
        ("user_id", {"user_id": "u-1"}),
        ("name", {"name": "anna@example.com", "email": "anna@example.com"}),
        ("name", {"name": "else@example.com"}),
        ("name", {"name": "an na"}),
        ("name", {"name": ""}),
    ],
)
async def test_nobody_is_taken_for_another(house: House, field: str, wanted: dict[str, str]) -> None:
    await house.write(house.accounts.put, ANNA)
    bert = Account("a2", "bert", "acme", frozenset())
    with pytest.raises(WrongField) as found:
        await house.write(house.accounts.put, replace(bert, **wanted))  # type: ignore[arg-type]
    assert found.value.field in (field, "email")
    assert [one.name for one in await house.run(house.accounts.all)] == ["anna"]


async def test_the_second_of_two_managers_is_told(house: House) -> None:
    first = await house.write(house.accounts.put, ANNA)
    second = await house.write(house.accounts.put, replace(first, roles=frozenset({Role.CLERK, Role.DRIVER})))
    with pytest.raises(Overtaken):
        await house.write(house.accounts.put, replace(first, enabled=False))
    assert await house.run(house.accounts.get, "a1") == second


async def test_a_code_counts_once_and_not_for_ever(house: House) -> None:
    accounts = house.accounts
    await house.write(accounts.put, ANNA)
    await house.write(accounts.set_code, "a1", b"kept", BEGIN)
    late = await house.write(accounts.begin_try, "anna", BEGIN + CODE_LIVES)
    assert (late.account, late.stored, late.is_code) == (None, None, True)
    first, second = [await house.write(accounts.begin_try, "anna", BEGIN) for _ in range(2)]
    assert first.stored == b"kept"
    assert await house.write(accounts.succeeded, first) is not None
    assert await house.write(accounts.succeeded, second) is None, "used up by the first"
    assert (await house.write(accounts.begin_try, "anna", BEGIN)).stored is None


async def test_a_password_counts_until_it_is_replaced(house: House) -> None:
    accounts = house.accounts
    await house.write(accounts.put, ANNA)
    await house.write(accounts.set_password, "a1", b"kept")
    for _ in range(2):
        attempt = await house.write(accounts.begin_try, "anna", BEGIN)
        account = await house.write(accounts.succeeded, attempt)
        assert account is not None
        assert not account.must_change
    await house.write(accounts.set_code, "a1", b"code", BEGIN)
    assert await house.write(accounts.succeeded, attempt) is None
    assert (await house.run(accounts.get, "a1")).must_change


async def test_after_some_wrong_tries_even_the_right_one_waits(house: House) -> None:
    accounts = house.accounts
    await house.write(accounts.put, ANNA)
    await house.write(accounts.set_password, "a1", b"kept")
    for _ in range(TRIES_MAX):
        assert (await house.write(accounts.begin_try, "anna", BEGIN)).stored == b"kept"
    assert (await house.write(accounts.begin_try, "anna", BEGIN + LOCKED_FOR / 2)).stored is None
    after = await house.write(accounts.begin_try, "anna", BEGIN + LOCKED_FOR)
    assert after.stored == b"kept"
    assert await house.write(accounts.succeeded, after) is not None


async def test_who_is_switched_off_has_nothing_that_could_be_right(house: House) -> None:
    await house.write(house.accounts.put, replace(ANNA, enabled=False))
    await house.write(house.accounts.set_password, "a1", b"kept")
    assert (await house.write(house.accounts.begin_try, "anna", BEGIN)).stored is None
    nobody = await house.write(house.accounts.begin_try, "nobody", BEGIN)
    assert (nobody.account, nobody.stored) == (None, None)


async def test_a_link_counts_for_an_hour_and_a_newer_one_replaces_it(house: House) -> None:
    accounts = house.accounts
    await house.write(accounts.put, ANNA)
    first = await house.write(accounts.new_link, "a1", BEGIN)
    second = await house.write(accounts.new_link, "a1", BEGIN)
    assert await house.run(accounts.by_link, first, BEGIN) is None
    assert await house.run(accounts.by_link, second, BEGIN + LINK_LIVES - timedelta(seconds=1)) == ANNA
    assert await house.run(accounts.by_link, second, BEGIN + LINK_LIVES) is None
    await house.write(accounts.set_password, "a1", b"kept")
    assert await house.run(accounts.by_link, second, BEGIN) is None


async def test_removed_is_removed_with_its_links(house: House) -> None:
    await house.write(house.accounts.put, ANNA)
    link = await house.write(house.accounts.new_link, "a1", BEGIN)
    await house.write(house.accounts.remove, "a1")
    assert await house.run(house.accounts.all) == []
    assert await house.run(house.accounts.by_link, link, BEGIN) is None


def test_who_logs_in_with_an_address_is_named_by_it() -> None:
    assert new_account("a1", "anna@example.com", "acme", [Role.DRIVER]).email == "anna@example.com"
    assert new_account("a1", "anna", "acme", [Role.DRIVER]).email is None


async def test_who_acts_for_an_organisation(house: House) -> None:
    people = {"ada": [Role.CLERK, Role.ADMINISTRATOR], "bo": [Role.ADMINISTRATOR], "cy": [Role.CLERK]}
    for name, roles in people.items():
        account, _ = await house.add_account("test", name, "acme", roles)
        await house.write(house.accounts.put, replace(account, enabled=name != "bo"))
    found = await house.run(house.accounts.acting_for, "acme", Role.ADMINISTRATOR)
    assert [one.name for one in found] == ["ada"]
    assert await house.run(house.accounts.acting_for, "cafe", Role.ADMINISTRATOR) == []
