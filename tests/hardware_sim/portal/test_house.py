"""The ways into the house: codes, passwords, sessions and links, each together with what it ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import UserPut
from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.records import passwords
from hardware_sim.portal.records.accounts import TRIES_MAX, Role
from hardware_sim.portal.records.inputs import WrongField
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house

PASSWORD = "four quiet grey geese"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with a_house(tmp_path, clock) as opened:
        yield opened


async def test_first_login_with_a_code_then_a_password_of_ones_own(house: House, tmp_path: Path) -> None:
    account, code = await house.add_account("olga", "anna", "acme", [Role.FLEET_MANAGER], email="anna@example.com")
    assert account.must_change
    assert await house.log_in("anna", "wrong") is None
    entered = await house.log_in("anna@example.com", code.lower().replace("-", " "))
    assert entered is not None
    assert await house.log_in("anna", code) is None, "a code counts once"
    await house.set_password(entered.account, PASSWORD)
    assert await house.who(entered.token) is None, "the session of the code has ended"
    again = await house.log_in("anna", PASSWORD)
    assert again is not None
    assert not again.account.must_change
    known = await house.who(again.token)
    assert known is not None
    assert known[0].name == "anna"
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("portal.db*"))
    assert not [secret for secret in (code, PASSWORD, again.token) if secret.encode() in kept]
    deeds = [deed.deed for deed in await house.run(house.audit.deeds, "anna")]
    assert deeds == [
        "login", "console.password_changed", "login.refused", "login", "login.refused", "account.added"
    ]  # fmt: skip


async def test_an_account_that_cannot_be_made_leaves_nothing(house: House) -> None:
    for wrong in ({"sites": ["nowhere"]}, {"email": "x"}):
        with pytest.raises(BadInput):
            await house.add_account("olga", "anna", "acme", [], **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        await house.add_account("olga", "anna", "nobody's", [])
    assert await house.run(house.accounts.all) == []
    assert await house.run(house.audit.deeds) == []


async def test_a_single_site_is_chosen_by_itself(house: House) -> None:
    _, code = await house.add_account("olga", "cleo", "acme", [Role.CLERK], sites=["north"])
    entered = await house.log_in("cleo", code)
    assert entered is not None
    known = await house.who(entered.token)
    assert known is not None
    assert known[1].site == "north"


async def test_whoever_is_switched_off_is_out_at_once(house: House) -> None:
    account, code = await house.add_account("olga", "anna", "acme", [])
    entered = await house.log_in("anna", code)
    assert entered is not None
    await house.write(house.accounts.put, replace(await house.run(house.accounts.get, account.id), enabled=False))
    assert await house.who(entered.token) is None


async def test_a_reset_ends_sessions_and_the_old_password(house: House) -> None:
    _, code = await house.add_account("olga", "anna", "acme", [])
    entered = await house.log_in("anna", code)
    assert entered is not None
    await house.set_password(entered.account, PASSWORD)
    entered = await house.log_in("anna", PASSWORD)
    assert entered is not None
    fresh = await house.reset("olga", "anna")
    assert await house.who(entered.token) is None
    assert await house.log_in("anna", PASSWORD) is None
    assert await house.log_in("anna", fresh) is not None
    with pytest.raises(BadInput):
        await house.reset("olga", "nobody")


async def test_a_locked_account_is_not_told_from_a_wrong_password(house: House, clock: Clock) -> None:
    _, code = await house.add_account("olga", "anna", "acme", [])
    for _ in range(TRIES_MAX):
        assert await house.log_in("anna", "wrong") is None
    assert await house.log_in("anna", code) is None
    clock.pass_(minutes=16)
    assert await house.log_in("anna", code) is not None


async def test_every_refusal_costs_the_same_work(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: one slow hash of the same cost, whether or not there is anything to compare."""
    account, _ = await house.add_account("olga", "anna", "acme", [])
    await house.set_password(account, PASSWORD)
    await house.add_account("olga", "coded", "acme", [])
    off, _ = await house.add_account("olga", "off", "acme", [])
    await house.write(house.accounts.put, replace(off, enabled=False))
    done, hashed = [], passwords._hash
    monkeypatch.setattr(passwords, "_hash", lambda text, how: done.append(how[:3]) or hashed(text, how))
    for login in ("anna", "coded", "off", "nobody"):
        assert await house.log_in(login, "wrong") is None
    for _ in range(TRIES_MAX):
        await house.log_in("anna", "wrong")
    assert await house.log_in("anna", PASSWORD) is None, "locked"
    assert done == [bytes(passwords.COST)] * (5 + TRIES_MAX)


async def test_a_link_goes_to_the_accounts_own_address_and_nothing_tells_who_there_is(house: House) -> None:
    account, _ = await house.add_account("olga", "anna", "acme", [], email="anna@example.com")
    await house.add_account("olga", "bert", "acme", [])
    for login in ("anna", "bert", "nobody", "anna@example.com"):
        await house.send_link(login)
    letters = await house.run(house.mailbox.letters)
    assert [letter.recipient for letter in letters] == ["anna@example.com"] * 2
    (link,) = [line for line in letters[0].body.splitlines() if line.startswith("http")]
    assert link.startswith("http://portal.example.net/password/")
    assert await house.run(house.accounts.by_link, link.rpartition("/")[2], BEGIN) == account


async def test_a_weak_password_changes_nothing(house: House) -> None:
    account, code = await house.add_account("olga", "anna@example.com", "acme", [])
    with pytest.raises(WrongField):
        await house.set_password(account, "anna@example.com")
    assert await house.log_in("anna@example.com", code) is not None


async def test_rows_beside_a_change_of_the_list_stand_or_fall_with_it(house: House) -> None:
    anna = await house.portal.add_user("anna", ["98-THD-4"])

    def fails() -> None:
        house.audit.note(BEGIN, "olga", "user.changed", "anna")
        raise WrongField("plate", "is odd")

    revision = house.portal.allowlist.revision
    with pytest.raises(WrongField):
        await house.portal.change([UserPut(replace(anna, pool_size=2))], fails)
    assert (house.portal.allowlist.revision, house.portal.user("anna").pool_size) == (revision, 1)
    assert await house.run(house.audit.deeds) == []
    await house.portal.change(
        lambda now: [UserPut(replace(anna, pool_size=now.revision + 1))],
        lambda: house.audit.note(BEGIN, "olga", "user.changed", "anna"),
    )
    assert house.portal.user("anna").pool_size == revision + 1
    assert len(await house.run(house.audit.deeds)) == 1
