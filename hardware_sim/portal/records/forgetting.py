"""What a portal knows of a user beside the list goes with the user, in one transaction, however it was deleted.

What stands in journals and in the audit stays. Not here: reservations, which are on the list themselves.
"""

import sqlite3
from typing import Final

from hardware_sim.portal.records.accounts import Accounts, Role
from hardware_sim.portal.records.sessions import Sessions

TABLES: Final = {
    "contact": "user_id",
    "activation": "user_id",
    "app": "user_id",
    "consent": "user_id",
    "one_time_code": "subject",
    "subscriber": "user_id",
    "licence_picture": "user_id",
    "badge_order": "user_id",
    "licence_told": "user_id",
    "visit": "user_id",
}
"""Tables about single users, and the column that names them."""
OWN_ROLES: Final = frozenset({Role.DRIVER, Role.SUBSCRIBER})
"""Of accounts that are for the user's own affairs; whoever is staff as well keeps the account."""


def forget(db: sqlite3.Connection, user_id: str) -> None:
    """Erase everything about a user; on the database's thread, inside the transaction that deletes it."""
    for table, column in TABLES.items():
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (user_id,))
    account = Accounts(db).of_user(user_id)
    if account is not None and account.roles <= OWN_ROLES:
        Accounts(db).remove(account.id)
        Sessions(db).end_all(account.holder)
