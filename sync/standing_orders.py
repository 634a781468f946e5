"""Orders that outlive the program, in SQLite: lanes switched on or off, users and credentials that are void.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. Until when
they stand is `gate_controller.standing_orders`' business.
"""

import sqlite3
from collections.abc import Iterable

from gate_controller.facts import LaneId
from gate_controller.standing_orders import Switched, Void


class StandingOrders:
    """The tables of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def switched(self) -> list[Switched]:
        """The last such order to each lane."""
        found = self._db.execute("SELECT lane, active, setting FROM switched ORDER BY lane")
        return [Switched(LaneId(lane), bool(active), bool(setting)) for lane, active, setting in found]

    def switch(self, order: Switched) -> None:
        """Keep an order, in place of an earlier one to the same lane."""
        self._db.execute(
            "INSERT OR REPLACE INTO switched VALUES (?, ?, ?)", (order.lane, order.active, order.setting)
        )

    def forget_switch(self, order: Switched) -> None:
        """An order counts no more."""
        self._db.execute("DELETE FROM switched WHERE lane = ?", (order.lane,))

    def voids(self) -> list[Void]:
        """What is void, also what the list has overtaken since."""
        found = self._db.execute("SELECT user_id, credential, epoch, rev, instead_of FROM void")
        return [Void(*values) for values in found]

    def make_void(self, void: Void) -> None:
        """Keep what is void, in place of an earlier word on the same."""
        self._db.execute(
            "INSERT OR REPLACE INTO void VALUES (?, ?, ?, ?, ?)",
            (void.user_id, void.credential, void.epoch, void.rev, void.instead_of),
        )

    def drop(self, voids: Iterable[Void]) -> None:
        """Forget these, unless an order has spoken of the same again."""
        self._db.executemany(
            "DELETE FROM void WHERE user_id = ? AND credential = ? AND epoch = ? AND rev = ?",
            ((void.user_id, void.credential, void.epoch, void.rev) for void in voids),
        )
