"""What is asked at the machine about accounts and letters."""

from pathlib import Path

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.operator import reception
from hardware_sim.portal.operator.asked import Accounts, AddAccount, Letters, ResetAccount
from tests.hardware_sim.portal.house_rig import BEGIN, a_house


async def test_an_account_is_the_portals_own_unless_said_otherwise(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        anna = await house.portal.add_user("anna")
        added = await reception.add_account(house, AddAccount("a@example.com", ("driver",), user="anna"))
        assert (added.rows[0]["organisation"], added.rows[0]["user_id"]) == ("acme", anna.id)
        code = added.rows[0]["code"]
        assert code in added.text
        assert await house.log_in("a@example.com", code) is not None
        fresh = (await reception.reset_account(house, ResetAccount("a@example.com"))).rows[0]["code"]
        assert fresh != code
        (row,) = (await reception.accounts(house, Accounts())).rows
        assert "code" not in row


async def test_a_role_that_is_none_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        with pytest.raises(BadInput, match="--role 'king'"):
            await reception.add_account(house, AddAccount("anna", ("king",)))


async def test_letters_are_told_whole(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await house.write(house.mailbox.mail, BEGIN, "a@example.com", "Hello", "Body", "QR")
        (row,) = (await reception.letters(house, Letters("a@example.com"))).rows
        assert (row["subject"], row["body"], row["qr"], row["to"]) == ("Hello", "Body", "QR", "a@example.com")
        assert (await reception.letters(house, Letters("b@example.com"))).rows == []
