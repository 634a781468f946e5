"""The tables of apps, on a real database."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.codes import OneTimeCode
from hardware_sim.portal.company.app_books import AppAsked, AppBooks
from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.records.forgetting import forget
from sync.database import Database
from tests.hardware_sim.portal.house_rig import BEGIN

CODE = OneTimeCode("user app", "u1", "salt", "digest", BEGIN + timedelta(days=1))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "portal.db", PORTAL)
    yield opened
    await opened.close()


async def test_the_newest_app_is_kept(database: Database) -> None:
    books = AppBooks(database.sql)
    app = AppAsked("u1", 7, ("north", "east"), None, "cleo", BEGIN)
    assert await database.run(books.app, "u1") is None
    for one in (app, replace(app, rev=8, site="east")):
        await database.write(books.put_app, one)
        assert await database.run(books.app, "u1") == one


async def test_of_two_tries_at_once_the_second_must_look_again(database: Database) -> None:
    books = AppBooks(database.sql)
    await database.write(books.put_code, CODE)
    assert await database.run(books.code, "user app", "u1") == CODE
    wrong, right = replace(CODE, tries=1), replace(CODE, used_at=BEGIN)
    assert await database.write(books.note_try, CODE, wrong)
    assert not await database.write(books.note_try, CODE, right)
    assert await database.write(books.note_try, wrong, replace(wrong, used_at=BEGIN))
    assert not await database.write(books.note_try, wrong, replace(wrong, tries=2)), "it was used meanwhile"
    assert await database.run(books.code, "user app", "u1") == replace(wrong, used_at=BEGIN)
    await database.write(books.put_code, replace(CODE, digest="another"))
    assert not await database.write(books.note_try, CODE, wrong), "it was replaced meanwhile"
    await database.write(books.drop_code, "user app", "u1")
    assert await database.run(books.code, "user app", "u1") is None


async def test_consents_stay_on_record_when_they_end(database: Database) -> None:
    books, later = AppBooks(database.sql), BEGIN + timedelta(hours=1)
    for at in (BEGIN, later):
        await database.write(books.agree, "u1", "news", "1", at)
    assert [one.at for one in await database.run(books.consents, "u1")] == [BEGIN]
    await database.write(books.agree, "u1", "news", "2", later)
    assert await database.write(books.withdraw, "u1", "news", later)
    assert not await database.write(books.withdraw, "u1", "news", later)
    await database.write(books.agree, "u1", "news", "2", later)
    found = await database.run(books.consents, "u1")
    assert [(one.version, one.at, one.withdrawn_at) for one in found] == [
        ("1", BEGIN, later),
        ("2", later, later),
        ("2", later, None),
    ]
    assert await database.run(books.standing, "u1") == found[2:]


async def test_who_was_deleted_is_forgotten_and_nobody_else(database: Database) -> None:
    books = AppBooks(database.sql)
    for who in ("u1", "u2"):
        await database.write(books.put_app, AppAsked(who, 7, ("north",), None, "cleo", BEGIN))
        await database.write(books.put_code, replace(CODE, subject=who))
        await database.write(books.agree, who, "news", "1", BEGIN)
    await database.write(forget, database.sql, "u1")
    for who, kept in (("u1", False), ("u2", True)):
        assert (await database.run(books.app, who) is not None) is kept
        assert (await database.run(books.code, "user app", who) is not None) is kept
        assert bool(await database.run(books.consents, who)) is kept
