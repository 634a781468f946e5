"""What an edge must not forget of the portal's signatures, in SQLite: the key set, each key's marks, orders done.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. What the
marks forbid is `sync.guard`'s business.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

EXECUTED_KEPT: Final = timedelta(days=1)
"""How long the id of an order is remembered; it is void after seconds."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The highest of everything that one key has signed.

    `floor` is the latest time it signed at, `era` and `rev` the newest list it told of, `cseq` its last order.
    """

    floor: datetime
    era: int = 0
    rev: int = 0
    cseq: int = 0

    def raised(self, floor: datetime, era: int = 0, rev: int = 0, cseq: int = 0) -> "Mark":
        """The higher of both, each by itself; revisions count within their era."""
        newest = max((self.era, self.rev), (era, rev))
        return replace(self, floor=max(self.floor, floor), era=newest[0], rev=newest[1], cseq=max(self.cseq, cseq))


class Marks:
    """The tables of one open database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keyset(self) -> bytes | None:
        """The newest key set in its envelope."""
        found = self._db.execute("SELECT payload FROM keyset").fetchone()
        return None if found is None else found[0].encode()

    def put_keyset(self, payload: bytes, kids: Sequence[str]) -> None:
        """Keep a key set; a key that is not in it leaves no mark, so that a stolen one cannot poison the next."""
        self._db.execute("INSERT OR REPLACE INTO keyset VALUES (1, ?)", (payload.decode(),))
        self._db.execute(
            "DELETE FROM issuer WHERE kid NOT IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(kids).decode(),),
        )

    def all(self) -> dict[str, Mark]:
        """The marks of every key."""
        found = self._db.execute("SELECT kid, floor, era, rev, cseq FROM issuer")
        return {kid: Mark(datetime.fromisoformat(floor), *rest) for kid, floor, *rest in found}

    def put(self, kid: str, mark: Mark) -> None:
        """Write a key's marks."""
        floor = mark.floor.astimezone(UTC).isoformat()
        self._db.execute(
            "INSERT OR REPLACE INTO issuer VALUES (?, ?, ?, ?, ?)", (kid, floor, mark.era, mark.rev, mark.cseq)
        )

    def raise_to(self, kid: str, floor: datetime, era: int, rev: int) -> None:
        """Raise a key's marks from where they are."""
        self.put(kid, self.all().get(kid, Mark(floor)).raised(floor, era, rev))

    def execute(self, kid: str, mark: Mark, cmd_id: str) -> bool:
        """Note an order; False if it was noted before."""
        self.put(kid, mark)
        self._db.execute("DELETE FROM executed WHERE at < ?", (_text(mark.floor - EXECUTED_KEPT),))
        noted = self._db.execute("INSERT OR IGNORE INTO executed VALUES (?, ?)", (cmd_id, _text(mark.floor)))
        return noted.rowcount == 1


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
