"""What an operator asks of a portal's house at the machine: accounts, their codes, and the mailbox.

What the pages ask goes to `House` itself. Not here: the list and its users (`people`).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from gate_controller.errors import BadInput
from hardware_sim.portal.house import COMMAND, House
from hardware_sim.portal.operator.asked import Accounts, AddAccount, Letters, Reply, ResetAccount
from hardware_sim.portal.records.accounts import Account, Role

LIMIT_MAX: Final = 1000

Row = dict[str, Any]


async def accounts(house: House, _: Accounts) -> Reply:
    return Reply([_row(one) for one in await house.run(house.accounts.all)])


async def add_account(house: House, asked: AddAccount) -> Reply:
    unknown = [role for role in asked.roles if role not in {*Role}]
    if unknown:
        raise BadInput(f"--role {unknown[0]!r}: no such role; there are {', '.join(Role)}")
    account, code = await house.add_account(
        COMMAND,
        asked.name,
        asked.organisation or house.tenant,
        [*map(Role, asked.roles)],
        email=asked.email,
        phone=asked.phone,
        sites=asked.sites,
        user_id=house.portal.user(asked.user).id if asked.user else None,
    )
    return Reply([{**_row(account), "code": code}], _told(account.name, code))


async def reset_account(house: House, asked: ResetAccount) -> Reply:
    code = await house.reset(COMMAND, asked.name)
    return Reply([{"name": asked.name, "code": code}], _told(asked.name, code))


async def letters(house: House, asked: Letters) -> Reply:
    found = await house.run(house.mailbox.letters, asked.recipient, min(max(asked.limit, 1), LIMIT_MAX))
    return Reply(
        [
            {
                "number": one.number,
                "kind": one.kind,
                "at": one.at.isoformat(),
                "to": one.recipient,
                "subject": one.subject,
                "body": one.body,
                "qr": one.qr,
            }
            for one in found
        ]
    )


def _told(name: str, code: str) -> str:
    return f"{name} logs in with the code {code}, once and within seven days, and sets a password then"


def _row(one: Account) -> Row:
    return {
        "name": one.name,
        "organisation": one.organisation,
        "roles": sorted(one.roles),
        "email": one.email,
        "phone": one.phone,
        "user_id": one.user_id,
        "sites": [*one.sites],
        "enabled": one.enabled,
        "must_change": one.must_change,
    }


ASKED: Final[dict[type, Callable[[House, Any], Awaitable[Reply]]]] = {
    Accounts: accounts,
    AddAccount: add_account,
    ResetAccount: reset_account,
    Letters: letters,
}
