"""Whoever is deleted is forgotten, by whatever way; and no table about users is forgotten here."""

from dataclasses import replace
from pathlib import Path

import pytest

from gate_controller.allowlist import UserRemoved
from hardware_sim.portal.fleet import registering
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role
from hardware_sim.portal.records.forgetting import TABLES
from tests.hardware_sim.portal.fleet.test_registering import FORM, JPEG, opened, token_for
from tests.hardware_sim.portal.house_rig import a_house

OTHERWISE = {
    "account": "goes by itself, unless its owner is staff as well",
    "list_removed": "ids that are never given again, and nothing else",
    "pool_vehicle": "goes with its vehicle",
    "shown_code": "used codes, for as long as their openings may be heard of",
}
"""Tables with users that are no table of what is known about one."""


async def test_every_table_that_names_users_is_known(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        db = house.portal.database.sql

        def named() -> set[str]:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {t for t in tables if any(row[1] == "user_id" for row in db.execute(f"PRAGMA table_info({t})"))}

        assert await house.run(named) - {*TABLES} <= {*OTHERWISE}, "say here what becomes of it"


async def left(house: House, user_id: str) -> list[str]:
    """Tables that still name the user."""

    def look() -> list[str]:
        db = house.portal.database.sql
        return [
            table
            for table, column in TABLES.items()
            if db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (user_id,)).fetchone()
        ]

    return await house.run(look)


@pytest.mark.parametrize("by_command", [False, True])
async def test_who_is_removed_is_forgotten_by_whatever_way(tmp_path: Path, by_command: bool) -> None:
    async with a_house(tmp_path) as house:
        await opened(house)
        user = await registering.pre_register(house, await token_for(house), replace(FORM, picture=JPEG))
        entered = await house.log_in("sam@example.com", FORM.password)
        assert entered is not None
        assert {"contact", "subscriber", "licence_picture"} <= {*await left(house, user.id)}
        if by_command:
            await house.portal.remove_user(user.external_id)
        else:
            await house.portal.change([UserRemoved(user.id)])
        assert await left(house, user.id) == []
        assert await house.run(house.accounts.of_user, user.id) is None
        assert await house.who(entered.token) is None


async def test_who_is_staff_as_well_keeps_the_account(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        user = await house.portal.add_user("A-17", ["98THD4"])
        await house.add_account("olga", "frida", "acme", [Role.FLEET_MANAGER, Role.DRIVER], user_id=user.id)
        await house.portal.remove_user("A-17")
        assert await house.run(house.accounts.called, "frida") is not None
