"""An app as its driver sets it up: a code once, consents, a site last; late, twice and after it was withdrawn."""

import asyncio
from pathlib import Path

import pytest

from gate_controller.codes import ONE_TIME_LIVES, TRIES_MAX
from gate_controller.credentials import CredentialState
from gate_controller.errors import BadInput
from hardware_sim.portal.codes.passes import phone_pass
from hardware_sim.portal.company.activation import Stage, look, withdraw
from hardware_sim.portal.company.app_setup import (
    CONSENT_VERSION,
    NEWS,
    PRIVACY,
    agree,
    choose_site,
    disagree,
    enter,
)
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Account
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.app_rig import MAIL, a_user, asked_for, make_ready
from tests.hardware_sim.portal.house_rig import Clock, a_house

PASSWORD = "four quiet grey geese"


async def inside(house: House, code: str) -> Account:
    """The driver's account, once the code was used and a password set."""
    entered = await enter(house, MAIL, code)
    assert entered is not None
    await house.set_password(entered.account, PASSWORD)
    return await house.run(house.accounts.get, entered.account.id)


async def test_a_code_counts_once_and_then_a_password_must_be_set(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        code = await asked_for(house, await a_user(house))
        assert await house.log_in(MAIL, code) is None, "it is no password"
        entered = await enter(house, MAIL.upper(), code.lower())
        assert entered is not None
        assert entered.account.must_change
        assert await house.who(entered.token) is not None
        assert await enter(house, MAIL, code) is None
        await house.set_password(entered.account, PASSWORD)
        assert await house.log_in(MAIL, PASSWORD) is not None


@pytest.mark.parametrize(("late", "counts"), [(-1, True), (0, False), (1, False)])
async def test_a_code_that_arrives_late(tmp_path: Path, late: int, counts: bool) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await make_ready(house)
        code = await asked_for(house, await a_user(house))
        clock.pass_(seconds=ONE_TIME_LIVES.total_seconds() + late)
        assert (await enter(house, MAIL, code) is not None) is counts


async def test_few_tries_and_none_is_free_that_runs_beside_another(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        code = await asked_for(house, user)
        guesses = [f"AAAA-AAA{last}" for last in "BCDEFG"]
        assert len(guesses) > TRIES_MAX
        assert await asyncio.gather(*(enter(house, MAIL, guess) for guess in guesses)) == [None] * len(guesses)
        kept = (await look(house, user.id)).kept.code
        assert kept is not None
        assert kept.tries == TRIES_MAX
        assert await enter(house, MAIL, code) is None


async def test_used_by_two_at_once_it_lets_one_in(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        code = await asked_for(house, await a_user(house))
        both = await asyncio.gather(enter(house, MAIL, code), enter(house, MAIL, code))
        assert [one is None for one in both].count(True) == 1


@pytest.mark.parametrize("said", ["", "x" * 10_000, "\ud800", "' OR 1=1 --", "\0"])
async def test_nonsense_and_strangers_are_refused(tmp_path: Path, said: str) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        await asked_for(house, await a_user(house))
        await house.add_account("test", "olga", "acme", [])
        # No form brings a lone surrogate as a name: it must be UTF-8.
        for login in (MAIL, "olga", "nobody@example.com", said.encode(errors="replace").decode()):
            assert await enter(house, login, said) is None


async def test_the_site_comes_last_and_then_passes_count(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        account = await inside(house, await asked_for(house, user))
        with pytest.raises(Overtaken, match="privacy"):
            await choose_site(house, account, "north")
        for wrong in ([], [NEWS]):
            with pytest.raises(WrongField) as error:
                await agree(house, account, wrong)
            assert error.value.field == PRIVACY
        await agree(house, account, [PRIVACY])
        with pytest.raises(WrongField):
            await choose_site(house, account, "elsewhere")
        assert (await look(house, user.id)).user.app is CredentialState.PENDING
        await choose_site(house, account, "north")
        await choose_site(house, account, "north")
        seen = await look(house, user.id)
        assert (seen.stage, seen.user.home_site, seen.told) == (Stage.ACTIVATING, "north", 0)
        assert phone_pass(house.portal.keys, seen.user, house.now())
        assert [(one.purpose, one.version, one.at) for one in seen.kept.consents] == [
            (PRIVACY, CONSENT_VERSION, house.now())
        ]
        activated = [one.deed for one in await house.run(house.audit.deeds, "M-1")].count("app.activated")
        assert activated == 1, "the same site again is nothing new"


async def test_a_mailed_link_alone_shows_no_telephone(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        code = await asked_for(house, user)
        account = await house.run(house.accounts.called, MAIL)
        assert account is not None
        await house.set_password(account, PASSWORD)
        await agree(house, account, [PRIVACY])
        with pytest.raises(BadInput, match="code from the SMS"):
            await choose_site(house, account, "north")
        await choose_site(house, await inside(house, code), "north")


async def test_withdrawn_while_the_driver_was_at_it(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        entered = await enter(house, MAIL, await asked_for(house, user))
        assert entered is not None
        await withdraw(house, "frida", user.id)
        assert await house.who(entered.token) is None
        for late in (
            agree(house, entered.account, [PRIVACY]),
            choose_site(house, entered.account, "north"),
            disagree(house, entered.account, PRIVACY),
        ):
            with pytest.raises(Overtaken):
                await late
        assert (await look(house, user.id)).user.app is CredentialState.REVOKED


async def test_without_news_all_goes_on_and_without_the_privacy_notice_the_app_ends(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await make_ready(house)
        user = await a_user(house)
        account = await inside(house, await asked_for(house, user))
        await agree(house, account, [PRIVACY, NEWS])
        await choose_site(house, account, "north")
        await disagree(house, account, NEWS)
        with pytest.raises(Overtaken):
            await disagree(house, account, NEWS)
        with pytest.raises(BadInput):
            await disagree(house, account, "life")
        assert (await look(house, user.id)).user.app is CredentialState.ACTIVE
        await disagree(house, account, PRIVACY)
        seen = await look(house, user.id)
        assert seen.user.app is CredentialState.REVOKED
        assert [(one.purpose, one.stands) for one in seen.kept.consents] == [(PRIVACY, False), (NEWS, False)]
        with pytest.raises(BadInput, match="not active"):
            phone_pass(house.portal.keys, seen.user, house.now())
