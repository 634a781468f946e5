"""Sessions: a token that only the browser has, an end that comes by itself, and one that comes at once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hardware_sim.portal.house import House
from hardware_sim.portal.records.sessions import EACH_MAX, IDLE_MAX, LIVES, Sessions
from tests.hardware_sim.portal.house_rig import BEGIN, a_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as opened:
        yield opened


async def test_a_token_finds_its_session_and_stands_nowhere(house: House, tmp_path: Path) -> None:
    sessions: Sessions = house.sessions
    token = await house.write(sessions.begin, "account:1", BEGIN)
    found = await house.write(sessions.find, token, BEGIN)
    assert found is not None
    assert found.holder == "account:1"
    assert await house.write(sessions.find, token[:-1], BEGIN) is None
    assert token.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("portal.db*"))


async def test_it_ends_when_nobody_uses_it_and_in_the_end_anyway(house: House) -> None:
    sessions, at = house.sessions, BEGIN
    idle = await house.write(sessions.begin, "account:1", at)
    assert await house.write(sessions.find, idle, at + IDLE_MAX) is None
    assert await house.write(sessions.find, idle, at) is None, "ended is ended"
    busy = await house.write(sessions.begin, "account:1", at)
    while at + IDLE_MAX < BEGIN + LIVES:
        at += IDLE_MAX - timedelta(seconds=1)
        assert await house.write(sessions.find, busy, at) is not None
    assert await house.write(sessions.find, busy, BEGIN + LIVES) is None


async def test_all_of_one_holder_end_at_once_and_nobody_elses(house: House) -> None:
    annas = [await house.write(house.sessions.begin, "account:anna", BEGIN) for _ in range(2)]
    berts = await house.write(house.sessions.begin, "account:bert", BEGIN)
    await house.write(house.sessions.end_all, "account:anna")
    assert [await house.write(house.sessions.find, token, BEGIN) for token in annas] == [None, None]
    assert await house.write(house.sessions.find, berts, BEGIN) is not None


async def test_one_holder_has_a_few_at_most(house: House) -> None:
    tokens = [
        await house.write(house.sessions.begin, "account:1", BEGIN + timedelta(seconds=n))
        for n in range(EACH_MAX + 2)
    ]
    later = BEGIN + timedelta(minutes=1)
    alive = [await house.write(house.sessions.find, token, later) is not None for token in tokens]
    assert alive == [False] * 2 + [True] * EACH_MAX


async def test_site_and_notice_are_the_sessions_own(house: House) -> None:
    token = await house.write(house.sessions.begin, "account:1", BEGIN)
    session = await house.write(house.sessions.find, token, BEGIN)
    assert session is not None
    await house.write(house.sessions.choose_site, session.digest, "north")
    await house.write(house.sessions.notice, session.digest, "done")
    now = await house.write(house.sessions.find, token, BEGIN)
    assert now is not None
    assert (now.site, now.notice) == ("north", "done")
