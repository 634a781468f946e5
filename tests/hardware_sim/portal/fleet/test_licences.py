"""Licences that end: a mail in time, once for each end, and to nobody else."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gate_controller.allowlist import User, UserPut, UserStatus
from gate_controller.desk import Licence, LicenceStatus
from gate_controller.errors import StoreError
from hardware_sim.portal.fleet import licences
from hardware_sim.portal.fleet.licences import AHEAD, Told, ending, tell_all
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house
from tests.hardware_sim.portal.pool_rig import a_pool, subscriber

DAY = timedelta(days=1)


def until(end: datetime | None, status: LicenceStatus = LicenceStatus.VALIDATED) -> User:
    return replace(subscriber("sofie"), licence=Licence(status, BEGIN, end))


async def mails(house: House) -> int:
    return len(await house.run(house.mailbox.letters, "sofie@example.com"))


async def a_sofie(house: House) -> None:
    await a_pool(house, "sofie")
    await house.add_account(
        "test", "sofie", "acme", [Role.SUBSCRIBER], email="sofie@example.com", user_id="u-sofie"
    )


async def test_a_mail_comes_before_the_end_once_and_again_for_the_next_one(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await a_sofie(house)
        await house.portal.change([UserPut(until(BEGIN + 60 * DAY))])
        await tell_all(house)
        assert await mails(house) == 0
        clock.pass_(days=30)
        for _ in range(2):
            await tell_all(house)
        (letter,) = await house.run(house.mailbox.letters, "sofie@example.com")
        assert "2026-05-01" in letter.body
        await house.portal.change([UserPut(until(clock.at + 20 * DAY))])
        await tell_all(house)
        assert await mails(house) == 2


@pytest.mark.parametrize(
    "user",
    [
        until(BEGIN),
        until(BEGIN + AHEAD + timedelta(seconds=1)),
        until(None),
        until(BEGIN + DAY, LicenceStatus.REJECTED),
        replace(until(BEGIN + DAY), licence=None),
        replace(until(BEGIN + DAY), status=UserStatus.INACTIVE),
    ],
)
def test_it_is_only_about_those_that_count_and_end_soon(user: User) -> None:
    assert ending([user], BEGIN) == []


def test_the_next_to_end_comes_first() -> None:
    late, soon = until(BEGIN + 9 * DAY), replace(until(BEGIN + DAY), id="u-other")
    assert ending([late, soon], BEGIN) == [(BEGIN + DAY, soon), (BEGIN + 9 * DAY, late)]


async def test_each_end_is_news_once(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        told = Told(house.portal.database.sql)
        for end, news in ((BEGIN, True), (BEGIN, False), (BEGIN + DAY, True)):
            assert await house.write(told.news, "u-sofie", end) is news


async def test_a_failure_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [StoreError("full"), StoreError("full")]
    tell, done = licences.tell, asyncio.Event()

    def sometimes(house: House, user: User) -> None:
        if failures:
            raise failures.pop()
        tell(house, user)

    async with a_house(tmp_path) as house:
        await a_sofie(house)
        await house.portal.change([UserPut(until(BEGIN + DAY))])
        monkeypatch.setattr(licences, "tell", sometimes)
        monkeypatch.setattr(licences, "SWEEP_EVERY_S", 0.0)
        task = asyncio.ensure_future(licences.sweep(house))
        async with asyncio.timeout(30):
            while not done.is_set():
                await asyncio.sleep(0.01)
                if await mails(house):
                    done.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
